"""Temporary credentials: who gets them, for how long, and what they may do."""

import asyncio
from pathlib import Path

import pytest

from gatepost.awsapi.dispatch import Dispatcher
from gatepost.kernel.errors import AccessDeniedException, ServiceError
from gatepost.security.session_tokens import SessionTokens
from gatepost.services.sts.errors import PackedPolicyTooLargeException
from gatepost.services.sts.provider import StsProvider
from gatepost.services.sts.roles import Roles
from gatepost.services.sts.sessions import Sessions
from tests.support.identities import IdentityWorld, an_identity_world
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, TABLE_ARN, a_document, a_statement


async def assume(world: IdentityWorld, who, role_arn: str, **params):
    return await world.do("AssumeRole", who, service="sts", **({"RoleArn": role_arn, "RoleSessionName": "s1"} | params))


async def refused(world: IdentityWorld, code: str, who, operation: str = "AssumeRole", **params) -> str:
    return await world.refused(code, operation, who, service="sts", **params)


def test_anyone_known_may_ask_who_it_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            await world.allow_user("ana", a_statement("Deny", "*"))
            told = await world.do("GetCallerIdentity", ana, service="sts")
            assert told == {"UserId": ana.principal_id, "Account": ACCOUNT, "Arn": ana.arn}

    asyncio.run(scenario())


