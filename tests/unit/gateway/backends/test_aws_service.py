from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from gatepost.awsapi.authorization import Authorizer
from gatepost.gateway.guards.signature import SignatureParts
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.ports import ServiceAnswer
from gatepost.security.sealing import Seal
from gatepost.security.session_tokens import SessionTokens
from gatepost.services.apigateway.deployment import (
    GatewayResponse,
    Integration,
    IntegrationResponse,
    Method,
    StageSettings,
)
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.model import ROLE, HeldPolicies, Role, to_json
from gatepost.services.sts.sessions import Sessions
from tests.support.gateways import ACCOUNT, TestGateway, a_request, header, json_of

ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/orders"
URI = "arn:aws:apigateway:eu-west-1:dynamodb:action/Query"
DYNAMO = ((b"Content-Type", b"application/x-amz-json-1.0"), (b"x-amzn-RequestId", b"R1"))


class Services:
    """Answers as it is told; every request is kept."""

    def __init__(self, status=200, body=b'{"Items":[{"id":{"S":"7"}}]}', headers=DYNAMO):
        self.answer = ServiceAnswer(status, headers, body)
        self.requests = []
        self.gate: asyncio.Event | None = None

    async def send(self, request):
        self.requests.append(request)
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def a_gateway(services=None, *, trusted="apigateway.amazonaws.com", authorization="NONE", path="/orders", **changes):
    clock, seal = FixedClock(), Seal(b"k" * 32)
    directory = Directory(seal)
    trust = {"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    directory.apply(
        ROLE, ACCOUNT, "orders", to_json(Role(ACCOUNT, "orders", "/", "AROA", 0, document, policies=HeldPolicies())), 1
    )
    gateway = TestGateway(
        clock=clock,
        signatures=SignatureParts(directory, Authorizer(directory)),
        role_sessions=Sessions(directory, SessionTokens(seal), clock),
    )
    gateway.services = services or Services()
    gateway.plans._parts = gateway.parts = replace(gateway.parts, services=gateway.services)
    facts = {
        "http_method": "POST",
        "uri": URI,
        "credentials_arn": ROLE_ARN,
        "responses": (IntegrationResponse("200"),),
    }
    method = Method("ANY", authorization, integration=Integration("AWS", **(facts | changes)))
    stage = StageSettings("prod", "dep123", variables={"table": "orders", "op": "Scan"})
    gateway.compiled = gateway.deploy(
        {path: (method,)},
        stage=stage,
        gateway_responses=(GatewayResponse("INTEGRATION_TIMEOUT", "504"),),
    )
    return gateway


def test_the_request_template_is_the_services_request_and_its_answer_is_mapped():
    gateway = a_gateway(
        request_templates={"application/json": '{"TableName": "$stageVariables.table", "q": "$input.params("q")"}'},
        responses=(
            IntegrationResponse(
                "200",
                response_parameters={"method.response.header.X-Id": "integration.response.header.x-amzn-RequestId"},
                response_templates={
                    "application/json": "#foreach($i in $input.path('$.Items'))$i.id.S#end",
                },
            ),
        ),
    )
    assert gateway.compiled.problems == ()
    answer = gateway.get("/prod/orders?q=1")
    assert (answer.status, answer.body, header(answer, "X-Id")) == (200, b"7", ["R1"])
    (sent,) = gateway.services.requests
    assert (sent.service, sent.region, sent.action, sent.method) == ("dynamodb", "eu-west-1", "Query", "POST")
    assert json.loads(sent.body) == {"TableName": "orders", "q": "1"}
    assert sent.access_key_id.startswith("ASIA")
    assert sent.session_token
    assert sent.session_token not in repr(sent)


def test_without_templates_bodies_pass_and_awss_json_is_called_json():
    gateway = a_gateway()
    answer = gateway.answer(a_request("POST", body=b'{"TableName": "t"}'))
    assert (answer.body, header(answer, "Content-Type")) == (b'{"Items":[{"id":{"S":"7"}}]}', ["application/json"])
    assert header(answer, "x-amzn-RequestId") != ["R1"]  # nothing of the service's passes by itself
    assert gateway.services.requests[0].body == b'{"TableName": "t"}'


def test_selection_patterns_look_at_the_services_status():
    denied = b'{"__type":"AccessDeniedException","message":"no"}'
    responses = (
        IntegrationResponse("200"),
        IntegrationResponse("403", "400", response_templates={"application/json": '{"why": $input.json("$.message")}'}),
    )
    gateway = a_gateway(Services(400, denied), responses=responses)
    answer = gateway.get()
    assert (answer.status, json_of(answer)) == (403, {"why": "no"})


