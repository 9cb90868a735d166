"""HTTP_PROXY: another HTTP server answers; method, query, headers and body pass through.

Parameter mappings (`integration.request.path.x`, `….querystring.x`, `….header.x`) are compiled at deployment and
win over what passes through. Which headers pass is in `headers.py`. The answer is taken whole (10 MB at most), as
AWS does in its BUFFERED mode: so the timeout counts for all of it.

Source: API Gateway developer guide, "Set up HTTP integrations in API Gateway"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html).
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ClassVar, Final
from urllib.parse import quote, unquote

from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.headers import (
    DROPPED_TO_HTTP,
    FORWARDED_NAMES,
    SIGNATURE,
    clean_field_value,
    forwarded,
    response_name,
)
from gatepost.gateway.mapped_request import MappedRequest, compile_mapped_request
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.plan import Backend
from gatepost.gateway.responses import (
    BAD_REQUEST,
    CONTENT_TYPE,
    Refusal,
)
from gatepost.gateway.route import Route, StageFacts
from gatepost.gateway.trace import TRACE_HEADER, trace_root
from gatepost.gateway.upstream_calls import (
    HttpProxyParts,
    UpstreamCalls,
    compile_upstream_calls,
)
from gatepost.kernel.tasks import Tasks
from gatepost.services.apigateway.deployment import Integration
from gatepost.wire.messages import Head, Headers, Request, Response
from gatepost.wire.outgoing import (
    IncomingResponse,
)

_SEGMENT_SAFE: Final = ":@!$&'()*+,;=-._~"
_PLAIN_CONNECTION: Final = frozenset({b"keep-alive", b"close", b""})
PRECISE_BELOW_MS: Final = 6_000
"""Below this timeout the time for a connection (3 s at most) is counted too, at the price of a task."""
_TYPE_LENGTH: Final = len(b"content-type")
_NO_CONTENT: Final = frozenset({204, 304})
_REPLACED: Final = FORWARDED_NAMES | {TRACE_HEADER, b"x-amzn-apigateway-api-id"}


class HttpProxy:
    """Sends the request to an upstream and answers with what it answers."""

    needs: ClassVar[Facts] = NO_FACTS

    def __init__(
        self,
        calls: UpstreamCalls,
        mapped: MappedRequest,
        parts: HttpProxyParts,
        *,
        api_id: str,
        drops_authorization: bool,
    ) -> None:
        self._calls = calls
        self._mapped = mapped
        self._passed = parts.passed
        self._client = calls.client
        self._api_header = (b"x-amzn-apigateway-api-id", api_id.encode())
        self._has_mapped_headers = bool(mapped.headers)
        own = {name.lower() for name in mapped.headers} | ({b"authorization"} if drops_authorization else set())
        self._dropped: frozenset[bytes] = DROPPED_TO_HTTP | _REPLACED | own
        self._rule = parts.passed.rule((self._dropped, api_id))

    def answer(self, exchange: Exchange) -> Coroutine[Any, Any, Response]:
        """Ask the upstream. Raises: Refusal."""
        request = exchange.request
        try:
            prepared = self._passed.of(request, self._rule, self._prepare)
        except ValueError as error:
            raise Refusal(BAD_REQUEST, detail=f"the request cannot be passed on: {error}") from error
        target = self._calls.target(exchange, self._query(exchange) if self._mapped.query else request.query)
        own = self._own_headers(exchange) if self._has_mapped_headers else []
        traced = b"%b\r\nX-Amzn-Trace-Id: %b" % (prepared, trace_root(exchange).encode("latin-1"))
        return self._calls.send(exchange, target, own, traced, request.body, self._response)

    def _query(self, exchange: Exchange) -> str:
        """Give the client's query without the names that are mapped, and the mapped ones after it."""
        query, mapped = exchange.request.query, self._mapped.query
        pieces = [
            piece
            for piece in query.split("&")
            if piece and unquote(piece.partition("=")[0].replace("+", " ")) not in mapped
        ]
        for name, values in mapped.items():
            pieces += [f"{quote(name, safe='')}={quote(value, safe='')}" for value in values(exchange)]
        return "&".join(pieces)

    def _own_headers(self, exchange: Exchange) -> Headers:
        """Give the mapped headers."""
        own: Headers = []
        for name, values in self._mapped.headers.items():
            own += [(name, clean_field_value(value)) for value in values(exchange)]
        return own

    def _prepare(self, request: Request) -> bytes:
        """Render the client's headers that pass, the X-Forwarded ones and the API's id."""
        dropped = self._dropped
        connection = request.header(b"connection")
        if connection is not None and connection.lower() not in _PLAIN_CONNECTION:
            dropped = dropped | {name.strip().lower() for name in connection.split(b",")}
        authorization = request.header(b"authorization")
        if authorization is not None and authorization.startswith(SIGNATURE):
            dropped = dropped | {b"authorization"}
        chain, port, scheme = forwarded(request)
        return self._client.prepare(
            [
                *(pair for pair in request.headers if pair[0].lower() not in dropped),
                (b"X-Forwarded-For", chain.encode("latin-1")),
                (b"X-Forwarded-Port", port.encode("latin-1")),
                (b"X-Forwarded-Proto", scheme.encode("latin-1")),
                self._api_header,
            ]
        )

    def _response(self, exchange: Exchange, incoming: IncomingResponse) -> Response:
        block = incoming.block
        head = block.passed
        if head is None or head.status != incoming.status:
            head = block.passed = _passed(incoming)
        stream = self._calls.timed(incoming, exchange.started_ns)
        response = Response(incoming.status, None, incoming.body, stream=stream, head=head)
        if exchange.method == "HEAD":
            length = incoming.header(b"content-length")
            if length is not None and length.isdigit():
                response.content_length = int(length)
        return response

    def __repr__(self) -> str:
        return f"HttpProxy({self._calls!r})"


def _passed(incoming: IncomingResponse) -> Head:
    """Give what of an answer's headers goes to the client."""
    headers: Headers = []
    has_type = incoming.status in _NO_CONTENT
    for name, value in incoming.block.split():
        sent_name = response_name(name)
        if sent_name is not None:
            headers.append((sent_name, value))
            if len(name) == _TYPE_LENGTH and name.lower() == b"content-type":
                has_type = True
    if not has_type:
        headers.append(CONTENT_TYPE)  # "API Gateway includes a Content-Type header for all integration responses"
    return Head(incoming.status, tuple(headers))


def compile_http_proxy(
    integration: Integration,
    stage: StageFacts,
    route: Route,
    parts: HttpProxyParts | None,
    *,
    tasks: Tasks,
    drops_authorization: bool,
) -> Backend:
    """Compile an HTTP_PROXY integration. Raises: MappingError when it cannot work."""
    if parts is None:
        raise MappingError("HTTP_PROXY: this gateway was built without an upstream client")
    if integration.content_handling:
        raise MappingError(f"contentHandling {integration.content_handling} has no meaning for a proxy")
    mapped = compile_mapped_request(integration, stage, route)
    calls = compile_upstream_calls(integration, stage, mapped, parts, tasks=tasks)
    return HttpProxy(calls, mapped, parts, api_id=stage.api_id, drops_authorization=drops_authorization)
