"""Quotas: how many requests a key may make in a day, a week or a month, and how many it has made.

What was used stands in the usage journal, which outlives `kill -9` and restarts; here is the same in the form that a
request asks. A period is looked up again whenever the clock leaves it, in either direction, so that a clock that
jumps forward and back finds the old period's count again.

Gateways that share a state count in one counter there, of which each takes a few uses at once (`lease_of`): the
sixteenth part of what remains, at most 64, of very large quotas the 1,024th part, at most 1,024, and in the end one by
one. Together they never admit more than the quota; uses that nobody needs go back after `LEASE_MS`, and those that a
gateway holds when it is killed are lost. Over a new connection each gateway tells the counter what it has heard to be
used, and always what it has used itself, so that a server that lost its data does not start the period again. While
the state is lost a gateway admits what by its knowledge remains, and adds it afterwards: N gateways may then admit up
to N times what remained.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import StateUnavailable
from gatepost.kernel.tasks import Tasks
from gatepost.services.apigateway.usage_model import Quota
from gatepost.services.apigateway.usage_periods import Period, day_of, period_of, quota_at
from gatepost.state.base import NEVER_MS, settled
from gatepost.state.leases import LosableState
from gatepost.telemetry.tallies import Tally

MS_NS: Final = 1_000_000
QUOTA_PREFIX: Final = "quota:"
LEASE_MAX: Final = 1_024
LEASE_USUAL: Final = 64
LEASE_PART: Final = 16
LEASE_MS: Final = 1_000


def lease_of(remaining: int) -> int:
    """Give how many uses a gateway takes at once of a quota of which so many remain."""
    return max(1, min(remaining // LEASE_PART, max(LEASE_USUAL, min(LEASE_MAX, remaining // LEASE_MAX))))


class QuotaUse:
    """What one key has used of its quota in the period of now. A `Limit`."""

    __slots__ = ("_ends_at_ms", "_keep", "_name", "_quotas", "_starts_at_ms", "_tally", "limit", "plan_key", "used")

    def __init__(self, quotas: Quotas, plan_key: str, key_id: str) -> None:
        self._quotas = quotas
        self.plan_key = plan_key
        self._name = f"{plan_key}/{key_id}"
        self._keep = ""
        self._tally = Tally("", [])
        self.limit = 0
        self.used = 0
        self._starts_at_ms = self._ends_at_ms = 0

    def take(self, now_ns: int) -> bool | Awaitable[bool]:
        """Use one, unless the quota is exhausted. The time that counts is the wall clock's."""
        del now_ns
        quotas = self._quotas
        now_ms = quotas.now_ms()
        if not self._starts_at_ms <= now_ms < self._ends_at_ms:
            self._begin(now_ms)
        if self.used >= self.limit:
            return False
        self.used += 1
        self._tally.add(1)
        return True

    def give_back(self, count: int) -> None:
        """Take back what another limit refused."""
        self.used -= count
        self._tally.add(-count)

    def wait_ns(self, now_ns: int) -> int | None:
        """Give the time until the next period."""
        del now_ns
        return max(0, self._ends_at_ms - self._quotas.now_ms()) * MS_NS

    @property
    def left(self) -> int:
        """Give how many remain."""
        return max(0, self.limit - self.used)

    def refresh(self) -> None:
        """Look the quota up again at the next request: it was changed."""
        self._starts_at_ms = self._ends_at_ms = 0

    def _begin(self, now_ms: int) -> None:
        period, limit = self._quotas.period(self.plan_key, self._name, now_ms)
        self._starts_at_ms, self._ends_at_ms = period.starts_at_ms, period.ends_at_ms
        self._keep = f"{QUOTA_PREFIX}{self._name}/{self._quotas.kind(self.plan_key)}/{period.day}"
        self._tally = self._quotas.kept(self._keep)
        self.used = self._quotas.standing(self._keep)
        self.limit = limit


