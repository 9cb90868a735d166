"""HTTP_PROXY: another HTTP server answers; method, query, headers and body pass through.

Parameter mappings (`integration.request.path.x`, `….querystring.x`, `….header.x`) are compiled at deployment and
win over what passes through. Which headers pass is in `headers.py`. The answer is taken whole (10 MB at most), as
AWS does in its BUFFERED mode: so the timeout counts for all of it.

Source: API Gateway developer guide, "Set up HTTP integrations in API Gateway"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Protocol
from urllib.parse import quote, unquote

from gatepost.gateway.deadline import DeadlinePassed, within
from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.headers import (
    DROPPED_TO_HTTP,
    FORWARDED_NAMES,
    SIGNATURE,
    clean_field_value,
    forwarded,
    is_token,
    response_name,
)
from gatepost.gateway.mapping import MappingError, Values, compile_values
from gatepost.gateway.passed_headers import PassedHeaders
from gatepost.gateway.plan import Backend
from gatepost.gateway.responses import (
    API_CONFIGURATION_ERROR,
    BAD_REQUEST,
    CONTENT_TYPE,
    INTEGRATION_FAILURE,
    INTEGRATION_TIMEOUT,
    Refusal,
)
from gatepost.gateway.route import Route, StageFacts
from gatepost.gateway.trace import TRACE_HEADER, trace_root
from gatepost.gateway.upstreams import AddressPolicy, Upstream, parse_upstream
from gatepost.kernel.clock import Clock
from gatepost.kernel.limits import API_GATEWAY_BODY_BYTES_MAX
from gatepost.kernel.tasks import Tasks
from gatepost.services.apigateway.deployment import Integration
from gatepost.wire.messages import HeaderBlock, Headers, Request, Response
from gatepost.wire.outgoing import (
    AddressRefused,
    IncomingResponse,
    NameUnknown,
    OutgoingRequest,
    UpstreamError,
    UpstreamTimedOut,
)

_SEGMENT_SAFE: Final = ":@!$&'()*+,;=-._~"
_PLAIN_CONNECTION: Final = frozenset({b"keep-alive", b"close", b""})
PRECISE_BELOW_MS: Final = 6_000
"""Below this timeout the time for a connection (3 s at most) is counted too, at the price of a task."""
_TYPE_LENGTH: Final = len(b"content-type")
_NO_CONTENT: Final = frozenset({204, 304})
_REPLACED: Final = FORWARDED_NAMES | {TRACE_HEADER, b"x-amzn-apigateway-api-id"}


class Sender(Protocol):
    """Sends requests to other servers: `wire.client.Client`."""

    def prepare(self, headers: Headers) -> bytes:
        """Render headers that many requests share. Raises: ValueError when they cannot be sent."""
        ...

    def send(self, request: OutgoingRequest) -> Coroutine[Any, Any, IncomingResponse]:
        """Send `request` and give its answer. Raises: UpstreamError; ValueError when it cannot be sent."""
        ...


@dataclass(frozen=True, slots=True)
class HttpProxyParts:
    """What HTTP_PROXY integrations use.

    `unverified_client` is for integrations with tlsConfig.insecureSkipVerification. `own_listener` gives host and
    port of this gateway when `{api}.execute-api.….amazonaws.com` is one of its own APIs, else None: names of local
    resources are never contacted outside.
    """

    client: Sender
    clock: Clock
    policy: AddressPolicy = field(default_factory=AddressPolicy)
    unverified_client: Sender | None = None
    own_listener: Callable[[str], tuple[str, int] | None] = lambda _api_id: None
    passed: PassedHeaders[bytes] = field(default_factory=PassedHeaders)


@dataclass(frozen=True, slots=True)
class _Mapped:
    """Compiled request parameters. `raw_path` are path variables that are the route's own, still encoded."""

    raw_path: Mapping[str, int]
    path: Mapping[str, Values]
    query: Mapping[str, Values]
    headers: Mapping[bytes, Values]


