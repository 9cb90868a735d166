"""What a worker process is limited to."""

from __future__ import annotations

from gatepost.services.lambda_.runner.process import MB, spawn_limits
from gatepost.services.lambda_.runner.settings import RunnerSettings, workers_that_fit
from tests.support.functions import a_function


def test_processes_are_limited_only_for_a_user_of_the_workers_own() -> None:
    function = a_function(memory_mb=512, ephemeral_storage_mb=1024)
    shared = spawn_limits(function, RunnerSettings(), has_own_uid=False)
    assert shared == {"CORE": 0, "FSIZE": 1024 * MB, "NOFILE": 1024, "AS": 3072 * MB}
    assert spawn_limits(function, RunnerSettings(), has_own_uid=True) == {**shared, "NPROC": 1024}


def test_workers_are_bounded_by_memory_and_by_aws_limit() -> None:
    assert 1 <= workers_that_fit() <= 1000
    assert RunnerSettings().workers_max == workers_that_fit()
