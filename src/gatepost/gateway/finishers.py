"""Finishers: what every answer of a REST API carries, refusals included."""

from __future__ import annotations

from gatepost.gateway.exchange import Exchange
from gatepost.gateway.trace import trace_root
from gatepost.wire.messages import Response


class RequestIdHeaders:
    """Adds `x-amzn-RequestId` and `x-amz-apigw-id`, by which people find a request in the logs.

    Once a backend has named the trace to its integration, the answer names it too, a refusal (504) included.
    """

    __slots__ = ()

    def finish(self, exchange: Exchange, response: Response) -> None:
        """Append the headers."""
        response.lines += b"\r\nx-amzn-RequestId: %b\r\nx-amz-apigw-id: %b" % (
            exchange.request_id.encode(),
            exchange.extended_id.encode(),
        )
        if exchange.is_traced:
            trace_root(exchange)
        if exchange.trace_root:
            response.lines += b"\r\nX-Amzn-Trace-Id: %b" % exchange.trace_root.encode("latin-1")

    def __repr__(self) -> str:
        return "RequestIdHeaders()"
