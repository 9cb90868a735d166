"""Passwords: kept, held to the account's policy, changed by who knows them, gone before the user is."""

import asyncio
from pathlib import Path

from gatepost.services.iam.model import USER, User
from tests.support.identities import an_identity_world
from tests.support.policies import a_statement

GOOD = "Correct-Horse-1"


def test_a_password_is_given_looked_at_changed_and_taken_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.do("CreateUser", UserName="ana")
            for operation in ("GetLoginProfile", "DeleteLoginProfile"):
                message = await world.refused("NoSuchEntity", operation, UserName="ana")
                assert message == "Login Profile for User ana cannot be found."
            made = await world.do("CreateLoginProfile", UserName="ana", Password=GOOD)
            assert made["LoginProfile"]["UserName"] == "ana"
            assert made["LoginProfile"]["PasswordResetRequired"] is False
            message = await world.refused("EntityAlreadyExists", "CreateLoginProfile", UserName="ana", Password=GOOD)
            assert message == "Login Profile for User ana already exists."
            await world.do("UpdateLoginProfile", UserName="ana", PasswordResetRequired=True)
            assert (await world.do("GetLoginProfile", UserName="ana"))["LoginProfile"]["PasswordResetRequired"] is True
            message = await world.refused("DeleteConflict", "DeleteUser", UserName="ana")
            assert message == "Cannot delete entity, must delete login profile first."
            await world.do("DeleteLoginProfile", UserName="ana")
            await world.do("DeleteUser", UserName="ana")
            await world.refused("NoSuchEntity", "CreateLoginProfile", UserName="ana", Password=GOOD)

    asyncio.run(scenario())


def test_a_password_is_not_kept_in_the_clear_and_its_profile_outlives_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.do("CreateUser", UserName="ana")
            await world.do("CreateLoginProfile", UserName="ana", Password=GOOD)
            record = (await world.records.scan(USER))[0]
            assert GOOD not in str(record.value)
            before = world.directory.user(record.key.account_id, "ana")
            await world.iam.load()
            after = world.directory.user(record.key.account_id, "ana")
            assert isinstance(after, User)
            assert after == before

    asyncio.run(scenario())


def test_a_user_changes_the_own_password_with_the_old_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user("ana")
            await world.allow_user("ana", a_statement(action="iam:ChangePassword", resource="*"))
            await world.do("CreateLoginProfile", UserName="ana", Password=GOOD, PasswordResetRequired=True)
            await world.refused("AccessDenied", "ChangePassword", ana, OldPassword="x", NewPassword=GOOD + "2")
            await world.do("ChangePassword", ana, OldPassword=GOOD, NewPassword=GOOD + "2")
            assert (await world.do("GetLoginProfile", UserName="ana"))["LoginProfile"]["PasswordResetRequired"] is False
            await world.refused("AccessDenied", "ChangePassword", ana, OldPassword=GOOD, NewPassword=GOOD + "3")
            await world.refused("InvalidUserType", "ChangePassword", OldPassword=GOOD, NewPassword=GOOD)

    asyncio.run(scenario())


def test_a_password_that_was_used_before_or_is_too_old_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user("ana")
            policy = {"MinimumPasswordLength": 8, "PasswordReusePrevention": 2, "MaxPasswordAge": 1}
            await world.do("UpdateAccountPasswordPolicy", **policy, HardExpiry=True, AllowUsersToChangePassword=True)
            await world.do("CreateLoginProfile", UserName="ana", Password=GOOD)
            await world.do("ChangePassword", ana, OldPassword=GOOD, NewPassword="another1")
            refused = {"OldPassword": "another1", "NewPassword": GOOD}
            await world.refused("PasswordPolicyViolation", "ChangePassword", ana, **refused)
            await world.do("ChangePassword", ana, OldPassword="another1", NewPassword="a-third-1")
            await world.do("ChangePassword", ana, OldPassword="a-third-1", NewPassword=GOOD)
            world.clock.advance(ms=86_400_000)
            message = await world.refused(
                "PasswordPolicyViolation", "ChangePassword", ana, OldPassword=GOOD, NewPassword="a-fourth"
            )
            assert "expired" in message

    asyncio.run(scenario())
