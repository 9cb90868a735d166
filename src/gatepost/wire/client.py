"""The HTTP/1.1 client: pooled keep-alive connections on the server's parser.

A request costs one future and no task. Deadlines are checked by a timer per connection that is hardly ever
moved. A pooled connection may have been closed by the server a moment ago; then the request is sent once
more on a new one, if nothing of the answer had arrived and the method may be repeated (RFC 9110 section 9.2.2).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.tasks import Tasks
from gatepost.wire.addresses import Addresses, AllowAddress
from gatepost.wire.messages import Headers
from gatepost.wire.outgoing import (
    ClientLimits,
    IncomingResponse,
    OutgoingRequest,
    PoolExhausted,
    UpstreamClosed,
)
from gatepost.wire.pool import Pool
from gatepost.wire.rendering import RequestRenderer
from gatepost.wire.upstream import UpstreamConnection

REPEATABLE: Final = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"))


class Client:
    """Sends requests to any number of servers.

    `allow_address` decides for each resolved IP address whether a connection may be made to it. `tls` is
    the context for `is_tls` requests; by default certificates are verified against the system's authorities.
    `check_certificate(der, host)` says what is wrong with a server's certificate beyond that, "" for nothing.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        limits: ClientLimits | None = None,
        allow_address: AllowAddress | None = None,
        tls: ssl.SSLContext | None = None,
        check_certificate: Callable[[bytes, str], str] | None = None,
    ) -> None:
        self._limits = limits or ClientLimits()
        self._tls = tls
        self._check_certificate = check_certificate
        self._renderer = RequestRenderer()
        self._tasks = Tasks("client")
        self._addresses = Addresses(clock=clock, keep_ms=self._limits.names_ms, allow=allow_address)
        self._pools: dict[tuple[str, int, bool], Pool] = {}
        self.retries = 0

    def prepare(self, headers: Headers) -> bytes:
        """Render headers once for many requests (`OutgoingRequest.prepared`). Raises: ValueError."""
        return self._renderer.prepare(headers)

    async def send(self, request: OutgoingRequest) -> IncomingResponse:
        """Send `request` and give its answer, whatever its status.

        Raises: UpstreamError (ConnectFailed, UpstreamTimedOut, UpstreamClosed, UpstreamMalformed, PoolExhausted);
        ValueError when the request itself cannot be put on the wire.
        """
        head = self._renderer.render(request)
        key = (request.host, request.port, request.is_tls)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._add_pool(key)
        connection = pool.take()
        if connection is None:
            connection = await pool.wait()
        try:
            return await self._start(connection, head, request)
        except UpstreamClosed as closed:
            is_stale = closed.is_unanswered and connection.is_reused and request.method in REPEATABLE
            if not (is_stale or closed.is_unsent):
                raise
        except asyncio.CancelledError:
            connection.abort()  # its answer would be taken for the next request's
            raise
        self.retries += 1
        connection = await pool.open_new()
        try:
            return await self._start(connection, head, request)
        except asyncio.CancelledError:
            connection.abort()
            raise

    def _start(
        self, connection: UpstreamConnection, head: bytes, request: OutgoingRequest
    ) -> asyncio.Future[IncomingResponse]:
        limits = self._limits
        return connection.start(
            head,
            request.body,
            head_only=request.method == "HEAD",
            is_streamed=request.is_streamed,
            bytes_max=limits.body_bytes_max if request.body_bytes_max is None else request.body_bytes_max,
            read_ms=limits.read_ms if request.read_ms is None else request.read_ms,
        )

    def _add_pool(self, key: tuple[str, int, bool]) -> Pool:
        if len(self._pools) >= self._limits.origins_max:
            for other in [other for other, pool in self._pools.items() if pool.is_empty]:
                del self._pools[other]
            if len(self._pools) >= self._limits.origins_max:
                raise PoolExhausted(f"connections to {len(self._pools)} servers are open")
        host, port, is_tls = key
        pool = self._pools[key] = Pool(
            host,
            port,
            tls=self._tls_context if is_tls else None,
            check_certificate=self._check_certificate,
            limits=self._limits,
            addresses=self._addresses,
            tasks=self._tasks,
        )
        return pool

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    async def close(self) -> None:
        """Close every connection; what is under way fails with UpstreamClosed."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
        await self._tasks.close()
        await self._addresses.close()
