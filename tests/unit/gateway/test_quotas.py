"""Quotas that gateways share: exact together, exact over a server's loss, and no request waits twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from gatepost.gateway.buckets import Bucket, SharedBuckets
from gatepost.gateway.quotas import Quotas, QuotaUse, lease_of
from gatepost.kernel.clock import FixedClock, SystemClock
from gatepost.kernel.tasks import Tasks
from gatepost.services.apigateway.usage_model import Quota, Throttle
from gatepost.state.memory import MemoryState
from gatepost.state.valkey import ValkeyAddress, ValkeyState
from gatepost.telemetry.tallies import Tally, collect
from tests.support.valkeys import ValkeyProcess, a_valkey


class Losable(MemoryState):
    """Memory that can be lost."""

    is_lost = False
    epoch = 1


class Node:
    """What one gateway has: its own journal's sums, and a state that it shares."""

    def __init__(self, clock: FixedClock | SystemClock, state: Losable | ValkeyState, *, limit: int = 100) -> None:
        self._sums: dict[str, int] = {}
        self._noted: list[Tally] = []
        self.clock = clock
        self.tasks = Tasks("node")
        self.quotas = Quotas(
            clock,
            standing=lambda name: self.sums.get(name, 0),
            kept=lambda name: Tally(name, self._noted),
            state=state,
            tasks=self.tasks,
        )
        self.quotas.take_plan("a/r/gold", Quota(limit, "MONTH"))
        self.use: QuotaUse = self.quotas.use("a/r/gold", "k1")
        self.buckets = SharedBuckets(state, clock, self.tasks)

    @property
    def sums(self) -> dict[str, int]:
        """Give what is kept, as of now."""
        collect(self._noted, self._sums)
        return self._sums

    async def take(self, limit: QuotaUse | Bucket | None = None) -> bool:
        answer = (limit or self.use).take(self.clock.monotonic_ns())
        return answer if isinstance(answer, bool) else await answer

    async def take_all(self) -> int:
        count = 0
        while await self.take():
            count += 1
        return count


def test_gateways_together_admit_the_quota_and_not_one_more() -> None:
    async def scenario() -> None:
        clock = FixedClock()
        state = Losable(clock)
        nodes = [Node(clock, state) for _ in range(4)]
        admitted = 0
        for turn in range(400):
            admitted += await nodes[turn * 7 % 4].take()
        for _ in range(3):  # what lies unused in leases goes back
            clock.advance(ms=1_001)
            for node in nodes:
                admitted += await node.take()
                await asyncio.sleep(0)
        for node in nodes:
            clock.advance(ms=1_001)
            admitted += await node.take_all()
        assert admitted == 100
        assert sum(sum(node.sums.values()) for node in nodes) == 100

    asyncio.run(scenario())


def test_a_state_that_lost_its_data_goes_on_from_what_gateways_know() -> None:
    async def scenario() -> None:
        clock = FixedClock()
        state = Losable(clock)
        first, second = Node(clock, state), Node(clock, state)
        for _ in range(30):
            assert await first.take()
            assert await second.take()
        state._counters.clear()
        state.epoch += 1
        clock.advance(ms=1_001)
        assert 60 + await first.take_all() + await second.take_all() <= 100

    asyncio.run(scenario())


def test_without_the_state_a_gateway_admits_what_it_knows_to_remain_and_adds_it_afterwards() -> None:
    async def scenario() -> None:
        clock = FixedClock()
        state = Losable(clock)
        node, other = Node(clock, state), Node(clock, state)
        for _ in range(50):
            assert await node.take()
        state.is_lost = True
        clock.advance(ms=1_001)
        alone = 0
        for _ in range(20):
            answer = node.use.take(clock.monotonic_ns())
            assert answer is True  # at once
            alone += 1
        state.is_lost = False
        clock.advance(ms=1_001)
        assert await node.take()
        assert 50 + alone + 1 + await other.take_all() <= 100

    asyncio.run(scenario())


def test_what_is_unused_when_a_quota_changes_its_period_goes_back_to_the_old_period() -> None:
    async def scenario() -> None:
        clock = FixedClock()
        state = Losable(clock)
        one, other = Node(clock, state), Node(clock, state)
        assert await one.take()  # the rest of its lease lies unused
        other.quotas.take_plan("a/r/gold", Quota(100, "DAY"))
        admitted = sum([await other.take() for _ in range(50)])
        one.quotas.take_plan("a/r/gold", Quota(100, "DAY"))
        for _ in range(4):
            admitted += await one.take_all() + await other.take_all()
            clock.advance(ms=1_001)
        assert admitted == 100

    asyncio.run(scenario())


