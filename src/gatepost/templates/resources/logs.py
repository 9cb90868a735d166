"""AWS::Logs types by CloudWatch Logs' operations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from gatepost.templates.resources.base import Outcome, ResourceHandler, Work
from gatepost.templates.resources.changes import Unnamed, json_text, present, tag_changes, tag_map, unless_gone


class LogGroup(Unnamed):
    """AWS::Logs::LogGroup."""

    name_property = "LogGroupName"

    async def create(self, work: Work) -> Outcome:
        """Make the group and set its retention."""
        name = work.name("LogGroupName", length_max=512)
        await work.initiated(name)
        parameters = present(
            logGroupName=name, tags=tag_map(work.properties) or None, logGroupClass=work.properties.get("LogGroupClass")
        )
        await work.invoke("logs", "CreateLogGroup", parameters)
        await work.made(name)
        await self._retain(work, name)
        return self._outcome(work, name)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change retention and tags."""
        if work.changed("RetentionInDays"):
            await self._retain(work, physical_id)
        outcome = self._outcome(work, physical_id)
        arn = str(outcome.attributes["Arn"]).removesuffix(":*")
        added, gone = tag_changes(work.before, work.properties)
        if added:
            await work.invoke("logs", "TagResource", {"resourceArn": arn, "tags": added})
        if gone:
            await work.invoke("logs", "UntagResource", {"resourceArn": arn, "tagKeys": gone})
        return outcome

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the group with its events."""
        await unless_gone(work.invoke("logs", "DeleteLogGroup", {"logGroupName": physical_id}))

    async def _retain(self, work: Work, name: str) -> None:
        days: Any = work.properties.get("RetentionInDays")
        if days is not None:
            await work.invoke("logs", "PutRetentionPolicy", {"logGroupName": name, "retentionInDays": days})
        elif work.before.get("RetentionInDays") is not None:
            await unless_gone(work.invoke("logs", "DeleteRetentionPolicy", {"logGroupName": name}))

    def _outcome(self, work: Work, name: str) -> Outcome:
        return Outcome(name, {"Arn": f"arn:aws:logs:{work.region}:{work.account_id}:log-group:{name}:*"})


class LogStream(Unnamed):
    """AWS::Logs::LogStream."""

    name_property = "LogStreamName"

    async def create(self, work: Work) -> Outcome:
        """Make the stream."""
        name = work.name("LogStreamName", length_max=512)
        await work.initiated(name)
        parameters = {"logGroupName": work.properties["LogGroupName"], "logStreamName": name}
        await work.invoke("logs", "CreateLogStream", parameters)
        return Outcome(name)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Give what stands: nothing of a stream changes in place."""
        del work
        return Outcome(physical_id)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the stream with its events."""
        parameters = {"logGroupName": work.properties["LogGroupName"], "logStreamName": physical_id}
        await unless_gone(work.invoke("logs", "DeleteLogStream", parameters))


class _Filter(Unnamed, ABC):
    """What filters of both kinds have in common: the same operation makes and changes them."""

    name_property = "FilterName"
    kind: ClassVar[str]

    @abstractmethod
    def members(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Give what only filters of this kind have."""

    async def create(self, work: Work) -> Outcome:
        """Make the filter."""
        name = work.name("FilterName", length_max=512)
        await work.initiated(name)
        return await self.update(work, name)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Put the filter as it is declared."""
        parameters = {
            "logGroupName": work.properties["LogGroupName"],
            "filterName": physical_id,
            "filterPattern": work.properties["FilterPattern"],
            **self.members(work.properties),
        }
        await work.invoke("logs", f"Put{self.kind}", parameters)
        return Outcome(physical_id)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the filter."""
        parameters = {"logGroupName": work.properties["LogGroupName"], "filterName": physical_id}
        await unless_gone(work.invoke("logs", f"Delete{self.kind}", parameters))


class MetricFilter(_Filter):
    """AWS::Logs::MetricFilter."""

    kind = "MetricFilter"

    def members(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Give the transformations."""
        return {"metricTransformations": [_transformation(one) for one in properties["MetricTransformations"]]}


def _transformation(given: Any) -> dict[str, Any]:
    dimensions = {str(one["Key"]): str(one["Value"]) for one in given.get("Dimensions") or []}
    return present(
        metricName=given["MetricName"],
        metricNamespace=given["MetricNamespace"],
        metricValue=given["MetricValue"],
        defaultValue=given.get("DefaultValue"),
        unit=given.get("Unit"),
        dimensions=dimensions or None,
    )


class SubscriptionFilter(_Filter):
    """AWS::Logs::SubscriptionFilter."""

    kind = "SubscriptionFilter"

    def members(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Give where events go."""
        return present(destinationArn=properties["DestinationArn"], distribution=properties.get("Distribution"))


class ResourcePolicy(Unnamed):
    """AWS::Logs::ResourcePolicy."""

    name_property = "PolicyName"

    async def create(self, work: Work) -> Outcome:
        """Put the policy."""
        name = str(work.properties["PolicyName"])
        await work.initiated(name)
        return await self.update(work, name)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Put the policy as it is declared."""
        document = json_text(work.properties["PolicyDocument"])
        await work.invoke("logs", "PutResourcePolicy", {"policyName": physical_id, "policyDocument": document})
        return Outcome(physical_id)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the policy."""
        await unless_gone(work.invoke("logs", "DeleteResourcePolicy", {"policyName": physical_id}))


class QueryDefinition(Unnamed):
    """AWS::Logs::QueryDefinition."""

    async def create(self, work: Work) -> Outcome:
        """Save the query."""
        answer = await work.invoke("logs", "PutQueryDefinition", _query(work))
        query_id = str(answer["queryDefinitionId"])
        await work.made(query_id)
        return Outcome(query_id, {"QueryDefinitionId": query_id})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change the query."""
        await work.invoke("logs", "PutQueryDefinition", {**_query(work), "queryDefinitionId": physical_id})
        return Outcome(physical_id, {"QueryDefinitionId": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the query."""
        await unless_gone(work.invoke("logs", "DeleteQueryDefinition", {"queryDefinitionId": physical_id}))


def _query(work: Work) -> dict[str, Any]:
    properties = work.properties
    return present(
        name=properties["Name"], queryString=properties["QueryString"], logGroupNames=properties.get("LogGroupNames")
    )


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of this service by type."""
    return {
        "AWS::Logs::LogGroup": LogGroup(),
        "AWS::Logs::LogStream": LogStream(),
        "AWS::Logs::MetricFilter": MetricFilter(),
        "AWS::Logs::QueryDefinition": QueryDefinition(),
        "AWS::Logs::ResourcePolicy": ResourcePolicy(),
        "AWS::Logs::SubscriptionFilter": SubscriptionFilter(),
    }
