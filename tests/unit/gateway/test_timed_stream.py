from __future__ import annotations

import asyncio

import pytest

from gatepost.gateway.timed_stream import TimedStream
from gatepost.kernel.clock import FixedClock, SystemClock
from gatepost.kernel.ports import StreamBroken
from gatepost.kernel.tasks import Tasks
from gatepost.wire.outgoing import UpstreamClosed
from gatepost.wire.rendering import BadResponse


class Pieces:
    """Gives pieces; waits for ever at None; raises what is an error. Remembers whether it was closed."""

    def __init__(self, *pieces):
        self.pieces = list(pieces)
        self.is_closed = False

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.pieces:
            raise StopAsyncIteration
        piece = self.pieces.pop(0)
        if piece is None:
            await asyncio.Event().wait()
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def aclose(self):
        self.is_closed = True


def read(stream, *, clock=None, ends_ms=60_000, idle_ms=60_000):
    async def scenario():
        tasks = Tasks("t")
        used = clock or SystemClock()
        ends_ns = used.monotonic_ns() + ends_ms * 1_000_000
        timed = TimedStream(stream, clock=used, tasks=tasks, ends_ns=ends_ns, idle_ms=idle_ms)
        got = []
        try:
            async for piece in timed:
                got.append(piece)
                if isinstance(used, FixedClock):
                    used.advance(ms=40)
            return got, None
        except BadResponse as error:
            return got, str(error)
        finally:
            await timed.aclose()
            await tasks.close()

    return asyncio.run(scenario())


def test_pieces_pass_as_they_come_and_the_stream_is_closed():
    stream = Pieces(b"a", b"b")
    assert read(stream) == ([b"a", b"b"], None)
    assert stream.is_closed


def test_a_stream_that_stands_still_is_broken_off():
    got, why = read(Pieces(b"a", None, b"b"), idle_ms=20)
    assert got == [b"a"]
    assert why is not None
    assert "stands still" in why


def test_a_stream_that_takes_too_long_is_broken_off():
    got, why = read(Pieces(b"a", b"b", b"c", b"d"), clock=FixedClock(), ends_ms=100)
    assert got == [b"a", b"b", b"c"]
    assert why is not None
    assert "longer than its timeout" in why


@pytest.mark.parametrize("error", [StreamBroken("Unhandled", b"{}"), UpstreamClosed("gone")])
def test_what_fails_on_the_way_breaks_it_off(error):
    got, why = read(Pieces(b"a", error))
    assert got == [b"a"]
    assert why is not None
    assert "broke its stream off" in why
