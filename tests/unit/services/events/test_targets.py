"""Deliveries that are tried again, and those that are given up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import AccessDeniedException, ServiceError, ServiceUnavailable
from gatepost.services.events.model import Rule
from gatepost.services.events.targets import Reach, Targets

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"


class Busy:
    """Triggers that fail a number of times."""

    def __init__(self, failures: int, error: ServiceError) -> None:
        self.failures, self.error, self.tries = failures, error, 0

    async def trigger(self, function_arn: str, payload: bytes, **rest: Any) -> None:
        self.tries += 1
        if self.tries <= self.failures:
            raise self.error


async def tries_of(busy: Busy, **target: Any) -> tuple[int, list[float]]:
    pauses: list[float] = []
    clock = FixedClock()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(ms=int(seconds * 1000))
        await asyncio.sleep(0)

    targets = Targets(Reach(busy), clock, lambda: "id", pause=pause)
    rule = Rule(
        "arn:aws:events:us-east-1:000000000000:rule/r", "r", "", 0, targets=({"Id": "t", "Arn": FUNCTION} | target,)
    )
    await targets.deliver(rule, {"detail": {}})
    for _ in range(1_000):
        await asyncio.sleep(0)
    await targets.close()
    return busy.tries, pauses


@pytest.mark.parametrize(
    ("failures", "error", "retry", "tries"),
    [
        (2, ServiceUnavailable("busy"), {}, 3),
        (9, ServiceUnavailable("busy"), {"MaximumRetryAttempts": 3}, 4),
        (9, ServiceUnavailable("busy"), {"MaximumRetryAttempts": 0}, 1),
        (99, ServiceUnavailable("busy"), {"MaximumEventAgeInSeconds": 60}, 7),
        (9, AccessDeniedException("no"), {}, 1),
    ],
)
def test_what_is_busy_is_tried_again_within_its_bounds(failures: int, error, retry, tries: int) -> None:
    found, pauses = asyncio.run(tries_of(Busy(failures, error), RetryPolicy=retry))
    assert found == tries
    assert pauses == [float(2**number) for number in range(tries - 1)]
