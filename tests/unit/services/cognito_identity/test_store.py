"""Identities over a real store: a login belongs to one of them, also when two ask at once; the key is sealed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Call, Principal, RecordKey
from gatepost.security.jwt import BadToken
from gatepost.security.sealing import Seal
from gatepost.services.cognito_identity.developer_operations import TOKEN_DURATION_S
from gatepost.services.cognito_identity.identity_operations import GUEST_POLICY
from gatepost.services.cognito_identity.model import KEY, IdentityPool, IdentityRecord
from gatepost.services.cognito_identity.pool_operations import mapped_roles
from gatepost.services.cognito_identity.provider import CognitoIdentityProvider
from gatepost.services.cognito_identity.store import IdentityStore
from gatepost.services.cognito_identity.tokens import IdentityTokens
from tests.support.stores import some_records
from tests.support.user_pools import ready_keys

ACCOUNT = "000000000000"
POOL = IdentityPool("us-east-1:p", ACCOUNT, "us-east-1", "shop", takes_guests=True)
LOGIN = ("provider", "ann")


def an_identity(name: str, *logins: tuple[str, str]) -> IdentityRecord:
    return IdentityRecord(f"us-east-1:{name}", POOL.id, 1, 1, logins)


def a_call() -> Call:
    root = Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
    return Call("cognito-identity", "DescribeIdentity", ACCOUNT, "us-east-1", root, "1", 1)


def test_of_two_who_bring_the_same_login_at_once_one_gets_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with some_records(tmp_path) as records:
            store = IdentityStore(records)
            await store.keep(POOL, None)
            makings = (store.change(POOL, an_identity(name, LOGIN), None) for name in ("a", "b"))
            made = await asyncio.gather(*makings, return_exceptions=True)
            (kept,) = [one for one in made if isinstance(one, IdentityRecord)]
            (refused,) = [one for one in made if isinstance(one, ServiceError)]
            assert refused.code == "ResourceConflictException"
            assert await store.by_login(POOL, LOGIN) == kept.id

    asyncio.run(scenario())


def test_a_login_is_free_again_when_its_identity_goes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with some_records(tmp_path) as records:
            store = IdentityStore(records)
            await store.keep(POOL, None)
            identity = await store.change(POOL, an_identity("a", LOGIN), None)
            await store.delete_identity(POOL, identity)
            assert await store.by_login(POOL, LOGIN) == ""
            await store.change(POOL, an_identity("b", LOGIN), None)
            await store.delete(POOL)
            assert await store.by_login(POOL, LOGIN) == ""
            with pytest.raises(ServiceError):
                await store.anywhere("us-east-1:b", a_call())
            again = IdentityStore(records)
            await again.load()
            assert again.every(a_call()) == []

    asyncio.run(scenario())


def test_the_signing_key_is_made_once_and_kept_sealed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with some_records(tmp_path) as records:
            seal, clock = Seal(bytes(32)), FixedClock()
            tokens = IdentityTokens(records, seal, clock)
            await tokens.load()
            assert tokens.jwks() is None
            issuing = (tokens.issue(POOL, "us-east-1:i", ["authenticated"], duration_s=60) for _ in range(3))
            made = await asyncio.gather(*issuing)
            record = await records.get(RecordKey(KEY, "", "", "signing"))
            assert record is not None
            assert "PRIVATE" not in str(record.value)
            again = IdentityTokens(records, seal, clock)
            await again.load()
            assert {again.verifier.verify(token).claims["aud"] for token in made} == {POOL.id}
            clock.advance(ms=60_000)
            with pytest.raises(BadToken):
                again.verifier.verify(made[0])

    with ready_keys():
        asyncio.run(scenario())


def test_what_is_promised_of_durations_and_guests() -> None:
    assert TOKEN_DURATION_S == 900
    assert '"iam:*"' not in GUEST_POLICY
    assert len(GUEST_POLICY) <= 2_048
    assert mapped_roles({"a": {"Type": "Token"}}) == []
    assert CognitoIdentityProvider.service == "cognito-identity"
