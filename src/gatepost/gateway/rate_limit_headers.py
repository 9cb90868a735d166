"""`RateLimit-*` and `Retry-After` on a stage's answers: an extension, which AWS does not have.

The names are those of draft-ietf-httpapi-ratelimit-headers in its widely used older form: `RateLimit-Limit`,
`RateLimit-Remaining`, `RateLimit-Reset` (seconds), of whichever of the caller's limits has least left. `Retry-After`
(RFC 9110, seconds) is on 429 only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gatepost.gateway.buckets import Limit
from gatepost.gateway.exchange import Exchange
from gatepost.gateway.guards.throttle import ThrottleGuard
from gatepost.gateway.plan import Finisher, Guard
from gatepost.gateway.quotas import QuotaUse
from gatepost.kernel.clock import Clock
from gatepost.wire.messages import Response

NS: Final = 1_000_000_000
TOO_MANY: Final = 429
FOREVER_S: Final = 86_400  # said of a bucket that does not refill


class RateLimitHeaders:
    """Adds the headers of one route."""

    def __init__(self, guard: ThrottleGuard, clock: Clock) -> None:
        self._guard = guard
        self._now_ns = clock.monotonic_ns

    def finish(self, exchange: Exchange, response: Response) -> None:
        """Append the headers."""
        limits = self._guard.limits_of(exchange)
        if not limits:
            return
        now_ns = self._now_ns()
        least = min(limits, key=lambda limit: limit.left)
        total = least.limit if isinstance(least, QuotaUse) else getattr(least, "burst", 0)
        response.headers += (
            (b"RateLimit-Limit", b"%d" % total),
            (b"RateLimit-Remaining", b"%d" % least.left),
            (b"RateLimit-Reset", b"%d" % _seconds(least, now_ns)),
        )
        if response.status == TOO_MANY:
            response.headers.append((b"Retry-After", b"%d" % max(1, _longest(limits, now_ns))))

    def __repr__(self) -> str:
        return "RateLimitHeaders()"


def _seconds(limit: Limit, now_ns: int) -> int:
    wait_ns = limit.wait_ns(now_ns)
    return FOREVER_S if wait_ns is None else -(-max(0, wait_ns - 1) // NS)  # buckets round up by a nanosecond


def _longest(limits: Sequence[Limit], now_ns: int) -> int:
    """Give how long until every limit that is used up has room."""
    return max((_seconds(limit, now_ns) for limit in limits if limit.left < 1), default=1)


def rate_limit_headers(guards: Sequence[Guard], clock: Clock) -> list[Finisher]:
    """Make the finisher of a route that has limits."""
    return [RateLimitHeaders(guard, clock) for guard in guards if isinstance(guard, ThrottleGuard)]
