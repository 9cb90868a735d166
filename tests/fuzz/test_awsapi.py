"""No input, however broken, makes the AWS endpoint fail, hang or let anyone in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.kernel.clock import FixedClock
from gatepost.security.sigv4 import sign
from gatepost.wire.messages import Request, Response
from tests.support.aws_endpoints import an_endpoint, answer_of
from tests.support.toys import SECRET, a_provider

CLOCK = FixedClock()


def nothing(call: Any, params: Any) -> dict[str, Any]:
    return {}


ENDPOINT = an_endpoint(
    a_provider("dynamodb", wire_json=("PutItem",), PutItem=nothing, ListBackups=nothing),
    a_provider("logs", PutLogEvents=nothing),
    a_provider("iam", CreateUser=nothing),
    a_provider("cloudformation", CreateStack=nothing),
    a_provider("lambda", CreateFunction=nothing, ListFunctions=nothing),
    a_provider("apigateway", ImportRestApi=nothing, CreateRestApi=nothing, UpdateStage=nothing),
    a_provider("cloudwatch", PutMetricData=nothing),
    clock=CLOCK,
)
FORM = "application/x-www-form-urlencoded"
DOORS = [
    ("POST", "/", "dynamodb", {"X-Amz-Target": "DynamoDB_20120810.PutItem"}),
    ("POST", "/", "dynamodb", {"X-Amz-Target": "DynamoDB_20120810.ListBackups"}),
    ("POST", "/", "logs", {"X-Amz-Target": "Logs_20140328.PutLogEvents"}),
    ("POST", "/", "iam", {"Content-Type": FORM}),
    ("POST", "/", "cloudformation", {"Content-Type": FORM}),
    ("POST", "/2015-03-31/functions", "lambda", {}),
    ("POST", "/restapis?mode=import", "apigateway", {}),
    ("POST", "/restapis", "apigateway", {}),
    ("PATCH", "/restapis/a/stages/b", "apigateway", {}),
    (
        "POST",
        "/service/GraniteServiceVersion20100801/operation/PutMetricData",
        "monitoring",
        {"smithy-protocol": "rpc-v2-cbor"},
    ),
    ("POST", "/_gatepost/operations/dynamodb/PutItem", "gatepost", {}),
    ("POST", "/_gatepost/operations/lambda/CreateFunction", "gatepost", {}),
]

names = st.sampled_from(
    [
        "TableName",
        "Item",
        "S",
        "N",
        "B",
        "L",
        "M",
        "Limit",
        "name",
        "tags",
        "logEvents",
        "timestamp",
        "FunctionName",
        "Code",
    ]
) | st.text(max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
bodies = (
    st.binary(max_size=60)
    | values.map(lambda value: json.dumps(value).encode())
    | st.lists(st.tuples(names, st.text(max_size=5)), max_size=5).map(
        lambda pairs: (
            "Action=CreateUser&Version=2010-05-08&" + "&".join(f"{n}.member.1={v}" for n, v in pairs)
        ).encode()
    )
)


def signed(method: str, target: str, service: str, headers: dict[str, str], body: bytes) -> Request:
    path, _, query = target.partition("?")
    sent = sign(
        method,
        path,
        query,
        [("Host", "localhost"), *headers.items()],
        body,
        access_key_id="AKIATESTADMIN",
        secret_access_key=SECRET,
        region="us-east-1",
        service=service,
        now_ms=CLOCK.now_ms(),
    )
    return Request(method, target, [(n.encode(), v.encode()) for n, v in sent], body)


def answered(request: Request) -> Response:
    response = answer_of(ENDPOINT, request)
    assert response.status != 500, response.body
    return response


@settings(max_examples=400, deadline=None)
@given(door=st.sampled_from(DOORS), body=bodies)
def test_no_signed_body_makes_an_operation_fail(door: Any, body: bytes) -> None:
    answered(signed(*door, body))


targets = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40).map(lambda text: "/" + text)
header_names = st.sampled_from(
    [
        "authorization",
        "x-amz-date",
        "x-amz-target",
        "content-type",
        "host",
        "origin",
        "smithy-protocol",
        "x-amz-security-token",
        "content-encoding",
    ]
)
header_values = st.sampled_from(
    [
        "AWS4-HMAC-SHA256 Credential=AKIATESTADMIN/20251009/us-east-1/iam/aws4_request, SignedHeaders=host, Signature="
        + "0" * 64,
        "20251009T085320Z",
        "DynamoDB_20120810.PutItem",
        FORM,
        "localhost",
        "gzip",
        "rpc-v2-cbor",
    ]
) | st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
queries = st.sampled_from(
    [
        "Action=GetUser",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "X-Amz-Credential=a/b/c/d/e",
        "X-Amz-Date=x",
        "X-Amz-Expires=9",
        "X-Amz-Signature=0",
        "%ff=%",
    ]
)


@settings(max_examples=400, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "X"]),
    target=targets,
    query=st.lists(queries, max_size=6),
    headers=st.lists(st.tuples(header_names, header_values), max_size=6),
    body=st.binary(max_size=30),
)
def test_nobody_gets_in_without_a_signature(
    method: str, target: str, query: list[str], headers: Any, body: bytes
) -> None:
    target += ("&" if "?" in target else "?") + "&".join(query) if query else ""
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    response = answered(Request(method, target, sent, body))
    assert response.status >= 400


@pytest.mark.soak
@settings(max_examples=20_000, deadline=None)
@given(door=st.sampled_from(DOORS), body=bodies)
def test_no_signed_body_makes_an_operation_fail_for_long(door: Any, body: bytes) -> None:
    answered(signed(*door, body))
