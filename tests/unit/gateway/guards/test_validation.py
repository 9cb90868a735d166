from __future__ import annotations

import json

import pytest

from gatepost.gateway.guards.validation import LOOKED_AROUND_BYTES_MAX
from gatepost.services.apigateway.deployment import ApiModel, GatewayResponse, Method, RequestValidator
from tests.support.gateways import API, LAMBDA, MOCK, TestGateway, a_request, header, json_of

BOTH = RequestValidator("both", "both", validates_body=True, validates_parameters=True)
BODY = RequestValidator("body", "body", validates_body=True)
PARAMETERS = RequestValidator("params", "params", validates_parameters=True)
PET = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}


def a_gateway(validator: str, models=None, parameters=None, path="/orders", **changes):
    method = Method(
        "POST",
        request_validator_id=validator,
        request_models={"application/json": "Pet"} if models is None else models,
        request_parameters=parameters or {},
        integration=MOCK,
    )
    gateway = TestGateway()
    declared = {"Pet": PET, "Strong": {"type": "string", "pattern": "(?=a)(a+)+$"}, "Bad": {"$ref": "http://x/"}}
    options = {
        "request_validators": (BOTH, BODY, PARAMETERS),
        "models": tuple(ApiModel(name, name, "application/json", json.dumps(each)) for name, each in declared.items()),
    }
    compiled = gateway.deploy({path: (method,)}, **{**options, **changes})
    return gateway, compiled


def post(gateway, body=b"{}", target="/prod/orders", **headers):
    given = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return gateway.answer(a_request("POST", target, given, body))


@pytest.mark.parametrize("body", [b"{}", b'{"name": 1}', b"[]", b"", b"name=x", b"\xff", b'{"name": "x"', b"NaN"])
def test_a_body_that_is_not_what_its_model_says_is_invalid(body):
    gateway, _ = a_gateway("body")
    refused = post(gateway, body)
    assert refused.status == 400
    assert refused.body == b'{"message":"Invalid request body"}'
    assert header(refused, "x-amzn-ErrorType") == ["BadRequestException"]


def test_a_body_that_is_what_its_model_says_passes_with_and_without_a_content_type():
    gateway, _ = a_gateway("body")
    assert post(gateway, b'{"name": "x"}').status == 200
    assert post(gateway, b'{"name": "x"}', Content_Type="application/json; charset=utf-8").status == 200
    assert post(gateway, b'{"name": 1}', Content_Type="Application/JSON;charset=utf-8").status == 400


def test_a_content_type_without_a_model_is_not_checked():
    gateway, _ = a_gateway("body")
    assert post(gateway, b'{"statusCode": 200}', Content_Type="text/plain").status == 200
    assert post(gateway, b'{"statusCode": 200}', target="/prod/orders?x", Content_Type="text/plain").status == 200


def test_the_default_model_counts_for_every_other_content_type():
    gateway, _ = a_gateway("body", {"$default": "Pet"})
    assert post(gateway, b"<a/>", Content_Type="application/xml").status == 400
    assert post(gateway, b'{"name": "x", "statusCode": 200}', Content_Type="application/xml").status == 200


REQUIRED = {
    "method.request.querystring.page": True,
    "method.request.header.X-Tenant": True,
    "method.request.path.id": True,
    "method.request.querystring.size": False,
}


@pytest.mark.parametrize(
    ("query", "headers", "missing"),
    [
        ("", {}, "page, X-Tenant"),
        ("?page=1", {}, "X-Tenant"),
        ("?page=", {"x_tenant": "a"}, "page"),
        ("?page", {"x_tenant": "a"}, "page"),
        ("?page=%20", {"x_tenant": "a"}, "page"),
        ("?Page=1", {"x_tenant": "a"}, "page"),  # "query parameters are processed in a case-sensitive way"
        ("?page=&page=2", {"x_tenant": " "}, "X-Tenant"),
    ],
)
def test_required_parameters_are_there_and_not_blank(query, headers, missing):
    gateway, _ = a_gateway("params", parameters=REQUIRED, path="/orders/{id}")
    refused = post(gateway, target=f"/prod/orders/7{query}", **headers)
    assert refused.status == 400
    assert json_of(refused) == {"message": f"Missing required request parameters: [{missing}]"}
    assert header(refused, "x-amzn-ErrorType") == ["BadRequestException"]


def test_a_request_with_all_required_parameters_passes():
    gateway, _ = a_gateway("params", parameters=REQUIRED, path="/orders/{id}")
    assert post(gateway, b"no json", target="/prod/orders/7?page=1", x_tenant="a").status == 200


def test_parameters_come_before_the_body():
    gateway, _ = a_gateway("both", parameters={"method.request.querystring.q": True})
    assert json_of(post(gateway)) == {"message": "Missing required request parameters: [q]"}
    assert json_of(post(gateway, target="/prod/orders?q=1")) == {"message": "Invalid request body"}
    assert post(gateway, b'{"name": "x"}', target="/prod/orders?q=1").status == 200


def test_without_a_validator_models_and_parameters_bind_nobody():
    gateway, _ = a_gateway("", parameters={"method.request.querystring.q": True})
    assert post(gateway).status == 200


def test_gateway_responses_tell_what_is_wrong():
    declared = (
        GatewayResponse(
            "BAD_REQUEST_BODY",
            "422",
            response_templates={
                "application/json": '{"m":$context.error.messageString,"v":"$context.error.validationErrorString"}'
            },
        ),
        GatewayResponse(
            "BAD_REQUEST_PARAMETERS", response_templates={"application/json": "$context.error.responseType"}
        ),
    )
    gateway, _ = a_gateway("both", parameters={"method.request.querystring.q": True}, gateway_responses=declared)
    refused = post(gateway, target="/prod/orders?q=1")
    assert refused.status == 422
    assert refused.body == b'{"m":"Invalid request body","v":"[object has missing required properties (["name"])]"}'
    assert post(gateway).body == b"BAD_REQUEST_PARAMETERS"


@pytest.mark.parametrize(
    ("validator", "models", "parameters", "why"),
    [
        ("none", None, None, "request validator none does not exist"),
        ("body", {"application/json": "Bad"}, None, "request model for application/json: model Bad"),
        ("body", {"application/json": "Nothing"}, None, "there is no such model"),
        ("params", None, {"method.request.cookie.x": True}, "use path, querystring or header"),
    ],
)
def test_what_cannot_be_checked_is_never_served_unchecked(validator, models, parameters, why):
    gateway, compiled = a_gateway(validator, models, parameters)
    assert any(why in each for each in compiled.problems)
    assert post(gateway, b'{"name": "x"}').status == 500


def test_bodies_for_patterns_that_look_around_are_bounded():
    gateway, _ = a_gateway("body", {"application/json": "Strong"})
    assert post(gateway, b'"aaa"').status == 200
    assert post(gateway, b'"' + b"a" * LOOKED_AROUND_BYTES_MAX + b'"').status == 400


def test_the_function_is_never_asked_for_what_is_invalid():
    method = Method("POST", request_validator_id="body", request_models={"application/json": "Pet"}, integration=LAMBDA)
    gateway = TestGateway()
    gateway.deploy(
        {"/orders": (method,)},
        request_validators=(BODY,),
        models=(ApiModel("p", "Pet", "application/json", json.dumps(PET)),),
    )
    assert post(gateway).status == 400
    assert gateway.functions.invocations == []
    assert gateway.grants.asked == []
    assert post(gateway, b'{"name": "x"}').status == 200
    assert API in str(gateway.grants.asked)
