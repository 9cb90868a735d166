from __future__ import annotations

import json

import pytest

from gatepost.gateway.access_log_format import compile_access_log_format
from gatepost.gateway.exchange import IntegrationCall
from gatepost.gateway.responses import BAD_REQUEST_BODY, INTEGRATION_TIMEOUT, Refusal
from gatepost.wire.messages import Response
from tests.support.gateways import a_request, a_route, a_stage, an_exchange


def line(text, *, status=200, exchange=None, **stage):
    given = exchange or an_exchange(route=a_route())
    return compile_access_log_format(text, a_stage(**stage)).render(given, Response(status, [], b"12345"))


def test_the_formats_of_awss_documentation_are_filled():
    exchange = an_exchange(a_request(client_ip="1.2.3.4"), route=a_route())
    exchange.latency_ns = 12_900_000
    common = (
        "$context.identity.sourceIp $context.identity.caller $context.identity.user [$context.requestTime]"
        '"$context.httpMethod $context.resourcePath $context.protocol" $context.status $context.responseLength '
        "$context.requestId $context.extendedRequestId"
    )
    assert line(common, exchange=exchange) == (
        '1.2.3.4 - - [09/Oct/2025:08:53:20 +0000]"GET /orders HTTP/1.1" 200 5 '
        f"{exchange.request_id} {exchange.extended_id}"
    )
    told = json.loads(line('{"status": $context.status, "latency": "$context.responseLatency"}', exchange=exchange))
    assert told == {"status": 200, "latency": "12"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("apiId", "abc1234567"),
        ("stage", "prod"),
        ("isCanaryRequest", "-"),
        ("authorizer.principalId", "-"),
        ("integrationLatency", "-"),
        ("integration.status", "-"),
        ("error.message", "-"),
        ("wafResponseCode", "-"),
        ("nothing.there", "-"),
        ("identity.userAgent", "-"),
    ],
)
def test_what_has_no_value_or_does_not_exist_is_a_dash(variable, value):
    assert line(f"a $context.{variable} b") == f"a {value} b"


def test_unknown_variables_are_named():
    made = compile_access_log_format("$context.requestId $context.none $context.status.", a_stage())
    assert made.unknown == ("none",)


def test_a_refusal_is_told_with_its_reasons():
    exchange = an_exchange()
    exchange.verdict = Refusal(BAD_REQUEST_BODY, validation_error='[object has "x"]').verdict
    names = ("message", "messageString", "responseType", "validationErrorString")
    text = "|".join(f"$context.error.{name}" for name in names)
    assert line(text, exchange=exchange) == (
        'Invalid request body|"Invalid request body"|BAD_REQUEST_BODY|[object has \\"x\\"]'
    )


def test_what_an_integration_did_is_told():
    exchange = an_exchange()
    exchange.integration_ns = 7_000_000
    exchange.call = IntegrationCall("https://lambda/", [], b"")
    exchange.call.answered(200, (), b"", "R-1")
    names = ("integration.latency", "integrationStatus", "integration.status", "integration.requestId")
    text = " ".join(f"$context.{name}" for name in names)
    assert line(text, status=404, exchange=exchange) == "7 200 404 R-1"
    exchange.verdict = Refusal(INTEGRATION_TIMEOUT).verdict
    assert line("$context.integration.error", exchange=exchange) == "Endpoint request timed out"
    exchange.call.error = "Unhandled"
    assert line("$context.integration.error", exchange=exchange) == "Unhandled"


def test_clients_cannot_forge_lines_or_break_json():
    exchange = an_exchange(a_request(headers=(("User-Agent", 'x"}\\y'),)))
    assert json.loads(line('{"agent": "$context.identity.userAgent"}', exchange=exchange)) == {"agent": 'x"}\\y'}
    exchange = an_exchange()
    exchange.full_path = "/a\nb"
    assert line("$context.path", exchange=exchange) == "/a\\nb"


def test_a_line_is_bounded():
    exchange = an_exchange()
    exchange.full_path = "/" + "a" * 300_000
    assert len(line("$context.path $context.path", exchange=exchange)) == 256 * 1024
