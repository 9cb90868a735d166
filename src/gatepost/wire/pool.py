"""The connections to one server: those in use, those that are free, and who waits for one."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable

from gatepost.kernel.tasks import Tasks
from gatepost.wire.addresses import Addresses
from gatepost.wire.outgoing import ClientLimits, ConnectFailed, PoolExhausted, UpstreamError
from gatepost.wire.rendering import host_line
from gatepost.wire.upstream import Sent, UpstreamConnection

Waiter = asyncio.Future[UpstreamConnection | None]


class Pool:
    """Connections to one origin: at most `connections_per_origin_max`, the most recently used one first.

    `host_line` is the Host header of requests that bring none. `when_failed` hears of each request that got no answer.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: Callable[[], ssl.SSLContext] | None,
        check_certificate: Callable[[bytes, str], str] | None = None,
        limits: ClientLimits,
        addresses: Addresses,
        tasks: Tasks,
        when_failed: Callable[[Pool, UpstreamConnection, Sent, UpstreamError], None],
    ) -> None:
        self._host = host
        self._port = port
        self.host_line = host_line(host, port, is_tls=tls is not None)
        self._when_failed = when_failed
        self._tls = tls
        self._check_certificate = check_certificate
        self._limits = limits
        self._addresses = addresses
        self._tasks = tasks
        self._free: list[UpstreamConnection] = []
        self._all: set[UpstreamConnection] = set()
        self._opening = 0
        self._waiters: deque[Waiter] = deque()

    @property
    def is_empty(self) -> bool:
        """Say whether the pool holds nothing and nobody waits."""
        return not self._all and not self._opening and not self._waiters

    def take(self) -> UpstreamConnection | None:
        """Give a free connection at once, or None."""
        while self._free:
            connection = self._free.pop()
            if connection.is_usable:
                return connection
            connection.abort()
        return None

    async def wait(self) -> UpstreamConnection:
        """Open a connection, or wait for one when there are as many as allowed. Raises: UpstreamError."""
        if len(self._all) + self._opening < self._limits.connections_per_origin_max:
            return await self._open()
        if len(self._waiters) >= self._limits.waiting_per_origin_max:
            raise PoolExhausted(f"{len(self._waiters)} requests wait for a connection to {self._host}:{self._port}")
        connection = await self._wait_in_line()
        return connection if connection is not None else await self.wait()

    async def open_new(self) -> UpstreamConnection:
        """Open a connection for a request whose pooled one was stale: the others may be, too. Raises: UpstreamError."""
        if self._free and len(self._all) + self._opening >= self._limits.connections_per_origin_max:
            self._free[0].abort()
        return await self.wait()

    async def _wait_in_line(self) -> UpstreamConnection | None:
        """Wait for a connection that becomes free, or (None) for the right to open one."""
        loop = asyncio.get_running_loop()
        waiter: Waiter = loop.create_future()
        self._waiters.append(waiter)
        timer = loop.call_later(self._limits.waiting_ms / 1000, self._waited_too_long, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._pass_on(waiter.result())
            raise
        finally:
            timer.cancel()
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _waited_too_long(self, waiter: Waiter) -> None:
        if not waiter.done():
            waiter.set_exception(PoolExhausted(f"no connection to {self._host}:{self._port} became free in time"))

    def freed(self, connection: UpstreamConnection) -> None:
        """Take a connection back, or give it to who has waited longest."""
        if self._waiters:
            self._pass_on(connection)
        else:
            self._free.append(connection)

    def failed(self, connection: UpstreamConnection, sent: Sent, error: UpstreamError) -> None:
        """Tell the client of a request that got no answer."""
        self._when_failed(self, connection, sent, error)

    def _pass_on(self, connection: UpstreamConnection | None) -> None:
        """Give a connection, or the right to open one, to who has waited longest; else keep it."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if connection is not None:
            self._free.append(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        """Forget a connection that has ended; who waits may open one."""
        self._all.discard(connection)
        if connection in self._free:
            self._free.remove(connection)
        self._pass_on(None)

    async def _open(self) -> UpstreamConnection:
        """Open a connection within `connect_ms`, name, TCP and TLS together. Raises: ConnectFailed."""
        self._opening += 1
        task = self._tasks.spawn(self._connect(), name="connect")
        late = False

        def too_late() -> None:
            nonlocal late
            late = task.cancel()

        timer = asyncio.get_running_loop().call_later(self._limits.connect_ms / 1000, too_late)
        try:
            opened: UpstreamConnection | ConnectFailed = await task
        except asyncio.CancelledError:
            if not task.cancel() and not task.cancelled() and isinstance(task.result(), UpstreamConnection):
                self._pass_on(task.result())  # it was just opened, and nobody wants it any more
            if not (late and task.cancelled()):
                raise
            opened = ConnectFailed(f"no connection to {self._host}:{self._port} within {self._limits.connect_ms} ms")
        finally:
            timer.cancel()
            self._opening -= 1
        if isinstance(opened, UpstreamError):
            self._pass_on(None)
            raise opened
        return opened

    async def _connect(self) -> UpstreamConnection | ConnectFailed:
        """Try the addresses in turn. Gives the failure instead of raising it: it is no bug for the log."""
        loop = asyncio.get_running_loop()
        failure = ConnectFailed(f"{self._host} has no address")
        try:
            addresses = await self._addresses.of(self._host)
        except ConnectFailed as unknown:
            return unknown
        for address in addresses:
            try:
                made = await loop.create_connection(
                    self._make,
                    address,
                    self._port,
                    ssl=self._tls() if self._tls is not None else None,
                    server_hostname=self._host if self._tls is not None else None,
                )
            except OSError as error:  # refused, unreachable, or (ssl.SSLError) not trusted
                failure = ConnectFailed(f"{self._host}:{self._port} at {address}: {error}")
            else:
                problem = self._problem_with(made[0])
                if not problem:
                    self._all.add(made[1])
                    return made[1]
                made[0].abort()
                failure = ConnectFailed(f"{self._host}:{self._port} at {address}: {problem}")
        return failure

    def _problem_with(self, transport: asyncio.Transport) -> str:
        """Say why the server's certificate is not taken, where someone looks at it beside OpenSSL."""
        if self._tls is None or self._check_certificate is None:
            return ""
        shown = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return self._check_certificate(shown, self._host) if shown else "the server shows no certificate"

    def _make(self) -> UpstreamConnection:
        return UpstreamConnection(self._limits, self)

    def close(self) -> None:
        """Close every connection."""
        for connection in list(self._all):
            connection.abort()
