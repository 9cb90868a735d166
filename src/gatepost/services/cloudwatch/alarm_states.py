"""Which state an alarm is in, by the values of its metric: pure.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html with its tables of missing
data. Of a range of `EvaluationPeriods` and two more, the newest points count.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from gatepost.kernel.clock import iso_8601
from gatepost.services.cloudwatch.alarm_model import IN_ALARM, INSUFFICIENT, OK, Standing, aws_time

RANGE_MORE: Final = 2  # periods that are looked at beyond the evaluation periods
_COMPARISONS: Final[Mapping[str, tuple[Callable[[float, float], bool], str]]] = {
    "GreaterThanOrEqualToThreshold": (lambda value, bound: value >= bound, "greater than or equal to"),
    "GreaterThanThreshold": (lambda value, bound: value > bound, "greater than"),
    "LessThanThreshold": (lambda value, bound: value < bound, "less than"),
    "LessThanOrEqualToThreshold": (lambda value, bound: value <= bound, "less than or equal to"),
}
COMPARISONS: Final = tuple(_COMPARISONS)


@dataclass(frozen=True, slots=True)
class Watch:
    """What an alarm looks at."""

    period_s: int
    periods: int
    needed: int  # DatapointsToAlarm
    threshold: float
    comparison: str
    missing: str  # breaching, notBreaching, ignore, missing
    statistic: str

    @property
    def range_s(self) -> int:
        """How far back it looks."""
        return self.period_s * (self.periods + RANGE_MORE)


def watch_of(settings: Mapping[str, Any], period_s: int) -> Watch:
    """Give what an alarm's settings say."""
    periods = int(settings["EvaluationPeriods"])
    return Watch(
        period_s,
        periods,
        int(settings.get("DatapointsToAlarm") or periods),
        float(settings["Threshold"]),
        settings["ComparisonOperator"],
        settings.get("TreatMissingData") or "missing",
        str(settings.get("Statistic") or settings.get("ExtendedStatistic") or ""),
    )


def standing_of(watch: Watch, values: Mapping[int, float], now_ms: int) -> Standing | None:
    """Give the state by `values` (time in seconds) of the evaluation range; None: it stays as it is."""
    points = sorted(values.items())[-watch.periods :]
    compare = _COMPARISONS[watch.comparison][0]
    breaching = sum(compare(value, watch.threshold) for _, value in points)
    lacking = watch.periods - len(points)
    if watch.missing == "breaching":
        breaching += lacking
    if breaching >= watch.needed:
        state = IN_ALARM
    elif len(points) > breaching or watch.missing == "notBreaching":
        state = OK
    elif watch.missing == "ignore":
        return None
    elif not points:
        state = INSUFFICIENT
    else:
        state = IN_ALARM if watch.missing == "missing" else OK
    return Standing(state, _reason(watch, points, state), now_ms, _data(watch, points, now_ms))


def _reason(watch: Watch, points: list[tuple[int, float]], state: str) -> str:
    if state == INSUFFICIENT:
        return f"Insufficient Data: {_count(watch.periods)} {'was' if watch.periods == 1 else 'were'} unknown."
    if not points:
        treated = "[Breaching]" if watch.missing == "breaching" else "[NonBreaching]"
        what = _count(watch.periods)
        return f"Threshold Crossed: no datapoints were received for {what} and {what} treated as {treated}."
    compare, words = _COMPARISONS[watch.comparison]
    is_alarm = state == IN_ALARM
    telling = [point for point in points if compare(point[1], watch.threshold) is is_alarm] or points
    shown = ", ".join(
        f"{value} ({datetime.fromtimestamp(at_s, UTC):%d/%m/%y %H:%M:%S})" for at_s, value in telling[::-1]
    )

    verb = "was" if len(telling) == 1 else "were"
    not_word = "" if is_alarm else "not "
    change = "OK -> ALARM" if is_alarm else "ALARM -> OK"
    least = watch.needed if is_alarm else watch.periods - watch.needed + 1
    return (
        f"Threshold Crossed: {len(telling)} out of the last {watch.periods} datapoints [{shown}] {verb} "
        f"{not_word}{words} the threshold ({watch.threshold}) (minimum {_count(least)} for {change} transition)."
    )


def _count(number: int) -> str:
    return f"{number} datapoint" + ("" if number == 1 else "s")


def _data(watch: Watch, points: list[tuple[int, float]], now_ms: int) -> str:
    data: dict[str, Any] = {
        "version": "1.0",
        "queryDate": aws_time(iso_8601(now_ms)),
        "startDate": aws_time(iso_8601(points[0][0] * 1000)) if points else None,
        "statistic": watch.statistic or None,
        "period": watch.period_s,
        "recentDatapoints": [value for _, value in points],
        "threshold": watch.threshold,
        "evaluatedDatapoints": [
            {"timestamp": aws_time(iso_8601(at_s * 1000)), "value": value} for at_s, value in points[::-1]
        ],
    }
    return json.dumps({name: value for name, value in data.items() if value is not None})
