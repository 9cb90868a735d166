"""How an operation on a stack begins: names and states are checked, the record and its event written."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Final

from gatepost.kernel.operations import Call
from gatepost.services.cloudformation.engine import StackEngine
from gatepost.services.cloudformation.model import (
    STACK_NAME,
    UPDATABLE,
    UPDATABLE_AFTER_FAILURE,
    Running,
    Stack,
    StackRequest,
    ValidationError,
)
from gatepost.services.cloudformation.records import StackRecords

WAITING_CLIENTS: Final = ("aws-cli/", "Boto3/", "aws-sdk-")
HOLD_S: Final = 5.0


def check_stack_name(name: str) -> None:
    """Refuse a name that AWS refuses. Raises: ValidationError."""
    if not STACK_NAME.fullmatch(name):
        raise ValidationError(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )


def check_updatable(stack: Stack) -> None:
    """Refuse an update of a stack that cannot be updated now. Raises: ValidationError."""
    if stack.is_deleted or stack.status == "REVIEW_IN_PROGRESS":
        raise ValidationError(f"Stack [{stack.name}] does not exist")
    if stack.status not in UPDATABLE | UPDATABLE_AFTER_FAILURE:
        raise ValidationError(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def stack_event(stack: Stack, sequence: int, now_ms: int) -> dict[str, Any]:
    """Give the event of a stack's own status."""
    event: dict[str, Any] = {
        "StackId": stack.id,
        "StackName": stack.name,
        "EventId": f"{stack.uuid}-{stack.status}-{sequence}",
        "LogicalResourceId": stack.name,
        "PhysicalResourceId": stack.id,
        "ResourceType": "AWS::CloudFormation::Stack",
        "Timestamp": now_ms,
        "ResourceStatus": stack.status,
    }
    if stack.status_reason:
        event["ResourceStatusReason"] = stack.status_reason
    token = ((stack.running or {}).get("request") or {}).get("token")
    if token:
        event["ClientRequestToken"] = token
    return event


async def begin(records: StackRecords, stack: Stack, engine: StackEngine, call: Call) -> None:
    """Write what a stack begins to do, with its event, and let the engine carry it out.

    AWS's clients look again after 30 s when they find a stack busy: they get their answer a little later.
    """
    sequence = await records.next_sequence(stack)
    event = stack_event(stack, sequence, call.now_ms)
    await records.advance(stack, sequence, event)
    engine.start(stack)
    if any(client in call.user_agent for client in WAITING_CLIENTS):
        await engine.settled(stack, within_s=HOLD_S)


async def begin_update(
    records: StackRecords, stack: Stack, request: StackRequest, call: Call, engine: StackEngine, **changes: Any
) -> None:
    """Begin an update of a stack."""
    running = Running("update", "forward", asdict(request), asdict(call.principal))
    stack = replace(
        stack,
        status="UPDATE_IN_PROGRESS",
        status_reason="User Initiated",
        updated_at_ms=call.now_ms,
        running=asdict(running),
        **changes,
    )
    await begin(records, stack, engine, call)
