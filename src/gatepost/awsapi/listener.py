"""How the AWS endpoint's listener is bounded, and what it says of requests that never reach a handler."""

from __future__ import annotations

from typing import Final

import orjson

from gatepost.awsapi.protocols.query import FORM_TYPE, error_document
from gatepost.kernel.ids import request_id as new_request_id
from gatepost.wire.limits import ListenerLimits, Reason, WireRefusal
from gatepost.wire.messages import Response

# Head and target are larger than the gateway's: session tokens and pre-signed URLs are long.
AWS_LIMITS: Final = ListenerLimits(head_bytes_max=64 * 1024, target_bytes_max=32 * 1024)

_TOLD: Final[dict[Reason, tuple[str, str]]] = {
    "malformed": ("MalformedHttpRequestException", "The request is not valid HTTP/1.1."),
    "version": ("MalformedHttpRequestException", "Use HTTP/1.1."),
    "host": ("MalformedHttpRequestException", "The request needs exactly one Host header."),
    "encoding": ("MalformedHttpRequestException", "The only transfer coding is chunked."),
    "expectation": ("MalformedHttpRequestException", "The only expectation is 100-continue."),
    "target_too_long": ("RequestEntityTooLargeException", "The path and query are too long."),
    "headers_too_large": ("RequestEntityTooLargeException", "The headers are too large."),
    "body_too_large": ("RequestEntityTooLargeException", "The request body is larger than this operation takes."),
    "timeout": ("RequestTimeoutException", "The request took too long to arrive."),
    "connections": ("ServiceUnavailable", "Too many connections are open."),
}


def refuse(refusal: WireRefusal) -> Response:
    """Make the response to a request that never reached the endpoint (`wire.server.Server(refuse=…)`)."""
    code, message = _TOLD[refusal.reason]
    request, request_id = refusal.request, new_request_id()
    if request is not None and (request.header(b"content-type") or b"").startswith(FORM_TYPE):
        return error_document(refusal.status, code, message, request_id)
    headers = [
        (b"x-amzn-RequestId", request_id.encode()),
        (b"x-amzn-ErrorType", code.encode()),
        (b"Content-Type", b"application/json"),
    ]
    return Response(refusal.status, headers, orjson.dumps({"__type": code, "message": message}))
