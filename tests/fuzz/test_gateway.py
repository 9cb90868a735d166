"""Whatever a client sends, a function returns or an upstream answers, nobody gets past a plan and no plan breaks."""

from __future__ import annotations

import logging

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.gateway.headers import is_field_value, is_token
from gatepost.services.apigateway.deployment import Integration, Method
from tests.support.gateways import LAMBDA, MOCK, TestGateway, Upstreams, a_request, an_answer, headers_of

PROXY = Integration(
    "HTTP_PROXY",
    http_method="ANY",
    uri="http://backend.example/{proxy}",
    request_parameters={
        "integration.request.path.proxy": "method.request.path.proxy",
        "integration.request.header.X-Q": "method.request.querystring.q",
        "integration.request.querystring.b": "method.request.body.a[0]",
    },
)
ROUTES = {
    "/m/{a}": (Method("ANY", integration=MOCK),),
    "/f/{a}/{b+}": (Method("ANY", integration=LAMBDA),),
    "/u/{proxy+}": (Method("ANY", integration=PROXY),),
}

VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#")
TARGETS = st.builds(
    "/prod/{}/{}".format, st.sampled_from(["m", "f", "u", "f/x", "u/%2e%2e", ""]), st.text(VISIBLE, max_size=30)
)
NAMES = st.sampled_from(
    ["Content-Type", "Accept", "X-Forwarded-For", "X-Amzn-Trace-Id", "Connection", "Authorization", "User-Agent", "X"]
)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30)
REQUESTS = st.builds(
    a_request,
    st.sampled_from(["GET", "POST", "HEAD", "PUT", "TRACE"]),
    TARGETS,
    st.lists(st.tuples(NAMES, VALUES), max_size=5).map(tuple),
    st.binary(max_size=40),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
RETURNS = st.one_of(
    JSON,
    st.fixed_dictionaries(
        {},
        optional={
            "statusCode": st.one_of(st.sampled_from([200, "404", 204, 99, 1e3]), JSON),
            "headers": st.one_of(st.dictionaries(NAMES | st.text(max_size=6), VALUES | JSON, max_size=3), JSON),
            "multiValueHeaders": st.one_of(st.dictionaries(NAMES, st.lists(VALUES | JSON, max_size=3)), JSON),
            "body": st.one_of(st.text(max_size=20), JSON),
            "isBase64Encoded": st.one_of(st.booleans(), JSON),
        },
    ),
    st.binary(max_size=30),
)


def check_nothing_broke(gateway, request, caplog):
    caplog.clear()
    response = gateway.answer(request)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert gateway.failures.count == 0
    assert 200 <= response.status <= 599
    for name, value in response.headers:
        assert is_token(name)
        assert is_field_value(value)
    orjson.loads(gateway.lines[-1].splitlines()[-1])
    return response


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=REQUESTS)
def test_any_request_gets_an_answer(request, caplog):
    gateway = TestGateway()
    gateway.deploy(ROUTES, binary_media_types=("image/*",))
    check_nothing_broke(gateway, request, caplog)
    for invocation in gateway.functions.invocations:
        event = orjson.loads(invocation.payload)
        assert set(event["headers"]) == set(event["multiValueHeaders"])
    for sent in gateway.upstreams.requests:
        assert all(is_field_value(value) for _, value in headers_of(sent))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(returns=RETURNS)
def test_any_return_value_of_a_function_is_an_answer_or_a_bad_gateway(returns, caplog):
    gateway = TestGateway()
    gateway.functions.returns = returns
    gateway.deploy(ROUTES, binary_media_types=("*/*",))
    check_nothing_broke(gateway, a_request(target="/prod/f/a/b"), caplog)


HEADERS = st.lists(st.tuples(NAMES, VALUES.filter(lambda value: "\x85" not in value)), max_size=5).map(tuple)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(status=st.integers(200, 599), headers=HEADERS, body=st.binary(max_size=20))
def test_any_answer_of_an_upstream_passes(status, headers, body, caplog):
    gateway = TestGateway(upstreams=Upstreams(lambda _request: an_answer(status, headers, body)))
    gateway.deploy(ROUTES)
    assert check_nothing_broke(gateway, a_request(target="/prod/u/a"), caplog).status == status


@pytest.mark.soak
@settings(max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=REQUESTS, returns=RETURNS)
def test_any_request_and_any_return_value_for_long(request, returns, caplog):
    gateway = TestGateway()
    gateway.functions.returns = returns
    gateway.deploy(ROUTES, binary_media_types=("image/*",))
    check_nothing_broke(gateway, request, caplog)
