"""Reservations in the gateway: a ceiling for one function, a floor against all others."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from gatepost.services.lambda_.model import TooManyRequestsException
from tests.support.functions import LiveRunner, a_function, a_live_runner

SLEEPS = """
import os, time
def handler(event, context):
    time.sleep(event)
    return [os.getpid(), os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
"""


def until(condition, *, within_s: float = 5.0) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_a_reservation_is_a_ceiling_for_all_versions_together(runner: LiveRunner) -> None:
    function = runner.deploy(SLEEPS, reserved_concurrency=2)
    version = replace(function, arn=f"{function.arn}:1", version="1", reserved_concurrency=None)
    runner.publish(version)
    running = [runner.start(function, 0.3), runner.start(version, 0.3)]
    for one in (function, version):
        with pytest.raises(TooManyRequestsException) as error:
            runner.invoke(one, 0)
        assert error.value.members["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert all(not one.result(10).function_error for one in running)
    assert runner.value(function, 0)


def test_nothing_reserved_turns_a_function_off(runner: LiveRunner) -> None:
    function = runner.deploy(SLEEPS, reserved_concurrency=0)
    with pytest.raises(TooManyRequestsException):
        runner.invoke(function, 0)
    runner.publish(replace(function, reserved_concurrency=None))
    assert runner.value(function, 0)


def test_a_reservation_is_kept_free_of_others(tmp_path) -> None:
    with a_live_runner(tmp_path, workers_max=3, waiting_ms_max=200) as live:
        reserved = live.deploy(SLEEPS, reserved_concurrency=2)
        greedy = live.deploy(SLEEPS)
        greedy_running = [live.start(greedy, 0.6) for _ in range(3)]
        assert until(lambda: len(live.pids(greedy)) == 1)
        assert live.value(reserved, 0)[1] == "on-demand"
        with pytest.raises(TooManyRequestsException):
            [one.result(10) for one in greedy_running]


def test_provisioned_workers_stand_ready_and_come_back(runner: LiveRunner) -> None:
    function = runner.deploy(SLEEPS)
    version = replace(function, arn=f"{function.arn}:1", version="1")
    runner.publish(version)
    told = runner.runner
    runner.call(lambda: told.provisioned_changed(version.arn, {"count": 2}))
    assert until(lambda: runner.call(told.readiness) == {version.arn: {"ready": 2, "failure": ""}})
    pids = set(runner.pids(version))
    running = [runner.start(version, 0.05) for _ in range(2)]
    seen = [one.result(10).payload for one in running]
    assert len(pids) == 2
    assert all(b'"provisioned-concurrency"' in one for one in seen)
    pool = told._pools[version.arn]
    runner.call(lambda: pool.stop_idle(1 << 62, 0))  # as if hours had passed
    assert set(runner.pids(version)) == pids
    runner.call(lambda: told.provisioned_changed(version.arn, None))
    runner.call(lambda: pool.stop_idle(1 << 62, 0))
    assert until(lambda: not runner.pids(version))
    assert runner.call(told.readiness) == {}


def test_provisioned_workers_that_cannot_start_say_why(runner: LiveRunner) -> None:
    function = runner.deploy("raise ValueError('broken')", version="1")
    runner.call(lambda: runner.runner.provisioned_changed(function.arn, {"count": 1}))
    expected = {function.arn: {"ready": 0, "failure": "FUNCTION_ERROR_INIT_FAILURE"}}
    assert until(lambda: runner.call(runner.runner.readiness) == expected)
    runner.call(lambda: runner.runner.provisioned_changed(function.arn, None))


def test_a_function_that_goes_takes_its_reservation_along(runner: LiveRunner) -> None:
    function = runner.deploy(SLEEPS, reserved_concurrency=1)
    runner.call(lambda: runner.runner.changed(function.arn, None))
    assert function.arn not in runner.runner._shares._reserved
    assert a_function().reserved_concurrency is None
