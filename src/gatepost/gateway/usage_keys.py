"""The API keys that a gateway knows, the plans they are in, and what each key has left.

Theory. Keys come in pages of text, a line for each key (`services.apigateway.usage_model`); a request's key is hashed
and its line found by one search in one page, so that a million keys cost their text and nothing more. A key that is
used becomes a `Member` (one for each plan), which holds its buckets and its quota; members are remembered per stage
by digest, so that the second request costs one dictionary. What is published later changes members in place: nobody
gets a full bucket by being published anew. Members over `MEMBERS_MAX` go, idle ones first: their quota stands in the
journal, and their buckets are full after `burst / rate` seconds anyway.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final

from gatepost.gateway.buckets import Bucket, Buckets, Limit
from gatepost.gateway.exchange import Fact
from gatepost.gateway.quotas import Quotas, QuotaUse
from gatepost.kernel.clock import Clock
from gatepost.kernel.ports import Replica
from gatepost.services.apigateway.deployment import REST_API_STAGE
from gatepost.services.apigateway.usage_model import (
    API_KEY_PAGE,
    DAY_COUNT_PREFIX,
    PAGE_CHARACTERS,
    PUBLISHED_EXTENSION,
    PUBLISHED_PLAN,
    Throttle,
    UsagePlan,
)
from gatepost.services.apigateway.usage_periods import DAY_MS, day_of
from gatepost.telemetry.tallies import Tally

MEMBERS_MAX: Final = 200_000
DROPPED_PART: Final = 10
VALUE_BYTES_MAX: Final = 128  # longer ones are nobody's


class Member:
    """A key in a plan (or in none: a stage that takes it by its stage keys), with what it has left."""

    __slots__ = (
        "_counted",
        "_day",
        "_day_ends_ms",
        "_name",
        "bucket",
        "key_id",
        "limits",
        "methods",
        "plan_id",
        "quota",
    )

    def __init__(
        self,
        key_id: str,
        plan_id: str,
        *,
        name: str,
        bucket: Bucket | None,
        quota: QuotaUse | None,
        counted: Callable[[str], Tally],
    ) -> None:
        self.key_id = key_id
        self.plan_id = plan_id
        self.bucket = bucket
        self.quota = quota
        self.methods: dict[str, Bucket] = {}
        self.limits: dict[str, tuple[Limit, ...]] = {}  # by {api}:{stage} {path}/{METHOD}: the plan's, in order
        self._name = name
        self._counted = counted
        self._day = Tally("", [])
        self._day_ends_ms = 0

    def count(self, now_ms: int) -> None:
        """Count a request that passed every limit, for GetUsage."""
        if not self._day_ends_ms - DAY_MS <= now_ms < self._day_ends_ms:
            self._day = self._counted(f"{DAY_COUNT_PREFIX}{self._name}/{day_of(now_ms).isoformat()}")
            self._day_ends_ms = now_ms // DAY_MS * DAY_MS + DAY_MS
        self._day.add(1)

    def __repr__(self) -> str:
        return f"Member(key {self.key_id}, plan {self.plan_id or 'none'})"


class KeyedCaller:
    """Who calls by an API key. The value is in no repr. `version` is that of the stage's keys when they were found."""

    __slots__ = ("member", "value", "version")

    def __init__(self, member: Member, value: str, version: int) -> None:
        self.member = member
        self.value = value
        self.version = version

    def __repr__(self) -> str:
        return f"KeyedCaller({self.member!r})"


API_KEY: Final[Fact[KeyedCaller]] = Fact("api_key")
"""The API key that a method requires, once it was found good."""


class StageKeys:
    """The keys of one stage, as its guards ask for them."""

    __slots__ = ("_directory", "known", "name", "place", "version")

    def __init__(self, directory: UsageKeys, place: str, name: str) -> None:
        self._directory = directory
        self.place = place
        self.name = name
        self.known: dict[str, Member] = {}
        self.version = 0  # another one whenever what was found before may not be so any more

    def forget(self, digest: str = "") -> None:
        """Let go of what is known of a key, or of all."""
        self.version += 1
        if digest:
            self.known.pop(digest, None)
        else:
            self.known.clear()

    def find(self, value: bytes) -> Member | None:
        """Give the member that a key's value proves, or None."""
        digest = self._directory.digest(value)
        found = self.known.get(digest)
        if found is None and len(value) <= VALUE_BYTES_MAX:
            found = self._directory.find(self, digest)
        return found

    def limits_of(self, member: Member, method: str) -> tuple[Limit, ...]:
        """Give a member's limits for a method (`/pets/GET`): its plan's for the method, its plan's, its quota."""
        name = f"{self.name} {method}"
        found = member.limits.get(name)
        if found is None:
            every = (self._directory.method_bucket(self, member, method), member.bucket, member.quota)
            found = member.limits[name] = tuple(each for each in every if each is not None)
        return found


