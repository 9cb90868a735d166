"""Authentication, authorizers and authorization in access logs, as real guards leave them behind."""

from __future__ import annotations

import asyncio
import json

import pytest

from gatepost.gateway.access_log_format import compile_access_log_format
from gatepost.gateway.exchange import Exchange
from gatepost.services.apigateway.deployment import Authorizer, Method
from gatepost.wire.messages import Response
from tests.support.gateways import FUNCTION_URI, LAMBDA, TestGateway, a_request, a_stage
from tests.unit.gateway.guards.test_cognito_authorizer import a_gateway as a_pool_gateway
from tests.unit.gateway.guards.test_cognito_authorizer import an_id_token
from tests.unit.gateway.guards.test_signature import signature_parts
from tests.unit.gateway.test_plans import MOCK

NAMES = [
    "authenticate.status",
    "authenticate.error",
    "authenticate.latency",
    "authorizer.status",
    "authorizer.error",
    "authorizer.latency",
    "authorizer.integrationStatus",
    "authorizer.requestId",
    "authorize.status",
    "authorize.error",
    "authorize.latency",
]
FORMAT = "{" + ",".join(f'"{name}": "$context.{name}"' for name in NAMES) + "}"


def told(gateway, request):
    """Answer a request and give the line that a log would have, without what has no value."""

    async def scenario():
        ids, clock = gateway.ids, gateway.clock
        exchange = Exchange(request, ids.next(), ids.next_extended(), clock.now_ms(), clock.monotonic_ns())
        answered = gateway.door._find(exchange).run(exchange)
        return exchange, answered if isinstance(answered, Response) else await answered

    exchange, response = asyncio.run(scenario())
    line = json.loads(compile_access_log_format(FORMAT, a_stage()).render(exchange, response))
    return response.status, {name: value for name, value in line.items() if value != "-"}


def a_token_gateway(answer):
    gateway = TestGateway(signatures=signature_parts(None))
    gateway.functions.returns = answer
    authorizer = Authorizer("au1", "who", "TOKEN", uri=FUNCTION_URI)
    method = Method("GET", "CUSTOM", authorizer_id="au1", integration=MOCK)
    gateway.deploy({"/orders": (method,)}, authorizers=(authorizer,))
    return gateway


def test_a_user_pools_token_is_the_authorizers_and_policies_let_in():
    gateway = a_pool_gateway()
    status, line = told(gateway, a_request(headers=(("Authorization", an_id_token(gateway)),)))
    assert status == 200
    assert line == {
        "authorizer.status": "200",
        "authorizer.latency": "0",
        "authorize.status": "200",
        "authorize.latency": "0",
    }


def test_a_token_that_is_refused_ends_with_the_authorizer():
    status, line = told(a_pool_gateway(), a_request(headers=(("Authorization", "x"),)))
    assert status == 401
    assert line == {"authorizer.status": "401", "authorizer.error": "Unauthorized", "authorizer.latency": "0"}


def test_a_missing_signature_is_refused_at_authentication():
    gateway = TestGateway(signatures=signature_parts(None))
    gateway.deploy({"/orders": (Method("GET", "AWS_IAM", integration=LAMBDA),)})
    status, line = told(gateway, a_request())
    assert status == 403
    assert (line["authenticate.status"], line["authenticate.error"]) == ("403", "Missing Authentication Token")
    assert not any(name.startswith("authorize") for name in line)


def test_a_method_that_nobody_guards_has_no_phases():
    gateway = TestGateway()
    gateway.deploy({"/orders": (Method("GET", integration=LAMBDA),)})
    assert told(gateway, a_request()) == (200, {})


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_what_a_function_says_is_the_authorizers_and_what_follows_is_authorization(effect):
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    gateway = a_token_gateway({"principalId": "ana", "policyDocument": policy})
    status, line = told(gateway, a_request(headers=(("Authorization", "t"),)))
    assert (line["authorizer.status"], line["authorizer.integrationStatus"]) == ("200", "200")
    assert len(line["authorizer.requestId"]) == 36
    if effect == "Allow":
        assert line["authorize.status"] == "200"
    else:
        assert (status, line["authorize.status"]) == (403, "403")
        assert "not authorized" in line["authorize.error"]
    _, again = told(gateway, a_request(headers=(("Authorization", "t"),)))
    assert "authorizer.requestId" not in again  # remembered: nobody was asked
    assert "authorizer.integrationStatus" not in again