class HttpProxy:
    """Sends the request to an upstream and answers with what it answers."""

    needs: ClassVar[Facts] = NO_FACTS

    def __init__(
        self,
        upstream: Upstream,
        mapped: _Mapped,
        parts: HttpProxyParts,
        client: Sender,
        tasks: Tasks,
        *,
        api_id: str,
        method: str,
        timeout_ms: int,
        drops_authorization: bool,
    ) -> None:
        self._upstream = upstream
        self._mapped = mapped
        self._parts = parts
        self._client = client
        self._tasks = tasks
        self._passed = parts.passed
        self._clock = parts.clock
        self._method = method
        self._timeout_ms = timeout_ms
        self._api_header = (b"x-amzn-apigateway-api-id", api_id.encode())
        self._has_mapped_headers = bool(mapped.headers)
        own = {name.lower() for name in mapped.headers} | ({b"authorization"} if drops_authorization else set())
        self._dropped: frozenset[bytes] = DROPPED_TO_HTTP | _REPLACED | own
        self._rule = parts.passed.rule((self._dropped, api_id))

    def answer(self, exchange: Exchange) -> Coroutine[Any, Any, Response]:
        """Ask the upstream. Raises: Refusal."""
        return self._answer(exchange)

    async def _answer(self, exchange: Exchange) -> Response:
        upstream, request = self._upstream, exchange.request
        host, port, is_tls = upstream.host, upstream.port, upstream.is_tls
        try:
            prepared = self._passed.of(request, self._rule, self._prepare)
        except ValueError as error:
            raise Refusal(BAD_REQUEST, detail=f"the request cannot be passed on: {error}") from error
        headers = self._headers(exchange)
        if upstream.alias_api_id and (own := self._parts.own_listener(upstream.alias_api_id)) is not None:
            host, port = own
            is_tls = False
            headers.append((b"Host", upstream.host.encode()))
        outgoing = OutgoingRequest(
            self._method or exchange.method,
            host,
            port,
            self._target(exchange),
            headers,
            request.body,
            is_tls=is_tls,
            read_ms=self._timeout_ms,
            body_bytes_max=API_GATEWAY_BODY_BYTES_MAX,
            prepared=prepared,
        )
        started = self._clock.monotonic_ns()
        try:
            if self._timeout_ms < PRECISE_BELOW_MS:
                incoming = await within(
                    self._client.send(outgoing),
                    timeout_ms=self._timeout_ms,
                    tasks=self._tasks,
                    name="send",
                    failures=UpstreamError,
                )
            else:
                incoming = await self._client.send(outgoing)
        except DeadlinePassed as passed:
            raise Refusal(INTEGRATION_TIMEOUT, detail=f"Execution failed due to a timeout error: {passed}") from passed
        except UpstreamError as error:
            raise _refusal(error) from error
        except ValueError as error:
            raise Refusal(BAD_REQUEST, detail=f"the request cannot be passed on: {error}") from error
        finally:
            exchange.integration_ns = self._clock.monotonic_ns() - started
        return self._response(exchange, incoming)

    def _target(self, exchange: Exchange) -> str:
        pieces = self._upstream.path
        target = pieces[0] if len(pieces) == 1 else self._filled(exchange)
        query = exchange.request.query
        mapped = self._mapped.query
        if mapped:
            query = self._mapped_query(exchange, query)
        static = self._upstream.query
        if static:
            query = f"{static}&{query}" if query else static
        return f"{target}?{query}" if query else target

    def _filled(self, exchange: Exchange) -> str:
        filled = []
        for position, piece in enumerate(self._upstream.path):
            if position % 2 == 0:
                filled.append(piece)
            elif piece in self._mapped.raw_path:
                filled.append(_checked(exchange.values[self._mapped.raw_path[piece]]))
            else:
                values = self._mapped.path[piece](exchange)
                filled.append(_checked(quote(values[-1] if values else "", safe=_SEGMENT_SAFE)))
        return "".join(filled)

    def _mapped_query(self, exchange: Exchange, query: str) -> str:
        """Give the client's query without the names that are mapped, and the mapped ones after it."""
        mapped = self._mapped.query
        pieces = [
            piece
            for piece in query.split("&")
            if piece and unquote(piece.partition("=")[0].replace("+", " ")) not in mapped
        ]
        for name, values in mapped.items():
            pieces += [f"{quote(name, safe='')}={quote(value, safe='')}" for value in values(exchange)]
        return "&".join(pieces)

    def _headers(self, exchange: Exchange) -> Headers:
        """Give the headers that are this request's own."""
        own: Headers = [(b"X-Amzn-Trace-Id", trace_root(exchange).encode("latin-1"))]
        if self._has_mapped_headers:
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
        passed = block.passed
        if passed is None:
            passed = block.passed = _passed(block)
        headers = passed[0].copy()
        if not passed[1] and incoming.status not in _NO_CONTENT:
            headers.append(CONTENT_TYPE)  # "API Gateway includes a Content-Type header for all integration responses"
        response = Response(incoming.status, headers, incoming.body)
        if exchange.method == "HEAD":
            length = incoming.header(b"content-length")
            if length is not None and length.isdigit():
                response.content_length = int(length)
        return response

    def __repr__(self) -> str:
        path = "".join(piece if at % 2 == 0 else f"{{{piece}}}" for at, piece in enumerate(self._upstream.path))
        return f"HttpProxy({self._method or 'ANY'} {self._upstream}{path}, {self._timeout_ms} ms)"


