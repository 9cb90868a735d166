"""AWS::DynamoDB types by DynamoDB's operations."""

from __future__ import annotations

import json
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
        """Bring the table to what is declared, one UpdateTable after the other, as AWS wants it.

        The steps begin at what stands, not at what was applied: an update that failed half-way is undone alike.
        """
        for steps in (_index_removals, _settings, _index_additions):
            table = await self._active(work, physical_id)
            for parameters in steps(work, table):
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
            found = await work.invoke("dynamodb", "DescribeTimeToLive", {"TableName": name})
            standing = found["TimeToLiveDescription"]
            is_on = standing.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
            wanted = work.properties.get("TimeToLiveSpecification") or {"Enabled": False}
            if is_on != bool(wanted.get("Enabled")):
                attribute = wanted.get("AttributeName") or standing.get("AttributeName")
                specification = {"AttributeName": attribute, "Enabled": not is_on}
                parameters = {"TableName": name, "TimeToLiveSpecification": specification}
                await work.invoke("dynamodb", "UpdateTimeToLive", parameters)
        if work.changed("PointInTimeRecoverySpecification"):
            wanted = work.properties.get("PointInTimeRecoverySpecification") or {"PointInTimeRecoveryEnabled": False}
            parameters = {"TableName": name, "PointInTimeRecoverySpecification": wanted}
            await work.invoke("dynamodb", "UpdateContinuousBackups", parameters)
        if work.changed("ResourcePolicy"):
            arn = (await work.invoke("dynamodb", "DescribeTable", {"TableName": name}))["Table"]["TableArn"]
            policy = (work.properties.get("ResourcePolicy") or {}).get("PolicyDocument")
            if policy is None:
                await work.invoke("dynamodb", "DeleteResourcePolicy", {"ResourceArn": arn})
            else:
                attached = {"ResourceArn": arn, "Policy": json.dumps(policy)}
                await work.invoke("dynamodb", "PutResourcePolicy", attached)


def _stream(properties: Mapping[str, Any]) -> dict[str, Any]:
    specification = properties.get("StreamSpecification")
    if not specification:
        return {"StreamEnabled": False}
    return {"StreamEnabled": True, "StreamViewType": specification["StreamViewType"]}


def _encryption(properties: Mapping[str, Any]) -> dict[str, Any]:
    specification = properties.get("SSESpecification") or {"SSEEnabled": False}
    renamed = {"SSEEnabled": "Enabled", "SSEType": "SSEType", "KMSMasterKeyId": "KMSMasterKeyId"}
    return {renamed[key]: value for key, value in specification.items()}


Parameters = list[dict[str, Any]]


def _standing_indexes(table: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {index["IndexName"]: index for index in table.get("GlobalSecondaryIndexes", [])}


def _wanted_indexes(work: Work) -> dict[str, Mapping[str, Any]]:
    return {index["IndexName"]: index for index in work.properties.get("GlobalSecondaryIndexes", [])}


def _is_same_index(standing: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    def shape(index: Mapping[str, Any]) -> tuple[Any, ...]:
        projection = index.get("Projection", {})
        names = sorted(projection.get("NonKeyAttributes", []))
        return (index["KeySchema"], projection.get("ProjectionType", "ALL"), names)

    return shape(standing) == shape(wanted)


def _index_removals(work: Work, table: Mapping[str, Any]) -> Parameters:
    wanted = _wanted_indexes(work)
    return [
        {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]}
        for name, index in _standing_indexes(table).items()
        if name not in wanted or not _is_same_index(index, wanted[name])
    ]


def _settings(work: Work, table: Mapping[str, Any]) -> Parameters:
    """Give what changes of the table itself; a table that becomes provisioned says the same of its indexes."""
    updates: Parameters = []
    plain: dict[str, Any] = {}
    billing = work.properties.get("BillingMode", "PROVISIONED")
    if billing != (table.get("BillingModeSummary") or {}).get("BillingMode", "PROVISIONED"):
        plain["BillingMode"] = billing
    throughput = work.properties.get("ProvisionedThroughput")
    standing = table.get("ProvisionedThroughput", {})
    if billing == "PROVISIONED" and throughput and any(standing.get(key) != value for key, value in throughput.items()):
        plain["ProvisionedThroughput"] = throughput
    if plain.get("BillingMode") == "PROVISIONED":
        wanted = _wanted_indexes(work)
        moved = [
            {"Update": {"IndexName": name, "ProvisionedThroughput": wanted[name].get("ProvisionedThroughput")}}
            for name in _standing_indexes(table)
        ]
        if moved:
            plain["GlobalSecondaryIndexUpdates"] = moved
    maximum = _maximum(work.properties)
    if billing == "PAY_PER_REQUEST" and maximum != _maximum({} if "BillingMode" in plain else table):
        plain["OnDemandThroughput"] = maximum
    for key in ("TableClass", "WarmThroughput"):
        if work.changed(key) and key in work.properties:
            plain[key] = work.properties[key]
    if work.changed("DeletionProtectionEnabled"):
        plain["DeletionProtectionEnabled"] = work.properties.get("DeletionProtectionEnabled", False)
    if plain:
        updates.append(plain)
    if work.changed("StreamSpecification"):
        if table.get("StreamSpecification", {}).get("StreamEnabled"):
            updates.append({"StreamSpecification": {"StreamEnabled": False}})
        if work.properties.get("StreamSpecification"):
            updates.append({"StreamSpecification": _stream(work.properties)})
    if work.changed("SSESpecification"):
        updates.append({"SSESpecification": _encryption(work.properties)})
    return updates


def _maximum(described: Mapping[str, Any]) -> dict[str, int]:
    """Give the OnDemandThroughput of a table or index in full: -1 where there is no bound."""
    given = described.get("OnDemandThroughput") or {}
    return {name: int(given.get(name, -1)) for name in ("MaxReadRequestUnits", "MaxWriteRequestUnits")}


def _index_additions(work: Work, table: Mapping[str, Any]) -> Parameters:
    updates: Parameters = []
    standing = _standing_indexes(table)
    is_provisioned = work.properties.get("BillingMode", "PROVISIONED") == "PROVISIONED"
    for name, index in _wanted_indexes(work).items():
        if name not in standing:
            create = {key: index[key] for key in _INDEX if key in index}
            attributes = work.properties["AttributeDefinitions"]
            change = [{"Create": create}]
            updates.append({"AttributeDefinitions": attributes, "GlobalSecondaryIndexUpdates": change})
            continue
        if not is_provisioned and _maximum(index) != _maximum(standing[name]):
            update = {"IndexName": name, "OnDemandThroughput": _maximum(index)}
            updates.append({"GlobalSecondaryIndexUpdates": [{"Update": update}]})
        throughput = index.get("ProvisionedThroughput")
        has = standing[name].get("ProvisionedThroughput", {})
        if is_provisioned and throughput and any(has.get(key) != value for key, value in throughput.items()):
            update = {"IndexName": name, "ProvisionedThroughput": throughput}
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