def test_a_quota_that_is_extended_is_seen_at_once() -> None:
    async def scenario() -> None:
        clock = FixedClock()
        node = Node(clock, Losable(clock), limit=5)
        assert await node.take_all() == 5
        assert await node.take() is False
        node.quotas.take_extension("a/r/gold/k1", {"2025-10-01": 8})
        clock.advance(ms=1_001)
        assert await node.take_all() == 3

    asyncio.run(scenario())


# -- with real servers


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyProcess]:
    with a_valkey(tmp_path) as server:
        yield server


async def connected(valkey: ValkeyProcess) -> ValkeyState:
    state = ValkeyState(ValkeyAddress.parse(valkey.url), SystemClock())
    assert await state.start()
    return state


async def longest_ms(act: Callable[[], Awaitable[bool]], count: int) -> tuple[int, list[float]]:
    """Give how many of `count` were admitted and how long each took."""
    admitted, took = 0, []
    for _ in range(count):
        started = time.perf_counter()
        admitted += await act()
        took.append((time.perf_counter() - started) * 1000)
    return admitted, took


async def comes_back(state: ValkeyState) -> None:
    for _ in range(500):
        if not state.is_lost:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the state does not come back")


def test_a_server_that_hangs_costs_one_deadline_once_and_this_process_goes_on(valkey: ValkeyProcess) -> None:
    async def scenario() -> None:
        state = await connected(valkey)
        node = Node(SystemClock(), state, limit=1_000)
        bucket = node.buckets.bucket("b", Throttle(1_000.0, 1_000))
        assert await node.take()
        assert await node.take(bucket)
        valkey.pause()
        try:
            await asyncio.sleep(0)
            admitted, took = await longest_ms(lambda: node.take(bucket), 300)
            assert admitted == 300
            quota_admitted, quota_took = await longest_ms(node.take, 300)
            assert quota_admitted == 300
            assert sum(took + quota_took) < 1_000  # not 600 deadlines of 50 ms, on however busy a machine
        finally:
            valkey.go_on()
        await comes_back(state)
        assert await node.take()
        await node.tasks.close()
        await state.close()

    asyncio.run(scenario())


def test_a_server_that_is_killed_and_started_again_refuses_nobody_and_forgets_no_quota(valkey: ValkeyProcess) -> None:
    async def scenario() -> None:
        state = await connected(valkey)
        node = Node(SystemClock(), state, limit=200)
        bucket = node.buckets.bucket("b", Throttle(10_000.0, 1_000))
        for _ in range(100):
            assert await node.take()
        valkey.kill()
        admitted, took = await longest_ms(lambda: node.take(bucket), 50)
        assert admitted == 50
        assert sum(took) < 1_000  # not 50 deadlines of 50 ms
        assert (await longest_ms(node.take, 20))[0] == 20
        valkey.start()  # empty: as after a failover to a server that has nothing
        await comes_back(state)
        assert await node.take_all() == 80
        await node.tasks.close()
        await state.close()

    asyncio.run(scenario())


def test_a_server_that_refuses_writes_is_left_alone(valkey: ValkeyProcess) -> None:
    async def scenario() -> None:
        state = await connected(valkey)
        node = Node(SystemClock(), state)
        valkey.ask(b"REPLICAOF 127.0.0.1 1\r\n")  # failed over: this one is no primary any more
        assert await node.take()
        valkey.ask(b"REPLICAOF NO ONE\r\n")
        await comes_back(state)
        assert await node.take()
        valkey.ask(b"CONFIG SET maxmemory 1\r\n")
        assert await node.take(node.buckets.bucket("b", Throttle(10.0, 10)))
        await node.tasks.close()
        await state.close()

    asyncio.run(scenario())


def test_a_server_that_is_not_there_at_the_start_is_found_later(tmp_path: Path) -> None:
    server = ValkeyProcess(tmp_path)

    async def scenario() -> None:
        state = ValkeyState(ValkeyAddress.parse(server.url), SystemClock())
        assert not await state.start()
        assert state.is_lost
        node = Node(SystemClock(), state)
        assert await node.take()
        server.start()
        await comes_back(state)
        assert await node.take()
        await node.tasks.close()
        await state.close()

    try:
        asyncio.run(scenario())
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("remaining", "lease"),
    [(-5, 1), (0, 1), (1, 1), (100, 6), (1_024, 64), (60_000, 64), (131_072, 128), (10**6, 976), (2**31, 1_024)],
)
def test_a_lease_is_a_small_part_of_what_remains(remaining: int, lease: int) -> None:
    assert lease_of(remaining) == lease
