"""Valkey's wire protocol: whole and split replies, and servers that are none."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from gatepost.kernel.clock import SystemClock
from gatepost.kernel.errors import StateUnavailable
from gatepost.state.resp import ReplyError, RespConnection, encode
from tests.support.valkeys import ValkeyProcess, a_valkey


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyProcess]:
    with a_valkey(tmp_path) as server:
        yield server


class Wire:
    """What a connection writes to."""

    def __init__(self) -> None:
        self.written = b""
        self.is_aborted = False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.is_aborted = True


def a_connection(*, deadline_ms: int = 1_000) -> tuple[RespConnection, Wire, list[RespConnection]]:
    lost: list[RespConnection] = []
    connection = RespConnection(clock=SystemClock(), deadline_ms=deadline_ms, lost=lost.append)
    wire = Wire()
    connection.connection_made(wire)  # type: ignore[arg-type]  # it writes and aborts
    return connection, wire, lost


REPLIES = b"+OK\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*3\r\n:1\r\n*0\r\n$0\r\n\r\n*-1\r\n"
VALUES = [b"OK", -7, b"a\r\n", None, [1, [], b""], None]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_replies_are_read_however_they_are_cut(size: int) -> None:
    async def scenario() -> list[Any]:
        connection, wire, _ = a_connection()
        waiting = [connection.send(encode(("GET", number))) for number in range(len(VALUES))]
        assert wire.written.startswith(b"*2\r\n$3\r\nGET\r\n$1\r\n0\r\n")
        for start in range(0, len(REPLIES), size):
            connection.data_received(REPLIES[start : start + size])
        return [await each for each in waiting]

    assert asyncio.run(scenario()) == VALUES


def test_an_error_is_one_commands_and_the_next_goes_on() -> None:
    async def scenario() -> None:
        connection, _, lost = a_connection()
        first, second = connection.send(b""), connection.send(b"")
        connection.data_received(b"-OOM no memory\r\n+OK\r\n")
        with pytest.raises(ReplyError, match="OOM no memory"):
            await first
        assert await second == b"OK"
        assert lost == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b":x\r\n",
        b"$99999999999\r\n",
        b"*" + b"9" * 9 + b"\r\n",
        b"*1\r\n" * 20 + b":1\r\n",
    ],
)
def test_a_server_of_another_kind_ends_the_connection_and_everything_that_waits(garbage: bytes) -> None:
    async def scenario() -> None:
        connection, wire, lost = a_connection()
        waiting = connection.send(b"")
        connection.data_received(garbage)
        with pytest.raises(StateUnavailable):
            await waiting
        assert wire.is_aborted
        assert lost == [connection]
        with pytest.raises(StateUnavailable):
            connection.send(b"")

    asyncio.run(scenario())


def test_a_reply_that_nobody_asked_for_ends_the_connection() -> None:
    async def scenario() -> None:
        connection, _, lost = a_connection()
        connection.data_received(b"+OK\r\n")
        assert lost == [connection]

    asyncio.run(scenario())


def test_a_reply_that_does_not_come_in_time_ends_the_connection() -> None:
    async def scenario() -> None:
        connection, _, lost = a_connection(deadline_ms=5)
        waiting = connection.send(b"")
        with pytest.raises(StateUnavailable, match="in time"):
            await waiting
        assert lost == [connection]

    asyncio.run(scenario())


def test_a_process_that_was_held_up_itself_finds_the_reply_that_has_arrived(valkey: ValkeyProcess) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        lost: list[RespConnection] = []
        _, connection = await loop.create_connection(
            lambda: RespConnection(clock=SystemClock(), deadline_ms=20, lost=lost.append), "127.0.0.1", valkey.port
        )
        ours, theirs = socket.socketpair()
        asked: asyncio.Queue[asyncio.Future[Any]] = asyncio.Queue()

        def ask_and_be_long() -> None:  # as a handler of requests does: the reply arrives meanwhile
            ours.recv(1)
            asked.put_nowait(connection.send(encode(("PING",))))
            _hold_the_loop_up(0.05)

        loop.add_reader(ours, ask_and_be_long)
        for _ in range(5):
            theirs.send(b"x")
            assert await (await asked.get()) == b"PONG"
        assert lost == []
        loop.remove_reader(ours)
        ours.close()
        theirs.close()
        valkey.pause()
        began = loop.time()
        with pytest.raises(StateUnavailable):
            await connection.send(encode(("PING",)))
        assert loop.time() - began < 0.2
        assert lost == [connection]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


def _hold_the_loop_up(seconds: float) -> None:
    end = SystemClock().monotonic_ns() + int(seconds * 1e9)
    while SystemClock().monotonic_ns() < end:
        pass


def test_whoever_stopped_waiting_does_not_disturb_the_others() -> None:
    async def scenario() -> None:
        connection, _, _ = a_connection()
        first, second = connection.send(b""), connection.send(b"")
        first.cancel()
        connection.data_received(b":1\r\n:2\r\n")
        assert await second == 2

    asyncio.run(scenario())
