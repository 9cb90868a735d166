"""How a client deploys a packaged template: change set, plan, execution, progress, end. For `deploy`, `diff` and `up`.

Everything goes by AWS's operations; a person gets the same by `aws cloudformation deploy`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gatepost.templates.stack_tags import own_tags

CAPABILITIES: Final = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
POLL_S: Final = 0.05
SETTLE_POLLS_MAX: Final = 4 * 3600 * 20
LEFT_OVERS: Final = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")
GOOD: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE")

Invoke = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]  # an operation of cloudformation, its parameters


class OperationRefused(Exception):
    """An operation said no. What `Deployer` calls operations with raises it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class DeploymentFailed(Exception):
    """A stack did not reach its state. `reasons` are `LogicalId: sentence` of the resources that failed."""

    def __init__(self, message: str, reasons: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.reasons = tuple(reasons)


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One row of the plan's table. `action` is add, modify, replace, maybe replace, delete or let go."""

    action: str
    logical_id: str
    type: str
    physical_id: str
    causes: tuple[str, ...]  # property paths: `Timeout`, `Code/S3Key`


@dataclass(frozen=True, slots=True)
class Progress:
    """One event of a resource or of the stack itself."""

    logical_id: str
    type: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to deploy. `text` is the packaged template, `file` what refusals call it."""

    stack_name: str
    text: str
    file: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    accept_sha256: str = ""
    is_lenient: bool = False


@dataclass(frozen=True, slots=True)
class Deployed:
    """A stack after its deployment. `outputs` are (key, value, description)."""

    stack_id: str
    stack_name: str
    status: str
    is_unchanged: bool
    outputs: tuple[tuple[str, str, str], ...] = ()


class Deployer:
    """Deploys, compares and deletes stacks by operations. It blocks: call it from a thread of its own."""

    def __init__(self, invoke: Invoke, *, pause: Callable[[float], None], now_ms: Callable[[], int]) -> None:
        self._invoke = invoke
        self._pause = pause
        self._now_ms = now_ms

    def deploy(
        self,
        wanted: Wanted,
        *,
        on_plan: Callable[[Sequence[PlannedChange]], None],
        on_event: Callable[[Progress], None],
    ) -> Deployed:
        """Bring a stack to a template. What an earlier failed creation left is deleted first.

        Raises: OperationRefused with the refusals of the template; DeploymentFailed.
        """
        standing = self._settled(wanted.stack_name, on_event)
        if standing is not None and standing["StackStatus"] in LEFT_OVERS:
            self.delete(wanted.stack_name, on_event=on_event)
            standing = None
        name = self._change_set(wanted, standing)
        described = self._described(wanted.stack_name, name)
        changes = planned_changes(described)
        on_plan(changes)
        if described["Status"] == "FAILED":
            self._invoke("DeleteChangeSet", {"StackName": wanted.stack_name, "ChangeSetName": name})
            return self._result(wanted.stack_name, is_unchanged=True)
        seen = self._event_ids(wanted.stack_name)
        self._invoke("ExecuteChangeSet", {"StackName": wanted.stack_name, "ChangeSetName": name})
        self._follow(str(described["StackId"]), seen, on_event)
        return self._result(wanted.stack_name, is_unchanged=False)

    def diff(self, wanted: Wanted) -> list[PlannedChange]:
        """Give what a deployment would change, and leave no trace. Raises: OperationRefused."""
        standing = self._find(wanted.stack_name)
        name = self._change_set(wanted, standing)
        try:
            return planned_changes(self._described(wanted.stack_name, name))
        finally:
            self._invoke("DeleteChangeSet", {"StackName": wanted.stack_name, "ChangeSetName": name})
            if standing is None:
                self._invoke("DeleteStack", {"StackName": wanted.stack_name})

    def delete(self, stack_name: str, *, on_event: Callable[[Progress], None]) -> bool:
        """Delete a stack and wait; say False when there was none. Raises: OperationRefused, DeploymentFailed."""
        standing = self._settled(stack_name, on_event)
        if standing is None:
            return False
        seen = self._event_ids(stack_name)
        self._invoke("DeleteStack", {"StackName": stack_name})
        self._follow(str(standing["StackId"]), seen, on_event)
        return True

    # Steps.

    def _find(self, name: str) -> Mapping[str, Any] | None:
        try:
            stack: Mapping[str, Any] = self._invoke("DescribeStacks", {"StackName": name})["Stacks"][0]
        except OperationRefused as fault:
            if fault.code == "ValidationError":  # AWS says it with no code of its own
                return None
            raise
        return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack

    def _settled(self, name: str, on_event: Callable[[Progress], None]) -> Mapping[str, Any] | None:
        """Wait for an operation that is under way; give the stack, or None."""
        stack = self._find(name)
        if stack is None:
            return None
        status = str(stack["StackStatus"])
        if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
            self._wait(str(stack["StackId"]), self._event_ids(name), on_event)
            return self._find(name)
        return stack

    def _change_set(self, wanted: Wanted, standing: Mapping[str, Any] | None) -> str:
        name = f"gatepost-deploy-{self._now_ms()}"
        is_new = standing is None or standing["StackStatus"] == "REVIEW_IN_PROGRESS"
        tags = {
            **wanted.tags,
            **own_tags(file=wanted.file, accept_sha256=wanted.accept_sha256, is_lenient=wanted.is_lenient),
        }
        self._invoke(
            "CreateChangeSet",
            {
                "StackName": wanted.stack_name,
                "ChangeSetName": name,
                "ChangeSetType": "CREATE" if is_new else "UPDATE",
                "TemplateBody": wanted.text,
                "Parameters": [
                    {"ParameterKey": key, "ParameterValue": value} for key, value in wanted.parameters.items()
                ],
                "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
                "Capabilities": list(CAPABILITIES),
            },
        )
        return name

    def _described(self, stack_name: str, name: str) -> dict[str, Any]:
        described: dict[str, Any] = {}
        changes: list[Any] = []
        more: dict[str, str] = {}
        while True:
            parameters = {"StackName": stack_name, "ChangeSetName": name, **more}
            described = dict(self._invoke("DescribeChangeSet", parameters))
            changes.extend(described.get("Changes", []))
            if not described.get("NextToken"):
                return {**described, "Changes": changes}
            more = {"NextToken": described["NextToken"]}

    def _event_ids(self, name: str) -> set[str]:
        return {event["EventId"] for event in self._invoke("DescribeStackEvents", {"StackName": name})["StackEvents"]}

    def _new_events(self, stack_id: str, seen: set[str]) -> list[Mapping[str, Any]]:
        """Give events that were not seen, oldest first, and note them."""
        found: list[Mapping[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            page = self._invoke("DescribeStackEvents", {"StackName": stack_id, **more})
            fresh = [event for event in page["StackEvents"] if event["EventId"] not in seen]
            found.extend(fresh)
            if len(fresh) < len(page["StackEvents"]) or not page.get("NextToken"):
                break
            more = {"NextToken": page["NextToken"]}
        seen.update(event["EventId"] for event in found)
        return found[::-1]

    def _wait(self, stack_id: str, seen: set[str], on_event: Callable[[Progress], None]) -> tuple[str, list[str]]:
        """Follow a stack's events until it has settled; give its status and why resources failed."""
        reasons: list[str] = []
        for _ in range(SETTLE_POLLS_MAX):
            stack = self._invoke("DescribeStacks", {"StackName": stack_id})["Stacks"][0]
            for event in self._new_events(stack_id, seen):
                told = Progress(
                    str(event["LogicalResourceId"]),
                    str(event["ResourceType"]),
                    str(event["ResourceStatus"]),
                    str(event.get("ResourceStatusReason", "")),
                )
                on_event(told)
                if told.status.endswith("_FAILED") and told.logical_id != stack["StackName"]:
                    reasons.append(f"{told.logical_id}: {told.reason}")
            status = str(stack["StackStatus"])
            if not status.endswith("_IN_PROGRESS"):
                return status, reasons
            self._pause(POLL_S)
        raise DeploymentFailed(f"{stack_id} has not settled")

    def _follow(self, stack_id: str, seen: set[str], on_event: Callable[[Progress], None]) -> None:
        """Wait for the end. Raises: DeploymentFailed."""
        status, reasons = self._wait(stack_id, seen, on_event)
        if status not in GOOD:
            raise DeploymentFailed(f"stack {stack_id.split('/')[1]} is {status}", reasons)

    def _result(self, name: str, *, is_unchanged: bool) -> Deployed:
        stack = self._invoke("DescribeStacks", {"StackName": name})["Stacks"][0]
        outputs = tuple(
            (str(output["OutputKey"]), str(output["OutputValue"]), str(output.get("Description", "")))
            for output in stack.get("Outputs", [])
        )
        return Deployed(str(stack["StackId"]), name, str(stack["StackStatus"]), is_unchanged, outputs)


def planned_changes(described: Mapping[str, Any]) -> list[PlannedChange]:
    """Give the plan's rows from a described change set, in the order in which things begin."""
    rows = []
    for change in described.get("Changes", []):
        found = change["ResourceChange"]
        rows.append(
            PlannedChange(
                action=_action(found),
                logical_id=found["LogicalResourceId"],
                type=found["ResourceType"],
                physical_id=found.get("PhysicalResourceId", ""),
                causes=tuple(_cause(detail["Target"]) for detail in found.get("Details", [])),
            )
        )
    return rows


def _action(change: Mapping[str, Any]) -> str:
    if change["Action"] == "Add":
        return "add"
    if change["Action"] == "Remove":
        return "let go" if change.get("PolicyAction") == "Retain" else "delete"
    return {"True": "replace", "Conditional": "maybe replace"}.get(change.get("Replacement", ""), "modify")


def _cause(target: Mapping[str, Any]) -> str:
    path = str(target.get("Path", "")).removeprefix("/Properties/")
    return path or str(target.get("Name") or target["Attribute"])
