from __future__ import annotations

import pytest

from gatepost.gateway import responses
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.responses import (
    ACCESS_DENIED,
    FORBIDDEN,
    INTEGRATION_TIMEOUT,
    MALFORMED_PROXY_RESPONSE,
    MISSING_AUTHENTICATION_TOKEN,
    REQUEST_TOO_LARGE,
    THROTTLED,
    UNSUPPORTED_MEDIA_TYPE,
    GatewayResponses,
    Refusal,
    RefusalKind,
)
from gatepost.services.apigateway.deployment import GatewayResponse
from tests.support.gateways import a_request, a_stage, an_exchange, header


def render(kind, *declared, message=None, request=None, **stage):
    table = GatewayResponses(declared, a_stage(**stage))
    return table.render(an_exchange(request), Refusal(kind, message=message))


@pytest.mark.parametrize(
    ("kind", "status", "body", "error_type"),
    [
        (FORBIDDEN, 403, b'{"message":"Forbidden"}', "ForbiddenException"),
        (
            MISSING_AUTHENTICATION_TOKEN,
            403,
            b'{"message":"Missing Authentication Token"}',
            "MissingAuthenticationTokenException",
        ),
        (MALFORMED_PROXY_RESPONSE, 502, b'{"message": "Internal server error"}', "InternalServerErrorException"),
        (INTEGRATION_TIMEOUT, 504, b'{"message": "Endpoint request timed out"}', "InternalServerErrorException"),
        (UNSUPPORTED_MEDIA_TYPE, 415, b'{"message":"Unsupported Media Type"}', "BadRequestException"),
    ],
)
def test_defaults_are_awss(kind, status, body, error_type):
    response = render(kind)
    assert (response.status, response.body) == (status, body)
    assert header(response, "x-amzn-ErrorType") == [error_type]
    assert header(response, "content-type") == ["application/json"]


# https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
DOCUMENTED = {
    "BAD_REQUEST_BODY": 400,
    "INVALID_API_KEY": 403,
    "QUOTA_EXCEEDED": 429,
    "ACCESS_DENIED": 403,
    "AUTHORIZER_CONFIGURATION_ERROR": 500,
    "AUTHORIZER_FAILURE": 500,
    "UNAUTHORIZED": 401,
    "API_CONFIGURATION_ERROR": 500,
    "BAD_REQUEST_PARAMETERS": 400,
    "EXPIRED_TOKEN": 403,
    "INTEGRATION_FAILURE": 504,
    "INTEGRATION_TIMEOUT": 504,
    "INVALID_SIGNATURE": 403,
    "MISSING_AUTHENTICATION_TOKEN": 403,
    "REQUEST_TOO_LARGE": 413,
    "THROTTLED": 429,
    "UNSUPPORTED_MEDIA_TYPE": 415,
}


def test_statuses_are_those_of_the_developer_guide():
    kinds = [value for value in vars(responses).values() if isinstance(value, RefusalKind)]
    assert {kind.response_type: kind.status for kind in kinds if not kind.response_type.startswith("DEFAULT")} == (
        DOCUMENTED
    )


def test_a_declared_response_replaces_status_headers_and_body():
    declared = GatewayResponse(
        "MISSING_AUTHENTICATION_TOKEN",
        status_code="404",
        response_parameters={"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"},
        response_templates={
            "application/json": '{"error":$context.error.messageString,"type":"$context.error.responseType"}'
        },
    )
    response = render(MISSING_AUTHENTICATION_TOKEN, declared)
    assert response.status == 404
    assert response.body == b'{"error":"Missing Authentication Token","type":"MISSING_AUTHENTICATION_TOKEN"}'
    assert header(response, "Access-Control-Allow-Origin") == ["*"]


def test_defaults_for_4xx_and_5xx_stand_in_for_types_that_are_not_declared():
    declared = GatewayResponse("DEFAULT_4XX", response_templates={"text/plain": "no: $context.error.message."})
    response = render(THROTTLED, declared)
    assert (response.status, response.body) == (429, b"no: Too Many Requests.")
    assert header(response, "content-type") == ["text/plain"]
    assert render(INTEGRATION_TIMEOUT, declared).body == b'{"message": "Endpoint request timed out"}'


def test_the_status_of_a_default_changes_all_that_declare_none():
    own = GatewayResponse("THROTTLED", response_templates={"application/json": "{}"})
    assert render(THROTTLED, GatewayResponse("DEFAULT_4XX", status_code="400"), own).status == 400


def test_the_template_may_name_request_stage_and_context_variables():
    declared = GatewayResponse(
        "ACCESS_DENIED",
        response_parameters={
            "gatewayresponse.header.X-Origin": "method.request.header.Origin",
            "gatewayresponse.header.X-Absent": "method.request.header.Absent",
        },
        response_templates={"application/json": "$context.requestId ${context.stage} $stageVariables.tier $other"},
    )
    request = a_request(headers=(("Origin", "https://shop.example"),))
    response = render(ACCESS_DENIED, declared, request=request, variables={"tier": "gold"})
    assert response.body == b"01234567-89ab-4cde-8f01-23456789abcd prod gold $other"
    assert header(response, "X-Origin") == ["https://shop.example"]
    assert header(response, "X-Absent") == []


def test_control_characters_never_get_into_a_header():
    declared = GatewayResponse(
        "ACCESS_DENIED", response_parameters={"gatewayresponse.header.X-Q": "method.request.querystring.q"}
    )
    response = render(ACCESS_DENIED, declared, request=a_request(target="/prod/orders?q=a%0D%0ASet-Cookie:%20b"))
    assert header(response, "X-Q") == ["aSet-Cookie: b"]


def test_a_message_is_quoted_in_the_body():
    assert render(ACCESS_DENIED, message='a "b"').body == b'{"Message":"a \\"b\\""}'


def test_too_large_requests_cannot_be_customized():
    declared = GatewayResponse("REQUEST_TOO_LARGE", status_code="400")
    assert render(REQUEST_TOO_LARGE, declared).status == 413


@pytest.mark.parametrize(
    "declared",
    [
        GatewayResponse("NO_SUCH_TYPE"),
        GatewayResponse("THROTTLED", response_parameters={"gatewayresponse.querystring.a": "'b'"}),
        GatewayResponse("THROTTLED", response_parameters={"gatewayresponse.header.a": "nonsense"}),
        GatewayResponse("THROTTLED", response_templates={"application/json": "$context.error.nothing"}),
        GatewayResponse("THROTTLED", response_templates={"application/json": "$context.nothing.x"}),
    ],
)
def test_a_declaration_that_cannot_work_is_refused_when_it_is_compiled(declared):
    with pytest.raises(MappingError):
        GatewayResponses((declared,), a_stage())
