"""The event of a function URL and the response of what a function returns (format 2.0)."""

from __future__ import annotations

import base64
import json

import pytest

from gatepost.gateway.function_url_event import MalformedResponse, render_event, response_of
from gatepost.kernel.operations import Principal
from gatepost.services.lambda_.model import FunctionUrl
from gatepost.wire.messages import Request

URL = FunctionUrl("arn:aws:lambda:us-east-1:123456789012:function:orders", "abc", "NONE", 0, 0)
DOMAIN = "abc.lambda-url.us-east-1.localhost"


def event_of(request: Request, caller: Principal | None = None) -> dict:
    return json.loads(
        render_event(
            URL, request, path=request.path, domain=DOMAIN, request_id="r-1", trace_root="Root=1-0-0",
            time_ms=1_583_348_638_390, caller=caller,
        )
    )  # fmt: skip


def test_the_event_is_that_of_format_2() -> None:
    headers = [
        (b"Host", b"abc.lambda-url.us-east-1.localhost:8080"),
        (b"X-One", b"a"),
        (b"x-one", b"b"),
        (b"Cookie", b"c1=1; c2=2"),
        (b"User-Agent", b"curl"),
        (b"Content-Type", b"application/json; charset=utf-8"),
        (b"X-Forwarded-For", b"10.0.0.1"),
    ]
    event = event_of(Request("POST", "/a%20b?x=1&x=2&y=%C3%BC+z", headers, b'{"k":1}', client_ip="127.0.0.9"))
    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/a%20b",
        "rawQueryString": "x=1&x=2&y=%C3%BC+z",
        "cookies": ["c1=1", "c2=2"],
        "headers": {
            "host": "abc.lambda-url.us-east-1.localhost:8080",
            "x-one": "a,b",
            "user-agent": "curl",
            "content-type": "application/json; charset=utf-8",
            "x-forwarded-for": "10.0.0.1, 127.0.0.9",
            "x-forwarded-port": "8080",
            "x-forwarded-proto": "http",
            "x-amzn-trace-id": "Root=1-0-0",
        },
        "queryStringParameters": {"x": "1,2", "y": "ü z"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": DOMAIN,
            "domainPrefix": "abc",
            "http": {
                "method": "POST",
                "path": "/a%20b",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.9",
                "userAgent": "curl",
            },
            "requestId": "r-1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "04/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1_583_348_638_390,
        },
        "body": '{"k":1}',
        "isBase64Encoded": False,
    }


def test_what_is_no_text_arrives_as_base64() -> None:
    for media in (b"image/png", b"application/x-www-form-urlencoded", b""):
        event = event_of(Request("POST", "/", [(b"Content-Type", media)] if media else [], b"\x00\xff"))
        assert (event["body"], event["isBase64Encoded"]) == (base64.b64encode(b"\x00\xff").decode(), True)


def test_who_has_signed_is_in_the_event() -> None:
    caller = Principal("user", "123456789012", "arn:aws:iam::123456789012:user/ana", "AIDA", "AKIA")
    context = event_of(Request("GET", "/", []), caller)["requestContext"]
    assert context["accountId"] == "123456789012"
    assert context["authorizer"]["iam"] == {
        "accessKey": "AKIA",
        "accountId": "123456789012",
        "callerId": "AIDA",
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": "arn:aws:iam::123456789012:user/ana",
        "userId": "AIDA",
    }


@pytest.mark.parametrize("payload", [b'{"message":"hi"}', b'"hi"', b"[1]", b"null"])
def test_json_without_a_status_is_the_body(payload: bytes) -> None:
    response = response_of(payload)
    assert (response.status, response.headers, response.body) == (
        200,
        [(b"content-type", b"application/json")],
        payload,
    )


def test_a_response_has_status_headers_cookies_and_body() -> None:
    returned = {
        "statusCode": "201",
        "headers": {"X-A": 1, "x-b": True, "Content-Type": "text/plain", "Connection": "close"},
        "cookies": ["a=1; Secure", "b=2"],
        "body": base64.b64encode(b"\x00").decode(),
        "isBase64Encoded": True,
    }
    response = response_of(json.dumps(returned).encode())
    assert (response.status, response.body) == (201, b"\x00")
    assert (b"X-A", b"1") in response.headers
    assert (b"x-b", b"true") in response.headers
    assert [value for name, value in response.headers if name == b"set-cookie"] == [b"a=1; Secure", b"b=2"]
    assert b"Connection" not in dict(response.headers)


@pytest.mark.parametrize(
    "returned",
    [
        {"statusCode": 99},
        {"statusCode": "x"},
        {"statusCode": True},
        {"statusCode": 200, "body": {}},
        {"statusCode": 200, "headers": []},
        {"statusCode": 200, "cookies": {}},
        {"statusCode": 200, "cookies": [1.5, None]},
        {"statusCode": 200, "headers": {"a": "b\r\nc: d"}},
        {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "body": "?", "isBase64Encoded": True},
    ],
)
def test_what_is_no_response_is_refused(returned) -> None:
    with pytest.raises(MalformedResponse):
        response_of(json.dumps(returned).encode())


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(MalformedResponse):
        response_of(b"<html>")
