"""AWS::Lambda::EventInvokeConfig by Lambda's operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.templates.resources.base import Outcome, Work
from gatepost.templates.resources.changes import Unnamed, present, unless_gone


class EventInvokeConfig(Unnamed):
    """AWS::Lambda::EventInvokeConfig: one for each qualifier of a function."""

    async def create(self, work: Work) -> Outcome:
        """Set the configuration."""
        return await self._put(work, work.stable())

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Set the configuration as it is now."""
        return await self._put(work, physical_id)

    async def _put(self, work: Work, physical_id: str) -> Outcome:
        properties = work.properties
        await work.initiated(physical_id)
        given = present(
            MaximumRetryAttempts=properties.get("MaximumRetryAttempts"),
            MaximumEventAgeInSeconds=properties.get("MaximumEventAgeInSeconds"),
            DestinationConfig=properties.get("DestinationConfig"),
        )
        await work.invoke("lambda", "PutFunctionEventInvokeConfig", {**named(properties), **given})
        return Outcome(physical_id)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Go back to the defaults."""
        del physical_id
        await unless_gone(work.invoke("lambda", "DeleteFunctionEventInvokeConfig", named(work.properties)))


def named(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Give the parameters that name a function and its qualifier. A whole ARN has its qualifier in it, if any."""
    name, qualifier = str(properties["FunctionName"]), str(properties.get("Qualifier", ""))
    return {"FunctionName": name, "Qualifier": qualifier} if qualifier else {"FunctionName": name}
