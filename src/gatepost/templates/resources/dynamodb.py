"""AWS::DynamoDB types by DynamoDB's operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.templates.resources.base import Outcome, ResourceFailure, ResourceHandler, Work
from gatepost.templates.resources.changes import Unnamed, tag_changes, unless_gone

POLLS_MAX: Final = 6_000
POLL_S: Final = 0.05

# Properties that CreateTable takes under the same name and in the same form.
_SAME: Final = (
    "AttributeDefinitions",
    "BillingMode",
    "DeletionProtectionEnabled",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "TableClass",
    "Tags",
    "WarmThroughput",
)
_INDEX: Final = (
    "IndexName",
    "KeySchema",
    "Projection",
    "ProvisionedThroughput",
    "OnDemandThroughput",
    "WarmThroughput",
)


class Table(Unnamed):
    """AWS::DynamoDB::Table."""

    name_property = "TableName"

    def replacing(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
        """Replace for a local index: they exist from a table's first moment or never."""
        changed = before.get("LocalSecondaryIndexes", []) != after.get("LocalSecondaryIndexes", [])
        return ("LocalSecondaryIndexes",) if changed else ()

    async def create(self, work: Work) -> Outcome:
        """Make the table, wait until it is active, set what CreateTable cannot."""
        properties = work.properties
        name = work.name("TableName", length_max=255)
        await work.initiated(name)
        parameters: dict[str, Any] = {key: properties[key] for key in _SAME if key in properties}
        if "StreamSpecification" in properties:
            parameters["StreamSpecification"] = _stream(properties)
        if "SSESpecification" in properties:
            parameters["SSESpecification"] = _encryption(properties)
        if "GlobalSecondaryIndexes" in parameters:
            parameters["GlobalSecondaryIndexes"] = [
                {key: index[key] for key in _INDEX if key in index} for index in properties["GlobalSecondaryIndexes"]
            ]
        await work.invoke("dynamodb", "CreateTable", {"TableName": name, **parameters})
        await work.made(name)
        table = await self._active(work, name)
        await self._extras(work, name)
        return _outcome(name, table)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change capacity, protection, stream, indexes (one at a time, as AWS wants it), time to live and tags."""
        for parameters in _table_updates(work):
            await work.invoke("dynamodb", "UpdateTable", {"TableName": physical_id, **parameters})
            await self._active(work, physical_id)
        await self._extras(work, physical_id)
        table = await self._active(work, physical_id)
        arn = table["TableArn"]
        added, gone = tag_changes(work.before, work.properties)
        if added:
            tags = [{"Key": key, "Value": value} for key, value in added.items()]
            await work.invoke("dynamodb", "TagResource", {"ResourceArn": arn, "Tags": tags})
        if gone:
            await work.invoke("dynamodb", "UntagResource", {"ResourceArn": arn, "TagKeys": gone})
        return _outcome(physical_id, table)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the table with its items and wait until it is gone."""
        if not await unless_gone(work.invoke("dynamodb", "DeleteTable", {"TableName": physical_id})):
            return
        for _ in range(POLLS_MAX):
            if not await unless_gone(work.invoke("dynamodb", "DescribeTable", {"TableName": physical_id})):
                return
            await work.pause(POLL_S)
        raise ResourceFailure(f"the table {physical_id} is still being deleted")

    async def _active(self, work: Work, name: str) -> dict[str, Any]:
        for _ in range(POLLS_MAX):
            table: dict[str, Any] = (await work.invoke("dynamodb", "DescribeTable", {"TableName": name}))["Table"]
            indexes = table.get("GlobalSecondaryIndexes", [])
            if table["TableStatus"] == "ACTIVE" and all(i.get("IndexStatus", "ACTIVE") == "ACTIVE" for i in indexes):
                return table
            await work.pause(POLL_S)
        raise ResourceFailure("Resource of type 'AWS::DynamoDB::Table' did not stabilize.")

    async def _extras(self, work: Work, name: str) -> None:
        """Set what has operations of its own."""
        if work.changed("TimeToLiveSpecification"):
            new = work.properties.get("TimeToLiveSpecification")
            old = work.before.get("TimeToLiveSpecification") or {}
            wanted = new or {"AttributeName": old.get("AttributeName"), "Enabled": False}
            if wanted.get("Enabled") or old.get("Enabled"):
                parameters = {"TableName": name, "TimeToLiveSpecification": wanted}
                await work.invoke("dynamodb", "UpdateTimeToLive", parameters)
        if work.changed("PointInTimeRecoverySpecification"):
            wanted = work.properties.get("PointInTimeRecoverySpecification") or {"PointInTimeRecoveryEnabled": False}
            parameters = {"TableName": name, "PointInTimeRecoverySpecification": wanted}
            await work.invoke("dynamodb", "UpdateContinuousBackups", parameters)


