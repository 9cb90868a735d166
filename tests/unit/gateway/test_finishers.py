from __future__ import annotations

from gatepost.gateway.finishers import RequestIdHeaders
from gatepost.wire.messages import Response
from tests.support.gateways import an_exchange, header


def test_every_answer_gets_both_ids_after_its_own_headers():
    response = Response(200, [(b"Content-Type", b"text/plain")])
    exchange = an_exchange()
    RequestIdHeaders().finish(exchange, response)
    assert header(response, "x-amzn-RequestId") == [exchange.request_id]
    assert header(response, "x-amz-apigw-id") == [exchange.extended_id]
    assert response.headers[0] == (b"Content-Type", b"text/plain")


def test_the_trace_is_named_once_the_integration_knows_it():
    for root, expected in (("", []), ("Root=1-5759e988-bd862e3fe1be46a994272793",) * 2):
        exchange, response = an_exchange(), Response(504)
        exchange.trace_root = root
        RequestIdHeaders().finish(exchange, response)
        assert header(response, "X-Amzn-Trace-Id") == ([expected] if expected else [])
