"""Managed policies: versions, attachments, and AWS's own."""

import asyncio
import json
from pathlib import Path
from urllib.parse import unquote

from gatepost.services.iam.aws_policies import AwsPolicies
from gatepost.services.iam.documents import checked_document
from tests.support.identities import an_identity_world
from tests.support.policies import ACCOUNT, TABLE_ARN, a_document, a_statement

BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def test_a_policy_has_five_versions_at_most_and_one_in_force(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            arn = await world.a_policy()
            for n in range(2, 6):
                document = a_document(a_statement(Sid=f"V{n}"))
                made = await world.do("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=document)
                assert made["PolicyVersion"]["VersionId"] == f"v{n}"
                assert made["PolicyVersion"]["IsDefaultVersion"] is False
            told = await world.refused("LimitExceeded", "CreatePolicyVersion", PolicyArn=arn, PolicyDocument=document)
            assert "up to 5 versions" in told
            await world.refused("DeleteConflict", "DeletePolicyVersion", PolicyArn=arn, VersionId="v1")
            await world.do("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v3")
            await world.do("DeletePolicyVersion", PolicyArn=arn, VersionId="v1")
            versions = (await world.do("ListPolicyVersions", PolicyArn=arn))["Versions"]
            assert [version["VersionId"] for version in versions] == ["v5", "v4", "v3", "v2"]
            read = (await world.do("GetPolicyVersion", PolicyArn=arn, VersionId="v5"))["PolicyVersion"]
            assert unquote(read["Document"]) == document
            made = await world.do("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
            assert made["PolicyVersion"]["VersionId"] == "v6"  # a number is never used again
            assert (await world.do("GetPolicy", PolicyArn=arn))["Policy"]["DefaultVersionId"] == "v6"
            assert "more than one version" in await world.refused("DeleteConflict", "DeletePolicy", PolicyArn=arn)
            await world.refused("NoSuchEntity", "GetPolicyVersion", PolicyArn=arn, VersionId="v1")

    asyncio.run(scenario())


def test_the_version_in_force_decides_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            arn = await world.a_policy()
            await world.do("AttachUserPolicy", UserName="ana", PolicyArn=arn)
            assert world.may(ana, "dynamodb:PutItem", TABLE_ARN)
            document = a_document(a_statement(action="dynamodb:GetItem"))
            await world.do("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
            assert not world.may(ana, "dynamodb:PutItem", TABLE_ARN)
            await world.do("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v1")
            assert world.may(ana, "dynamodb:PutItem", TABLE_ARN)

    asyncio.run(scenario())


def test_an_attached_policy_is_counted_and_not_deleted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            arn = await world.a_policy()
            await world.a_user()
            await world.a_role()
            for _ in range(2):  # attaching twice is no fault
                await world.do("AttachUserPolicy", UserName="ana", PolicyArn=arn)
            await world.do("AttachRolePolicy", RoleName="app", PolicyArn=arn)
            assert (await world.do("GetPolicy", PolicyArn=arn))["Policy"]["AttachmentCount"] == 2
            holders = await world.do("ListEntitiesForPolicy", PolicyArn=arn)
            assert [role["RoleName"] for role in holders["PolicyRoles"]] == ["app"]
            assert [user["UserName"] for user in holders["PolicyUsers"]] == ["ana"]
            only = await world.do("ListEntitiesForPolicy", PolicyArn=arn, EntityFilter="Role")
            assert only["PolicyUsers"] == []
            told = await world.refused("DeleteConflict", "DeletePolicy", PolicyArn=arn)
            assert told == "Cannot delete a policy attached to entities."
            await world.do("DetachUserPolicy", UserName="ana", PolicyArn=arn)
            await world.do("DetachRolePolicy", RoleName="app", PolicyArn=arn)
            assert "was not found" in await world.refused(
                "NoSuchEntity", "DetachRolePolicy", RoleName="app", PolicyArn=arn
            )
            await world.do("DeletePolicy", PolicyArn=arn)
            told = await world.refused("NoSuchEntity", "GetPolicy", PolicyArn=arn)
            assert told == f"Policy {arn} was not found."

    asyncio.run(scenario())


def test_a_policy_has_a_quota_for_its_size(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            document = a_document(a_statement(resource=[f"arn:aws:s3:::bucket-{n:04d}/*" for n in range(300)]))
            told = await world.refused("LimitExceeded", "CreatePolicy", PolicyName="p", PolicyDocument=document)
            assert told == "Cannot exceed quota for PolicySize: 6144"

    asyncio.run(scenario())


def test_ten_policies_are_attached_at_most(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_role()
            for n in range(11):
                arn = await world.a_policy(f"p{n}")
                if n < 10:
                    await world.do("AttachRolePolicy", RoleName="app", PolicyArn=arn)
            told = await world.refused("LimitExceeded", "AttachRolePolicy", RoleName="app", PolicyArn=arn)
            assert told == "Cannot exceed quota for PoliciesPerRole: 10"

    asyncio.run(scenario())


def test_awss_policies_can_be_attached_looked_at_and_not_changed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_role()
            await world.do("AttachRolePolicy", RoleName="app", PolicyArn=BASIC)
            attached = await world.do("ListAttachedRolePolicies", RoleName="app")
            assert attached["AttachedPolicies"] == [{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": BASIC}]
            policy = (await world.do("GetPolicy", PolicyArn=BASIC))["Policy"]
            assert (policy["Path"], policy["AttachmentCount"]) == ("/service-role/", 1)
            version = await world.do("GetPolicyVersion", PolicyArn=BASIC, VersionId=policy["DefaultVersionId"])
            statement = json.loads(unquote(version["PolicyVersion"]["Document"]))["Statement"][0]
            assert statement["Action"] == ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
            await world.refused("UnmodifiableEntity", "DeletePolicy", PolicyArn=BASIC)
            document = a_document(a_statement())
            await world.refused("UnmodifiableEntity", "CreatePolicyVersion", PolicyArn=BASIC, PolicyDocument=document)

    asyncio.run(scenario())


def test_a_policy_that_there_is_not_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_role()
            arn = "arn:aws:iam::aws:policy/AmazonNoSuchServiceFullAccess"
            told = await world.refused("NoSuchEntity", "AttachRolePolicy", RoleName="app", PolicyArn=arn)
            assert told == f"Policy {arn} does not exist or is not attachable."
            assert await world.refused("NoSuchEntity", "GetPolicy", PolicyArn=arn) == f"Policy {arn} was not found."
            boundary = await world.refused(
                "NoSuchEntity", "PutRolePermissionsBoundary", RoleName="app", PermissionsBoundary=arn
            )
            assert boundary == f"Scope ARN: {arn} does not exist or is not attachable."
            for wrong in ("arn:aws:iam::aws:role/AdministratorAccess", "AdministratorAccess-as-a-name"):
                told = await world.refused("InvalidInput", "AttachRolePolicy", RoleName="app", PolicyArn=wrong)
                assert told == f"ARN {wrong} is not valid."
            service = "arn:aws:iam::aws:policy/aws-service-role/AWSLambdaReplicator"
            await world.refused("PolicyNotAttachable", "AttachRolePolicy", RoleName="app", PolicyArn=service)

    asyncio.run(scenario())


def test_a_managed_policy_has_todays_version_and_an_inline_one_may_have_the_old(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_role()
            document = a_document(a_statement()).replace("2012-10-17", "2008-10-17")
            told = await world.refused(
                "MalformedPolicyDocument", "CreatePolicy", PolicyName="p", PolicyDocument=document
            )
            assert told == "Policy document must be version 2012-10-17 or greater."
            await world.do("PutRolePolicy", RoleName="app", PolicyName="p", PolicyDocument=document)

    asyncio.run(scenario())


def test_policies_are_listed_by_scope_and_use(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            arn = await world.a_policy()
            await world.a_role()
            await world.do("AttachRolePolicy", RoleName="app", PolicyArn=BASIC)

            async def arns(**params: object) -> list[str]:
                return [policy["Arn"] for policy in (await world.do("ListPolicies", **params))["Policies"]]

            assert await arns(Scope="Local") == [arn]
            assert await arns(OnlyAttached=True) == [BASIC]
            first = await world.do("ListPolicies", Scope="AWS", MaxItems=1000)
            rest = await world.do("ListPolicies", Scope="AWS", MaxItems=1000, Marker=first["Marker"])
            assert [one["Arn"] for page in (first, rest) for one in page["Policies"]] == list(AwsPolicies().arns)
            assert await arns(PolicyUsageFilter="PermissionsBoundary") == []
            assert all("/service-role/" in one for one in await arns(PathPrefix="/service-role/"))

    asyncio.run(scenario())


def test_every_policy_of_awss_that_can_be_attached_compiles() -> None:
    all_of_them = AwsPolicies()
    assert len(all_of_them.arns) > 1_500
    for policy in map(all_of_them.find, all_of_them.arns):
        assert policy is not None
        assert policy.path.startswith("/aws-service-role/") or checked_document(policy.document, "identity")
        assert policy.arn == f"arn:aws:iam::aws:policy{policy.path}{policy.name}"
        assert policy.id.startswith("ANPA")


def test_a_name_is_given_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_policy("Mine")
            document = a_document(a_statement())
            told = await world.refused(
                "EntityAlreadyExists", "CreatePolicy", PolicyName="mine", Path="/x/", PolicyDocument=document
            )
            assert told == "A policy called mine already exists. Duplicate names are not allowed."
            assert (await world.do("GetPolicy", PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/Mine"))["Policy"][
                "Tags"
            ] == []

    asyncio.run(scenario())
