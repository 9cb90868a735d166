"""Function URLs through the gateway's door: addresses, who may, CORS, answers."""

from __future__ import annotations

import asyncio
import inspect
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.gateway.function_urls import FunctionUrlDoor, FunctionUrlParts, _fits
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.ports import StreamBroken
from gatepost.kernel.tasks import Tasks
from gatepost.security.sigv4 import sign
from gatepost.services.lambda_.model import FunctionUrl, ResourceNotFoundException, TooManyRequestsException
from gatepost.wire.messages import Request, Response
from tests.support.gateways import ACCOUNT, Functions
from tests.unit.gateway.guards.test_signature import KEYS, SECRET, signature_parts

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:orders"
HOST = "abc123.lambda-url.us-east-1.localhost:8080"
CORS = {
    "AllowOrigins": ["https://shop.example", "https://*.shop.example"],
    "AllowMethods": ["GET", "PUT"],
    "AllowHeaders": ["content-type", "x-*"],
    "ExposeHeaders": ["x-total"],
    "AllowCredentials": True,
    "MaxAge": 60,
}


def a_statement(action: str, **more):
    return {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": ARN, **more}


BY_URL = {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}
PUBLIC = (
    a_statement("lambda:InvokeFunctionUrl", Condition={"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}),
    a_statement("lambda:InvokeFunction", Condition=BY_URL),
)


def a_document(*statements) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Door:
    """A door with one function behind it."""

    def __init__(self, *statements, policies: str | None = None, returns=None, error: str = "", **url) -> None:
        self.clock = FixedClock()
        self.functions = Functions({"hello": "world"} if returns is None else returns, function_error=error)
        parts = FunctionUrlParts(
            self.clock, Tasks("test"), self.functions, lambda: "11111111-2222-4333-8444-555555555555",
            signature_parts(policies),
        )  # fmt: skip
        self.door = FunctionUrlDoor(parts)
        values = {"arn": ARN, "url_id": "abc123", "auth_type": "NONE", "created_at_ms": 0, "modified_at_ms": 0}
        self.door.changed(ARN, FunctionUrl(**{**values, **url}).to_json())
        self.door.policy_changed(ARN, {"policy": a_document(*statements) if statements else ""})

    def __call__(self, method: str = "GET", target: str = "/", body: bytes = b"", host: str = HOST, **headers):
        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        return self.send(Request(method, target, [(b"Host", host.encode()), *pairs], body))

    def signed(self, who: str = "alice", service: str = "lambda", target: str = "/", **changes) -> Response:
        settings = {"access_key_id": KEYS[who], "secret_access_key": SECRET, "region": "us-east-1"} | changes
        headers = sign(
            "GET", target, "", [("Host", HOST)], b"", service=service, now_ms=self.clock.now_ms(), **settings
        )
        return self.send(Request("GET", target, [(name.encode(), value.encode()) for name, value in headers]))

    def send(self, request: Request) -> Response:
        async def scenario() -> Response:
            addressed = self.door.find(request)
            assert addressed is not None
            answer = self.door.answer(request, addressed)
            return await answer if inspect.isawaitable(answer) else answer

        return asyncio.run(scenario())


def header(response: Response, name: str) -> str | None:
    found = [value.decode() for key, value in response.headers if key.decode().lower() == name.lower()]
    return found[0] if found else None


def message(response: Response) -> str:
    return json.loads(response.body)["Message"]


@pytest.mark.parametrize(
    ("host", "target", "path"),
    [
        (HOST, "/a/b", "/a/b"),
        ("abc123.lambda-url.us-east-1.on.aws", "/", "/"),
        ("127.0.0.1:8080", "/_aws/lambda-url/abc123/a/b", "/a/b"),
        ("127.0.0.1:8080", "/_aws/lambda-url/abc123", "/"),
    ],
)
def test_a_url_is_found_by_host_and_by_path(host: str, target: str, path: str) -> None:
    door = Door(*PUBLIC)
    assert door(host=host, target=target).body == b'{"hello":"world"}'
    assert door.functions.event["rawPath"] == path
    assert door.functions.event["requestContext"]["domainPrefix"] == "abc123"
    assert door.functions.invocations[0].function_arn == ARN


def test_what_is_no_url_is_not_found_and_what_is_for_apis_goes_on() -> None:
    door = Door(*PUBLIC)
    for host in ("other.lambda-url.us-east-1.localhost", HOST.replace("us-east-1", "eu-west-1"), "x.lambda-url.y.z"):
        assert door(host=host).status == 404
    assert door.door.find(Request("GET", "/", [(b"Host", b"a.execute-api.us-east-1.localhost")])) is None
    door.door.changed(ARN, None)
    assert door.door.find(Request("GET", "/", [(b"Host", HOST.encode())])) is None  # no URL is left


@pytest.mark.parametrize(
    "statements",
    [
        (),
        PUBLIC[:1],
        PUBLIC[1:],
        (a_statement("lambda:InvokeFunctionUrl", Condition={"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}),
         PUBLIC[1]),
        (*PUBLIC, a_statement("lambda:*") | {"Effect": "Deny"}),
    ],
)  # fmt: skip
def test_nobody_gets_in_unless_the_policy_allows_both_actions(statements) -> None:
    door = Door(*statements)
    response = door()
    assert (response.status, header(response, "x-amzn-ErrorType")) == (403, "AccessDeniedException")
    assert message(response).startswith("Forbidden")
    assert door.functions.invocations == []


MAY = a_document({"Effect": "Allow", "Action": ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"], "Resource": ARN})


def test_with_iam_the_signature_and_the_callers_policies_decide() -> None:
    door = Door(policies=MAY, auth_type="AWS_IAM")
    assert door.signed().status == 200
    context = door.functions.event["requestContext"]
    assert (context["accountId"], context["authorizer"]["iam"]["userArn"]) == (
        ACCOUNT,
        f"arn:aws:iam::{ACCOUNT}:user/alice",
    )
    assert door.signed("bob").status == 403  # of another account: the function's policy must allow it, too
    assert Door(auth_type="AWS_IAM").signed().status == 403
    assert len(door.functions.invocations) == 1


def test_with_iam_a_bad_signature_gets_nothing() -> None:
    door = Door(*PUBLIC, policies=MAY, auth_type="AWS_IAM")
    assert message(door()) == "Missing Authentication Token"
    for changes in ({"secret_access_key": "x"}, {"service": "execute-api"}, {"region": "eu-west-1"}):
        assert door.signed(**changes).status == 403
    assert message(door.signed(access_key_id="AKIANOBODY0000000000")).startswith("The security token")
    assert door.functions.invocations == []


def test_what_goes_wrong_in_the_function_is_502_and_throttling_429() -> None:
    assert message(Door(*PUBLIC, error="Unhandled")()) == "Internal Server Error"
    assert Door(*PUBLIC, error="Unhandled")().status == 502
    assert Door(*PUBLIC, returns=b"<html>")().status == 502
    assert Door(*PUBLIC, returns=ResourceNotFoundException("gone"))().status == 502
    busy = TooManyRequestsException("Rate Exceeded.", members={"Reason": "R", "Type": "User"})
    response = Door(*PUBLIC, returns=busy)()
    assert (response.status, json.loads(response.body)["Reason"]) == (429, "R")


def test_a_request_that_is_too_large_does_not_reach_the_function() -> None:
    door = Door(*PUBLIC)
    assert door("POST", body=b"x" * (6 * 1024 * 1024)).status == 413
    assert door.functions.invocations == []


def test_a_preflight_is_answered_without_the_function() -> None:
    door = Door(cors=CORS)  # and without any permission
    asked = {
        "Origin": "https://a.shop.example",
        "Access_Control_Request_Method": "PUT",
        "Access_Control_Request_Headers": "content-type, x-mine",
    }
    response = door("OPTIONS", **asked)
    assert response.status == 200
    assert dict(response.headers) == {
        b"Vary": b"Origin",
        b"Access-Control-Allow-Origin": b"https://a.shop.example",
        b"Access-Control-Allow-Credentials": b"true",
        b"Access-Control-Expose-Headers": b"x-total",
        b"Access-Control-Allow-Methods": b"PUT",
        b"Access-Control-Allow-Headers": b"content-type,x-mine",
        b"Access-Control-Max-Age": b"60",
    }
    for wrong in ({"Origin": "https://evil.example"}, {"Access_Control_Request_Method": "DELETE"}):
        response = door("OPTIONS", **{**asked, **wrong})
        assert dict(response.headers) == {b"Vary": b"Origin"}
    response = door("OPTIONS", **{**asked, "Access_Control_Request_Headers": "content-type, authorization"})
    assert header(response, "Access-Control-Allow-Headers") is None
    assert door.functions.invocations == []


def test_without_cors_the_function_sees_to_it() -> None:
    door = Door(*PUBLIC, returns={"statusCode": 204, "headers": {"Access-Control-Allow-Origin": "*"}})
    response = door("OPTIONS", Origin="https://x", Access_Control_Request_Method="GET")
    assert (response.status, header(response, "Access-Control-Allow-Origin")) == (204, "*")


def test_the_urls_cors_stands_above_the_functions() -> None:
    returns = {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*", "X-A": "1"}, "body": ""}
    door = Door(*PUBLIC, returns=returns, cors=CORS)
    response = door(Origin="https://shop.example")
    assert header(response, "Access-Control-Allow-Origin") == "https://shop.example"
    assert header(response, "X-A") == "1"
    assert header(door(Origin="https://evil.example"), "Access-Control-Allow-Origin") is None
    everyone = Door(*PUBLIC, cors={"AllowOrigins": ["*"]})
    assert header(everyone(Origin="https://any.example"), "Access-Control-Allow-Origin") == "*"


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("https://*.shop.example", "https://a.shop.example", True),
        ("https://*.shop.example", "https://a.b.shop.example", True),
        ("https://*.shop.example", "https://shop.example", False),
        ("https://*.shop.example", "https://evil/.shop.example", False),
        ("https://*.shop.example", "https://a.shop.example.evil", False),
        ("https://*", "http://shop.example", False),
        ("https://a*a", "https://a", False),
        ("https://a*a", "https://aa", True),
        ("https://*a*b*", "https://xbxa", False),
        ("x-*", "x-", True),
        ("https://shop.example", "https://shop.example", False),  # without a star there is nothing to fit
    ],
)
def test_a_star_stands_for_anything_but_a_slash(pattern: str, value: str, expected: bool) -> None:
    assert _fits(pattern, value) == expected


@given(st.text("ab/*", max_size=8), st.text("ab/", max_size=8))
def test_stars_are_what_a_regular_expression_says_without_its_cost(pattern: str, value: str) -> None:
    expected = "*" in pattern and re.fullmatch(re.escape(pattern).replace(r"\*", "[^/]*"), value) is not None
    assert _fits(pattern, value) == expected


PRELUDE = b'{"statusCode":201,"headers":{"x-a":"1"},"cookies":["c=1"]}' + bytes(8)


def sent(response: Response) -> bytes:
    async def read() -> bytes:
        assert response.stream is not None
        return b"".join([piece async for piece in response.stream])

    return asyncio.run(read())


def test_a_streamed_answer_has_its_metadata_as_head_and_the_rest_as_body() -> None:
    door = Door(*PUBLIC, returns=[PRELUDE, b"a", b"b"], invoke_mode="RESPONSE_STREAM", cors=CORS)
    response = door(origin="https://shop.example")
    assert (response.status, header(response, "x-a"), header(response, "set-cookie")) == (201, "1", "c=1")
    assert header(response, "access-control-allow-origin") == "https://shop.example"
    assert sent(response) == b"ab"


def test_a_streamed_answer_without_metadata_is_the_body() -> None:
    door = Door(*PUBLIC, returns=[b"a", b"b"], invoke_mode="RESPONSE_STREAM")
    door.functions.content_type = "text/event-stream"
    response = door()
    assert (response.status, header(response, "content-type"), sent(response)) == (200, "text/event-stream", b"ab")
    door.functions.content_type = "text/plain\r\nx: y"
    assert header(door(), "content-type") == "application/octet-stream"


@pytest.mark.parametrize("pieces", [[None], [b"{}"], [b'{"statusCode":99}' + bytes(8), b"a"], [PRELUDE[:9], None]])
def test_a_stream_that_fails_before_its_body_is_502(pieces) -> None:
    assert Door(*PUBLIC, returns=pieces, invoke_mode="RESPONSE_STREAM")().status == 502


def test_a_stream_that_fails_later_is_broken_off() -> None:
    response = Door(*PUBLIC, returns=[PRELUDE, b"a", None], invoke_mode="RESPONSE_STREAM")()
    with pytest.raises(StreamBroken):
        sent(response)


def test_throttling_is_429_for_streams_too() -> None:
    refused = TooManyRequestsException(
        "Rate Exceeded.", members={"Reason": "ReservedFunctionConcurrentInvocationLimit"}
    )
    assert Door(*PUBLIC, returns=refused, invoke_mode="RESPONSE_STREAM")().status == 429
