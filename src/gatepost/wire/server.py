"""Listeners: accept connections for one handler, keep their bounds, count, and drain."""

from __future__ import annotations

import asyncio
import heapq
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from gatepost.kernel.clock import Clock
from gatepost.kernel.tasks import Tasks, begin
from gatepost.wire.backlog import Backlog
from gatepost.wire.connection import ServerConnection
from gatepost.wire.limits import ListenerLimits, Reason, Refuse, WireRefusal
from gatepost.wire.messages import Handler, Request, Response
from gatepost.wire.rendering import Renderer
from gatepost.wire.spare import SpareListeners
from gatepost.wire.tls import FindTerms, TlsConnection
from gatepost.wire.wheel import Wheel

log = logging.getLogger(__name__)

TICK_MS_MAX = 500  # the Date header is at most this late
TICK_MS_MIN = 5
BodySink = Callable[[Request, asyncio.Transport], Callable[[bytes], None] | None]
ROOM_AT_ONCE = 64  # connections that are ended together when there are too many
FAILED_BODY = b'{"message": "Internal server error"}'


@dataclass(slots=True)
class ServerCounters:
    """What a server has seen since it started."""

    connections_open: int = 0
    connections: int = 0
    requests: int = 0
    failures: int = 0  # handlers that raised or answered with nonsense
    disconnected: int = 0  # clients that went away before their answer
    slow_readers: int = 0
    pushed_out: int = 0  # connections that made room for others
    handshakes_failed: int = 0
    refusals: dict[Reason, int] = field(default_factory=dict)


