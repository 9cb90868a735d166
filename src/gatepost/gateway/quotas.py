"""Quotas: how many requests a key may make in a day, a week or a month, and how many it has made.

What was used stands in the usage journal, which outlives `kill -9` and restarts; here is the same in the form that a
request asks. A period is looked up again whenever the clock leaves it, in either direction, so that a clock that
jumps forward and back finds the old period's count again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.services.apigateway.usage import quota_at
from gatepost.services.apigateway.usage_model import Quota
from gatepost.services.apigateway.usage_periods import Period, day_of, period_of

MS_NS: Final = 1_000_000
QUOTA_PREFIX: Final = "quota:"


class QuotaUse:
    """What one key has used of its quota in the period of now. A `Limit`."""

    __slots__ = ("_ends_at_ms", "_keep", "_name", "_quotas", "_starts_at_ms", "limit", "plan_key", "used")

    def __init__(self, quotas: Quotas, plan_key: str, key_id: str) -> None:
        self._quotas = quotas
        self.plan_key = plan_key
        self._name = f"{plan_key}/{key_id}"
        self._keep = ""
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
        quotas.keep(self._keep)
        return True

    def give_back(self, count: int) -> None:
        """Take back what another limit refused."""
        self.used -= count
        self._quotas.take_back(self._keep, count)

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
        self.used = self._quotas.standing(self._keep)
        self.limit = limit


class Quotas:
    """Every quota that is in use, by plan and key.

    `standing(name)` gives what the journal knows of a counter, `keep(name)` adds one to it, `take_back` the reverse.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        standing: Callable[[str], int],
        keep: Callable[[str], None],
        take_back: Callable[[str, int], None],
    ) -> None:
        self.now_ms = clock.now_ms
        self.standing = standing
        self.keep = keep
        self.take_back = take_back
        self._plans: dict[str, Quota] = {}
        self._extensions: dict[str, Mapping[str, int]] = {}  # by {place}/{plan}/{key}
        self._uses: dict[str, QuotaUse] = {}

    def use(self, plan_key: str, key_id: str) -> QuotaUse:
        """Give a key's use of a plan's quota; the same one every time."""
        name = f"{plan_key}/{key_id}"
        found = self._uses.get(name)
        if found is None:
            found = self._uses[name] = QuotaUse(self, plan_key, key_id)
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