def test_a_trusted_user_gets_a_session_of_the_role(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            arn = await world.a_role("app", a_statement(), trusts={"AWS": ana.arn}, Path="/svc/")
            answer = await assume(world, ana, arn)
            assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s1"
            assert answer["Credentials"]["Expiration"] == world.clock.now_ms() + 3_600_000
            session = world.session_principal(answer["Credentials"])
            assert session.kind == "assumed-role"
            assert session.role_arn == arn
            assert session.principal_id == answer["AssumedRoleUser"]["AssumedRoleId"]
            assert world.may(session, "dynamodb:PutItem", TABLE_ARN)
            assert not world.may(session, "s3:GetObject", "arn:aws:s3:::b/k")
            told = await world.do("GetCallerIdentity", session, service="sts")
            assert told["Arn"] == session.arn

    asyncio.run(scenario())


def test_a_role_is_not_assumed_without_its_trust(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            await world.allow_user("ana", a_statement(action="*"))
            arn = await world.a_role()
            told = await refused(world, "AccessDeniedException", ana, RoleArn=arn, RoleSessionName="s1")
            assert told == f"User: {ana.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            nobody = arn + "-not-there"
            missing = await refused(world, "AccessDeniedException", ana, RoleArn=nobody, RoleSessionName="s1")
            assert missing == told.replace(arn, nobody)  # nobody learns which roles there are

    asyncio.run(scenario())


def test_trust_in_the_account_needs_the_users_own_policy(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            arn = await world.a_role("app", trusts={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
            await refused(world, "AccessDeniedException", ana, RoleArn=arn, RoleSessionName="s1")
            await world.allow_user("ana", a_statement(action="sts:AssumeRole", resource=arn))
            await assume(world, ana, arn)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("condition", "params", "is_allowed"),
    [
        ({"StringEquals": {"sts:ExternalId": "42"}}, {"ExternalId": "42"}, True),
        ({"StringEquals": {"sts:ExternalId": "42"}}, {"ExternalId": "43"}, False),
        ({"StringEquals": {"sts:ExternalId": "42"}}, {}, False),
        ({"StringLike": {"sts:RoleSessionName": "s*"}}, {}, True),
        ({"StringLike": {"sts:RoleSessionName": "${aws:username}"}}, {"RoleSessionName": "ana"}, True),
        ({"StringLike": {"sts:RoleSessionName": "${aws:username}"}}, {"RoleSessionName": "bob"}, False),
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, {}, False),
        ({"StringEquals": {"aws:PrincipalTag/team": "red"}}, {}, True),
        ({"StringEquals": {"aws:PrincipalTag/team": "blue"}}, {}, False),
        ({"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}, {}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {}, False),
        ({"StringEquals": {"aws:ResourceTag/env": "test"}}, {}, True),
    ],
)
def test_conditions_of_a_trust_policy_are_enforced(
    tmp_path: Path, condition: dict, params: dict, is_allowed: bool
) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user(Tags=[{"Key": "Team", "Value": "red"}])
            statement = a_statement(action="sts:AssumeRole", resource=None, Principal={"AWS": ana.arn})
            made = await world.do(
                "CreateRole",
                RoleName="app",
                AssumeRolePolicyDocument=a_document(statement | {"Condition": condition}),
                Tags=[{"Key": "env", "Value": "test"}],
            )
            if is_allowed:
                await assume(world, ana, made["Role"]["Arn"], **params)
            else:
                with pytest.raises(AccessDeniedException):
                    await assume(world, ana, made["Role"]["Arn"], **params)

    asyncio.run(scenario())


def test_a_session_policy_only_narrows(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            arn = await world.a_role("app", a_statement(), trusts={"AWS": ana.arn})
            document = a_document(a_statement(action=["dynamodb:GetItem", "s3:*"]))
            answer = await assume(world, ana, arn, Policy=document)
            assert 0 < answer["PackedPolicySize"] <= 100
            session = world.session_principal(answer["Credentials"])
            assert world.may(session, "dynamodb:GetItem", TABLE_ARN)
            assert not world.may(session, "dynamodb:PutItem", TABLE_ARN)
            assert not world.may(session, "s3:GetObject", "arn:aws:s3:::b/k")
            managed = await world.a_policy("put", a_statement(action="dynamodb:PutItem"))
            both = await assume(world, ana, arn, Policy=document, PolicyArns=[{"arn": managed}])
            session = world.session_principal(both["Credentials"])
            assert world.may(session, "dynamodb:PutItem", TABLE_ARN)
            assert not world.may(session, "dynamodb:DeleteItem", TABLE_ARN)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"DurationSeconds": 7200}, "ValidationError"),  # beyond the role's MaxSessionDuration
        ({"DurationSeconds": 899}, "ValidationException"),
        ({"RoleSessionName": "a b"}, "ValidationException"),
        ({"Policy": "{}"}, "MalformedPolicyDocument"),
        ({"Policy": a_document(a_statement(Principal="*"))}, "MalformedPolicyDocument"),
        ({"Policy": a_document(a_statement(resource="arn:aws:s3:::" + "x" * 2048))}, "PackedPolicyTooLarge"),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::{ACCOUNT}:policy/none"}]}, "InvalidParameterValue"),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::{ACCOUNT}:policy/none"}] * 11}, "ValidationError"),
        ({"TransitiveTagKeys": ["x"]}, "InvalidParameterValue"),
        ({"Tags": [{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}]}, "InvalidParameterValue"),
        ({"SerialNumber": "arn:aws:iam::1:mfa/x", "TokenCode": "123456"}, "AccessDeniedException"),
        ({"TokenCode": "123456"}, "ValidationError"),
    ],
)
def test_a_session_that_cannot_be_is_refused(tmp_path: Path, params: dict, code: str) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            arn = await world.a_role("app", trusts={"AWS": ana.arn})
            with pytest.raises(ServiceError) as caught:
                await assume(world, ana, arn, **params)
            assert caught.value.code == code, caught.value

    asyncio.run(scenario())


