"""Usage plans: what their operations accept, which keys and stages go together, and what the gateway is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gatepost.services.apigateway.model import BadRequestException, ConflictException, NotFoundException
from gatepost.services.apigateway.usage_model import UsagePlan
from gatepost.services.apigateway.usage_plan_patches import throttle_of
from tests.support.rest_apis import NOW_MS, Control, with_control


async def a_stage(control: Control, name: str = "prod") -> dict[str, str]:
    api = await control.an_api()
    await control.a_method(api)
    await control("CreateDeployment", restApiId=api["id"], stageName=name)
    return {"apiId": api["id"], "stage": name}


async def patch(control: Control, plan: dict[str, Any], op: str, path: str, value: str | None = None) -> dict[str, Any]:
    operation = {"op": op, "path": path} | ({} if value is None else {"value": value})
    return await control("UpdateUsagePlan", usagePlanId=plan["id"], patchOperations=[operation])


async def a_key_in(control: Control, *plans: dict[str, Any]) -> dict[str, Any]:
    key = await control("CreateApiKey", enabled=True)
    for plan in plans:
        await control("CreateUsagePlanKey", usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    return key


def test_a_plan_is_given_as_it_was_made(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        stage = await a_stage(control)
        stage_with = {**stage, "throttle": {"/orders/GET": {"rateLimit": 1.5, "burstLimit": 2}}}
        made = await control(
            "CreateUsagePlan",
            name="gold",
            description="for partners",
            apiStages=[stage_with],
            throttle={"rateLimit": 10, "burstLimit": 20},
            quota={"limit": 100, "period": "MONTH", "offset": 5},
            tags={"team": "a"},
        )
        assert made["apiStages"] == [stage_with]
        assert made["throttle"] == {"rateLimit": 10.0, "burstLimit": 20}
        assert made["quota"] == {"limit": 100, "offset": 5, "period": "MONTH"}
        assert await control("GetUsagePlan", usagePlanId=made["id"]) == made
        assert (await control("GetUsagePlans"))["items"] == [made]
        published = control.changes.held[f"000000000000/us-east-1/{made['id']}"]
        plan = UsagePlan.from_json(published)
        assert plan.quota is not None
        assert plan.quota.since_ms == NOW_MS
        assert "description" not in published

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    "params",
    [
        {"name": " "},
        {"name": "a\x00"},
        {"throttle": {"rateLimit": -1, "burstLimit": 1}},
        {"throttle": {"rateLimit": 1, "burstLimit": -1}},
        {"throttle": {"rateLimit": 1e300, "burstLimit": 1}},
        {"throttle": {"rateLimit": float("nan"), "burstLimit": 1}},
        {"throttle": {"rateLimit": 1, "burstLimit": 10**30}},
        {"throttle": {"burstLimit": 1}},
        {"quota": {"limit": 10}},
        {"quota": {"limit": -1, "period": "DAY"}},
        {"quota": {"limit": 10**30, "period": "DAY"}},
        {"quota": {"limit": 10, "period": "YEAR"}},
        {"quota": {"limit": 10, "period": "DAY", "offset": 11}},
        {"quota": {"limit": 10, "period": "DAY", "offset": -1}},
    ],
)
def test_limits_that_cannot_be_are_refused(tmp_path: Path, params: dict[str, Any]) -> None:
    async def scenario(control: Control) -> None:
        with pytest.raises(BadRequestException):
            await control("CreateUsagePlan", **{"name": "gold", **params})

    with_control(tmp_path, scenario)


def test_every_patch_that_aws_has(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        stage = await a_stage(control)
        name = f"{stage['apiId']}:{stage['stage']}"
        plan = await control("CreateUsagePlan", name="gold")
        assert (await patch(control, plan, "replace", "/name", "silver"))["name"] == "silver"
        assert (await patch(control, plan, "replace", "/description", "d"))["description"] == "d"
        assert (await patch(control, plan, "replace", "/productCode", "p"))["productCode"] == "p"
        assert "productCode" not in await patch(control, plan, "remove", "/productCode")
        await patch(control, plan, "replace", "/throttle/rateLimit", "5")
        assert (await patch(control, plan, "replace", "/throttle/burstLimit", "7"))["throttle"] == {
            "rateLimit": 5.0,
            "burstLimit": 7,
        }
        assert "throttle" not in await patch(control, plan, "remove", "/throttle")
        await patch(control, plan, "replace", "/quota/limit", "50")
        await patch(control, plan, "replace", "/quota/period", "WEEK")
        assert (await patch(control, plan, "replace", "/quota/offset", "3"))["quota"] == {
            "limit": 50,
            "offset": 3,
            "period": "WEEK",
        }
        assert "quota" not in await patch(control, plan, "remove", "/quota")
        assert (await patch(control, plan, "add", "/apiStages", name))["apiStages"] == [stage]
        below = f"/apiStages/{name}/throttle"
        await patch(control, plan, "replace", f"{below}/~1orders~1{{id}}/GET/rateLimit", "3")
        changed = await patch(control, plan, "replace", f"{below}//orders/{{id}}/GET/burstLimit", "4")
        assert changed["apiStages"][0]["throttle"] == {"/orders/{id}/GET": {"rateLimit": 3.0, "burstLimit": 4}}
        changed = await patch(control, plan, "add", f"{below}/~1/POST/rateLimit", "1")
        assert set(changed["apiStages"][0]["throttle"]) == {"/orders/{id}/GET", "//POST"}
        changed = await patch(control, plan, "remove", f"{below}/~1orders~1{{id}}/GET")
        assert set(changed["apiStages"][0]["throttle"]) == {"//POST"}
        changed = await patch(control, plan, "replace", below, '{"/a/PUT": {"rateLimit": 2, "burstLimit": 2}}')
        assert set(changed["apiStages"][0]["throttle"]) == {"/a/PUT"}
        assert "throttle" not in (await patch(control, plan, "remove", below))["apiStages"][0]
        assert (await patch(control, plan, "remove", "/apiStages", name))["apiStages"] == []

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("op", "path", "value"),
    [
        ("replace", "/id", "x"),
        ("replace", "/throttle/rateLimit", "fast"),
        ("replace", "/throttle/rateLimit", "nan"),
        ("replace", "/throttle/rateLimit", "-1"),
        ("replace", "/throttle/burstLimit", "1.5"),
        ("replace", "/quota/limit", "-5"),
        ("replace", "/quota/period", "YEAR"),
        ("replace", "/apiStages/{stage}/throttle", "[]"),
        ("replace", "/apiStages/{stage}/throttle", '{"/a/GET": {"rateLimit": "1"}}'),
        ("replace", "/apiStages/{stage}/throttle", '{"/a/GET": {"colour": 1}}'),
        ("replace", "/apiStages/{stage}/throttle/~1a/FETCH/rateLimit", "1"),
        ("remove", "/apiStages/{stage}/throttle/~1a/GET", None),
    ],
)
def test_patches_that_mean_nothing_are_refused(tmp_path: Path, op: str, path: str, value: str | None) -> None:
    async def scenario(control: Control) -> None:
        stage = await a_stage(control)
        plan = await control("CreateUsagePlan", name="gold", apiStages=[stage])
        name = f"{stage['apiId']}:{stage['stage']}"
        with pytest.raises(BadRequestException):
            await patch(control, plan, op, path.replace("{stage}", name), value)
        assert await control("GetUsagePlan", usagePlanId=plan["id"]) == plan

    with_control(tmp_path, scenario)


def test_a_stage_that_does_not_exist_is_not_found(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        with pytest.raises(NotFoundException, match="API Stage not found: a1b2:prod"):
            await control("CreateUsagePlan", name="gold", apiStages=[{"apiId": "a1b2", "stage": "prod"}])
        plan = await control("CreateUsagePlan", name="gold")
        for value in ("a1b2:prod", "nonsense", ""):
            with pytest.raises(NotFoundException, match="API Stage not found"):
                await patch(control, plan, "add", "/apiStages", value)

    with_control(tmp_path, scenario)


def test_a_key_has_one_plan_for_each_stage_whichever_way_it_comes_about(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        stage, other = await a_stage(control), await a_stage(control)
        gold = await control("CreateUsagePlan", name="gold", apiStages=[stage])
        silver = await control("CreateUsagePlan", name="silver", apiStages=[stage])
        bronze = await control("CreateUsagePlan", name="bronze", apiStages=[other])
        key = await a_key_in(control, gold, bronze)
        with pytest.raises(ConflictException, match=f"{stage['apiId']}:prod"):
            await control("CreateUsagePlanKey", usagePlanId=silver["id"], keyId=key["id"], keyType="API_KEY")
        with pytest.raises(ConflictException):
            await patch(control, bronze, "add", "/apiStages", f"{stage['apiId']}:prod")
        await patch(control, silver, "add", "/apiStages", f"{other['apiId']}:prod")  # nobody is in it

    with_control(tmp_path, scenario)


def test_the_keys_of_a_plan_are_given_listed_and_taken_out(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        plan = await control("CreateUsagePlan", name="gold")
        keys = [await a_key_in(control, plan) for _ in range(3)]
        found = await control("GetUsagePlanKey", usagePlanId=plan["id"], keyId=keys[0]["id"])
        assert (found["id"], found["type"], found["value"]) == (keys[0]["id"], "API_KEY", keys[0]["value"])
        first = await control("GetUsagePlanKeys", usagePlanId=plan["id"], limit=2)
        rest = await control("GetUsagePlanKeys", usagePlanId=plan["id"], limit=2, position=first["position"])
        assert {each["id"] for each in first["items"] + rest["items"]} == {key["id"] for key in keys}
        assert "position" not in rest
        with pytest.raises(ConflictException):
            await control("CreateUsagePlanKey", usagePlanId=plan["id"], keyId=keys[0]["id"], keyType="API_KEY")
        assert [each["id"] for each in (await control("GetUsagePlans", keyId=keys[0]["id"]))["items"]] == [plan["id"]]
        await control("DeleteUsagePlanKey", usagePlanId=plan["id"], keyId=keys[0]["id"])
        for operation in ("GetUsagePlanKey", "DeleteUsagePlanKey"):
            with pytest.raises(NotFoundException):
                await control(operation, usagePlanId=plan["id"], keyId=keys[0]["id"])
        await control("GetApiKey", apiKey=keys[0]["id"])
        with pytest.raises(BadRequestException):
            await control("CreateUsagePlanKey", usagePlanId=plan["id"], keyId=keys[0]["id"], keyType="PASSWORD")

    with_control(tmp_path, scenario)


def test_a_plan_with_stages_is_not_deleted_and_one_without_leaves_its_keys(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        stage = await a_stage(control)
        plan = await control("CreateUsagePlan", name="gold", apiStages=[stage])
        key = await a_key_in(control, plan)
        with pytest.raises(BadRequestException, match="API Stages associated"):
            await control("DeleteUsagePlan", usagePlanId=plan["id"])
        await patch(control, plan, "remove", "/apiStages", f"{stage['apiId']}:prod")
        await control("DeleteUsagePlan", usagePlanId=plan["id"])
        for operation in ("GetUsagePlan", "DeleteUsagePlan", "GetUsagePlanKeys"):
            with pytest.raises(NotFoundException, match="Invalid Usage Plan ID specified"):
                await control(operation, usagePlanId=plan["id"])
        assert (await control("GetUsagePlans", keyId=key["id"]))["items"] == []
        assert f"000000000000/us-east-1/{plan['id']}" not in control.changes.held

    with_control(tmp_path, scenario)


def test_a_plan_whose_apis_are_gone_is_deleted(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        stage = await a_stage(control)
        plan = await control("CreateUsagePlan", name="gold", apiStages=[stage])
        await control("DeleteRestApi", restApiId=stage["apiId"])
        await control("DeleteUsagePlan", usagePlanId=plan["id"])

    with_control(tmp_path, scenario)


def test_what_was_granted_to_a_key_goes_with_its_place_in_the_plan(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        plan = await control("CreateUsagePlan", name="gold", quota={"limit": 5, "period": "DAY"})
        key = await a_key_in(control, plan)
        patches = [{"op": "replace", "path": "/remaining", "value": "9"}]
        await control("UpdateUsage", usagePlanId=plan["id"], keyId=key["id"], patchOperations=patches)
        place = f"000000000000/us-east-1/{plan['id']}/{key['id']}"
        assert place in control.changes.held
        await control("DeleteUsagePlanKey", usagePlanId=plan["id"], keyId=key["id"])
        assert place not in control.changes.held

    with_control(tmp_path, scenario)


def test_a_quota_begins_anew_only_when_it_counts_in_another_way(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        plan = await control("CreateUsagePlan", name="gold", quota={"limit": 10, "period": "DAY"})
        place = f"000000000000/us-east-1/{plan['id']}"
        before = dict(control.changes.held[place])
        await patch(control, plan, "replace", "/quota/limit", "20")
        assert control.changes.held[place]["quotaSinceMs"] == before["quotaSinceMs"] == NOW_MS

    with_control(tmp_path, scenario)


def test_a_rate_without_a_burst_gets_the_requests_of_a_second() -> None:
    found = [throttle_of({"rateLimit": rate}) for rate in (0.5, 2.5, 0)]
    assert [each.burst for each in found if each is not None] == [1, 3, 0]
    assert throttle_of({}) is throttle_of(None) is None
