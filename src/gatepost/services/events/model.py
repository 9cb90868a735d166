"""EventBridge's records and errors: buses, and rules with their targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from gatepost.kernel.errors import ServiceError

RULE: Final = "events_rule"  # kinds of records
BUS: Final = "events_bus"
ARCHIVE: Final = "events_archive"
ARCHIVED_EVENT: Final = "events_archived_event"
REPLAY: Final = "events_replay"
DEFAULT_BUS: Final = "default"


class ResourceNotFoundException(ServiceError):
    """There is no such rule or bus."""

    code = "ResourceNotFoundException"
    status = 400


class ResourceAlreadyExistsException(ServiceError):
    """There is one of this name."""

    code = "ResourceAlreadyExistsException"
    status = 400


class EventsValidationException(ServiceError):
    """A parameter cannot be used."""

    code = "ValidationException"
    status = 400


class InvalidEventPatternException(ServiceError):
    """A pattern cannot be used."""

    code = "InvalidEventPatternException"
    status = 400


class ConcurrentModificationException(ServiceError):
    """Another call changed it meanwhile."""

    code = "ConcurrentModificationException"
    status = 400


class IllegalStatusException(ServiceError):
    """What is asked for cannot be done in this state."""

    code = "IllegalStatusException"
    status = 400


class PolicyLengthExceededException(ServiceError):
    """A bus's policy would be too long."""

    code = "PolicyLengthExceededException"
    status = 400


class LimitExceededException(ServiceError):
    """There would be more than an account may have."""

    code = "LimitExceededException"
    status = 400


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a bus. Times in ms; targets as AWS shows them."""

    arn: str
    name: str
    schedule: str
    anchored_at_ms: int  # from when a rate counts: when the schedule was set or the rule enabled
    is_enabled: bool = True
    description: str = ""
    targets: Sequence[Mapping[str, Any]] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    bus: str = DEFAULT_BUS
    pattern: str = ""
    role_arn: str = ""

    @property
    def account_id(self) -> str:
        """Whose it is."""
        return self.arn.split(":")[4]

    @property
    def region(self) -> str:
        """Where it is."""
        return self.arn.split(":")[3]

    @property
    def record_id(self) -> str:
        """What its record is named in its account and region."""
        return self.arn.split(":rule/", 1)[1]

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Rule:
        """Read what `to_json` gave."""
        return cls(**value)


@dataclass(frozen=True, slots=True)
class Bus:
    """An event bus. The default one has a record only when it was changed."""

    arn: str
    created_at_ms: int
    modified_at_ms: int
    description: str = ""
    statements: Sequence[Mapping[str, Any]] = ()  # of its policy
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What rules and events call it."""
        return self.arn.split(":event-bus/", 1)[1]

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
    def from_json(cls, value: Mapping[str, Any]) -> Bus:
        """Read what `to_json` gave."""
        return cls(**value)