class SharedQuotaUse(QuotaUse):
    """What one key has used, counted with other gateways. `used` is the highest that this one has heard of."""

    __slots__ = ("_alone", "_ask_again_ns", "_epoch", "_expires_ns", "_fetch", "_held", "_low")

    def __init__(self, quotas: Quotas, plan_key: str, key_id: str) -> None:
        super().__init__(quotas, plan_key, key_id)
        self._held = 0  # taken from the counter, and not used yet
        self._low = -1  # at so many held the lease is filled up
        self._expires_ns = 0
        self._ask_again_ns = 0
        self._epoch = 0  # of the connection over which the counter was last asked
        self._alone = 0  # used while the state was lost: to be added to the counter
        self._fetch: asyncio.Future[None] | None = None

    def take(self, now_ns: int) -> bool | Awaitable[bool]:
        """Use one: of those held, or fetch some."""
        quotas = self._quotas
        now_ms = quotas.now_ms()
        if not self._starts_at_ms <= now_ms < self._ends_at_ms:
            self._held = self._alone = self._ask_again_ns = 0
            self._begin(now_ms)
        if self._held > 0:
            if now_ns < self._expires_ns:
                self._held -= 1
                self._tally.add(1)
                if self._held == self._low and self._fetch is None and quotas.state is not None:
                    self._fetch_ahead(quotas.state, now_ns)
                return True
            self._return()
        if now_ns < self._ask_again_ns:
            return False
        if quotas.state is None or quotas.state.is_lost:
            return self._take_alone()
        return self._wait(now_ns)

    def _take_alone(self) -> bool:
        if self.used >= self.limit:
            return False
        self.used += 1
        self._alone += 1
        self._tally.add(1)
        return True

    def _fetch_ahead(self, state: LosableState, now_ns: int) -> None:
        """Fill the lease up before it is used up, as long as plenty remains."""
        if not state.is_lost and self.limit - self.used > LEASE_USUAL * LEASE_PART:
            self._begin_fetch(now_ns)

    def _begin_fetch(self, now_ns: int) -> asyncio.Future[None]:
        self._fetch = asyncio.get_running_loop().create_future()
        self._quotas.tasks.spawn(self._fetch_uses(self._fetch, now_ns), name="quota")
        return self._fetch

    async def _wait(self, now_ns: int) -> bool:
        quotas = self._quotas
        while True:
            await asyncio.shield(self._fetch or self._begin_fetch(now_ns))
            if self._held > 0:
                self._held -= 1
                self._tally.add(1)
                return True
            if quotas.state is None or quotas.state.is_lost:
                return self._take_alone()
            if now_ns < self._ask_again_ns:
                return False

    async def _fetch_uses(self, fetched: asyncio.Future[None], now_ns: int) -> None:
        state, counter = self._quotas.state, self._keep
        assert state is not None
        alone, self._alone = self._alone, 0
        epoch = state.epoch
        try:
            if alone:  # they were admitted: no limit holds them back now
                await settled(
                    state.add_to_quota(
                        counter, count=alone, limit=NEVER_MS, expires_at_ms=self._ends_at_ms, at_least=self.used - alone
                    )
                )
                alone = 0
            remaining = self.limit - self.used
            counted = await settled(
                state.add_to_quota(
                    counter,
                    count=max(1, lease_of(remaining) - self._held),
                    limit=self.limit,
                    expires_at_ms=self._ends_at_ms,
                    at_least=self.used if self._epoch != state.epoch else self._quotas.standing(counter),
                )
            )
            self._epoch = epoch
            if counter == self._keep:
                self.used = counted.used
                self._held += counted.granted
                self._low = self._held // 2
                self._expires_ns = now_ns + LEASE_MS * MS_NS
                self._ask_again_ns = 0 if counted.granted else now_ns + LEASE_MS * MS_NS
        except StateUnavailable:
            self._alone += alone
            if not state.is_lost:
                self._held += int(self._take_alone_unkept())
                self._expires_ns = now_ns + LEASE_MS * MS_NS
                self._ask_again_ns = 0 if self._held else now_ns + LEASE_MS * MS_NS
        finally:
            self._fetch = None
            fetched.set_result(None)

    def _take_alone_unkept(self) -> bool:
        """Take one for a request that waits, which keeps it itself."""
        if self.used >= self.limit:
            return False
        self.used += 1
        self._alone += 1
        return True

    def _return(self) -> None:
        state, count = self._quotas.state, self._held
        self._held = 0
        if count and state is not None and not state.is_lost and state.epoch == self._epoch:
            returning = self._give_uses_back(state, self._keep, count, expires_at_ms=self._ends_at_ms)
            self._quotas.tasks.spawn(returning, name="return")

    async def _give_uses_back(self, state: LosableState, counter: str, count: int, *, expires_at_ms: int) -> None:
        """Give uses back to the counter that they came from, which is another one once the quota has changed."""
        try:
            counted = await settled(state.add_to_quota(counter, count=-count, limit=0, expires_at_ms=expires_at_ms))
        except StateUnavailable:
            return  # they are lost: fewer are admitted, never more
        if counter == self._keep:
            self.used = counted.used

    def give_back(self, count: int) -> None:
        """Take back what another limit refused: into what is held."""
        self._held += count
        self._tally.add(-count)

    @property
    def left(self) -> int:
        """Give how many remain, as far as this gateway knows."""
        return max(0, self.limit - self.used + self._held)

    def refresh(self) -> None:
        """Look the quota up again at the next request."""
        self._return()
        super().refresh()


