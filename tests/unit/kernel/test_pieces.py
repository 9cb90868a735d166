import asyncio

import pytest

from gatepost.kernel.pieces import HELD_BYTES_MAX, Pieces


def test_pieces_come_in_order_and_end() -> None:
    async def scenario() -> list[bytes]:
        pieces = Pieces()
        reading = asyncio.ensure_future(_all(pieces))
        await asyncio.sleep(0)
        pieces.put(b"a")
        pieces.put(b"")
        pieces.put(b"b")
        pieces.end()
        pieces.put(b"late")
        return await reading

    assert asyncio.run(scenario()) == [b"a", b"b"]


def test_a_failure_comes_after_what_was_put_before_it() -> None:
    async def scenario() -> bytes:
        pieces = Pieces()
        pieces.put(b"a")
        pieces.end(ValueError("broken"))
        pieces.end()  # the first end counts
        first = await anext(pieces)
        with pytest.raises(ValueError, match="broken"):
            await anext(pieces)
        return first

    assert asyncio.run(scenario()) == b"a"


def test_the_writer_waits_for_a_slow_reader_and_is_told_once() -> None:
    async def scenario() -> tuple[bool, bool, int, int]:
        pieces = Pieces()
        told: list[int] = []
        half = b"x" * (HELD_BYTES_MAX // 2)
        first = pieces.put(half, lambda: told.append(1))
        pieces.put(half, lambda: told.append(1))
        second = pieces.put(b"x", lambda: told.append(1))
        await anext(pieces)
        before = len(told)
        await anext(pieces)
        await anext(pieces)
        return first, second, before, len(told)

    assert asyncio.run(scenario()) == (True, False, 0, 1)


def test_a_reader_that_has_gone_away_holds_nothing_up() -> None:
    async def scenario() -> tuple[list[int], bool]:
        pieces = Pieces()
        told: list[int] = []
        assert not pieces.put(b"x" * (HELD_BYTES_MAX + 1), lambda: told.append(1))
        await pieces.aclose()
        is_taken = pieces.put(b"x" * (HELD_BYTES_MAX + 1), lambda: told.append(2))
        assert [piece async for piece in pieces] == []
        return told, is_taken

    assert asyncio.run(scenario()) == ([1], True)


async def _all(pieces: Pieces) -> list[bytes]:
    return [piece async for piece in pieces]
