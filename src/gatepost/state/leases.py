"""A token bucket that many gateways share, without asking for every request: tokens are leased in small batches.

Theory. The bucket itself is in the shared state. A gateway takes a few tokens at once and spends them at memory's
speed. How many, the *batch*, doubles from 1 while leases are used up, to at most `batch_max`: what the rate gives in
`BATCH_MS`, but no more than a tenth of the burst and at least 1. A large lease is filled up when half of it is spent,
so that nobody waits. One that is not used up within `LEASE_MS` is given back, and the next batch is 1 again. When the
state says that the bucket is empty it also says for how long, and until then requests are refused here.

The bound. Tokens are only ever spent once, so that N gateways never admit more over a time T than `rate * T + burst`,
counted from a full bucket. In any other stretch of time they may admit up to `N * batch_max` more, which were leased
before it, and with steady demand up to `N * batch_max` fewer, which lie in leases. `tests/unit/state/test_leases.py`
holds us to it.

When the state is lost, this process's own bucket decides with the full rate and burst: N gateways then admit N times as
much, and no request waits for the state more than once. It begins with one second's tokens at most, and is kept: over a
state that comes and goes, however often, a gateway alone admits no more than `rate * time` and that once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, Protocol

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import StateUnavailable
from gatepost.kernel.tasks import Tasks
from gatepost.state.base import NEVER_MS, SharedState, settled
from gatepost.state.buckets import TokenBucket

BATCH_MS: Final = 50
BURST_PART: Final = 10
LEASE_MS: Final = 1_000
WORTH_FETCHING_AHEAD: Final = 8
EMPTY_MS_MAX: Final = 1_000  # how long an answer "empty" is believed
MS_NS: Final = 1_000_000


class LosableState(SharedState, Protocol):
    """A shared state that says whether asking it makes sense."""

    @property
    def is_lost(self) -> bool:
        """Whether operations would fail at once."""
        ...

    @property
    def epoch(self) -> int:
        """Give a number that is another one whenever the state may have lost what it held."""
        ...


def batch_max(*, rate_per_second: float, burst: int) -> int:
    """Give how many tokens a gateway may hold of a bucket: the N-th part of the stated bound."""
    return max(1, min(int(rate_per_second * BATCH_MS / 1000), burst // BURST_PART))


class LeasedBucket:
    """One gateway's share of a bucket. `take` answers at once as long as there is a lease."""

    __slots__ = (
        "_batch",
        "_clock",
        "_empty_until_ns",
        "_expires_ns",
        "_fallback",
        "_fetch",
        "_held",
        "_is_alone",
        "_low",
        "_name",
        "_state",
        "_tasks",
        "_wanted",
        "burst",
        "rate_per_second",
    )

    def __init__(
        self, name: str, *, rate_per_second: float, burst: int, state: LosableState, clock: Clock, tasks: Tasks
    ) -> None:
        self._name = name
        self.rate_per_second = rate_per_second
        self.burst = burst
        self._state = state
        self._clock = clock
        self._tasks = tasks
        self._held = 0
        self._low = -1  # at so many held tokens the next batch is fetched
        self._expires_ns = 0
        self._empty_until_ns = 0
        self._batch = 1
        self._wanted = 0  # by requests that wait
        self._fetch: asyncio.Future[None] | None = None
        self._fallback: TokenBucket | None = None
        self._is_alone = False  # the fallback decided last

    def take(self, now_ns: int) -> bool | Awaitable[bool]:
        """Spend one token."""
        if self._held > 0:
            if now_ns < self._expires_ns:
                self._held -= 1
                if self._held == self._low and self._fetch is None and not self._state.is_lost:
                    self._begin_fetch()  # before the lease is used up, so that nobody waits
                return True
            self._return()
        if now_ns < self._empty_until_ns:
            return False
        if self._state.is_lost:
            return self._take_alone(now_ns)
        return self._wait()

    def _begin_fetch(self) -> asyncio.Future[None]:
        self._fetch = asyncio.get_running_loop().create_future()
        self._tasks.spawn(self._fetch_batch(self._fetch), name="lease")
        return self._fetch

    async def _wait(self) -> bool:
        """Fetch a batch, or share in one that is on its way, until there is a token or none to be had."""
        self._wanted += 1
        try:
            while True:
                await asyncio.shield(self._fetch or self._begin_fetch())
                if self._held > 0:
                    self._held -= 1
                    return True
                now_ns = self._clock.monotonic_ns()
                if now_ns < self._empty_until_ns:
                    return False
                if self._state.is_lost:
                    return self._take_alone(now_ns)
        finally:
            self._wanted -= 1

    async def _fetch_batch(self, fetched: asyncio.Future[None]) -> None:
        largest = batch_max(rate_per_second=self.rate_per_second, burst=self.burst)
        count = max(1, self._wanted, min(self._batch, largest) - self._held)
        try:
            taken = await settled(
                self._state.take_tokens(
                    self._name, count=count, rate_per_second=self.rate_per_second, burst=self.burst, count_min=1
                )
            )
            now_ns = self._clock.monotonic_ns()
            self._is_alone = False
            if taken.granted:
                self._held += taken.granted
                self._batch = min(2 * self._batch, largest)
                self._low = self._held // 2 if self._held >= WORTH_FETCHING_AHEAD else -1
                self._expires_ns = now_ns + LEASE_MS * MS_NS
            else:
                wait_ms = EMPTY_MS_MAX if taken.wait_ms >= NEVER_MS else min(taken.wait_ms, EMPTY_MS_MAX)
                self._empty_until_ns = now_ns + max(1, wait_ms) * MS_NS
        except StateUnavailable:
            if not self._state.is_lost:  # it answers, and says no: this gateway decides for a moment
                now_ns = self._clock.monotonic_ns()
                self._held += int(self._take_alone(now_ns))
                self._empty_until_ns = 0 if self._held else now_ns + MS_NS
                self._expires_ns = now_ns + LEASE_MS * MS_NS
        finally:
            self._fetch = None
            fetched.set_result(None)

    def _take_alone(self, now_ns: int) -> bool:
        alone = self._fallback
        if alone is None:
            alone = self._fallback = TokenBucket(rate_per_second=self.rate_per_second, burst=self.burst, now_ns=now_ns)
        if not self._is_alone:
            self._is_alone = True
            alone.refill(now_ns)
            alone.tokens = min(alone.tokens, float(max(1, int(self.rate_per_second))))
        return alone.take(now_ns)

    def _return(self) -> None:
        count, self._held, self._batch = self._held, 0, 1
        if not self._state.is_lost:
            self._tasks.spawn(self._give_back(count), name="return")

    async def _give_back(self, count: int) -> None:
        try:
            await settled(self._state.give_back_tokens(self._name, count=count, burst=self.burst))
        except StateUnavailable:
            return  # the tokens are lost: fewer are admitted, never more

    def give_back(self, count: int) -> None:
        """Put back what another limit refused: into the lease, or nowhere when that is over."""
        if self._held or self._clock.monotonic_ns() < self._expires_ns:
            self._held += count

    def change(self, *, rate_per_second: float, burst: int, now_ns: int) -> None:
        """Have another rate and burst from the next batch on."""
        self.rate_per_second, self.burst = rate_per_second, burst
        self._empty_until_ns = min(self._empty_until_ns, now_ns)
        if self._fallback is not None:
            self._fallback.change(rate_per_second=rate_per_second, burst=burst, now_ns=now_ns)

    def wait_ns(self, now_ns: int) -> int | None:
        """Give the time until a request could pass, as far as this gateway knows."""
        if self._is_alone and self._fallback is not None:
            return self._fallback.wait_ns(now_ns)
        return max(0, self._empty_until_ns - now_ns)

    @property
    def left(self) -> int:
        """Give how many this gateway holds."""
        return self._held
