"""Statistics by name, and which points a time range and a period mean."""

from __future__ import annotations

import pytest

from gatepost.services.cloudwatch.model import InvalidParameterValueException as Refused
from gatepost.services.cloudwatch.queries import span_of, stat_of
from gatepost.services.cloudwatch.statistics import of_values
from tests.support.metrics import DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS

NOW_S = NOW_MS // 1000
DAY_S = 86_400


def span(start_ms: int, end_ms: int = NOW_MS, period_s: int = 60):
    return span_of(start_ms, end_ms, period_s, now_ms=NOW_MS, refuse=Refused)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SampleCount", 4),
        ("Sum", 10),
        ("Average", 2.5),
        ("Minimum", 1),
        ("Maximum", 4),
        ("p0", 1),
        ("p25", 1),
        ("p50", 2),
        ("p75.01", 4),
        ("p100", 4),
        ("p100.0", 4),
    ],
)
def test_statistics_by_name(name, expected) -> None:
    assert stat_of(name, Refused, "Stat").of(of_values({1.0: 1, 2.0: 1, 3.0: 1, 4.0: 1})) == expected


@pytest.mark.parametrize("name", ["tm90", "TM(10%:90%)", "wm99", "tc90", "ts90", "PR(:300)", "IQM"])
def test_trimmed_statistics_are_refused_with_what_would_work(name) -> None:
    with pytest.raises(Refused, match="not supported by Gatepost: use SampleCount"):
        stat_of(name, Refused, "Stat")


@pytest.mark.parametrize("name", ["p101", "p", "p-1", "average", "", "p1e1", "p٣", "p100.1"])
def test_statistics_that_are_none_are_refused(name) -> None:
    with pytest.raises(Refused, match="for parameter Stat is not supported"):
        stat_of(name, Refused, "Stat")


@pytest.mark.parametrize(
    ("ago_ms", "whole_ms"), [(DAY_MS, MINUTE_MS), (20 * DAY_MS, 5 * MINUTE_MS), (70 * DAY_MS, HOUR_MS)]
)
def test_the_start_is_rounded_down_to_what_is_kept(ago_ms, whole_ms) -> None:
    start_ms = NOW_MS - ago_ms + whole_ms - 1
    assert span(start_ms, period_s=3600).start_s * 1000 == NOW_MS - ago_ms


def test_old_points_are_seen_by_periods_that_fit_them_only() -> None:
    everything = NOW_MS - 500 * DAY_MS
    assert span(everything, period_s=60).from_s == NOW_S - 15 * DAY_S
    assert span(everything, period_s=300).from_s == NOW_S - 63 * DAY_S
    assert span(everything, period_s=3600).from_s == NOW_S - 455 * DAY_S


def test_the_end_is_bounded_by_what_can_be_there() -> None:
    assert span(NOW_MS - DAY_MS, NOW_MS + 10**12).to_s == NOW_S + DAY_S


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "period_s", "words"),
    [
        (1, 1, 60, "The parameter StartTime must not equal parameter EndTime."),
        (2, 1, 60, "StartTime must be less than"),
        (1, 2, 61, "must be a multiple of 60.$"),
        (1, 2, 30, "no points of less than a minute"),
        (1, 2, 456 * DAY_S, "at most"),
    ],
)
def test_times_and_periods_that_cannot_be_are_refused(start_ms, end_ms, period_s, words) -> None:
    with pytest.raises(Refused, match=words):
        span(start_ms, end_ms, period_s)
