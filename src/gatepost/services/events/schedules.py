"""Schedule expressions: `rate(5 minutes)` and `cron(0 10 ? * MON-FRI *)`, in UTC.

A rate counts from when the rule was made, changed or enabled. A cron expression has six fields: minutes, hours, day of
month, month, day of week, year; one of the two days is `?`. Days of the week are 1 (Sunday) to 7.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

UNITS_MS: Final = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
YEAR_MIN: Final = 1970
YEAR_MAX: Final = 2199
_RATE: Final = re.compile(r"rate\((\d{1,9}) (minute|hour|day)(s?)\)", re.ASCII)
_CRON: Final = re.compile(r"cron\(([^()]*)\)", re.ASCII)
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTH_NAMES: Final = {name: number for number, name in enumerate(_MONTHS, 1)}
_DAY_NAMES: Final = {name: number for number, name in enumerate(_DAYS, 1)}


class BadSchedule(ValueError):
    """An expression that is no schedule. The text says why."""


class Schedule(Protocol):
    """When a rule fires."""

    def next_after(self, now_ms: int, anchored_at_ms: int) -> int | None:
        """Give the first time after `now_ms`; None: never again."""
        ...


@dataclass(frozen=True, slots=True)
class Rate:
    """Every so many ms, counted from the anchor."""

    every_ms: int

    def next_after(self, now_ms: int, anchored_at_ms: int) -> int | None:
        """Give the next whole number of intervals after the anchor."""
        passed = max(0, now_ms - anchored_at_ms) // self.every_ms
        return anchored_at_ms + (passed + 1) * self.every_ms


@dataclass(frozen=True, slots=True)
class Cron:
    """Minutes of days that fit. `days` gives the days of a month, by year and month."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Callable[[int, int], list[int]]
    months: tuple[int, ...]
    years: tuple[int, ...]

    def next_after(self, now_ms: int, anchored_at_ms: int) -> int | None:
        """Give the first minute after `now_ms` that fits."""
        del anchored_at_ms
        start_ms = (now_ms // 60_000 + 1) * 60_000
        start = datetime.fromtimestamp(start_ms // 1000, UTC)
        for year in self.years:
            if year < start.year:
                continue
            for month in self.months:
                if (year, month) < (start.year, start.month):
                    continue
                for day in self.days(year, month):
                    if (year, month, day) < (start.year, start.month, start.day):
                        continue
                    is_today = (year, month, day) == (start.year, start.month, start.day)
                    found = self._time(start if is_today else None)
                    if found is not None:
                        at = datetime(year, month, day, found[0], found[1], tzinfo=UTC)
                        return int(at.timestamp()) * 1000
        return None

    def _time(self, start: datetime | None) -> tuple[int, int] | None:
        for hour in self.hours:
            for minute in self.minutes:
                if start is None or (hour, minute) >= (start.hour, start.minute):
                    return hour, minute
        return None


def parse_schedule(text: str) -> Schedule:
    """Read an expression. Raises: BadSchedule."""
    rate = _RATE.fullmatch(text)
    if rate is not None:
        value, is_plural = int(rate[1]), bool(rate[3])
        if value < 1 or is_plural != (value > 1):
            raise BadSchedule("a rate has a positive value, and its unit is plural unless the value is 1")
        return Rate(value * UNITS_MS[rate[2]])
    cron = _CRON.fullmatch(text)
    if cron is None:
        raise BadSchedule("use rate(VALUE UNIT) or cron(MINUTES HOURS DAY-OF-MONTH MONTH DAY-OF-WEEK YEAR)")
    fields = cron[1].split()
    if len(fields) != 6:
        raise BadSchedule(f"cron has six fields, not {len(fields)}")
    minutes, hours, day_of_month, month, day_of_week, year = fields
    if (day_of_month == "?") == (day_of_week == "?"):
        raise BadSchedule("exactly one of day-of-month and day-of-week is ?")
    return Cron(
        _values(minutes, 0, 59),
        _values(hours, 0, 23),
        _days_of_week(day_of_week) if day_of_month == "?" else _days_of_month(day_of_month),
        _values(month, 1, 12, _MONTH_NAMES),
        _values(year, YEAR_MIN, YEAR_MAX),
    )


def _values(text: str, least: int, most: int, names: Mapping[str, int] | None = None) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, 1, most, {}) if slash else 1
        if span == "*":
            first, last = least, most
        elif "-" in span:
            start, _, end = span.partition("-")
            first, last = _number(start, least, most, names or {}), _number(end, least, most, names or {})
        else:
            first = _number(span, least, most, names or {})
            last = most if slash else first
        if first > last:  # unverified: AWS takes FRI-MON round the end
            found.update(range(first, most + 1, step))
            first = least
        found.update(range(first, last + 1, step))
    return tuple(sorted(found))


def _number(text: str, least: int, most: int, names: Mapping[str, int]) -> int:
    value = names.get(text.upper(), -1)
    if value < 0 and text.isascii() and text.isdigit() and len(text) <= 4:
        value = int(text)
    if not least <= value <= most:
        raise BadSchedule(f"{text!r} is not between {least} and {most}")
    return value


def _days_of_month(text: str) -> Callable[[int, int], list[int]]:
    if text == "L":
        return lambda year, month: [monthrange(year, month)[1]]
    if text.endswith("W") and text != "W":
        day = _number(text[:-1], 1, 31, {})
        return lambda year, month: _nearest_weekday(year, month, day)
    days = _values(text, 1, 31)
    return lambda year, month: [day for day in days if day <= monthrange(year, month)[1]]


def _nearest_weekday(year: int, month: int, day: int) -> list[int]:
    length = monthrange(year, month)[1]
    if day > length:
        return []
    weekday = datetime(year, month, day, tzinfo=UTC).weekday()
    if weekday == 5:  # Saturday: the Friday before, in the same month
        return [day - 1 if day > 1 else day + 2]
    if weekday == 6:
        return [day + 1 if day < length else day - 2]
    return [day]


def _days_of_week(text: str) -> Callable[[int, int], list[int]]:
    if text == "L":
        text = "7"
    elif text.endswith("L"):
        last = _number(text[:-1], 1, 7, _DAY_NAMES)
        return lambda year, month: _weekdays(year, month, (last,))[-1:]
    if "#" in text:
        name, _, place = text.partition("#")
        weekday, number = _number(name, 1, 7, _DAY_NAMES), _number(place, 1, 5, {})
        return lambda year, month: _weekdays(year, month, (weekday,))[number - 1 : number]
    weekdays = _values(text, 1, 7, _DAY_NAMES)
    return lambda year, month: _weekdays(year, month, weekdays)


def _weekdays(year: int, month: int, weekdays: tuple[int, ...]) -> list[int]:
    first, length = monthrange(year, month)  # Monday is 0
    return [day for day in range(1, length + 1) if (first + day) % 7 + 1 in weekdays]
