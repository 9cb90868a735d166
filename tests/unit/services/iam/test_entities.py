"""How IAM's records change: one at a time, by version, then the directory, then the gateways."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gatepost.services.iam.entities import Entities
from gatepost.services.iam.errors import (
    ConcurrentModificationException,
    EntityAlreadyExistsException,
    NoSuchEntityException,
)
from gatepost.services.iam.model import USER, User, from_json, kind_of, to_json
from tests.support.identities import IdentityWorld, an_identity_world
from tests.support.policies import ACCOUNT

ANA = User(ACCOUNT, "Ana", "/", "AIDAEXAMPLE", 1, tags=(("a", "b"),))


def entities_of(world: IdentityWorld) -> Entities:
    return Entities(world.records, world.directory, world.heard)


def test_an_entity_is_written_then_known_then_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await entities_of(world).create(ANA, exists="there")
            (record,) = await world.records.scan(USER)
            assert from_json(USER, record.value) == ANA
            assert world.directory.user(ACCOUNT, "ana") == ANA
            (change,) = world.heard.changes
            assert (change.key, change.value) == (f"iam.user/{ACCOUNT}/ana", record.value)

    asyncio.run(scenario())


def test_what_is_there_is_not_created_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await entities_of(world).create(ANA, exists="there")
            with pytest.raises(EntityAlreadyExistsException, match="there"):
                await entities_of(world).create(ANA, exists="there")
            elsewhere = IdentityWorld(world.records)  # a process that has not heard of it
            with pytest.raises(EntityAlreadyExistsException, match="there"):
                await entities_of(elsewhere).create(ANA, exists="there")

    asyncio.run(scenario())


def test_a_change_on_an_old_version_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await entities_of(world).create(ANA, exists="there")
            other = IdentityWorld(world.records)
            await other.iam.load()

            async def change(entities: Entities, path: str) -> None:
                await entities.change(
                    User, USER, ACCOUNT, "ana", missing="gone", change=lambda user: replace(user, path=path)
                )

            await change(entities_of(world), "/new/")
            with pytest.raises(ConcurrentModificationException):
                await change(entities_of(other), "/old/")
            with pytest.raises(ConcurrentModificationException):
                await entities_of(other).delete(User, USER, ACCOUNT, "ana", missing="gone", check=lambda user: None)
            (record,) = await world.records.scan(USER)
            assert record.value["path"] == "/new/"

    asyncio.run(scenario())


def test_a_change_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            entities = entities_of(world)
            await entities.create(ANA, exists="there")
            await entities.change(User, USER, ACCOUNT, "ana", missing="gone", change=lambda user: user)
            assert len(world.heard.changes) == 1
            with pytest.raises(NoSuchEntityException, match="gone"):
                await entities.change(User, USER, ACCOUNT, "bob", missing="gone", change=lambda user: user)
            with pytest.raises(NoSuchEntityException, match="gone"):
                await entities.delete(User, USER, ACCOUNT, "bob", missing="gone", check=lambda user: None)

    asyncio.run(scenario())


def test_every_entity_survives_its_record(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_user(Tags=[{"Key": "a", "Value": "b"}])
            await world.a_role("app")
            await world.do("CreateGroup", GroupName="g")
            await world.a_policy()
            await world.do("CreateInstanceProfile", InstanceProfileName="ip")
            await world.do("CreateAccountAlias", AccountAlias="shop")
            kinds = set()
            for change in world.heard.changes:
                kind = change.key.split("/")[0]
                kinds.add(kind)
                assert change.value is not None
                entity = from_json(kind, change.value)
                assert kind_of(entity) == kind
                assert from_json(kind, to_json(entity)) == entity
            assert len(kinds) == 6

    asyncio.run(scenario())
