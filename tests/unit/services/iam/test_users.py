"""Users, their access keys and the root user's."""

import asyncio
from pathlib import Path

from gatepost.kernel.operations import Principal
from tests.support.identities import an_identity_world
from tests.support.policies import ACCOUNT, a_document, a_statement


def test_a_user_has_an_arn_with_its_path_and_an_id(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            made = (await world.do("CreateUser", UserName="ana", Path="/staff/", Tags=[{"Key": "a", "Value": "b"}]))[
                "User"
            ]
            assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/staff/ana"
            assert made["UserId"].startswith("AIDA")
            assert len(made["UserId"]) == 21
            assert made["CreateDate"] == world.clock.now_ms()
            assert (await world.do("GetUser", UserName="ana"))["User"] == made
            assert (await world.do("ListUserTags", UserName="ana"))["Tags"] == [{"Key": "a", "Value": "b"}]

    asyncio.run(scenario())


def test_user_names_differ_by_more_than_case(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.do("CreateUser", UserName="Ana")
            told = await world.refused("EntityAlreadyExists", "CreateUser", UserName="ana")
            assert told == "User with name ana already exists."

    asyncio.run(scenario())


def test_a_user_that_is_not_there_is_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            for operation in ("GetUser", "DeleteUser", "ListAccessKeys", "CreateAccessKey", "ListUserPolicies"):
                told = await world.refused("NoSuchEntity", operation, UserName="nobody")
                assert told == "The user with name nobody cannot be found."

    asyncio.run(scenario())


def test_a_user_has_two_access_keys_at_most(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            first = await world.a_user()
            second = (await world.do("CreateAccessKey", UserName="ana"))["AccessKey"]
            told = await world.refused("LimitExceeded", "CreateAccessKey", UserName="ana")
            assert told == "Cannot exceed quota for AccessKeysPerUser: 2"
            keys = (await world.do("ListAccessKeys", UserName="ana"))["AccessKeyMetadata"]
            assert [key["Status"] for key in keys] == ["Active", "Active"]
            assert [key["AccessKeyId"] for key in keys] == [first.access_key_id, second["AccessKeyId"]]
            page = await world.do("ListAccessKeys", UserName="ana", MaxItems=1)
            rest = await world.do("ListAccessKeys", UserName="ana", Marker=page["Marker"])
            assert page["AccessKeyMetadata"] + rest["AccessKeyMetadata"] == keys

    asyncio.run(scenario())


def test_a_secret_is_told_once_and_kept_sealed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.do("CreateUser", UserName="ana")
            key = (await world.do("CreateAccessKey", UserName="ana"))["AccessKey"]
            assert len(key["SecretAccessKey"]) == 40
            found = world.directory.find(key["AccessKeyId"], "", 0)
            assert found is not None
            assert found.secret_access_key == key["SecretAccessKey"]
            (record,) = await world.records.scan("iam.user")
            assert key["SecretAccessKey"] not in repr(record.value)
            assert key["SecretAccessKey"] not in repr(world.heard.changes)
            assert key["SecretAccessKey"] not in repr(found)

    asyncio.run(scenario())


def test_an_inactive_or_deleted_key_is_nobodys(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            principal = await world.a_user()
            key = principal.access_key_id
            await world.do("UpdateAccessKey", UserName="ana", AccessKeyId=key, Status="Inactive")
            assert world.directory.find(key, "", 0) is None
            assert world.directory.knows(key)
            await world.do("UpdateAccessKey", UserName="ana", AccessKeyId=key, Status="Active")
            assert world.directory.find(key, "", 0) is not None
            assert world.directory.find(key, "token", 0) is None  # a long-term key has no session token
            await world.do("DeleteAccessKey", UserName="ana", AccessKeyId=key)
            assert world.directory.find(key, "", 0) is None
            assert not world.directory.knows(key)
            told = await world.refused("NoSuchEntity", "DeleteAccessKey", UserName="ana", AccessKeyId=key)
            assert told == f"The Access Key with id {key} cannot be found."

    asyncio.run(scenario())


def test_a_user_goes_only_when_nothing_belongs_to_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            key = (await world.a_user()).access_key_id
            arn = await world.a_policy()
            await world.do("AttachUserPolicy", UserName="ana", PolicyArn=arn)
            await world.allow_user("ana", a_statement())
            await world.do("CreateGroup", GroupName="g")
            await world.do("AddUserToGroup", GroupName="g", UserName="ana")
            steps = [
                ("must delete access keys first", "DeleteAccessKey", {"UserName": "ana", "AccessKeyId": key}),
                ("must detach all policies first", "DetachUserPolicy", {"UserName": "ana", "PolicyArn": arn}),
                ("must delete policies first", "DeleteUserPolicy", {"UserName": "ana", "PolicyName": "inline"}),
                ("must remove users from group first", "RemoveUserFromGroup", {"GroupName": "g", "UserName": "ana"}),
            ]
            for told, operation, params in steps:
                assert told in await world.refused("DeleteConflict", "DeleteUser", UserName="ana")
                await world.do(operation, **params)
            await world.do("DeleteUser", UserName="ana")
            await world.refused("NoSuchEntity", "GetUser", UserName="ana")

    asyncio.run(scenario())


def test_a_renamed_user_keeps_its_id_and_keys(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            before = await world.a_user()
            await world.do("UpdateUser", UserName="ana", NewUserName="anna", NewPath="/x/")
            after = world.principal(before.access_key_id)
            assert (after.principal_id, after.arn) == (before.principal_id, f"arn:aws:iam::{ACCOUNT}:user/x/anna")
            await world.refused("NoSuchEntity", "GetUser", UserName="ana")
            await world.do("CreateUser", UserName="ana")
            await world.refused("EntityAlreadyExists", "UpdateUser", UserName="ana", NewUserName="ANNA")
            assert (await world.do("UpdateUser", UserName="ana", NewUserName="Ana")) == {}

    asyncio.run(scenario())


def test_without_a_name_an_operation_is_about_the_caller(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            await world.allow_user("ana", a_statement(action="iam:*"))
            assert (await world.do("GetUser", ana))["User"]["UserName"] == "ana"
            assert (await world.do("GetUser"))["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
            assert len((await world.do("ListAccessKeys", ana))["AccessKeyMetadata"]) == 1
            arn = await world.a_role("app", a_statement(action="iam:*"), trusts={"AWS": ana.arn})
            answer = await world.do("AssumeRole", ana, service="sts", RoleArn=arn, RoleSessionName="s1")
            session = world.session_principal(answer["Credentials"])
            await world.refused("ValidationError", "GetUser", session)

    asyncio.run(scenario())


def test_users_come_in_pages_by_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            for name in ("c", "A", "b"):
                await world.do("CreateUser", UserName=name, Path="/p/")
            await world.do("CreateUser", UserName="other")
            first = await world.do("ListUsers", PathPrefix="/p/", MaxItems=2)
            assert [user["UserName"] for user in first["Users"]] == ["A", "b"]
            assert first["IsTruncated"] is True
            second = await world.do("ListUsers", PathPrefix="/p/", MaxItems=2, Marker=first["Marker"])
            assert [user["UserName"] for user in second["Users"]] == ["c"]
            assert second["IsTruncated"] is False
            assert "Marker" not in second
            await world.refused("ValidationError", "ListUsers", Marker="%%%")

    asyncio.run(scenario())


def test_tags_have_no_case_and_a_limit(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.do("CreateUser", UserName="ana")
            await world.do("TagUser", UserName="ana", Tags=[{"Key": "Team", "Value": "x"}])
            await world.do("TagUser", UserName="ana", Tags=[{"Key": "team", "Value": "y"}])
            assert (await world.do("ListUserTags", UserName="ana"))["Tags"] == [{"Key": "team", "Value": "y"}]
            twice = [{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}]
            assert "Duplicate tag keys" in await world.refused("InvalidInput", "TagUser", UserName="ana", Tags=twice)
            await world.refused("InvalidInput", "TagUser", UserName="ana", Tags=[{"Key": "aws:x", "Value": ""}])
            many = [{"Key": f"k{n}", "Value": ""} for n in range(50)]
            await world.refused("LimitExceeded", "TagUser", UserName="ana", Tags=many)
            await world.do("UntagUser", UserName="ana", TagKeys=["TEAM", "absent"])
            assert (await world.do("ListUserTags", UserName="ana"))["Tags"] == []

    asyncio.run(scenario())


def test_an_inline_policy_is_put_read_and_deleted(tmp_path: Path) -> None:
    async def scenario() -> None:
        from urllib.parse import unquote

        async with an_identity_world(tmp_path) as world:
            await world.do("CreateUser", UserName="ana")
            document = a_document(a_statement())
            await world.do("PutUserPolicy", UserName="ana", PolicyName="p", PolicyDocument=document)
            read = await world.do("GetUserPolicy", UserName="ana", PolicyName="p")
            assert unquote(read["PolicyDocument"]) == document
            assert (await world.do("ListUserPolicies", UserName="ana"))["PolicyNames"] == ["p"]
            await world.do("DeleteUserPolicy", UserName="ana", PolicyName="p")
            told = await world.refused("NoSuchEntity", "GetUserPolicy", UserName="ana", PolicyName="p")
            assert told == "The user policy with name p cannot be found."
            malformed = await world.refused(
                "MalformedPolicyDocument", "PutUserPolicy", UserName="ana", PolicyName="p", PolicyDocument="{}"
            )
            assert malformed == "Syntax errors in policy."

    asyncio.run(scenario())


def test_the_administrators_key_is_the_root_users(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            made = [await world.iam.create_administrator_key(ACCOUNT) for _ in range(3)]
            assert world.directory.find(made[0].access_key_id, "", 0) is None  # the oldest gave way
            for credentials in made[1:]:
                found = world.directory.find(credentials.access_key_id, "", 0)
                assert found is not None
                assert found.secret_access_key == credentials.secret_access_key
                assert found.principal == Principal(
                    "root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, credentials.access_key_id
                )
            assert world.may(world.principal(made[2].access_key_id), "dynamodb:PutItem", "arn:aws:x:::y")

    asyncio.run(scenario())