class UsageKeys:
    """Follows what is published of keys and plans."""

    def __init__(
        self,
        digest: Callable[[bytes], str],
        *,
        clock: Clock,
        buckets: Buckets,
        quotas: Quotas,
        counted: Callable[[str], Tally],
    ) -> None:
        self.digest = digest
        self._clock = clock
        self._buckets = buckets
        self._quotas = quotas
        self._counted = counted
        self._pages: dict[str, str] = {}
        self._plans: dict[str, UsagePlan] = {}
        self._members: dict[str, dict[str, Member]] = {}  # by {place}/{plan}, then by key; first used first
        self._count_of_members = 0
        self.members_max = MEMBERS_MAX
        self._stages: dict[str, StageKeys] = {}

    def follow(self, replica: Replica) -> None:
        """Keep up with what is published from now on."""
        replica.watch(PUBLISHED_PLAN, self.take_plan)
        replica.watch(PUBLISHED_EXTENSION, self._quotas.take_extension)
        replica.watch(API_KEY_PAGE, self.take_page)
        replica.watch(REST_API_STAGE, self.take_stage)

    def stage(self, account_id: str, region: str, api_id: str, stage_name: str) -> StageKeys:
        """Give the keys of a stage; the same ones every time."""
        place, name = f"{account_id}/{region}", f"{api_id}:{stage_name}"
        found = self._stages.get(f"{place}/{name}")
        if found is None:
            found = self._stages[f"{place}/{name}"] = StageKeys(self, place, name)
        return found

    # -- what is published

    def take_stage(self, name: str, value: Mapping[str, Any] | None) -> None:
        """Take note that a stage (`{api}/{stage}`) was published, which changes nothing, or (None) deleted."""
        if value is None:
            ending = "/" + name.replace("/", ":", 1)
            for each in [each for each in self._stages if each.endswith(ending)]:
                del self._stages[each]

    def take_page(self, key: str, value: Mapping[str, Any] | None) -> None:
        """Take a page of keys; what is known of those that changed is forgotten."""
        before, after = self._pages.pop(key, ""), "" if value is None else str(value["lines"])
        if after:
            self._pages[key] = after
        if before and before != after:
            place = key.rpartition("/")[0]
            for line in set(before.split("\n")) ^ set(after.split("\n")):
                self._forget(place, line.partition(" ")[0])

    def _forget(self, place: str, digest: str) -> None:
        for stage in self._stages.values():
            if stage.place == place:
                stage.forget(digest)

    def take_plan(self, key: str, value: Mapping[str, Any] | None) -> None:
        """Take a plan: its members go on with what they have left, under its limits of now."""
        before = self._plans.pop(key, None)
        after = None if value is None else UsagePlan.from_json(value)
        if after is not None:
            self._plans[key] = after
        self._quotas.take_plan(key, None if after is None else after.quota)
        place = key.rpartition("/")[0]
        names = {each.name for plan in (before, after) if plan is not None for each in plan.stages}
        for stage in self._stages.values():
            if stage.place == place and stage.name in names:
                stage.forget()
        if before is not None:
            self._change_members(key, after)

    def _change_members(self, plan_key: str, plan: UsagePlan | None) -> None:
        now_ns = self._clock.monotonic_ns()
        if plan is None:
            self._count_of_members -= len(self._members.pop(plan_key, {}))
            return
        throttles = {f"{each.name} {path}": t for each in plan.stages for path, t in each.throttle.items()}
        for member in self._members.get(plan_key, {}).values():
            name = f"key/{plan_key}/{member.key_id}"
            member.limits.clear()
            member.bucket = self._changed(member.bucket, plan.throttle, name, now_ns)
            member.quota = self._quotas.use(plan_key, member.key_id) if plan.quota is not None else None
            for method, bucket in list(member.methods.items()):
                if method not in throttles:
                    del member.methods[method]
                else:
                    self._changed(bucket, throttles[method], "", now_ns)

    def _changed(self, bucket: Bucket | None, throttle: Throttle | None, name: str, now_ns: int) -> Bucket | None:
        if throttle is None:
            return None
        if bucket is None:
            return self._buckets.bucket(name, throttle)
        bucket.change(rate_per_second=throttle.rate_per_second, burst=throttle.burst, now_ns=now_ns)
        return bucket

    # -- what requests ask

    def find(self, stage: StageKeys, digest: str) -> Member | None:
        """Find a key's line and make it a member of its plan for the stage."""
        page = self._pages.get(f"{stage.place}/{digest[:PAGE_CHARACTERS]}")
        if page is None:
            return None
        at = 0 if page.startswith(digest) else page.find(f"\n{digest}") + 1
        if at == 0 and not page.startswith(digest):
            return None
        line = page[at : end if (end := page.find("\n", at)) >= 0 else len(page)]
        found, key_id, plan_ids, stage_keys = line.split(" ")
        if not hmac.compare_digest(found, digest):
            return None
        for plan_id in plan_ids.split(",") if plan_ids else ():
            plan = self._plans.get(f"{stage.place}/{plan_id}")
            if plan is not None and any(each.name == stage.name for each in plan.stages):
                return self._remember(stage, digest, self._member(stage.place, plan, key_id))
        if stage.name.replace(":", "/", 1) in stage_keys.split(","):
            member = Member(key_id, "", name="", bucket=None, quota=None, counted=_uncounted)
            return self._remember(stage, digest, member)
        return None

    def _remember(self, stage: StageKeys, digest: str, member: Member) -> Member:
        if len(stage.known) >= self.members_max:
            stage.forget()
        stage.known[digest] = member
        return member

    def _member(self, place: str, plan: UsagePlan, key_id: str) -> Member:
        plan_key = f"{place}/{plan.id}"
        members = self._members.setdefault(plan_key, {})
        found = members.get(key_id)
        if found is not None:
            return found
        if self._count_of_members >= self.members_max:
            self._drop_members()
        name = f"{plan_key}/{key_id}"
        bucket = None if plan.throttle is None else self._buckets.bucket(f"key/{name}", plan.throttle)
        quota = None if plan.quota is None else self._quotas.use(plan_key, key_id)
        made = Member(key_id, plan.id, name=name, bucket=bucket, quota=quota, counted=self._counted)
        self._members.setdefault(plan_key, {})[key_id] = made
        self._count_of_members += 1
        return made

    def _drop_members(self) -> None:
        """Forget the members that have been there for longest, a part of every plan's."""
        for stage in self._stages.values():
            stage.forget()
        for plan_key, members in list(self._members.items()):
            for oldest in list(islice(members, len(members) // DROPPED_PART + 1)):
                del members[oldest]
                self._quotas.forget(plan_key, oldest)
                self._count_of_members -= 1
            if not members:
                del self._members[plan_key]

    def method_bucket(self, stage: StageKeys, member: Member, method: str) -> Bucket | None:
        """Give a member's bucket for a method of a stage, made when it is first used."""
        name = f"{stage.name} {method}"
        found = member.methods.get(name)
        if found is None and member.plan_id:
            plan = self._plans.get(f"{stage.place}/{member.plan_id}")
            throttle = None if plan is None else _method_throttle(plan, stage.name, method)
            if throttle is not None:
                whole = f"key/{stage.place}/{member.plan_id}/{member.key_id}/{name}"
                found = member.methods[name] = self._buckets.bucket(whole, throttle)
        return found

    @property
    def keys(self) -> int:
        """Give how many keys are known. For figures: it counts."""
        return sum(page.count("\n") + 1 for page in self._pages.values())


def _method_throttle(plan: UsagePlan, stage_name: str, method: str) -> Throttle | None:
    for each in plan.stages:
        if each.name == stage_name:
            return each.throttle.get(method)
    return None


def _uncounted(name: str) -> Tally:
    """Give what nobody collects: a key without a plan has no usage."""
    return Tally(name, [])
