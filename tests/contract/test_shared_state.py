"""Every shared state keeps the promises of `state.base.SharedState`: one suite for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatepost.kernel.clock import FixedClock, SystemClock
from gatepost.state.base import NEVER_MS, VALUE_BYTES_MAX, Counted, SharedState, Space, settled
from gatepost.state.memory import MemoryState
from gatepost.state.server import StateServer
from gatepost.state.valkey import ValkeyAddress, ValkeyState
from tests.support.valkeys import ValkeyProcess, a_valkey

SPACE = Space("authorizers/a1/prod", bytes_max=1_000_000)
OTHER = Space("authorizers/b2/prod", bytes_max=1_000_000)
HOUR_MS = 3_600_000


@dataclass
class Bench:
    """A state and what makes time pass for it."""

    state: SharedState
    now_ms: Callable[[], int]
    pass_ms: Callable[[int], Awaitable[None]]

    async def take(
        self, count: int, *, bucket: str = "b", rate: float = 0.001, burst: int = 5, least: int | None = None
    ) -> int:
        taken = await settled(
            self.state.take_tokens(bucket, count=count, rate_per_second=rate, burst=burst, count_min=least)
        )
        return taken.granted

    async def count(
        self, count: int, *, limit: int = 10, at_least: int = 0, expires_after_ms: int = HOUR_MS
    ) -> Counted:
        expires_at_ms = self.now_ms() + expires_after_ms
        return await settled(
            self.state.add_to_quota("q", count=count, limit=limit, expires_at_ms=expires_at_ms, at_least=at_least)
        )


MakeBench = Callable[[], AbstractAsyncContextManager[Bench]]


@asynccontextmanager
async def a_memory_bench() -> AsyncIterator[Bench]:
    clock = FixedClock()

    async def pass_ms(ms: int) -> None:
        clock.advance(ms=ms)

    state = MemoryState(clock)
    yield Bench(state, clock.now_ms, pass_ms)
    await state.close()


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyProcess]:
    with a_valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(params=["memory", "process", "valkey"])
def make_bench(request: pytest.FixtureRequest) -> MakeBench:
    if request.param == "memory":
        return a_memory_bench
    if request.param == "process":
        folder: Path = request.getfixturevalue("tmp_path")
        return lambda: a_server_bench(str(folder / "state.sock"))
    server: ValkeyProcess = request.getfixturevalue("valkey")
    server.ask(b"FLUSHALL\r\n")
    return lambda: a_valkey_bench(server)


@asynccontextmanager
async def a_server_bench(path: str) -> AsyncIterator[Bench]:
    clock = FixedClock()

    async def pass_ms(ms: int) -> None:
        clock.advance(ms=ms)

    server = StateServer(MemoryState(clock))
    await server.serve(path)
    state = ValkeyState(ValkeyAddress("", 0, path=path), SystemClock(), deadline_ms=2_000)
    assert await state.start()
    yield Bench(state, clock.now_ms, pass_ms)
    await state.close()
    await server.close()


@asynccontextmanager
async def a_valkey_bench(server: ValkeyProcess) -> AsyncIterator[Bench]:
    clock = SystemClock()

    async def pass_ms(ms: int) -> None:
        await asyncio.sleep(ms / 1000)  # the server's clock cannot be moved

    state = ValkeyState(ValkeyAddress.parse(server.url), clock, deadline_ms=2_000)
    assert await state.start()
    yield Bench(state, clock.now_ms, pass_ms)
    await state.close()


def run(make_bench: MakeBench, scenario: Callable[[Bench], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with make_bench() as bench:
            await scenario(bench)

    asyncio.run(whole())


def test_a_bucket_gives_its_burst_and_not_one_more(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        assert [await bench.take(1) for _ in range(7)] == [1, 1, 1, 1, 1, 0, 0]

    run(make_bench, scenario)


def test_tokens_come_all_or_none_unless_fewer_are_asked_for(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        assert await bench.take(3) == 3
        assert await bench.take(3) == 0
        assert await bench.take(3, least=3) == 0
        assert await bench.take(3, least=1) == 2
        assert await bench.take(3, least=1) == 0

    run(make_bench, scenario)


def test_a_bucket_refills_at_its_rate_and_never_over_its_burst(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        assert await bench.take(5, rate=100) == 5
        await bench.pass_ms(20)
        assert 1 <= await bench.take(5, rate=100, least=1) <= 5
        await bench.pass_ms(200)
        assert await bench.take(9, rate=100, least=1) == 5

    run(make_bench, scenario)


def test_an_empty_bucket_says_when_there_will_be_a_token(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.take(5, rate=2)
        taken = await settled(bench.state.take_tokens("b", count=1, rate_per_second=2, burst=5))
        assert taken.granted == taken.left == 0
        assert 1 <= taken.wait_ms <= 500
        never = await settled(bench.state.take_tokens("none", count=1, rate_per_second=0, burst=0))
        assert never == (0, 0, NEVER_MS)

    run(make_bench, scenario)


def test_a_bucket_with_another_rate_or_burst_keeps_what_was_taken(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        assert await bench.take(4, burst=5) == 4
        assert await bench.take(9, burst=8, least=1) == 4  # one was left, three more fit in
        assert await bench.take(1, burst=2) == 0

    run(make_bench, scenario)


def test_tokens_that_were_not_used_go_back_and_never_over_the_burst(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.take(3)
        await settled(bench.state.give_back_tokens("b", count=2, burst=5))
        assert await bench.take(9, least=1) == 4
        await settled(bench.state.give_back_tokens("b", count=100, burst=5))
        assert await bench.take(9, least=1) == 5
        await settled(bench.state.give_back_tokens("never taken from", count=1, burst=5))
        assert await bench.take(9, bucket="never taken from", least=1) == 5

    run(make_bench, scenario)


def test_a_quota_adds_up_to_its_limit(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        assert await bench.count(7) == (7, 7)
        assert await bench.count(7) == (3, 10)
        assert await bench.count(1) == (0, 10)
        assert await bench.count(1, limit=12) == (1, 11)
        assert await bench.count(1, limit=4) == (0, 11)

    run(make_bench, scenario)


def test_a_quota_takes_back_but_not_under_nothing(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.count(7)
        assert await bench.count(-3) == (-3, 4)
        assert await bench.count(-9) == (-4, 0)

    run(make_bench, scenario)


def test_a_quota_that_was_lost_goes_on_from_what_its_caller_knows(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        assert await bench.count(1, at_least=8) == (1, 9)
        assert await bench.count(1, at_least=8) == (1, 10)

    run(make_bench, scenario)


def test_a_quota_is_forgotten_when_its_period_ends(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.count(10, expires_after_ms=30)
        await bench.pass_ms(60)
        assert await bench.count(4) == (4, 4)

    run(make_bench, scenario)


def test_a_name_is_claimed_by_one_owner_until_it_expires_or_is_released(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        state = bench.state
        assert await settled(state.claim("leader", owner="a", expires_after_ms=HOUR_MS))
        assert not await settled(state.claim("leader", owner="b", expires_after_ms=HOUR_MS))
        assert await settled(state.claim("leader", owner="a", expires_after_ms=HOUR_MS))
        assert not await settled(state.release("leader", owner="b"))
        assert await settled(state.release("leader", owner="a"))
        assert not await settled(state.release("leader", owner="a"))
        assert await settled(state.claim("leader", owner="b", expires_after_ms=30))
        await bench.pass_ms(60)
        assert await settled(state.claim("leader", owner="a", expires_after_ms=30))

    run(make_bench, scenario)


def test_places_are_held_up_to_their_limit_until_they_expire_or_are_let_go(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        async def hold(owner: str, count: int, *, limit: int = 5, expires_after_ms: int = HOUR_MS) -> int:
            return await settled(
                bench.state.hold("f", owner=owner, count=count, limit=limit, expires_after_ms=expires_after_ms)
            )

        assert await hold("a", 3) == 3
        assert await hold("b", 3) == 2
        assert await hold("b", 2) == 2
        assert await hold("a", 4) == 3
        assert await hold("a", 1) == 1
        assert await hold("b", 9) == 4
        assert await hold("c", 1) == 0
        assert await hold("b", 4, limit=2) == 1
        assert await hold("b", 0) == 0
        assert await hold("c", 9, expires_after_ms=30) == 4
        await bench.pass_ms(60)
        assert await hold("a", 9) == 5

    run(make_bench, scenario)


def test_a_value_is_recalled_until_it_expires_is_forgotten_or_replaced(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        state = bench.state
        assert await settled(state.recall(SPACE, "k")) is None
        await settled(state.remember(SPACE, "k", b"\x00one", expires_after_ms=HOUR_MS))
        assert await settled(state.recall(SPACE, "k")) == b"\x00one"
        await settled(state.remember(SPACE, "k", b"", expires_after_ms=30))
        assert await settled(state.recall(SPACE, "k")) == b""
        assert await settled(state.recall(OTHER, "k")) is None
        await bench.pass_ms(60)
        assert await settled(state.recall(SPACE, "k")) is None
        await settled(state.remember(SPACE, "k", b"two", expires_after_ms=HOUR_MS))
        await settled(state.forget(SPACE, "k"))
        await settled(state.forget(SPACE, "k"))
        assert await settled(state.recall(SPACE, "k")) is None

    run(make_bench, scenario)


def test_a_value_that_may_not_be_kept_replaces_nothing_by_something_stale(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        state = bench.state
        await settled(state.remember(SPACE, "k", b"old", expires_after_ms=HOUR_MS))
        await settled(state.remember(SPACE, "k", b"new", expires_after_ms=0))
        assert await settled(state.recall(SPACE, "k")) is None

    run(make_bench, scenario)


def test_a_space_forgets_everything_at_once_and_leaves_others_alone(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        state = bench.state
        for key in ("a", "b", "c/ü"):
            await settled(state.remember(SPACE, key, b"x", expires_after_ms=HOUR_MS))
            await settled(state.remember(OTHER, key, b"y", expires_after_ms=HOUR_MS))
        await settled(state.forget_all(SPACE))
        assert [await settled(state.recall(SPACE, key)) for key in ("a", "b", "c/ü")] == [None] * 3
        assert [await settled(state.recall(OTHER, key)) for key in ("a", "b", "c/ü")] == [b"y"] * 3
        await settled(state.remember(SPACE, "a", b"again", expires_after_ms=HOUR_MS))
        assert await settled(state.recall(SPACE, "a")) == b"again"

    run(make_bench, scenario)


def test_names_and_values_without_bounds_are_refused(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        state = bench.state
        for name in ("", "x" * 1025, "ü" * 513):
            with pytest.raises(ValueError, match="a name has 1 to 1024 bytes"):
                await settled(state.remember(SPACE, name, b"", expires_after_ms=HOUR_MS))
            with pytest.raises(ValueError, match="a name has 1 to 1024 bytes"):
                await settled(state.take_tokens(name, count=1, rate_per_second=1, burst=1))
        with pytest.raises(ValueError, match="too many"):
            await settled(state.remember(SPACE, "k", bytes(VALUE_BYTES_MAX + 1), expires_after_ms=HOUR_MS))
        with pytest.raises(ValueError, match="too many"):
            await settled(state.publish("c", bytes(70_000)))

    run(make_bench, scenario)


def test_messages_reach_everyone_who_listens_to_their_channel(make_bench: MakeBench) -> None:
    async def scenario(bench: Bench) -> None:
        heard: list[tuple[str, bytes]] = []
        state = bench.state
        end = state.subscribe("flush", lambda message: heard.append(("one", message)))
        state.subscribe("flush", lambda message: heard.append(("two", message)))
        state.subscribe("other", lambda message: heard.append(("other", message)))
        await until(lambda: state.publish("flush", b"a1/prod"), lambda: len(set(heard)) >= 2)
        assert set(heard) - {("one", b""), ("two", b""), ("other", b"")} == {("one", b"a1/prod"), ("two", b"a1/prod")}
        end()
        heard.clear()
        await until(lambda: state.publish("flush", b"again"), lambda: ("two", b"again") in heard)
        assert ("one", b"again") not in heard

    run(make_bench, scenario)


async def until(act: Callable[[], object], holds: Callable[[], bool]) -> None:
    """Do `act` until `holds`: a subscription at a server takes effect a little later."""
    for _ in range(200):
        answer = act()
        if isinstance(answer, Awaitable):
            await answer
        if holds():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came about")
