"""boto3 against IAM and STS: signed, serialized and read back by botocore, over a real store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from gatepost.awsapi.server import AwsEndpoint
from gatepost.wire.messages import Response
from tests.support.aws_endpoints import CONFIG, _Raw, as_request
from tests.support.identities import IdentityWorld, an_identity_world
from tests.support.policies import ACCOUNT, a_document, a_statement, a_trust_document


class Account:
    """An account with its administrator, and boto3 clients for whoever holds a key."""

    def __init__(self, loop: asyncio.AbstractEventLoop, world: IdentityWorld) -> None:
        self._loop = loop
        self.world = world
        self._endpoint = AwsEndpoint(
            world.dispatcher, identities=world.directory, authorization=world.authorizer, hosts=["127.0.0.1"]
        )
        key = loop.run_until_complete(world.iam.create_administrator_key(ACCOUNT))
        self.administrator = {"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key}

    def client(self, service: str, key: dict[str, Any] | None = None) -> Any:
        """Give a client that holds `key` (as operations give it), by default the administrator's."""
        key = key or self.administrator
        client = boto3.client(
            service,
            endpoint_url="http://127.0.0.1:4566",
            region_name="us-east-1",
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key.get("SessionToken"),
            config=CONFIG,
        )
        client.meta.events.register("before-send.*", self._send)
        return client

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        async def answer() -> Response:
            given = self._endpoint(as_request(request))
            return given if isinstance(given, Response) else await given

        response = self._loop.run_until_complete(answer())
        headers = {name.decode(): value.decode() for name, value in response.headers}
        return AWSResponse(request.url, response.status, headers, _Raw(response.body))


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    loop = asyncio.new_event_loop()
    stack = AsyncExitStack()
    world = loop.run_until_complete(stack.enter_async_context(an_identity_world(tmp_path)))
    import time

    world.clock.advance(ms=time.time_ns() // 1_000_000 - world.clock.now_ms())  # botocore signs with the real time
    yield Account(loop, world)
    loop.run_until_complete(stack.aclose())
    loop.close()


def failure(call: Any, **params: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def test_a_role_comes_back_with_its_documents_decoded(account: Account) -> None:
    iam = account.client("iam")
    trust, document = a_trust_document(), a_document(a_statement())
    made = iam.create_role(RoleName="app", AssumeRolePolicyDocument=trust, Tags=[{"Key": "a", "Value": "b"}])
    assert made["Role"]["AssumeRolePolicyDocument"] == json.loads(trust)
    assert made["Role"]["CreateDate"].year >= 2025
    iam.put_role_policy(RoleName="app", PolicyName="p", PolicyDocument=document)
    assert iam.get_role_policy(RoleName="app", PolicyName="p")["PolicyDocument"] == json.loads(document)
    role = iam.get_role(RoleName="app")["Role"]
    assert role["Tags"] == [{"Key": "a", "Value": "b"}]
    assert role["MaxSessionDuration"] == 3600
    basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.attach_role_policy(RoleName="app", PolicyArn=basic)
    attached = iam.list_attached_role_policies(RoleName="app")["AttachedPolicies"]
    assert attached == [{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": basic}]
    (detail,) = iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
    assert detail["RolePolicyList"][0]["PolicyDocument"] == json.loads(document)


def test_errors_have_awss_codes_and_statuses(account: Account) -> None:
    iam = account.client("iam")
    assert failure(iam.get_role, RoleName="x") == ("NoSuchEntity", 404, "The role with name x cannot be found.")
    iam.create_user(UserName="ana")
    assert failure(iam.create_user, UserName="ana")[:2] == ("EntityAlreadyExists", 409)
    bad = {"UserName": "ana", "PolicyName": "p", "PolicyDocument": "{"}
    assert failure(iam.put_user_policy, **bad) == ("MalformedPolicyDocument", 400, "Syntax errors in policy.")
    assert failure(iam.create_user, UserName="a b")[:2] == ("ValidationError", 400)
    iam.create_access_key(UserName="ana")
    assert failure(iam.delete_user, UserName="ana")[:2] == ("DeleteConflict", 409)
    assert failure(iam.create_login_profile, UserName="ana", Password="x")[:2] == ("PasswordPolicyViolation", 400)


def test_paginators_walk_every_page(account: Account) -> None:
    iam = account.client("iam")
    for n in range(7):
        iam.create_user(UserName=f"u{n}")
    pages = iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 3})
    assert [[user["UserName"] for user in page["Users"]] for page in pages] == [
        ["u0", "u1", "u2"],
        ["u3", "u4", "u5"],
        ["u6"],
    ]


def test_a_user_may_what_its_policy_says_and_no_more(account: Account) -> None:
    iam = account.client("iam")
    iam.create_user(UserName="ana")
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    mine = account.client("iam", key)
    code, status, message = failure(mine.list_users)
    assert (code, status) == ("AccessDenied", 403)
    assert message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/ana is not authorized to perform: iam:ListUsers because no identity-based "
        "policy allows the iam:ListUsers action"
    )
    allow = a_document(a_statement(action=["iam:ListUsers", "iam:Get*"]))
    iam.put_user_policy(UserName="ana", PolicyName="p", PolicyDocument=allow)
    assert len(mine.list_users()["Users"]) == 1
    assert mine.get_user()["User"]["UserName"] == "ana"
    assert failure(mine.create_user, UserName="bob")[0] == "AccessDenied"
    iam.update_access_key(UserName="ana", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert failure(mine.list_users)[:2] == ("InvalidClientTokenId", 403)
    wrong = account.client(
        "iam", key | {"SecretAccessKey": "x" * 40, "AccessKeyId": account.administrator["AccessKeyId"]}
    )
    assert failure(wrong.list_users)[:2] == ("SignatureDoesNotMatch", 403)


def test_a_role_is_assumed_used_and_expires(account: Account) -> None:
    iam, sts = account.client("iam"), account.client("sts")
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    iam.create_user(UserName="ana")
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    user = iam.get_user(UserName="ana")["User"]
    role = iam.create_role(RoleName="app", AssumeRolePolicyDocument=a_trust_document({"AWS": user["Arn"]}))["Role"]
    iam.put_role_policy(RoleName="app", PolicyName="p", PolicyDocument=a_document(a_statement(action="iam:ListRoles")))
    assumed = account.client("sts", key).assume_role(RoleArn=role["Arn"], RoleSessionName="s1", DurationSeconds=900)
    session = assumed["Credentials"]
    me = account.client("sts", session).get_caller_identity()
    assert me["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s1"
    assert me["UserId"] == f"{role['RoleId']}:s1"
    assert [one["RoleName"] for one in account.client("iam", session).list_roles()["Roles"]] == ["app"]
    assert failure(account.client("iam", session).list_users)[0] == "AccessDenied"
    stolen = dict(session, SessionToken=session["SessionToken"][:-4] + "AAAA")
    assert failure(account.client("sts", stolen).get_caller_identity)[:2] == ("InvalidClientTokenId", 403)
    nobody = account.client("sts", key)
    assert failure(nobody.assume_role, RoleArn=role["Arn"] + "x", RoleSessionName="s1")[:2] == ("AccessDenied", 403)


def test_a_session_that_is_over_is_told_so(account: Account) -> None:
    iam = account.client("iam")
    role = iam.create_role(RoleName="app", AssumeRolePolicyDocument=a_trust_document())["Role"]
    held = account.world.sessions.assume(role["Arn"], service="lambda.amazonaws.com", session_name="s", duration_s=-1)
    session = {
        "AccessKeyId": held.access_key_id,
        "SecretAccessKey": held.secret_access_key,
        "SessionToken": held.session_token,
    }
    assert failure(account.client("sts", session).get_caller_identity)[:2] == ("ExpiredToken", 403)


def test_managed_policies_and_the_simulator_work(account: Account) -> None:
    iam = account.client("iam")
    document = a_document(a_statement())
    arn = iam.create_policy(PolicyName="p", PolicyDocument=document)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (policy["DefaultVersionId"], policy["AttachmentCount"], policy["IsAttachable"]) == ("v2", 0, True)
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
    assert version["Document"] == json.loads(document)
    aws = [one for page in iam.get_paginator("list_policies").paginate(Scope="AWS") for one in page["Policies"]]
    assert len(aws) == len({one["Arn"] for one in aws}) > 80
    iam.create_user(UserName="ana")
    iam.attach_user_policy(UserName="ana", PolicyArn=arn)
    told = iam.simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/ana", ActionNames=["dynamodb:PutItem", "s3:GetObject"]
    )
    assert [one["EvalDecision"] for one in told["EvaluationResults"]] == ["allowed", "implicitDeny"]
    assert iam.get_account_summary()["SummaryMap"]["Users"] == 1
