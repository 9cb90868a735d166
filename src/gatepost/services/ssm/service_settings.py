"""Settings of the service: the tier of parameters that name none.

https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_UpdateServiceSetting.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.errors import ValidationException
from gatepost.kernel.operations import Call, RecordKey, operation
from gatepost.services.ssm.errors import ServiceSettingNotFound
from gatepost.services.ssm.model import ADVANCED, INTELLIGENT, STANDARD
from gatepost.storage.base import Records

SERVICE_SETTING: Final = "ssm-service-setting"
DEFAULT_TIER: Final = "/ssm/parameter-store/default-parameter-tier"
HIGH_THROUGHPUT: Final = "/ssm/parameter-store/high-throughput-enabled"
_DEFAULTS: Final[Mapping[str, str]] = {DEFAULT_TIER: STANDARD, HIGH_THROUGHPUT: "false"}
_VALUES: Final = {
    DEFAULT_TIER: (STANDARD, ADVANCED, INTELLIGENT),
    HIGH_THROUGHPUT: ("false",),  # parameters have no limit of throughput that could be raised
}

Params = Mapping[str, Any]
Answer = dict[str, Any]


class ServiceSettings:
    """The settings of every account and region that were changed."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._changed: dict[tuple[str, str, str], dict[str, Any]] = {}

    async def load(self) -> None:
        """Read them. Raises: StoreUnavailable."""
        for record in await self._records.scan(SERVICE_SETTING):
            self._changed[record.key.account_id, record.key.region, record.key.id] = record.value

    def value(self, call: Call, name: str) -> str:
        """Give a setting as it stands."""
        changed = self._changed.get((call.account_id, call.region, name))
        return str(changed["value"]) if changed is not None else _DEFAULTS[name]

    async def change(self, call: Call, name: str, value: str | None) -> None:
        """Set a setting, or with None reset it. Raises: StoreUnavailable."""
        key = RecordKey(SERVICE_SETTING, call.account_id, call.region, name)
        place = (call.account_id, call.region, name)
        if value is None:
            await self._records.delete(key)
            self._changed.pop(place, None)
            return
        changed = {"value": value, "changed_at_ms": call.now_ms, "changed_by": call.principal.arn}
        await self._records.put(key, changed, expected_version=None)
        self._changed[place] = changed

    def to_aws(self, call: Call, name: str) -> Answer:
        """Give AWS's ServiceSetting."""
        changed = self._changed.get((call.account_id, call.region, name))
        told: Answer = {
            "SettingId": name,
            "SettingValue": self.value(call, name),
            "LastModifiedUser": "System",
            "ARN": arn_of_setting(call, name),
            "Status": "Default",
        }
        if changed is not None:
            told["LastModifiedDate"] = changed["changed_at_ms"]
            told["LastModifiedUser"] = changed["changed_by"]
            told["Status"] = "Customized"
        return told


class ServiceSettingOperations:
    """The operations on the service's settings; a part of the provider."""

    _settings: ServiceSettings

    @operation("GetServiceSetting")
    def get_service_setting(self, call: Call, params: Params) -> Answer:
        """Give a setting. Raises: ServiceSettingNotFound."""
        return {"ServiceSetting": self._settings.to_aws(call, _name(call, params))}

    @operation("UpdateServiceSetting")
    async def update_service_setting(self, call: Call, params: Params) -> Answer:
        """Change a setting. Raises: ServiceSettingNotFound, ValidationException."""
        name, value = _name(call, params), params["SettingValue"]
        if value not in _VALUES[name]:
            raise ValidationException(f"{value} is no value of {name}: use {', '.join(_VALUES[name])}.")
        await self._settings.change(call, name, value)
        return {}

    @operation("ResetServiceSetting")
    async def reset_service_setting(self, call: Call, params: Params) -> Answer:
        """Go back to AWS's value. Raises: ServiceSettingNotFound."""
        name = _name(call, params)
        await self._settings.change(call, name, None)
        return {"ServiceSetting": self._settings.to_aws(call, name)}


def arn_of_setting(call: Call, name: str) -> str:
    """Give the ARN of a setting by its name."""
    return call.arn(f"servicesetting{name}", service="ssm")


def _name(call: Call, params: Params) -> str:
    """Give the name of a setting that is named by name or ARN. Raises: ServiceSettingNotFound."""
    asked: str = params["SettingId"]
    name = asked.removeprefix(call.arn("servicesetting", service="ssm"))
    if name not in _DEFAULTS:
        raise ServiceSettingNotFound(f"Setting {asked} is not one of Parameter Store's.")
    return name
