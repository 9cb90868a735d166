"""The account's concurrency and AWS's scaling pace: what exceeds them gets 429 at once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gatepost.services.lambda_.model import TooManyRequestsException
from gatepost.services.lambda_.runner.scaling import REFILL_NS, ScalingPace
from tests.support.functions import LiveRunner, a_live_runner

SLEEPS = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return event\n"


def refused(live: LiveRunner, running: object) -> str:
    with pytest.raises(TooManyRequestsException) as error:
        running.result(5)  # type: ignore[attr-defined]
    return str(error.value.members["Reason"])


def until_busy(live: LiveRunner, function: object, count: int) -> None:
    deadline = time.monotonic() + 10
    while live.call(lambda: len(live.runner._pools[function.arn].busy)) < count:  # type: ignore[attr-defined]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_accounts_concurrency_is_a_ceiling_for_all_functions_together(tmp_path: Path) -> None:
    with a_live_runner(tmp_path, concurrency_max=2) as live:
        one, other = live.deploy(SLEEPS), live.deploy(SLEEPS)
        running = [live.start(one, 0.6), live.start(other, 0.6)]
        until_busy(live, one, 1)
        until_busy(live, other, 1)
        began = time.monotonic()
        assert refused(live, live.start(one, 0)) == "ConcurrentInvocationLimitExceeded"
        assert time.monotonic() - began < 0.3
        assert [one.result(10).payload for one in running] == [b"0.6", b"0.6"]
        assert live.value(one, 0) == 0


def test_what_is_reserved_is_no_part_of_what_the_others_share(tmp_path: Path) -> None:
    with a_live_runner(tmp_path, concurrency_max=3) as live:
        reserved = live.deploy(SLEEPS, reserved_concurrency=2)
        other = live.deploy(SLEEPS)
        running = live.start(other, 0.5)
        until_busy(live, other, 1)
        assert refused(live, live.start(other, 0)) == "ConcurrentInvocationLimitExceeded"
        assert live.value(reserved, 0) == 0
        assert running.result(10).payload == b"0.5"


def test_a_function_grows_no_faster_than_its_pace(tmp_path: Path) -> None:
    with a_live_runner(tmp_path, scaling_per_10_s=2) as live:
        function = live.deploy(SLEEPS)
        running = [live.start(function, 0.6) for _ in range(2)]
        until_busy(live, function, 2)
        assert refused(live, live.start(function, 0)) == "ConcurrentInvocationLimitExceeded"
        assert [one.result(10).payload for one in running] == [b"0.6", b"0.6"]
        assert live.value(function, 0) == 0  # a worker that is there is no growth


def test_the_pace_comes_back_steadily_and_an_ended_worker_gives_its_place_back() -> None:
    pace = ScalingPace(10, 0)
    for _ in range(10):
        pace.started()
    assert pace.left(0) == 0
    assert pace.left(REFILL_NS // 10 - 1) == 0
    assert pace.left(REFILL_NS // 10) == 1
    assert pace.left(3 * REFILL_NS) == 10
    pace.started()
    pace.ended()
    pace.ended()
    assert pace.left(3 * REFILL_NS) == 10
