from __future__ import annotations

import asyncio
import base64

import pytest

from gatepost.gateway.backends.lambda_proxy import function_arn
from gatepost.gateway.mapping import MappingError
from gatepost.kernel.errors import AccessDeniedException, remote_error
from gatepost.services.apigateway.deployment import Integration, Method
from tests.support.gateways import (
    FUNCTION,
    FUNCTION_URI,
    LAMBDA,
    Functions,
    TestGateway,
    a_request,
    a_stage,
    header,
    until,
)

BAD_GATEWAY = (502, b'{"message": "Internal server error"}')
CONFIGURATION = (500, b'{"message": "Internal server error"}')


def answer(returns, request=None, *, function_error="", integration=LAMBDA, **deployment):
    gateway = TestGateway(Functions(returns, function_error=function_error))
    gateway.deploy({"/orders": (Method("ANY", integration=integration),)}, **deployment)
    response = gateway.answer(request or a_request())
    return response


@pytest.mark.parametrize(
    "returns",
    [
        b"",
        b"not json",
        None,
        "text",
        42,
        [1],
        {},
        {"body": "no status"},
        {"statusCode": None},
        {"statusCode": "abc"},
        {"statusCode": "2000"},
        {"statusCode": 99},
        {"statusCode": 600},
        {"statusCode": 101},
        {"statusCode": True},
        {"statusCode": 200.5},
        {"statusCode": [200]},
        {"statusCode": 200, "body": {"an": "object"}},
        {"statusCode": 200, "body": 42},
        {"statusCode": 200, "headers": []},
        {"statusCode": 200, "headers": "X: y"},
        {"statusCode": 200, "headers": {"X": ["a"]}},
        {"statusCode": 200, "headers": {"X": {"a": "b"}}},
        {"statusCode": 200, "headers": {"X": "a\r\nSet-Cookie: b"}},
        {"statusCode": 200, "headers": {"X y": "a"}},
        {"statusCode": 200, "headers": {"": "a"}},
        {"statusCode": 200, "headers": {"X": "a\u0000"}},
        {"statusCode": 200, "multiValueHeaders": {"X": "a"}},
        {"statusCode": 200, "multiValueHeaders": ["X"]},
        {"statusCode": 200, "isBase64Encoded": "yes", "body": "a"},
        {"statusCode": 200, "body": "a", "cookies": ["a=b"]},
        {"statusCode": 200, "body": "a", "base64Encoded": False},
        b'{"statusCode": 200, "body": "' + b"x" * 6 * 1024 * 1024 + b'"}',
    ],
    ids=lambda value: repr(value)[:50],
)
def test_malformed_responses_are_a_bad_gateway(returns):
    response = answer(returns)
    assert (response.status, response.body) == BAD_GATEWAY
    assert header(response, "x-amzn-ErrorType") == ["InternalServerErrorException"]


def test_a_malformed_response_says_so_in_the_decisions_in_awss_words():
    gateway = TestGateway(Functions({"no": "status"}))
    gateway.deploy({"/orders": (Method("GET", integration=LAMBDA),)})
    response = gateway.get()
    found = gateway.request_log.find(header(response, "x-amzn-RequestId")[0])
    assert (
        "Execution failed due to configuration error: Malformed Lambda proxy response"
        in found["decisions"][0]["verdict"]
    )


def test_a_function_that_fails_is_a_bad_gateway():
    response = answer({"errorMessage": "boom", "statusCode": 200}, function_error="Unhandled")
    assert (response.status, response.body) == BAD_GATEWAY


@pytest.mark.parametrize(
    "error",
    [
        AccessDeniedException("not allowed"),
        remote_error("TooManyRequestsException", 429, "Rate Exceeded."),
        remote_error("ResourceNotFoundException", 404, "Function not found"),
    ],
    ids=lambda error: error.code,
)
def test_a_function_that_may_not_or_cannot_be_invoked_is_a_configuration_error(error):
    response = answer(error)
    assert (response.status, response.body) == CONFIGURATION


@pytest.mark.parametrize("status", [200, 201, 204, 301, 404, 418, 599, "200", 200.0])
def test_the_status_is_the_functions(status):
    assert answer({"statusCode": status}).status == int(status)


def test_a_body_is_text_and_json_unless_the_function_says_otherwise():
    response = answer({"statusCode": 200, "body": "caf\u00e9"})
    assert response.body == "café".encode()
    assert header(response, "Content-Type") == ["application/json"]
    response = answer({"statusCode": 200, "headers": {"content-type": "text/html"}})
    assert header(response, "Content-Type") == ["text/html"]


def test_header_values_may_be_numbers_and_booleans_and_null_is_left_out():
    response = answer({"statusCode": 200, "headers": {"A": 1, "B": True, "C": None, "D": 1.5, "E": ""}})
    assert [header(response, name) for name in "ABCDE"] == [["1"], ["true"], [], ["1.5"], [""]]


