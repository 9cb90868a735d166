"""Counts of latencies by size: what a request pays for being measured, so it is small and may be compiled.

A histogram has buckets whose width is an eighth of their power of two: a percentile is off by 6 % at most, and one
observation costs about 0.2 µs. Latencies are held in microseconds.
"""

from __future__ import annotations

from operator import add
from typing import Any, Final

LATENCY_US_MAX: Final = (1 << 36) - 1  # 19 hours
_BUCKETS: Final = 36 * 8


class Histogram:
    """Counts of microseconds in buckets an eighth of a power of two wide, with sum and extremes."""

    __slots__ = ("_buckets", "count", "highest_us", "lowest_us", "sum_us")

    def __init__(self) -> None:
        self._buckets: list[int] = []  # made when there is something to count: most routes are quiet
        self.count = 0
        self.sum_us = 0
        self.lowest_us = LATENCY_US_MAX
        self.highest_us = 0

    def observe(self, us: int) -> None:
        """Count one value of 0 to `LATENCY_US_MAX` microseconds; others count as the nearer bound."""
        if us < 8:
            index = us if us > 0 else 0  # noqa: FURB136  # min() and max() cost more than all the rest
        else:
            if us > LATENCY_US_MAX:  # noqa: PLR1730
                us = LATENCY_US_MAX
            shift = us.bit_length() - 4
            index = (shift << 3) + (us >> shift)
        try:
            self._buckets[index] += 1
        except IndexError:
            self._buckets = [0] * _BUCKETS
            self._buckets[index] = 1
        self.count += 1
        self.sum_us += us
        if us > self.highest_us:  # noqa: PLR1730
            self.highest_us = us
        if us < self.lowest_us:  # noqa: PLR1730
            self.lowest_us = us

    def add(self, other: Histogram) -> None:
        """Take all of `other`'s observations too."""
        if not other.count:
            return
        if not self._buckets:
            self._buckets = other._buckets.copy()
        else:
            span = other._span()
            self._buckets[span] = map(add, self._buckets[span], other._buckets[span])
        self.count += other.count
        self.sum_us += other.sum_us
        self.highest_us = max(self.highest_us, other.highest_us)
        self.lowest_us = min(self.lowest_us, other.lowest_us)

    def _span(self) -> slice:
        """Give the buckets that can hold something: few of all, which is what makes sums cheap."""
        return slice(_index(self.lowest_us), _index(self.highest_us) + 1)

    def percentile_us(self, percent: float) -> int:
        """Give the value that `percent` of the observations do not exceed, within 6 %; 0 when there are none."""
        if not self.count:
            return 0
        wanted = max(1, -(-self.count * percent // 100))
        seen = 0
        for index, count in enumerate(self._buckets):
            seen += count
            if seen >= wanted:
                return min(_upper_us(index), self.highest_us)
        return self.highest_us

    def to_json(self) -> dict[str, Any]:
        """Give the figures with the counts of the buckets that can hold something, the first one's number before."""
        span = self._span() if self.count else slice(0, 0)
        return {
            "count": self.count,
            "sum_us": self.sum_us,
            "min_us": self.lowest_us if self.count else 0,
            "max_us": self.highest_us,
            "first_bucket": span.start,
            "buckets": self._buckets[span],
        }


def _index(us: int) -> int:
    if us < 8:
        return max(us, 0)
    shift = us.bit_length() - 4
    return (shift << 3) + (us >> shift)


def bucket_middle_us(index: int) -> float:
    """Give the middle of what a bucket counts, in microseconds."""
    upper_us = _upper_us(index)
    return upper_us if index < 16 else upper_us - ((1 << (index >> 3) - 1) - 1) / 2


def _upper_us(index: int) -> int:
    if index < 16:
        return index
    shift = (index >> 3) - 1
    return ((index - (shift << 3)) + 1 << shift) - 1
