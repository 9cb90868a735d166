from __future__ import annotations

import pytest

from gatepost.services.apigateway.deployment import Integration, IntegrationResponse
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.openapi_integration import read_integration


def test_every_field_is_read() -> None:
    given = {
        "type": "http_proxy",
        "httpMethod": "any",
        "uri": "http://example.com/{proxy}",
        "connectionType": "internet",
        "passthroughBehavior": "when_no_templates",
        "cacheNamespace": "abc",
        "cacheKeyParameters": ["method.request.path.proxy"],
        "timeoutInMillis": 5000,
        "payloadFormatVersion": "1.0",
        "tlsConfig": {"insecureSkipVerification": "true"},
        "requestParameters": {"integration.request.path.proxy": "method.request.path.proxy"},
        "requestTemplates": {"application/json": "{}"},
        "contentHandling": "convert_to_text",
        "x-vendor": "passed over",
        "responses": {
            "default": {"statusCode": 200, "responseTemplates": {"application/json": ""}},
            "4\\d\\d": {
                "statusCode": "400",
                "responseParameters": {"method.response.header.A": "'a'"},
                "contentHandling": "CONVERT_TO_BINARY",
            },
        },
    }
    assert read_integration({}, given) == Integration(
        type="HTTP_PROXY",
        http_method="ANY",
        uri="http://example.com/{proxy}",
        connection_type="INTERNET",
        passthrough_behavior="WHEN_NO_TEMPLATES",
        cache_namespace="abc",
        cache_key_parameters=("method.request.path.proxy",),
        timeout_ms=5_000,
        is_tls_verification_skipped=True,
        request_parameters={"integration.request.path.proxy": "method.request.path.proxy"},
        request_templates={"application/json": "{}"},
        content_handling="CONVERT_TO_TEXT",
        responses=(
            IntegrationResponse("200", response_templates={"application/json": ""}),
            IntegrationResponse("400", "4\\d\\d", {"method.response.header.A": "'a'"}, {}, "CONVERT_TO_BINARY"),
        ),
    )


def test_a_reference_is_followed() -> None:
    document = {"components": {"x-amazon-apigateway-integrations": {"a": {"type": "mock"}}}}
    reference = {"$ref": "#/components/x-amazon-apigateway-integrations/a"}
    assert read_integration(document, reference) == Integration("MOCK")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "not an object"),
        ({}, "Invalid integration type specified: None"),
        ({"type": "lambda"}, "Invalid integration type specified: lambda"),
        ({"type": "mock", "timeoutInMilis": 5}, "Unknown property timeoutInMilis"),
        ({"type": "mock", "integrationSubtype": "SQS-SendMessage"}, "Unknown property integrationSubtype"),
        ({"type": "mock", "payloadFormatVersion": "2.0"}, "payloadFormatVersion 2.0"),
        ({"type": "mock", "timeoutInMillis": "soon"}, "not a whole number"),
        ({"type": "mock", "requestTemplates": ["a"]}, "requestTemplates is not an object"),
        ({"type": "mock", "uri": {"Fn::Sub": "x"}}, "uri is not a text"),
        ({"type": "mock", "tlsConfig": {"serverNameToVerify": "x"}}, "serverNameToVerify"),
        ({"type": "mock", "responses": {"default": {"status": 200}}}, "Unknown property status"),
        (
            {"type": "mock", "responses": {"a": {"statusCode": 200}, "b": {"statusCode": 200}}},
            "More than one integration response has the status code 200",
        ),
        ({"type": "mock", "integrationTarget": "arn:x"}, "integrationTarget yet"),
    ],
)
def test_what_is_wrong_is_refused(given: object, words: str) -> None:
    with pytest.raises(BadRequestException, match=words):
        read_integration({}, given)
