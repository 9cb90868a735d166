"""What one worker says: its log stream, bounded, and the tail of an invocation."""

from __future__ import annotations

from collections import deque
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.ports import LogEvent, LogSink

EVENT_BYTES_MAX: Final = 256 * 1024  # longer lines become several events
SLACK_BYTES: Final = 4096  # the worker's own word on what it dropped comes on top of the bound
TAIL_BYTES: Final = 4096  # https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html: LogType


class Transcript:
    """Collects one worker's events and hands them to the sink in batches."""

    __slots__ = ("_bytes_left", "_clock", "_events", "_group", "_is_dropped", "_partial", "_sink", "_stream", "_tail")

    def __init__(self, sink: LogSink, clock: Clock, group: str, stream: str, *, events_max: int) -> None:
        self._sink = sink
        self._clock = clock
        self._group = group
        self._stream = stream
        self._events: deque[tuple[int, str]] = deque(maxlen=events_max)
        self._partial = b""
        self._bytes_left = 0
        self._is_dropped = False
        self._tail: list[str] | None = None

    def begin(self, *, bytes_max: int, wants_tail: bool) -> None:
        """Start a new count of bytes for an invocation, and a tail if it was asked for."""
        self._bytes_left = bytes_max + SLACK_BYTES
        self._is_dropped = False
        self._tail = [] if wants_tail else None

    def platform(self, text: str) -> None:
        """Add a line of the platform's own; an empty one is none."""
        if not text:
            return
        self._events.append((self._clock.now_ms(), text))
        if self._tail is not None:
            self._tail.append(text)

    def lines(self, data: bytes) -> None:
        """Add output that splits at line ends; an unfinished line waits."""
        if not self._take(len(data)):
            return
        *whole, self._partial = (self._partial + data).split(b"\n")
        for line in whole:
            self._add(line + b"\n")
        if len(self._partial) >= EVENT_BYTES_MAX:
            self.finish_line()

    def event(self, data: bytes) -> None:
        """Add one event, whatever line ends are in it."""
        if self._take(len(data)):
            self._add(data)

    def finish_line(self) -> None:
        """Make an event of a line that has no end."""
        if self._partial:
            self._add(self._partial)
            self._partial = b""

    def _take(self, count: int) -> bool:
        # The worker keeps the same bound and says what it dropped; this one holds for a worker that lies.
        self._bytes_left -= count
        if self._bytes_left >= 0:
            return True
        if not self._is_dropped and self._bytes_left < -EVENT_BYTES_MAX:
            self._is_dropped = True
            self.platform("[gatepost] more output dropped\n")
        return False

    def _add(self, data: bytes) -> None:
        now_ms = self._clock.now_ms()
        for start in range(0, len(data), EVENT_BYTES_MAX):
            text = data[start : start + EVENT_BYTES_MAX].decode("utf-8", "replace")
            self._events.append((now_ms, text))
            if self._tail is not None:
                self._tail.append(text)
                if len(self._tail) > 2 * TAIL_BYTES:
                    del self._tail[:TAIL_BYTES]

    def take_tail(self) -> bytes:
        """Give the last 4 KB of the invocation's log, or nothing when it was not asked for."""
        if self._tail is None:
            return b""
        tail = "".join(self._tail).encode()[-TAIL_BYTES:]
        self._tail = None
        return tail

    def flush(self) -> None:
        """Hand everything over."""
        if self._events:
            events = [LogEvent(at_ms, text) for at_ms, text in self._events]
            self._events.clear()
            self._sink.put(self._group, self._stream, events)
