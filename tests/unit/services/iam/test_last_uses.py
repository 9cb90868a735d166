"""Last uses: noted on every request's way, written now and then, lost with nobody noticing."""

import asyncio
from pathlib import Path

from gatepost.services.iam.last_uses import LastUses, Use
from tests.support.identities import an_identity_world


def test_a_keys_last_use_is_told_and_outlives_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user("ana")
            key = {"AccessKeyId": ana.access_key_id}
            unused = {"UserName": "ana", "AccessKeyLastUsed": {"ServiceName": "N/A", "Region": "N/A"}}
            assert await world.do("GetAccessKeyLastUsed", **key) == unused
            now_ms = world.clock.now_ms()
            world.iam.uses.note(ana, "dynamodb", "eu-west-1", now_ms)
            used = (await world.do("GetAccessKeyLastUsed", **key))["AccessKeyLastUsed"]
            whole = now_ms // 1000 * 1000
            assert used == {"LastUsedDate": whole, "ServiceName": "dynamodb", "Region": "eu-west-1"}
            await world.iam.close()
            again = LastUses(world.records)
            await again.start()
            await again.close()
            assert again.of_key(ana.access_key_id) == Use("dynamodb", "eu-west-1", now_ms)
            message = await world.refused("NoSuchEntity", "GetAccessKeyLastUsed", AccessKeyId="AKIANOBODYHASTHIS")
            assert message == "The Access Key with id AKIANOBODYHASTHIS cannot be found."

    asyncio.run(scenario())


def test_a_role_was_last_used_by_its_sessions_since_it_was_made(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            arn = await world.a_role("app", trusts={"AWS": world.root.arn})
            assert (await world.do("GetRole", RoleName="app"))["Role"]["RoleLastUsed"] == {}
            ana = await world.a_user("ana")
            await world.allow_user("ana", {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})
            given = await world.do("AssumeRole", ana, service="sts", RoleArn=arn, RoleSessionName="work")
            session = world.session_principal(given["Credentials"])
            world.iam.uses.note(session, "s3", "us-east-1", world.clock.now_ms())
            used = (await world.do("GetRole", RoleName="app"))["Role"]["RoleLastUsed"]
            assert used["Region"] == "us-east-1"
            world.clock.advance(ms=5_000)
            await world.do("DeleteRole", RoleName="app")
            await world.a_role("app")
            assert (await world.do("GetRole", RoleName="app"))["Role"]["RoleLastUsed"] == {}

    asyncio.run(scenario())


def test_notes_are_bounded(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            notes = LastUses(world.records, notes_max=2)
            for service in ("a", "b", "c"):
                notes.note(world.root, service, "us-east-1", 1)
            assert list(notes.of_entity(world.root.arn, 0)) == ["b", "c"]

    asyncio.run(scenario())


def test_who_calls_again_and_again_is_noted_once_a_second(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            notes = LastUses(world.records)
            told = []
            for at_ms in (5_000, 5_999, 6_000, 6_500, 5_500):  # and where the clock was put back
                notes.note(world.root, "sts", "us-east-1", at_ms)
                told.append(notes.of_entity(world.root.arn, 0)["sts"].at_ms)
            notes.note(world.root, "sts", "eu-west-1", 5_501)
            assert told == [5_000, 5_000, 6_000, 6_000, 5_500]
            assert notes.of_entity(world.root.arn, 0)["sts"].region == "eu-west-1"

    asyncio.run(scenario())
