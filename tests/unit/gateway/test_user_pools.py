"""What the gateway keeps of user pools, and that it listens where services speaks."""

from __future__ import annotations

import pytest

from gatepost.gateway import user_pools
from gatepost.gateway.user_pools import PoolMissing, UserPools
from gatepost.kernel.clock import FixedClock
from gatepost.security.jwt import BadToken
from gatepost.services.cognito_idp import pools, revocations, tokens


def test_topics_are_those_that_services_publishes():
    assert (user_pools.JWKS, user_pools.REVOCATIONS) == (pools.JWKS, revocations.TOPIC)


def test_the_time_of_a_token_is_read_as_services_reads_it():
    claims = {"iat": 1_795_515_772, "jti": f"ac34af84-b937-47ff-b772-{1_795_515_772_345:012x}"}
    assert user_pools.made_at_ms(claims) == tokens.made_at_ms(claims) == 1_795_515_772_345
    for odd in ("nonsense", None, f"{5:012x}", f"{1_795_515_773_000:012x}"):
        assert user_pools.made_at_ms(claims | {"jti": odd}) == 1_795_515_772_000


def test_keys_that_cannot_be_read_leave_a_pool_that_verifies_nothing():
    known = UserPools(FixedClock())
    known.take_keys("arn:pool", {"issuer": "i", "keys": "none"})
    with pytest.raises(BadToken):
        known.verify(("arn:pool",), "a.b.c")
    known.take_keys("arn:pool", None)
    with pytest.raises(PoolMissing):
        known.verify(("arn:pool",), "a.b.c")
