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
