"""CloudFormation's records and errors: stacks, their resources, change sets.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Self

from gatepost.kernel.errors import ServiceError

STACK: Final = "cloudformation.stack"
RESOURCE: Final = "cloudformation.resource"
EVENT: Final = "cloudformation.event"
CHANGE_SET: Final = "cloudformation.change_set"
EXPORT: Final = "cloudformation.export"

STACK_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
IN_PROGRESS: Final = "_IN_PROGRESS"
UPDATABLE: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})
UPDATABLE_AFTER_FAILURE: Final = frozenset({"CREATE_FAILED", "UPDATE_FAILED"})  # with DisableRollback


class ValidationError(ServiceError):
    """The request or its template is wrong."""

    code = "ValidationError"
    status = 400


class AlreadyExistsException(ServiceError):
    """The name is taken."""

    code = "AlreadyExistsException"
    status = 400


class InsufficientCapabilitiesException(ServiceError):
    """The template does something that the caller did not acknowledge."""

    code = "InsufficientCapabilitiesException"
    status = 400


class LimitExceededException(ServiceError):
    """A quota is used up."""

    code = "LimitExceededException"
    status = 400


class TokenAlreadyExistsException(ServiceError):
    """A client request token was used before."""

    code = "TokenAlreadyExistsException"
    status = 400


class ChangeSetNotFoundException(ServiceError):
    """There is no such change set."""

    code = "ChangeSetNotFound"
    status = 404


class InvalidChangeSetStatusException(ServiceError):
    """The change set cannot be executed or deleted in its state."""

    code = "InvalidChangeSetStatus"
    status = 400


@dataclass(frozen=True, slots=True)
class StackRequest:
    """What a caller wants a stack to be. `parameters` are texts; `template_sha256` names a blob in the assets."""

    template_sha256: str
    parameters: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    role_arn: str = ""
    notification_arns: tuple[str, ...] = ()
    on_failure: str = ""  # DO_NOTHING, ROLLBACK, DELETE; empty: ROLLBACK
    is_rollback_disabled: bool = False  # AWS: DisableRollback
    retain_except_on_create: bool = False
    timeout_minutes: int = 0  # 0: none
    token: str = ""  # AWS: ClientRequestToken
    parent_id: str = ""
    root_id: str = ""
    depth: int = 0  # of nesting
    update_policy: str = ""  # the stack policy of one update: that for its time, else the standing one

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read a record back."""
        return cls(
            **{
                **value,
                "capabilities": tuple(value["capabilities"]),
                "notification_arns": tuple(value["notification_arns"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Running:
    """An operation under way, with what is needed to go on with it after a restart."""

    kind: str  # create, update, delete
    phase: str  # forward, cleanup, rollback, rollback_cleanup, delete
    request: dict[str, Any]  # a StackRequest as JSON; for delete the last one
    principal: dict[str, Any]
    retain: tuple[str, ...] = ()  # logical ids that a deletion leaves alone
    reason: str = ""  # why it rolls back

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read a record back."""
        return cls(**{**value, "retain": tuple(value["retain"])})


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack. `request` is what it is now (or was, when it is deleted); `running` what it is to become."""

    id: str
    name: str
    status: str
    created_at_ms: int
    status_reason: str = ""
    updated_at_ms: int = 0
    deleted_at_ms: int = 0
    description: str = ""
    request: dict[str, Any] | None = None
    parameters: list[dict[str, Any]] = field(default_factory=list)  # as DescribeStacks shows them
    outputs: list[dict[str, str]] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)  # names of exports in use
    is_protected: bool = False  # AWS: EnableTerminationProtection
    policy: str = ""  # AWS: StackPolicyBody
    change_set_id: str = ""
    running: dict[str, Any] | None = None

    @property
    def uuid(self) -> str:
        """Give the last part of the stack's ARN."""
        return self.id.rsplit("/", 1)[1]

    @property
    def is_deleted(self) -> bool:
        """Say whether the stack is gone."""
        return self.status == "DELETE_COMPLETE"

    @property
    def is_busy(self) -> bool:
        """Say whether an operation is under way."""
        return self.status.endswith(IN_PROGRESS) and self.status != "REVIEW_IN_PROGRESS"

    def to_json(self) -> dict[str, Any]:
        """Give the record's value."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read a record back."""
        return cls(**value)


@dataclass(frozen=True, slots=True)
class Incarnation:
    """One physical resource behind a logical id: what it was made of and what it is called."""

    physical_id: str
    generation: int  # counts replacements, so that a new one gets a new name
    properties: dict[str, Any]  # as applied
    attributes: dict[str, Any] = field(default_factory=dict)  # for Fn::GetAtt
    ref: str = ""  # for Ref; empty: the physical id
    depends_on: list[str] = field(default_factory=list)
    deletion_policy: str = ""
    update_replace_policy: str = ""
    type: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StackResource:
    """A resource of a stack. `previous` is the last good state while an update is under way."""

    logical_id: str
    type: str
    status: str
    updated_at_ms: int
    status_reason: str = ""
    current: dict[str, Any] | None = None  # an Incarnation as JSON
    previous: dict[str, Any] | None = None
    is_made: bool = False  # that `current` exists is known, not only intended
    is_removed: bool = False  # the update's template no longer has it
    superseded: list[dict[str, Any]] = field(default_factory=list)  # incarnations to delete in the cleanup
    generation_next: int = 0  # of a retained resource that comes back: its old name is taken

    @property
    def physical_id(self) -> str:
        """Give the physical id of what stands now."""
        return str(self.current["physical_id"]) if self.current else ""

    def now(self) -> Incarnation | None:
        """Give what stands now."""
        return Incarnation(**self.current) if self.current else None

    def before(self) -> Incarnation | None:
        """Give the last good state."""
        return Incarnation(**self.previous) if self.previous else None

    def with_status(self, status: str, at_ms: int, reason: str = "") -> StackResource:
        """Give the resource with a new status."""
        return replace(self, status=status, status_reason=reason, updated_at_ms=at_ms)

    def to_json(self) -> dict[str, Any]:
        """Give the record's value."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read a record back."""
        return cls(**value)


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set. `changes` are as DescribeChangeSet shows them."""

    id: str
    name: str
    stack_id: str
    stack_name: str
    type: str  # CREATE or UPDATE
    status: str
    execution_status: str
    created_at_ms: int
    request: dict[str, Any]
    status_reason: str = ""
    description: str = ""
    parameters: list[dict[str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    includes_nested_stacks: bool = False
    on_stack_failure: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the record's value."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read a record back."""
        return cls(**value)
