"""The state on a Valkey server: its address, its scripts, its password. Its promises are in the contract suite."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatepost.kernel.clock import SystemClock
from gatepost.kernel.errors import SettingsError, StateUnavailable
from gatepost.state.base import Space
from gatepost.state.valkey import ValkeyAddress, ValkeyState
from gatepost.state.valkey_scripts import ALL
from tests.support.valkeys import ValkeyProcess, a_valkey, free_port

SPACE = Space("s", bytes_max=1_000)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyProcess]:
    with a_valkey(tmp_path) as server:
        yield server


def a_state(server: ValkeyProcess, url: str = "") -> ValkeyState:
    return ValkeyState(ValkeyAddress.parse(url or server.url), SystemClock(), deadline_ms=1_000)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("valkey://h", ValkeyAddress("h", 6379)),
        ("redis://h:1/2", ValkeyAddress("h", 1, 2)),
        ("valkey://a,b:7,[::1]:8/3", ValkeyAddress("a", 6379, 3, others=(("b", 7), ("::1", 8)))),
        ("valkey://u:p%40@a:1,b:2", ValkeyAddress("a", 1, 0, "u", "p@", others=(("b", 2),))),
        ("valkeys://u:p%40@h", ValkeyAddress("h", 6379, 0, "u", "p@", is_tls=True)),
    ],
)
def test_an_address_is_read_from_its_url(url: str, address: ValkeyAddress) -> None:
    assert ValkeyAddress.parse(url) == address
    assert "p@" not in repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "valkey://",
        "valkey://h:x",
        "valkey://h/db",
        "valkey://a,",
        "valkey://,a",
        "valkey://a,b:x",
        "valkey://a:1:2",
    ],
)
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="--state"):
        ValkeyAddress.parse(url)


def test_scripts_that_the_server_forgot_are_sent_again(valkey: ValkeyProcess) -> None:
    async def scenario() -> None:
        state = a_state(valkey)
        assert await state.start()
        valkey.ask(b"SCRIPT FLUSH\r\n")
        assert await state.claim("n", owner="a", expires_after_ms=10_000)
        assert not await state.claim("n", owner="b", expires_after_ms=10_000)
        await state.close()

    asyncio.run(scenario())
    assert len(set(ALL)) == len(ALL)


def test_a_password_is_needed_and_given(valkey: ValkeyProcess) -> None:
    async def scenario() -> None:
        valkey.ask(b"CONFIG SET requirepass secret\r\n")
        stranger = a_state(valkey)
        assert not await stranger.start()
        with pytest.raises(StateUnavailable):
            await stranger.recall(SPACE, "k")
        await stranger.close()
        friend = a_state(valkey, f"valkey://:secret@127.0.0.1:{valkey.port}/3")
        assert await friend.start()
        await friend.remember(SPACE, "k", b"v", expires_after_ms=10_000)
        assert await friend.recall(SPACE, "k") == b"v"
        await friend.close()

    asyncio.run(scenario())


def test_connections_that_a_server_does_not_let_in_are_closed(valkey: ValkeyProcess) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        stranger = a_state(valkey, f"valkey://somebody:wrong@127.0.0.1:{valkey.port}")
        for _ in range(5):
            assert not await stranger.start()
        await stranger.close()
        deadline = loop.time() + 5
        while (found := valkey.ask(b"INFO clients\r\n")) and b"connected_clients:1\r" not in found:
            assert loop.time() < deadline, found
            await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_a_listener_that_is_ended_twice_ends_nobody_elses(valkey: ValkeyProcess) -> None:
    async def scenario() -> None:
        state = a_state(valkey)
        assert await state.start()
        end = state.subscribe("c", lambda _message: None)
        end()
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        state.subscribe("c", heard.put_nowait)
        end()
        await state.publish("c", b"hello")
        assert await asyncio.wait_for(heard.get(), 5) == b"hello"
        await state.close()

    asyncio.run(scenario())


def test_a_space_whose_generation_was_evicted_shows_no_old_value(valkey: ValkeyProcess) -> None:
    async def scenario() -> None:
        state = a_state(valkey)
        await state.start()
        await state.remember(SPACE, "k", b"old", expires_after_ms=10_000)
        valkey.ask(b"DEL gatepost:s:s\r\n")
        assert await state.recall(SPACE, "k") is None
        await state.close()

    asyncio.run(scenario())


async def found(state: ValkeyState, port: int) -> None:
    """Wait until the state is connected to the server on this port."""
    deadline = asyncio.get_running_loop().time() + 15
    while state.is_lost or state._address.places[state._turn][1] != port:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


async def count(state: ValkeyState, *, known: int = 0) -> int:
    counted = await state.add_to_quota("q", count=1, limit=100, expires_at_ms=2**42, at_least=known)
    return counted.used


def test_of_several_servers_the_primary_is_used_whichever_that_is(tmp_path: Path) -> None:
    async def scenario(one: ValkeyProcess, other: ValkeyProcess) -> None:
        replica, primary = one, other
        replica.follow(primary)
        state = ValkeyState(
            ValkeyAddress.parse(f"valkey://127.0.0.1:{one.port},127.0.0.1:{other.port}"),
            SystemClock(),
            deadline_ms=1_000,
        )
        assert await state.start()
        heard: list[bytes] = []
        state.subscribe("news", heard.append)
        used = 0
        for _ in range(2):  # fails over, and back again
            await found(state, primary.port)
            used += 1
            assert await count(state) == used
            while not replica.is_in_step() or b"gatepost:q:q" not in replica.ask(b"KEYS *\r\n"):
                await asyncio.sleep(0.02)
            primary.kill()
            with pytest.raises(StateUnavailable):
                await count(state)
            replica.follow(None)
            await found(state, replica.port)
            assert heard[-1:] == [b""]  # something may have been missed
            primary.start()
            primary.follow(replica)
            replica, primary = primary, replica
        assert await count(state) == used + 1
        await state.close()

    with a_valkey(tmp_path) as one, a_valkey(tmp_path) as other:
        asyncio.run(scenario(one, other))


def test_a_primary_that_becomes_a_replica_is_left_for_the_one_that_is_primary_now(tmp_path: Path) -> None:
    async def scenario(one: ValkeyProcess, other: ValkeyProcess) -> None:
        other.follow(one)
        address = ValkeyAddress.parse(f"valkey://127.0.0.1:{one.port},127.0.0.1:{other.port}")
        state = ValkeyState(address, SystemClock(), deadline_ms=1_000)
        assert await state.start()
        assert await count(state) == 1
        while not other.is_in_step():
            await asyncio.sleep(0.02)
        other.follow(None)
        one.follow(other)
        with pytest.raises(StateUnavailable):  # it says that it is read-only
            await count(state)
        await found(state, other.port)
        assert await count(state, known=1) == 2
        await state.close()

    with a_valkey(tmp_path) as one, a_valkey(tmp_path) as other:
        asyncio.run(scenario(one, other))


def test_a_server_in_cluster_mode_is_refused_with_a_reason(tmp_path: Path) -> None:
    async def scenario(server: ValkeyProcess) -> None:
        state = a_state(server)
        with pytest.raises(SettingsError, match="cluster mode"):
            await state.start()
        assert state.is_lost
        await state.close()

    with a_valkey(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as server:
        asyncio.run(scenario(server))
