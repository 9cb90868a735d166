"""What time it is. Nothing else in Gatepost asks the operating system."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of time that tests can hold still."""

    def now_ms(self) -> int:
        """Give wall-clock time, in milliseconds since 1970 UTC."""
        ...

    def monotonic_ns(self) -> int:
        """Give a time that never goes back, in nanoseconds from an arbitrary start."""
        ...


class SystemClock:
    """The machine's clock."""

    __slots__ = ()

    def now_ms(self) -> int:
        """Give wall-clock time, in milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000

    monotonic_ns = staticmethod(time.monotonic_ns)  # asked five times per request: no call in between


class FixedClock:
    """A clock that moves only when told to."""

    __slots__ = ("_monotonic_ns", "_now_ms")

    def __init__(self, now_ms: int = 1_760_000_000_000) -> None:
        self._now_ms = now_ms
        self._monotonic_ns = 0

    def now_ms(self) -> int:
        """Give the time that was set, in milliseconds since 1970 UTC."""
        return self._now_ms

    def monotonic_ns(self) -> int:
        """Give the sum of all advances, in nanoseconds."""
        return self._monotonic_ns

    def advance(self, *, ms: int) -> None:
        """Move both times forward by `ms` milliseconds."""
        if ms < 0:
            raise ValueError(f"a clock cannot advance by {ms} ms: use 0 or more")
        self._now_ms += ms
        self._monotonic_ns += ms * 1_000_000


def iso_8601(at_ms: int) -> str:
    """Render milliseconds as AWS does in JSON and XML texts: `2026-11-24T05:56:38.123Z`."""
    seconds, ms = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"
