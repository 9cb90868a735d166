"""API keys: what their operations accept, give and tell the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gatepost.services.apigateway.api_key_pages import all_key_pages
from gatepost.services.apigateway.model import BadRequestException, ConflictException, NotFoundException
from gatepost.services.apigateway.usage_operations import USAGE_PATHS
from tests.support.rest_apis import Control, a_call, a_seal, with_control

VALUE = "the-value-of-a-key-0123456789"


async def a_plan_with(control: Control, *key_ids: str, **params: Any) -> dict[str, Any]:
    api = await control.an_api()
    await control.a_method(api)
    deployment = await control("CreateDeployment", restApiId=api["id"], stageName="prod")
    assert deployment
    plan = await control("CreateUsagePlan", name="gold", apiStages=[{"apiId": api["id"], "stage": "prod"}], **params)
    for key_id in key_ids:
        await control("CreateUsagePlanKey", usagePlanId=plan["id"], keyId=key_id, keyType="API_KEY")
    return plan


def test_a_key_is_given_with_its_value_once_and_later_only_on_demand(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        made = await control("CreateApiKey", name="partner", value=VALUE, enabled=True, customerId="c-1")
        assert made["value"] == VALUE
        assert made["enabled"] is True
        assert "value" not in await control("GetApiKey", apiKey=made["id"])
        assert (await control("GetApiKey", apiKey=made["id"], includeValue=True))["value"] == VALUE
        listed = await control("GetApiKeys", includeValues=True)
        assert [each["value"] for each in listed["items"]] == [VALUE]
        assert "value" not in (await control("GetApiKeys"))["items"][0]

    with_control(tmp_path, scenario)


def test_a_key_without_a_value_gets_one_of_forty_characters_and_is_not_enabled(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        first, second = await control("CreateApiKey"), await control("CreateApiKey")
        assert len(first["value"]) == 40
        assert first["value"] != second["value"]
        assert first["id"] != first["value"]
        assert first["enabled"] is False

    with_control(tmp_path, scenario)


def test_values_are_nowhere_in_the_store_or_in_what_is_published(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        made = await control("CreateApiKey", value=VALUE, enabled=True)
        await a_plan_with(control, made["id"])
        assert control.changes.held
        assert VALUE not in repr(control.changes.told)

    with_control(tmp_path, scenario)
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not any(VALUE.encode() in content for content in written)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("x" * 19, "API Key value should be at least 20 characters"),
        ("x" * 129, "at most 128 characters"),
        ("x" * 2_000_000, "at most 128 characters"),
        ("twenty characters are here", "printable ASCII"),
        ("twenty-characters\x00-are-here", "printable ASCII"),
        ("twenty-characters\r\n-are-here", "printable ASCII"),
        ("zwanzig-zeichen-stehen-hier-ä", "printable ASCII"),
    ],
)
def test_a_value_that_no_header_can_hold_is_refused_and_not_repeated(tmp_path: Path, value: str, sentence: str) -> None:
    async def scenario(control: Control) -> None:
        with pytest.raises(BadRequestException, match=sentence) as refused:
            await control("CreateApiKey", value=value)
        assert value not in refused.value.message

    with_control(tmp_path, scenario)


def test_values_of_twenty_and_of_128_characters_are_taken(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        for value in ("x" * 20, "y" * 128):
            assert (await control("CreateApiKey", value=value))["value"] == value

    with_control(tmp_path, scenario)


def test_a_value_belongs_to_one_key(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        made = await control("CreateApiKey", value=VALUE)
        with pytest.raises(ConflictException, match="API Key already exists"):
            await control("CreateApiKey", value=VALUE)
        await control("DeleteApiKey", apiKey=made["id"])
        await control("CreateApiKey", value=VALUE)

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    "params",
    [
        {"name": "a\x00b"},
        {"name": "x" * 1_025},
        {"description": "a\nb"},
        {"customerId": "x" * 257},
        {"generateDistinctId": False},
        {"stageKeys": [{"restApiId": "../..", "stageName": "prod"}]},
        {"tags": {"aws:x": "y"}},
    ],
)
def test_what_a_key_cannot_be_is_refused(tmp_path: Path, params: dict[str, Any]) -> None:
    async def scenario(control: Control) -> None:
        with pytest.raises(BadRequestException):
            await control("CreateApiKey", **params)

    with_control(tmp_path, scenario)


def test_keys_are_listed_in_pages_by_the_beginning_of_their_name_and_by_customer(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        for number in range(5):
            await control("CreateApiKey", name=f"partner-{number}", customerId="odd" if number % 2 else "even")
        await control("CreateApiKey", name="other")
        seen: list[str] = []
        position = None
        while True:
            page = await control(
                "GetApiKeys", limit=2, nameQuery="partner", **({"position": position} if position else {})
            )
            seen += [each["name"] for each in page["items"]]
            position = page.get("position")
            if position is None:
                break
        assert sorted(seen) == [f"partner-{number}" for number in range(5)]
        odd = await control("GetApiKeys", customerId="odd")
        assert sorted(each["name"] for each in odd["items"]) == ["partner-1", "partner-3"]
        with pytest.raises(BadRequestException, match="position"):
            await control("GetApiKeys", position="nonsense")

    with_control(tmp_path, scenario)


def test_a_key_is_patched_and_unknown_paths_are_refused(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        key = await control("CreateApiKey", name="a")
        patches = [
            {"op": "replace", "path": "/name", "value": "b"},
            {"op": "replace", "path": "/enabled", "value": "true"},
            {"op": "replace", "path": "/customerId", "value": "c"},
            {"op": "replace", "path": "/description", "value": "d"},
            {"op": "add", "path": "/stages", "value": "a1b2c3/prod"},
        ]
        changed = await control("UpdateApiKey", apiKey=key["id"], patchOperations=patches)
        assert (changed["name"], changed["enabled"], changed["customerId"]) == ("b", True, "c")
        assert changed["stageKeys"] == ["a1b2c3/prod"]
        gone = [{"op": "remove", "path": "/stages", "value": "a1b2c3/prod"}]
        assert (await control("UpdateApiKey", apiKey=key["id"], patchOperations=gone))["stageKeys"] == []
        for path in ("/value", "/id", "/labels"):
            with pytest.raises(BadRequestException, match="Invalid patch path"):
                await control(
                    "UpdateApiKey",
                    apiKey=key["id"],
                    patchOperations=[{"op": "replace", "path": path, "value": "x" * 20}],
                )

    with_control(tmp_path, scenario)


def test_a_key_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        for operation in ("GetApiKey", "UpdateApiKey", "DeleteApiKey"):
            with pytest.raises(NotFoundException, match="Invalid API Key identifier specified"):
                await control(operation, apiKey="nothing", patchOperations=[])

    with_control(tmp_path, scenario)


def lines(control: Control) -> list[str]:
    found: list[str] = []
    for key, value in control.changes.held.items():
        if "lines" in value:
            assert key.startswith("000000000000/us-east-1/")
            found += value["lines"].split("\n")
    return found


def test_the_gateway_is_told_of_enabled_keys_in_plans_and_of_nothing_else(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        key = await control("CreateApiKey", value=VALUE, enabled=True)
        assert lines(control) == []
        plan = await a_plan_with(control, key["id"])
        digest = a_seal().digester("api-key")(VALUE.encode())
        assert lines(control) == [f"{digest} {key['id']} {plan['id']} "]
        off = [{"op": "replace", "path": "/enabled", "value": "false"}]
        await control("UpdateApiKey", apiKey=key["id"], patchOperations=off)
        assert lines(control) == []
        on = [{"op": "replace", "path": "/enabled", "value": "true"}]
        await control("UpdateApiKey", apiKey=key["id"], patchOperations=on)
        published = {change.key: change.value for change in await control.provider.published()}
        assert any("lines" in value for value in published.values())
        await control("DeleteApiKey", apiKey=key["id"])
        assert lines(control) == []
        assert (await control("GetUsagePlanKeys", usagePlanId=plan["id"]))["items"] == []

    with_control(tmp_path, scenario)


def test_keys_and_plans_are_tagged_like_everything_else(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        key = await control("CreateApiKey", tags={"team": "a"})
        plan = await control("CreateUsagePlan", name="gold", tags={"team": "b"})
        for path in (f"apikeys/{key['id']}", f"usageplans/{plan['id']}"):
            arn = f"arn:aws:apigateway:us-east-1::/{path}"
            await control("TagResource", resourceArn=arn, tags={"cost": "1"})
            await control("UntagResource", resourceArn=arn, tagKeys=["team"])
            assert await control("GetTags", resourceArn=arn) == {"tags": {"cost": "1"}}

    with_control(tmp_path, scenario)


def test_keys_of_another_region_are_not_there(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        key = await control("CreateApiKey", value=VALUE)
        with pytest.raises(NotFoundException):
            await control("GetApiKey", apiKey=key["id"], region="eu-west-1")
        await control("CreateApiKey", value=VALUE, region="eu-west-1")

    with_control(tmp_path, scenario)
    assert a_call("GetApiKey").region == "us-east-1"


def test_a_restart_publishes_the_pages_that_stood(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        keys = [await control("CreateApiKey", enabled=True) for _ in range(5)]
        await a_plan_with(control, *(key["id"] for key in keys))
        standing = {key: value for key, value in control.changes.held.items() if "lines" in value}
        assert {change.key: change.value for change in await all_key_pages(control.provider._store)} == standing

    with_control(tmp_path, scenario)


def test_every_operation_on_keys_and_plans_has_its_path() -> None:
    assert len(USAGE_PATHS) == 17
