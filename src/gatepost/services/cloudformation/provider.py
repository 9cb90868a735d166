"""The CloudFormation operations on stacks. What they ask for is carried out by the template engine.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.limits import CLOUDFORMATION_OUTPUTS_MAX
from gatepost.kernel.operations import Access, Call, operation
from gatepost.kernel.ports import Assets
from gatepost.services.cloudformation.absent import AbsentOperations
from gatepost.services.cloudformation.access import access_of
from gatepost.services.cloudformation.change_sets import ChangeSets
from gatepost.services.cloudformation.engine import StackEngine
from gatepost.services.cloudformation.model import (
    UPDATABLE,
    AlreadyExistsException,
    Running,
    Stack,
    StackRequest,
    ValidationError,
)
from gatepost.services.cloudformation.records import StackRecords
from gatepost.services.cloudformation.requests import (
    check_capabilities,
    refuse_unsupported,
    request_of,
    template_text,
)
from gatepost.services.cloudformation.shapes import (
    events_page,
    page_of,
    shown_resource,
    shown_stack,
    shown_summary,
)
from gatepost.services.cloudformation.stack_policy import given_policy
from gatepost.services.cloudformation.stack_start import (
    begin,
    begin_update,
    check_stack_name,
    check_updatable,
    stack_event,
)
from gatepost.storage.base import Records

NO_UPDATES = "No updates are to be performed."


def not_found(name: str) -> ValidationError:
    """Give AWS's error for a stack that does not exist."""
    return ValidationError(f"Stack with id {name} does not exist")


