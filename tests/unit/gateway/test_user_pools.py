"""What the gateway keeps of user pools, and that it listens where services speaks."""

from __future__ import annotations

import pytest

from gatepost.gateway import user_pools
from gatepost.gateway.user_pools import PoolMissing, UserPools
from gatepost.kernel.clock import FixedClock
from gatepost.security.jwt import BadToken
from gatepost.services.cognito_idp import pools, revocations


def test_topics_are_those_that_services_publishes():
    assert (user_pools.JWKS, user_pools.REVOCATIONS) == (pools.JWKS, revocations.TOPIC)


def test_keys_that_cannot_be_read_leave_a_pool_that_verifies_nothing():
    known = UserPools(FixedClock())
    known.take_keys("arn:pool", {"issuer": "i", "keys": "none"})
    with pytest.raises(BadToken):
        known.verify(("arn:pool",), "a.b.c")
    known.take_keys("arn:pool", None)
    with pytest.raises(PoolMissing):
        known.verify(("arn:pool",), "a.b.c")
