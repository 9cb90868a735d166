"""What IAM's own operations touch, and so what a policy must allow."""

import asyncio
from pathlib import Path

import pytest

from tests.support.identities import an_identity_world
from tests.support.policies import ACCOUNT, a_statement, a_trust_document


@pytest.mark.parametrize(
    ("statement", "operation", "params", "is_allowed"),
    [
        (a_statement(action="iam:GetUser", resource=f"arn:aws:iam::{ACCOUNT}:user/staff/*"), "GetUser", {}, True),
        (a_statement(action="iam:GetUser", resource=f"arn:aws:iam::{ACCOUNT}:user/x/*"), "GetUser", {}, False),
        (
            a_statement(action="iam:GetUser", Condition={"StringEquals": {"aws:ResourceTag/team": "red"}}),
            "GetUser",
            {},
            True,
        ),
        (
            a_statement(action="iam:GetUser", Condition={"StringEquals": {"iam:ResourceTag/team": "blue"}}),
            "GetUser",
            {},
            False,
        ),
        (
            a_statement(action="iam:AttachUserPolicy", Condition={"ArnLike": {"iam:PolicyARN": "arn:aws:iam::aws:*"}}),
            "AttachUserPolicy",
            {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
            True,
        ),
        (
            a_statement(
                action="iam:AttachUserPolicy",
                Condition={"ArnLike": {"iam:PolicyARN": "arn:aws:iam::aws:policy/*ReadOnlyAccess"}},
            ),
            "AttachUserPolicy",
            {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
            False,
        ),
        (
            a_statement(
                action="iam:AttachUserPolicy",
                Condition={"ArnLike": {"iam:PolicyARN": "arn:aws:iam::aws:policy/*ReadOnlyAccess"}},
            ),
            "AttachUserPolicy",
            {"PolicyArn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"},
            True,
        ),
        (
            a_statement(action="iam:TagUser", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}),
            "TagUser",
            {"Tags": [{"Key": "team", "Value": "x"}]},
            True,
        ),
        (
            a_statement(action="iam:TagUser", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}),
            "TagUser",
            {"Tags": [{"Key": "team", "Value": "x"}, {"Key": "cost", "Value": "y"}]},
            False,
        ),
    ],
)
def test_iams_own_operations_are_authorized_by_resource_and_condition(
    tmp_path: Path, statement: dict, operation: str, params: dict, is_allowed: bool
) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            await world.allow_user("ana", statement)
            await world.do("CreateUser", UserName="bob", Path="/staff/", Tags=[{"Key": "team", "Value": "red"}])
            if is_allowed:
                await world.do(operation, ana, UserName="bob", **params)
            else:
                await world.refused("AccessDeniedException", operation, ana, UserName="bob", **params)

    asyncio.run(scenario())


def test_a_role_may_only_be_created_within_a_boundary(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            boundary = await world.a_policy("limit")
            condition = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
            await world.allow_user("ana", a_statement(action="iam:CreateRole", Condition=condition))
            params = {"RoleName": "app", "AssumeRolePolicyDocument": a_trust_document()}
            await world.refused("AccessDeniedException", "CreateRole", ana, **params)
            await world.do("CreateRole", ana, **params, PermissionsBoundary=boundary)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("UpdateUser", {"UserName": "dev-a", "NewUserName": "prod-a"}),
        ("UpdateUser", {"UserName": "dev-a", "NewPath": "/prod/"}),
        ("UpdateGroup", {"GroupName": "dev-a", "NewGroupName": "prod-a"}),
    ],
)
def test_who_renames_needs_a_permission_for_the_new_name_too(tmp_path: Path, operation, params) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.do("CreateUser", UserName="dev-a")
            await world.do("CreateGroup", GroupName="dev-a")
            ben = await world.a_user("ben")
            own = ["arn:aws:iam::*:user/dev-*", "arn:aws:iam::*:group/dev-*"]
            await world.allow_user("ben", a_statement(action="iam:*", resource=own))
            assert "/prod" in await world.refused("AccessDeniedException", operation, ben, **params)
            new = {key: value.replace("prod", "dev-b") for key, value in params.items() if key != "NewPath"}
            await world.do(operation, ben, **new)

    asyncio.run(scenario())
