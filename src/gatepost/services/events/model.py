"""EventBridge's records and errors: a rule with its targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from gatepost.kernel.errors import ServiceError

RULE: Final = "events_rule"  # kind of record


class ResourceNotFoundException(ServiceError):
    """There is no such rule."""

    code = "ResourceNotFoundException"
    status = 400


class EventsValidationException(ServiceError):
    """A parameter cannot be used."""

    code = "ValidationException"
    status = 400


class LimitExceededException(ServiceError):
    """There would be more than an account may have."""

    code = "LimitExceededException"
    status = 400


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the default bus. Times in ms; targets as AWS shows them."""

    arn: str
    name: str
    schedule: str
    anchored_at_ms: int  # from when a rate counts: when the schedule was set or the rule enabled
    is_enabled: bool = True
    description: str = ""
    targets: Sequence[Mapping[str, Any]] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def account_id(self) -> str:
        """Whose it is."""
        return self.arn.split(":")[4]

    @property
    def region(self) -> str:
        """Where it is."""
        return self.arn.split(":")[3]

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Rule:
        """Read what `to_json` gave."""
        return cls(**value)
