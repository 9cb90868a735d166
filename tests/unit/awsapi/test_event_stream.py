"""Event streams, read back by botocore's own parser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from botocore.eventstream import EventStreamBuffer

from gatepost.awsapi.protocols.documents import JSON, WriterCompiler
from gatepost.awsapi.protocols.event_stream import EventStreamWriter, message
from gatepost.awsapi.shapes import ServiceModels


def events_read(content: bytes) -> list[tuple[dict[str, str], bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(content)
    return [(event.headers, event.payload) for event in buffer]


def test_a_message_has_headers_payload_and_checksums_that_hold() -> None:
    assert events_read(message({":event-type": "E", "a": "b"}, b"payload") + message({}, b"")) == [
        ({":event-type": "E", "a": "b"}, b"payload"),
        ({}, b""),
    ]


def test_lambda_events_are_bytes_or_json_and_their_source_is_closed() -> None:
    model = ServiceModels().get("lambda")
    assert model is not None
    closed: list[bool] = []

    async def events() -> AsyncIterator[dict[str, Any]]:
        try:
            yield {"PayloadChunk": {"Payload": b"ab"}}
            yield {"InvokeComplete": {"ErrorCode": "Unhandled"}}
        finally:
            closed.append(True)

    async def scenario(count: int) -> bytes:
        writer = EventStreamWriter(model.shape("InvokeWithResponseStreamResponseEvent"), WriterCompiler(JSON))
        stream = writer.render(events())
        content = b"".join([await anext(stream) for _ in range(count)])
        await stream.aclose()  # type: ignore[attr-defined]
        return content

    event = {":message-type": "event", ":content-type": "application/json"}
    assert events_read(asyncio.run(scenario(2))) == [
        ({**event, ":event-type": "PayloadChunk", ":content-type": "application/octet-stream"}, b"ab"),
        ({**event, ":event-type": "InvokeComplete"}, b'{"ErrorCode":"Unhandled"}'),
    ]
    asyncio.run(scenario(1))
    assert closed == [True, True]
