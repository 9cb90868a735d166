"""Schedule expressions, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gatepost.services.events.schedules import BadSchedule, parse_schedule

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)  # a Tuesday


def ms(at: datetime) -> int:
    return int(at.timestamp()) * 1000


def following(expression: str, now: datetime = NOW, *, anchor: datetime = NOW) -> str | None:
    at_ms = parse_schedule(expression).next_after(ms(now), ms(anchor))
    return None if at_ms is None else f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 10 * * ? *)", "2026-11-24 10:00:00"),
        ("cron(0 8 * * ? *)", "2026-11-25 08:00:00"),  # not the minute that is now
        ("cron(15 12 * * ? *)", "2026-11-24 12:15:00"),
        ("cron(0 18 ? * MON-FRI *)", "2026-11-24 18:00:00"),
        ("cron(0 8 1 * ? *)", "2026-12-01 08:00:00"),
        ("cron(0/15 * * * ? *)", "2026-11-24 08:15:00"),
        ("cron(0/10 * ? * MON-FRI *)", "2026-11-24 08:10:00"),
        ("cron(0/5 8-17 ? * MON-FRI *)", "2026-11-24 08:05:00"),
        ("cron(0/30 20-2 ? * MON-FRI *)", "2026-11-24 20:00:00"),
        ("cron(0 10 ? * 1 *)", "2026-11-29 10:00:00"),  # Sunday
        ("cron(0 10 ? * 7 *)", "2026-11-28 10:00:00"),
        ("cron(0 10 ? * L *)", "2026-11-28 10:00:00"),
        ("cron(0 9 ? * 2#1 *)", "2026-12-07 09:00:00"),
        ("cron(0 9 ? * TUE#5 *)", "2026-12-29 09:00:00"),
        ("cron(0 9 ? * FRIL *)", "2026-11-27 09:00:00"),
        ("cron(0 12 L * ? *)", "2026-11-30 12:00:00"),
        ("cron(0 12 29W * ? *)", "2026-11-30 12:00:00"),  # the 29th is a Sunday
        ("cron(0 12 1W 8 ? 2026-2027)", "2027-08-02 12:00:00"),  # the 1st is a Sunday
        ("cron(0 0 29 2 ? *)", "2028-02-29 00:00:00"),
        ("cron(0 0 1 JAN,jul ? *)", "2027-01-01 00:00:00"),
        ("cron(0 0 31 11 ? *)", None),
        ("cron(0 8 24 11 ? 2026)", None),
        ("cron(59 23 31 12 ? 2199)", "2199-12-31 23:59:00"),
    ],
)
def test_a_cron_expression_has_a_next_minute(expression: str, expected: str | None) -> None:
    assert following(expression) == expected


@pytest.mark.parametrize(
    ("expression", "seconds_later", "expected"),
    [
        ("rate(1 minute)", 0, "2026-11-24 08:01:00"),
        ("rate(1 minute)", 59, "2026-11-24 08:01:00"),
        ("rate(1 minute)", 60, "2026-11-24 08:02:00"),
        ("rate(5 minutes)", 3600, "2026-11-24 09:05:00"),
        ("rate(2 hours)", 1, "2026-11-24 10:00:00"),
        ("rate(1 day)", 1, "2026-11-25 08:00:00"),
    ],
)
def test_a_rate_counts_from_its_anchor(expression: str, seconds_later: int, expected: str) -> None:
    now = datetime.fromtimestamp(NOW.timestamp() + seconds_later, UTC)
    assert following(expression, now) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(5 seconds)",
        "rate(-1 hours)",
        "rate(5minutes)",
        "cron(* * * * *)",
        "cron(* * * * * *)",
        "cron(* * ? * ? *)",
        "cron(60 * * * ? *)",
        "cron(* 24 * * ? *)",
        "cron(* * 0 * ? *)",
        "cron(* * 32 * ? *)",
        "cron(* * * 13 ? *)",
        "cron(* * ? * 8 *)",
        "cron(* * ? * 0 *)",
        "cron(* * * * ? 1969)",
        "cron(* * ? * MON#6 *)",
        "cron(* * ? * FOO *)",
        "cron(a * * * ? *)",
        "cron(1- * * * ? *)",
        "cron(*/0 * * * ? *)",
        "cron(0 0 W * ? *)",
        "cron(0 0 L-3 * ? *)",
        "cron(0,, * * * ? *)",
        "at(2026-11-24T08:00:00)",
        "cron(" + "0," * 5000 + "0 * * * ? *)x",
    ],
)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(BadSchedule):
        parse_schedule(expression)
