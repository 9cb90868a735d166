"""What is kept of many values: how many, their sum and extremes, and a mergeable histogram for percentiles.

A value goes into the bucket of the nearest number with seven significant binary digits, so a percentile is off by
0.8 % at most (whole numbers up to 128 are exact), and any two histograms add up bucket by bucket. There is no
histogram of values that are not known one by one (statistic sets) or that are negative: AWS gives no percentiles of
these either.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

ZERO_BUCKET: Final = -(1 << 20)  # below that of any positive number
_BUCKETS_OF_POWER: Final = 64
_PAIR: Final = struct.Struct("<id")

Buckets = dict[int, float]


def bucket_of(value: float) -> int:
    """Give the bucket of a value that is not negative. Buckets are in the order of values."""
    if value <= 0:
        return ZERO_BUCKET
    mantissa, exponent = math.frexp(value)
    return exponent * _BUCKETS_OF_POWER + round(mantissa * 2 * _BUCKETS_OF_POWER) - _BUCKETS_OF_POWER


def value_of(bucket: int) -> float:
    """Give the value that stands for a bucket."""
    if bucket == ZERO_BUCKET:
        return 0.0
    exponent, part = divmod(bucket, _BUCKETS_OF_POWER)
    return math.ldexp((part + _BUCKETS_OF_POWER) / (2 * _BUCKETS_OF_POWER), exponent)


@dataclass(slots=True)
class Statistics:
    """Of at least one value. `buckets` is None when percentiles cannot be known."""

    samples: float
    total: float
    lowest: float
    highest: float
    buckets: Buckets | None

    def add(self, other: Statistics) -> None:
        """Take other's values too."""
        self.samples += other.samples
        self.total += other.total
        self.lowest = min(self.lowest, other.lowest)
        self.highest = max(self.highest, other.highest)
        if self.buckets is None or other.buckets is None:
            self.buckets = None
            return
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count

    def percentile(self, percent: float) -> float | None:
        """Give the value that `percent` of the values do not exceed, within 0.8 %; None when it cannot be known."""
        if self.buckets is None:
            return None
        wanted = self.samples * percent / 100 * (1 - 1e-12)
        seen = 0.0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= wanted:
                return min(max(value_of(bucket), self.lowest), self.highest)
        return self.highest


def of_values(values: Mapping[float, float]) -> Statistics:
    """Give the statistics of values with how often each occurred; there is at least one."""
    buckets: Buckets | None = None if min(values) < 0 else {}
    if buckets is not None:
        for value, count in values.items():
            bucket = bucket_of(value)
            buckets[bucket] = buckets.get(bucket, 0) + count
    return Statistics(
        sum(values.values()),
        math.fsum(value * count for value, count in values.items()),
        min(values),
        max(values),
        buckets,
    )


def of_set(samples: float, total: float, lowest: float, highest: float) -> Statistics:
    """Give the statistics of a set of values that are not known one by one, unless they are all the same."""
    is_known = lowest >= 0 and (samples == 1 or lowest == highest)
    return Statistics(samples, total, lowest, highest, {bucket_of(highest): samples} if is_known else None)


def pack(buckets: Buckets | None) -> bytes | None:
    """Give buckets as bytes for the store."""
    if buckets is None:
        return None
    return struct.pack("<" + "id" * len(buckets), *chain.from_iterable(sorted(buckets.items())))


def unpack(packed: bytes | None) -> Buckets | None:
    """Read what `pack` gave."""
    return None if packed is None else dict(_PAIR.iter_unpack(packed))