def _stream(properties: Mapping[str, Any]) -> dict[str, Any]:
    specification = properties.get("StreamSpecification")
    if not specification:
        return {"StreamEnabled": False}
    return {"StreamEnabled": True, "StreamViewType": specification["StreamViewType"]}


def _encryption(properties: Mapping[str, Any]) -> dict[str, Any]:
    specification = properties.get("SSESpecification") or {"SSEEnabled": False}
    renamed = {"SSEEnabled": "Enabled", "SSEType": "SSEType", "KMSMasterKeyId": "KMSMasterKeyId"}
    return {renamed[key]: value for key, value in specification.items()}


def _table_updates(work: Work) -> list[dict[str, Any]]:
    """Give the parameters of each UpdateTable that leads from what was applied to what is declared."""
    updates: list[dict[str, Any]] = []
    plain = {
        key: work.properties.get(key)
        for key in ("BillingMode", "ProvisionedThroughput", "OnDemandThroughput", "TableClass", "WarmThroughput")
        if work.changed(key)
    }
    if work.changed("DeletionProtectionEnabled"):
        plain["DeletionProtectionEnabled"] = work.properties.get("DeletionProtectionEnabled", False)
    if "BillingMode" in plain and plain["BillingMode"] is None:
        plain["BillingMode"] = "PROVISIONED"
    wanted = {key: value for key, value in plain.items() if value is not None}
    if wanted:
        updates.append(wanted)
    if work.changed("StreamSpecification"):
        if work.before.get("StreamSpecification") and work.properties.get("StreamSpecification"):
            updates.append({"StreamSpecification": {"StreamEnabled": False}})
        updates.append({"StreamSpecification": _stream(work.properties)})
    if work.changed("SSESpecification"):
        updates.append({"SSESpecification": _encryption(work.properties)})
    updates.extend(_index_updates(work))
    return updates


def _index_updates(work: Work) -> list[dict[str, Any]]:
    old = {index["IndexName"]: index for index in work.before.get("GlobalSecondaryIndexes", [])}
    new = {index["IndexName"]: index for index in work.properties.get("GlobalSecondaryIndexes", [])}
    updates: list[dict[str, Any]] = []

    def is_remade(name: str) -> bool:
        return any(old[name].get(key) != new[name].get(key) for key in ("KeySchema", "Projection"))

    updates.extend(
        {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]}
        for name in old
        if name not in new or is_remade(name)
    )
    for name, index in new.items():
        if name not in old or is_remade(name):
            create = {key: index[key] for key in _INDEX if key in index}
            updates.append(
                {
                    "AttributeDefinitions": work.properties["AttributeDefinitions"],
                    "GlobalSecondaryIndexUpdates": [{"Create": create}],
                }
            )
        elif old[name] != index:
            capacity = {key: index[key] for key in ("ProvisionedThroughput", "OnDemandThroughput") if key in index}
            update = {"IndexName": name, **capacity}
            updates.append({"GlobalSecondaryIndexUpdates": [{"Update": update}]})
    return updates


def _outcome(name: str, table: Mapping[str, Any]) -> Outcome:
    attributes = {"Arn": table["TableArn"]}
    if table.get("LatestStreamArn"):
        attributes["StreamArn"] = table["LatestStreamArn"]
    return Outcome(name, attributes)


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of this service by type."""
    return {"AWS::DynamoDB::Table": Table()}
