"""Fires rules when they are due: each target gets its event, as an asynchronous invocation.

What was due while the platform was down is not made up: the next time counts. A firing is recorded as an event of its
function before it is done, so from there on it is delivered at least once. A rule fires within a second of its time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from gatepost.kernel.clock import Clock, iso_8601
from gatepost.kernel.tasks import Tasks
from gatepost.services.events.model import Rule
from gatepost.services.events.schedules import BadSchedule, Schedule, parse_schedule
from gatepost.services.events.targets import Targets

log = logging.getLogger(__name__)

SLEEP_MS_MAX: Final = 30_000  # the clock may be set meanwhile
LATE_MS_MAX: Final = 60_000  # later than this (the machine slept) a firing is not made up


class Scheduler:
    """Watches enabled rules. Call `start` once, `changed` after every change, `close` at the end."""

    def __init__(self, targets: Targets, clock: Clock, new_id: Callable[[], str]) -> None:
        self._targets = targets
        self._clock = clock
        self._new_id = new_id
        self._tasks = Tasks("schedules")
        self._due: dict[str, tuple[int, Rule, Schedule]] = {}  # by ARN
        self._woken = asyncio.Event()

    def start(self) -> None:
        """Fire from now on."""
        self._tasks.spawn(self._run(), name="run")

    def changed(self, arn: str, rule: Rule | None) -> None:
        """Take a rule as it is from now on; None: it was deleted."""
        self._due.pop(arn, None)
        if rule is not None and rule.is_enabled and rule.schedule:
            self._plan(rule)
        self._woken.set()

    def _plan(self, rule: Rule) -> None:
        try:
            schedule = parse_schedule(rule.schedule)
        except BadSchedule as error:  # PutRule has checked it
            log.error("schedule cannot be read", extra={"rule": rule.arn, "error": str(error)})
            return
        self._next(rule, schedule)

    def _next(self, rule: Rule, schedule: Schedule) -> None:
        at_ms = schedule.next_after(self._clock.now_ms(), rule.anchored_at_ms)
        if at_ms is None:
            self._due.pop(rule.arn, None)
        else:
            self._due[rule.arn] = (at_ms, rule, schedule)

    def due_in_ms(self) -> int:
        """Give how long it is until the next rule is due, at most `SLEEP_MS_MAX`."""
        first_ms = min((at_ms for at_ms, _, _ in self._due.values()), default=0)
        return max(0, min(SLEEP_MS_MAX, first_ms - self._clock.now_ms())) if self._due else SLEEP_MS_MAX

    async def fire_due(self) -> int:
        """Fire every rule that is due now, and give how many were."""
        now_ms = self._clock.now_ms()
        due = [found for found in self._due.values() if found[0] <= now_ms]
        for at_ms, rule, schedule in due:
            self._next(rule, schedule)
            if now_ms - at_ms <= LATE_MS_MAX:
                await self._fire(rule, at_ms)
            else:
                log.warning("schedule missed", extra={"rule": rule.arn, "at": iso_8601(at_ms)})
        return len(due)

    async def _fire(self, rule: Rule, at_ms: int) -> None:
        await self._targets.deliver(rule, scheduled_event(rule, at_ms, self._new_id()))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            timer = loop.call_later(self.due_in_ms() / 1000, self._woken.set)
            try:
                await self._woken.wait()
            finally:
                timer.cancel()
            await self.fire_due()

    async def close(self) -> None:
        """Stop firing."""
        await self._tasks.close()


def scheduled_event(rule: Rule, at_ms: int, event_id: str) -> dict[str, Any]:
    """Give the event of a rule's time."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": rule.account_id,
        "time": f"{iso_8601(at_ms)[:19]}Z",
        "region": rule.region,
        "resources": [rule.arn],
        "detail": {},
    }
