"""AWS::CloudFormation::Stack by CloudFormation's own operations, and what has a name here and nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.errors import ServiceError
from gatepost.templates.asset_files import asset_of
from gatepost.templates.resources.base import Outcome, ResourceFailure, ResourceHandler, Work
from gatepost.templates.resources.changes import Unnamed, present, tag_map
from gatepost.templates.stack_tags import nested_tags

POLL_S: Final = 0.2
POLLS_MAX: Final = 5 * 3600 * 4  # four hours
NO_UPDATES: Final = "No updates are to be performed."
NO_STACK: Final = "does not exist"


class NestedStack(Unnamed):
    """AWS::CloudFormation::Stack: a stack of its own that lives and dies with its parent."""

    async def create(self, work: Work) -> Outcome:
        """Create the stack and wait for it."""
        name = work.name("", length_max=128)
        made = await work.invoke(
            "cloudformation",
            "CreateStack",
            {
                **_parameters(work),
                "StackName": name,
                "OnFailure": "DO_NOTHING" if work.is_rollback_disabled else "ROLLBACK",
            },
        )
        await work.made(made["StackId"])
        return await self._settled(work, made["StackId"], "CREATE_COMPLETE")

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Update the stack and wait for it; one without changes is fine."""
        parameters = {**_parameters(work), "StackName": physical_id}
        try:
            await work.invoke("cloudformation", "UpdateStack", parameters)
        except ServiceError as fault:
            if fault.message != NO_UPDATES:
                raise
            stack = await self._stack(work, physical_id)
            return Outcome(physical_id, _outputs(stack))
        return await self._settled(work, physical_id, "UPDATE_COMPLETE")

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the stack and wait until it is gone."""
        await work.invoke("cloudformation", "DeleteStack", {"StackName": physical_id})
        for _ in range(POLLS_MAX):
            try:
                stack = await self._stack(work, physical_id)
            except ServiceError as fault:
                if NO_STACK in fault.message:
                    return
                raise
            if stack["StackStatus"] == "DELETE_COMPLETE":
                return
            if stack["StackStatus"] == "DELETE_FAILED":
                raise ResourceFailure(f"Embedded stack {physical_id} was not successfully deleted: {_reason(stack)}")
            await work.pause(POLL_S)
        raise ResourceFailure(f"Embedded stack {physical_id} is still being deleted")

    async def _settled(self, work: Work, stack_id: str, wanted: str) -> Outcome:
        verb = "created" if wanted.startswith("CREATE") else "updated"
        for _ in range(POLLS_MAX):
            stack = await self._stack(work, stack_id)
            status = stack["StackStatus"]
            if status == wanted:
                return Outcome(stack_id, _outputs(stack))
            if not status.endswith("_IN_PROGRESS"):
                raise ResourceFailure(f"Embedded stack {stack_id} was not successfully {verb}: {_reason(stack)}")
            await work.pause(POLL_S)
        raise ResourceFailure(f"Embedded stack {stack_id} was not {verb} in time")

    async def _stack(self, work: Work, stack_id: str) -> dict[str, Any]:
        found = await work.invoke("cloudformation", "DescribeStacks", {"StackName": stack_id})
        stack: dict[str, Any] = found["Stacks"][0]
        return stack


def _parameters(work: Work) -> dict[str, Any]:
    properties = work.properties
    parameters = [
        {"ParameterKey": key, "ParameterValue": _value(value)}
        for key, value in (properties.get("Parameters") or {}).items()
    ]
    found = asset_of(str(properties["TemplateURL"]))
    tags = {**tag_map(properties), **nested_tags(work.stack_tags, file=found[1] if found else "")}
    # A child's template may declare transforms and name roles: who could deploy the parent has said so.
    return present(
        TemplateURL=properties["TemplateURL"],
        Parameters=parameters or None,
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()] or None,
        Capabilities=sorted({*work.capabilities, "CAPABILITY_AUTO_EXPAND"}),
        NotificationARNs=properties.get("NotificationARNs"),
        TimeoutInMinutes=properties.get("TimeoutInMinutes"),
    )


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_value, value))
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _outputs(stack: Mapping[str, Any]) -> dict[str, str]:
    outputs = {f"Outputs.{output['OutputKey']}": output["OutputValue"] for output in stack.get("Outputs", [])}
    return {"StackId": stack["StackId"], **outputs}


def _reason(stack: Mapping[str, Any]) -> str:
    return str(stack.get("StackStatusReason") or f"it is {stack['StackStatus']}")


class Named(Unnamed):
    """A resource that exists by name only: inert types, and gaps that the operator has accepted."""

    async def create(self, work: Work) -> Outcome:
        """Give a name, and an ARN in AWS's form."""
        name = work.name("", length_max=128)
        await work.initiated(name)
        return Outcome(name, self._attributes(work, name))

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Give the same again."""
        return Outcome(physical_id, self._attributes(work, physical_id))

    async def delete(self, work: Work, physical_id: str) -> None:
        """There is nothing to delete."""
        del work, physical_id

    def _attributes(self, work: Work, name: str) -> dict[str, str]:
        parts = work.type.split("::")
        service, noun = (parts[1].lower(), parts[2].lower()) if len(parts) == 3 else ("cloudformation", "resource")
        return {"Arn": f"arn:aws:{service}:{work.region}:{work.account_id}:{noun}/{name}"}


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of this service by type."""
    return {"AWS::CDK::Metadata": Named(), "AWS::CloudFormation::Stack": NestedStack()}
