"""The directory: what is loaded at start and what a gateway is told make the same identities."""

import asyncio
from pathlib import Path

from gatepost.awsapi.authorization import Authorizer
from gatepost.kernel.operations import Access
from gatepost.security.sealing import Seal
from gatepost.services.iam.directory import Directory
from tests.support.identities import SEAL_KEY, IdentityWorld, an_identity_world
from tests.support.policies import ACCOUNT, TABLE_ARN, a_document, a_statement

APP = f"arn:aws:iam::{ACCOUNT}:role/app"


async def populate(world: IdentityWorld) -> None:
    """One of everything."""
    await world.a_user(Tags=[{"Key": "a", "Value": "b"}])
    await world.do("CreateGroup", GroupName="g")
    await world.do("AddUserToGroup", GroupName="g", UserName="ana")
    arn = await world.a_policy()
    await world.do("AttachGroupPolicy", GroupName="g", PolicyArn=arn)
    await world.a_role("app", a_statement(), PermissionsBoundary=arn)
    await world.do("CreateInstanceProfile", InstanceProfileName="ip")
    await world.do("AddRoleToInstanceProfile", InstanceProfileName="ip", RoleName="app")
    await world.iam.create_administrator_key(ACCOUNT)


def test_a_restart_finds_everything_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await populate(world)
            again = IdentityWorld(world.records)
            await again.iam.load()
            assert again.directory.changes() != []
            assert sorted(map(repr, again.directory.changes())) == sorted(map(repr, world.directory.changes()))
            key = world.directory.user(ACCOUNT, "ana").access_keys[0].id
            assert again.directory.find(key, "", 0) == world.directory.find(key, "", 0)

    asyncio.run(scenario())


def test_a_gateway_knows_and_judges_by_what_it_was_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await populate(world)
            gateway = Directory(Seal(SEAL_KEY))
            for change in world.heard.changes:
                gateway.apply_change(change.key, change.value)
            snapshot = Directory(Seal(SEAL_KEY))
            for change in await world.iam.published():
                snapshot.apply_change(change.key, change.value)
            key = world.directory.user(ACCOUNT, "ana").access_keys[0].id
            held = world.sessions.assume(APP, service="lambda.amazonaws.com", session_name="s")
            for directory in (gateway, snapshot):
                identity = directory.find(key, "", 0)
                assert identity == world.directory.find(key, "", 0)
                session = directory.find(held.access_key_id, held.session_token, 0)
                assert session is not None
                for principal in (identity.principal, session.principal):
                    access = Access("dynamodb:PutItem", TABLE_ARN)
                    assert Authorizer(directory).decide(world.call(principal), access).is_allowed
            await world.do("DeleteAccessKey", UserName="ana", AccessKeyId=key)
            gateway.apply_change(world.heard.changes[-1].key, world.heard.changes[-1].value)
            assert gateway.find(key, "", 0) is None

    asyncio.run(scenario())


def test_a_deleted_entity_is_taken_away_from_the_gateway(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_role()
            await world.do("DeleteRole", RoleName="app")
            last = world.heard.changes[-1]
            assert (last.topic, last.key, last.value) == ("principal", f"iam.role/{ACCOUNT}/app", None)

    asyncio.run(scenario())


def test_changes_made_at_once_do_not_get_lost(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_role()
            puts = [world.allow_role("app", a_statement(Sid=f"S{n}"), policy=f"p{n}") for n in range(30)]
            await asyncio.gather(*puts)
            names = (await world.do("ListRolePolicies", RoleName="app"))["PolicyNames"]
            assert len(names) == 30

    asyncio.run(scenario())


def test_a_policy_is_not_deleted_while_it_is_being_attached(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_role()
            arn = await world.a_policy()
            attach = world.do("AttachRolePolicy", RoleName="app", PolicyArn=arn)
            delete = world.do("DeletePolicy", PolicyArn=arn)
            outcomes = await asyncio.gather(attach, delete, return_exceptions=True)
            assert sum(isinstance(outcome, Exception) for outcome in outcomes) == 1

    asyncio.run(scenario())


def test_which_keys_are_ours(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await populate(world)
            ana = world.directory.user(ACCOUNT, "ana")
            held = world.sessions.assume(APP, service="lambda.amazonaws.com", session_name="s")
            assert world.directory.knows(ana.access_keys[0].id)
            assert world.directory.knows(held.access_key_id)
            for stranger in ("test", "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", ""):
                assert not world.directory.knows(stranger)
                assert world.directory.find(stranger, "", 0) is None

    asyncio.run(scenario())


def test_documents_with_duplicate_text_keep_their_own_names(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            for name in ("one", "two"):
                await world.do("PutUserPolicy", UserName="ana", PolicyName=name, PolicyDocument=a_document())
            names = [policy.name for policy in world.directory.policies_of(ana).identity]
            assert names == ["one", "two"]

    asyncio.run(scenario())
