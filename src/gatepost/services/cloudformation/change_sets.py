"""Change sets: what a template would change, kept until it is carried out or thrown away."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from gatepost.kernel.ids import stable_id
from gatepost.kernel.operations import Call
from gatepost.kernel.ports import Assets
from gatepost.services.cloudformation.engine import StackEngine
from gatepost.services.cloudformation.model import (
    UPDATABLE,
    UPDATABLE_AFTER_FAILURE,
    AlreadyExistsException,
    ChangeSet,
    ChangeSetNotFoundException,
    InvalidChangeSetStatusException,
    LimitExceededException,
    Running,
    Stack,
    StackRequest,
    ValidationError,
)
from gatepost.services.cloudformation.records import HEX, StackRecords
from gatepost.services.cloudformation.requests import check_capabilities, request_of
from gatepost.services.cloudformation.shapes import page_of, shown_change_set
from gatepost.services.cloudformation.stack_start import begin, begin_update, check_stack_name
from gatepost.storage.base import Records

NO_CHANGES: Final = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)
CHANGE_SETS_MAX: Final = 1_000  # of one stack; AWS has the same order of magnitude (unverified)
_NAME: Final = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")


class ChangeSets:
    """The operations on change sets."""

    def __init__(self, *, records: Records, assets: Assets, engine: StackEngine) -> None:
        self._store = records
        self._assets = assets
        self._engine = engine

    def _records(self, call: Call) -> StackRecords:
        return StackRecords(self._store, call.account_id, call.region)

    async def create(
        self, call: Call, params: Mapping[str, Any], stack: Stack | None, declared: frozenset[str]
    ) -> dict[str, Any]:
        """Work out the changes; a stack that does not exist yet is put under review.

        Raises: ValidationError, AlreadyExistsException, InsufficientCapabilitiesException.
        """
        kind = params.get("ChangeSetType", "UPDATE")
        name = params["ChangeSetName"]
        if not _NAME.fullmatch(name):
            raise ValidationError(f"The change set name {name!r} is not allowed: use letters, digits and dashes")
        if kind == "IMPORT":
            raise ValidationError(
                "Gatepost does not support the change set type IMPORT: create resources with the stack"
            )
        records = self._records(call)
        if kind == "CREATE":
            stack = await self._under_review(call, params["StackName"], stack, records)
        else:
            stack = self._updatable(params["StackName"], stack)
        standing = await records.change_sets(stack)
        # A name made of the time in seconds, as the AWS CLI makes it, comes twice where deployments take less.
        if any(other.name == name and other.execution_status != "UNAVAILABLE" for other in standing):
            raise AlreadyExistsException(
                f"ChangeSet {name} cannot be created due to a mismatch with existing attribute"
            )
        if len(standing) >= CHANGE_SETS_MAX:
            raise LimitExceededException(f"A stack has at most {CHANGE_SETS_MAX} change sets")
        request = await request_of(
            call, params, self._assets, None if stack.status == "REVIEW_IN_PROGRESS" else stack, declared
        )
        prepared = await self._engine.prepare(call, stack, request)
        check_capabilities(prepared, request.capabilities, is_reviewed=True)
        is_empty = prepared.is_unchanged and stack.status in UPDATABLE
        change_set = ChangeSet(
            id=self._id(call, stack, name),
            name=name,
            stack_id=stack.id,
            stack_name=stack.name,
            type=kind,
            status="FAILED" if is_empty else "CREATE_COMPLETE",
            # AWS leaves the reason of one that is complete empty; ours says what will not be enforced.
            status_reason=NO_CHANGES if is_empty else "\n".join(prepared.warnings),
            execution_status="UNAVAILABLE" if is_empty else "AVAILABLE",
            created_at_ms=call.now_ms,
            request=asdict(request),
            description=params.get("Description", ""),
            parameters=[dict(parameter) for parameter in prepared.parameters],
            changes=[dict(change) for change in prepared.changes],
            includes_nested_stacks=bool(params.get("IncludeNestedStacks", False)),
            on_stack_failure=params.get("OnStackFailure", ""),
        )
        if stack.request is None and await records.find(stack.name) is None:
            await records.create(stack)
        await records.save_change_set(stack, change_set)
        return {"Id": change_set.id, "StackId": stack.id}

    def _id(self, call: Call, stack: Stack, name: str) -> str:
        text = stable_id(stack.uuid, name, str(call.now_ms), length=32, alphabet=HEX)
        uuid = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        return call.arn(f"changeSet/{name}/{uuid}", service="cloudformation")

    async def _under_review(self, call: Call, name: str, stack: Stack | None, records: StackRecords) -> Stack:
        if stack is not None and stack.status != "REVIEW_IN_PROGRESS":
            raise ValidationError(
                f"Stack [{name}] already exists and cannot be created again with the changeSet [{name}]."
            )
        if stack is not None:
            return stack
        check_stack_name(name)
        return Stack(
            id=await records.new_id(name),
            name=name,
            status="REVIEW_IN_PROGRESS",
            status_reason="User Initiated",
            created_at_ms=call.now_ms,
        )

    def _updatable(self, name: str, stack: Stack | None) -> Stack:
        if stack is None or stack.is_deleted:
            raise ValidationError(f"Stack [{name}] does not exist")
        if stack.status not in UPDATABLE | UPDATABLE_AFTER_FAILURE:
            raise ValidationError(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        return stack

    async def find(self, call: Call, params: Mapping[str, Any]) -> tuple[Stack, ChangeSet]:
        """Give a change set by its id, or by its name and its stack's.

        Raises: ValidationError, ChangeSetNotFoundException.
        """
        wanted = params["ChangeSetName"]
        records = self._records(call)
        if wanted.startswith("arn:"):
            stacks = [stack for stack in await records.stacks() if not stack.is_deleted]
        else:
            if not params.get("StackName"):
                raise ValidationError("StackName must be specified if ChangeSetName is not specified as an ARN.")
            stack = await records.find(params["StackName"])
            if stack is None:
                raise ValidationError(f"Stack [{params['StackName']}] does not exist")
            stacks = [stack]
        for stack in stacks:
            for change_set in await records.change_sets(stack):
                if wanted in (change_set.id, change_set.name):
                    return stack, change_set
        raise ChangeSetNotFoundException(f"ChangeSet [{wanted}] does not exist")

    async def describe(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a change set with a page of its changes."""
        _, change_set = await self.find(call, params)
        changes, rest = page_of(change_set.changes, params)
        return {**shown_change_set(change_set), "Changes": changes, **rest}

    async def execute(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Carry a change set out; the stack's other change sets are gone then.

        Raises: InvalidChangeSetStatusException, ChangeSetNotFoundException, ValidationError.
        """
        stack, change_set = await self.find(call, params)
        if change_set.execution_status != "AVAILABLE":
            raise InvalidChangeSetStatusException(
                f"ChangeSet [{change_set.id}] cannot be executed in its current status of [{change_set.status}]"
            )
        records = self._records(call)
        request = StackRequest.from_json(change_set.request)
        if "DisableRollback" in params:
            request = replace(request, is_rollback_disabled=bool(params["DisableRollback"]))
        if params.get("RetainExceptOnCreate"):
            request = replace(request, retain_except_on_create=True)
        request = replace(request, token=str(params.get("ClientRequestToken", "")))
        if change_set.on_stack_failure:
            action = {"ROLLBACK": "", "DELETE": "DELETE", "DO_NOTHING": "DO_NOTHING"}[change_set.on_stack_failure]
            request = replace(request, on_failure=action, is_rollback_disabled=action == "DO_NOTHING")
        if change_set.type == "UPDATE":
            self._updatable(stack.name, stack)
        elif stack.status != "REVIEW_IN_PROGRESS":
            raise InvalidChangeSetStatusException(f"Stack [{stack.name}] is in {stack.status} and was created already")
        for other in await records.change_sets(stack):
            await records.drop_change_set(stack, other)
        executed = replace(change_set, execution_status="EXECUTE_COMPLETE")
        await records.save_change_set(stack, executed)
        if change_set.type == "UPDATE":
            request = replace(request, update_policy=stack.policy)
            await begin_update(records, stack, request, call, self._engine, change_set_id=change_set.id)
            return {}
        running = Running("create", "forward", asdict(request), asdict(call.principal))
        created = replace(
            stack,
            status="CREATE_IN_PROGRESS",
            status_reason="User Initiated",
            request=asdict(request),
            parameters=change_set.parameters,
            running=asdict(running),
            change_set_id=change_set.id,
        )
        await begin(records, created, self._engine, call)
        return {}

    async def delete(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Throw a change set away; one that is not there is fine."""
        try:
            stack, change_set = await self.find(call, params)
        except ChangeSetNotFoundException:
            return {}
        await self._records(call).drop_change_set(stack, change_set)
        return {}

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """List a stack's change sets."""
        records = self._records(call)
        stack = await records.find(params["StackName"])
        if stack is None:
            raise ValidationError(f"Stack [{params['StackName']}] does not exist")
        members = (
            "StackId",
            "StackName",
            "ChangeSetId",
            "ChangeSetName",
            "ExecutionStatus",
            "Status",
            "StatusReason",
            "CreationTime",
            "Description",
            "IncludeNestedStacks",
        )
        shown = []
        for change_set in await records.change_sets(stack):
            whole = shown_change_set(change_set)
            shown.append({member: whole[member] for member in members if member in whole})
        items, rest = page_of(shown, params)
        return {"Summaries": items, **rest}
