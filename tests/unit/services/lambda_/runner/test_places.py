"""Places of one limit that several gateways share: never too many, and those of a gateway that was killed come back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import StateUnavailable
from gatepost.kernel.tasks import Tasks
from gatepost.services.lambda_.runner.places import LEASE_MS, SharedPlaces
from gatepost.state.base import settled
from gatepost.state.memory import MemoryState


class RemoteState(MemoryState):
    """A state that answers later, and can be lost."""

    is_lost = False
    refuses = False
    epoch = 1
    asked = 0

    async def hold(  # type: ignore[override]  # later, as a state elsewhere does
        self, name: str, *, owner: str, count: int, limit: int, expires_after_ms: int
    ) -> int:
        self.asked += 1
        if self.refuses:
            raise StateUnavailable("no")
        held = super().hold(name, owner=owner, count=count, limit=limit, expires_after_ms=expires_after_ms)
        await asyncio.sleep(0)
        return held


class Gateways:
    """Gateways that share a state, and a clock."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.state = RemoteState(self.clock)
        self.tasks = Tasks("test")
        self.places = [SharedPlaces(self.state, name, self.clock, self.tasks) for name in ("a", "b", "c")]

    async def take(self, gateway: int, limit: int) -> bool:
        return await settled(self.places[gateway].take("f", limit))

    async def free(self, gateway: int) -> None:
        self.places[gateway].free("f")
        for _ in range(5):
            await asyncio.sleep(0)


def run(scenario: Callable[[Gateways], Awaitable[None]]) -> None:
    async def whole() -> None:
        gateways = Gateways()
        await scenario(gateways)
        await gateways.tasks.close()

    asyncio.run(whole())


def test_a_small_limit_is_exact_however_many_ask_at_once() -> None:
    async def scenario(gateways: Gateways) -> None:
        taken = await asyncio.gather(*(gateways.take(number % 3, 5) for number in range(12)))
        assert sum(taken) == 5
        owner = taken.index(True) % 3
        assert not await gateways.take((owner + 1) % 3, 5)
        await gateways.free(owner)
        assert await gateways.take((owner + 1) % 3, 5)
        assert not await gateways.take(owner, 5)

    run(scenario)


def test_a_large_limit_asks_seldom_and_is_never_exceeded() -> None:
    async def scenario(gateways: Gateways) -> None:
        for _ in range(300):
            assert await gateways.take(0, 1_000)
            await gateways.free(0)
        assert gateways.state.asked <= 3
        taken = sum([await gateways.take(number % 3, 1_000) for number in range(1_200)])
        assert 1_000 - 3 * 32 <= taken <= 1_000

    run(scenario)


def test_the_places_of_a_gateway_that_was_killed_come_back() -> None:
    async def scenario(gateways: Gateways) -> None:
        assert [await gateways.take(0, 2) for _ in range(3)] == [True, True, False]
        assert not await gateways.take(1, 2)
        gateways.clock.advance(ms=LEASE_MS + 1)
        assert await gateways.take(1, 2)

    run(scenario)


def test_without_the_state_each_gateways_own_limits_decide() -> None:
    async def scenario(gateways: Gateways) -> None:
        assert await gateways.take(0, 1)
        gateways.state.refuses = True
        assert await gateways.take(1, 1)
        gateways.state.refuses, gateways.state.is_lost = False, True
        assert gateways.places[2].take("f", 1) is True
        await gateways.free(2)
        gateways.state.is_lost = False
        assert not await gateways.take(2, 1)

    run(scenario)
