"""The state's server: what it says to nonsense, and how it keeps a space's bound and a slow gateway in theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gatepost.kernel.clock import SystemClock
from gatepost.kernel.errors import StateUnavailable
from gatepost.state.base import Space
from gatepost.state.memory import MemoryState
from gatepost.state.resp import encode
from gatepost.state.server import StateServer
from gatepost.state.valkey import ValkeyAddress, ValkeyState
from gatepost.state.valkey_scripts import CLAIM, TAKE_TOKENS


def serve(tmp_path: Path, scenario: Callable[[StateServer, str], Awaitable[None]]) -> None:
    async def whole() -> None:
        server = StateServer(MemoryState(SystemClock()))
        path = str(tmp_path / "state.sock")
        await server.serve(path)
        try:
            await scenario(server, path)
        finally:
            await server.close()

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ((b"GET", b"k"), b"-ERR unknown command\r\n"),
        ((b"EVALSHA", b"0" * 40, b"1", b"gatepost:b:x"), b"-NOSCRIPT"),
        ((b"EVALSHA",), b"-ERR"),
        ((b"EVAL", CLAIM.encode(), b"1", b"no prefix", b"me", b"5"), b"-ERR"),
        ((b"EVAL", CLAIM.encode(), b"1", b"gatepost:c:x", b"me"), b"-ERR"),
        ((b"EVAL", TAKE_TOKENS.encode(), b"1", b"gatepost:b:x", b"nan?", b"1", b"1", b"1"), b"-ERR"),
        ((b"EVAL", TAKE_TOKENS.encode(), b"1", b"gatepost:b:\xff", b"1", b"1", b"1", b"1"), b"-ERR"),
        ((b"PUBLISH", b"channel", bytes(70_000)), b"-ERR"),
    ],
)
def test_a_command_that_makes_no_sense_gets_an_error_and_nothing_else(command: tuple[bytes, ...], reply: bytes) -> None:
    assert StateServer(MemoryState(SystemClock())).run(command).startswith(reply)


@pytest.mark.parametrize(
    "sent", [b"+OK\r\n", b"*0\r\n", b"*1\r\n:5\r\n", b"GET / HTTP/1.1\r\n", b"*1\r\n$99999999\r\n"]
)
def test_what_is_no_command_ends_the_connection(tmp_path: Path, sent: bytes) -> None:
    async def scenario(server: StateServer, path: str) -> None:
        reading, writing = await asyncio.open_unix_connection(path)
        writing.write(sent + (bytes(9 * 1024 * 1024) if sent.endswith(b"$99999999\r\n") else b""))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await asyncio.wait_for(reading.readexactly(1), 5)
        writing.close()
        assert not server.connections

    serve(tmp_path, scenario)


def test_commands_that_arrive_in_pieces_are_answered_in_order(tmp_path: Path) -> None:
    async def scenario(server: StateServer, path: str) -> None:
        del server
        reading, writing = await asyncio.open_unix_connection(path)
        names = [b"gatepost:c:%d" % number for number in (1, 2, 1)]
        owners = (b"a", b"b", b"c")
        sent = b"".join(
            encode((b"EVAL", CLAIM.encode(), b"1", name, owner, b"9999"))
            for name, owner in zip(names, owners, strict=True)
        )
        for start in range(0, len(sent), 7):
            writing.write(sent[start : start + 7])
            await asyncio.sleep(0)
        assert await asyncio.wait_for(reading.readexactly(12), 5) == b":1\r\n:1\r\n:0\r\n"
        writing.close()

    serve(tmp_path, scenario)


def test_a_space_keeps_its_bound_however_many_gateways_fill_it(tmp_path: Path) -> None:
    async def scenario(server: StateServer, path: str) -> None:
        del server
        space = Space("cache/a1/prod", 10_000)
        states = [ValkeyState(ValkeyAddress("", 0, path=path), SystemClock(), deadline_ms=2_000) for _ in range(2)]
        for state in states:
            assert await state.start()
        for number in range(40):
            await states[number % 2].remember(space, str(number), bytes(1_000), expires_after_ms=60_000)
        kept = [number for number in range(40) if await states[0].recall(space, str(number)) is not None]
        assert kept == list(range(33, 40))
        for state in states:
            await state.close()

    serve(tmp_path, scenario)


def test_a_server_that_comes_back_is_found_and_whoever_listens_hears_that_something_was_missed(tmp_path: Path) -> None:
    async def scenario(server: StateServer, path: str) -> None:
        state = ValkeyState(ValkeyAddress("", 0, path=path), SystemClock(), deadline_ms=2_000)
        assert await state.start()
        heard: list[bytes] = []
        state.subscribe("flush", heard.append)
        epoch = state.epoch
        await server.close()
        while not state.is_lost:
            await asyncio.sleep(0.005)
        with pytest.raises(StateUnavailable):
            await state.claim("x", owner="me", expires_after_ms=1_000)
        another = StateServer(MemoryState(SystemClock()))
        await another.serve(path)
        async with asyncio.timeout(5):
            while state.is_lost:
                await asyncio.sleep(0.005)
        assert state.epoch == epoch + 1
        assert heard == [b""]
        assert await state.claim("x", owner="me", expires_after_ms=1_000)
        await state.close()
        await another.close()

    serve(tmp_path, scenario)
