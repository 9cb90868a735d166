"""The clockwork: it sleeps until something is due, and wakes when rules change."""

from __future__ import annotations

import asyncio

from gatepost.kernel.clock import FixedClock, SystemClock
from gatepost.services.events.model import Rule
from gatepost.services.events.scheduler import SLEEP_MS_MAX, Scheduler
from gatepost.services.events.targets import Reach, Targets

RULE = Rule(
    "arn:aws:events:us-east-1:000000000000:rule/r",
    "r",
    "rate(1 minute)",
    0,
    targets=({"Id": "t", "Arn": "arn:aws:lambda:us-east-1:000000000000:function:f"},),
)


class Kept:
    def __init__(self) -> None:
        self.told = asyncio.Event()

    async def trigger(self, function_arn: str, payload: bytes, **rest: str) -> None:
        self.told.set()


def test_it_sleeps_until_the_next_rule_is_due() -> None:
    clock = FixedClock()
    scheduler = Scheduler(Targets(Reach(Kept()), clock, lambda: "id"), clock, lambda: "id")
    assert scheduler.due_in_ms() == SLEEP_MS_MAX
    scheduler.changed(RULE.arn, RULE)
    assert 0 < scheduler.due_in_ms() <= SLEEP_MS_MAX
    scheduler.changed(RULE.arn, None)
    assert scheduler.due_in_ms() == SLEEP_MS_MAX


def test_it_wakes_for_a_rule_that_comes_while_it_sleeps() -> None:
    async def scenario() -> None:
        clock, kept = SystemClock(), Kept()
        scheduler = Scheduler(Targets(Reach(kept), clock, lambda: "id"), clock, lambda: "id")
        scheduler.start()
        await asyncio.sleep(0)
        almost_due = clock.now_ms() - 59_950
        scheduler.changed(RULE.arn, Rule(RULE.arn, "r", RULE.schedule, almost_due, targets=RULE.targets))
        await asyncio.wait_for(kept.told.wait(), 5)
        await scheduler.close()

    asyncio.run(scenario())
