"""What the CloudFormation operations need of the template engine. `gatepost.templates.stacks` provides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gatepost.kernel.operations import Call
from gatepost.services.cloudformation.model import Stack, StackRequest


@dataclass(frozen=True, slots=True)
class Summary:
    """What a template says of itself, without any values."""

    description: str
    parameters: tuple[Mapping[str, Any], ...]  # as GetTemplateSummary's ParameterDeclaration
    resource_types: tuple[str, ...]
    capabilities: tuple[str, ...]
    capabilities_reason: str
    transforms: tuple[str, ...]
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that was compiled and compared with the stack as it stands."""

    changes: tuple[Mapping[str, Any], ...]  # as DescribeChangeSet's Change
    parameters: tuple[Mapping[str, Any], ...]  # as DescribeStacks shows them
    capabilities: tuple[str, ...]  # that the template needs
    capabilities_reason: str
    transforms: tuple[str, ...]
    description: str
    is_unchanged: bool  # neither resources, outputs, tags nor policies change
    warnings: tuple[str, ...] = field(default=())


class StackEngine(Protocol):
    """Compiles templates and carries out what stacks are to become."""

    async def summarize(self, call: Call, template: str) -> Summary:
        """Read a template without values. Raises: ValidationError."""
        ...

    async def processed(self, call: Call, stack: Stack, request: StackRequest) -> str:
        """Give the template as JSON after its transforms. Raises: ValidationError."""
        ...

    async def prepare(self, call: Call, stack: Stack, request: StackRequest) -> Prepared:
        """Work out the changes of a request against `stack` as it stands. Raises: ValidationError."""
        ...

    def parent_of(self, call: Call, stack_name: str) -> Stack | None:
        """Give the stack whose nested stack is being created under this name, or None."""
        ...

    def start(self, stack: Stack) -> None:
        """Carry out `stack.running`, which was committed before; progress goes to the stack's records."""
        ...

    async def settled(self, stack: Stack, *, within_s: float) -> bool:
        """Wait until what was started has ended, but no longer than this; say whether it has."""
        ...

    def cancel(self, stack: Stack) -> None:
        """Let a running update stop at the next resource and roll back."""
        ...
