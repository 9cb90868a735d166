"""AWS::Events types by EventBridge's operations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.errors import ServiceError
from gatepost.services.events.buses import bus_name
from gatepost.services.events.model import DEFAULT_BUS
from gatepost.templates.resources.base import Outcome, ResourceFailure, ResourceHandler, Work
from gatepost.templates.resources.changes import GONE_CODES, Unnamed, json_text, present, unless_gone

BETWEEN: Final = "|"  # AWS's sign between bus and rule in the physical id of a rule that is not on the default bus


class Rule(Unnamed):
    """AWS::Events::Rule."""

    name_property = "Name"

    async def create(self, work: Work) -> Outcome:
        """Make the rule with its targets."""
        name = work.name("Name", length_max=64)
        return await self._put(work, _physical_id(work, name), is_new=True)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change the rule and its targets."""
        return await self._put(work, physical_id, is_new=False)

    async def _put(self, work: Work, physical_id: str, *, is_new: bool) -> Outcome:
        properties = work.properties
        named = _named(physical_id)
        await work.initiated(physical_id)
        pattern = properties.get("EventPattern")
        rule = present(
            Name=named["Rule"],
            EventBusName=named.get("EventBusName"),
            ScheduleExpression=properties.get("ScheduleExpression"),
            EventPattern=json_text(pattern) if pattern is not None else None,
            State=properties.get("State"),
            Description=properties.get("Description"),
            RoleArn=properties.get("RoleArn"),
            Tags=properties.get("Tags") if is_new else None,
        )
        arn = (await work.invoke("events", "PutRule", rule))["RuleArn"]
        await work.made(physical_id)
        targets = properties.get("Targets") or []
        ids = {str(target["Id"]) for target in targets}
        gone = [str(target["Id"]) for target in work.before.get("Targets") or [] if str(target["Id"]) not in ids]
        if gone:
            await work.invoke("events", "RemoveTargets", {**named, "Ids": gone})
        if targets:
            answer = await work.invoke("events", "PutTargets", {**named, "Targets": targets})
            if answer.get("FailedEntryCount"):
                raise ResourceFailure(f"Targets of {physical_id} failed: {answer['FailedEntries']}")
        if not is_new and work.changed("Tags"):
            await change_tags(work, "events", arn)
        return Outcome(physical_id, {"Arn": arn, "RuleName": named["Rule"]})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the rule with its targets."""
        named = _named(physical_id)
        try:
            found: dict[str, Any] = await work.invoke("events", "ListTargetsByRule", named)
        except ServiceError as fault:
            if fault.code in GONE_CODES:
                return
            raise
        ids = [target["Id"] for target in found["Targets"]]
        if ids:
            await unless_gone(work.invoke("events", "RemoveTargets", {**named, "Ids": ids}))
        deletion = {"Name": named["Rule"]} | {key: value for key, value in named.items() if key != "Rule"}
        await unless_gone(work.invoke("events", "DeleteRule", deletion))


def _physical_id(work: Work, name: str) -> str:
    bus = bus_name(work.properties.get("EventBusName"))
    return name if bus == DEFAULT_BUS else f"{bus}{BETWEEN}{name}"


def _named(physical_id: str) -> dict[str, str]:
    """Give the parameters that name a rule."""
    bus, between, name = physical_id.rpartition(BETWEEN)
    return {"Rule": name, "EventBusName": bus} if between else {"Rule": name}


async def change_tags(work: Work, service: str, arn: str) -> None:
    """Bring the tags of what has an ARN from those before to those declared."""
    tags = {str(tag["Key"]): str(tag["Value"]) for tag in work.properties.get("Tags") or []}
    gone = [str(tag["Key"]) for tag in work.before.get("Tags") or [] if str(tag["Key"]) not in tags]
    if gone:
        await work.invoke(service, "UntagResource", {"ResourceARN": arn, "TagKeys": gone})
    if tags:
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        await work.invoke(service, "TagResource", {"ResourceARN": arn, "Tags": listed})


class EventBus(Unnamed):
    """AWS::Events::EventBus."""

    name_property = "Name"

    async def create(self, work: Work) -> Outcome:
        """Make the bus, with its policy."""
        properties = work.properties
        name = str(properties["Name"])
        await work.initiated(name)
        bus = present(Name=name, Description=properties.get("Description"), Tags=properties.get("Tags"))
        arn = (await work.invoke("events", "CreateEventBus", bus))["EventBusArn"]
        await work.made(name)
        await self._allow(work, name)
        return Outcome(name, {"Arn": arn, "Name": name})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change description, policy and tags."""
        description = work.properties.get("Description", "")
        answer = await work.invoke("events", "UpdateEventBus", {"Name": physical_id, "Description": description})
        if work.changed("Policy"):
            await self._allow(work, physical_id)
        if work.changed("Tags"):
            await change_tags(work, "events", answer["Arn"])
        return Outcome(physical_id, {"Arn": answer["Arn"], "Name": physical_id})

    async def _allow(self, work: Work, name: str) -> None:
        policy = work.properties.get("Policy")
        if policy:
            await work.invoke("events", "PutPermission", {"EventBusName": name, "Policy": json_text(policy)})
        elif work.before.get("Policy"):
            await work.invoke("events", "RemovePermission", {"EventBusName": name, "RemoveAllPermissions": True})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the bus."""
        await unless_gone(work.invoke("events", "DeleteEventBus", {"Name": physical_id}))


class EventBusPolicy(Unnamed):
    """AWS::Events::EventBusPolicy: one statement of a bus's policy."""

    name_property = "StatementId"

    async def create(self, work: Work) -> Outcome:
        """Add the statement."""
        properties = work.properties
        physical_id = str(properties["StatementId"])
        await work.initiated(physical_id)
        if properties.get("Statement"):
            await self._merge(work, properties["Statement"])
        else:
            names = ("Action", "Principal", "StatementId", "Condition")
            statement = {name: properties[name] for name in names if properties.get(name)}
            await work.invoke("events", "PutPermission", {**_bus(properties), **statement})
        return Outcome(physical_id)

    async def _merge(self, work: Work, given: Any) -> None:
        statement = json.loads(given) if isinstance(given, str) else dict(given)
        bus = _bus(work.properties)
        found = await work.invoke("events", "DescribeEventBus", {"Name": bus.get("EventBusName", DEFAULT_BUS)})
        statement["Sid"] = str(work.properties["StatementId"])
        held = json.loads(found["Policy"])["Statement"] if found.get("Policy") else []
        kept = [one for one in held if one.get("Sid") != statement["Sid"]]
        policy = {"Version": "2012-10-17", "Statement": [*kept, statement]}
        await work.invoke("events", "PutPermission", {**bus, "Policy": json.dumps(policy)})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Replace the statement."""
        del physical_id
        return await self.create(work)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Take the statement away."""
        named = {**_bus(work.properties), "StatementId": physical_id}
        await unless_gone(work.invoke("events", "RemovePermission", named))


def _bus(properties: Mapping[str, Any]) -> dict[str, str]:
    return present(EventBusName=properties.get("EventBusName"))


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of this service by type."""
    return {
        "AWS::Events::EventBus": EventBus(),
        "AWS::Events::EventBusPolicy": EventBusPolicy(),
        "AWS::Events::Rule": Rule(),
    }
