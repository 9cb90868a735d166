"""AWS::Events::Rule by EventBridge's operations."""

from __future__ import annotations

from typing import Any

from gatepost.kernel.errors import ServiceError
from gatepost.templates.resources.base import Outcome, ResourceFailure, ResourceHandler, Work
from gatepost.templates.resources.changes import GONE_CODES, Unnamed, present, unless_gone


class Rule(Unnamed):
    """AWS::Events::Rule."""

    name_property = "Name"

    async def create(self, work: Work) -> Outcome:
        """Make the rule with its targets."""
        return await self._put(work, work.name("Name", length_max=64), is_new=True)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change the rule and its targets."""
        return await self._put(work, physical_id, is_new=False)

    async def _put(self, work: Work, name: str, *, is_new: bool) -> Outcome:
        properties = work.properties
        await work.initiated(name)
        rule = present(
            Name=name,
            ScheduleExpression=properties.get("ScheduleExpression"),
            EventPattern=properties.get("EventPattern"),
            State=properties.get("State"),
            Description=properties.get("Description"),
            Tags=properties.get("Tags") if is_new else None,
        )
        arn = (await work.invoke("events", "PutRule", rule))["RuleArn"]
        await work.made(name)
        targets = properties.get("Targets") or []
        ids = {str(target["Id"]) for target in targets}
        gone = [str(target["Id"]) for target in work.before.get("Targets") or [] if str(target["Id"]) not in ids]
        if gone:
            await work.invoke("events", "RemoveTargets", {"Rule": name, "Ids": gone})
        if targets:
            answer = await work.invoke("events", "PutTargets", {"Rule": name, "Targets": targets})
            if answer.get("FailedEntryCount"):
                raise ResourceFailure(f"Targets of {name} failed: {answer['FailedEntries']}")
        if not is_new and work.changed("Tags"):
            await self._tag(work, arn)
        return Outcome(name, {"Arn": arn})

    async def _tag(self, work: Work, arn: str) -> None:
        tags = {str(tag["Key"]): str(tag["Value"]) for tag in work.properties.get("Tags") or []}
        gone = [str(tag["Key"]) for tag in work.before.get("Tags") or [] if str(tag["Key"]) not in tags]
        if gone:
            await work.invoke("events", "UntagResource", {"ResourceARN": arn, "TagKeys": gone})
        if tags:
            listed = [{"Key": key, "Value": value} for key, value in tags.items()]
            await work.invoke("events", "TagResource", {"ResourceARN": arn, "Tags": listed})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the rule with its targets."""
        try:
            found: dict[str, Any] = await work.invoke("events", "ListTargetsByRule", {"Rule": physical_id})
        except ServiceError as fault:
            if fault.code in GONE_CODES:
                return
            raise
        ids = [target["Id"] for target in found["Targets"]]
        if ids:
            await unless_gone(work.invoke("events", "RemoveTargets", {"Rule": physical_id, "Ids": ids}))
        await unless_gone(work.invoke("events", "DeleteRule", {"Name": physical_id}))


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of this service by type."""
    return {"AWS::Events::Rule": Rule()}
