"""A function's streamed answer as an HTTP response: its metadata, read before the head goes out, and its body.

Source: https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html and, for the place of the eight NUL
bytes, https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gatepost.gateway.deadline import within
from gatepost.kernel.ports import HTTP_INTEGRATION_RESPONSE, FunctionInvoker, Invocation, InvocationStream
from gatepost.kernel.tasks import Tasks

PRELUDE_BYTES_MAX: Final = 16 * 1024  # of the metadata; the limit that API Gateway states
PRELUDE_END: Final = bytes(8)


class MalformedPrelude(Exception):
    """A streamed answer does not begin with metadata that can be read. The text is for our log."""


@dataclass(frozen=True, slots=True)
class StreamedAnswer:
    """What a function streams. `metadata` is None when the answer has none: then the body is all of it.

    `body` closes the stream when it is closed; it raises StreamBroken where the function failed.
    """

    metadata: Mapping[str, Any] | None
    content_type: str
    body: AsyncIterator[bytes]


async def started(
    invoker: FunctionInvoker, invocation: Invocation, *, timeout_ms: int, tasks: Tasks
) -> InvocationStream:
    """Run a function and give its answer once it has begun; a stream that nobody waits for any more is closed.

    Raises: DeadlinePassed; ServiceError as `FunctionInvoker.stream` does.
    """
    begun: list[InvocationStream] = []
    is_awaited = True

    async def start() -> InvocationStream:
        stream = await invoker.stream(invocation)
        begun.append(stream)
        if not is_awaited:
            await stream.aclose()
        return stream

    given: InvocationStream | None = None
    try:
        given = await within(start(), timeout_ms=timeout_ms, tasks=tasks, name="stream")
    finally:
        is_awaited = given is not None
        for stream in begun:
            if given is None:
                await stream.aclose()
    return given


async def opened(stream: InvocationStream) -> StreamedAnswer:
    """Read a streamed answer up to its body.

    Raises: MalformedPrelude; StreamBroken when the function failed before its body began. The stream is closed then.
    """
    answer: StreamedAnswer | None = None
    try:
        if stream.content_type == HTTP_INTEGRATION_RESPONSE:
            answer = await _with_metadata(stream)
        else:
            answer = StreamedAnswer(None, stream.content_type, _Body(stream, await _first(stream)))
    finally:
        if answer is None:
            await stream.aclose()
    return answer


async def _with_metadata(stream: InvocationStream) -> StreamedAnswer:
    head = b""
    async for piece in stream:
        head += piece
        end = head.find(PRELUDE_END)
        if end >= 0:
            metadata = _parse(head[:end])
            return StreamedAnswer(metadata, stream.content_type, _Body(stream, head[end + len(PRELUDE_END) :]))
        if len(head) > PRELUDE_BYTES_MAX:
            break
    raise MalformedPrelude(f"no eight NUL bytes within {PRELUDE_BYTES_MAX} bytes")


async def _first(stream: InvocationStream) -> bytes:
    """Give the first piece; nothing when the answer is empty."""
    async for piece in stream:
        return piece
    return b""


def _parse(prelude: bytes) -> dict[str, Any]:
    try:
        metadata = orjson.loads(prelude)
    except orjson.JSONDecodeError as error:
        raise MalformedPrelude(f"the metadata is not JSON: {error}") from error
    if not isinstance(metadata, dict):
        raise MalformedPrelude("the metadata is no JSON object")
    return metadata


class _Body:
    """The rest of a stream. Not a generator: one that was never started does not clean up when it is closed."""

    def __init__(self, stream: InvocationStream, first: bytes) -> None:
        self._stream = stream
        self._first = first

    def __aiter__(self) -> _Body:
        return self

    async def __anext__(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        return await self._stream.__anext__()

    async def aclose(self) -> None:
        """Go away."""
        await self._stream.aclose()
