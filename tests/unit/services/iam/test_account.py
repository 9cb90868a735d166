"""The account as a whole, instance profiles, the simulator, and what IAM's own operations need."""

import asyncio
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.identities import an_identity_world
from tests.support.policies import ACCOUNT, TABLE_ARN, a_document, a_statement, a_trust_document


def test_the_summary_counts_what_there_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_user()
            await world.a_role()
            await world.a_policy()
            summary = (await world.do("GetAccountSummary"))["SummaryMap"]
            assert (summary["Users"], summary["Roles"], summary["Policies"], summary["Groups"]) == (1, 1, 1, 0)
            assert summary["AccountAccessKeysPresent"] == 0
            await world.iam.create_administrator_key(ACCOUNT)
            assert (await world.do("GetAccountSummary"))["SummaryMap"]["AccountAccessKeysPresent"] == 1

    asyncio.run(scenario())


def test_an_account_has_one_alias(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.do("CreateAccountAlias", AccountAlias="shop")
            await world.refused("EntityAlreadyExists", "CreateAccountAlias", AccountAlias="shop")
            await world.do("CreateAccountAlias", AccountAlias="store")
            assert (await world.do("ListAccountAliases"))["AccountAliases"] == ["store"]
            await world.refused("NoSuchEntity", "DeleteAccountAlias", AccountAlias="shop")
            await world.do("DeleteAccountAlias", AccountAlias="store")
            assert (await world.do("ListAccountAliases"))["AccountAliases"] == []

    asyncio.run(scenario())


def test_authorization_details_tell_everything_in_pages(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_user()
            await world.allow_user("ana", a_statement())
            await world.do("CreateGroup", GroupName="g")
            await world.do("AddUserToGroup", GroupName="g", UserName="ana")
            await world.a_role()
            arn = await world.a_policy()
            await world.do("AttachRolePolicy", RoleName="app", PolicyArn=arn)
            told = await world.do("GetAccountAuthorizationDetails")
            (user,), (group,), (role,), (policy,) = (
                told[name] for name in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
            )
            assert user["GroupList"] == ["g"]
            assert unquote(user["UserPolicyList"][0]["PolicyDocument"]) == a_document(a_statement())
            assert group["GroupName"] == "g"
            assert role["AttachedManagedPolicies"][0]["PolicyArn"] == arn
            assert unquote(policy["PolicyVersionList"][0]["Document"]) == a_document(a_statement())
            pages, marker = [], {}
            while True:
                page = await world.do("GetAccountAuthorizationDetails", MaxItems=1, **marker)
                pages.append(page)
                if not page["IsTruncated"]:
                    break
                marker = {"Marker": page["Marker"]}
            assert len(pages) == 4
            only = await world.do("GetAccountAuthorizationDetails", Filter=["Role"])
            assert only["UserDetailList"] == []
            assert len(only["RoleDetailList"]) == 1

    asyncio.run(scenario())


def test_an_instance_profile_has_one_role_that_its_giver_may_pass(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            await world.allow_user("ana", a_statement(action="iam:AddRoleToInstanceProfile"))
            await world.a_role("app")
            await world.a_role("second")
            await world.do("CreateInstanceProfile", InstanceProfileName="ip")
            add = {"InstanceProfileName": "ip", "RoleName": "app"}
            told = await world.refused("AccessDeniedException", "AddRoleToInstanceProfile", ana, **add)
            assert "iam:PassRole" in told
            await world.do("AddRoleToInstanceProfile", **add)
            await world.refused("LimitExceeded", "AddRoleToInstanceProfile", **(add | {"RoleName": "second"}))
            profile = (await world.do("GetInstanceProfile", InstanceProfileName="ip"))["InstanceProfile"]
            assert [role["RoleName"] for role in profile["Roles"]] == ["app"]
            assert len((await world.do("ListInstanceProfilesForRole", RoleName="app"))["InstanceProfiles"]) == 1
            assert (await world.do("ListInstanceProfilesForRole", RoleName="second"))["InstanceProfiles"] == []
            await world.refused("DeleteConflict", "DeleteInstanceProfile", InstanceProfileName="ip")
            await world.do("RemoveRoleFromInstanceProfile", **add)
            await world.do("TagInstanceProfile", InstanceProfileName="ip", Tags=[{"Key": "a", "Value": "b"}])
            assert len((await world.do("ListInstanceProfileTags", InstanceProfileName="ip"))["Tags"]) == 1
            await world.do("DeleteInstanceProfile", InstanceProfileName="ip")

    asyncio.run(scenario())


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


def test_the_simulator_says_what_policies_would_decide(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            documents = [
                a_document(a_statement(Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})),
                a_document(a_statement("Deny", "dynamodb:DeleteTable")),
            ]
            asked = {
                "PolicyInputList": documents,
                "ActionNames": ["dynamodb:PutItem", "dynamodb:DeleteTable", "s3:GetObject"],
                "ResourceArns": [TABLE_ARN],
            }
            entry = {
                "ContextKeyName": "aws:RequestedRegion",
                "ContextKeyValues": ["eu-west-1"],
                "ContextKeyType": "string",
            }
            told = (await world.do("SimulateCustomPolicy", **asked, ContextEntries=[entry]))["EvaluationResults"]
            assert [one["EvalDecision"] for one in told] == ["allowed", "explicitDeny", "implicitDeny"]
            assert told[0]["MatchedStatements"][0]["SourcePolicyId"] == "PolicyInputList.1"
            assert told[0]["MissingContextValues"] == []
            told = (await world.do("SimulateCustomPolicy", **asked))["EvaluationResults"]
            assert told[0]["EvalDecision"] == "implicitDeny"
            assert told[0]["MissingContextValues"] == ["aws:requestedregion"]
            keys = await world.do("GetContextKeysForCustomPolicy", PolicyInputList=documents)
            assert keys["ContextKeyNames"] == ["aws:requestedregion"]
            await world.refused("InvalidInput", "SimulateCustomPolicy", **(asked | {"PolicyInputList": ["{}"]}))

    asyncio.run(scenario())


def test_the_simulator_knows_a_principals_policies_and_boundary(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            boundary = await world.a_policy("limit", a_statement(action="dynamodb:GetItem"))
            arn = await world.a_role("app", a_statement(), PermissionsBoundary=boundary)
            asked = {"PolicySourceArn": arn, "ActionNames": ["dynamodb:GetItem", "dynamodb:PutItem"]}
            told = (await world.do("SimulatePrincipalPolicy", **asked))["EvaluationResults"]
            assert [one["EvalDecision"] for one in told] == ["allowed", "implicitDeny"]
            within = [one["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"] for one in told]
            assert within == [True, False]
            first = await world.do("SimulatePrincipalPolicy", **asked, MaxItems=1)
            assert first["IsTruncated"] is True
            await world.refused("NoSuchEntity", "SimulatePrincipalPolicy", **(asked | {"PolicySourceArn": arn + "x"}))

    asyncio.run(scenario())


@pytest.mark.parametrize("operation", ["CreateServiceLinkedRole", "CreateLoginProfile", "CreateVirtualMFADevice"])
def test_what_gatepost_has_not_is_refused(tmp_path: Path, operation: str) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            assert operation in await world.refused("NotImplemented", operation)

    asyncio.run(scenario())
