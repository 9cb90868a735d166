"""The account's settings for API Gateway: the role for its logs, and the throttle that AWS grants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.arn import parse_arn
from gatepost.kernel.operations import Call
from gatepost.services.apigateway.model import ACCOUNT, BadRequestException
from gatepost.services.apigateway.patches import Patch, PatchTable, rule
from gatepost.services.apigateway.records import ApiRecords
from gatepost.services.apigateway.usage_model import Throttle

DEFAULT_THROTTLE: Final = Throttle(10_000.0, 5_000)
"""AWS's account quota of most regions: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"""

_KEY: Final = "account"


class Account:
    """The operations on the account's settings."""

    def __init__(self, records: ApiRecords, throttle: Throttle) -> None:
        self._records = records
        self._throttle = throttle

    async def get(self, call: Call) -> dict[str, Any]:
        """Give the settings."""
        record = await self._records.store.get(call.key(ACCOUNT, _KEY))
        return self._to_aws(record.value if record else {})

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch the settings. Raises: BadRequestException, ConflictException."""

        async def attempt() -> dict[str, Any]:
            key = call.key(ACCOUNT, _KEY)
            record = await self._records.store.get(key)
            changed = _PATCHES.apply(record.value if record else {}, params)
            await self._records.store.put(key, changed, expected_version=record.version if record else 0)
            return self._to_aws(changed)

        return await self._records.changing(call, _KEY, attempt)

    def _to_aws(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        shape: dict[str, Any] = {
            "throttleSettings": self._throttle.to_aws(),
            "features": ["UsagePlans"],
            "apiKeyVersion": "4",
        }
        if settings.get("cloudwatch_role_arn"):
            shape["cloudwatchRoleArn"] = settings["cloudwatch_role_arn"]
        return shape


def _role(settings: dict[str, Any], patch: Patch) -> dict[str, Any]:
    if patch.value:
        parsed = parse_arn(patch.value)
        if parsed is None or parsed.service != "iam" or not parsed.resource.startswith("role/"):
            raise BadRequestException("Invalid ARN specified in the request")
    return {**settings, "cloudwatch_role_arn": patch.value}


def _usage_plans(settings: dict[str, Any], patch: Patch) -> dict[str, Any]:
    if patch.value != "UsagePlans":
        raise BadRequestException(f"Invalid patch value  '{patch.value}' specified for path '{patch.path}'")
    if patch.op == "remove":
        raise BadRequestException("Usage Plans cannot be disabled once enabled")
    return settings  # it is on for every account


_PATCHES: Final[PatchTable[dict[str, Any]]] = PatchTable(
    (rule("/cloudwatchRoleArn", "replace", _role), rule("/features", "add remove", _usage_plans))
)
