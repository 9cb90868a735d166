"""Sending requests to the HTTP server of an integration: where to, how long to wait, and what becomes of failures.

Used by HTTP_PROXY and HTTP. The answer is taken whole (10 MB at most), as AWS does in its BUFFERED mode: so the
timeout counts for all of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from gatepost.gateway.deadline import DeadlinePassed, within
from gatepost.gateway.exchange import Exchange, IntegrationCall
from gatepost.gateway.mapped_request import MappedRequest, checked_segment
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.passed_headers import PassedHeaders
from gatepost.gateway.responses import (
    API_CONFIGURATION_ERROR,
    BAD_REQUEST,
    INTEGRATION_FAILURE,
    INTEGRATION_TIMEOUT,
    Refusal,
)
from gatepost.gateway.route import StageFacts
from gatepost.gateway.timed_stream import IDLE_MS_MAX, STREAM_MS_MAX, TimedStream, idle_ms_max
from gatepost.gateway.upstreams import AddressPolicy, Upstream, parse_upstream
from gatepost.kernel.clock import Clock
from gatepost.kernel.limits import API_GATEWAY_BODY_BYTES_MAX
from gatepost.kernel.tasks import Tasks
from gatepost.services.apigateway.deployment import Integration
from gatepost.wire.messages import Headers
from gatepost.wire.outgoing import (
    AddressRefused,
    IncomingResponse,
    NameUnknown,
    OutgoingRequest,
    UpstreamError,
    UpstreamTimedOut,
)

T = TypeVar("T")

PRECISE_BELOW_MS: Final = 6_000
"""Below this timeout the time for a connection (3 s at most) is counted too, at the price of a task."""


class Sender(Protocol):
    """Sends requests to other servers: `wire.client.Client`."""

    def prepare(self, headers: Headers) -> bytes:
        """Render headers that many requests share. Raises: ValueError when they cannot be sent."""
        ...

    def send(self, request: OutgoingRequest) -> Awaitable[IncomingResponse]:
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


class UpstreamCalls:
    """Sends the requests of one method to its upstream."""

    __slots__ = (
        "_clock", "_host", "_idle_ms", "_is_tls", "_mapped", "_method", "_own_listener", "_path", "_port", "_query",
        "_read_ms", "_tasks", "_timeout_ms", "_upstream", "_value_at", "client", "is_streamed",
    )  # fmt: skip

    def __init__(
        self,
        upstream: Upstream,
        mapped: MappedRequest,
        parts: HttpProxyParts,
        client: Sender,
        tasks: Tasks,
        *,
        method: str,
        timeout_ms: int,
        idle_ms: int = IDLE_MS_MAX,
        is_streamed: bool = False,
    ) -> None:
        """Take where to. `is_streamed`: answers go on while they arrive (responseTransferMode STREAM)."""
        self._upstream = upstream
        self._host, self._port, self._is_tls = upstream.host, upstream.port, upstream.is_tls
        self._path, self._query = upstream.path, upstream.query
        # Which of the route's values is the path's one variable, as in most APIs; -1: the path has none, or others.
        self._value_at = mapped.raw_path.get(upstream.path[1], -1) if len(upstream.path) == 3 else -1
        self.is_streamed = is_streamed
        self._mapped = mapped
        self._own_listener = parts.own_listener
        self._clock = parts.clock
        self.client = client
        self._tasks = tasks
        self._method = method
        self._timeout_ms = timeout_ms
        self._idle_ms = idle_ms
        self._read_ms = min(timeout_ms, idle_ms)

    def target(self, exchange: Exchange, query: str, path_overrides: Mapping[str, str] | None = None) -> str:
        """Give the request target; the URI's own query comes first. Raises: Refusal for a path that climbs."""
        pieces = self._path
        if len(pieces) == 1:
            target = pieces[0]
        elif self._value_at >= 0 and not path_overrides:
            target = pieces[0] + checked_segment(exchange.values[self._value_at]) + pieces[2]
        else:
            target = self._mapped.fill(pieces, exchange, path_overrides or {})
        static = self._query
        if static:
            query = f"{static}&{query}" if query else static
        return f"{target}?{query}" if query else target

    async def send(
        self,
        exchange: Exchange,
        target: str,
        headers: Headers,
        prepared: bytes,
        body: bytes,
        then: Callable[[Exchange, IncomingResponse], T],
    ) -> T:
        """Ask the upstream, note how long it took, and give what `then` makes of the answer. Raises: Refusal.

        `prepared` are header lines as `Sender.prepare` renders them.
        """
        upstream = self._upstream
        host, port, is_tls = self._host, self._port, self._is_tls
        if upstream.alias_api_id and (own := self._own_listener(upstream.alias_api_id)) is not None:
            host, port = own
            is_tls = False
            headers.append((b"Host", upstream.host.encode()))
        outgoing = OutgoingRequest(
            self._method or exchange.method,
            host,
            port,
            target,
            headers,
            body,
            is_tls=is_tls,
            read_ms=self._read_ms,
            is_streamed=self.is_streamed,
            body_bytes_max=API_GATEWAY_BODY_BYTES_MAX,
            prepared=prepared,
        )
        call = None
        if exchange.keeps_call:
            call = exchange.call = IntegrationCall(f"{upstream}{target}", _sent(prepared, headers), body)
        started = self._clock.monotonic_ns()
        try:
            if self._timeout_ms >= PRECISE_BELOW_MS:
                incoming = await self.client.send(outgoing)
            else:
                incoming = await within(
                    self.client.send(outgoing),
                    timeout_ms=self._timeout_ms,
                    tasks=self._tasks,
                    name="send",
                    failures=UpstreamError,
                )
            if call is not None:
                given = incoming.header(b"x-amzn-requestid") or b""
                call.answered(incoming.status, incoming.block.split(), incoming.body, given.decode("latin-1"))
        except DeadlinePassed as passed:
            raise Refusal(INTEGRATION_TIMEOUT, detail=f"Execution failed due to a timeout error: {passed}") from passed
        except UpstreamError as failure:
            raise _refusal(failure) from failure
        except ValueError as error:
            raise Refusal(BAD_REQUEST, detail=f"the request cannot be passed on: {error}") from error
        finally:
            exchange.integration_ns = self._clock.monotonic_ns() - started
        return then(exchange, incoming)

    def timed(self, incoming: IncomingResponse, began_ns: int) -> TimedStream | None:
        """Give a streamed answer's body under the integration's timeout; None when the answer is here, whole."""
        if incoming.stream is None:
            return None
        ends_ns = began_ns + min(self._timeout_ms, STREAM_MS_MAX) * 1_000_000
        return TimedStream(
            incoming.stream, clock=self._clock, tasks=self._tasks, ends_ns=ends_ns, idle_ms=self._idle_ms
        )

    def __repr__(self) -> str:
        path = "".join(piece if at % 2 == 0 else f"{{{piece}}}" for at, piece in enumerate(self._upstream.path))
        return f"{self._method or 'ANY'} {self._upstream}{path}, {self._timeout_ms} ms"


