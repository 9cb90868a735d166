"""Times as in the Common Log Format, rendered once per second however many requests ask."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def request_time(at_ms: int) -> str:
    """Render `20/Feb/2018:22:48:57 +0000` as `$context.requestTime` has it."""
    return _rendered(at_ms // 1000)


@lru_cache(maxsize=8)
def _rendered(seconds: int) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at.day:02d}/{_MONTHS[at.month - 1]}/{at.year}:{at.hour:02d}:{at.minute:02d}:{at.second:02d} +0000"
