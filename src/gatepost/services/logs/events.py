"""Log events in the order of their time, from chunks that may overlap.

Events are stored in chunks: what one stream brought at once, at most `CHUNK_SPAN_MS` from first to last. A reader asks
for chunks in the order of their first event (or, going back, of their last), and may give an event out once no chunk
that is still to come can have an earlier one. The place of an event is (timestamp, chunk, line), which orders all
events of a stream or group, and is what page tokens hold.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson

CHUNK_SPAN_MS: Final = 10_000


class Place(NamedTuple):
    """Where an event stands among all events."""

    timestamp_ms: int
    chunk: int
    line: int


START: Final = Place(-1, -1, -1)
END: Final = Place(1 << 62, 1 << 62, 1 << 62)


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one stream brought at once."""

    id: int
    stream: str
    first_ms: int
    last_ms: int
    ingested_at_ms: int
    content: bytes  # JSON: [[timestamp, message], …] in order of time


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as read back."""

    place: Place
    stream: str
    message: str
    ingested_at_ms: int


def _events_of(chunk: Chunk) -> Iterator[StoredEvent]:
    for index, (timestamp_ms, message) in enumerate(orjson.loads(chunk.content)):
        yield StoredEvent(Place(timestamp_ms, chunk.id, index), chunk.stream, message, chunk.ingested_at_ms)


def forward(chunks: Iterator[Chunk], after: Place) -> Iterator[StoredEvent]:
    """Give the events after `after`, oldest first. `chunks` come in the order of `first_ms`."""
    waiting: list[tuple[Place, StoredEvent]] = []
    for chunk in chunks:
        while waiting and waiting[0][0].timestamp_ms < chunk.first_ms:
            yield heapq.heappop(waiting)[1]
        for event in _events_of(chunk):
            if event.place > after:
                heapq.heappush(waiting, (event.place, event))
    while waiting:
        yield heapq.heappop(waiting)[1]


def backward(chunks: Iterator[Chunk], before: Place) -> Iterator[StoredEvent]:
    """Give the events before `before`, newest first. `chunks` come in the order of `last_ms`, the latest first."""
    waiting: list[tuple[Place, StoredEvent]] = []
    for chunk in chunks:
        while waiting and -waiting[0][0].timestamp_ms > chunk.last_ms:
            yield heapq.heappop(waiting)[1]
        for event in _events_of(chunk):
            if event.place < before:
                place = event.place
                heapq.heappush(waiting, (Place(-place.timestamp_ms, -place.chunk, -place.line), event))
    while waiting:
        yield heapq.heappop(waiting)[1]


def pack(events: list[tuple[int, str]]) -> list[tuple[int, int, bytes]]:
    """Cut events into chunks of at most `CHUNK_SPAN_MS`: (first, last, content), sorted by time with ties in order."""
    ordered = sorted(events, key=lambda event: event[0])
    packed: list[tuple[int, int, bytes]] = []
    start = 0
    for index in range(1, len(ordered) + 1):
        if index == len(ordered) or ordered[index][0] - ordered[start][0] > CHUNK_SPAN_MS:
            part = ordered[start:index]
            packed.append((part[0][0], part[-1][0], orjson.dumps(part)))
            start = index
    return packed
