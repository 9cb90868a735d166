"""What resource handlers are given for their work: operations in the stack's name, names and files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Principal
from gatepost.kernel.ports import Operations
from gatepost.services.cloudformation.model import Incarnation, Stack, StackRequest
from gatepost.services.cloudformation.stack_policy import StackPolicy
from gatepost.templates.document import ActiveResource
from gatepost.templates.dynamic_references import DynamicReferences
from gatepost.templates.resources.base import ResourceFailure, ResourceHandler, Work
from gatepost.templates.specification import Specification, is_custom

CLOUDFORMATION: Final = "cloudformation.amazonaws.com"
NESTING_MAX: Final = 5  # unverified: AWS names no limit; ours is a bound
CONFLICT_CODES: Final = frozenset(
    {
        "ResourceConflictException",
        "ConcurrentModificationException",
        "ConcurrentModification",
        "TooManyRequestsException",
    }
)
CONFLICT_RETRIES_MAX: Final = 40
CONFLICT_PAUSE_S: Final = 0.05
UNAVAILABLE_STATUS: Final = 503
UNAVAILABLE_RETRIES_MAX: Final = 60
UNAVAILABLE_PAUSE_S: Final = 0.5


def retry_after_s(fault: ServiceError, operation: str, tries: int) -> float | None:
    """Say how long to wait before an operation is tried again, or None when it has failed for good.

    Neighbours change the same thing at the same time (two permissions of one function); a dependency may be away
    for a moment (the gateway that runs functions, right after a restart), and then nothing was changed.
    """
    if fault.status == UNAVAILABLE_STATUS and tries < UNAVAILABLE_RETRIES_MAX:
        return UNAVAILABLE_PAUSE_S
    is_conflict = fault.code in CONFLICT_CODES and not operation.startswith("Create")
    return CONFLICT_PAUSE_S if is_conflict and tries < CONFLICT_RETRIES_MAX else None


async def _nothing(physical_id: str) -> None:
    del physical_id


@dataclass(frozen=True, slots=True)
class Workshop:
    """Everything that one operation on one stack works with."""

    operations: Operations
    specification: Specification
    handlers: Mapping[str, ResourceHandler]
    custom: ResourceHandler  # of every Custom:: type
    named: ResourceHandler  # of accepted gaps and inert types
    principal: Principal
    stack: Stack
    request: StackRequest
    account_id: str
    region: str
    pause: Callable[[float], Awaitable[None]]
    asset_text: Callable[[str, str], str | None]
    adopting: Callable[[str], None]  # the name of a nested stack that is about to be created
    references: DynamicReferences = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "references", DynamicReferences(self._call))

    def objection(self, action: str, logical_id: str, type_name: str) -> str:
        """Say why the stack's policy does not let an update do this (`Update:Modify`, …); empty: it does."""
        text = self.request.update_policy
        return StackPolicy(text).objection(action, logical_id, type_name) if text else ""

    def handler(self, resource: ActiveResource) -> ResourceHandler:
        """Give the handler of a declared resource."""
        if resource.is_accepted or resource.is_forwarded:
            return self.named
        return self._of_type(resource.declaration.type)

    def handler_of_type(self, type_name: str, incarnation: Incarnation) -> ResourceHandler:
        """Give the handler of a resource that stands."""
        return self._of_type(incarnation.type or type_name)

    def _of_type(self, type_name: str) -> ResourceHandler:
        if is_custom(type_name):
            return self.custom
        return self.handlers.get(type_name, self.named)

    def is_ours(self, type_name: str, incarnation: Incarnation) -> bool:
        """Say whether a physical name is derived from the stack, so that nobody else can have made it."""
        return not self.handler_of_type(type_name, incarnation).is_named(incarnation.properties)

    async def _invoke(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        if service == "cloudformation" and operation == "CreateStack":
            if self.request.depth >= NESTING_MAX:
                raise ResourceFailure(f"stacks are nested more than {NESTING_MAX} deep")
            self.adopting(str(params["StackName"]))
        # A nested stack gets references as they are: it keeps its parameters, and resolves them itself.
        given = params if service == "cloudformation" else await self.references.resolved(params)
        return await self._call(service, operation, given)

    async def _call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        tries = 0
        while True:
            try:
                return await self.operations.invoke(
                    self.principal, service, operation, params, region=self.region, called_via=(CLOUDFORMATION,)
                )
            except ServiceError as fault:
                wait_s = retry_after_s(fault, operation, tries)
                if wait_s is None:
                    raise
            tries += 1
            await self.pause(wait_s)

    def work(
        self,
        *,
        logical_id: str,
        type_name: str,
        properties: Mapping[str, Any],
        generation: int,
        before: Mapping[str, Any] | None = None,
        initiated: Callable[[str], Awaitable[None]] = _nothing,
        made: Callable[[str], Awaitable[None]] = _nothing,
    ) -> Work:
        """Give one resource's turn."""
        return Work(
            type=type_name,
            logical_id=logical_id,
            properties=properties,
            stack_name=self.stack.name,
            stack_id=self.stack.id,
            account_id=self.account_id,
            region=self.region,
            generation=generation,
            invoke=self._invoke,
            resolved=self.references.resolved,
            pause=self.pause,
            initiated=initiated,
            made=made,
            asset_text=self.asset_text,
            before=before or {},
            capabilities=self.request.capabilities,
            stack_tags=self.request.tags,
            is_rollback_disabled=self.request.is_rollback_disabled,
        )
