"""AWS::CloudWatch types by CloudWatch's operations."""

from __future__ import annotations

from typing import Any

from gatepost.templates.resources.base import Outcome, ResourceHandler, Work
from gatepost.templates.resources.changes import Unnamed, json_text, unless_gone
from gatepost.templates.resources.events import change_tags


class Alarm(Unnamed):
    """AWS::CloudWatch::Alarm and AWS::CloudWatch::CompositeAlarm: `operation` puts it."""

    name_property = "AlarmName"

    def __init__(self, operation: str) -> None:
        self._operation = operation

    async def create(self, work: Work) -> Outcome:
        """Make the alarm."""
        name = work.name("AlarmName", length_max=255)
        await work.initiated(name)
        await work.invoke("cloudwatch", self._operation, {**work.properties, "AlarmName": name})
        return self._outcome(work, name)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Put the alarm as it is declared; its state stays."""
        properties: dict[str, Any] = {name: value for name, value in work.properties.items() if name != "Tags"}
        await work.invoke("cloudwatch", self._operation, {**properties, "AlarmName": physical_id})
        outcome = self._outcome(work, physical_id)
        if work.changed("Tags"):
            await change_tags(work, "cloudwatch", str(outcome.attributes["Arn"]))
        return outcome

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the alarm."""
        await unless_gone(work.invoke("cloudwatch", "DeleteAlarms", {"AlarmNames": [physical_id]}))

    def _outcome(self, work: Work, name: str) -> Outcome:
        return Outcome(name, {"Arn": f"arn:aws:cloudwatch:{work.region}:{work.account_id}:alarm:{name}"})


class Dashboard(Unnamed):
    """AWS::CloudWatch::Dashboard."""

    name_property = "DashboardName"

    async def create(self, work: Work) -> Outcome:
        """Put the dashboard."""
        name = work.name("DashboardName", length_max=255)
        await work.initiated(name)
        return await self.update(work, name)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Put the dashboard as it is declared."""
        body = json_text(work.properties["DashboardBody"])
        await work.invoke("cloudwatch", "PutDashboard", {"DashboardName": physical_id, "DashboardBody": body})
        return Outcome(physical_id)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the dashboard."""
        await unless_gone(work.invoke("cloudwatch", "DeleteDashboards", {"DashboardNames": [physical_id]}))


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of this service by type."""
    return {
        "AWS::CloudWatch::Alarm": Alarm("PutMetricAlarm"),
        "AWS::CloudWatch::CompositeAlarm": Alarm("PutCompositeAlarm"),
        "AWS::CloudWatch::Dashboard": Dashboard(),
    }
