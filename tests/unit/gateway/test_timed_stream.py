from __future__ import annotations

import asyncio
import time

import pytest

from gatepost.gateway.route import StageFacts
from gatepost.gateway.timed_stream import (
    BYTES_PER_S,
    EDGE_IDLE_MS_MAX,
    FREE_BYTES,
    IDLE_MS_MAX,
    TimedStream,
    idle_ms_max,
)
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


def read(stream, *, clock=None, ends_ms=60_000, idle_ms=60_000, free_bytes=FREE_BYTES):
    async def scenario():
        tasks = Tasks("t")
        used = clock or SystemClock()
        ends_ns = used.monotonic_ns() + ends_ms * 1_000_000
        timed = TimedStream(stream, clock=used, tasks=tasks, ends_ns=ends_ns, idle_ms=idle_ms, free_bytes=free_bytes)
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


def test_what_exceeds_the_free_bytes_goes_at_two_megabytes_a_second():
    piece = bytes(BYTES_PER_S // 20)
    began = time.perf_counter()
    got, error = read(Pieces(piece, piece, piece, piece), free_bytes=2 * len(piece))
    assert (len(got), error) == (4, None)
    assert 0.09 <= time.perf_counter() - began < 2  # two pieces at 50 ms each, the last one's before the end


def test_within_the_free_bytes_nothing_waits():
    began = time.perf_counter()
    got, _ = read(Pieces(*[bytes(1024 * 1024)] * 10))
    assert (len(got), time.perf_counter() - began < 0.5) == (10, True)


def test_a_stream_whose_time_ends_while_it_waits_for_its_turn_is_broken_off():
    began = time.perf_counter()
    got, error = read(Pieces(bytes(BYTES_PER_S), b"x"), free_bytes=0, ends_ms=50)
    assert (len(got), error) == (1, "the integration's stream takes longer than its timeout")
    assert time.perf_counter() - began < 0.9


def test_edge_optimized_apis_wait_less_long_for_a_piece():
    regional = StageFacts("", "", "", "", "", "")
    edge = StageFacts("", "", "", "", "", "", is_edge=True)
    assert (idle_ms_max(regional), idle_ms_max(edge)) == (IDLE_MS_MAX, EDGE_IDLE_MS_MAX)
