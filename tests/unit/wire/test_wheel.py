"""One timer for many deadlines."""

import asyncio

import pytest

from gatepost.wire.wheel import Wheel


class Thing:
    def __init__(self, deadline: int = 0) -> None:
        self.deadline = deadline
        self.slot = 0
        self.ended = 0

    def expired(self) -> None:
        self.ended += 1


def a_wheel() -> Wheel:
    return Wheel(tick_ms=10, shortest_ms=50)


def turn(wheel: Wheel, ticks: int) -> None:
    for _ in range(ticks):
        wheel.turn()


@pytest.mark.parametrize("ticks", [1, 3, 5, 6, 11, 50])
def test_a_deadline_passes_at_its_tick(ticks):
    wheel = a_wheel()
    thing = Thing(wheel.now + ticks)
    wheel.add(thing)
    turn(wheel, ticks - 1)
    assert thing.ended == 0
    turn(wheel, 1)
    assert thing.ended == 1
    turn(wheel, 100)
    assert thing.ended == 1


@pytest.mark.parametrize("waited", [0, 1, 4, 5, 9])
def test_a_deadline_that_moves_is_met_to_the_tick(waited):
    wheel = a_wheel()
    thing = Thing(wheel.now + 60)
    wheel.add(thing)
    turn(wheel, waited)
    thing.deadline = wheel.now + 5  # the shortest limit
    turn(wheel, 4)
    assert thing.ended == 0
    turn(wheel, 1)
    assert thing.ended == 1


def test_what_is_taken_off_stays_off():
    wheel = a_wheel()
    first, second = Thing(wheel.now + 3), Thing(wheel.now + 3)
    first.expired = lambda: wheel.remove(second)
    second.expired = lambda: wheel.remove(first)
    wheel.add(first)
    wheel.add(second)
    turn(wheel, 100)
    assert {first.deadline, second.deadline} <= {0, -1}
    assert -1 in {first.deadline, second.deadline}
    assert sum(map(len, wheel._slots.values())) <= 1


def test_a_time_is_never_cut_short():
    assert a_wheel().ticks(50) == 6  # the running tick is partly over
    assert a_wheel().ticks(51) == 7


def test_it_turns_by_itself():
    async def scenario():
        wheel = a_wheel()
        seen = []
        wheel.start(lambda: seen.append(wheel.now))
        wheel.start(lambda: seen.append(wheel.now))
        while len(seen) < 3:
            await asyncio.sleep(0.005)
        wheel.stop()
        return seen

    assert asyncio.run(scenario())[:3] == [1, 2, 3]
