"""AWS::Lambda::Url by Lambda's operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.templates.resources.base import Outcome, Work
from gatepost.templates.resources.changes import Unnamed, present, unless_gone


class Url(Unnamed):
    """AWS::Lambda::Url: the address of a function or of an alias."""

    async def create(self, work: Work) -> Outcome:
        """Make the address."""
        made = await work.invoke("lambda", "CreateFunctionUrlConfig", self._parameters(work))
        await work.made(made["FunctionArn"])
        return _outcome(made)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change who may use the address and how."""
        del physical_id
        parameters = {"Cors": {}, "InvokeMode": "BUFFERED", **self._parameters(work)}
        return _outcome(await work.invoke("lambda", "UpdateFunctionUrlConfig", parameters))

    async def delete(self, work: Work, physical_id: str) -> None:
        """Take the address away; it goes with its function."""
        await unless_gone(work.invoke("lambda", "DeleteFunctionUrlConfig", {"FunctionName": physical_id}))

    @staticmethod
    def _parameters(work: Work) -> dict[str, Any]:
        properties = work.properties
        return present(
            FunctionName=properties["TargetFunctionArn"],
            Qualifier=properties.get("Qualifier"),
            AuthType=properties["AuthType"],
            Cors=properties.get("Cors"),
            InvokeMode=properties.get("InvokeMode"),
        )


def _outcome(made: Mapping[str, Any]) -> Outcome:
    return Outcome(made["FunctionArn"], {"FunctionArn": made["FunctionArn"], "FunctionUrl": made["FunctionUrl"]})
