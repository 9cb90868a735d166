from __future__ import annotations

import pytest

from gatepost.gateway.exchange import CALLER
from gatepost.gateway.mapping import MappingError, compile_source, compile_values, resolve_stage_variables
from gatepost.kernel.operations import Principal
from tests.support.gateways import a_request, a_route, a_stage, an_exchange

REQUEST = a_request(
    "POST",
    "/prod/orders/a%20b?color=red&color=blue&empty=&n=50%25&plus=a+b;semi=1",
    (("X-One", "1"), ("X-Two", "a"), ("x-two", "b"), ("User-Agent", "curl/8")),
    b'{"order":{"items":[{"sku":"S-1","count":2}],"gift":true}}',
)


def value(expression, *, caller=None):
    exchange = an_exchange(REQUEST, route=a_route("/orders/{id}", "POST"), values=("a%20b",))
    if caller is not None:
        exchange.write(CALLER, caller)
    return compile_source(expression, a_stage(variables={"tier": "gold"}))(exchange)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'literal'", "literal"),
        ("'it''s'", "it''s"),
        ("''", ""),
        ("stageVariables.tier", "gold"),
        ("stageVariables.absent", None),
        ("method.request.path.id", "a b"),
        ("method.request.path.absent", None),
        ("method.request.querystring.color", "blue"),
        ("method.request.querystring.Color", None),
        ("method.request.querystring.empty", ""),
        ("method.request.querystring.n", "50%25"),
        ("method.request.querystring.plus", "a b"),
        ("method.request.querystring.semi", "1"),
        ("method.request.header.x-one", "1"),
        ("method.request.header.X-Two", "b"),
        ("method.request.header.absent", None),
        ("method.request.body.order.items[0].sku", "S-1"),
        ("method.request.body.order.items[0].count", "2"),
        ("method.request.body.order.gift", "true"),
        ("method.request.body.order.items[9].sku", None),
        ("method.request.body.order.gift.x", None),
        ("context.accountId", "123456789012"),
        ("context.apiId", "abc1234567"),
        ("context.stage", "prod"),
        ("context.deploymentId", "dep123"),
        ("context.domainName", "abc1234567.execute-api.us-east-1.localhost"),
        ("context.domainPrefix", "abc1234567"),
        ("context.extendedRequestId", "JKJaXmPLvHcESHA="),
        ("context.httpMethod", "POST"),
        ("context.identity.sourceIp", "198.51.100.7"),
        ("context.identity.userAgent", "curl/8"),
        ("context.identity.userArn", None),
        ("context.identity.apiKey", None),
        ("context.path", "/prod/orders/a%20b"),
        ("context.protocol", "HTTP/1.1"),
        ("context.requestId", "01234567-89ab-4cde-8f01-23456789abcd"),
        ("context.requestTime", "09/Oct/2025:08:53:20 +0000"),
        ("context.requestTimeEpoch", "1760000000123"),
        ("context.resourceId", "res123"),
        ("context.resourcePath", "/orders/{id}"),
    ],
)
def test_expressions_find_their_values(expression, expected):
    assert value(expression) == expected


def test_identity_is_the_caller_who_signed():
    caller = Principal("user", "123456789012", "arn:aws:iam::123456789012:user/alice", "AIDAX", "AKIAX")
    assert value("context.identity.userArn", caller=caller) == caller.arn
    assert value("context.identity.user", caller=caller) == "AIDAX"
    assert value("context.identity.caller", caller=caller) == "AIDAX"
    assert value("context.identity.accessKey", caller=caller) == "AKIAX"
    assert value("context.identity.accountId", caller=caller) == "123456789012"


def test_the_whole_body_is_a_value():
    assert value("method.request.body") == REQUEST.body.decode()


def test_a_body_that_is_an_array_is_indexed():
    exchange = an_exchange(a_request("POST", body=b'[{"sku": "S-1"}]'))
    assert compile_source("method.request.body[0].sku", a_stage())(exchange) == "S-1"


def test_multi_value_expressions_give_all_values():
    exchange = an_exchange(REQUEST)
    assert list(compile_values("method.request.multivaluequerystring.color", a_stage())(exchange)) == ["red", "blue"]
    assert list(compile_values("method.request.multivalueheader.X-Two", a_stage())(exchange)) == ["a", "b"]


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "nonsense",
        "method.request",
        "method.request.cookie.x",
        "method.request.header.",
        "method.request.body.$..x",
        "method.request.body.items[*]",
        "context.nothing.claims.sub",
        "context.nothing",
        "integration.response.header.x",
        "'open",
    ],
)
def test_expressions_that_mean_nothing_are_refused_when_they_are_compiled(expression):
    with pytest.raises(MappingError):
        compile_values(expression, a_stage())


def test_stage_variables_are_put_into_uris():
    stage = a_stage(variables={"host": "example.com", "fn": "orders"})
    assert (
        resolve_stage_variables("http://${stageVariables.host}/${stageVariables.fn}", stage)
        == "http://example.com/orders"
    )
    with pytest.raises(MappingError, match="stage variable absent is not set on stage prod"):
        resolve_stage_variables("${stageVariables.absent}", stage)
