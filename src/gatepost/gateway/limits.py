"""The limits of a gateway: what a bucket is made of here, the account's one, and those of stages' methods.

A limit is asked by `take`, which says at once whether it lets a request pass, or gives something to await when the
tokens have to be fetched from a shared state first. Buckets outlive plans: a stage that is deployed again goes on
with what its methods have left.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, Protocol

from gatepost.kernel.clock import Clock
from gatepost.kernel.tasks import Tasks
from gatepost.services.apigateway.usage_model import Throttle
from gatepost.state.buckets import TokenBucket
from gatepost.state.leases import LeasedBucket, LosableState

STAGE_BUCKETS_MAX: Final = 100_000
ACCOUNT_RATE_PER_SECOND: Final = 10_000.0
ACCOUNT_BURST: Final = 5_000


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


class Bucket(Limit, Protocol):
    """A limit by rate and burst."""

    rate_per_second: float
    burst: int

    @property
    def left(self) -> int:
        """Give how many requests could pass now."""
        ...

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
            name,
            rate_per_second=throttle.rate_per_second,
            burst=throttle.burst,
            state=self._state,
            clock=self._clock,
            tasks=self._tasks,
        )


class StageLimits:
    """The account's bucket and those of stages' methods."""

    def __init__(self, buckets: Buckets, clock: Clock, *, account: Throttle) -> None:
        self._buckets = buckets
        self._clock = clock
        self.account = buckets.bucket("account", account)
        self._stages: dict[str, Bucket] = {}

    def method(self, name: str, throttle: Throttle) -> Bucket:
        """Give the bucket of `{api}/{stage}/{path}/{METHOD}`; the same one every time, with the throttle of now."""
        found = self._stages.get(name)
        if found is None:
            while len(self._stages) >= STAGE_BUCKETS_MAX:
                del self._stages[next(iter(self._stages))]
            found = self._stages[name] = self._buckets.bucket(f"stage/{name}", throttle)
        else:
            found.change(
                rate_per_second=throttle.rate_per_second, burst=throttle.burst, now_ns=self._clock.monotonic_ns()
            )
        return found
