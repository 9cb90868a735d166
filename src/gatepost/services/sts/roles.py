"""What STS must know of roles and managed policies: small Protocols that IAM's directory fills."""

from __future__ import annotations

from typing import Protocol


class AssumableRole(Protocol):
    """A role as far as assuming it goes (`services.iam.model.Role`)."""

    @property
    def account_id(self) -> str:
        """Give the role's account."""
        ...

    @property
    def name(self) -> str:
        """Give the role's name, without path."""
        ...

    @property
    def arn(self) -> str:
        """Give the role's ARN."""
        ...

    @property
    def id(self) -> str:
        """Give the role's unique id, AROA…."""
        ...

    @property
    def trust_policy(self) -> str:
        """Give the trust policy's document."""
        ...

    @property
    def session_duration_s_max(self) -> int:
        """Give the longest session in seconds."""
        ...

    @property
    def tags(self) -> tuple[tuple[str, str], ...]:
        """Give the role's tags."""
        ...


class Roles(Protocol):
    """Where roles and managed policies are found (`services.iam.directory.Directory`)."""

    def role_by_arn(self, arn: str) -> AssumableRole | None:
        """Find a role by its ARN."""
        ...

    def managed_policy(self, arn: str) -> object | None:
        """Find a managed policy by its ARN."""
        ...


class MfaCodes(Protocol):
    """Codes of IAM users' MFA devices."""

    def is_right(self, serial: str, user_id: str, code: str, now_ms: int) -> bool:
        """Say whether a code is of a user's enabled device now, and not used up yet."""
        ...

    async def use(self, serial: str, user_id: str, code: str, now_ms: int) -> bool:
        """Use a code up, and say whether it was right. Raises: StoreUnavailable."""
        ...
