"""Whatever is put and whenever it is read: the store says what a list of all values would say."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.metrics import DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS, some_metrics

PUTS = st.lists(
    st.tuples(st.integers(0, 300), st.lists(st.integers(0, 128), min_size=1, max_size=4)), min_size=1, max_size=25
)


async def slots_of(folder: Path, puts: list[tuple[int, list[int]]], start: int, period_minutes: int, days: int) -> Any:
    async with some_metrics(folder) as metrics:
        for minute, values in puts:
            at_ms = NOW_MS - 6 * HOUR_MS + minute * MINUTE_MS
            data = [{"MetricName": "Orders", "Timestamp": at_ms, "Values": values}]
            await metrics("PutMetricData", Namespace="Shop", MetricData=data)
        metrics.clock.advance(ms=days * DAY_MS)
        await metrics.provider.age()
        times = {"StartTime": NOW_MS - 6 * HOUR_MS + start * MINUTE_MS, "EndTime": NOW_MS}
        names = ("SampleCount", "Sum", "Minimum", "Maximum")
        plain = await metrics.statistics(*names, period_s=period_minutes * 60, **times)
        percentiles = await metrics.statistics("p50", period_s=period_minutes * 60, **times)
        return [
            [point["Timestamp"], *(point[name] for name in names), median["ExtendedStatistics"]["p50"]]
            for point, median in zip(plain, percentiles, strict=True)
        ]


def expected(puts: list[tuple[int, list[int]]], start: int, period_minutes: int) -> Any:
    slots: dict[int, list[int]] = {}
    for minute, values in puts:
        if minute >= start:
            slots.setdefault((minute - start) // period_minutes, []).extend(values)
    return [
        [
            NOW_MS - 6 * HOUR_MS + (start + slot * period_minutes) * MINUTE_MS,
            len(values),
            sum(values),
            min(values),
            max(values),
            sorted(values)[(len(values) + 1) // 2 - 1],
        ]
        for slot, values in sorted(slots.items())
    ]


@pytest.mark.parametrize(("days", "whole"), [(0, 1), (20, 5), (70, 60)])
def test_the_store_says_what_all_values_say(days: int, whole: int) -> None:
    """`whole`: of how many minutes points are kept after so many days."""

    @settings(max_examples=15, deadline=None)
    @given(PUTS, st.integers(0, 3), st.integers(1, 12))
    def scenario(puts: list[tuple[int, list[int]]], start: int, period: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            found = asyncio.run(slots_of(Path(folder), puts, start * whole, period * whole, days))
        assert found == expected(puts, start * whole, period * whole)

    scenario()
