"""What the control plane accepts, the gateway does: both know the same words, and a deployed API answers."""

from __future__ import annotations

import json

from gatepost.gateway import mapping, responses
from gatepost.services.apigateway import support
from tests.support.gateways import FUNCTION, TestGateway, a_request, a_stage, an_exchange, header, json_of
from tests.support.rest_apis import with_control

URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"


def test_both_know_the_same_context_variables():
    for name in support.CONTEXT_VARIABLES:
        mapping.compile_source(f"context.{name}", a_stage())(an_exchange())
    known = set(mapping._CONTEXT) | {"accountId", "apiId", "deploymentId", "stage"}
    assert known == support.CONTEXT_VARIABLES


def test_both_know_the_same_variables_of_errors():
    assert set(responses._ERROR_VARIABLES) == support.ERROR_VARIABLES


def test_an_api_that_is_made_by_operations_answers_its_clients(tmp_path):
    async def make(control):
        api = await control.an_api("shop")
        preflight = await control.a_method(
            api,
            "/orders",
            "OPTIONS",
            {"type": "MOCK", "requestTemplates": {"application/json": '{"statusCode": 200}'}},
        )
        origin = "method.response.header.Access-Control-Allow-Origin"
        await control("PutMethodResponse", **preflight, statusCode="200", responseParameters={origin: False})
        await control("PutIntegrationResponse", **preflight, statusCode="200", responseParameters={origin: "'*'"})
        proxy = {"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": URI}
        await control.a_method(api, "/orders/{id}", "ANY", proxy)
        upstream = {
            "type": "HTTP_PROXY",
            "integrationHttpMethod": "ANY",
            "uri": "http://backend.example/{proxy}",
            "requestParameters": {"integration.request.path.proxy": "method.request.path.proxy"},
        }
        declared = {"method.request.path.proxy": True}
        await control.a_method(api, "/legacy/{proxy+}", "ANY", upstream, requestParameters=declared)
        await control(
            "PutGatewayResponse",
            restApiId=api["id"],
            responseType="MISSING_AUTHENTICATION_TOKEN",
            statusCode="404",
            responseTemplates={"application/json": '{"error":$context.error.messageString}'},
        )
        await control("CreateDeployment", restApiId=api["id"], stageName="prod", variables={"tier": "gold"})
        return api["id"], dict(control.changes.held)

    api_id, held = with_control(tmp_path, make)
    gateway = TestGateway()
    for key, value in held.items():
        gateway.plans.take(key, json.loads(json.dumps(value)))
    assert gateway.plans.problems() == {}
    host = f"{api_id}.execute-api.us-east-1.localhost"

    preflight = gateway.answer(a_request("OPTIONS", "/prod/orders", host=host))
    assert (preflight.status, header(preflight, "Access-Control-Allow-Origin")) == (200, ["*"])
    assert gateway.answer(a_request("PUT", "/prod/orders/7", host=host)).body == b"ok"
    event = gateway.functions.event
    assert event["pathParameters"] == {"id": "7"}
    assert event["stageVariables"] == {"tier": "gold"}
    assert event["requestContext"]["accountId"] == "000000000000"
    assert gateway.answer(a_request("GET", "/prod/legacy/a/b", host=host)).body == b"up"
    assert gateway.upstreams.last.target == "/a/b"
    unknown = gateway.answer(a_request("GET", "/prod/none", host=host))
    assert (unknown.status, json_of(unknown)) == (404, {"error": "Missing Authentication Token"})
