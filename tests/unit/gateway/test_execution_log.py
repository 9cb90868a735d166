from __future__ import annotations

from gatepost.gateway.exchange import IntegrationCall
from gatepost.gateway.execution_log import BODY_CHARACTERS_MAX, error_lines, execution_lines
from gatepost.gateway.responses import API_CONFIGURATION_ERROR, BAD_REQUEST_BODY, Refusal
from gatepost.wire.messages import Response
from tests.support.gateways import a_request, a_route, an_exchange


def said(exchange, status=200, *, data=False):
    lines = execution_lines(exchange, Response(status, [(b"X-A", b"1")], b"answer"), is_data_traced=data)
    return [line.removeprefix(f"({exchange.request_id}) ") for line in lines]


def test_a_call_is_told_in_awss_order():
    exchange = an_exchange(a_request("GET", "/prod/orders/7?q=a"), route=a_route("/orders/{id}"), values=("7",))
    exchange.integration_ns = 12_000_000
    exchange.call = IntegrationCall("http://h:80/x", [(b"Accept", b"*/*")], b"sent")
    exchange.call.answered(201, [(b"X-B", b"2")], b"received", "R-9")
    assert said(exchange, data=True) == [
        f"Extended Request Id: {exchange.extended_id}",
        f"Starting execution for request: {exchange.request_id}",
        "HTTP Method: GET, Resource Path: /orders/{id}",
        "Method request path: {id=7}",
        "Method request query string: {q=a}",
        "Method request headers: {Host=abc1234567.execute-api.us-east-1.localhost:8080}",
        "Method request body before transformations: ",
        "Endpoint request URI: http://h:80/x",
        "Endpoint request headers: {Accept=*/*}",
        "Endpoint request body after transformations: sent",
        "Sending request to http://h:80/x",
        "Received response. Status: 201, Integration latency: 12 ms",
        "Endpoint response headers: {X-B=2}",
        "Endpoint response body before transformations: received",
        "AWS Integration Endpoint RequestId : R-9",
        "Method response body after transformations: answer",
        "Method response headers: {X-A=1}",
        "Successfully completed execution",
        "Method completed with status: 200",
    ]


def test_a_refusal_says_why():
    exchange = an_exchange(route=a_route())
    exchange.verdict = Refusal(BAD_REQUEST_BODY, detail="[x]", validation_error="[x]").verdict
    assert said(exchange, 400)[-4:] == [
        "Request body does not match model schema for content type: [x]",
        "Execution failed: [x]",
        "Gateway response type: BAD_REQUEST_BODY with status code: 400",
        "Method completed with status: 400",
    ]


def test_only_failures_have_error_lines():
    exchange = an_exchange()
    assert error_lines(exchange, Response(404)) == []
    assert error_lines(exchange, Response(502))[-1].endswith("Method completed with status: 502")
    exchange.verdict = Refusal(API_CONFIGURATION_ERROR, detail="Execution failed due to x").verdict
    assert error_lines(exchange, Response(500))[0].endswith(") Execution failed due to x")


def test_bodies_are_cut():
    exchange = an_exchange(a_request(body=b"a" * 5000))
    longest = max(said(exchange, data=True), key=len)
    assert BODY_CHARACTERS_MAX < len(longest) < BODY_CHARACTERS_MAX + 100
