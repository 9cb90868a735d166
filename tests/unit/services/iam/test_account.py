"""The account as a whole, and what Gatepost has not."""

import asyncio
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.identities import an_identity_world
from tests.support.policies import ACCOUNT, a_document, a_statement, a_trust_document


def test_the_summary_counts_what_there_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_user()
            await world.a_role()
            await world.a_policy()
            summary = (await world.do("GetAccountSummary"))["SummaryMap"]
            assert (summary["Users"], summary["Roles"], summary["Policies"], summary["Groups"]) == (1, 1, 1, 0)
            assert summary["AccountAccessKeysPresent"] == 0
            assert (summary["PolicyVersionsInUse"], summary["PolicyVersionsInUseQuota"]) == (1, 10_000)
            assert (summary["AccountMFAEnabled"], summary["MFADevices"], summary["Providers"]) == (0, 0, 0)
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


@pytest.mark.parametrize(
    "operation", ["CreateServiceSpecificCredential", "CreateSAMLProvider", "AcceptDelegationRequest"]
)
def test_what_gatepost_has_not_is_refused(tmp_path: Path, operation: str) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            assert operation in await world.refused("NotImplemented", operation)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("operation", "params", "module", "quota"),
    [
        ("CreateUser", {"UserName": "x"}, "users.USERS_MAX", "UsersPerAccount"),
        ("CreateGroup", {"GroupName": "x"}, "groups.GROUPS_MAX", "GroupsPerAccount"),
        (
            "CreateRole",
            {"RoleName": "x", "AssumeRolePolicyDocument": a_trust_document()},
            "roles.ROLES_MAX",
            "RolesPerAccount",
        ),
        (
            "CreatePolicy",
            {"PolicyName": "x", "PolicyDocument": a_document()},
            "policies.POLICIES_MAX",
            "PoliciesPerAccount",
        ),
        (
            "CreateInstanceProfile",
            {"InstanceProfileName": "x"},
            "instance_profiles.INSTANCE_PROFILES_MAX",
            "InstanceProfilesPerAccount",
        ),
    ],
)
def test_an_account_has_a_quota_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, params: dict, module: str, quota: str
) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            monkeypatch.setattr(f"gatepost.services.iam.{module}", 1)
            await world.do(operation, **params)
            (name,) = (key for key in params if key.endswith("Name"))
            told = await world.refused("LimitExceeded", operation, **(params | {name: "second"}))
            assert told == f"Cannot exceed quota for {quota}: 1"

    asyncio.run(scenario())