def test_headers_and_lists_are_merged_and_the_same_pair_counts_once():
    response = answer(
        {
            "statusCode": 200,
            "headers": {"Set-Cookie": "c=3", "X-One": "1", "x-two": "b"},
            "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"], "X-Two": ["a", "b"]},
        }
    )
    assert header(response, "Set-Cookie") == ["a=1", "b=2", "c=3"]
    assert header(response, "X-One") == ["1"]
    assert header(response, "X-Two") == ["a", "b"]


def test_headers_that_api_gateway_keeps_for_itself_are_remapped_or_dropped():
    names = ("Date", "Server", "WWW-Authenticate", "Authorization", "User-Agent", "Connection", "Content-Length", "Via")
    response = answer({"statusCode": 401, "headers": dict.fromkeys(names, "v")})
    assert [header(response, f"x-amzn-Remapped-{name}") for name in names] == [["v"]] * 6 + [[], []]
    assert all(header(response, name) == [] for name in names)


PNG = b"\x89PNG\r\n"


@pytest.mark.parametrize(
    ("accept", "types", "is_decoded"),
    [
        ("image/png", ("image/png",), True),
        ("image/png,text/html", ("image/png",), True),
        ("text/html,image/png", ("image/png",), False),  # only the first media type counts
        ("*/*", ("*/*",), True),
        (None, ("*/*",), True),
        (None, ("image/png",), False),
        ("image/png", (), False),
    ],
)
def test_base64_bodies_are_decoded_for_clients_that_accept_a_binary_media_type(accept, types, is_decoded):
    encoded = base64.b64encode(PNG).decode()
    request = a_request(headers=(("Accept", accept),) if accept else ())
    response = answer({"statusCode": 200, "body": encoded, "isBase64Encoded": True}, request, binary_media_types=types)
    assert response.body == (PNG if is_decoded else encoded.encode())


def test_a_body_that_is_not_base64_though_it_says_so_is_a_configuration_error():
    response = answer({"statusCode": 200, "body": "%%%", "isBase64Encoded": True}, binary_media_types=("*/*",))
    assert response.status == 500


def test_a_function_that_takes_too_long_is_a_timeout_and_goes_on_running():
    gateway = TestGateway()
    functions = gateway.functions
    integration = Integration("AWS_PROXY", http_method="POST", uri=FUNCTION_URI, timeout_ms=50)
    gateway.deploy({"/orders": (Method("GET", integration=integration),)})

    async def scenario():
        functions.gate = asyncio.Event()
        response = await gateway.send(a_request())
        assert functions.ended == 0
        functions.gate.set()
        await until(lambda: functions.ended == 1)
        return response

    response = gateway.run(scenario)
    assert (response.status, response.body) == (504, b'{"message": "Endpoint request timed out"}')
    assert header(response, "x-amzn-ErrorType") == ["InternalServerErrorException"]


def test_the_function_gets_the_trace_and_a_request_id_of_its_own():
    gateway = TestGateway()
    gateway.deploy({"/orders": (Method("GET", integration=LAMBDA),)})
    response = gateway.answer(a_request(headers=(("X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793"),)))
    invocation = gateway.functions.invocations[0]
    assert invocation.function_arn == FUNCTION
    assert invocation.trace_id == "Root=1-5759e988-bd862e3fe1be46a994272793"
    assert header(response, "X-Amzn-Trace-Id") == [invocation.trace_id]
    assert invocation.request_id not in header(response, "x-amzn-RequestId")


@pytest.mark.parametrize(
    ("uri", "variables", "expected"),
    [
        (FUNCTION_URI, {}, FUNCTION),
        (
            FUNCTION_URI.replace("function:orders", "function:${stageVariables.fn}"),
            {"fn": "carts"},
            FUNCTION.replace("orders", "carts"),
        ),
        (FUNCTION_URI.replace("orders", "orders:live"), {}, f"{FUNCTION}:live"),
    ],
)
def test_the_function_is_found_in_the_uri(uri, variables, expected):
    assert function_arn(uri, a_stage(variables=variables)) == expected


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "http://example.com",
        FUNCTION,
        FUNCTION_URI.replace("/invocations", ""),
        FUNCTION_URI.replace("function:orders", "layer:orders"),
        FUNCTION_URI.replace("arn:aws:lambda", "arn:aws:s3"),
        FUNCTION_URI.replace("orders", "${stageVariables.absent}"),
    ],
)
def test_other_uris_are_refused_when_they_are_compiled(uri):
    with pytest.raises(MappingError):
        function_arn(uri, a_stage())


def test_a_signed_get_of_the_function_is_refused_when_it_is_compiled():
    response = answer({"statusCode": 200}, integration=Integration("AWS_PROXY", http_method="GET", uri=FUNCTION_URI))
    assert response.status == 500
