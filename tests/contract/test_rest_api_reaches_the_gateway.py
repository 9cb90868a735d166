"""What the control plane lets pass, the gateway can serve: the same deployment, told and compiled."""

from __future__ import annotations

import asyncio

from gatepost.services.apigateway.deployment import deployment_from_json, stage_from_json
from tests.support.gateways import Functions, TestGateway, Upstreams, a_request, an_answer, header, json_of
from tests.support.openapi_bodies import a_document, a_sam_body, bytes_of
from tests.support.rest_apis import FUNCTION_URI, Control, with_control


def deployed(tmp_path, document: dict) -> tuple[str, dict]:
    """Import and deploy a document; give the key and value that the gateway is told."""

    async def scenario(control: Control) -> tuple[str, dict]:
        api = await control("ImportRestApi", body=bytes_of(document))
        await control("CreateDeployment", restApiId=api["id"], stageName="prod", variables={"colour": "red"})
        ((key, value),) = control.changes.held.items()
        return key, value

    return with_control(tmp_path, scenario)


def answer(gateway: TestGateway, api_id: str, method: str, path: str):
    host = f"{api_id}.execute-api.us-east-1.localhost:8080"
    return gateway.answer(a_request(method, f"/prod{path}", host=host))


def test_a_preflight_of_sams_body_is_answered(tmp_path) -> None:
    key, value = deployed(tmp_path, a_sam_body())
    gateway = TestGateway()
    gateway.plans.take(key, value)
    response = answer(gateway, key.partition("/")[0], "OPTIONS", "/orders/7")
    assert response.status == 200
    assert header(response, "Access-Control-Allow-Origin") == ["*"]
    assert response.body == b"{}\n"


def test_a_function_of_sams_body_is_called(tmp_path) -> None:
    key, value = deployed(tmp_path, a_sam_body())
    gateway = TestGateway()
    gateway.plans.take(key, value)
    assert answer(gateway, key.partition("/")[0], "GET", "/orders").status == 200
    assert gateway.functions.event["resource"] == "/orders"


def test_an_apis_own_answer_to_unknown_paths_is_given(tmp_path) -> None:
    key, value = deployed(tmp_path, a_sam_body())
    gateway = TestGateway()
    gateway.plans.take(key, value)
    response = answer(gateway, key.partition("/")[0], "GET", "/nothing")
    assert response.status == 403
    assert header(response, "Access-Control-Allow-Origin") == ["*"]


def test_a_mock_with_mapped_headers_is_served(tmp_path) -> None:
    names = {"X-Colour": "stageVariables.colour", "X-Stage": "context.stage", "X-Fixed": "'a'"}
    get = {
        "responses": {"200": {"headers": {name: {"type": "string"} for name in names}}},
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": {"application/json": '{"statusCode": 200}'},
            "responses": {
                "default": {
                    "statusCode": 200,
                    "responseParameters": {f"method.response.header.{name}": each for name, each in names.items()},
                    "responseTemplates": {"application/json": '{"ok": true}'},
                }
            },
        },
    }
    key, value = deployed(tmp_path, a_document({"/mock": {"get": get}}))
    gateway = TestGateway()
    gateway.plans.take(key, value)
    response = answer(gateway, key.partition("/")[0], "GET", "/mock")
    assert (response.status, response.body) == (200, b'{"ok": true}')
    assert [header(response, name) for name in names] == [["red"], ["prod"], ["a"]]


def test_everything_that_is_deployed_compiles_without_a_problem(tmp_path) -> None:
    document = a_sam_body()
    for path in document["paths"].values():
        for operation in path.values():
            operation["security"] = [{"NONE": []}]  # signatures need identities that this gateway has not
    _, value = deployed(tmp_path, document)
    gateway = TestGateway()
    from gatepost.gateway.compiler import compile_stage

    compiled = compile_stage(deployment_from_json(value["deployment"]), stage_from_json(value["stage"]), gateway.parts)
    asyncio.run(gateway.tasks.close())
    assert compiled.problems == ()


def test_templates_and_integrations_that_are_no_proxies_reach_the_gateway(tmp_path) -> None:
    def operation(integration: dict) -> dict:
        templates = {"application/json": '{"a": $input.json("$.a"), "colour": "$stageVariables.colour"}'}
        back = {"application/json": '{"got": $input.json("$"), "by": "$context.httpMethod"}'}
        responses = {
            "default": {"statusCode": "200", "responseTemplates": back},
            "4.*": {"statusCode": "404", "contentHandling": "CONVERT_TO_TEXT"},
        }
        common = {"httpMethod": "POST", "requestTemplates": templates, "passthroughBehavior": "never"}
        return {
            "responses": {"200": {"description": "fine"}, "404": {"description": "missing"}},
            "x-amazon-apigateway-integration": {**common, "responses": responses, **integration},
        }

    document = a_document(
        {
            "/function": {"post": operation({"type": "aws", "uri": FUNCTION_URI})},
            "/server": {"post": operation({"type": "http", "uri": "http://backend.example/x"})},
        }
    )
    key, value = deployed(tmp_path, document)
    gateway = TestGateway(Functions({"n": 1}), Upstreams(lambda _request: an_answer(body=b"[2]")))
    gateway.plans.take(key, value)
    host = f"{key.partition('/')[0]}.execute-api.us-east-1.localhost:8080"

    def posted(path: str, content_type: str = "application/json"):
        return gateway.answer(
            a_request("POST", f"/prod{path}", (("Content-Type", content_type),), b'{"a": 1}', host=host)
        )

    assert json_of(posted("/function")) == {"got": {"n": 1}, "by": "POST"}
    assert gateway.functions.event == {"a": 1, "colour": "red"}
    assert json_of(posted("/server")) == {"got": [2], "by": "POST"}
    assert gateway.upstreams.last.body == b'{"a": 1, "colour": "red"}'
    assert posted("/server", "text/plain").status == posted("/function", "text/plain").status == 415
