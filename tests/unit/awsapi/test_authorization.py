"""The authorizer: condition keys of a call, remembered decisions, AWS's refusals, PassRole."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gatepost.awsapi.authorization import Authorizer, RequestKeys
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Access, Call, Principal, pass_role
from tests.support.identities import an_identity_world
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, TABLE_ARN, USER_ARN, a_document, a_statement

NOW_MS = 1_760_000_000_000  # 2025-10-09T08:53:20Z
USER = Principal("user", ACCOUNT, USER_ARN, "AIDAEXAMPLE", "AKIAEXAMPLE", "ana", tags=(("Team", "red"),))
SESSION = Principal(
    "assumed-role",
    ACCOUNT,
    f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s1",
    "AROAEXAMPLE:s1",
    "ASIAEXAMPLE",
    "app",
    f"arn:aws:iam::{ACCOUNT}:role/svc/app",
    token_issued_at_ms=NOW_MS,
    source_identity="ana",
)
ROOT = Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
SERVICE = Principal("service", ACCOUNT, "lambda.amazonaws.com", "", name="lambda.amazonaws.com")
STRANGER = Principal("anonymous", ACCOUNT, "", "anonymous")


def a_call(principal: Principal = USER, **changes: object) -> Call:
    members = {
        "service": "dynamodb",
        "operation": "PutItem",
        "account_id": ACCOUNT,
        "region": "eu-west-1",
        "principal": principal,
        "request_id": "r",
        "now_ms": NOW_MS,
        "source_ip": "203.0.113.9",
        "user_agent": "boto",
    }
    return Call(**(members | changes))


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
@pytest.mark.parametrize(
    ("call", "key", "value"),
    [
        (a_call(), "aws:SourceIp", "203.0.113.9"),
        (a_call(called_via=("cloudformation.amazonaws.com",)), "aws:SourceIp", None),
        (a_call(), "aws:UserAgent", "boto"),
        (a_call(), "aws:RequestedRegion", "eu-west-1"),
        (a_call(), "aws:SecureTransport", "false"),
        (a_call(is_tls=True), "aws:SecureTransport", "true"),
        (a_call(), "aws:CurrentTime", "2025-10-09T08:53:20Z"),
        (a_call(), "aws:EpochTime", "1760000000"),
        (a_call(), "aws:ViaAWSService", "false"),
        (a_call(), "aws:CalledVia", None),
        (a_call(called_via=("a", "b")), "aws:ViaAWSService", "true"),
        (a_call(called_via=("a", "b")), "aws:CalledVia", ("a", "b")),
        (a_call(called_via=("a", "b")), "aws:CalledViaFirst", "a"),
        (a_call(called_via=("a", "b")), "aws:CalledViaLast", "b"),
        (a_call(), "aws:ResourceAccount", OTHER_ACCOUNT),
        (a_call(), "aws:RequestTag/cost", "7"),
        (a_call(), "aws:TagKeys", ("cost",)),
        (a_call(), "aws:MultiFactorAuthPresent", None),
        (a_call(SESSION), "aws:MultiFactorAuthPresent", "false"),
        (a_call(), "aws:PrincipalArn", USER_ARN),
        (a_call(SESSION), "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/svc/app"),
        (a_call(ROOT), "aws:PrincipalArn", ROOT.arn),
        (a_call(SERVICE), "aws:PrincipalArn", None),
        (a_call(), "aws:PrincipalAccount", ACCOUNT),
        (a_call(STRANGER), "aws:PrincipalAccount", None),
        (a_call(), "aws:PrincipalType", "User"),
        (a_call(SESSION), "aws:PrincipalType", "AssumedRole"),
        (a_call(ROOT), "aws:PrincipalType", "Account"),
        (a_call(STRANGER), "aws:PrincipalType", "Anonymous"),
        (a_call(), "aws:PrincipalTag/team", "red"),
        (a_call(SESSION), "aws:PrincipalTag/team", None),
        (a_call(), "aws:userid", "AIDAEXAMPLE"),
        (a_call(SESSION), "aws:userid", "AROAEXAMPLE:s1"),
        (a_call(ROOT), "aws:userid", ACCOUNT),
        (a_call(STRANGER), "aws:userid", "anonymous"),
        (a_call(), "aws:username", "ana"),
        (a_call(SESSION), "aws:username", None),
        (a_call(ROOT), "aws:username", None),
        (a_call(SESSION), "aws:TokenIssueTime", "2025-10-09T08:53:20Z"),
        (a_call(), "aws:TokenIssueTime", None),
        (a_call(SESSION), "aws:SourceIdentity", "ana"),
        (a_call(), "aws:SourceIdentity", None),
        (a_call(), "aws:PrincipalIsAWSService", "false"),
        (a_call(SERVICE), "aws:PrincipalIsAWSService", "true"),
        (a_call(SERVICE), "aws:PrincipalServiceName", "lambda.amazonaws.com"),
        (a_call(), "aws:PrincipalServiceName", None),
        (a_call(), "aws:SourceVpc", None),
    ],
)
def test_a_call_has_the_documented_condition_keys(call: Call, key: str, value: object) -> None:
    context = {"aws:requesttag/cost": "7", "aws:tagkeys": ("cost",)}
    access = Access("dynamodb:PutItem", TABLE_ARN.replace(ACCOUNT, OTHER_ACCOUNT), context)
    assert RequestKeys(call, access).get(key.lower()) == value


def test_a_refusal_is_awss_sentence_and_names_the_statement_in_the_log(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            access = Access("dynamodb:PutItem", TABLE_ARN)
            with pytest.raises(AccessDeniedException) as caught:
                world.authorizer.check(world.call(ana), access)
            assert caught.value.message == (
                f"User: {ana.arn} is not authorized to perform: dynamodb:PutItem on resource: {TABLE_ARN} because no "
                "identity-based policy allows the dynamodb:PutItem action"
            )
            await world.allow_user("ana", a_statement("Deny", Sid="Never"))
            with pytest.raises(AccessDeniedException, match="with an explicit deny in an identity") as caught:
                world.authorizer.check(world.call(ana), access)
            assert caught.value.detail == "identity-based policy inline statement Never"

    asyncio.run(scenario())


def test_a_decision_is_remembered_until_any_record_changes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            await world.allow_user("ana", a_statement(action="dynamodb:PutItem"))
            call, access = world.call(ana), Access("dynamodb:PutItem", TABLE_ARN)
            first = world.authorizer.decide(call, access)
            assert world.authorizer.decide(call, access) is first
            await world.do("CreateUser", UserName="other")
            second = world.authorizer.decide(call, access)
            assert second == first
            assert second is not first
            await world.do("DeleteUserPolicy", UserName="ana", PolicyName="inline")
            assert not world.authorizer.decide(call, access).is_allowed

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("condition", "first", "second"),
    [
        ({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, {"source_ip": "203.0.113.1"}, {"source_ip": "192.0.2.1"}),
        ({"Bool": {"aws:SecureTransport": "true"}}, {"is_tls": True}, {"is_tls": False}),
        ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, {}, {"region": "eu-west-1"}),
        ({"DateLessThan": {"aws:CurrentTime": "2025-10-09T08:53:21Z"}}, {}, {"now_ms": NOW_MS + 1000}),
        (
            {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": "ana"}},
            {"context": {"dynamodb:leadingkeys": ("ana",)}},
            {"context": {"dynamodb:leadingkeys": ("ana", "bob")}},
        ),
    ],
)
def test_what_depends_on_the_request_is_decided_each_time(
    tmp_path: Path, condition: dict, first: dict, second: dict
) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            await world.allow_user("ana", a_statement(Condition=condition))
            for _ in range(2):
                assert world.may(ana, "dynamodb:PutItem", TABLE_ARN, **first)
                assert not world.may(ana, "dynamodb:PutItem", TABLE_ARN, **second)

    asyncio.run(scenario())


def test_two_keys_two_resources_and_two_actions_are_remembered_apart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana, bob = await world.a_user("ana"), await world.a_user("bob")
            await world.allow_user("ana", a_statement(action="dynamodb:GetItem", resource=TABLE_ARN))
            for _ in range(2):
                assert world.may(ana, "dynamodb:GetItem", TABLE_ARN)
                assert not world.may(bob, "dynamodb:GetItem", TABLE_ARN)
                assert not world.may(ana, "dynamodb:PutItem", TABLE_ARN)
                assert not world.may(ana, "dynamodb:GetItem", TABLE_ARN + "2")

    asyncio.run(scenario())


def test_two_sessions_of_one_role_are_remembered_apart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            arn = await world.a_role("app", a_statement(), trusts={"AWS": ana.arn})
            params = {"RoleArn": arn, "RoleSessionName": "same"}
            wide = await world.do("AssumeRole", ana, service="sts", **params)
            narrow = await world.do(
                "AssumeRole", ana, service="sts", **params, Policy=a_document(a_statement(action="dynamodb:GetItem"))
            )
            for _ in range(2):
                assert world.may(world.session_principal(wide["Credentials"]), "dynamodb:PutItem", TABLE_ARN)
                assert not world.may(world.session_principal(narrow["Credentials"]), "dynamodb:PutItem", TABLE_ARN)

    asyncio.run(scenario())


def test_a_resources_policy_has_its_say(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            grant = a_document(a_statement(Principal={"AWS": ana.arn}))
            deny = a_document(a_statement("Deny", Principal="*"))
            assert world.may(ana, "dynamodb:PutItem", TABLE_ARN, resource_policy=grant)
            assert not world.may(ana, "dynamodb:PutItem", TABLE_ARN)
            assert not world.may(world.root, "dynamodb:PutItem", TABLE_ARN, resource_policy=deny)
            assert world.may(SERVICE, "x:y", resource_policy=a_document(a_statement(Principal="*", action="x:y")))
            assert not world.may(ana, "dynamodb:PutItem", TABLE_ARN, resource_policy="not a policy")
            elsewhere = TABLE_ARN.replace(ACCOUNT, OTHER_ACCOUNT)
            assert not world.may(ana, "dynamodb:PutItem", elsewhere, resource_policy=grant)
            await world.allow_user("ana", a_statement())
            assert world.may(ana, "dynamodb:PutItem", elsewhere, resource_policy=grant)
            assert not world.may(ana, "dynamodb:PutItem", elsewhere)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("statement", "is_allowed"),
    [
        (a_statement(action="iam:PassRole"), True),
        (a_statement(action="iam:PassRole", resource=f"arn:aws:iam::{ACCOUNT}:role/app*"), True),
        (a_statement(action="iam:PassRole", resource=f"arn:aws:iam::{ACCOUNT}:role/other"), False),
        (
            a_statement(
                action="iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
            ),
            True,
        ),
        (
            a_statement(
                action="iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
            ),
            False,
        ),
        (a_statement(action="lambda:*"), False),
    ],
)
def test_a_role_is_passed_only_by_who_may(tmp_path: Path, statement: dict, is_allowed: bool) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            await world.allow_user("ana", statement)
            arn = f"arn:aws:iam::{ACCOUNT}:role/app"
            call = world.call(ana, "lambda:CreateFunction")
            if is_allowed:
                world.authorizer.check(call, pass_role(arn, "lambda.amazonaws.com"))
            else:
                with pytest.raises(AccessDeniedException, match="iam:PassRole on resource"):
                    world.authorizer.check(call, pass_role(arn, "lambda.amazonaws.com"))

    asyncio.run(scenario())


def test_a_policy_that_is_attached_and_gone_allows_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            await world.allow_user("ana", a_statement())
            user = world.directory.user(ACCOUNT, "ana")
            assert user is not None
            held = replace(user.policies, boundary=f"arn:aws:iam::{ACCOUNT}:policy/gone")
            boundary = world.directory.held_policies(replace(user, policies=held)).boundary
            assert boundary is not None
            assert boundary.statements == ()
            assert world.may(ana, "dynamodb:PutItem", TABLE_ARN)

    asyncio.run(scenario())


def test_who_has_no_access_key_is_not_remembered_but_root(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_user()
            await world.allow_user("ana", a_statement())
            user = replace(USER, access_key_id="")
            narrowed = replace(user, session_policies=(a_document(a_statement(action="s3:*")),))
            assert world.may(user, "dynamodb:PutItem", TABLE_ARN)
            assert not world.may(narrowed, "dynamodb:PutItem", TABLE_ARN)
            call, access = world.call(world.root), Access("dynamodb:PutItem", TABLE_ARN)
            assert world.authorizer.decide(call, access) is world.authorizer.decide(call, access)

    asyncio.run(scenario())


def test_a_resource_policy_is_decided_once_for_strangers_but_not_for_their_addresses(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            resource = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:api/prod/GET/"
            open_to_all = a_document(a_statement(action="execute-api:Invoke", Principal="*"))
            near = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
            limited = a_document(a_statement(action="execute-api:Invoke", Principal="*", Condition=near))
            decide = world.authorizer.decide
            access = Access("execute-api:Invoke", resource, resource_policy=open_to_all)
            call = world.call(STRANGER, "execute-api:Invoke", source_ip="10.1.1.1")
            assert decide(call, access).is_allowed
            assert decide(call, access) is decide(call, access)
            assert not world.may(STRANGER, "execute-api:Invoke", resource)
            for address, is_allowed in (("10.1.1.1", True), ("192.0.2.1", False), ("10.1.1.1", True)):
                changes = {"source_ip": address, "resource_policy": limited}
                assert world.may(STRANGER, "execute-api:Invoke", resource, **changes) is is_allowed

    asyncio.run(scenario())


def test_keys_that_a_provider_works_out_on_demand_are_asked_for_only_by_a_condition(tmp_path: Path) -> None:
    class OnDemand(dict):
        asked: list[str] = []

        def get(self, key, default=None):
            self.asked.append(key)
            return default

        def __iter__(self):
            raise AssertionError("nobody walks through the keys of a request")

        items = keys = values = __iter__

    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            await world.allow_user("ana", a_statement())
            assert world.may(ana, "dynamodb:PutItem", TABLE_ARN, context=OnDemand())
            assert OnDemand.asked == []
            condition = {"StringLike": {"dynamodb:LeadingKeys": "*"}}
            await world.allow_user("ana", a_statement("Deny", Condition=condition), policy="deny")
            assert world.may(ana, "dynamodb:PutItem", TABLE_ARN, context=OnDemand())
            assert OnDemand.asked == ["dynamodb:leadingkeys"]

    asyncio.run(scenario())


def test_remembered_decisions_are_bounded(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            authorizer = Authorizer(world.directory, decisions_max=10)
            for n in range(25):
                authorizer.decide(world.call(ana), Access("dynamodb:PutItem", f"{TABLE_ARN}{n}"))
                assert len(authorizer._decisions) <= 10

    asyncio.run(scenario())
