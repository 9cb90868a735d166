"""Pieces on their way out."""

import asyncio

import pytest

from gatepost.wire.rendering import BadResponse
from gatepost.wire.streaming import send_pieces
from tests.support.wire import RecordingTransport, chunks_in


async def each(*pieces):
    for piece in pieces:
        yield piece


def sent(*pieces: bytes, content_length=None, is_chunked=True) -> bytes:
    async def scenario():
        transport = RecordingTransport(asyncio.Protocol())
        await send_pieces(
            each(*pieces), transport, room=lambda: None, content_length=content_length, is_chunked=is_chunked
        )
        return transport.sent

    return asyncio.run(scenario())


@pytest.mark.parametrize("size", [1, 15, 16, 65_536, 65_537])
def test_chunks_carry_their_size(size):
    assert chunks_in(sent(b"x" * size, b"", b"y")) == (b"x" * size + b"y", b"")


def test_an_empty_stream_is_an_empty_body():
    assert sent() == b"0\r\n\r\n"
    assert sent(content_length=0, is_chunked=False) == b""


@pytest.mark.parametrize("content_length", [0, 1, 2, 4])
def test_the_announced_length_is_kept(content_length):
    with pytest.raises(BadResponse):
        sent(b"a", b"bc", content_length=content_length, is_chunked=False)
    assert sent(b"a", b"bc", content_length=3, is_chunked=False) == b"abc"