def _checked(value: str) -> str:
    """Let a path variable pass unless it climbs out of its place: `..` is refused in every spelling.

    Java's servers take `..;x` for `..`: they read what follows a semicolon as the segment's parameters.
    """
    if "." in value or "%2" in value:
        for segment in unquote(value).replace("\\", "/").split("/"):
            if segment.partition(";")[0] in ("..", "."):
                raise Refusal(BAD_REQUEST, detail=f"path parameter {value!r} holds a dot segment")
    return value


def _passed(block: HeaderBlock) -> tuple[Headers, bool]:
    """Give what of an answer's headers goes to the client, and whether a Content-Type is among them."""
    headers: Headers = []
    has_type = False
    for name, value in block.split():
        sent_name = response_name(name)
        if sent_name is not None:
            headers.append((sent_name, value))
            if len(name) == _TYPE_LENGTH and name.lower() == b"content-type":
                has_type = True
    return headers, has_type


def _refusal(error: UpstreamError) -> Refusal:
    if isinstance(error, UpstreamTimedOut):
        return Refusal(INTEGRATION_TIMEOUT, detail=f"Execution failed due to a timeout error: {error}")
    if isinstance(error, AddressRefused | NameUnknown):
        return Refusal(API_CONFIGURATION_ERROR, detail=f"Invalid endpoint address: {error}")
    return Refusal(INTEGRATION_FAILURE, detail=f"{type(error).__name__}: {error}")


def _compile_mapped(integration: Integration, stage: StageFacts, route: Route) -> _Mapped:
    raw_path: dict[str, int] = {}
    path: dict[str, Values] = {}
    query: dict[str, Values] = {}
    headers: dict[bytes, Values] = {}
    for target, expression in integration.request_parameters.items():
        place, _, name = target.removeprefix("integration.request.").partition(".")
        if not target.startswith("integration.request.") or not name:
            raise MappingError(f"request parameter {target}: use integration.request.path, querystring or header")
        values = compile_values(expression, stage)
        source = expression.removeprefix("method.request.path.")
        if place == "path" and source in route.parameter_names and source != expression:
            raw_path[name] = route.parameter_names.index(source)
        elif place == "path":
            path[name] = values
        elif place == "querystring":
            query[name] = values
        elif place == "header" and is_token(name.encode("latin-1", "replace")):
            headers[name.encode("latin-1")] = values
        else:
            raise MappingError(f"request parameter {target}: use integration.request.path, querystring or header")
    return _Mapped(raw_path, path, query, headers)


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
    if integration.connection_type not in ("", "INTERNET"):
        raise MappingError(f"connectionType {integration.connection_type} is not supported: use INTERNET")
    if integration.content_handling:
        raise MappingError(f"contentHandling {integration.content_handling} has no meaning for a proxy")
    if integration.credentials_arn:
        raise MappingError("credentials have no meaning for HTTP_PROXY")
    client = parts.unverified_client if integration.is_tls_verification_skipped else parts.client
    if client is None:
        raise MappingError("tlsConfig.insecureSkipVerification: this gateway has no client that skips verification")
    upstream = parse_upstream(integration.uri, stage, parts.policy)
    mapped = _compile_mapped(integration, stage, route)
    _check_variables(upstream.path[1::2], mapped)
    return HttpProxy(
        upstream,
        mapped,
        parts,
        client,
        tasks,
        api_id=stage.api_id,
        method="" if integration.http_method in ("", "ANY") else integration.http_method,
        timeout_ms=integration.timeout_ms,
        drops_authorization=drops_authorization,
    )


def _check_variables(names: Sequence[str], mapped: _Mapped) -> None:
    for name in names:
        if name not in mapped.raw_path and name not in mapped.path:
            raise MappingError(f"the URI's {{{name}}} has no mapping: add integration.request.path.{name}")
