"""Answers that are streamed to a client (`responseTransferMode: STREAM`), with API Gateway's limits on time.

A stream that says nothing for 5 minutes, or lasts longer than its integration allows (15 minutes at most), is broken
off: the head is out by then, so the client sees a connection that ends too early.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from gatepost.gateway.deadline import DeadlinePassed, within
from gatepost.kernel.clock import Clock
from gatepost.kernel.ports import StreamBroken
from gatepost.kernel.tasks import Tasks
from gatepost.wire.outgoing import UpstreamError
from gatepost.wire.rendering import BadResponse

STREAM_MS_MAX: Final = 15 * 60 * 1000
IDLE_MS_MAX: Final = 5 * 60 * 1000
_NS_PER_MS: Final = 1_000_000


class TimedStream:
    """The pieces of `stream`, each within the idle limit and all within the integration's timeout."""

    __slots__ = ("_clock", "_ends_ns", "_idle_ms", "_stream", "_tasks")

    def __init__(
        self,
        stream: AsyncIterator[bytes],
        *,
        clock: Clock,
        tasks: Tasks,
        ends_ns: int,
        idle_ms: int = IDLE_MS_MAX,
    ) -> None:
        """Take the stream. `ends_ns` is monotonic time."""
        self._stream = stream
        self._clock = clock
        self._tasks = tasks
        self._ends_ns = ends_ns
        self._idle_ms = idle_ms

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give itself."""
        return self

    async def __anext__(self) -> bytes:
        """Wait for the next piece. Raises: StopAsyncIteration; BadResponse: the rest will not come."""
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
        return given

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