class CloudFormation(AbsentOperations):
    """The operations of CloudFormation."""

    service = "cloudformation"

    def __init__(self, *, records: Records, assets: Assets, engine: StackEngine) -> None:
        self._store = records
        self._assets = assets
        self._engine = engine
        self._change_sets = ChangeSets(records=records, assets=assets, engine=engine)

    def access(self, call: Call, params: Mapping[str, Any]) -> Sequence[Access]:
        """Say which stack a call touches."""
        return access_of(call, params)

    def _records(self, call: Call) -> StackRecords:
        return StackRecords(self._store, call.account_id, call.region)

    async def _stack(self, call: Call, name: str) -> Stack:
        """Give a stack that is there. Raises: ValidationError."""
        stack = await self._records(call).find(name)
        if stack is None:
            raise not_found(name)
        return stack

    async def _declared(self, call: Call, params: Mapping[str, Any], previous: Stack | None) -> frozenset[str]:
        """Give the names of the template's parameters, where previous values are asked for."""
        if not any(parameter.get("UsePreviousValue") for parameter in params.get("Parameters", [])):
            return frozenset()
        if params.get("UsePreviousTemplate"):
            return frozenset((previous.request or {}).get("parameters", {})) if previous else frozenset()
        summary = await self._engine.summarize(call, await template_text(params, self._assets))
        return frozenset(str(parameter["ParameterKey"]) for parameter in summary.parameters)

    # Stacks: changing them.

    @operation("CreateStack")
    async def create_stack(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Create a stack. What its template refuses is refused at once; the rest goes to its events.

        Raises: ValidationError, AlreadyExistsException, InsufficientCapabilitiesException.
        """
        name = params["StackName"]
        check_stack_name(name)
        if "OnFailure" in params and "DisableRollback" in params:
            raise ValidationError("You can specify either DisableRollback or OnFailure, but not both")
        records = self._records(call)
        standing = await records.find(name)
        if standing is not None:
            return self._created_before(standing, params)
        request = await request_of(call, params, self._assets, None, frozenset())
        if params.get("OnFailure") == "DO_NOTHING":
            request = replace(request, is_rollback_disabled=True)
        parent = self._engine.parent_of(call, name)
        if parent is not None:
            above = StackRequest.from_json((parent.running or {}).get("request") or parent.request or {})
            root = above.root_id or parent.id
            request = replace(request, parent_id=parent.id, root_id=root, depth=above.depth + 1)
        stack = Stack(
            id=await records.new_id(name),
            name=name,
            status="CREATE_IN_PROGRESS",
            created_at_ms=call.now_ms,
            is_protected=bool(params.get("EnableTerminationProtection", False)),
            policy=given_policy(params, "StackPolicyBody", "StackPolicyURL"),
        )
        prepared = await self._engine.prepare(call, stack, request)
        check_capabilities(prepared, request.capabilities, is_reviewed=False)
        running = Running("create", "forward", asdict(request), asdict(call.principal))
        stack = replace(
            stack,
            request=asdict(request),
            running=asdict(running),
            description=prepared.description,
            parameters=[dict(parameter) for parameter in prepared.parameters],
            status_reason="User Initiated",
        )
        try:
            await records.create(stack)
        except VersionConflict as conflict:
            raise AlreadyExistsException(f"Stack [{name}] already exists") from conflict
        await begin(records, stack, self._engine, call)
        return {"StackId": stack.id}

    def _created_before(self, standing: Stack, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a repeated creation with the same token. Raises: AlreadyExistsException."""
        token = params.get("ClientRequestToken")
        request = (standing.running or {}).get("request") or standing.request or {}
        if token and request.get("token") == token:
            return {"StackId": standing.id}
        raise AlreadyExistsException(f"Stack [{standing.name}] already exists")

    @operation("UpdateStack")
    async def update_stack(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Update a stack to a template and parameters.

        Raises: ValidationError, InsufficientCapabilitiesException.
        """
        records = self._records(call)
        stack = await self._named(call, params, "UpdateStack")
        check_updatable(stack)
        declared = await self._declared(call, params, stack)
        request = await request_of(call, params, self._assets, stack, declared)
        prepared = await self._engine.prepare(call, stack, request)
        check_capabilities(prepared, request.capabilities, is_reviewed=False)
        if prepared.is_unchanged and stack.status in UPDATABLE:
            raise ValidationError(NO_UPDATES)
        policy = given_policy(params, "StackPolicyBody", "StackPolicyURL") or stack.policy
        await begin_update(records, stack, request, call, self._engine, policy=policy)
        return {"StackId": stack.id}

    @operation("DeleteStack")
    async def delete_stack(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Delete a stack; one that is not there is fine. Raises: ValidationError."""
        refuse_unsupported(params)
        records = self._records(call)
        stack = await records.find(params["StackName"])
        if stack is None or stack.is_deleted or stack.status == "DELETE_IN_PROGRESS":
            return {}
        if stack.is_protected:
            raise ValidationError(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        if stack.status == "REVIEW_IN_PROGRESS":
            gone = replace(stack, status="DELETE_COMPLETE", status_reason="", deleted_at_ms=call.now_ms)
            sequence = await records.next_sequence(gone)
            await records.bury(gone, sequence, stack_event(gone, sequence, call.now_ms))
            return {}
        if stack.is_busy:
            raise ValidationError(f"Stack [{stack.name}] cannot be deleted while in status {stack.status}")
        retain = tuple(params.get("RetainResources", ()))
        if retain and stack.status != "DELETE_FAILED":
            raise ValidationError(
                f"Invalid operation on stack [{stack.id}]. RetainResources works only for stacks in DELETE_FAILED"
            )
        for name, (owner, _) in (await records.exports()).items():
            users = await records.importers(name) if owner == stack.id else []
            if users:
                raise ValidationError(
                    f"Delete canceled. Cannot delete export {name} as it is in use by {', '.join(users)}."
                )
        request = StackRequest.from_json(stack.request or asdict(StackRequest("")))
        if params.get("RoleARN"):
            request = replace(request, role_arn=params["RoleARN"])
        request = replace(request, token=str(params.get("ClientRequestToken", "")))
        running = Running("delete", "delete", asdict(request), asdict(call.principal), retain=retain)
        stack = replace(stack, status="DELETE_IN_PROGRESS", status_reason="User Initiated", running=asdict(running))
        await begin(records, stack, self._engine, call)
        return {}

    @operation("CancelUpdateStack")
    async def cancel_update_stack(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Stop a running update and roll it back. Raises: ValidationError."""
        stack = await self._stack(call, params["StackName"])
        if stack.status != "UPDATE_IN_PROGRESS":
            raise ValidationError("CancelUpdateStack cannot be called from current stack status")
        self._engine.cancel(stack)
        return {}

    @operation("ContinueUpdateRollback")
    async def continue_update_rollback(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Try again to roll an update back. Raises: ValidationError."""
        stack = await self._stack(call, params["StackName"])
        for name in ("ResourcesToSkip", "ForceRollback"):
            if params.get(name):
                raise ValidationError(f"Gatepost does not support {name}: repair the resource and continue")
        if stack.status != "UPDATE_ROLLBACK_FAILED" or stack.running is None:
            raise ValidationError(f"Stack:{stack.id} is in {stack.status} state and can not be rolled back")
        running = {**stack.running, "phase": "rollback", "principal": asdict(call.principal)}
        if params.get("RoleARN"):
            running["request"] = {**running["request"], "role_arn": params["RoleARN"]}
        stack = replace(stack, status="UPDATE_ROLLBACK_IN_PROGRESS", status_reason="", running=running)
        await begin(self._records(call), stack, self._engine, call)
        return {}

    @operation("RollbackStack")
    async def rollback_stack(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Roll back a stack whose creation or update failed with rollback disabled. Raises: ValidationError."""
        refuse_unsupported(params)
        stack = await self._stack(call, params["StackName"])
        kinds = {
            "CREATE_FAILED": ("create", "ROLLBACK_IN_PROGRESS"),
            "UPDATE_FAILED": ("update", "UPDATE_ROLLBACK_IN_PROGRESS"),
        }
        if stack.status not in kinds:
            raise ValidationError(f"Stack:{stack.id} is in {stack.status} state and can not be rolled back")
        kind, status = kinds[stack.status]
        request = StackRequest.from_json(stack.request or asdict(StackRequest("")))
        if params.get("RetainExceptOnCreate"):
            request = replace(request, retain_except_on_create=True)
        running = Running(kind, "rollback", asdict(request), asdict(call.principal))
        stack = replace(stack, status=status, status_reason="User Initiated", running=asdict(running))
        await begin(self._records(call), stack, self._engine, call)
        return {"StackId": stack.id}

    @operation("UpdateTerminationProtection")
    async def update_termination_protection(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Protect a stack against deletion, or stop to. Raises: ValidationError."""
        stack = await self._stack(call, params["StackName"])
        if stack.is_busy:
            raise ValidationError(f"Stack [{stack.name}] is in {stack.status}: try again when it has settled")
        if stack.request and stack.request.get("parent_id"):
            raise ValidationError("Termination protection is set on the root stack, not on a nested one")
        await self._records(call).save(replace(stack, is_protected=params["EnableTerminationProtection"]))
        return {"StackId": stack.id}

    @operation("SetStackPolicy")
    async def set_stack_policy(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Say which resources updates may change. Raises: ValidationError."""
        stack = await self._stack(call, params["StackName"])
        policy = given_policy(params, "StackPolicyBody", "StackPolicyURL")
        if not policy:
            raise ValidationError("You must specify either StackPolicyBody or StackPolicyURL")
        if stack.is_busy:
            raise ValidationError(f"Stack [{stack.name}] is in {stack.status}: try again when it has settled")
        await self._records(call).save(replace(stack, policy=policy))
        return {}

    @operation("GetStackPolicy")
    async def get_stack_policy(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a stack's policy, where it has one. Raises: ValidationError."""
        stack = await self._stack(call, params["StackName"])
        return {"StackPolicyBody": stack.policy} if stack.policy else {}

    # Stacks: looking at them.

    @operation("DescribeStacks")
    async def describe_stacks(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Describe one stack, by name or id, or all that are not deleted. Raises: ValidationError."""
        if name := params.get("StackName"):
            return {"Stacks": [shown_stack(await self._stack(call, name))]}
        stacks = [stack for stack in await self._records(call).stacks() if not stack.is_deleted]
        items, rest = page_of([shown_stack(stack) for stack in stacks], params)
        return {"Stacks": items, **rest}

    @operation("ListStacks")
    async def list_stacks(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """List stacks, deleted ones too, newest first."""
        wanted = set(params.get("StackStatusFilter", ()))
        stacks = [stack for stack in await self._records(call).stacks() if not wanted or stack.status in wanted]
        items, rest = page_of([shown_summary(stack) for stack in stacks], params)
        return {"StackSummaries": items, **rest}

    @operation("DescribeStackEvents")
    async def describe_stack_events(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a stack's events, newest first. Raises: ValidationError."""
        stack = await self._named(call, params, "DescribeStackEvents")
        items, rest = events_page(await self._records(call).events(stack), params)
        return {"StackEvents": items, **rest}

    async def _named(self, call: Call, params: Mapping[str, Any], what: str) -> Stack:
        if not params.get("StackName"):
            raise ValidationError(f"{what} needs StackName")
        try:
            return await self._stack(call, params["StackName"])
        except ValidationError as missing:
            # These operations say it with brackets.
            raise ValidationError(f"Stack [{params['StackName']}] does not exist") from missing

    @operation("DescribeStackResources")
    async def describe_stack_resources(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Describe a stack's resources, found by stack or by a physical id. Raises: ValidationError."""
        physical_id, logical_id = params.get("PhysicalResourceId"), params.get("LogicalResourceId")
        if bool(params.get("StackName")) == bool(physical_id):
            raise ValidationError("Specify StackName or PhysicalResourceId, but not both")
        records = self._records(call)
        if physical_id:
            stack = await self._owner(call, physical_id)
        else:
            stack = await self._stack(call, params["StackName"])
        shown = [
            shown_resource(stack, resource)
            for resource in (await records.resources(stack)).values()
            if resource.current and logical_id in (None, resource.logical_id)
        ]
        if logical_id and not shown:
            raise ValidationError(f"Resource {logical_id} does not exist for stack {stack.name}")
        return {"StackResources": shown}

    async def _owner(self, call: Call, physical_id: str) -> Stack:
        records = self._records(call)
        for stack in await records.stacks():
            if not stack.is_deleted:
                resources = await records.resources(stack)
                if any(resource.physical_id == physical_id for resource in resources.values()):
                    return stack
        raise ValidationError(f"Stack for {physical_id} does not exist")

    @operation("DescribeStackResource")
    async def describe_stack_resource(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Describe one resource of a stack. Raises: ValidationError."""
        stack = await self._records(call).find(params["StackName"])
        if stack is None:
            raise ValidationError(f"Stack '{params['StackName']}' does not exist")
        resource = (await self._records(call).resources(stack)).get(params["LogicalResourceId"])
        if resource is None or resource.current is None:
            raise ValidationError(
                f"Resource {params['LogicalResourceId']} does not exist for stack {params['StackName']}"
            )
        return {"StackResourceDetail": shown_resource(stack, resource, time_member="LastUpdatedTimestamp")}

    @operation("ListStackResources")
    async def list_stack_resources(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """List a stack's resources. Raises: ValidationError."""
        stack = await self._stack(call, params["StackName"])
        shown = []
        for resource in (await self._records(call).resources(stack)).values():
            if resource.current:
                summary = shown_resource(stack, resource, time_member="LastUpdatedTimestamp")
                shown.append({key: value for key, value in summary.items() if key not in ("StackName", "StackId")})
        items, rest = page_of(shown, params)
        return {"StackResourceSummaries": items, **rest}

    # Templates.

    @operation("GetTemplate")
    async def get_template(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a stack's or change set's template as it was given, or after its transforms.

        Raises: ValidationError, ChangeSetNotFoundException.
        """
        if params.get("ChangeSetName"):
            stack, change_set = await self._change_sets.find(call, params)
            request = StackRequest.from_json(change_set.request)
        else:
            stack = await self._named(call, params, "GetTemplate")
            if stack.request is None:
                raise not_found(params["StackName"])
            request = StackRequest.from_json(stack.request)
        stages = ["Original", "Processed"]
        if params.get("TemplateStage") == "Processed":
            return {"TemplateBody": await self._engine.processed(call, stack, request), "StagesAvailable": stages}
        path = self._assets.path(request.template_sha256)
        if path is None:
            raise ValidationError("The template is gone")
        return {"TemplateBody": path.read_text(encoding="utf-8"), "StagesAvailable": stages}

    @operation("GetTemplateSummary")
    async def get_template_summary(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Say what a template or a stack's template declares. Raises: ValidationError."""
        if params.get("StackSetName"):
            raise ValidationError("Gatepost does not support StackSetName: name a stack or give a template")
        if params.get("CallAs", "SELF") != "SELF":
            raise ValidationError(
                "Gatepost does not support CallAs DELEGATED_ADMIN: there are no stack sets; leave it out"
            )
        if (params.get("TemplateSummaryConfig") or {}).get("TreatUnrecognizedResourceTypesAsWarnings"):
            raise ValidationError("Gatepost does not support TreatUnrecognizedResourceTypesAsWarnings: leave it out")
        if name := params.get("StackName"):
            stack = await self._stack(call, name)
            path = self._assets.path(str((stack.request or {}).get("template_sha256", "")))
            if path is None:
                raise not_found(name)
            text = path.read_text(encoding="utf-8")
        else:
            text = await template_text(params, self._assets)
        summary = await self._engine.summarize(call, text)
        shown: dict[str, Any] = {
            "Parameters": [dict(parameter) for parameter in summary.parameters],
            "ResourceTypes": list(summary.resource_types),
            "Capabilities": list(summary.capabilities),
            "DeclaredTransforms": list(summary.transforms),
            "Version": "2010-09-09",
        }
        optional = {
            "Description": summary.description,
            "CapabilitiesReason": summary.capabilities_reason,
            "Metadata": summary.metadata,
        }
        return {**shown, **{key: value for key, value in optional.items() if value}}

    @operation("ValidateTemplate")
    async def validate_template(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Check a template's shape and say what it declares. Raises: ValidationError."""
        summary = await self._engine.summarize(call, await template_text(params, self._assets))
        members = ("ParameterKey", "DefaultValue", "NoEcho", "Description")
        return {
            "Parameters": [
                {member: parameter[member] for member in members if member in parameter}
                for parameter in summary.parameters
            ],
            "Description": summary.description,
            "Capabilities": list(summary.capabilities),
            "CapabilitiesReason": summary.capabilities_reason,
            "DeclaredTransforms": list(summary.transforms),
        }

    @operation("DescribeAccountLimits")
    def describe_account_limits(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give the limits that templates are held to. Of stacks there may be any number."""
        del call
        limits = [{"Name": "StackOutputsLimit", "Value": CLOUDFORMATION_OUTPUTS_MAX}]
        items, rest = page_of(limits, params)
        return {"AccountLimits": items, **rest}

    # Exports.

    @operation("ListExports")
    async def list_exports(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """List the region's exports."""
        exports = await self._records(call).exports()
        shown: list[dict[str, Any]] = [
            {"ExportingStackId": owner, "Name": name, "Value": value} for name, (owner, value) in exports.items()
        ]
        items, rest = page_of(shown, params)
        return {"Exports": items, **rest}

    @operation("ListImports")
    async def list_imports(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """List the stacks that import an export. Raises: ValidationError."""
        users = await self._records(call).importers(params["ExportName"])
        if not users:
            raise ValidationError(f"Export '{params['ExportName']}' is not imported by any stack.")
        return {"Imports": users}

    # Change sets.

    @operation("CreateChangeSet")
    async def create_change_set(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Work out what a template would change. Raises: ValidationError, AlreadyExistsException."""
        records = self._records(call)
        stack = await records.find(params["StackName"])
        declared = await self._declared(call, params, stack)
        return await self._change_sets.create(call, params, stack, declared)

    @operation("DescribeChangeSet")
    async def describe_change_set(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a change set. Raises: ChangeSetNotFoundException, ValidationError."""
        return await self._change_sets.describe(call, params)

    @operation("ExecuteChangeSet")
    async def execute_change_set(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Carry a change set out. Raises: InvalidChangeSetStatusException, ChangeSetNotFoundException."""
        return await self._change_sets.execute(call, params)

    @operation("DeleteChangeSet")
    async def delete_change_set(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Delete a change set. Raises: InvalidChangeSetStatusException."""
        return await self._change_sets.delete(call, params)

    @operation("DescribeChangeSetHooks")
    async def describe_change_set_hooks(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give the hooks that a change set will call: there are none. Raises: ChangeSetNotFoundException."""
        if params.get("LogicalResourceId") or params.get("NextToken"):
            raise ValidationError("There are no hooks here, of which to choose or to go on")
        stack, change_set = await self._change_sets.find(call, params)
        return {
            "ChangeSetId": change_set.id,
            "ChangeSetName": change_set.name,
            "Hooks": [],
            "Status": "PLANNED",
            "StackId": stack.id,
            "StackName": stack.name,
        }

    @operation("ListChangeSets")
    async def list_change_sets(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """List a stack's change sets. Raises: ValidationError."""
        return await self._change_sets.list(call, params)
