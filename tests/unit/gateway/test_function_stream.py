"""Streamed answers as HTTP responses: where the metadata ends, and who closes what."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gatepost.gateway.deadline import DeadlinePassed
from gatepost.gateway.function_stream import PRELUDE_BYTES_MAX, MalformedPrelude, opened, started
from gatepost.kernel.ports import HTTP_INTEGRATION_RESPONSE, Invocation, StreamBroken
from gatepost.kernel.tasks import Tasks
from tests.support.gateways import Functions

END = bytes(8)
AN_INVOCATION = Invocation("arn", b"{}", "r")


def read(pieces: list[bytes | None], content_type: str = HTTP_INTEGRATION_RESPONSE) -> Any:
    async def scenario() -> Any:
        functions = Functions(pieces)
        functions.content_type = content_type
        stream = await functions.stream(AN_INVOCATION)
        answer = await opened(stream)
        return answer.metadata, b"".join([piece async for piece in answer.body])

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    "pieces",
    [
        [b'{"statusCode":201}' + END + b"ab"],
        [b'{"statusCode":201}', END, b"a", b"b"],
        [b'{"statusCode":', b"201}" + END[:3], END[3:] + b"a", b"b"],
    ],
)
def test_the_metadata_ends_at_eight_nul_bytes_however_they_come(pieces: list[bytes | None]) -> None:
    assert read(pieces) == ({"statusCode": 201}, b"ab")


def test_an_answer_without_metadata_is_all_body() -> None:
    assert read([b"a" + END, b"b"], "text/plain") == (None, b"a" + END + b"b")
    assert read([], "text/plain") == (None, b"")


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([b"{}"], "no eight NUL bytes"),
        ([b" " * (PRELUDE_BYTES_MAX + 1), END], "no eight NUL bytes"),
        ([b"{" + END], "not JSON"),
        ([b"[]" + END], "no JSON object"),
    ],
)
def test_metadata_that_cannot_be_read_is_no_answer(pieces: list[bytes | None], words: str) -> None:
    with pytest.raises(MalformedPrelude, match=words):
        read(pieces)


@pytest.mark.parametrize("pieces", [[None], [b"{}", None], [b"{}" + END + b"a", None]])
def test_a_failure_of_the_function_is_told_wherever_it_comes(pieces: list[bytes | None]) -> None:
    with pytest.raises(StreamBroken):
        read(pieces)


def test_a_stream_that_begins_too_late_is_closed() -> None:
    async def scenario() -> bool:
        functions = Functions([b"a"])
        gate = asyncio.Event()
        streams: list[Any] = []

        class Slow:
            invoke = functions.invoke

            async def stream(self, invocation: Invocation) -> Any:
                await gate.wait()
                streams.append(await functions.stream(invocation))
                return streams[0]

        tasks = Tasks("test")
        with pytest.raises(DeadlinePassed):
            await started(Slow(), AN_INVOCATION, timeout_ms=1, tasks=tasks)
        gate.set()
        while len(tasks):
            await asyncio.sleep(0)
        return [piece async for piece in streams[0]] == []

    assert asyncio.run(scenario())
