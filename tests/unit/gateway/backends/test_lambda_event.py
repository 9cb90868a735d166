"""The event, field by field, against the sample in AWS's developer guide, "Input format of a Lambda function for proxy
integration" (https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html)."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from gatepost.gateway.backends.lambda_event import EventFormat
from gatepost.gateway.exchange import CALLER
from gatepost.gateway.passed_headers import PassedHeaders
from gatepost.kernel.operations import Principal
from gatepost.services.apigateway.deployment import Method, StageSettings
from tests.support.gateways import LAMBDA, TestGateway, a_request, a_route, a_stage, an_exchange

SAMPLE_HEADERS = (
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip, deflate"),
    ("cache-control", "no-cache"),
    ("CloudFront-Forwarded-Proto", "https"),
    ("CloudFront-Viewer-Country", "US"),
    ("Content-Type", "application/json"),
    ("headerName", "headerValue"),
    ("Postman-Token", "9f583ef0-ed83-4a38-aef3-eb9ce3f7a57f"),
    ("User-Agent", "PostmanRuntime/2.4.5"),
    ("Via", "1.1 d98420743a69852491bbdea73f7680bd.cloudfront.net (CloudFront)"),
    ("X-Forwarded-For", "54.240.196.186"),
)
BODY = b'{\r\n\t"a": 1\r\n}'
HOST = "gy415nuibc.execute-api.us-east-1.amazonaws.com"


def the_sample_event() -> dict[str, Any]:
    """Send the documented request through a whole gateway and give what the function received."""
    gateway = TestGateway()
    gateway.deploy(
        {"/": (), "/{proxy+}": (Method("ANY", integration=LAMBDA),)},
        api_id="gy415nuibc",
        stage=StageSettings("testStage", "dep123", variables={"stageVariableName": "stageVariableValue"}),
    )
    target = "/testStage/hello/world?name=me&multivalueName=you&multivalueName=me"
    request = a_request("POST", target, SAMPLE_HEADERS, BODY, host=HOST, client_ip="192.168.196.186", is_tls=True)
    assert gateway.answer(request).status == 200
    return gateway.functions.event


SENT = dict(SAMPLE_HEADERS) | {
    "Host": HOST,
    "X-Forwarded-For": "54.240.196.186, 192.168.196.186",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Proto": "https",
}
FIELDS = [
    ("resource", "/{proxy+}"),
    ("path", "/hello/world"),
    ("httpMethod", "POST"),
    *[(f"headers.{name}", value) for name, value in SENT.items()],
    *[(f"multiValueHeaders.{name}", [value]) for name, value in SENT.items()],
    ("queryStringParameters", {"name": "me", "multivalueName": "me"}),
    ("multiValueQueryStringParameters", {"name": ["me"], "multivalueName": ["you", "me"]}),
    ("pathParameters", {"proxy": "hello/world"}),
    ("stageVariables", {"stageVariableName": "stageVariableValue"}),
    ("requestContext.accountId", "123456789012"),
    ("requestContext.resourceId", "r1"),
    ("requestContext.stage", "testStage"),
    ("requestContext.identity.cognitoIdentityPoolId", None),
    ("requestContext.identity.accountId", None),
    ("requestContext.identity.cognitoIdentityId", None),
    ("requestContext.identity.caller", None),
    ("requestContext.identity.apiKey", None),
    ("requestContext.identity.accessKey", None),
    ("requestContext.identity.principalOrgId", None),
    ("requestContext.identity.sourceIp", "192.168.196.186"),
    ("requestContext.identity.cognitoAuthenticationType", None),
    ("requestContext.identity.cognitoAuthenticationProvider", None),
    ("requestContext.identity.userArn", None),
    ("requestContext.identity.userAgent", "PostmanRuntime/2.4.5"),
    ("requestContext.identity.user", None),
    ("requestContext.resourcePath", "/{proxy+}"),
    ("requestContext.httpMethod", "POST"),
    ("requestContext.apiId", "gy415nuibc"),
    ("requestContext.path", "/testStage/hello/world"),
    ("requestContext.protocol", "HTTP/1.1"),
    ("requestContext.requestTime", "09/Oct/2025:08:53:20 +0000"),
    ("requestContext.requestTimeEpoch", 1_760_000_000_000),
    ("requestContext.domainName", HOST),
    ("requestContext.domainPrefix", "gy415nuibc"),
    ("requestContext.deploymentId", "dep123"),
    ("body", BODY.decode()),
    ("isBase64Encoded", False),
]


@pytest.fixture(scope="module")
def event():
    return the_sample_event()


@pytest.mark.parametrize(("field", "expected"), FIELDS, ids=[field for field, _ in FIELDS])
def test_each_field_is_as_in_awss_sample(event, field, expected):
    value = event
    for name in field.split("."):
        value = value[name]
    assert value == expected


def test_the_event_has_awss_fields_and_no_others(event):
    assert list(event) == [
        "resource",
        "path",
        "httpMethod",
        "headers",
        "multiValueHeaders",
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "requestContext",
        "body",
        "isBase64Encoded",
    ]
    assert list(event["requestContext"]) == [
        "resourceId",
        "resourcePath",
        "httpMethod",
        "extendedRequestId",
        "requestTime",
        "path",
        "accountId",
        "protocol",
        "stage",
        "domainPrefix",
        "requestTimeEpoch",
        "requestId",
        "identity",
        "domainName",
        "deploymentId",
        "apiId",
    ]
    assert set(event["headers"]) == {*SENT, "X-Amzn-Trace-Id"}


def render(request=None, *, path="/orders", values=(), caller=None, **stage):
    exchange = an_exchange(request, route=a_route(path), values=values)
    exchange.path = "/orders"
    if caller is not None:
        exchange.write(CALLER, caller)
    return orjson.loads(
        EventFormat(a_stage(**stage), exchange.route, has_caller=caller is not None, passed=PassedHeaders()).render(
            exchange
        )
    )


def test_what_is_not_there_is_null():
    event = render()
    for field in (
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "body",
    ):
        assert event[field] is None
    assert event["requestContext"]["identity"]["userAgent"] is None


def test_repeated_headers_are_lists_and_their_last_value():
    event = render(a_request(headers=(("X-A", "1"), ("X-A", "2"), ("x-a", "3"))))
    assert event["multiValueHeaders"]["X-A"] == ["1", "2"]
    assert event["headers"]["X-A"] == "2"
    assert event["headers"]["x-a"] == "3"


def test_path_parameters_are_decoded_and_a_percent_sign_stays_written_as_25():
    event = render(path="/{a}/{b+}", values=("caf%C3%A9%20au", "x%2Fy/50%25"))
    assert event["pathParameters"] == {"a": "café au", "b": "x/y/50%25"}


def test_query_parameters_are_decoded_and_may_be_empty_or_without_value():
    event = render(a_request(target="/prod/orders?a=1%2B2&b=c+d&e=&f&%C3%A9=%F0%9F%9B%92&;g=h"))
    assert event["queryStringParameters"] == {"a": "1+2", "b": "c d", "e": "", "f": "", "é": "🛒", "g": "h"}


@pytest.mark.parametrize(
    ("content_type", "types", "is_binary"),
    [
        ("image/png", ("image/png",), True),
        ("image/png; q=1", ("*/*",), True),
        ("image/png", (), False),
        ("text/plain", ("image/png",), False),
        (None, ("application/json",), True),  # absent means application/json
    ],
)
def test_bodies_of_binary_media_types_are_base64(content_type, types, is_binary):
    headers = (("Content-Type", content_type),) if content_type else ()
    body = b"\x89PNG plain"
    event = render(a_request("POST", headers=headers, body=body), binary_media_types=types)
    assert event["isBase64Encoded"] is is_binary
    assert event["body"] == (base64.b64encode(body).decode() if is_binary else body.decode("utf-8", "replace"))


def test_an_empty_body_is_null_even_for_binary_media_types():
    event = render(a_request("POST"), binary_media_types=("*/*",))
    assert (event["body"], event["isBase64Encoded"]) == (None, False)


def test_a_signature_is_not_passed_on_but_other_authorization_is():
    assert render(a_request(headers=(("Authorization", "Bearer t"),)))["headers"]["Authorization"] == "Bearer t"
    signed = a_request(headers=(("Authorization", "AWS4-HMAC-SHA256 Credential=x"),))
    assert "Authorization" not in render(signed)["headers"]


def test_the_caller_of_a_signed_request_is_its_identity():
    caller = Principal("user", "123456789012", "arn:aws:iam::123456789012:user/alice", "AIDAX", "AKIAX")
    request = a_request(headers=(("Authorization", "Bearer t"),))
    event = render(request, caller=caller)
    assert "Authorization" not in event["headers"]  # dropped "if AWS_IAM authorization is used"
    identity = event["requestContext"]["identity"]
    assert identity["accountId"] == "123456789012"
    assert identity["accessKey"] == "AKIAX"
    assert identity["caller"] == identity["user"] == "AIDAX"
    assert identity["userArn"] == caller.arn


def test_a_caller_from_an_identity_pool_is_its_identity_too():
    keys = (("cognito-identity.amazonaws.com:aud", "pool"), ("cognito-identity.amazonaws.com:sub", "identity"))
    amr = ("cognito-identity.amazonaws.com:amr", ("authenticated", "users", "users:CognitoSignIn:ann"))
    caller = Principal("assumed-role", "1", "arn", "AROAX:CognitoIdentityCredentials", provider_keys=(*keys, amr))
    identity = render(a_request(), caller=caller)["requestContext"]["identity"]
    told = {name: value for name, value in identity.items() if name.startswith("cognito")}
    assert told == {
        "cognitoIdentityId": "identity",
        "cognitoIdentityPoolId": "pool",
        "cognitoAuthenticationType": "authenticated",
        "cognitoAuthenticationProvider": "users,users:CognitoSignIn:ann",
    }


def test_header_bytes_that_are_no_text_do_not_break_the_event():
    event = render(a_request(headers=(("X-Odd", "caf\xe9"), ("X-Utf8", "caf\xc3\xa9"))))
    assert event["headers"]["X-Odd"] == "caf�"
    assert event["headers"]["X-Utf8"] == "café"
