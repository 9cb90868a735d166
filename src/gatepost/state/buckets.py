"""A token bucket: the arithmetic of every throttle, in one process's memory.

It holds at most `burst` tokens, begins full, and refills continuously. Time is the monotonic clock's: a wall clock
that jumps neither grants nor takes anything. A float of tokens is exact enough: at 10,000 a second an error of one
token takes longer than the universe has existed.
"""

from __future__ import annotations

from typing import Final

NS: Final = 1_000_000_000


class TokenBucket:
    """Tokens of one limit. `take` is the hot path: one call, no allocation but floats."""

    __slots__ = ("_full", "_per_ns", "_stamp_ns", "burst", "rate_per_second", "tokens")

    def __init__(self, *, rate_per_second: float, burst: int, now_ns: int) -> None:
        self.rate_per_second = rate_per_second
        self.burst = burst
        self.tokens = self._full = float(burst)
        self._per_ns = rate_per_second / NS
        self._stamp_ns = now_ns

    def take(self, now_ns: int) -> bool:
        """Take one token if there is one."""
        tokens = self.tokens + (now_ns - self._stamp_ns) * self._per_ns
        self._stamp_ns = now_ns
        if tokens > self._full:  # noqa: PLR1730 (min() is a call)
            tokens = self._full
        if tokens < 1.0:
            self.tokens = tokens
            return False
        self.tokens = tokens - 1.0
        return True

    def take_up_to(self, count: int, count_min: int, now_ns: int) -> int:
        """Take `count` tokens, or as many whole ones as there are if those are `count_min` at least; say how many."""
        self.refill(now_ns)
        granted = min(count, int(self.tokens))
        if granted < count_min:
            return 0
        self.tokens -= granted
        return granted

    def give_back(self, count: int) -> None:
        """Put back tokens that were not used."""
        self.tokens = min(self._full, self.tokens + count)

    def refill(self, now_ns: int) -> None:
        """Bring `tokens` up to date."""
        tokens = self.tokens + (now_ns - self._stamp_ns) * self._per_ns
        self._stamp_ns = now_ns
        self.tokens = min(self._full, tokens)

    def change(self, *, rate_per_second: float, burst: int, now_ns: int) -> None:
        """Have another rate and burst from now on; what was taken stays taken."""
        if rate_per_second == self.rate_per_second and burst == self.burst:
            return
        self.refill(now_ns)
        self.tokens = max(0.0, min(float(burst), self.tokens + max(0, burst - self.burst)))
        self.rate_per_second, self.burst, self._per_ns = rate_per_second, burst, rate_per_second / NS
        self._full = float(burst)

    def wait_ns(self, now_ns: int) -> int | None:
        """Give the time until there is a token; None when there never will be one."""
        self.refill(now_ns)
        if self.tokens >= 1.0:
            return 0
        if self._per_ns <= 0 or self.burst < 1:
            return None
        return int((1.0 - self.tokens) / self._per_ns) + 1

    @property
    def left(self) -> int:
        """Give how many whole tokens there were when it was last asked."""
        return int(self.tokens)

    @property
    def is_full(self) -> bool:
        """Whether forgetting this bucket would change nothing."""
        return self.tokens >= self.burst
