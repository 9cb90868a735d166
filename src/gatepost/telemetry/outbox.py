"""Log lines on their way from the gateway to services: bounded, and the oldest go first when nobody fetches them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from gatepost.kernel.ports import LogEvent

BYTES_MAX: Final = 16 * 1024 * 1024
BATCH_BYTES: Final = 1024 * 1024
EVENT_BYTES: Final = 26  # CloudWatch Logs' own allowance for each event


class LogOutbox:
    """Implements `kernel.ports.LogSink`. `dropped` counts events that nobody fetched in time."""

    def __init__(self, *, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._waiting: deque[tuple[str, str, LogEvent]] = deque()
        self._bytes = 0
        self.dropped = 0

    def put(self, log_group: str, log_stream: str, events: Sequence[LogEvent]) -> None:
        """Hand over `events` of one stream. Never blocks, never raises."""
        for event in events:
            self._waiting.append((log_group, log_stream, event))
            self._bytes += len(event.message) + EVENT_BYTES
        while self._bytes > self._bytes_max and self._waiting:
            self._bytes -= len(self._waiting.popleft()[2].message) + EVENT_BYTES
            self.dropped += 1

    def take(self) -> list[dict[str, Any]]:
        """Take about 1 MiB away, as JSON values: one object for each run of events of the same stream."""
        batch: list[dict[str, Any]] = []
        taken = 0
        while self._waiting and taken < BATCH_BYTES:
            group, stream, event = self._waiting.popleft()
            size = len(event.message) + EVENT_BYTES
            self._bytes -= size
            taken += size
            if not batch or batch[-1]["group"] != group or batch[-1]["stream"] != stream:
                batch.append({"group": group, "stream": stream, "events": []})
            batch[-1]["events"].append((event.timestamp_ms, event.message))
        return batch

    def give_back(self, batch: Sequence[dict[str, Any]]) -> None:
        """Put back what could not be sent, in front."""
        for run in reversed(batch):
            for timestamp_ms, message in reversed(run["events"]):
                self._waiting.appendleft((run["group"], run["stream"], LogEvent(timestamp_ms, message)))
                self._bytes += len(message) + EVENT_BYTES
