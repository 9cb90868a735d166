"""AWS::Lambda::LayerVersion and its permission by Lambda's operations."""

from __future__ import annotations

from typing import Any

from gatepost.templates.resources.base import Outcome, Work
from gatepost.templates.resources.changes import Unnamed, present, unless_gone


class LayerVersion(Unnamed):
    """AWS::Lambda::LayerVersion. Every change makes a new one, of the same layer when that has a name."""

    async def create(self, work: Work) -> Outcome:
        """Publish the version."""
        properties = work.properties
        made = await work.invoke(
            "lambda",
            "PublishLayerVersion",
            present(
                LayerName=work.name("LayerName", length_max=140),
                Content=properties["Content"],
                CompatibleArchitectures=properties.get("CompatibleArchitectures"),
                CompatibleRuntimes=properties.get("CompatibleRuntimes"),
                Description=properties.get("Description"),
                LicenseInfo=properties.get("LicenseInfo"),
            ),
        )
        arn = made["LayerVersionArn"]
        await work.made(arn)
        return Outcome(arn, {"LayerVersionArn": arn})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Give what stands: nothing of a version changes in place."""
        del work
        return Outcome(physical_id, {"LayerVersionArn": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the version; functions that have it keep it."""
        await unless_gone(work.invoke("lambda", "DeleteLayerVersion", version_of(physical_id)))


class LayerVersionPermission(Unnamed):
    """AWS::Lambda::LayerVersionPermission: one statement. Every change makes a new one."""

    async def create(self, work: Work) -> Outcome:
        """Add the statement."""
        properties = work.properties
        statement_id = work.name("", length_max=100)
        arn = str(properties["LayerVersionArn"])
        physical_id = f"{arn}#{statement_id}"
        await work.initiated(physical_id)
        await work.invoke(
            "lambda",
            "AddLayerVersionPermission",
            present(
                **version_of(arn),
                StatementId=statement_id,
                Action=properties["Action"],
                Principal=properties["Principal"],
                OrganizationId=properties.get("OrganizationId"),
            ),
        )
        return Outcome(physical_id, {"Id": physical_id})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Give what stands: nothing of a permission changes in place."""
        del work
        return Outcome(physical_id, {"Id": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Remove the statement; a version that is gone has none."""
        arn, _, statement_id = physical_id.partition("#")
        parameters = {**version_of(arn), "StatementId": statement_id}
        await unless_gone(work.invoke("lambda", "RemoveLayerVersionPermission", parameters))


def version_of(arn: str) -> dict[str, Any]:
    """Give the parameters that name a layer's version."""
    layer, _, number = arn.rpartition(":")
    return {"LayerName": layer, "VersionNumber": int(number)}
