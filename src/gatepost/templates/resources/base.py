"""What a resource type's handler is: it makes, changes and deletes one physical resource by calling operations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from gatepost.kernel.ids import LOWER_ALPHANUMERIC, UPPER_BASE32, stable_id

SUFFIX_LENGTH: Final = 12

Invoke = Callable[[str, str, Mapping[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Work:
    """One resource's turn. `properties` are evaluated and in AWS's types; `before` are those last applied."""

    type: str
    logical_id: str
    properties: Mapping[str, Any]
    stack_name: str
    stack_id: str
    account_id: str
    region: str
    generation: int
    invoke: Invoke
    pause: Callable[[float], Awaitable[None]]  # seconds
    initiated: Callable[[str], Awaitable[None]]  # the physical id, before the first operation
    made: Callable[[str], Awaitable[None]]  # the physical id, once the first operation has succeeded
    asset_text: Callable[[str, str], str | None]  # an uploaded file, by bucket and key
    resolved: Callable[[Any], Awaitable[Any]]  # with the values of dynamic references, which nothing may keep
    before: Mapping[str, Any] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    stack_tags: Mapping[str, str] = field(default_factory=dict)
    retain_except_on_create: bool = False
    is_rollback_disabled: bool = False

    def stable(self, *names: str, length: int = SUFFIX_LENGTH, alphabet: str = LOWER_ALPHANUMERIC) -> str:
        """Derive an id from stack and logical id: the same after every redeployment and on every machine.

        The stack's id and not its name counts: what a deleted stack has left (DeletionPolicy: Retain) keeps its ids,
        and a new stack of the same name gets others, as on AWS.
        """
        return stable_id(
            self.stack_id,
            self.logical_id,
            str(self.generation),
            *names,
            length=length,
            alphabet=alphabet,
        )

    def name(self, property_name: str, *, length_max: int, is_lower: bool = False) -> str:
        """Give the declared name, or one as CloudFormation makes them: `stack-LogicalId-RANDOM12`."""
        declared = self.properties.get(property_name)
        if declared:
            return str(declared)
        suffix = self.stable(alphabet=UPPER_BASE32)
        room = length_max - len(suffix) - 2
        stack = self.stack_name[: max(room // 2, room - len(self.logical_id))]
        logical_id = self.logical_id[: room - len(stack)]
        name = f"{stack}-{logical_id}-{suffix}"
        return name.lower() if is_lower else name

    def changed(self, *names: str) -> bool:
        """Say whether one of these properties differs from what was applied."""
        return any(self.properties.get(name) != self.before.get(name) for name in names)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What stands after a turn."""

    physical_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    ref: str = ""  # what Ref gives; empty: the physical id
    note: str = ""  # what an operator should know of it: goes to the stack's events


class ResourceFailure(Exception):
    """A resource cannot become what was declared; the text goes to the stack's events."""


class ResourceHandler(Protocol):
    """Makes, changes and deletes physical resources of one type."""

    name_property: str  # the property that gives a name of its own; empty: none does

    def is_named(self, properties: Mapping[str, Any]) -> bool:
        """Say whether the template gives the resource's name or id, so that it may be someone else's too."""
        ...

    def replacing(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
        """Give property paths whose change needs a new resource, beyond those in AWS's specification."""
        ...

    async def create(self, work: Work) -> Outcome:
        """Make the resource. Raises: ServiceError, ResourceFailure."""
        ...

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change the resource in place, from `work.before` to `work.properties`.

        Raises: ServiceError, ResourceFailure.
        """
        ...

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the resource; one that is gone is fine. Raises: ServiceError, ResourceFailure."""
        ...
