"""Usage plans, and the keys that are in them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from gatepost.kernel.ids import random_id
from gatepost.kernel.operations import Call, Change
from gatepost.kernel.ports import Publisher
from gatepost.services.apigateway.api_keys import ApiKeys
from gatepost.services.apigateway.model import (
    STAGE,
    BadRequestException,
    ConflictException,
    LimitExceededException,
    NotFoundException,
)
from gatepost.services.apigateway.paging import first_page, paged, position_of
from gatepost.services.apigateway.records import ApiRecords, Held
from gatepost.services.apigateway.tag_limits import check_tags
from gatepost.services.apigateway.usage_model import (
    COUNT_MAX,
    PUBLISHED_EXTENSION,
    PUBLISHED_PLAN,
    USAGE,
    USAGE_EXTENSION,
    USAGE_PLAN,
    USAGE_PLAN_KEY,
    ApiKey,
    ApiStage,
    Quota,
    Throttle,
    UsagePlan,
)
from gatepost.services.apigateway.usage_periods import PERIODS
from gatepost.services.apigateway.usage_plan_patches import check_throttle, patched, throttle_of
from gatepost.storage.base import Records, Write

PLANS_MAX: Final = 2_000  # AWS: 300 for an account, on request more
PLANS_OF_A_KEY_MAX: Final = 10  # AWS: "Usage plans per API key: 10"
STAGES_MAX: Final = 500  # unverified
METHODS_MAX: Final = 1_000  # throttled methods of a stage; unverified
CUSTOM_ID_TAG: Final = "_custom_id_"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_READ: Final = 1_000

Result = TypeVar("Result")


class UsagePlans:
    """The operations on usage plans and usage plan keys. Those that change either follow each other."""

    def __init__(self, records: ApiRecords, publisher: Publisher, keys: ApiKeys) -> None:
        self._records = records
        self._publisher = publisher
        self._keys = keys

    async def changing(self, call: Call, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """Run `attempt` alone among the changes of plans and of who is in them."""
        return await self._records.changing(call, "usageplans", attempt)

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Make a plan. It throttles nothing until it has a stage and a key.

        Raises: BadRequestException, NotFoundException, ConflictException, LimitExceededException.
        """
        tags = params.get("tags", {})
        check_tags(tags)
        plan = UsagePlan(
            id=_new_id(tags),
            name=params["name"],
            description=params.get("description", ""),
            stages=tuple(_stage(each) for each in params.get("apiStages", ())),
            throttle=throttle_of(params.get("throttle")),
            quota=_quota(params.get("quota"), call.now_ms),
            tags=tags,
        )
        check_plan(plan)

        async def attempt() -> dict[str, Any]:
            await self._check_stages(call, plan.stages)
            count = len(await self._records.all_of(call, USAGE_PLAN, ""))
            if count >= PLANS_MAX:
                raise LimitExceededException(f"Maximum number of usage plans has been reached: {PLANS_MAX}")
            if await self._records.store.get(call.key(USAGE_PLAN, plan.id)) is not None:
                raise ConflictException(f"Usage Plan {plan.id} already exists")
            await self._records.store.put(call.key(USAGE_PLAN, plan.id), plan.to_json(), expected_version=0)
            await self._publisher.publish(plan_change(call.account_id, call.region, plan))
            return plan.to_aws()

        return await self.changing(call, attempt)

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a plan. Raises: NotFoundException."""
        return (await self.held(call, params["usagePlanId"])).value.to_aws()

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of plans, by id; with `keyId` those of a key. Raises: BadRequestException, NotFoundException."""
        key_id = params.get("keyId")
        if key_id is None:
            records, position = await self._records.page(call, USAGE_PLAN, params)
            plans = [UsagePlan.from_json(record.value) for record in records]
        else:
            of_key = (await self._keys.held(call, key_id)).value.plan_ids
            ids, position = paged({each: each for each in of_key}, params)
            plans = [(await self.held(call, each)).value for each in ids]
        return {"items": [plan.to_aws() for plan in plans], **position}

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a plan; the gateway throttles by it at once. Raises: NotFoundException, BadRequestException, …."""
        return (await self.change(call, params["usagePlanId"], lambda plan: patched(plan, params))).to_aws()

    async def change(self, call: Call, plan_id: str, change: Callable[[UsagePlan], UsagePlan]) -> UsagePlan:
        """Replace a plan by what `change` makes of it and tell the gateway. Raises: as `update`."""

        async def attempt() -> UsagePlan:
            held = await self.held(call, plan_id)
            plan = change(held.value)
            if plan.quota is not None and _begins_anew(held.value.quota, plan.quota):
                plan = replace(plan, quota=replace(plan.quota, since_ms=call.now_ms))
            check_plan(plan)
            added = [each for each in plan.stages if each.name not in {old.name for old in held.value.stages}]
            await self._check_stages(call, added)
            await self._check_members(call, plan.id, added)
            await self._records.store.put(held.key, plan.to_json(), expected_version=held.version)
            await self._publisher.publish(plan_change(call.account_id, call.region, plan))
            return plan

        return await self.changing(call, attempt)

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete a plan that covers no stage; its keys stay. Raises: NotFoundException, BadRequestException.

        unverified: AWS's words for a plan that still has stages.
        """
        plan_id = params["usagePlanId"]

        async def attempt() -> None:
            held = await self.held(call, plan_id)
            if await self._standing_stages(call, held.value):
                raise BadRequestException(
                    f"Cannot delete Usage Plan {plan_id} because there are API Stages associated to it"
                )
            for record in await self._records.all_of(call, USAGE_PLAN_KEY, f"{plan_id}/"):
                await self._leave(call, plan_id, record.key.id.partition("/")[2])
            await self._records.store.delete(held.key, expected_version=held.version)
            await self._publisher.publish(Change(PUBLISHED_PLAN, f"{call.account_id}/{call.region}/{plan_id}", None))

        await self.changing(call, attempt)

    async def _standing_stages(self, call: Call, plan: UsagePlan) -> tuple[str, ...]:
        """Give those of a plan's stages that were not deleted with their API."""
        store = self._records.store
        places = [(each.name, call.key(STAGE, f"{each.api_id}/{each.stage}")) for each in plan.stages]
        return tuple([name for name, place in places if await store.get(place) is not None])

    # -- the keys of a plan

    async def add_key(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Let a key into a plan. Raises: NotFoundException, BadRequestException, ConflictException.

        unverified: AWS's words for a key that another plan of a stage has already.
        """
        plan_id, key_id = params["usagePlanId"], params["keyId"]
        if params["keyType"] != "API_KEY":
            raise BadRequestException(f"Invalid key type specified: {params['keyType']}. Use API_KEY")

        async def attempt() -> dict[str, Any]:
            plan = (await self.held(call, plan_id)).value
            key = (await self._keys.held(call, key_id)).value
            if plan_id in key.plan_ids:
                raise ConflictException(f"Usage Plan Key {key_id} already exists in Usage Plan {plan_id}")
            if len(key.plan_ids) >= PLANS_OF_A_KEY_MAX:
                raise LimitExceededException(f"An API Key may be in at most {PLANS_OF_A_KEY_MAX} usage plans")
            check_one_plan_per_stage([plan, *[(await self.held(call, each)).value for each in key.plan_ids]])
            changed = await self._keys.change(
                call,
                key_id,
                lambda held: replace(held, plan_ids=(*held.plan_ids, plan_id)),
                Write(call.key(USAGE_PLAN_KEY, f"{plan_id}/{key_id}"), {}, 0),
            )
            return self._plan_key(changed, with_value=True)

        return await self.changing(call, attempt)

    async def get_key(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a key of a plan. Raises: NotFoundException."""
        plan_id = (await self.held(call, params["usagePlanId"])).value.id
        return self._plan_key(await self.member(call, plan_id, params["keyId"]), with_value=True)

    async def list_keys(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of a plan's keys, by id, those whose name begins with `nameQuery`. Raises: NotFoundException."""
        plan_id = (await self.held(call, params["usagePlanId"])).value.id
        wanted = params.get("nameQuery", "")
        keys = (
            key async for key in self._keys_after(call, plan_id, position_of(params)) if key.name.startswith(wanted)
        )
        page, position = await first_page(keys, params, lambda key: key.id)
        return {"items": [self._plan_key(key, with_value=True) for key in page], **position}

    async def _keys_after(self, call: Call, plan_id: str, after: str) -> AsyncIterator[ApiKey]:
        place = f"{plan_id}/{after}" if after else ""
        while True:
            page = await self._records.store.page(
                USAGE_PLAN_KEY, call.account_id, call.region, prefix=f"{plan_id}/", after=place, count_max=_READ
            )
            for record in page:
                yield (await self._keys.held(call, record.key.id.partition("/")[2])).value
            if len(page) < _READ:
                return
            place = page[-1].key.id

    async def remove_key(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take a key out of a plan. Raises: NotFoundException."""
        plan_id, key_id = params["usagePlanId"], params["keyId"]

        async def attempt() -> None:
            await self.held(call, plan_id)
            await self.member(call, plan_id, key_id)
            await self._leave(call, plan_id, key_id)

        await self.changing(call, attempt)

    async def _leave(self, call: Call, plan_id: str, key_id: str) -> None:
        gone = [Write(call.key(kind, f"{plan_id}/{key_id}"), None) for kind in (USAGE_PLAN_KEY, USAGE, USAGE_EXTENSION)]
        await self._keys.change(
            call,
            key_id,
            lambda held: replace(held, plan_ids=tuple(each for each in held.plan_ids if each != plan_id)),
            *gone,
        )
        place = f"{call.account_id}/{call.region}/{plan_id}/{key_id}"
        await self._publisher.publish(Change(PUBLISHED_EXTENSION, place, None))

    async def member(self, call: Call, plan_id: str, key_id: str) -> ApiKey:
        """Give a key that is in a plan. Raises: NotFoundException."""
        if await self._records.store.get(call.key(USAGE_PLAN_KEY, f"{plan_id}/{key_id}")) is None:
            raise NotFoundException("Invalid API Key identifier specified")
        return (await self._keys.held(call, key_id)).value

    async def held(self, call: Call, plan_id: str) -> Held[UsagePlan]:
        """Give a plan as it is stored. Raises: NotFoundException."""
        place = call.key(USAGE_PLAN, plan_id)
        record = await self._records.store.get(place)
        if record is None:
            raise NotFoundException("Invalid Usage Plan ID specified")
        return Held(place, record.version, UsagePlan.from_json(record.value))

    def _plan_key(self, key: ApiKey, *, with_value: bool) -> dict[str, Any]:
        shape = {"id": key.id, "type": "API_KEY", "name": key.name}
        if with_value:
            shape["value"] = self._keys.value_of(key)
        return shape

    # -- what must hold between plans, stages and keys

    async def _check_stages(self, call: Call, stages: Iterable[ApiStage]) -> None:
        for each in stages:
            if await self._records.store.get(call.key(STAGE, f"{each.api_id}/{each.stage}")) is None:
                raise NotFoundException(f"API Stage not found: {each.name}")

    async def _check_members(self, call: Call, plan_id: str, added: Iterable[ApiStage]) -> None:
        """Check that no key of a plan gets a second plan for a stage that is added."""
        names = {each.name for each in added}
        if not names:
            return
        plans = [UsagePlan.from_json(record.value) for record in await self._records.all_of(call, USAGE_PLAN, "")]
        rivals = {plan.id for plan in plans if plan.id != plan_id and names & {each.name for each in plan.stages}}
        if not rivals:
            return
        for record in await self._records.all_of(call, USAGE_PLAN_KEY, f"{plan_id}/"):
            key = (await self._keys.held(call, record.key.id.partition("/")[2])).value
            if rivals & set(key.plan_ids):
                raise _two_plans(sorted(names))


def check_one_plan_per_stage(plans: Iterable[UsagePlan]) -> None:
    """Check that no stage is in two of a key's plans. Raises: ConflictException.

    "You can't associate a given API key with more than one usage plan [per stage]":
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
    """
    seen: set[str] = set()
    for plan in plans:
        names = {each.name for each in plan.stages}
        if both := seen & names:
            raise _two_plans(sorted(both))
        seen |= names


def _two_plans(names: list[str]) -> ConflictException:
    return ConflictException(
        f"An API Key can be in one Usage Plan only for each API Stage, and is in another one for {', '.join(names)}"
    )


def check_plan(plan: UsagePlan) -> None:
    """Check what a plan says. Raises: BadRequestException, ConflictException."""
    if not plan.name.strip():
        raise BadRequestException("Usage Plan name cannot be blank")
    for what, text in (("name", plan.name), ("description", plan.description), ("productCode", plan.product_code)):
        if len(text) > 1_024 or any(character < " " for character in text):
            raise BadRequestException(f"Usage Plan {what} must have at most 1024 characters, none of them control ones")
    names = [each.name for each in plan.stages]
    if len(names) > STAGES_MAX:
        raise BadRequestException(f"At most {STAGES_MAX} API stages are allowed in a Usage Plan")
    if len(set(names)) < len(names):
        raise ConflictException("An API Stage can be in a Usage Plan once only")
    check_throttle(plan.throttle)
    for stage in plan.stages:
        if len(stage.throttle) > METHODS_MAX:
            raise BadRequestException(f"At most {METHODS_MAX} methods of a stage can be throttled in a Usage Plan")
        for path, throttle in stage.throttle.items():
            if not _METHOD.fullmatch(path):
                raise BadRequestException(f"Invalid method {path[:200]}: use a resource path and a verb, /pets/GET")
            check_throttle(throttle)
    if plan.quota is not None:
        _check_quota(plan.quota)


_METHOD: Final = re.compile(r"(?:/[^\s]{0,1024})?/(?:\*|GET|PUT|POST|DELETE|PATCH|HEAD|OPTIONS|ANY)|\*/\*")


def _check_quota(quota: Quota) -> None:
    if quota.period not in PERIODS:
        raise BadRequestException(f"Invalid quota period {quota.period[:100]!r}: use DAY, WEEK or MONTH")
    if not 0 <= quota.limit <= COUNT_MAX:
        raise BadRequestException(f"Usage Plan quota limit must be between 0 and {COUNT_MAX}, not {quota.limit}")
    if not 0 <= quota.offset <= quota.limit:
        raise BadRequestException(f"Usage Plan quota offset must be between 0 and the limit, not {quota.offset}")


def _begins_anew(before: Quota | None, after: Quota) -> bool:
    """Say whether a quota's first period begins now: it is new, or counts by another period or offset."""
    return before is None or (before.period, before.offset) != (after.period, after.offset)


def _stage(given: Mapping[str, Any]) -> ApiStage:
    throttles = {path: throttle_of(each) for path, each in given.get("throttle", {}).items()}
    kept: dict[str, Throttle] = {path: each for path, each in throttles.items() if each is not None}
    return ApiStage(given.get("apiId", ""), given.get("stage", ""), kept)


def _quota(given: Mapping[str, Any] | None, now_ms: int) -> Quota | None:
    if not given:
        return None
    if "limit" not in given or "period" not in given:
        raise BadRequestException("Usage Plan quota needs a limit and a period")
    return Quota(given["limit"], given["period"], given.get("offset", 0), now_ms)


def _new_id(tags: Mapping[str, str]) -> str:
    pinned = tags.get(CUSTOM_ID_TAG)
    if pinned is None:
        return random_id(6)
    if not _ID.fullmatch(pinned):
        raise BadRequestException(f"Invalid tag {CUSTOM_ID_TAG}: use 1 to 64 letters, digits, - and _")
    return pinned


def plan_change(account_id: str, region: str, plan: UsagePlan) -> Change:
    """Give what the gateway should hold of a plan."""
    value = {name: each for name, each in plan.to_json().items() if name not in ("description", "tags", "productCode")}
    return Change(PUBLISHED_PLAN, f"{account_id}/{region}/{plan.id}", value)


async def all_plan_changes(records: Records) -> list[Change]:
    """Give what the gateway should hold of every plan."""
    found = await records.scan(USAGE_PLAN)
    return [plan_change(each.key.account_id, each.key.region, UsagePlan.from_json(each.value)) for each in found]
