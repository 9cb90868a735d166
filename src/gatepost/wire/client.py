"""The HTTP/1.1 client: pooled keep-alive connections on the server's parser.

A request costs one promise and no task. Deadlines are checked by a timer per connection that is hardly ever
moved. A pooled connection may have been closed by the server a moment ago; then the request is sent once
more on a new one, if nothing of the answer had arrived and the method may be repeated (RFC 9110 section 9.2.2).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
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
    UpstreamError,
)
from gatepost.wire.pool import Pool
from gatepost.wire.rendering import RequestRenderer
from gatepost.wire.upstream import Sent, UpstreamConnection

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

    def send(self, request: OutgoingRequest) -> Awaitable[IncomingResponse]:
        """Send `request`, at once where a connection is free; awaited, it gives the answer, whatever its status.

        Raises: ValueError when the request cannot be put on the wire, PoolExhausted when there are too many servers.
        Awaited: UpstreamError (ConnectFailed, UpstreamTimedOut, UpstreamClosed, UpstreamMalformed, PoolExhausted).
        """
        key = (request.host, request.port, request.is_tls)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._add_pool(key)
        sent = Sent(request, self._renderer.render(request, pool.host_line))
        connection = pool.take()
        if connection is None:
            return self._send_later(pool, sent)
        connection.start(sent)
        return sent.promise

    async def _send_later(self, pool: Pool, sent: Sent) -> IncomingResponse:
        connection = await pool.wait()
        self._start(pool, connection, sent)
        return await sent.promise

    def _start(self, pool: Pool, connection: UpstreamConnection, sent: Sent) -> None:
        try:
            connection.start(sent)
        except UpstreamClosed as closed:  # since it was handed over
            self._failed(pool, connection, sent, closed)

    def _failed(self, pool: Pool, connection: UpstreamConnection, sent: Sent, error: UpstreamError) -> None:
        """Send a request once more that a stale connection did not take, if it may be repeated; else fail it."""
        is_to_repeat = False
        if isinstance(error, UpstreamClosed) and not sent.is_again and not sent.promise.done():
            is_stale = error.is_unanswered and connection.is_reused and sent.request.method in REPEATABLE
            is_to_repeat = is_stale or error.is_unsent
        if is_to_repeat:
            sent.is_again = True
            self.retries += 1
            self._tasks.spawn(self._send_again(pool, sent), name="send again")
        else:
            sent.promise.fail(error)

    async def _send_again(self, pool: Pool, sent: Sent) -> None:
        try:
            connection = await pool.open_new()
        except UpstreamError as error:
            sent.promise.fail(error)
            return
        except asyncio.CancelledError:
            sent.promise.fail(UpstreamClosed("the client was closed"))
            raise
        if sent.promise.done():  # nobody waits any more
            pool.freed(connection)
        else:
            self._start(pool, connection, sent)

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
            when_failed=self._failed,
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
