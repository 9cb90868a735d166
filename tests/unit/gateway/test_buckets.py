"""Buckets by name: one process's own, and leases of a shared state."""

from __future__ import annotations

import asyncio

from gatepost.gateway.buckets import LocalBuckets, SharedBuckets
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.tasks import Tasks
from gatepost.services.apigateway.usage_model import Throttle
from gatepost.state.memory import MemoryState


class Losable(MemoryState):
    """Memory that can be lost."""

    is_lost = False
    epoch = 1


def test_a_local_bucket_is_full_and_nobody_elses() -> None:
    buckets = LocalBuckets(FixedClock())
    one, other = (buckets.bucket("b", Throttle(1.0, 2)) for _ in range(2))
    assert [one.take(0), one.take(0), one.take(0)] == [True, True, False]
    assert other.take(0) is True


def test_gateways_share_the_bucket_of_a_method_whose_path_is_longer_than_a_state_takes_as_a_name() -> None:
    async def scenario() -> None:
        clock, tasks = FixedClock(), Tasks("test")
        state = Losable(clock)
        long = "stage/api/prod" + "/seit\u00e9" * 400
        one, other = (SharedBuckets(state, clock, tasks).bucket(f"{long}/GET", Throttle(0.001, 1)) for _ in range(2))
        third = SharedBuckets(state, clock, tasks).bucket(f"{long}/PUT", Throttle(0.001, 1))
        taken = []
        for bucket in (one, other, third):
            answer = bucket.take(clock.monotonic_ns())
            taken.append(answer if isinstance(answer, bool) else await asyncio.wait_for(_settle(answer), 5))
        assert taken == [True, False, True]
        await tasks.close()

    asyncio.run(scenario())


async def _settle(answer: object) -> bool:
    return bool(await answer)  # type: ignore[misc]  # what a bucket gives to await
