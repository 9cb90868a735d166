"""AWS::Lambda::Version and AWS::Lambda::Alias by Lambda's operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.templates.resources.base import Outcome, ResourceFailure, Work
from gatepost.templates.resources.changes import Unnamed, present, unless_gone

READY_POLLS_MAX: Final = 1200
READY_POLL_S: Final = 0.1
_COUNT: Final = "ProvisionedConcurrentExecutions"


class Version(Unnamed):
    """AWS::Lambda::Version: what the function is when its turn comes. Every change makes a new one."""

    async def create(self, work: Work) -> Outcome:
        """Publish the version, and wait for its provisioned workers."""
        properties = work.properties
        name = properties["FunctionName"]
        known = await _versions(work, name)
        made = await work.invoke(
            "lambda",
            "PublishVersion",
            present(
                FunctionName=name,
                CodeSha256=properties.get("CodeSha256"),
                Description=properties.get("Description"),
            ),
        )
        arn, number = made["FunctionArn"], made["Version"]
        if number in known:
            # The same refusal as AWS's: two resources would own one version, and the first that goes would delete it.
            raise ResourceFailure(
                f"A version for this Lambda function exists ( {number} ). Modify the function to create a new version."
            )
        await work.made(arn)
        await provision(work, arn, number)
        return Outcome(arn, {"FunctionArn": arn, "Version": number})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change how many workers stand ready."""
        number = physical_id.rpartition(":")[2]
        await provision(work, physical_id, number)
        return Outcome(physical_id, {"FunctionArn": physical_id, "Version": number})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the version."""
        await unless_gone(work.invoke("lambda", "DeleteFunction", {"FunctionName": physical_id}))


class Alias(Unnamed):
    """AWS::Lambda::Alias."""

    name_property = "Name"

    async def create(self, work: Work) -> Outcome:
        """Make the alias, and wait for its provisioned workers."""
        properties = work.properties
        made = await work.invoke(
            "lambda",
            "CreateAlias",
            present(
                FunctionName=properties["FunctionName"],
                Name=properties["Name"],
                FunctionVersion=properties["FunctionVersion"],
                Description=properties.get("Description"),
                RoutingConfig=routing(properties) if "RoutingConfig" in properties else None,
            ),
        )
        arn = made["AliasArn"]
        await work.made(arn)
        await provision(work, arn, str(properties["Name"]))
        return Outcome(arn, {"AliasArn": arn})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Have the alias name another version or share."""
        properties = work.properties
        if work.changed("FunctionVersion", "Description", "RoutingConfig"):
            await work.invoke(
                "lambda",
                "UpdateAlias",
                {
                    "FunctionName": properties["FunctionName"],
                    "Name": properties["Name"],
                    "FunctionVersion": properties["FunctionVersion"],
                    "Description": properties.get("Description", ""),
                    "RoutingConfig": routing(properties),
                },
            )
        await provision(work, physical_id, str(properties["Name"]))
        return Outcome(physical_id, {"AliasArn": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the alias; one whose function is gone is gone."""
        function, _, name = physical_id.rpartition(":")
        await unless_gone(work.invoke("lambda", "DeleteAlias", {"FunctionName": function, "Name": name}))


def routing(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Give an alias's RoutingConfig as the operations take it: weights by version."""
    weights = (properties.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or []
    return {"AdditionalVersionWeights": {str(one["FunctionVersion"]): one["FunctionWeight"] for one in weights}}


async def provision(work: Work, arn: str, qualifier: str) -> None:
    """Have as many workers stand ready as are declared, and wait until they do. Raises: ResourceFailure."""
    declared = (work.properties.get("ProvisionedConcurrencyConfig") or {}).get(_COUNT, 0)
    before = (work.before.get("ProvisionedConcurrencyConfig") or {}).get(_COUNT, 0)
    if declared == before:
        return
    target = {"FunctionName": arn.rpartition(":")[0], "Qualifier": qualifier}
    if not declared:
        await unless_gone(work.invoke("lambda", "DeleteProvisionedConcurrencyConfig", target))
        return
    await work.invoke("lambda", "PutProvisionedConcurrencyConfig", {**target, _COUNT: declared})
    for _ in range(READY_POLLS_MAX):
        found = await work.invoke("lambda", "GetProvisionedConcurrencyConfig", target)
        if found["Status"] == "READY":
            return
        if found["Status"] == "FAILED":
            raise ResourceFailure(f"{work.type} did not stabilize: {found.get('StatusReason', 'no reason given')}")
        await work.pause(READY_POLL_S)
    raise ResourceFailure(f"{work.type} did not stabilize: its provisioned workers did not get ready")


async def _versions(work: Work, name: str) -> set[str]:
    found: set[str] = set()
    marker: dict[str, str] = {}
    while True:
        page = await work.invoke("lambda", "ListVersionsByFunction", {"FunctionName": name, **marker})
        found.update(one["Version"] for one in page["Versions"])
        if not page.get("NextMarker"):
            return found
        marker = {"Marker": page["NextMarker"]}
