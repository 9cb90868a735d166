"""The periods of quotas: days, weeks and months in UTC, whatever the machine's time zone is.

unverified: a week begins on Sunday. AWS's reference does not say; an older edition of it had "with a time period of
'WEEK', an offset of 0 starts on Sunday" (https://rubydoc.info/gems/aws-sdk-apigateway/1.73.0/Aws/APIGateway/Types/QuotaSettings).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from gatepost.services.apigateway.usage_model import Quota

PERIODS: Final = ("DAY", "WEEK", "MONTH")
DAY_MS: Final = 86_400_000


class Period(NamedTuple):
    """From the first millisecond on and up to before the last. `day` is the first day, `2026-11-01`."""

    day: str
    starts_at_ms: int
    ends_at_ms: int


def day_of(at_ms: int) -> date:
    """Give the day of a time."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date()


def period_of(kind: str, at_ms: int) -> Period:
    """Give the period that holds a time."""
    return period_of_day(kind, day_of(at_ms))


def period_of_day(kind: str, day: date) -> Period:
    """Give the period that holds a day."""
    if kind == "DAY":
        first, after = day, day + timedelta(days=1)
    elif kind == "WEEK":
        first = day - timedelta(days=day.isoweekday() % 7)
        after = first + timedelta(days=7)
    else:
        first = day.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
    return Period(first.isoformat(), _starts_at_ms(first), _starts_at_ms(after))


def quota_at(quota: Quota, day: date) -> int:
    """Give the quota of the period that holds a day: less in the first one, by the offset."""
    is_first = period_of_day(quota.period, day) == period_of_day(quota.period, day_of(quota.since_ms))
    return quota.limit - quota.offset if is_first else quota.limit


def _starts_at_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
