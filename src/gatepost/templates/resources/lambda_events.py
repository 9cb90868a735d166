"""AWS::Lambda::EventInvokeConfig and AWS::Lambda::EventSourceMapping by Lambda's operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.templates.resources.base import Outcome, Work
from gatepost.templates.resources.changes import Unnamed, present, unless_gone

_MAPPING_CREATE_ONLY: Final = frozenset({"EventSourceArn", "StartingPosition", "StartingPositionTimestamp"})
_MAPPING_DEFAULTS: Final[Mapping[str, Any]] = {
    "BatchSize": 100,
    "BisectBatchOnFunctionError": False,
    "DestinationConfig": {"OnFailure": {"Destination": ""}},
    "Enabled": True,
    "FilterCriteria": {"Filters": []},
    "FunctionResponseTypes": [],
    "MaximumBatchingWindowInSeconds": 0,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "ParallelizationFactor": 1,
}


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


class EventSourceMapping(Unnamed):
    """AWS::Lambda::EventSourceMapping."""

    async def create(self, work: Work) -> Outcome:
        """Map the source to the function."""
        made = await work.invoke("lambda", "CreateEventSourceMapping", dict(work.properties))
        await work.made(made["UUID"])
        return _mapped(made)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change the mapping; what is not declared any more goes back to AWS's default."""
        gone = {name: _MAPPING_DEFAULTS[name] for name in work.before if name in _MAPPING_DEFAULTS}
        given = {name: value for name, value in work.properties.items() if name not in _MAPPING_CREATE_ONLY}
        parameters = {**gone, **given, "UUID": physical_id}
        return _mapped(await work.invoke("lambda", "UpdateEventSourceMapping", parameters))

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the mapping."""
        await unless_gone(work.invoke("lambda", "DeleteEventSourceMapping", {"UUID": physical_id}))


def _mapped(made: Mapping[str, Any]) -> Outcome:
    attributes = {"Id": made["UUID"], "EventSourceMappingArn": made["EventSourceMappingArn"]}
    return Outcome(made["UUID"], attributes)


def named(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Give the parameters that name a function and its qualifier. A whole ARN has its qualifier in it, if any."""
    name, qualifier = str(properties["FunctionName"]), str(properties.get("Qualifier", ""))
    return {"FunctionName": name, "Qualifier": qualifier} if qualifier else {"FunctionName": name}
