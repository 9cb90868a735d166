"""What a worker is given before it starts."""

from __future__ import annotations

from pathlib import Path

from gatepost.services.lambda_.runner.settings import RunnerSettings
from gatepost.services.lambda_.runner.starter import day_of, worker_users


def test_two_platforms_begin_with_different_users_of_the_same_range() -> None:
    settings = RunnerSettings()
    one, other = (worker_users(settings, Path(f"/data/{name}/functions")) for name in ("one", "other"))
    assert set(one) == set(other) == set(range(60_000, 65_000))
    assert one[0] != other[0]
    assert list(one) == list(worker_users(settings, Path("/data/one/functions")))


def test_a_log_stream_begins_with_the_day() -> None:
    assert day_of(0) == "1970/01/01"
    assert day_of(1_795_500_000) == "2026/11/24"
