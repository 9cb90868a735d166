"""AWS::SSM::Parameter by Parameter Store's operations."""

from __future__ import annotations

from gatepost.kernel.errors import ServiceError
from gatepost.templates.resources.base import Outcome, ResourceHandler, Work
from gatepost.templates.resources.changes import Unnamed, present

GONE = "ParameterNotFound"


class Parameter(Unnamed):
    """AWS::SSM::Parameter."""

    name_property = "Name"

    async def create(self, work: Work) -> Outcome:
        """Make the parameter."""
        name = work.name("Name", length_max=1011)
        await work.initiated(name)
        tags = [{"Key": key, "Value": value} for key, value in (work.properties.get("Tags") or {}).items()]
        await work.invoke("ssm", "PutParameter", {**self._parameters(work, name), **present(Tags=tags or None)})
        await work.made(name)
        return self._outcome(work, name)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Add a version, and change tags."""
        if work.changed("Value", "Description", "Tier", "AllowedPattern", "Type", "DataType", "Policies"):
            none = {"Policies": "[]"} if work.before.get("Policies") else {}  # what is left out would stay
            parameters = {**none, **self._parameters(work, physical_id), "Overwrite": True}
            await work.invoke("ssm", "PutParameter", parameters)
        old, new = work.before.get("Tags") or {}, work.properties.get("Tags") or {}
        on = {"ResourceType": "Parameter", "ResourceId": physical_id}
        if gone := [key for key in old if key not in new]:
            await work.invoke("ssm", "RemoveTagsFromResource", {**on, "TagKeys": gone})
        if added := [{"Key": key, "Value": value} for key, value in new.items() if old.get(key) != value]:
            await work.invoke("ssm", "AddTagsToResource", {**on, "Tags": added})
        return self._outcome(work, physical_id)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the parameter."""
        try:
            await work.invoke("ssm", "DeleteParameter", {"Name": physical_id})
        except ServiceError as fault:
            if fault.code != GONE:
                raise

    def _parameters(self, work: Work, name: str) -> dict[str, object]:
        members = ("Value", "Type", "Description", "Tier", "AllowedPattern", "DataType", "Policies")
        return present(Name=name, **{member: work.properties.get(member) for member in members})

    def _outcome(self, work: Work, name: str) -> Outcome:
        arn = f"arn:aws:ssm:{work.region}:{work.account_id}:parameter/{name.removeprefix('/')}"
        properties = work.properties
        return Outcome(name, {"Arn": arn, "Type": properties["Type"], "Value": properties["Value"]})


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of this service by type."""
    return {"AWS::SSM::Parameter": Parameter()}
