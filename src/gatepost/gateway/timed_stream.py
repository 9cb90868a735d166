"""Answers that are streamed to a client (`responseTransferMode: STREAM`), with API Gateway's limits on time and pace.

A stream that says nothing for 5 minutes (edge-optimized APIs: 30 seconds), or lasts longer than its integration allows
(15 minutes at most), is broken off: the head is out by then, so the client sees a connection that ends too early. "In
each streaming response, the first 10 MB of response payload is not subject to any bandwidth restrictions. Response
payload data exceeding 10 MB is restricted to 2 MB/s": what comes faster waits at its source.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from gatepost.gateway.deadline import DeadlinePassed, within
from gatepost.gateway.route import StageFacts
from gatepost.kernel.clock import Clock
from gatepost.kernel.ports import StreamBroken
from gatepost.kernel.tasks import Tasks
from gatepost.wire.outgoing import UpstreamError
from gatepost.wire.rendering import BadResponse

STREAM_MS_MAX: Final = 15 * 60 * 1000
IDLE_MS_MAX: Final = 5 * 60 * 1000
EDGE_IDLE_MS_MAX: Final = 30 * 1000
FREE_BYTES: Final = 10 * 1024 * 1024
BYTES_PER_S: Final = 2 * 1024 * 1024
_NS_PER_MS: Final = 1_000_000
_NS_PER_S: Final = 1_000_000_000


def idle_ms_max(stage: StageFacts) -> int:
    """Give how long a stream of a stage may stand still."""
    return EDGE_IDLE_MS_MAX if stage.is_edge else IDLE_MS_MAX


class TimedStream:
    """The pieces of `stream`, each within the idle limit and all within the integration's timeout."""

    __slots__ = ("_clock", "_due_ns", "_ends_ns", "_free_bytes", "_idle_ms", "_stream", "_tasks")

    def __init__(
        self,
        stream: AsyncIterator[bytes],
        *,
        clock: Clock,
        tasks: Tasks,
        ends_ns: int,
        idle_ms: int = IDLE_MS_MAX,
        free_bytes: int = FREE_BYTES,
    ) -> None:
        """Take the stream. `ends_ns` is monotonic time; `free_bytes` may go as fast as they come."""
        self._stream = stream
        self._clock = clock
        self._tasks = tasks
        self._ends_ns = ends_ns
        self._idle_ms = idle_ms
        self._free_bytes = free_bytes
        self._due_ns = 0  # when the next piece may go

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give itself."""
        return self

    async def __anext__(self) -> bytes:
        """Wait for the next piece. Raises: StopAsyncIteration; BadResponse: the rest will not come."""
        if self._due_ns:
            await self._wait_for_turn()
        left_ms = min(self._idle_ms, (self._ends_ns - self._clock.monotonic_ns()) // _NS_PER_MS)
        if left_ms <= 0:
            raise BadResponse("the integration's stream takes longer than its timeout")
        try:
            given = await within(self._next(), timeout_ms=left_ms, tasks=self._tasks, name="piece")
        except DeadlinePassed as passed:
            raise BadResponse(f"the integration's stream stands still: {passed}") from passed
        if given is None:
            raise StopAsyncIteration
        if isinstance(given, Exception):
            raise BadResponse(f"the integration broke its stream off: {given}") from given
        self._free_bytes -= len(given)
        if self._free_bytes < 0:
            paced_ns = -self._free_bytes * _NS_PER_S // BYTES_PER_S
            self._due_ns = max(self._due_ns, self._clock.monotonic_ns()) + paced_ns
            self._free_bytes = 0
        return given

    async def _wait_for_turn(self) -> None:
        """Wait until what has gone is within the bandwidth, or the stream's time is over."""
        wait_ns = min(self._due_ns, self._ends_ns) - self._clock.monotonic_ns()
        if wait_ns > 0:
            await asyncio.sleep(wait_ns / _NS_PER_S)

    async def _next(self) -> bytes | Exception | None:
        try:
            return await self._stream.__anext__()
        except StopAsyncIteration:
            return None
        except (StreamBroken, UpstreamError) as error:
            return error

    async def aclose(self) -> None:
        """Go away: nobody reads any more."""
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()
