"""Event streams: an operation's answer as a sequence of binary messages, each with headers, a payload and checksums.

Source: https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import orjson

from gatepost.awsapi.protocols.documents import Writer, WriterCompiler
from gatepost.awsapi.shapes import Shape

CONTENT_TYPE: Final = b"application/vnd.amazon.eventstream"
_PRELUDE: Final = struct.Struct(">II")  # bytes of the message, bytes of its headers
_CHECKSUM: Final = struct.Struct(">I")
_STRING: Final = 7  # the type of a header's value


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Render one message. Header names and values are ours: short and without surprises."""
    block = b"".join(_header(name, value) for name, value in headers.items())
    prelude = _PRELUDE.pack(_PRELUDE.size + 2 * _CHECKSUM.size + len(block) + len(payload), len(block))
    head = prelude + _CHECKSUM.pack(zlib.crc32(prelude)) + block
    return b"".join((head, payload, _CHECKSUM.pack(zlib.crc32(payload, zlib.crc32(head)))))


def _header(name: str, value: str) -> bytes:
    encoded = value.encode()
    return b"%c%b%c%b%b" % (len(name), name.encode(), _STRING, struct.pack(">H", len(encoded)), encoded)


class EventStreamWriter:
    """Renders the events of one stream: `{"PayloadChunk": {...}}` becomes a message of that type."""

    def __init__(self, shape: Shape, writers: WriterCompiler) -> None:
        self._events = {name: _event(name, member.shape, writers) for name, member in shape.members.items()}

    async def render(self, events: AsyncIterator[Mapping[str, Any]]) -> AsyncIterator[bytes]:
        """Give each event as bytes. `events` is closed whatever happens."""
        try:
            async for event in events:
                for name, members in event.items():
                    yield self._events[name](members)
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()


def _event(name: str, shape: Shape, writers: WriterCompiler) -> Callable[[Mapping[str, Any]], bytes]:
    payload = next((member for member in shape.members.values() if member.is_event_payload), None)
    headers = {":message-type": "event", ":event-type": name}
    if payload is not None and payload.shape.type == "blob":
        headers[":content-type"] = "application/octet-stream"
        member_name = payload.name
        return lambda members: message(headers, members[member_name])
    headers[":content-type"] = "application/json"
    write: Writer = writers.writer(shape)
    return lambda members: message(headers, orjson.dumps(write(members)))
