from __future__ import annotations

import pytest

from gatepost.services.apigateway.model import BadRequestException
from tests.support.rest_apis import Control, with_control

ROLE = "arn:aws:iam::000000000000:role/logs"


def test_the_account_has_awss_throttle_and_the_role_that_was_set(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        before = await control("GetAccount")
        assert before == {
            "throttleSettings": {"burstLimit": 5000, "rateLimit": 10000.0},
            "features": ["UsagePlans"],
            "apiKeyVersion": "4",
        }
        for value, expected in ((ROLE, {**before, "cloudwatchRoleArn": ROLE}), ("", before)):
            patch = {"op": "replace", "path": "/cloudwatchRoleArn", "value": value}
            assert await control("UpdateAccount", patchOperations=[patch]) == expected
            assert await control("GetAccount") == expected

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    "patch",
    [
        {"op": "replace", "path": "/cloudwatchRoleArn", "value": "role"},
        {"op": "replace", "path": "/throttle/rateLimit", "value": "1"},
        {"op": "add", "path": "/features", "value": "Magic"},
    ],
)
def test_anything_else_is_refused(tmp_path, patch: dict) -> None:
    async def scenario(control: Control) -> None:
        with pytest.raises(BadRequestException):
            await control("UpdateAccount", patchOperations=[patch])

    with_control(tmp_path, scenario)


def test_usage_plans_are_on_already(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        patch = {"op": "add", "path": "/features", "value": "UsagePlans"}
        assert (await control("UpdateAccount", patchOperations=[patch]))["features"] == ["UsagePlans"]

    with_control(tmp_path, scenario)
