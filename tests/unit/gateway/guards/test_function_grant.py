from __future__ import annotations

import json

import pytest

from gatepost.awsapi.authorization import Authorizer
from gatepost.gateway.exchange import CALLER
from gatepost.gateway.guards.function_grant import CallerGrantGuard
from gatepost.gateway.guards.signature import SignatureParts
from gatepost.gateway.responses import API_CONFIGURATION_ERROR, Refusal
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Principal
from gatepost.security.sealing import Seal
from gatepost.security.session_tokens import SessionTokens
from gatepost.services.apigateway.deployment import Integration, IntegrationResponse, Method, StageSettings
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.model import ROLE, HeldPolicies, Role, to_json
from gatepost.services.lambda_.grants import FunctionGrants
from gatepost.services.sts.sessions import Sessions
from tests.support.gateways import (
    ACCOUNT,
    API,
    FUNCTION,
    FUNCTION_URI,
    LAMBDA,
    TestGateway,
    a_request,
    a_stage,
    an_exchange,
)
from tests.support.toys import KnownIdentities

SOURCE = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{API}"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/invoker"


def a_gateway():
    gateway = TestGateway()
    gateway.deploy(
        {"/orders/{id}/items": (Method("ANY", integration=LAMBDA),), "/": (Method("GET", integration=LAMBDA),)}
    )
    return gateway


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/prod/orders/5/items", f"{SOURCE}/prod/GET/orders/{{id}}/items"),
        ("POST", "/prod/orders/6/items/", f"{SOURCE}/prod/POST/orders/{{id}}/items"),
        ("GET", "/prod", f"{SOURCE}/prod/GET/"),
    ],
)
def test_the_functions_policy_is_asked_for_stage_method_and_resource(method, target, expected):
    gateway = a_gateway()
    assert gateway.answer(a_request(method, target)).status == 200
    assert gateway.grants.asked == [(FUNCTION, "apigateway.amazonaws.com", expected)]


def test_a_function_that_does_not_allow_it_is_never_invoked():
    gateway = a_gateway()
    gateway.grants.denied.add(f"{SOURCE}/prod/GET/")
    response = gateway.get("/prod")
    assert (response.status, response.body) == (500, b'{"message": "Internal server error"}')
    assert gateway.functions.invocations == []
    found = gateway.request_log.find(dict(response.headers)[b"x-amzn-RequestId"].decode())
    assert "Invalid permissions on Lambda function" in found["decisions"][0]["verdict"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*/GET/orders/*/items", 200),
        ("prod/GET/orders/*/items", 200),
        ("*/*/*", 200),
        ("*/POST/orders/*", 500),
        ("test/*", 500),
        ("*/GET/carts", 500),
    ],
)
def test_permissions_as_sam_writes_them_decide(pattern, expected):
    gateway, grants = a_gateway(), FunctionGrants()
    statement = {
        "Sid": "api",
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
        "Condition": {"ArnLike": {"AWS:SourceArn": f"{SOURCE}/{pattern}"}},
    }
    grants.changed(
        FUNCTION, {"policy": json.dumps({"Version": "2012-10-17", "Id": "default", "Statement": [statement]})}
    )
    gateway.grants.allow = grants.allow
    assert gateway.get("/prod/orders/5/items").status == expected


def test_without_policies_aws_proxy_cannot_work():
    gateway = TestGateway()
    gateway.plans._parts = type(gateway.parts)(
        **{name: getattr(gateway.parts, name) for name in gateway.parts.__dataclass_fields__} | {"grants": None}
    )
    compiled = gateway.deploy({"/": (Method("GET", integration=LAMBDA),)})
    assert "functions' policies" in compiled.problems[0]


def a_role_gateway(
    *, trusted="apigateway.amazonaws.com", resource=FUNCTION, credentials=ROLE_ARN, clock=None, kind="AWS_PROXY"
):
    clock = clock or FixedClock()
    seal = Seal(b"k" * 32)
    directory = Directory(seal)
    trust = {"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}
    allow = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": resource}
    documents = [json.dumps({"Version": "2012-10-17", "Statement": [one]}) for one in (trust, allow)]
    role = Role(ACCOUNT, "invoker", "/", "AROAINVOKER", 0, documents[0], policies=HeldPolicies({"p": documents[1]}))
    directory.apply(ROLE, ACCOUNT, "invoker", to_json(role), 1)
    gateway = TestGateway(
        clock=clock,
        signatures=SignatureParts(directory, Authorizer(directory)),
        role_sessions=Sessions(directory, SessionTokens(seal), clock),
    )
    gateway.directory = directory
    integration = Integration(
        kind,
        http_method="POST",
        uri=FUNCTION_URI,
        credentials_arn=credentials,
        responses=(IntegrationResponse("200"),),
    )
    stage = StageSettings("prod", "dep123", variables={"role": "invoker"})
    compiled = gateway.deploy({"/orders": (Method("GET", integration=integration),)}, stage=stage)
    return gateway, compiled


@pytest.mark.parametrize("kind", ["AWS_PROXY", "AWS"])
def test_with_credentials_the_role_is_asked_instead_of_the_functions_policy(kind):
    gateway, compiled = a_role_gateway(kind=kind)
    assert compiled.problems == ()
    assert gateway.get().status == 200
    assert gateway.grants.asked == []


@pytest.mark.parametrize("changes", [{"trusted": "lambda.amazonaws.com"}, {"resource": f"{FUNCTION}-other"}])
@pytest.mark.parametrize("kind", ["AWS_PROXY", "AWS"])
def test_a_role_that_may_not_be_assumed_or_may_not_invoke_is_a_configuration_error(changes, kind):
    gateway, _ = a_role_gateway(kind=kind, **changes)
    assert gateway.get().status == 500
    assert gateway.functions.invocations == []


def test_a_role_that_is_deleted_ends_it_at_once_and_its_session_is_renewed_in_time():
    clock = FixedClock()
    gateway, _ = a_role_gateway(clock=clock)
    assert gateway.get().status == 200
    clock.advance(ms=3_600_000)
    assert gateway.get().status == 200
    gateway.directory.apply(ROLE, ACCOUNT, "invoker", None, 2)
    assert gateway.get().status == 500


def test_stage_variables_may_name_the_role():
    gateway, _ = a_role_gateway(credentials=ROLE_ARN.replace("invoker", "${stageVariables.role}"))
    assert gateway.get().status == 200


def test_the_callers_own_credentials_need_a_caller():
    _, compiled = a_role_gateway(credentials="arn:aws:iam::*:user/*")
    assert "needs caller" in compiled.problems[0]


class MayInvoke:
    """An authorization that allows some functions, and keeps what it was asked."""

    def __init__(self, *functions):
        self.functions = functions
        self.asked = []

    def check(self, call, access):
        self.asked.append((call.principal, access.action, access.resource))
        if access.resource not in self.functions:
            raise AccessDeniedException("no")


def test_with_the_callers_own_credentials_the_caller_is_asked():
    ana = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ana", "AIDA", "AKIA", "ana")
    exchange = an_exchange()
    exchange.write(CALLER, ana)
    for functions, kind in (((FUNCTION,), None), ((), API_CONFIGURATION_ERROR)):
        authorization = MayInvoke(*functions)
        parts = SignatureParts(KnownIdentities(), authorization)
        guard = CallerGrantGuard(parts, function_arn=FUNCTION, stage=a_stage())
        if kind is None:
            guard.check(exchange)
        else:
            with pytest.raises(Refusal) as refused:
                guard.check(exchange)
            assert refused.value.kind is kind
        assert authorization.asked == [(ana, "lambda:InvokeFunction", FUNCTION)]
