"""Lambda authorizers through a whole gateway: what the function is asked, what is remembered, what clients are told."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import orjson
import pytest

from gatepost.gateway.authorizer_result import AuthorizerResult
from gatepost.gateway.guards.lambda_authorizer import TIMEOUT_MS, RememberedResults
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import InvocationResult
from gatepost.services.apigateway.deployment import Authorizer, Integration, IntegrationResponse, Method, StageSettings
from tests.support.gateways import (
    ACCOUNT,
    API,
    LAMBDA,
    MOCK,
    OK,
    REGION,
    Functions,
    TestGateway,
    a_request,
    header,
    json_of,
    until,
)
from tests.unit.gateway.guards.test_signature import signature_parts

ARN = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{API}"
AUTHORIZER_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:authorizer"
URI = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{AUTHORIZER_ARN}/invocations"
TOKEN = Authorizer("au1", "tokens", "TOKEN", uri=URI, identity_source="method.request.header.Authorization")
REQUEST = Authorizer("au1", "requests", "REQUEST", uri=URI, identity_source="method.request.header.X-Key")


def a_policy(effect="Allow", resource=f"{ARN}/*", **more):
    statement = {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def an_output(effect="Allow", resource=f"{ARN}/*", **more):
    return {"principalId": "ana", "policyDocument": a_policy(effect, resource), **more}


class AuthorizerFunctions(Functions):
    """The authorizer answers with `says`, every other function with OK."""

    def __init__(self, says=None, error=""):
        super().__init__(OK)
        self.says = an_output() if says is None else says
        self.error = error
        self.asked = []

    async def invoke(self, invocation):
        if invocation.function_arn != AUTHORIZER_ARN:
            return await super().invoke(invocation)
        self.asked.append(orjson.loads(invocation.payload))
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.says, ServiceError):
            raise self.says
        payload = self.says if isinstance(self.says, bytes) else orjson.dumps(self.says)
        return InvocationResult(200, payload, self.error)


def a_gateway(says=None, authorizer=TOKEN, *, error="", methods=None, **deployment):
    gateway = TestGateway(AuthorizerFunctions(says, error), signatures=signature_parts(None))
    guarded = Method("ANY", "CUSTOM", authorizer_id="au1", integration=LAMBDA)
    compiled = gateway.deploy(
        methods or {"/orders": (guarded,), "/orders/{id}": (guarded,)}, authorizers=(authorizer,), **deployment
    )
    assert compiled.problems == ()
    return gateway


def with_token(token="tok", target="/prod/orders", **more):
    return a_request(target=target, headers=(("Authorization", token),), **more)


def test_a_token_authorizer_gets_the_token_and_the_methods_arn():
    gateway = a_gateway()
    assert gateway.answer(with_token("Bearer abc", "/prod/orders/5?x=1")).status == 200
    assert gateway.functions.asked == [
        {"type": "TOKEN", "methodArn": f"{ARN}/prod/GET/orders/5", "authorizationToken": "Bearer abc"}
    ]


def test_a_request_authorizer_gets_the_whole_request_but_its_body():
    gateway = a_gateway(
        authorizer=replace(
            REQUEST,
            identity_source="method.request.header.X-Key, method.request.querystring.a, stageVariables.tenant, "
            "context.identity.sourceIp",
        ),
        stage=StageSettings("prod", "dep123", {"tenant": "blue"}),
    )
    request = a_request("POST", "/prod/orders/5%206?a=1&a=2", (("X-Key", "k"), ("User-Agent", "me")), b"secret")
    assert gateway.answer(request).status == 200
    event = gateway.functions.asked[0]
    assert event["type"] == "REQUEST"
    assert event["methodArn"] == f"{ARN}/prod/POST/orders/5 6"
    assert event["resource"] == "/orders/{id}"
    assert event["path"] == "/orders/5%206"
    assert event["httpMethod"] == "POST"
    assert event["headers"]["X-Key"] == "k"
    assert event["multiValueHeaders"]["X-Key"] == ["k"]
    assert event["queryStringParameters"] == {"a": "2"}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    assert event["pathParameters"] == {"id": "5 6"}
    assert event["stageVariables"] == {"tenant": "blue"}
    assert event["requestContext"]["identity"]["userAgent"] == "me"
    assert event["requestContext"]["resourcePath"] == "/orders/{id}"
    assert "body" not in event
    assert "authorizer" not in event["requestContext"]


def test_what_a_request_does_not_have_is_empty_for_a_request_authorizer():
    gateway = a_gateway(authorizer=REQUEST)
    gateway.answer(a_request(headers=(("X-Key", "k"),)))
    event = gateway.functions.asked[0]
    places = ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables")
    assert [event[name] for name in places] == [{}, {}, {}, {}]


@pytest.mark.parametrize("headers", [(), (("Authorization", ""),), (("Authorization", "  "),), (("X-Auth", "tok"),)])
def test_without_a_token_the_client_is_unauthorized_and_the_function_is_not_asked(headers):
    gateway = a_gateway()
    response = gateway.answer(a_request(headers=headers))
    assert (response.status, response.body) == (401, b'{"message":"Unauthorized"}')
    assert header(response, "x-amzn-ErrorType") == ["UnauthorizedException"]
    assert gateway.functions.asked == []


@pytest.mark.parametrize(
    ("source", "target", "headers", "expected"),
    [
        ("method.request.header.X-Key", "/prod/orders", (("x-key", "1"),), 200),
        ("method.request.header.X-Key", "/prod/orders", (), 401),
        ("method.request.querystring.key", "/prod/orders?key=1", (), 200),
        ("method.request.querystring.key", "/prod/orders?key=", (), 401),
        ("method.request.querystring.key", "/prod/orders?Key=1", (), 401),
        ("method.request.header.X-Key,method.request.querystring.key", "/prod/orders?key=1", (), 401),
        ("stageVariables.none", "/prod/orders", (), 401),
        ("context.httpMethod", "/prod/orders", (), 200),
    ],
)
def test_every_identity_source_of_a_request_authorizer_must_be_there(source, target, headers, expected):
    gateway = a_gateway(authorizer=replace(REQUEST, identity_source=source))
    assert gateway.answer(a_request(target=target, headers=headers)).status == expected
    assert len(gateway.functions.asked) == (expected == 200)


@pytest.mark.parametrize(
    ("expression", "token", "expected"),
    [
        ("^Bearer [a-z]+$", "Bearer abc", 200),
        ("Bearer [a-z]+", "Bearer abc", 200),
        ("Bearer [a-z]+", "x Bearer abc", 401),
        ("Bearer [a-z]+", "Bearer abc1", 401),
        ("(a+)+", "a" * 5_000 + "b", 401),  # a backtracking engine would never come back
    ],
)
def test_the_whole_token_must_match_the_validation_expression(expression, token, expected):
    gateway = a_gateway(authorizer=replace(TOKEN, identity_validation_expression=expression))
    assert gateway.answer(with_token(token)).status == expected
    assert len(gateway.functions.asked) == (expected == 200)


@pytest.mark.parametrize(
    ("authorizer", "why"),
    [
        (replace(TOKEN, identity_validation_expression="(?=x)"), "RE2"),
        (replace(TOKEN, identity_source="method.request.querystring.t"), "one header"),
        (replace(REQUEST, identity_source="method.request.body"), "identitySource method.request.body"),
        (replace(REQUEST, identity_source=""), "needs identitySource"),
        (replace(TOKEN, uri="arn:aws:s3:::bucket"), "integration URI"),
        (replace(TOKEN, id="other"), "no authorizer au1"),
        (replace(TOKEN, type="COGNITO_USER_POOLS"), "COGNITO_USER_POOLS"),
        (replace(TOKEN, result_ttl_s=3601), "3601"),
        (replace(TOKEN, credentials_arn="arn:aws:iam::*:user/*"), "role's ARN"),
        (replace(TOKEN, credentials_arn=f"arn:aws:iam::{ACCOUNT}:role/r"), "role sessions"),
    ],
)
def test_a_method_whose_authorizer_cannot_work_never_answers(authorizer, why):
    gateway = TestGateway(AuthorizerFunctions(), signatures=signature_parts(None))
    method = Method("GET", "CUSTOM", authorizer_id="au1", integration=LAMBDA)
    compiled = gateway.deploy({"/orders": (method,)}, authorizers=(authorizer,))
    assert why in compiled.problems[0]
    assert gateway.answer(with_token()).status == 500


def test_the_integrations_event_has_the_context_as_texts():
    gateway = a_gateway(an_output(context={"role": "admin", "level": 3, "ratio": 0.5, "isStaff": True}))
    assert gateway.answer(with_token()).status == 200
    assert gateway.functions.event["requestContext"]["authorizer"] == {
        "role": "admin",
        "level": "3",
        "ratio": "0.5",
        "isStaff": "true",
        "principalId": "ana",
        "integrationLatency": 0,
    }


def test_mapping_templates_and_parameters_see_the_context():
    template = '{"p":"$context.authorizer.principalId","r":"$context.authorizer.role","n":"$context.authorizer.none"}'
    mock = Integration(
        "MOCK",
        request_templates={"application/json": '{"statusCode": 200}'},
        responses=(
            IntegrationResponse(
                "200",
                response_templates={"application/json": template},
                response_parameters={"method.response.header.X-Role": "context.authorizer.role"},
            ),
        ),
    )
    method = Method("GET", "CUSTOM", authorizer_id="au1", integration=mock)
    gateway = a_gateway(an_output(context={"role": "admin"}), methods={"/orders": (method,)})
    response = gateway.answer(with_token())
    assert json_of(response) == {"p": "ana", "r": "admin", "n": ""}


def test_a_result_is_remembered_by_identity_for_its_time_to_live():
    gateway = a_gateway(authorizer=replace(TOKEN, result_ttl_s=60))

    def asked_after(token):
        assert gateway.answer(with_token(token)).status == 200
        return len(gateway.functions.asked)

    assert [asked_after("one"), asked_after("one"), asked_after("two")] == [1, 1, 2]
    gateway.clock.advance(ms=59_999)
    assert asked_after("one") == 2
    gateway.clock.advance(ms=1)
    assert asked_after("one") == 3


def test_without_a_time_to_live_nothing_is_remembered():
    gateway = a_gateway(authorizer=replace(TOKEN, result_ttl_s=0))
    for _ in range(2):
        gateway.answer(with_token())
    assert len(gateway.functions.asked) == 2


def test_a_remembered_policy_is_evaluated_again_for_each_method_and_path():
    gateway = a_gateway(an_output(resource=f"{ARN}/prod/GET/orders/*"))
    assert gateway.answer(with_token(target="/prod/orders/5")).status == 200
    refused = gateway.answer(with_token(target="/prod/orders"))
    assert (refused.status, refused.body) == (403, b'{"Message":"User is not authorized to access this resource"}')
    assert gateway.answer(with_token(target="/prod/orders/5", method="POST")).status == 403
    assert gateway.answer(with_token(target="/prod/orders/6")).status == 200
    assert len(gateway.functions.asked) == 1


def test_conditions_of_a_remembered_policy_see_each_request():
    policy = a_policy(Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})
    gateway = a_gateway({"principalId": "ana", "policyDocument": policy})
    statuses = [gateway.answer(with_token(client_ip=ip)).status for ip in ("192.0.2.1", "198.51.100.1", "192.0.2.1")]
    assert statuses == [200, 403, 200]


def test_a_deny_is_told_as_an_explicit_one_and_remembered():
    gateway = a_gateway(an_output("Deny"))
    for _ in range(2):
        response = gateway.answer(with_token())
        assert response.status == 403
        assert response.body == b'{"Message":"User is not authorized to access this resource with an explicit deny"}'
        assert header(response, "x-amzn-ErrorType") == ["AccessDeniedException"]
    assert len(gateway.functions.asked) == 1


def failure(message, kind="Error"):
    return {"errorMessage": message, "errorType": kind}


@pytest.mark.parametrize(
    ("says", "error", "status", "body", "error_type"),
    [
        (failure("Unauthorized"), "Unhandled", 401, b'{"message":"Unauthorized"}', "UnauthorizedException"),
        (failure("unauthorized"), "Unhandled", 500, b'{"message":null}', "AuthorizerFailureException"),
        (failure("Unauthorized."), "Unhandled", 500, b'{"message":null}', "AuthorizerFailureException"),
        (b"not json", "Unhandled", 500, b'{"message":null}', "AuthorizerFailureException"),
        (b"not json", "", 500, b'{"message":null}', "AuthorizerConfigurationException"),
        ("Unauthorized", "", 500, b'{"message":null}', "AuthorizerConfigurationException"),
        ({}, "", 500, b'{"message":null}', "AuthorizerConfigurationException"),
        ({"principalId": "ana"}, "", 500, b'{"message":null}', "AuthorizerConfigurationException"),
        ({"policyDocument": a_policy()}, "", 500, b'{"message":null}', "AuthorizerConfigurationException"),
        (an_output(context={"a": {}}), "", 500, b'{"message":null}', "AuthorizerConfigurationException"),
        (an_output(context={"a": []}), "", 500, b'{"message":null}', "AuthorizerConfigurationException"),
        (an_output(context={"a": None}), "", 500, b'{"message":null}', "AuthorizerConfigurationException"),
        (an_output(context="a"), "", 500, b'{"message":null}', "AuthorizerConfigurationException"),
        (an_output(usageIdentifierKey=5), "", 500, b'{"message":null}', "AuthorizerConfigurationException"),
        (an_output("Maybe"), "", 500, b'{"message":null}', "AuthorizerConfigurationException"),
        (an_output(resource=[]), "", 500, b'{"message":null}', "AuthorizerConfigurationException"),
        (an_output(context={"a": "x" * 8192}), "", 500, b'{"message":null}', "AuthorizerConfigurationException"),
        (ServiceError("slow down"), "", 500, b'{"message":null}', "AuthorizerConfigurationException"),
    ],
)
def test_an_authorizer_that_fails_lets_nobody_in_and_is_asked_again(says, error, status, body, error_type):
    gateway = a_gateway(says, error=error)
    for _ in range(2):
        response = gateway.answer(with_token())
        assert (response.status, response.body) == (status, body)
        assert header(response, "x-amzn-ErrorType") == [error_type]
    assert len(gateway.functions.asked) == 2
    assert gateway.functions.invocations == []


def test_a_function_that_does_not_answer_in_time_is_a_failure(monkeypatch):
    monkeypatch.setattr("gatepost.gateway.guards.lambda_authorizer.TIMEOUT_MS", 10)
    assert TIMEOUT_MS == 29_000
    gateway = a_gateway()

    async def scenario():
        gateway.functions.gate = asyncio.Event()
        response = await gateway.send(with_token())
        gateway.functions.gate.set()
        return response

    response = gateway.run(scenario)
    assert (response.status, response.body) == (500, b'{"message":null}')


def test_calls_for_one_identity_at_the_same_time_are_not_joined():
    gateway = a_gateway()

    async def scenario():
        gateway.functions.gate = asyncio.Event()
        running = [asyncio.ensure_future(gateway.send(with_token())) for _ in range(3)]
        await until(lambda: len(gateway.functions.asked) == 3)
        gateway.functions.gate.set()
        return [response.status for response in await asyncio.gather(*running)]

    assert gateway.run(scenario) == [200, 200, 200]


def test_the_functions_policy_must_let_this_authorizer_in():
    gateway = a_gateway()
    gateway.grants.denied.add(f"{ARN}/authorizers/au1")
    response = gateway.answer(with_token())
    assert (response.status, response.body) == (500, b'{"message":null}')
    assert header(response, "x-amzn-ErrorType") == ["AuthorizerConfigurationException"]
    assert gateway.grants.asked[0] == (AUTHORIZER_ARN, "apigateway.amazonaws.com", f"{ARN}/authorizers/au1")
    assert gateway.functions.asked == []


def test_an_api_says_in_its_own_words_that_someone_is_unauthorized():
    from gatepost.services.apigateway.deployment import GatewayResponse

    own = GatewayResponse(
        "UNAUTHORIZED", "403", response_templates={"application/json": '{"no":$context.error.messageString}'}
    )
    gateway = a_gateway(gateway_responses=(own,))
    response = gateway.answer(a_request())
    assert (response.status, response.body) == (403, b'{"no":"Unauthorized"}')


def test_the_token_never_reaches_the_log(caplog):
    caplog.set_level("DEBUG")
    gateway = a_gateway(failure("who is tok-of-ana?"), error="Unhandled")
    gateway.answer(with_token("tok-of-ana"))
    assert "tok-of-ana" not in caplog.text
    assert "tok-of-ana" not in json.dumps([str(record.__dict__) for record in caplog.records])


def test_methods_without_an_authorizer_are_not_guarded_by_another_methods():
    gateway = a_gateway(
        methods={
            "/orders": (
                Method("GET", "CUSTOM", authorizer_id="au1", integration=LAMBDA),
                Method("POST", integration=MOCK),
            )
        }
    )
    assert gateway.answer(a_request("POST")).status == 200
    assert gateway.answer(a_request()).status == 401


def test_a_wall_clock_that_jumps_back_keeps_no_result_for_longer():
    gateway = a_gateway(authorizer=replace(TOKEN, result_ttl_s=60))
    assert gateway.answer(with_token()).status == 200
    gateway.clock.advance(ms=59_999)
    gateway.clock._now_ms -= 3_600_000
    assert gateway.answer(with_token()).status == 200
    assert len(gateway.functions.asked) == 1
    gateway.clock.advance(ms=1)
    assert gateway.answer(with_token()).status == 200
    assert len(gateway.functions.asked) == 2


def test_what_is_remembered_is_bounded_in_number_and_in_bytes(monkeypatch):
    monkeypatch.setattr("gatepost.gateway.guards.lambda_authorizer.RESULTS_MAX", 3)
    monkeypatch.setattr("gatepost.gateway.guards.lambda_authorizer.CHARACTERS_MAX", 100)
    remembered = RememberedResults()

    def kept(*identities):
        return [identity for identity in identities if remembered.recall((identity,), 0) is not None]

    for identity in ("a", "b", "c", "a", "d"):
        remembered.remember((identity,), AuthorizerResult("1"), 1000)
    assert kept("a", "b", "c", "d") == ["a", "c", "d"]
    remembered.remember(("e" * 98,), AuthorizerResult("1"), 1000)
    assert kept("a", "c", "d", "e" * 98) == ["c", "d", "e" * 98]
    remembered.remember(("x",), AuthorizerResult("1"), 1000)
    assert kept("c", "d", "x", "e" * 98) == ["d", "x", "e" * 98]
    remembered.remember(("yy",), AuthorizerResult("1"), 1000)
    assert kept("d", "x", "yy", "e" * 98) == ["yy", "e" * 98]
    assert remembered.recall(("e" * 98,), 1000) is None  # too old
    for identity in ("f" * 60, "g" * 30, "h" * 9):
        remembered.remember((identity,), AuthorizerResult("1"), 1000)
    assert kept("f" * 60, "g" * 30, "h" * 9) == ["f" * 60, "g" * 30, "h" * 9]