def test_session_tags_need_permission_and_go_down_the_chain(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            first = await world.a_role("first", trusts={"AWS": ana.arn}, Tags=[{"Key": "Team", "Value": "own"}])
            tags = {
                "Tags": [{"Key": "team", "Value": "red"}, {"Key": "b", "Value": "c"}],
                "TransitiveTagKeys": ["team"],
            }
            with pytest.raises(AccessDeniedException, match="sts:TagSession"):
                await assume(world, ana, first, **tags)
            both = a_statement(action=["sts:AssumeRole", "sts:TagSession"], resource=None, Principal={"AWS": ana.arn})
            await world.do("UpdateAssumeRolePolicy", RoleName="first", PolicyDocument=a_document(both))
            session = world.session_principal((await assume(world, ana, first, **tags))["Credentials"])
            assert dict(session.tags) == {"team": "red", "b": "c"}
            statement = both | {
                "Principal": {"AWS": first},
                "Condition": {"StringEquals": {"aws:RequestTag/team": "red"}},
            }
            made = await world.do("CreateRole", RoleName="second", AssumeRolePolicyDocument=a_document(statement))
            second = made["Role"]["Arn"]
            chained = world.session_principal((await assume(world, session, second))["Credentials"])
            assert dict(chained.tags) == {"team": "red"}
            conflict = {"Tags": [{"Key": "TEAM", "Value": "blue"}]}
            with pytest.raises(ServiceError, match="conflicts"):
                await assume(world, session, second, **conflict)

    asyncio.run(scenario())


def test_a_chained_session_lasts_an_hour_at_most(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            first = await world.a_role("first", trusts={"AWS": ana.arn}, MaxSessionDuration=7200)
            second = await world.a_role("second", trusts={"AWS": first}, MaxSessionDuration=7200)
            session = world.session_principal((await assume(world, ana, first, DurationSeconds=7200))["Credentials"])
            await assume(world, session, second, DurationSeconds=3600)
            with pytest.raises(ServiceError, match="role chaining"):
                await assume(world, session, second, DurationSeconds=3601)

    asyncio.run(scenario())


def test_a_source_identity_stays_through_a_chain(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            actions = ["sts:AssumeRole", "sts:SetSourceIdentity"]
            trust = a_statement(action=actions, resource=None, Principal={"AWS": ana.arn})
            made = await world.do("CreateRole", RoleName="a", AssumeRolePolicyDocument=a_document(trust))
            answer = await assume(world, ana, made["Role"]["Arn"], SourceIdentity="Ana")
            assert answer["SourceIdentity"] == "Ana"
            session = world.session_principal(answer["Credentials"])
            trust = trust | {"Principal": {"AWS": made["Role"]["Arn"]}}
            made = await world.do("CreateRole", RoleName="b", AssumeRolePolicyDocument=a_document(trust))
            assert (await assume(world, session, made["Role"]["Arn"]))["SourceIdentity"] == "Ana"
            with pytest.raises(AccessDeniedException):
                await assume(world, session, made["Role"]["Arn"], SourceIdentity="Bob")

    asyncio.run(scenario())


def test_root_assumes_no_role(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            arn = await world.a_role("app", trusts={"AWS": ACCOUNT})
            told = await refused(world, "AccessDeniedException", world.root, RoleArn=arn, RoleSessionName="s1")
            assert told == "Roles may not be assumed by root accounts."

    asyncio.run(scenario())


def test_a_session_ends_with_its_time_its_role_and_a_role_of_the_same_name_is_another(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            arn = await world.a_role("app", trusts={"AWS": ana.arn})
            held = (await assume(world, ana, arn, DurationSeconds=900))["Credentials"]
            key, token = held["AccessKeyId"], held["SessionToken"]
            find = world.directory.find
            assert find(key, token, world.clock.now_ms() + 899_999) is not None
            with pytest.raises(ServiceError, match="expired") as caught:
                find(key, token, world.clock.now_ms() + 900_000)
            assert caught.value.code == "ExpiredToken"
            assert find(key, "", world.clock.now_ms()) is None
            assert find("ASIA" + "A" * 16, token, world.clock.now_ms()) is None
            assert find(key, token[:-8] + "AAAAAAAA", world.clock.now_ms()) is None
            await world.do("DeleteRole", RoleName="app")
            assert find(key, token, world.clock.now_ms()) is None
            await world.a_role("app", trusts={"AWS": ana.arn})
            assert find(key, token, world.clock.now_ms()) is None

    asyncio.run(scenario())


def test_a_users_session_is_the_user_but_not_for_iam(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            await world.allow_user("ana", a_statement(action="*"))
            answer = await world.do("GetSessionToken", ana, service="sts")
            session = world.session_principal(answer["Credentials"])
            assert (session.arn, session.principal_id) == (ana.arn, ana.principal_id)
            assert answer["Credentials"]["Expiration"] == world.clock.now_ms() + 43_200_000
            assert world.may(session, "dynamodb:PutItem", TABLE_ARN)
            await world.refused("UnrecognizedClientException", "ListUsers", session)
            await refused(world, "AccessDeniedException", session, "GetSessionToken")
            await world.do("DeleteUserPolicy", UserName="ana", PolicyName="inline")
            await world.do("DeleteAccessKey", UserName="ana", AccessKeyId=ana.access_key_id)
            await world.do("DeleteUser", UserName="ana")
            credentials = answer["Credentials"]
            assert world.directory.find(credentials["AccessKeyId"], credentials["SessionToken"], 0) is None
            await world.do("CreateUser", UserName="ana")  # another user of that name
            assert world.directory.find(credentials["AccessKeyId"], credentials["SessionToken"], 0) is None

    asyncio.run(scenario())


def test_an_access_key_tells_its_account(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            told = await world.do("GetAccessKeyInfo", service="sts", AccessKeyId=ana.access_key_id)
            assert told == {"Account": ACCOUNT}
            await refused(world, "ValidationError", world.root, "GetAccessKeyInfo", AccessKeyId="A" * 20)

    asyncio.run(scenario())


def test_a_service_assumes_a_role_that_trusts_it_and_no_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            arn = await world.a_role("app", a_statement())
            held = world.sessions.assume(arn, service="lambda.amazonaws.com", session_name="my function$")
            session = world.principal(held.access_key_id, held.session_token)
            assert session.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/app/my-function-"
            assert world.may(session, "dynamodb:PutItem", TABLE_ARN)
            for role, service in ((arn, "apigateway.amazonaws.com"), (arn + "x", "lambda.amazonaws.com"), ("", "x")):
                with pytest.raises(AccessDeniedException):
                    world.sessions.assume(role, service=service, session_name="s")

    asyncio.run(scenario())


def test_a_service_is_held_to_the_trust_policys_conditions(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            for name, account in (("own", ACCOUNT), ("other", OTHER_ACCOUNT)):
                statement = a_statement(
                    action="sts:AssumeRole",
                    resource=None,
                    Principal={"Service": "lambda.amazonaws.com"},
                    Condition={"StringEquals": {"aws:SourceAccount": account}},
                )
                await world.do("CreateRole", RoleName=name, AssumeRolePolicyDocument=a_document(statement))
            own, other = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("own", "other"))
            assert world.sessions.assume(own, service="lambda.amazonaws.com", session_name="s")
            with pytest.raises(AccessDeniedException):
                world.sessions.assume(other, service="lambda.amazonaws.com", session_name="s")

    asyncio.run(scenario())


def test_many_long_tags_do_not_fit(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            both = a_statement(action="sts:*", resource=None, Principal={"AWS": ana.arn})
            made = await world.do("CreateRole", RoleName="app", AssumeRolePolicyDocument=a_document(both))
            text = "".join(f"{n * 7919:05x}" for n in range(10_000))
            tags = [{"Key": f"k{n}", "Value": text[n * 256 : n * 256 + 256]} for n in range(50)]
            with pytest.raises(PackedPolicyTooLargeException, match="100%"):
                await assume(world, ana, made["Role"]["Arn"], Tags=tags)

    asyncio.run(scenario())


def test_the_directory_is_where_roles_are_found(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            arn = await world.a_role("app", Path="/x/")
            roles: Roles = world.directory
            role = roles.role_by_arn(arn)
            assert role is not None
            assert (role.arn, role.name, role.account_id) == (arn, "app", ACCOUNT)
            for other in ("", "x", arn.replace("/x/", "/"), arn.upper(), arn + "y"):
                assert roles.role_by_arn(other) is None

    asyncio.run(scenario())


def test_who_stands_in_for_an_unknown_key_assumes_any_role(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            tokens = SessionTokens(world.seal)
            sessions = Sessions(world.directory, tokens, world.clock, stands_in_for_unknown_roles=True)
            world.dispatcher = Dispatcher(
                (world.iam, StsProvider(world.directory, sessions)),
                authorization=world.authorizer,
                clock=world.clock,
                account_id=ACCOUNT,
                region="us-east-1",
            )
            arn = await world.a_role("app", trusts={"Service": "lambda.amazonaws.com"})
            assume = {"RoleArn": arn, "RoleSessionName": "work"}
            given = await world.do("AssumeRole", service="sts", **assume)
            assert given["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/app/work"
            assert world.session_principal(given["Credentials"]).role_arn == arn
            unknown = f"arn:aws:iam::{ACCOUNT}:role/path/nobody"
            given = await world.do("AssumeRole", service="sts", RoleArn=unknown, RoleSessionName="work")
            assert given["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/nobody/work"
            assert world.session_principal(given["Credentials"]).kind == "root"
            key = await world.iam.create_administrator_key(ACCOUNT)
            administrator = world.principal(key.access_key_id)  # the real root user never
            await world.refused("AccessDeniedException", "AssumeRole", administrator, service="sts", **assume)

    asyncio.run(scenario())
