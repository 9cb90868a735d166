"""AWS::ApiGateway::ApiKey, UsagePlan and UsagePlanKey by API Gateway's operations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from gatepost.templates.resources.apigateway import CUSTOM_ID_TAG, patch
from gatepost.templates.resources.base import Outcome, ResourceFailure, ResourceHandler, Work
from gatepost.templates.resources.changes import Unnamed, added_and_gone, present, tag_changes, tag_map, unless_gone

KEY_ID_LENGTH: Final = 10
PLAN_ID_LENGTH: Final = 6


class ApiKey(Unnamed):
    """AWS::ApiGateway::ApiKey. Its id is derived from stack and logical id; its value, unless declared, is random."""

    name_property = "Name"

    async def create(self, work: Work) -> Outcome:
        """Make the key."""
        properties = work.properties
        tags = tag_map(properties)
        tags.setdefault(CUSTOM_ID_TAG, work.stable(length=KEY_ID_LENGTH))
        await work.initiated(tags[CUSTOM_ID_TAG])
        made = await work.invoke(
            "apigateway",
            "CreateApiKey",
            present(
                name=properties.get("Name") or work.name("", length_max=128),
                description=properties.get("Description"),
                enabled=properties.get("Enabled"),
                generateDistinctId=properties.get("GenerateDistinctId"),
                value=properties.get("Value"),
                stageKeys=[
                    present(restApiId=each.get("RestApiId"), stageName=each.get("StageName"))
                    for each in properties.get("StageKeys", [])
                ]
                or None,
                customerId=properties.get("CustomerId"),
                tags=tags,
            ),
        )
        await work.made(made["id"])
        return Outcome(made["id"], {"APIKeyId": made["id"]})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Patch what changed."""
        operations = [
            patch("replace", path, work.properties.get(key, default))
            for key, path, default in (
                ("Description", "/description", ""),
                ("Enabled", "/enabled", False),
                ("CustomerId", "/customerId", ""),
            )
            if work.changed(key)
        ]
        added, gone = added_and_gone(_stage_keys(work.before), _stage_keys(work.properties))
        operations.extend(patch("add", "/stages", each) for each in added)
        operations.extend(patch("remove", "/stages", each) for each in gone)
        if operations:
            await work.invoke("apigateway", "UpdateApiKey", {"apiKey": physical_id, "patchOperations": operations})
        await _tag(work, f"apikeys/{physical_id}")
        return Outcome(physical_id, {"APIKeyId": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the key."""
        await unless_gone(work.invoke("apigateway", "DeleteApiKey", {"apiKey": physical_id}))


def _stage_keys(properties: Mapping[str, Any]) -> list[str]:
    return [f"{each.get('RestApiId', '')}/{each.get('StageName', '')}" for each in properties.get("StageKeys", [])]


class UsagePlan(Unnamed):
    """AWS::ApiGateway::UsagePlan."""

    name_property = "UsagePlanName"

    async def create(self, work: Work) -> Outcome:
        """Make the plan."""
        properties = work.properties
        tags = tag_map(properties)
        tags.setdefault(CUSTOM_ID_TAG, work.stable(length=PLAN_ID_LENGTH))
        await work.initiated(tags[CUSTOM_ID_TAG])
        quota = properties.get("Quota")
        made = await work.invoke(
            "apigateway",
            "CreateUsagePlan",
            present(
                name=properties.get("UsagePlanName") or work.name("", length_max=128),
                description=properties.get("Description"),
                apiStages=[_api_stage(each) for each in properties.get("ApiStages", [])],
                throttle=_throttle(properties.get("Throttle")),
                quota=present(limit=quota.get("Limit"), offset=quota.get("Offset"), period=quota.get("Period"))
                if quota
                else None,
                tags=tags,
            ),
        )
        await work.made(made["id"])
        return Outcome(made["id"], {"Id": made["id"]})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Patch the plan, beginning at what stands: an update that failed half-way is undone alike."""
        standing = await work.invoke("apigateway", "GetUsagePlan", {"usagePlanId": physical_id})
        operations = _plan_patches(standing, work.properties, keeps_name="UsagePlanName" not in work.properties)
        if operations:
            parameters = {"usagePlanId": physical_id, "patchOperations": operations}
            await work.invoke("apigateway", "UpdateUsagePlan", parameters)
        await _tag(work, f"usageplans/{physical_id}")
        return Outcome(physical_id, {"Id": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Take the plan off its stages and delete it."""
        found: list[dict[str, Any]] = []

        async def look() -> None:
            found.append(await work.invoke("apigateway", "GetUsagePlan", {"usagePlanId": physical_id}))

        if not await unless_gone(look()):
            return
        stages = found[0].get("apiStages", [])
        if stages:
            operations = [patch("remove", "/apiStages", f"{each['apiId']}:{each['stage']}") for each in stages]
            parameters = {"usagePlanId": physical_id, "patchOperations": operations}
            await unless_gone(work.invoke("apigateway", "UpdateUsagePlan", parameters))
        await unless_gone(work.invoke("apigateway", "DeleteUsagePlan", {"usagePlanId": physical_id}))


def _api_stage(each: Mapping[str, Any]) -> dict[str, Any]:
    throttle = {path: _throttle(settings) for path, settings in each.get("Throttle", {}).items()}
    return present(apiId=each.get("ApiId"), stage=each.get("Stage"), throttle=throttle or None)


def _throttle(settings: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not settings:
        return None
    return present(rateLimit=settings.get("RateLimit"), burstLimit=settings.get("BurstLimit"))


def _plan_patches(standing: Mapping[str, Any], wanted: Mapping[str, Any], *, keeps_name: bool) -> list[dict[str, str]]:
    operations: list[dict[str, str]] = []
    for key, member in (("UsagePlanName", "name"), ("Description", "description")):
        if wanted.get(key, "") != standing.get(member, "") and not (member == "name" and keeps_name):
            operations.append(patch("replace", f"/{member}", wanted.get(key, "")))
    for key, members in (("Throttle", ("RateLimit", "BurstLimit")), ("Quota", ("Limit", "Offset", "Period"))):
        settings = wanted.get(key)
        if not settings:
            if key.lower() in standing:
                operations.append(patch("remove", f"/{key.lower()}"))
            continue
        for member in members:
            name = member[0].lower() + member[1:]
            value = settings.get(member, 0 if member == "Offset" else None)
            if value is not None and value != standing.get(key.lower(), {}).get(name):
                operations.append(patch("replace", f"/{key.lower()}/{name}", value))
    return operations + _stage_patches(standing.get("apiStages", []), wanted.get("ApiStages", []))


def _stage_patches(standing: list[Mapping[str, Any]], wanted: list[Mapping[str, Any]]) -> list[dict[str, str]]:
    old = {f"{each['apiId']}:{each['stage']}": each.get("throttle", {}) for each in standing}
    new = {f"{each.get('ApiId')}:{each.get('Stage')}": _api_stage(each).get("throttle", {}) for each in wanted}
    operations = [patch("remove", "/apiStages", name) for name in old if name not in new]
    operations.extend(patch("add", "/apiStages", name) for name in new if name not in old)
    for name, throttle in new.items():
        if throttle and throttle != old.get(name, {}):
            operations.append(patch("replace", f"/apiStages/{name}/throttle", json.dumps(throttle)))
        elif not throttle and old.get(name):
            operations.append(patch("remove", f"/apiStages/{name}/throttle"))
    return operations


class UsagePlanKey(Unnamed):
    """AWS::ApiGateway::UsagePlanKey. Every change makes a new one. Its physical id is `{key}:{plan}`, as on AWS."""

    async def create(self, work: Work) -> Outcome:
        """Let the key into the plan."""
        properties = work.properties
        place = {"usagePlanId": properties["UsagePlanId"], "keyId": properties["KeyId"]}
        await work.invoke("apigateway", "CreateUsagePlanKey", {**place, "keyType": properties["KeyType"]})
        physical_id = f"{place['keyId']}:{place['usagePlanId']}"
        await work.made(physical_id)
        return Outcome(physical_id, {"Id": physical_id})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change nothing: no property can change in place."""
        del work
        return Outcome(physical_id, {"Id": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Take the key out of the plan."""
        key_id, _, plan_id = physical_id.partition(":")
        await unless_gone(work.invoke("apigateway", "DeleteUsagePlanKey", {"usagePlanId": plan_id, "keyId": key_id}))


async def _tag(work: Work, path: str) -> None:
    added, gone = tag_changes(work.before, work.properties)
    if CUSTOM_ID_TAG in added or CUSTOM_ID_TAG in gone:
        raise ResourceFailure(f"the tag {CUSTOM_ID_TAG} names a resource when it is made and cannot change")
    arn = f"arn:aws:apigateway:{work.region}::/{path}"
    if added:
        await work.invoke("apigateway", "TagResource", {"resourceArn": arn, "tags": added})
    if gone:
        await work.invoke("apigateway", "UntagResource", {"resourceArn": arn, "tagKeys": gone})


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of keys and plans by type."""
    return {
        "AWS::ApiGateway::ApiKey": ApiKey(),
        "AWS::ApiGateway::UsagePlan": UsagePlan(),
        "AWS::ApiGateway::UsagePlanKey": UsagePlanKey(),
    }
