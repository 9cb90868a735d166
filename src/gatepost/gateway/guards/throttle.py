"""Whether a request finds room under all limits of its way: the key's plan, its quota, the stage and the account."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import ClassVar, Final

from gatepost.gateway.buckets import Limit
from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.limits import StageLimits
from gatepost.gateway.quotas import QuotaUse
from gatepost.gateway.responses import QUOTA_EXCEEDED, THROTTLED, Refusal
from gatepost.gateway.route import Route, StageFacts
from gatepost.gateway.usage_keys import API_KEY, Member, StageKeys
from gatepost.kernel.clock import Clock
from gatepost.services.apigateway.deployment import StageSettings
from gatepost.services.apigateway.usage_model import Throttle

UNLIMITED: Final = -1


class ThrottleGuard:
    """Refuse a request that finds one of its limits used up; a request that is refused uses up none of them.

    In AWS's order: the plan's throttle of the method, the plan's throttle, its quota (the place of the quota is
    `unverified`), the stage's throttle of the method, the account's. A bucket that is empty answers 429 "Too Many
    Requests" (THROTTLED), a quota 429 "Limit Exceeded" (QUOTA_EXCEEDED). A method that requires no key touches no
    plan and is counted nowhere. Buckets go by the monotonic clock, quotas by the wall clock in UTC.

    When the shared state is lost, this process's own buckets decide: a limit that is too generous for a while is
    better than an outage. AWS applies its own "on a best-effort basis".

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
    """

    writes: ClassVar[Facts] = NO_FACTS

    def __init__(
        self, clock: Clock, *, keys: StageKeys | None, method: str, stage: Limit | None, account: Limit | None
    ) -> None:
        self._now_ns = clock.monotonic_ns
        self._keys = keys
        self._method = method
        self._name = "" if keys is None else f"{keys.name} {method}"
        self._fixed: tuple[Limit, ...] = tuple(each for each in (stage, account) if each is not None)
        self._names = tuple(name for name, each in (("stage", stage), ("account", account)) if each is not None)
        self.needs: Facts = NO_FACTS if keys is None else frozenset({API_KEY})

    def check(self, exchange: Exchange) -> Awaitable[None] | None:
        """Take from every limit, or from none. Raises: Refusal."""
        now_ns = self._now_ns()
        keys = self._keys
        if keys is None:
            return self._take(exchange, None, self._fixed, now_ns)
        member = exchange.read(API_KEY).member
        limits = member.limits.get(self._name)
        if limits is None:
            limits = keys.limits_of(member, self._method)
        return self._take(exchange, member, (*limits, *self._fixed), now_ns)

    def _take(
        self, exchange: Exchange, member: Member | None, limits: tuple[Limit, ...], now_ns: int
    ) -> Awaitable[None] | None:
        for taken, limit in enumerate(limits):
            answer = limit.take(now_ns)
            if answer is not True:
                if answer is False:
                    self._refuse(limits, taken)
                else:
                    return self._wait(exchange, member, limits, taken, answer)
        if member is not None:
            member.count(exchange.time_ms)
        return None

    def limits_of(self, exchange: Exchange) -> Sequence[Limit]:
        """Give the caller's own limits, all but the account's: for headers."""
        fixed = self._fixed[: len(self._fixed) - ("account" in self._names)]
        if self._keys is None or not exchange.has(API_KEY):
            return fixed
        return (*self._keys.limits_of(exchange.read(API_KEY).member, self._method), *fixed)

    async def _wait(
        self, exchange: Exchange, member: Member | None, limits: Sequence[Limit], taken: int, answer: Awaitable[bool]
    ) -> None:
        """Go on where a limit had to be asked elsewhere."""
        if not await answer:
            self._refuse(limits, taken)
        for position in range(taken + 1, len(limits)):
            given = limits[position].take(self._now_ns())
            if not (given if isinstance(given, bool) else await given):
                self._refuse(limits, position)
        if member is not None:
            member.count(exchange.time_ms)

    def _refuse(self, limits: Sequence[Limit], taken: int) -> None:
        """Give back what earlier limits gave, and refuse. Raises: Refusal, always."""
        for limit in limits[:taken]:
            limit.give_back(1)
        refusing = limits[taken]
        if isinstance(refusing, QuotaUse):
            raise Refusal(QUOTA_EXCEEDED, detail=f"the quota of {refusing.limit} requests is used up")
        fixed = taken - (len(limits) - len(self._fixed))
        name = self._names[fixed] if fixed >= 0 else "usage plan"
        raise Refusal(THROTTLED, detail=f"the {name}'s bucket for {self._method} is empty")

    def __repr__(self) -> str:
        plan = ("usage plan",) if self._keys is not None else ()
        return f"ThrottleGuard({', '.join((*plan, *self._names))})"


def for_route(
    route: Route,
    stage: StageFacts,
    settings: StageSettings,
    *,
    clock: Clock,
    limits: StageLimits | None,
    keys: StageKeys | None,
) -> ThrottleGuard | None:
    """Make the guard of a method. None: nothing limits it."""
    if limits is None:
        return None
    throttle = stage_throttle(settings.method_settings, route)
    name = f"{stage.api_id}/{stage.stage_name}{route.resource_path}/{route.http_method}"
    bucket = None if throttle is None else limits.method(name, throttle)
    method = f"{route.resource_path}/{route.http_method}"
    return ThrottleGuard(clock, keys=keys, method=method, stage=bucket, account=limits.account)


def stage_throttle(method_settings: Mapping[str, Mapping[str, object]], route: Route) -> Throttle | None:
    """Give a stage's throttle of a method: its own, else the stage's default (`*/*`), which each method has for itself.

    A limit of -1 is none. unverified: a rate without a burst gets a burst of one second's requests, and the reverse.
    """
    own = f"{route.resource_path.replace('~', '~0').replace('/', '~1')}/{route.http_method}"
    settings = method_settings.get(own) or method_settings.get("*/*") or {}
    rate, burst = settings.get("throttlingRateLimit", UNLIMITED), settings.get("throttlingBurstLimit", UNLIMITED)
    if not isinstance(rate, (int, float)) or not isinstance(burst, int) or (rate < 0 and burst < 0):
        return None
    if rate < 0:
        return Throttle(float(burst), burst)
    return Throttle(float(rate), burst if burst >= 0 else max(1, int(rate)))
