"""How fast a function's workers may become more: AWS's pace.

A function gets at most `per_10_s` workers more in any ten seconds; what it has not used of them comes back steadily. A
worker that ends gives its place back, so that one that crashes and is started again does not count as growth.

Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html#scaling-rate; unverified: that the pace is
refilled steadily within the ten seconds.
"""

from __future__ import annotations

from typing import Final

REFILL_NS: Final = 10_000_000_000


class ScalingPace:
    """One function's allowance of further workers."""

    def __init__(self, per_10_s: int, now_ns: int) -> None:
        self._most = float(per_10_s)
        self._left = self._most
        self._at_ns = now_ns

    def left(self, now_ns: int) -> int:
        """Give how many workers may be started now."""
        self._left = min(self._most, self._left + self._most * (now_ns - self._at_ns) / REFILL_NS)
        self._at_ns = now_ns
        return int(self._left)

    def started(self) -> None:
        """Note that a worker was started."""
        self._left -= 1

    def ended(self) -> None:
        """Note that a worker is over."""
        self._left = min(self._most, self._left + 1)
