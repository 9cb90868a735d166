"""The fixture of all tests of user pools."""

from tests.support.user_pools import pools

__all__ = ["pools"]
