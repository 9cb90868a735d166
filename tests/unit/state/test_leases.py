"""Gateways that share a bucket by leases admit what the arithmetic says, within the stated bound."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gatepost.kernel.clock import FixedClock, SystemClock
from gatepost.kernel.tasks import Tasks
from gatepost.state.leases import LeasedBucket, batch_max
from gatepost.state.memory import MemoryState
from gatepost.state.valkey import ValkeyAddress, ValkeyState
from tests.support.valkeys import ValkeyProcess, a_valkey


class Losable(MemoryState):
    """Memory that can be lost."""

    is_lost = False
    epoch = 1


def a_lease(state: Losable, clock: FixedClock, *, rate: float = 100, burst: int = 100) -> LeasedBucket:
    return LeasedBucket("b", rate_per_second=rate, burst=burst, state=state, clock=clock, tasks=Tasks("test"))


async def taken(bucket: LeasedBucket, now_ns: int) -> bool:
    answer = bucket.take(now_ns)
    return answer if isinstance(answer, bool) else await answer


@pytest.mark.parametrize("nodes", [1, 2, 4])
@pytest.mark.parametrize(("rate", "burst"), [(100.0, 100), (7.0, 3), (1_000.0, 50), (50.0, 500)])
def test_at_five_times_the_rate_the_sum_is_exact_within_the_bound(nodes: int, rate: float, burst: int) -> None:
    async def scenario() -> int:
        clock = FixedClock()
        state = Losable(clock)
        buckets = [a_lease(state, clock, rate=rate, burst=burst) for _ in range(nodes)]
        admitted, due = 0, 0.0
        for _ in range(20_000):  # 20 s in steps of 1 ms
            clock.advance(ms=1)
            due += 5 * rate / 1000
            while due >= 1:
                due -= 1
                admitted += await taken(buckets[int(due * 997 + admitted) % nodes], clock.monotonic_ns())
        return admitted

    admitted = asyncio.run(scenario())
    expected = rate * 20 + burst
    bound = nodes * batch_max(rate_per_second=rate, burst=burst)
    assert expected - bound - 1 - expected * 0.01 <= admitted <= expected + 1


def test_a_lease_that_is_not_used_goes_back() -> None:
    async def scenario() -> None:
        clock = FixedClock()
        state = Losable(clock)
        bucket = a_lease(state, clock, rate=0.001, burst=100)
        for _ in range(3):
            assert await taken(bucket, clock.monotonic_ns())
        idle, other = bucket.left, a_lease(state, clock, rate=0.001, burst=100)
        clock.advance(ms=1_001)
        assert await taken(bucket, clock.monotonic_ns())
        await asyncio.sleep(0)
        count = 0
        while await taken(other, clock.monotonic_ns()):
            count += 1
            clock.advance(ms=1)
        assert count + 4 + bucket.left == 100
        assert idle <= 1

    asyncio.run(scenario())


def test_an_empty_bucket_is_not_asked_again_before_it_can_have_a_token() -> None:
    async def scenario() -> None:
        clock = FixedClock()
        state = Losable(clock)
        bucket = a_lease(state, clock, rate=2, burst=1)
        assert await taken(bucket, clock.monotonic_ns())
        assert not await taken(bucket, clock.monotonic_ns())
        assert bucket.take(clock.monotonic_ns()) is False
        clock.advance(ms=499)
        assert bucket.take(clock.monotonic_ns()) is False
        clock.advance(ms=2)
        assert await taken(bucket, clock.monotonic_ns())

    asyncio.run(scenario())


def test_many_requests_at_once_share_one_fetch_and_get_what_there_is() -> None:
    async def scenario() -> list[bool]:
        clock = FixedClock()
        bucket = a_lease(Losable(clock), clock, rate=0.001, burst=40)
        return await asyncio.gather(*(taken(bucket, 0) for _ in range(64)))

    assert sum(asyncio.run(scenario())) == 40


def test_a_state_that_comes_and_goes_does_not_grant_a_second_each_time() -> None:
    async def scenario() -> int:
        clock = FixedClock()
        state = Losable(clock)
        bucket = a_lease(state, clock, rate=100, burst=100)
        while await taken(bucket, clock.monotonic_ns()):
            pass
        admitted = 0
        for _ in range(20):  # 2 s, of which the state is there for half
            for is_lost in (True, False):
                state.is_lost = is_lost
                for _ in range(50):
                    clock.advance(ms=1)
                    admitted += await taken(bucket, clock.monotonic_ns())
        return admitted

    # What the state grants in 2 s, what this process would in 2 s, and a second's tokens once.
    assert asyncio.run(scenario()) <= 200 + 200 + 100


def test_without_the_state_this_process_decides_and_nobody_waits() -> None:
    async def scenario() -> None:
        clock = FixedClock()
        state = Losable(clock)
        bucket = a_lease(state, clock, rate=10, burst=50)
        state.is_lost = True
        assert [bucket.take(clock.monotonic_ns()) for _ in range(11)] == [True] * 10 + [False]
        clock.advance(ms=1_000)
        assert sum(bool(bucket.take(clock.monotonic_ns())) for _ in range(20)) == 10
        state.is_lost = False
        clock.advance(ms=200)
        assert await taken(bucket, clock.monotonic_ns())

    asyncio.run(scenario())


@pytest.fixture
def valkey(tmp_path: Path):  # type: ignore[no-untyped-def]
    with a_valkey(tmp_path) as server:
        yield server


@pytest.mark.parametrize("nodes", [2, 4])
def test_gateways_on_one_valkey_admit_together_what_one_would(valkey: ValkeyProcess, nodes: int) -> None:
    rate, burst, seconds = 300.0, 100, 1.0

    async def scenario() -> tuple[int, float]:
        clock = SystemClock()
        states = [ValkeyState(ValkeyAddress.parse(valkey.url), clock, deadline_ms=2_000) for _ in range(nodes)]
        for state in states:
            assert await state.start()
        tasks = Tasks("test")
        buckets = [
            LeasedBucket("b", rate_per_second=rate, burst=burst, state=state, clock=clock, tasks=tasks)
            for state in states
        ]
        admitted = 0
        started_ns = clock.monotonic_ns()
        while (passed_s := (clock.monotonic_ns() - started_ns) / 1e9) < seconds:
            for bucket in buckets:
                admitted += await taken(bucket, clock.monotonic_ns())
            await asyncio.sleep(0.0002)
        await tasks.close()
        for state in states:
            await state.close()
        return admitted, passed_s

    admitted, passed_s = asyncio.run(scenario())
    expected = rate * passed_s + burst
    assert expected - nodes * batch_max(rate_per_second=rate, burst=burst) - 0.02 * expected <= admitted
    assert admitted <= expected + 2
