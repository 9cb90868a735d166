"""GetUsage gives daily rows of used and remaining; UpdateUsage sets what remains."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gatepost.services.apigateway.model import BadRequestException, NotFoundException
from gatepost.services.apigateway.usage_model import USAGE
from gatepost.services.apigateway.usage_periods import day_of, period_of, period_of_day
from tests.support.rest_apis import NOW_MS, Control, a_call, with_control

TODAY = day_of(NOW_MS)  # 2025-10-09, a Thursday


async def a_member(control: Control, **params: Any) -> tuple[str, str]:
    plan = await control("CreateUsagePlan", name="gold", **params)
    key = await control("CreateApiKey", enabled=True)
    await control("CreateUsagePlanKey", usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    return plan["id"], key["id"]


async def counted(control: Control, plan_id: str, key_id: str, **days: int) -> None:
    counts = {name.removeprefix("d").replace("_", "-"): count for name, count in days.items()}
    await control.provider._store.put(a_call("").key(USAGE, f"{plan_id}/{key_id}"), counts, expected_version=None)


async def rows(control: Control, plan_id: str, key_id: str, start: str, end: str) -> list[list[int]]:
    usage = await control("GetUsage", usagePlanId=plan_id, startDate=start, endDate=end)
    return usage["items"][key_id]


def test_a_daily_quota_starts_again_every_day(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        plan, key = await a_member(control, quota={"limit": 100, "period": "DAY"})
        await counted(control, plan, key, d2025_10_08=30, d2025_10_09=130)
        assert await rows(control, plan, key, "2025-10-07", "2025-10-09") == [[0, 100], [30, 70], [130, 0]]

    with_control(tmp_path, scenario)


def test_a_weekly_quota_goes_down_from_sunday_on(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        plan, key = await a_member(control, quota={"limit": 100, "period": "WEEK"})
        await counted(control, plan, key, d2025_10_04=7, d2025_10_05=10, d2025_10_06=20)
        assert await rows(control, plan, key, "2025-10-04", "2025-10-06") == [[7, 93], [10, 90], [20, 70]]

    with_control(tmp_path, scenario)


def test_the_offset_is_taken_off_the_first_period_only(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        plan, key = await a_member(control, quota={"limit": 100, "period": "MONTH", "offset": 25})
        assert await rows(control, plan, key, "2025-10-31", "2025-11-01") == [[0, 75], [0, 100]]

    with_control(tmp_path, scenario)


def test_a_plan_without_a_quota_has_nothing_that_remains(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        plan, key = await a_member(control)
        await counted(control, plan, key, d2025_10_09=3)
        assert await rows(control, plan, key, "2025-10-09", "2025-10-09") == [[3, -1]]

    with_control(tmp_path, scenario)


def test_what_remains_can_be_set_for_this_period_and_the_gateway_hears_the_sum(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        plan, key = await a_member(control, quota={"limit": 100, "period": "MONTH"})
        await counted(control, plan, key, d2025_10_01=60, d2025_10_09=40)
        patches = [{"op": "replace", "path": "/remaining", "value": "15"}]
        usage = await control("UpdateUsage", usagePlanId=plan, keyId=key, patchOperations=patches)
        assert usage["items"] == {key: [[40, 15]]}
        assert (usage["startDate"], usage["endDate"]) == (TODAY.isoformat(), TODAY.isoformat())
        held = control.changes.held[f"000000000000/us-east-1/{plan}/{key}"]
        assert held == {"2025-10-01": 115}
        assert any(change.value == held for change in await control.provider.published())
        assert await rows(control, plan, key, "2025-11-01", "2025-11-01") == [[0, 100]]

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    "patches", [[], [("replace", "/used", "1")], [("replace", "/remaining", "-1")], [("add", "/remaining", "1")]]
)
def test_other_patches_of_usage_are_refused(tmp_path: Path, patches: list[tuple[str, str, str]]) -> None:
    async def scenario(control: Control) -> None:
        plan, key = await a_member(control, quota={"limit": 100, "period": "MONTH"})
        given = [{"op": op, "path": path, "value": value} for op, path, value in patches]
        with pytest.raises(BadRequestException):
            await control("UpdateUsage", usagePlanId=plan, keyId=key, patchOperations=given)

    with_control(tmp_path, scenario)


def test_a_plan_without_a_quota_has_nothing_to_set(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        plan, key = await a_member(control)
        patches = [{"op": "replace", "path": "/remaining", "value": "15"}]
        with pytest.raises(BadRequestException, match="has no quota"):
            await control("UpdateUsage", usagePlanId=plan, keyId=key, patchOperations=patches)

    with_control(tmp_path, scenario)


def test_usage_comes_in_pages_or_for_one_key(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        plan, first = await a_member(control)
        keys = {first}
        for _ in range(3):
            key = await control("CreateApiKey")
            await control("CreateUsagePlanKey", usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
            keys.add(key["id"])
        dates = {"startDate": "2025-10-09", "endDate": "2025-10-09"}
        seen: list[str] = []
        more: dict[str, str] = {}
        while True:
            page = await control("GetUsage", usagePlanId=plan, limit=3, **dates, **more)
            seen += page["items"]
            if "position" not in page:
                break
            more = {"position": page["position"]}
        assert sorted(seen) == sorted(keys)
        one = await control("GetUsage", usagePlanId=plan, keyId=first, **dates)
        assert list(one["items"]) == [first]
        with pytest.raises(NotFoundException):
            await control("GetUsage", usagePlanId=plan, keyId="nobody", **dates)

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2025-10-09", "2025-10-08"),
        ("yesterday", "2025-10-09"),
        ("2025-02-30", "2025-10-09"),
        ("1990-01-01", "2025-01-01"),
    ],
)
def test_dates_that_cannot_be_are_refused(tmp_path: Path, start: str, end: str) -> None:
    async def scenario(control: Control) -> None:
        plan, _ = await a_member(control)
        with pytest.raises(BadRequestException):
            await control("GetUsage", usagePlanId=plan, startDate=start, endDate=end)

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("kind", "day", "first", "after"),
    [
        ("DAY", "2024-02-29", "2024-02-29", "2024-03-01"),
        ("WEEK", "2025-10-05", "2025-10-05", "2025-10-12"),
        ("WEEK", "2025-10-11", "2025-10-05", "2025-10-12"),
        ("WEEK", "2026-01-01", "2025-12-28", "2026-01-04"),
        ("MONTH", "2025-01-31", "2025-01-01", "2025-02-01"),
        ("MONTH", "2025-12-31", "2025-12-01", "2026-01-01"),
    ],
)
def test_periods_begin_and_end_in_utc(kind: str, day: str, first: str, after: str) -> None:
    period = period_of_day(kind, date.fromisoformat(day))
    assert period.day == first
    assert day_of(period.starts_at_ms) == date.fromisoformat(first)
    assert day_of(period.ends_at_ms) == date.fromisoformat(after)
    assert day_of(period.ends_at_ms - 1) < date.fromisoformat(after)
    assert period_of(kind, period.starts_at_ms) == period == period_of(kind, period.ends_at_ms - 1)
