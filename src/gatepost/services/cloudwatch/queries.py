"""What the reading operations ask for: statistics by name, periods and times, and the tokens of pages.

Periods and times: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
Statistics: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gatepost.kernel.errors import ServiceError
from gatepost.services.cloudwatch.model import DAY_S, FIVE_MINUTES_S, HOUR_S, KEPT_S, MINUTE_S
from gatepost.services.cloudwatch.statistics import Statistics
from gatepost.services.cloudwatch.store import Span, rolled_up_before

PERIOD_S_MAX: Final = KEPT_S[HOUR_S]
_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100(?:\.0{1,10})?)", re.ASCII)
_TRIMMED: Final = re.compile(r"(?:(?:tm|wm|tc|ts)\d|(?:TM|WM|TC|TS|PR)\(|IQM).*", re.ASCII | re.DOTALL)

_PLAIN: Final[dict[str, Callable[[Statistics], float]]] = {
    "SampleCount": lambda found: found.samples,
    "Average": lambda found: found.total / found.samples,
    "Sum": lambda found: found.total,
    "Minimum": lambda found: found.lowest,
    "Maximum": lambda found: found.highest,
}


@dataclass(frozen=True, slots=True)
class Stat:
    """One statistic by its name."""

    name: str
    percent: float | None = None  # None: not a percentile

    def of(self, found: Statistics) -> float | None:
        """Give its value; None when it cannot be known."""
        return _PLAIN[self.name](found) if self.percent is None else found.percentile(self.percent)


def stat_of(name: str, refuse: type[ServiceError], place: str) -> Stat:
    """Read a statistic's name. Raises: `refuse`."""
    if name in _PLAIN:
        return Stat(name)
    if (match := _PERCENTILE.fullmatch(name)) is not None:
        return Stat(name, float(match[1]))
    if _TRIMMED.fullmatch(name):
        raise refuse(
            f"The statistic {name[:64]} is not supported by Gatepost: use {', '.join(_PLAIN)} or a percentile (p99)"
        )
    raise refuse(f"The value {name[:64]} for parameter {place} is not supported.")


def span_of(start_ms: int, end_ms: int, period_s: int, *, now_ms: int, refuse: type[ServiceError]) -> Span:
    """Say which points a query means. Raises: `refuse`.

    The start is rounded down to what is kept of its time: a minute (15 days), five minutes (63 days) or an hour.
    Where the period is none of a resolution, nothing of that time is seen, whether rolled up yet or not.
    """
    if period_s % MINUTE_S:
        raise refuse(
            "The parameter Period must be a multiple of 60: Gatepost keeps no points of less than a minute"
            if period_s in {1, 5, 10, 20, 30}
            else "The parameter Period must be a multiple of 60."
        )
    if period_s > PERIOD_S_MAX:
        raise refuse(f"The parameter Period must be at most {PERIOD_S_MAX}.")
    if start_ms == end_ms:
        raise refuse("The parameter StartTime must not equal parameter EndTime.")
    if start_ms > end_ms:
        raise refuse("The parameter StartTime must be less than the parameter EndTime.")
    now_s, start_s, end_s = now_ms // 1000, start_ms // 1000, -(-end_ms // 1000)
    minutes_from_s = rolled_up_before(now_s, MINUTE_S)
    fives_from_s = rolled_up_before(now_s, FIVE_MINUTES_S)
    if start_s < fives_from_s:
        start_s -= start_s % HOUR_S
    elif start_s < minutes_from_s:
        start_s -= start_s % FIVE_MINUTES_S
    else:
        start_s -= start_s % MINUTE_S
    seen_from_s = now_s - KEPT_S[HOUR_S]
    if period_s % FIVE_MINUTES_S:
        seen_from_s = minutes_from_s
    elif period_s % HOUR_S:
        seen_from_s = fives_from_s
    return Span(start_s, period_s, max(start_s, seen_from_s), min(end_s, now_s + DAY_S))


def count_of(start_ms: int, end_ms: int, period_s: int) -> int:
    """Say how many points there can be."""
    return -(-(end_ms - start_ms) // (period_s * 1000))