class Quotas:
    """Every quota that is in use, by plan and key.

    `standing(name)` gives what the journal knows of a counter, `kept(name)` what adds to it.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        standing: Callable[[str], int],
        kept: Callable[[str], Tally],
        state: LosableState | None = None,
        tasks: Tasks | None = None,
    ) -> None:
        """Count in `state` when it is given, else in this process."""
        self.state = state
        self.tasks = tasks or Tasks("quotas")
        self.now_ms = clock.now_ms
        self.standing = standing
        self.kept = kept
        self._plans: dict[str, Quota] = {}
        self._extensions: dict[str, Mapping[str, int]] = {}  # by {place}/{plan}/{key}
        self._uses: dict[str, QuotaUse] = {}

    def use(self, plan_key: str, key_id: str) -> QuotaUse:
        """Give a key's use of a plan's quota; the same one every time."""
        name = f"{plan_key}/{key_id}"
        found = self._uses.get(name)
        if found is None:
            kind = QuotaUse if self.state is None else SharedQuotaUse
            found = self._uses[name] = kind(self, plan_key, key_id)
        return found

    def forget(self, plan_key: str, key_id: str) -> None:
        """Let go of a key's use: the journal knows what it was."""
        self._uses.pop(f"{plan_key}/{key_id}", None)

    def take_plan(self, plan_key: str, quota: Quota | None) -> None:
        """Take a plan's quota, or that it has none."""
        before = self._plans.pop(plan_key, None)
        if quota is not None:
            self._plans[plan_key] = quota
        if before is None or before == quota:
            return
        for name, use in list(self._uses.items()):
            if use.plan_key == plan_key:
                if quota is None:
                    del self._uses[name]
                use.refresh()

    def take_extension(self, name: str, value: Mapping[str, Any] | None) -> None:
        """Take what UpdateUsage granted a key."""
        if value is None:
            self._extensions.pop(name, None)
        else:
            self._extensions[name] = value
        if (use := self._uses.get(name)) is not None:
            use.refresh()

    def kind(self, plan_key: str) -> str:
        """Give DAY, WEEK or MONTH."""
        quota = self._plans.get(plan_key)
        return "DAY" if quota is None else quota.period

    def period(self, plan_key: str, name: str, now_ms: int) -> tuple[Period, int]:
        """Give the period of now and how many requests a key has in it."""
        quota = self._plans.get(plan_key)
        if quota is None:  # the plan went while the request was under way
            return period_of("DAY", now_ms), 0
        period = period_of(quota.period, now_ms)
        granted = self._extensions.get(name, {}).get(period.day)
        return period, quota_at(quota, day_of(now_ms)) if granted is None else granted
