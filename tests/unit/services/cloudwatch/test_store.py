"""What the store keeps, for how long, and within which bounds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gatepost.kernel.errors import ServiceError
from tests.support.metrics import DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS, MetricsControl, some_metrics, with_metrics

OLD = {"StartTime": NOW_MS - MINUTE_MS, "EndTime": NOW_MS + HOUR_MS}


def resolutions(metrics: MetricsControl) -> dict[int, int]:
    """Give how many points there are of each resolution."""
    rows = metrics.store._database.reader.execute("SELECT resolution_s, count(*) FROM points GROUP BY 1")
    return {int(resolution): int(count) for resolution, count in rows}


async def eleven_minutes(metrics: MetricsControl) -> None:
    for minute in range(11):
        await metrics.put(minute + 1, Timestamp=NOW_MS + minute * MINUTE_MS)


def test_a_store_has_one_name_as_long_as_it_exists(tmp_path) -> None:
    async def name(folder) -> str:
        async with some_metrics(folder) as metrics:
            return metrics.store.epoch

    (tmp_path / "other").mkdir()
    first, again, other = (asyncio.run(name(folder)) for folder in (tmp_path, tmp_path, tmp_path / "other"))
    assert first == again != other


def test_points_survive_a_restart(tmp_path) -> None:
    with_metrics(tmp_path, lambda metrics: metrics.put(4))
    assert with_metrics(tmp_path, lambda metrics: metrics.statistics("Sum"))[0]["Sum"] == 4


def test_after_15_days_minutes_become_five_minutes_and_then_hours(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await eleven_minutes(metrics)
        await metrics.provider.age()
        stages = [resolutions(metrics)]
        for days in (16, 48):
            metrics.clock.advance(ms=days * DAY_MS)
            await metrics.provider.age()
            stages.append(resolutions(metrics))
        hour = await metrics.statistics("Sum", "SampleCount", "Minimum", "Maximum", period_s=3600, **OLD)
        percentile = await metrics.statistics("p50", period_s=3600, **OLD)
        metrics.clock.advance(ms=392 * DAY_MS)
        await metrics.provider.age()
        stages.append(resolutions(metrics))
        return stages, hour, percentile, await metrics("ListMetrics")

    stages, hour, percentile, listed = with_metrics(tmp_path, scenario)
    assert stages == [{60: 11}, {300: 3}, {3600: 1}, {}]
    assert [(one["Sum"], one["SampleCount"], one["Minimum"], one["Maximum"]) for one in hour] == [(66, 11, 1, 11)]
    assert percentile[0]["ExtendedStatistics"]["p50"] == 6
    assert listed["Metrics"] == []


@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_what_is_old_is_seen_by_five_minutes_only_whether_it_was_rolled_up_or_not(tmp_path, is_rolled_up) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await eleven_minutes(metrics)
        metrics.clock.advance(ms=16 * DAY_MS)
        if is_rolled_up:
            await metrics.provider.age()
        minutes = await metrics.statistics("Sum", period_s=60, **OLD)
        return minutes, await metrics.statistics("Sum", period_s=300, **OLD)

    minutes, fives = with_metrics(tmp_path, scenario)
    assert minutes == []
    assert [(point["Timestamp"] - NOW_MS, point["Sum"]) for point in fives] == [
        (0, 15),
        (5 * MINUTE_MS, 40),
        (10 * MINUTE_MS, 11),
    ]


def test_metrics_that_have_no_points_any_more_are_gone(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await metrics.put(1)
        metrics.clock.advance(ms=456 * DAY_MS)
        await metrics.put(1, name="Other")
        await metrics.provider.age()
        return [row[0] for row in metrics.store._database.reader.execute("SELECT name FROM metrics")]

    assert with_metrics(tmp_path, scenario) == ["Other"]


def test_new_metrics_are_refused_over_the_bound_and_known_ones_are_not(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await metrics.put(1, name="one")
        await metrics.put(1, name="two")
        with pytest.raises(ServiceError, match="at most 2 metrics") as refused:
            await metrics("PutMetricData", Namespace="Shop", MetricData=[_value("one"), _value("three")])
        await metrics.put(1, name="two")
        return refused.value.code, await metrics.statistics("SampleCount", MetricName="one")

    code, points = with_metrics(tmp_path, scenario, metrics_max=2)
    assert code == "LimitExceeded"
    assert points[0]["SampleCount"] == 1, "a call is taken as a whole or not at all"


def _value(name: str) -> dict[str, Any]:
    return {"MetricName": name, "Value": 1}


def test_over_its_bound_the_store_drops_the_oldest_points(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        for minute in range(3):
            data = [
                {"MetricName": f"m{minute}-{number}", "Value": 1, "Timestamp": NOW_MS + minute * MINUTE_MS}
                for number in range(400)
            ]
            await metrics("PutMetricData", Namespace="Shop", MetricData=data)
        metrics.clock.advance(ms=HOUR_MS)
        dropped = await metrics.store.age(metrics.clock.now_ms() // 1000)
        rows = metrics.store._database.reader.execute("SELECT at_s, count(*) FROM points GROUP BY 1")
        return dropped, dict(rows.fetchall())

    dropped, left = with_metrics(tmp_path, scenario, bytes_max=100_000)
    assert dropped == 500
    assert left == {NOW_MS // 1000 + 60: 300, NOW_MS // 1000 + 120: 400}
