"""What keys have used of their plans: daily rows, and more for a key than its plan grants."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from gatepost.kernel.operations import Call, Change
from gatepost.kernel.ports import Publisher
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.paging import limit_of, position_after, position_of
from gatepost.services.apigateway.patches import Patch, PatchTable, integer, rule
from gatepost.services.apigateway.records import ApiRecords
from gatepost.services.apigateway.usage_model import (
    COUNT_MAX,
    PUBLISHED_EXTENSION,
    USAGE,
    USAGE_EXTENSION,
    USAGE_PLAN_KEY,
    Quota,
)
from gatepost.services.apigateway.usage_periods import day_of, period_of_day, quota_at
from gatepost.services.apigateway.usage_plans import UsagePlans
from gatepost.storage.base import Records

DAYS_MAX: Final = 400  # in one answer; unverified
DAYS_KEPT: Final = 400
PERIODS_KEPT: Final = 12
NO_QUOTA: Final = -1  # what remains of a plan without a quota; unverified


class Usage:
    """The operations on usage. Counts come from gateways within a second."""

    def __init__(self, records: ApiRecords, publisher: Publisher, plans: UsagePlans) -> None:
        self._records = records
        self._publisher = publisher
        self._plans = plans

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give [used, remaining] of each day for a page of a plan's keys, or for one.

        unverified: that AWS lists keys that were not used.
        Raises: NotFoundException, BadRequestException.
        """
        plan = (await self._plans.held(call, params["usagePlanId"])).value
        days = _days(params["startDate"], params["endDate"])
        limit, after = limit_of(params), position_of(params)
        key_id = params.get("keyId")
        if key_id is not None:
            ids = [(await self._plans.member(call, plan.id, key_id)).id]
        else:
            page = await self._records.store.page(
                USAGE_PLAN_KEY,
                call.account_id,
                call.region,
                prefix=f"{plan.id}/",
                after=f"{plan.id}/{after}" if after else "",
                count_max=limit + 1,
            )
            ids = [record.key.id.partition("/")[2] for record in page]
        items = {each: await self._rows(call, plan.id, each, plan.quota, days) for each in ids[:limit]}
        answer = {
            "usagePlanId": plan.id,
            "startDate": params["startDate"],
            "endDate": params["endDate"],
            "items": items,
        }
        return answer | (position_after(ids[limit - 1]) if len(ids) > limit else {})

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Set what remains of a key's quota in this period; the gateway counts by it at once.

        Raises: NotFoundException, BadRequestException.
        """
        plan_id, key_id = params["usagePlanId"], params["keyId"]
        remaining = _PATCHES.apply(None, params)
        if remaining is None:
            raise BadRequestException("Use one patch operation: replace /remaining")

        async def attempt() -> dict[str, Any]:
            plan = (await self._plans.held(call, plan_id)).value
            await self._plans.member(call, plan_id, key_id)
            if plan.quota is None:
                raise BadRequestException(f"Usage Plan {plan_id} has no quota")
            today = day_of(call.now_ms)
            period = period_of_day(plan.quota.period, today)
            used = _used_in(await self._counts(call, plan_id, key_id), plan.quota.period, today)
            place = call.key(USAGE_EXTENSION, f"{plan_id}/{key_id}")
            record = await self._records.store.get(place)
            granted = {**(record.value if record else {}), period.day: used + remaining}
            granted = dict(sorted(granted.items())[-PERIODS_KEPT:])
            await self._records.store.put(place, granted, expected_version=record.version if record else 0)
            key = f"{call.account_id}/{call.region}/{plan_id}/{key_id}"
            await self._publisher.publish(Change(PUBLISHED_EXTENSION, key, granted))
            rows = await self._rows(call, plan_id, key_id, plan.quota, [today])
            return {
                "usagePlanId": plan_id,
                "startDate": today.isoformat(),
                "endDate": today.isoformat(),
                "items": {key_id: rows},
            }

        return await self._plans.changing(call, attempt)

    async def _rows(
        self, call: Call, plan_id: str, key_id: str, quota: Quota | None, days: list[date]
    ) -> list[list[int]]:
        counts = await self._counts(call, plan_id, key_id)
        if quota is None:
            return [[counts.get(day.isoformat(), 0), NO_QUOTA] for day in days]
        record = await self._records.store.get(call.key(USAGE_EXTENSION, f"{plan_id}/{key_id}"))
        granted = record.value if record else {}
        rows = []
        for day in days:
            allowed = granted.get(period_of_day(quota.period, day).day, quota_at(quota, day))
            used = _used_in(counts, quota.period, day)
            rows.append([counts.get(day.isoformat(), 0), max(0, allowed - used)])
        return rows

    async def _counts(self, call: Call, plan_id: str, key_id: str) -> Mapping[str, int]:
        record = await self._records.store.get(call.key(USAGE, f"{plan_id}/{key_id}"))
        return record.value if record else {}


def _used_in(counts: Mapping[str, int], period: str, day: date) -> int:
    """Give how many requests were made in the period of a day, up to the end of that day."""
    first, last = period_of_day(period, day).day, day.isoformat()
    return sum(count for each, count in counts.items() if first <= each <= last)


def _days(start: str, end: str) -> list[date]:
    try:
        first, last = date.fromisoformat(start), date.fromisoformat(end)
    except ValueError:
        raise BadRequestException("Invalid date: use yyyy-mm-dd for startDate and endDate") from None
    if last < first:
        raise BadRequestException("The endDate must not be before the startDate")
    count = (last - first).days + 1
    if count > DAYS_MAX:
        raise BadRequestException(f"At most {DAYS_MAX} days of usage can be given at once, not {count}")
    return [first + timedelta(days=number) for number in range(count)]


def _remaining(_before: int | None, patch: Patch) -> int:
    value = integer(patch)
    if not 0 <= value <= COUNT_MAX:
        raise BadRequestException(f"Invalid patch value  '{patch.value}' specified for path '{patch.path}'")
    return value


_PATCHES: Final[PatchTable[int | None]] = PatchTable((rule("/remaining", "replace", _remaining),))


async def all_extension_changes(records: Records) -> list[Change]:
    """Give what the gateway should hold of what UpdateUsage granted."""
    return [
        Change(PUBLISHED_EXTENSION, f"{each.key.account_id}/{each.key.region}/{each.key.id}", each.value)
        for each in await records.scan(USAGE_EXTENSION)
    ]
