"""What a limit is to a guard, and what buckets are made of: this process's memory, or leases of a shared state.

A limit is asked by `take`, which says at once whether it lets a request pass, or gives something to await when the
tokens have to be fetched from a shared state first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable
from typing import Protocol

from gatepost.kernel.clock import Clock
from gatepost.kernel.tasks import Tasks
from gatepost.services.apigateway.usage_model import Throttle
from gatepost.state.base import KEY_BYTES_MAX
from gatepost.state.buckets import TokenBucket
from gatepost.state.leases import LeasedBucket, LosableState


class Limit(Protocol):
    """Something that lets so many requests pass and no more."""

    def take(self, now_ns: int) -> bool | Awaitable[bool]:
        """Let one request pass, or not."""
        ...

    def give_back(self, count: int) -> None:
        """Put back what a request took that another limit then refused."""
        ...

    def wait_ns(self, now_ns: int) -> int | None:
        """Give the time until a request could pass; None when it never will."""
        ...

    @property
    def left(self) -> int:
        """Give how many requests could pass now, as of the last one."""
        ...


class Bucket(Limit, Protocol):
    """A limit by rate and burst."""

    rate_per_second: float
    burst: int

    def change(self, *, rate_per_second: float, burst: int, now_ns: int) -> None:
        """Have another rate and burst from now on."""
        ...


class Buckets(Protocol):
    """Makes buckets: in this process's memory, or leasing from a shared state."""

    def bucket(self, name: str, throttle: Throttle) -> Bucket:
        """Make the bucket `name`; another gateway that makes it shares its tokens, where state is shared."""
        ...


class LocalBuckets:
    """Buckets of this process alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def bucket(self, name: str, throttle: Throttle) -> Bucket:
        """Make a bucket that begins full."""
        del name
        return TokenBucket(
            rate_per_second=throttle.rate_per_second, burst=throttle.burst, now_ns=self._clock.monotonic_ns()
        )


class SharedBuckets:
    """Buckets that lease their tokens from a state that gateways share."""

    def __init__(self, state: LosableState, clock: Clock, tasks: Tasks) -> None:
        self._state = state
        self._clock = clock
        self._tasks = tasks

    def bucket(self, name: str, throttle: Throttle) -> Bucket:
        """Make this gateway's share of a bucket."""
        return LeasedBucket(
            _name(name),
            rate_per_second=throttle.rate_per_second,
            burst=throttle.burst,
            state=self._state,
            clock=self._clock,
            tasks=self._tasks,
        )


def _name(name: str) -> str:
    """Give a name that a state takes: one with a long resource path is told by its digest."""
    encoded = name.encode("utf-8", "surrogatepass")
    return name if len(encoded) <= KEY_BYTES_MAX else f"long/{hashlib.blake2b(encoded, digest_size=32).hexdigest()}"
