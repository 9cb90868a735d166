"""A partner's key on a real platform: what is counted, what is refused, and what a kill leaves of it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.platform import RunningPlatform, ask, gatepost, start_platform
from tests.support.valkeys import a_valkey

FLAGS = ("--durability", "process")


def a_keyed_api(platform: RunningPlatform, **plan: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Deploy a MOCK method that requires a key; give its URL, a plan and a key in it."""
    apigateway = platform.client("apigateway")
    api_id = apigateway.create_rest_api(name="orders")["id"]
    place = {"restApiId": api_id, "resourceId": apigateway.get_rest_api(restApiId=api_id)["rootResourceId"]}
    place["httpMethod"] = "GET"
    apigateway.put_method(**place, authorizationType="NONE", apiKeyRequired=True)
    template = {"application/json": '{"statusCode": 200}'}
    apigateway.put_integration(**place, type="MOCK", requestTemplates=template)
    apigateway.put_method_response(**place, statusCode="200")
    apigateway.put_integration_response(**place, statusCode="200")
    apigateway.create_deployment(restApiId=api_id, stageName="prod")
    made = apigateway.create_usage_plan(name="gold", apiStages=[{"apiId": api_id, "stage": "prod"}], **plan)
    key = apigateway.create_api_key(name="partner", enabled=True)
    apigateway.create_usage_plan_key(usagePlanId=made["id"], keyId=key["id"], keyType="API_KEY")
    return platform.stage_url(api_id, "prod") + "/", made, key


def statuses(url: str, key: dict[str, Any], count: int) -> Counter[int]:
    return Counter(ask("GET", url, headers={"x-api-key": key["value"]}).status for _ in range(count))


def used(platform: RunningPlatform, plan: dict[str, Any], key: dict[str, Any], expected: int) -> list[int]:
    """Give what a key has used since an hour ago, whatever day that was, and what remains: once it is as expected."""
    start = (datetime.now(UTC) - timedelta(hours=1)).date().isoformat()
    row = [0, 0]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        today = datetime.now(UTC).date().isoformat()
        usage = platform.client("apigateway").get_usage(usagePlanId=plan["id"], startDate=start, endDate=today)
        rows = usage["items"][key["id"]]
        row = [sum(day[0] for day in rows), rows[-1][1]]
        if row[0] >= expected:
            break
        time.sleep(0.05)
    return row


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_get_usage_equals_what_the_client_counted_over_kills_and_restarts(data: Path) -> None:
    platform = start_platform(data, *FLAGS)
    try:
        url, plan, key = a_keyed_api(platform, quota={"limit": 40, "period": "MONTH"})
        assert ask("GET", url).status == 403
        counted = statuses(url, key, 10)
        assert counted == {200: 10}
        assert used(platform, plan, key, 10) == [10, 30]
        os.kill(pid_of(platform, "gateway"), signal.SIGKILL)
        counted += statuses(url, key, 10)
        assert used(platform, plan, key, 20) == [20, 20]
        platform.process.kill()
        platform.process.wait(10)
        platform = start_platform(data, *FLAGS)
        url = platform.stage_url(plan["apiStages"][0]["apiId"], "prod") + "/"
        counted += statuses(url, key, 25)
        assert counted == {200: 40, 429: 5}
        assert used(platform, plan, key, 40) == [40, 0]
        gateway = platform.client("apigateway")
        extension = [{"op": "replace", "path": "/remaining", "value": "3"}]
        gateway.update_usage(usagePlanId=plan["id"], keyId=key["id"], patchOperations=extension)
        assert statuses(url, key, 5) == {200: 3, 429: 2}
        assert used(platform, plan, key, 43) == [43, 0]
        off = [{"op": "replace", "path": "/enabled", "value": "false"}]
        gateway.update_api_key(apiKey=key["id"], patchOperations=off)
        assert statuses(url, key, 2) == {403: 2}
        refused = ask("GET", url, headers={"x-api-key": key["value"]})
        assert refused.body == b'{"message":"Forbidden"}'
        assert {name.lower(): value for name, value in refused.headers.items()}["x-amzn-errortype"] == (
            "ForbiddenException"
        )
    finally:
        platform.stop()
    logs = [path for path in data.rglob("*") if path.is_file() and ("log" in path.name or path.suffix == ".journal")]
    assert logs
    assert not any(key["value"].encode() in path.read_bytes() for path in logs)


def pid_of(platform: RunningPlatform, role: str) -> int:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        told = gatepost("status", "--json", "--data", str(platform.data))
        found = [each.get("pid") for each in json.loads(told.stdout)["roles"] if each["role"] == role]
        if found and found[0]:
            return int(found[0])
        time.sleep(0.1)
    raise AssertionError(f"there is no {role}")


def test_the_account_throttle_is_a_setting_that_get_account_returns(data: Path) -> None:
    platform = start_platform(data, *FLAGS, "--account-throttle-rate", "0.5", "--account-throttle-burst", "3")
    try:
        url, _, key = a_keyed_api(platform)
        account = platform.client("apigateway").get_account()
        assert account["throttleSettings"] == {"rateLimit": 0.5, "burstLimit": 3}
        counted = statuses(url, key, 6)
        assert 3 <= counted[200] <= 4
        assert counted[429] == 6 - counted[200]
    finally:
        platform.stop()


def test_a_valkey_that_is_killed_and_started_again_under_load_causes_no_server_error(data: Path) -> None:
    with a_valkey(data.parent) as valkey:
        platform = start_platform(data, *FLAGS, "--state", valkey.url)
        try:
            url, plan, key = a_keyed_api(
                platform, throttle={"rateLimit": 1000, "burstLimit": 1000}, quota={"limit": 100_000, "period": "DAY"}
            )
            counted = statuses(url, key, 30)
            valkey.kill()
            counted += statuses(url, key, 30)
            valkey.start()
            counted += statuses(url, key, 30)
            valkey.pause()
            began = time.monotonic()
            counted += statuses(url, key, 30)
            assert time.monotonic() - began < 2
            valkey.go_on()
            counted += statuses(url, key, 30)
            assert counted == {200: 150}
            assert used(platform, plan, key, 150)[0] == 150
        finally:
            platform.stop()