def _sent(prepared: bytes, own: Headers) -> Headers:
    """Take apart the headers that were rendered beforehand, for logs."""
    lines = [line.partition(b": ") for line in prepared.split(b"\r\n") if line]
    return [*((name, value) for name, _, value in lines), *own]


def _refusal(error: UpstreamError) -> Refusal:
    if isinstance(error, UpstreamTimedOut):
        return Refusal(INTEGRATION_TIMEOUT, detail=f"Execution failed due to a timeout error: {error}")
    if isinstance(error, AddressRefused | NameUnknown):
        return Refusal(API_CONFIGURATION_ERROR, detail=f"Invalid endpoint address: {error}")
    return Refusal(INTEGRATION_FAILURE, detail=f"{type(error).__name__}: {error}")


def compile_upstream_calls(
    integration: Integration, stage: StageFacts, mapped: MappedRequest, parts: HttpProxyParts, *, tasks: Tasks
) -> UpstreamCalls:
    """Compile where an HTTP integration's requests go. Raises: MappingError when it cannot work."""
    if integration.connection_type not in ("", "INTERNET"):
        raise MappingError(f"connectionType {integration.connection_type} is not supported: use INTERNET")
    if integration.credentials_arn:
        raise MappingError(f"credentials have no meaning for {integration.type}")
    client = parts.unverified_client if integration.is_tls_verification_skipped else parts.client
    if client is None:
        raise MappingError("tlsConfig.insecureSkipVerification: this gateway has no client that skips verification")
    upstream = parse_upstream(integration.uri, stage, parts.policy)
    mapped.check_variables(upstream.path[1::2])
    return UpstreamCalls(
        upstream,
        mapped,
        parts,
        client,
        tasks,
        method="" if integration.http_method in ("", "ANY") else integration.http_method,
        timeout_ms=integration.timeout_ms,
        idle_ms=idle_ms_max(stage),
        is_streamed=integration.response_transfer_mode == "STREAM",
    )
