"""The wire protocol of Valkey and Redis (RESP2) on one pipelined connection: commands out, replies in the same order.

Its own few lines, because a client library costs three times as much per call and waits in ways that cannot be
bounded from outside: here every reply has the same deadline, and a connection that misses it is over at once, with
everything that waits on it. A process that was itself too late to read looks once whether the reply has arrived.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import StateUnavailable

REPLY_BYTES_MAX: Final = 64 * 1024 * 1024
DEPTH_MAX: Final = 8
PIPELINE_MAX: Final = 100_000
MS_NS: Final = 1_000_000
SECOND_LOOK_S: Final = 0.002

Argument = str | bytes | int | float


class ReplyError(Exception):
    """The server answers a command with an error: `NOSCRIPT …`, `OOM …`."""


class Incomplete(Exception):
    """The rest of a reply has not arrived yet."""


def encode(arguments: Sequence[Argument]) -> bytes:
    """Give a command's bytes."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        value = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(value), value))
    return b"".join(parts)


def parse(buffer: bytes | bytearray, at: int, depth: int = 0) -> tuple[Any, int]:
    """Read one reply from `at` on and give it with where it ends. Raises: Incomplete, ValueError."""
    end = buffer.find(b"\r\n", at)
    if end < 0:
        raise Incomplete
    kind, line = buffer[at], bytes(buffer[at + 1 : end])
    after = end + 2
    match kind:
        case 0x2B:  # +
            return line, after
        case 0x2D:  # -
            return ReplyError(line.decode("utf-8", "replace")), after
        case 0x3A:  # :
            return int(line), after
        case 0x24:  # $
            size = int(line)
            if size < 0:
                return None, after
            if size > REPLY_BYTES_MAX:
                raise ValueError(f"a reply of {size} bytes")
            if len(buffer) < after + size + 2:
                raise Incomplete
            return bytes(buffer[after : after + size]), after + size + 2
        case 0x2A:  # *
            count = int(line)
            if depth >= DEPTH_MAX or count > PIPELINE_MAX:
                raise ValueError("a reply that is too deep or too long")
            items = []
            for _ in range(max(count, 0)):
                item, after = parse(buffer, after, depth + 1)
                items.append(item)
            return (None if count < 0 else items), after
    raise ValueError(f"a reply that begins with byte {kind}")


class RespConnection(asyncio.Protocol):
    """One connection. `lost` is called once when it is over; `pushed` gets what comes without being asked for."""

    def __init__(
        self,
        *,
        clock: Clock,
        deadline_ms: int,
        lost: Callable[[RespConnection], None],
        pushed: Callable[[list[Any]], None] | None = None,
    ) -> None:
        self._clock = clock
        self._deadline_ns = deadline_ms * MS_NS
        self._on_lost = lost
        self._pushed = pushed
        self._buffer = bytearray()
        self._waiting: deque[tuple[int, asyncio.Future[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._has_looked = False  # after the deadline, and nothing has arrived since
        self.is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport  # type: ignore[assignment]  # uvloop's is no subclass

    def send(self, command: bytes) -> asyncio.Future[Any]:
        """Send a command; its reply, or ReplyError, comes in the future. Raises: StateUnavailable."""
        if self.is_over or self._transport is None or len(self._waiting) >= PIPELINE_MAX:
            raise StateUnavailable("there is no connection to the shared state")
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        now_ns = self._clock.monotonic_ns()
        self._waiting.append((now_ns, reply))
        self._transport.write(command)
        if self._timer is None:
            self._timer = loop.call_later(self._deadline_ns / 1e9, self._look)
        return reply

    def tell(self, command: bytes) -> None:
        """Send a command whose replies are pushed (SUBSCRIBE)."""
        if self._transport is not None and not self.is_over:
            self._transport.write(command)

    def _look(self) -> None:
        """End the connection when the oldest command has waited for too long, else look again in time.

        Timers come before what has arrived: a loop that was held up would find every reply too late.
        """
        self._timer = None
        if not self._waiting:
            return
        rest_ns = self._waiting[0][0] + self._deadline_ns - self._clock.monotonic_ns()
        if rest_ns <= 0 and self._has_looked:
            self.close("the shared state did not answer in time")
            return
        self._has_looked = rest_ns <= 0
        wait_s = SECOND_LOOK_S if self._has_looked else rest_ns / 1e9
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._look)

    def data_received(self, data: bytes) -> None:
        """Take what arrived."""
        self._has_looked = False
        self._buffer += data
        if len(self._buffer) > REPLY_BYTES_MAX:
            self.close("a reply is too large")
            return
        at = 0
        try:
            while at < len(self._buffer):
                reply, at = parse(self._buffer, at)
                self._take(reply)
        except Incomplete:
            pass
        except ValueError as error:
            self.close(f"this is no Valkey server: {error}")
            return
        del self._buffer[:at]

    def _take(self, reply: Any) -> None:
        if self._pushed is not None and isinstance(reply, list):
            self._pushed(reply)
            return
        if not self._waiting:
            self.close("a reply that nobody asked for")
            return
        _, waiting = self._waiting.popleft()
        if waiting.done():
            return
        if isinstance(reply, ReplyError):
            waiting.set_exception(reply)
        else:
            waiting.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        """End: the other side is gone."""
        self.close(str(error or "the connection was closed"))

    def close(self, reason: str = "closed") -> None:
        """Be over: everything that waits gets StateUnavailable."""
        if self.is_over:
            return
        self.is_over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        waiting, self._waiting = self._waiting, deque()
        for _, reply in waiting:
            if not reply.done():
                reply.set_exception(StateUnavailable(reason))
        self._on_lost(self)
