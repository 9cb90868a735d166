"""GetFederationToken: no more than the user, no more than the session policies, and neither IAM nor STS."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gatepost.kernel.operations import Principal
from tests.support.identities import IdentityWorld, an_identity_world
from tests.support.policies import ACCOUNT, a_document, a_statement

FEDERATED = f"arn:aws:sts::{ACCOUNT}:federated-user/partner"
GET, PUT, TABLE = "dynamodb:GetItem", "dynamodb:PutItem", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t"


def run(tmp_path: Path, scenario: Callable[[IdentityWorld], Any]) -> None:
    async def whole() -> None:
        async with an_identity_world(tmp_path) as world:
            await scenario(world)

    asyncio.run(whole())


async def a_broker(world: IdentityWorld) -> Principal:
    broker = await world.a_user("broker")
    own = a_statement(action=[GET, PUT])
    await world.allow_user("broker", own, a_statement(action=["sts:GetFederationToken", "sts:TagSession"]))
    return broker


async def federated(world: IdentityWorld, broker: Principal, **params: Any) -> Principal:
    told = await world.do("GetFederationToken", broker, service="sts", Name="partner", **params)
    assert told["FederatedUser"] == {"FederatedUserId": f"{ACCOUNT}:partner", "Arn": FEDERATED}
    return world.session_principal(told["Credentials"])


def test_a_federated_user_may_what_both_the_user_and_the_session_policy_allow(tmp_path: Path) -> None:
    async def scenario(world: IdentityWorld) -> None:
        broker = await a_broker(world)
        policy = a_document(a_statement(action=[GET, "s3:*"]))
        partner = await federated(world, broker, Policy=policy, Tags=[{"Key": "team", "Value": "x"}])
        assert (partner.kind, partner.arn, partner.principal_id) == ("federated", FEDERATED, f"{ACCOUNT}:partner")
        assert world.may(partner, GET, TABLE)
        assert not world.may(partner, PUT, TABLE)  # the session policy does not
        assert not world.may(partner, "s3:GetObject", "arn:aws:s3:::b/k")  # the user may not
        assert dict(partner.tags) == {"team": "x"}
        await world.do("DeleteUserPolicy", UserName="broker", PolicyName="inline")
        assert not world.may(partner, GET, TABLE)

    run(tmp_path, scenario)


def test_without_a_session_policy_only_what_resources_grant_is_left(tmp_path: Path) -> None:
    async def scenario(world: IdentityWorld) -> None:
        partner = await federated(world, await a_broker(world))
        assert not world.may(partner, GET, TABLE)
        granting = a_document(a_statement(action=GET, resource=TABLE, Principal={"AWS": FEDERATED}))
        assert world.may(partner, GET, TABLE, resource_policy=granting)

    run(tmp_path, scenario)


def test_a_federated_user_reaches_neither_iam_nor_sts_and_ends_with_its_user(tmp_path: Path) -> None:
    async def scenario(world: IdentityWorld) -> None:
        broker = await a_broker(world)
        await world.allow_user("broker", a_statement(action="*"), policy="all")
        partner = await federated(world, broker, Policy=a_document(a_statement(action="*")), DurationSeconds=900)
        assert world.may(partner, "s3:GetObject", "arn:aws:s3:::b/k")
        await world.refused("UnrecognizedClientException", "ListUsers", partner)
        for operation, params in (
            ("GetFederationToken", {"Name": "again"}),
            ("AssumeRole", {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r", "RoleSessionName": "again"}),
        ):
            refused = await world.refused_any(operation, partner, service="sts", **params)
            assert refused in ("UnrecognizedClientException", "AccessDeniedException")
        told = await world.do("GetCallerIdentity", partner, service="sts")
        assert told["Arn"] == FEDERATED
        assert partner.expires_at_ms - partner.token_issued_at_ms == 900_000

    run(tmp_path, scenario)


def test_only_users_with_their_own_key_federate_and_need_the_permission(tmp_path: Path) -> None:
    async def scenario(world: IdentityWorld) -> None:
        plain = await world.a_user("plain")
        await world.refused("AccessDeniedException", "GetFederationToken", plain, service="sts", Name="partner")
        await world.refused("AccessDeniedException", "GetFederationToken", service="sts", Name="partner")
        broker = await a_broker(world)
        session = (await world.do("GetSessionToken", broker, service="sts"))["Credentials"]
        holder = world.session_principal(session)
        code = await world.refused_any("GetFederationToken", holder, service="sts", Name="partner")
        assert code in ("AccessDeniedException", "UnrecognizedClientException")

    run(tmp_path, scenario)