def test_a_path_is_filled_and_parameters_are_mapped():
    gateway = a_gateway(
        path="/files/{name}",
        uri="arn:aws:apigateway:us-east-1:s3:path/bucket/{key}?list-type=2",
        http_method="GET",
        request_parameters={
            "integration.request.path.key": "method.request.path.name",
            "integration.request.querystring.prefix": "'a b'",
            "integration.request.header.Content-Type": "'text/plain'",
            "integration.request.header.X-Custom": "method.request.header.X-Mine",
        },
    )
    assert gateway.compiled.problems == ()
    gateway.answer(a_request("GET", "/prod/files/a%20b", (("X-Mine", "1"), ("X-Other", "2"))))
    (sent,) = gateway.services.requests
    assert (sent.service, sent.method, sent.path) == ("s3", "GET", "/bucket/a%20b")
    assert sent.query == "list-type=2&prefix=a%20b"
    names = {name.lower(): value for name, value in sent.headers}
    assert (names[b"content-type"], names[b"x-custom"]) == (b"text/plain", b"1")
    assert b"x-other" not in names


def test_overrides_of_templates_reach_the_service():
    template = (
        '#set($context.requestOverride.header.X-A = "1")#set($context.requestOverride.querystring.b = "2")'
        '#set($context.requestOverride.path.key = "c")'
    )
    gateway = a_gateway(
        uri="arn:aws:apigateway:us-east-1:s3:path/{key}",
        request_parameters={"integration.request.path.key": "'k'"},
        request_templates={"application/json": template},
    )
    gateway.get()
    (sent,) = gateway.services.requests
    assert (sent.path, sent.query) == ("/c", "b=2")
    assert (b"X-A", b"1") in sent.headers


@pytest.mark.parametrize("name", ["Host", "Authorization", "x-amz-security-token", "Content-Length"])
def test_a_template_cannot_say_who_calls(name):
    template = f'#set($context.requestOverride.header.{name} = "x")'
    gateway = a_gateway(request_templates={"application/json": template})
    assert gateway.get().status == 500
    assert gateway.services.requests == []
    mapped = a_gateway(request_parameters={f"integration.request.header.{name}": "'x'"})
    assert "API Gateway sets it" in mapped.compiled.problems[0]


def test_a_role_that_does_not_trust_api_gateway_is_a_configuration_error():
    gateway = a_gateway(trusted="lambda.amazonaws.com")
    assert gateway.get().status == 500
    assert gateway.services.requests == []


def test_without_the_services_role_the_answer_is_500_and_with_it_again_it_works():
    gateway = a_gateway()
    answer, gateway.services.answer = gateway.services.answer, ServiceUnavailable("The services role is gone")
    assert (gateway.get().status, gateway.get().body) == (500, b'{"message": "Internal server error"}')
    gateway.services.answer = answer
    assert gateway.get().status == 200


def test_a_service_that_takes_too_long_is_504():
    gateway = a_gateway(timeout_ms=50)

    async def scenario():
        gateway.services.gate = asyncio.Event()
        answer = await gateway.send(a_request())
        gateway.services.gate.set()
        return answer

    assert gateway.run(scenario).status == 504


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"credentials_arn": ""}, "needs credentials"),
        ({"credentials_arn": "arn:aws:iam::*:user/*"}, "use authorizationType AWS_IAM"),
        ({"uri": "arn:aws:apigateway:us-east-1:1234.s3:path/b"}, "subdomains"),
        ({"uri": "arn:aws:apigateway:us-east-1:dynamodb:action/Put Item"}, "action/OPERATION"),
        ({"uri": "arn:aws:apigateway:us-east-1:dynamodb:action/a/b"}, "not the name of an operation"),
        ({"uri": "arn:aws:apigateway:us-east-1:dynamodb:action/${stageVariables.none}"}, "none is not set"),
        ({"uri": "arn:aws:apigateway:us-east-1:s3:path/{key}"}, "has no mapping"),
        ({"uri": "nonsense"}, "integration URI"),
    ],
)
def test_what_cannot_work_says_why(changes, why):
    gateway = a_gateway(**changes)
    assert why in gateway.compiled.problems[0]
    assert gateway.get().status == 500


def test_stage_variables_may_name_operation_and_role():
    gateway = a_gateway(
        uri="arn:aws:apigateway:us-east-1:dynamodb:action/${stageVariables.op}",
        credentials_arn=ROLE_ARN.replace("role/orders", "role/${stageVariables.table}"),
    )
    assert gateway.get().status == 200
    assert gateway.services.requests[0].action == "Scan"


def test_without_a_way_to_services_it_cannot_work():
    gateway = a_gateway()
    gateway.plans._parts = replace(gateway.parts, services=None)
    compiled = gateway.deploy(
        {"/": (Method("GET", integration=Integration("AWS", uri=URI, credentials_arn=ROLE_ARN)),)}
    )
    assert "without a way to AWS services" in compiled.problems[0]
