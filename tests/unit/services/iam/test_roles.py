"""Roles: trust policies, boundaries, deletion."""

import asyncio
from pathlib import Path

import pytest

from tests.support.identities import an_identity_world
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, TABLE_ARN, a_document, a_statement, a_trust_document


def test_a_role_tells_what_it_was_created_with(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            made = await world.do(
                "CreateRole",
                RoleName="app",
                Path="/svc/",
                AssumeRolePolicyDocument=a_trust_document(),
                Description="runs it",
                MaxSessionDuration=7200,
                Tags=[{"Key": "a", "Value": "b"}],
            )
            assert made["Role"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/svc/app"
            assert made["Role"]["RoleId"].startswith("AROA")
            read = (await world.do("GetRole", RoleName="app"))["Role"]
            assert read == {**made["Role"], "RoleLastUsed": {}}
            listed = (await world.do("ListRoles", PathPrefix="/svc/"))["Roles"]
            assert [role["RoleName"] for role in listed] == ["app"]
            assert "Tags" not in listed[0]
            await world.do("UpdateRole", RoleName="app", Description="new")
            read = (await world.do("GetRole", RoleName="app"))["Role"]
            assert (read["Description"], read["MaxSessionDuration"]) == ("new", 3600)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{}", "MalformedPolicyDocument"),
        (a_document(a_statement()), "MalformedPolicyDocument"),
        (a_trust_document(Resource="*"), "MalformedPolicyDocument"),
        (a_trust_document({"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody"}), "MalformedPolicyDocument"),
        (a_trust_document({"AWS": f"arn:aws:iam::{ACCOUNT}:role/nobody"}), "MalformedPolicyDocument"),
        (a_trust_document({"Service": [f"s{n}.amazonaws.com" for n in range(200)]}), "LimitExceeded"),
    ],
)
def test_a_trust_policy_is_checked_when_it_is_set(tmp_path: Path, document: str, code: str) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.refused(code, "CreateRole", RoleName="app", AssumeRolePolicyDocument=document)
            await world.refused("NoSuchEntity", "GetRole", RoleName="app")
            await world.a_role()
            await world.refused(code, "UpdateAssumeRolePolicy", RoleName="app", PolicyDocument=document)

    asyncio.run(scenario())


def test_a_trust_policy_may_name_what_is_there_and_other_accounts(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            first = await world.a_role("first", trusts={"AWS": [ana.arn, ACCOUNT]})
            other = f"arn:aws:iam::{OTHER_ACCOUNT}:role/anything"
            await world.a_role("second", trusts={"AWS": [first, other]})

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "params",
    [
        {"RoleName": "a b"},
        {"RoleName": "a" * 65},
        {"RoleName": ""},
        {"Path": "x"},
        {"Path": "/x"},
        {"MaxSessionDuration": 3599},
        {"MaxSessionDuration": 43201},
    ],
)
def test_names_paths_and_durations_keep_the_models_rules(tmp_path: Path, params: dict) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            members = {"RoleName": "app", "AssumeRolePolicyDocument": a_trust_document()} | params
            await world.refused("ValidationException", "CreateRole", **members)

    asyncio.run(scenario())


def test_a_role_goes_only_when_it_holds_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_role("app", a_statement())
            arn = await world.a_policy()
            await world.do("AttachRolePolicy", RoleName="app", PolicyArn=arn)
            await world.do("CreateInstanceProfile", InstanceProfileName="ip")
            await world.do("AddRoleToInstanceProfile", InstanceProfileName="ip", RoleName="app")
            steps = [
                (
                    "must remove roles from instance profile first",
                    "RemoveRoleFromInstanceProfile",
                    {"InstanceProfileName": "ip"},
                ),
                ("must detach all policies first", "DetachRolePolicy", {"PolicyArn": arn}),
                ("must delete policies first", "DeleteRolePolicy", {"PolicyName": "inline"}),
            ]
            for told, operation, params in steps:
                assert told in await world.refused("DeleteConflict", "DeleteRole", RoleName="app")
                await world.do(operation, RoleName="app", **params)
            await world.do("DeleteRole", RoleName="app")
            await world.do("DeleteInstanceProfile", InstanceProfileName="ip")

    asyncio.run(scenario())


def test_a_boundary_limits_a_role_until_it_is_taken_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            boundary = await world.a_policy("limit", a_statement(action="dynamodb:GetItem"))
            await world.a_role("app", a_statement(), PermissionsBoundary=boundary)
            role = (await world.do("GetRole", RoleName="app"))["Role"]
            assert role["PermissionsBoundary"] == {
                "PermissionsBoundaryType": "Policy",
                "PermissionsBoundaryArn": boundary,
            }
            key = world.sessions.assume(role["Arn"], service="lambda.amazonaws.com", session_name="s")
            session = world.principal(key.access_key_id, key.session_token)
            assert world.may(session, "dynamodb:GetItem", TABLE_ARN)
            assert not world.may(session, "dynamodb:PutItem", TABLE_ARN)
            assert "attached" in await world.refused("DeleteConflict", "DeletePolicy", PolicyArn=boundary)
            await world.do("DeleteRolePermissionsBoundary", RoleName="app")
            assert world.may(session, "dynamodb:PutItem", TABLE_ARN)
            await world.refused("NoSuchEntity", "DeleteRolePermissionsBoundary", RoleName="app")

    asyncio.run(scenario())


def test_inline_policies_of_a_role_have_a_quota_together(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_role()
            wide = a_statement(resource=[f"arn:aws:s3:::bucket-{n:04d}/*" for n in range(180)])
            await world.allow_role("app", wide, policy="one")
            params = {"RoleName": "app", "PolicyName": "two", "PolicyDocument": a_document(wide)}
            told = await world.refused("LimitExceeded", "PutRolePolicy", **params)
            assert told == "Maximum policy size of 10240 bytes exceeded for role app"

    asyncio.run(scenario())