class Connection(Protocol):
    """What a server knows of a connection, whatever it speaks. `deadline` is the tick at which it would be ended."""

    deadline: int

    @property
    def is_working(self) -> bool:
        """Say whether a request is being received or answered."""
        ...

    @property
    def is_awaited(self) -> bool:
        """Say whether a request or its answer goes on only when the client sends or reads more."""
        ...

    def close_if_idle(self) -> None:
        """Close unless a request is being received or answered."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class Server:
    """Serves HTTP on any number of sockets, plain or over TLS.

    `refuse` makes the response for what never reaches the handler. `body_bytes_max` may give another bound
    for a request whose head was read; it is called before the body is. `body_sink` may give what takes the
    pieces of a chunked body as they come; the request then has none, and the sink may pause the transport.
    With `needs_tasks` a handler that has to wait goes on in a task; without, it is driven by what it waits for
    (`kernel.tasks.Driven`), which is faster but leaves it without a current task.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        limits: ListenerLimits,
        refuse: Callable[[WireRefusal], Response],
        clock: Clock,
        body_bytes_max: Callable[[Request], int] | None = None,
        body_sink: BodySink | None = None,
        needs_tasks: bool = True,
    ) -> None:
        self.handler = handler
        self.needs_tasks = needs_tasks
        self.limits = limits
        self.clock = clock
        self.counters = ServerCounters()
        self.renderer = Renderer(clock)
        self.tasks = Tasks("wire")
        self.is_draining = False
        self.held_bytes = 0  # of bodies that are still arriving
        self._backlog = Backlog(limits.unsent_bytes_max)
        self._room = 0  # connections that are ending and whose places are not taken yet
        self._refuse: Refuse = refuse
        self._body_bytes_max = body_bytes_max
        self._body_sink = body_sink
        self._listeners: list[asyncio.Server] = []  # uvloop forgets a server to which nobody holds a reference
        self._spare = SpareListeners(self.tasks)
        self._connections: set[Connection] = set()
        self._is_empty: asyncio.Future[None] | None = None
        times = (limits.head_ms, limits.body_ms, limits.idle_ms, limits.write_ms, limits.linger_ms)
        shortest_ms = min(times)
        tick_ms = max(TICK_MS_MIN, min(TICK_MS_MAX, shortest_ms // 4))
        self.wheel = Wheel(tick_ms=tick_ms, shortest_ms=shortest_ms)
        self.head_ticks, self.body_ticks, self.idle_ticks, self.write_ticks, self.linger_ticks = (
            self.wheel.ticks(ms) for ms in times
        )
        self.body_bytes_per_tick = max(1, limits.body_bytes_per_second_min * tick_ms // 1000)
        self.checked_bytes = min(limits.head_bytes_max, limits.target_bytes_max)

    async def serve(
        self, sock: socket.socket, *, tls: FindTerms | None = None, tls_or_plain: FindTerms | None = None
    ) -> None:
        """Accept connections on `sock`, which is bound; may be called for several sockets.

        `tls` makes them TLS connections: it gives the terms for the server name that a client asks for. With
        `tls_or_plain` a client may begin with either.
        """
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(self._maker(tls, tls_or_plain), sock=sock, backlog=1024)
        self._listeners.append(listener)
        self.renderer.refresh()
        self.wheel.start(self.renderer.refresh)

    def help_out(
        self, sock: socket.socket, *, tls: FindTerms | None = None, tls_or_plain: FindTerms | None = None
    ) -> None:
        """Take connections that wait at `sock` because the process whose listener it is does not come to them."""
        self._spare.add(sock, self._maker(tls, tls_or_plain))

    def _maker(self, tls: FindTerms | None, tls_or_plain: FindTerms | None) -> Callable[[], asyncio.Protocol]:
        if tls_or_plain is not None:
            return lambda: TlsConnection(self, tls_or_plain, takes_plain=True)
        if tls is None:
            return lambda: ServerConnection(self)
        return lambda: TlsConnection(self, tls)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Give host and port of every listening IP socket, as they really are."""
        names = [each.getsockname() for listener in self._listeners for each in listener.sockets]
        return [(str(name[0]), int(name[1])) for name in names if isinstance(name, tuple)]

    async def drain(self, wait_ms: int) -> int:
        """Stop accepting, let running requests finish for up to `wait_ms`, close everything.

        Returns: how many requests were cut off.
        """
        self.is_draining = True
        for listener in self._listeners:
            listener.close()
        self._spare.close()
        for connection in list(self._connections):
            connection.close_if_idle()
        if self._connections:
            await self._until_empty(wait_ms)
        left = list(self._connections)
        cut_off = sum(connection.is_working for connection in left)
        for connection in left:
            connection.abort()
        if left:
            await self._until_empty(1_000)
        self.wheel.stop()
        await self.tasks.close()
        return cut_off

    async def _until_empty(self, wait_ms: int) -> None:
        loop = asyncio.get_running_loop()
        empty = self._is_empty = loop.create_future()
        timer = loop.call_later(wait_ms / 1000, _settle, empty)
        await empty
        timer.cancel()

    # -- for connections

    def new_connection(self, protocol: str) -> asyncio.Protocol:
        """Make the connection for a protocol that was agreed on by ALPN."""
        if protocol == "h2":
            from gatepost.wire.http2 import Http2Connection  # 4 MB that nobody needs without it

            return Http2Connection(self)
        return ServerConnection(self)

    def step_aside(self, connection: Connection) -> None:
        """Forget a handshake that is over: the connection itself takes its place in the count."""
        self._connections.discard(connection)
        self.counters.connections -= 1
        self.counters.connections_open -= 1

    def admit(self, connection: Connection) -> bool:
        """Count a new connection; say whether it is within the bound, or others have made room for it."""
        self._connections.add(connection)
        self.counters.connections += 1
        self.counters.connections_open += 1
        if len(self._connections) <= self.limits.connections_max:
            self._room = 0
            return True
        if not self._room:
            self._make_room()
        if not self._room:
            return False
        self._room -= 1
        return True

    def _make_room(self) -> None:
        """End connections that only wait for their clients: idle ones, or else those that trickle, the oldest first.

        So a crowd of them does not keep everyone else out. Some are ended together, because all have to be looked at.
        """
        waiting = [each for each in self._connections if each.deadline > 0]
        idle = [each for each in waiting if not each.is_working]
        ending = heapq.nsmallest(ROOM_AT_ONCE, idle, key=_deadline)
        for each in ending:
            each.close_if_idle()
        if not ending:
            ending = heapq.nsmallest(ROOM_AT_ONCE, (each for each in waiting if each.is_awaited), key=_deadline)
            for each in ending:
                each.abort()
        self._room = len(ending)
        self.counters.pushed_out += len(ending)

    def forget(self, connection: Connection) -> None:
        """Count a connection that is gone."""
        self._connections.discard(connection)
        self.counters.connections_open -= 1
        if not self._connections and self._is_empty is not None:
            _settle(self._is_empty)

    def hold_back(self, connection: Connection, size: int) -> None:
        """Note how many bytes wait for the client of a connection, which reads more slowly than it is answered.

        When all clients together leave too much unread, those that leave most are cut off.
        """
        self.counters.slow_readers += self._backlog.hold(connection, size)

    def body_bytes_max(self, request: Request) -> int:
        """Give the bound for this request's body."""
        if self._body_bytes_max is None:
            return self.limits.body_bytes_max
        bytes_max = begin(self._body_bytes_max, request, int)
        return bytes_max if isinstance(bytes_max, int) else 0

    def body_sink(self, request: Request, transport: asyncio.Transport) -> Callable[[bytes], None] | None:
        """Give what takes this request's chunked body piece by piece; None: it is kept until it is whole."""
        return self._body_sink(request, transport) if self._body_sink is not None else None

    def refusal(self, refusal: WireRefusal) -> Response:
        """Count and log a refusal and make its response."""
        refusals = self.counters.refusals
        refusals[refusal.reason] = refusals.get(refusal.reason, 0) + 1
        log.info("refused", extra={"reason": refusal.reason, "detail": refusal.detail})
        response = begin(self._refuse, refusal, Response)
        return response if isinstance(response, Response) else Response(refusal.status)

    def failed(self, request: Request, detail: str) -> Response:
        """Give what a client gets when the handler has failed; its error, if it raised one, is in the log already."""
        self.counters.failures += 1
        log.error("handler failed", extra={"detail": detail, "method": request.method, "path": request.path})
        return Response(500, [(b"Content-Type", b"application/json")], FAILED_BODY)


def _deadline(connection: Connection) -> int:
    return connection.deadline


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
