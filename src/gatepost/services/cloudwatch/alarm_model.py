"""Alarms as records: what they watch, what they do, and how they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from gatepost.kernel.clock import iso_8601
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import RecordKey

ALARM: Final = "cloudwatch_alarm"  # kinds of records
HISTORY: Final = "cloudwatch_alarm_history"
OK: Final = "OK"
IN_ALARM: Final = "ALARM"
INSUFFICIENT: Final = "INSUFFICIENT_DATA"
ACTIONS_OF: Final[Mapping[str, str]] = {
    OK: "OKActions",
    IN_ALARM: "AlarmActions",
    INSUFFICIENT: "InsufficientDataActions",
}


class ResourceNotFound(ServiceError):
    """There is no such alarm."""

    code = "ResourceNotFound"
    status = 404


class ResourceNotFoundException(ServiceError):
    """There is nothing of this ARN."""

    code = "ResourceNotFoundException"
    status = 404


class InvalidFormatFault(ServiceError):
    """A text is no JSON."""

    code = "InvalidFormat"
    status = 400


@dataclass(frozen=True, slots=True)
class Standing:
    """A state with its reason. `data` is JSON."""

    value: str
    reason: str
    at_ms: int
    data: str = ""

    def to_event(self) -> dict[str, Any]:
        """Give it as events and actions tell it."""
        told = {"value": self.value, "reason": self.reason, "timestamp": aws_time(iso_8601(self.at_ms))}
        return {**told, "reasonData": self.data} if self.data else told


def aws_time(text: str) -> str:
    """Give a time as CloudWatch writes it: `2026-11-24T12:00:00.000+0000`."""
    return text.removesuffix("Z") + "+0000"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm. `settings` are AWS's members as they were put; those with `AlarmRule` are composite."""

    name: str
    account_id: str
    region: str
    settings: Mapping[str, Any]
    configured_at_ms: int
    standing: Mapping[str, Any]
    transitioned_at_ms: int
    are_actions_enabled: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:cloudwatch:{self.region}:{self.account_id}:alarm:{self.name}"

    @property
    def is_composite(self) -> bool:
        """Whether it watches other alarms."""
        return "AlarmRule" in self.settings

    @property
    def state(self) -> Standing:
        """How it stands."""
        return Standing(**self.standing)

    @property
    def key(self) -> RecordKey:
        """Where its record lies."""
        return RecordKey(ALARM, self.account_id, self.region, self.name)

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store."""
        return asdict(self)

    def to_aws(self) -> dict[str, Any]:
        """Give AWS's MetricAlarm or CompositeAlarm."""
        state = self.state
        shown = {
            "AlarmName": self.name,
            "AlarmArn": self.arn,
            "AlarmConfigurationUpdatedTimestamp": self.configured_at_ms,
            "ActionsEnabled": self.are_actions_enabled,
            "OKActions": [],
            "AlarmActions": [],
            "InsufficientDataActions": [],
            "StateValue": state.value,
            "StateReason": state.reason,
            "StateUpdatedTimestamp": state.at_ms,
            "StateTransitionedTimestamp": self.transitioned_at_ms,
            **self.settings,
        }
        if state.data:
            shown["StateReasonData"] = state.data
        if not self.is_composite and "Metrics" not in self.settings:
            shown.setdefault("Dimensions", [])
        return shown
