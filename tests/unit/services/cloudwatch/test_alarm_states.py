"""Which state an alarm is in: AWS's own tables of missing data, and its reasons."""

from __future__ import annotations

import json

import pytest

from gatepost.services.cloudwatch.alarm_states import Watch, standing_of


def a_watch(**changes) -> Watch:
    given = {"period_s": 60, "periods": 3, "needed": 3, "threshold": 10.0, "comparison": "GreaterThanThreshold"}
    return Watch(**(given | {"missing": "missing", "statistic": "Sum"} | changes))


def points(text: str) -> dict[int, float]:
    """Read a row of AWS's tables: `0` within the threshold, `X` over it, `-` missing."""
    values = {"0": 1.0, "X": 20.0}
    return {at * 60: values[mark] for at, mark in enumerate(text.split()) if mark in values}


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html, for missing, ignore, breaching,
# notBreaching
TABLES = [
    ("0 - X - X", 3, ("OK", "OK", "OK", "OK")),
    ("0 - - - -", 3, ("OK", "OK", "OK", "OK")),
    ("- - - - -", 3, ("INSUFFICIENT_DATA", None, "ALARM", "OK")),
    ("0 X X - X", 3, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("- - X - -", 3, ("ALARM", None, "ALARM", "OK")),
    ("0 - X - X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("0 0 X 0 X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("0 - X - -", 2, ("OK", "OK", "ALARM", "OK")),
    ("- - - - 0", 2, ("OK", "OK", "ALARM", "OK")),
    ("- - - X -", 2, ("ALARM", None, "ALARM", "OK")),
]


@pytest.mark.parametrize(("row", "needed", "states"), TABLES)
def test_missing_data_is_treated_as_on_aws(row: str, needed: int, states) -> None:
    found = [
        standing_of(a_watch(missing=missing, needed=needed), points(row), 0)
        for missing in ("missing", "ignore", "breaching", "notBreaching")
    ]
    assert tuple(one.value if one else None for one in found) == states


@pytest.mark.parametrize(
    ("comparison", "value", "state"),
    [
        ("GreaterThanThreshold", 10, "OK"),
        ("GreaterThanOrEqualToThreshold", 10, "ALARM"),
        ("LessThanThreshold", 10, "OK"),
        ("LessThanOrEqualToThreshold", 10, "ALARM"),
    ],
)
def test_a_value_is_compared(comparison: str, value: float, state: str) -> None:
    found = standing_of(a_watch(periods=1, needed=1, comparison=comparison), {0: value}, 0)
    assert found is not None
    assert found.value == state


def test_a_reason_says_what_was_seen() -> None:
    found = standing_of(a_watch(periods=1, needed=1), {60: 12.0}, 120_000)
    assert found is not None
    assert found.reason == (
        "Threshold Crossed: 1 out of the last 1 datapoints [12.0 (01/01/70 00:01:00)] was greater than the threshold "
        "(10.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert json.loads(found.data) == {
        "version": "1.0", "queryDate": "1970-01-01T00:02:00.000+0000", "startDate": "1970-01-01T00:01:00.000+0000",
        "statistic": "Sum", "period": 60, "recentDatapoints": [12.0], "threshold": 10.0,
        "evaluatedDatapoints": [{"timestamp": "1970-01-01T00:01:00.000+0000", "value": 12.0}],
    }  # fmt: skip
    unknown = standing_of(a_watch(periods=1, needed=1), {}, 0)
    assert unknown is not None
    assert unknown.reason == "Insufficient Data: 1 datapoint was unknown."
