"""The operations on tables as a whole: create, describe, list, update, delete, tags, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.arn import parse_arn
from gatepost.kernel.errors import ValidationException
from gatepost.kernel.operations import Call
from gatepost.services.dynamodb.backfill import Backfill
from gatepost.services.dynamodb.backups import Backups
from gatepost.services.dynamodb.model import (
    ACTIVE,
    CREATING,
    PAY_PER_REQUEST,
    LimitExceededException,
    ResourceInUseException,
    ResourceNotFoundException,
    Table,
    TableDefinition,
    Throughput,
)
from gatepost.services.dynamodb.policies import check_policy, new_revision
from gatepost.services.dynamodb.restores import Restores
from gatepost.services.dynamodb.schema import (
    GLOBAL_INDEXES_MAX,
    REFUSED_UPDATE,
    attribute_types,
    definition_of,
    index_definition,
    key_arn_of,
    refuse,
    streamed,
    throughput_of,
)
from gatepost.services.dynamodb.tables import Tables, table_name
from gatepost.services.dynamodb.throughput import ThroughputMeter

TABLES_MAX: Final = 2_500  # per account and region, AWS's initial quota
TAGS_MAX: Final = 50
LIST_MAX: Final = 100
CHANGES: Final = frozenset(
    {
        "BillingMode",
        "DeletionProtectionEnabled",
        "GlobalSecondaryIndexUpdates",
        "OnDemandThroughput",
        "ProvisionedThroughput",
        "SSESpecification",
        "StreamSpecification",
        "TableClass",
    }
)
Params = Mapping[str, Any]
Answer = dict[str, Any]


class Administration:
    """Answers the operations on tables."""

    def __init__(
        self, tables: Tables, meter: ThroughputMeter, backfill: Backfill, backups: Backups, restores: Restores
    ) -> None:
        self._tables = tables
        self._meter = meter
        self._backfill = backfill
        self._backups = backups
        self._restores = restores

    async def create(self, call: Call, params: Params) -> Answer:
        """Answer CreateTable: the table is there for use."""
        name = table_name(call, params["TableName"])
        definition = definition_of(call, name, params)
        _check_tags(dict(definition.tags))
        if "ResourcePolicy" in params:
            check_policy(params["ResourcePolicy"])
            definition = replace(definition, policy=(params["ResourcePolicy"], new_revision(call)))
        names = self._tables.names(call)
        if name in names:
            raise ResourceInUseException(f"Table already exists: {name}")
        if len(names) >= TABLES_MAX:
            raise LimitExceededException(
                f"Subscriber limit exceeded: There is a limit of {TABLES_MAX} tables per subscriber"
            )
        return {"TableDescription": self._tables.describe(await self._tables.create(definition))}

    def describe(self, call: Call, params: Params) -> Answer:
        """Answer DescribeTable."""
        return {"Table": self._tables.describe(self._tables.described(call, params["TableName"]))}

    def list(self, call: Call, params: Params) -> Answer:
        """Answer ListTables."""
        after = params.get("ExclusiveStartTableName", "")
        limit = params.get("Limit", LIST_MAX)
        names = [name for name in self._tables.names(call) if name > after]
        answer: Answer = {"TableNames": names[:limit]}
        if len(names) > limit:
            answer["LastEvaluatedTableName"] = names[limit - 1]
        return answer

    async def delete(self, call: Call, params: Params) -> Answer:
        """Answer DeleteTable: the table is gone."""
        table = self._tables.described(call, params["TableName"])
        if table.definition.deletion_protection_enabled:
            raise ValidationException(
                "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection "
                f"first. Table: {table.definition.name}"
            )
        definition = table.definition
        if table.is_pending or definition.is_backing_up or self._restores.is_source(definition):
            raise ResourceInUseException(
                "Attempt to change a resource which is still in use: Table is being backed up or restored: "
                f"{definition.name}"
            )
        description = self._tables.describe(table, status="DELETING")
        await self._tables.drop(table, kept=self._backups.kept(table, call.now_ms))
        self._meter.forget([table.items.id])
        return {"TableDescription": description}

    # -- UpdateTable ------------------------------------------------------------------------------------

    async def update(self, call: Call, params: Params) -> Answer:
        """Answer UpdateTable: billing, throughput, protection, class, and one global index more or less."""
        refuse(params, REFUSED_UPDATE)
        table = self._tables.described(call, params["TableName"])
        if table.is_pending or any(index.status != ACTIVE for index in table.definition.indexes):
            raise ResourceInUseException(
                f"Attempt to change a resource which is still in use: Table is being updated: {table.definition.name}"
            )
        definition = self._changed(call, table.definition, params)
        for change in params.get("GlobalSecondaryIndexUpdates", ()):
            definition = _index_changed(definition, change, params)
        _check_changes(params, table.definition, definition)
        changed = await self._tables.redefine(table, definition)
        self._backfill.start(changed)
        return {"TableDescription": self._tables.describe(changed, status="UPDATING")}

    def _changed(self, call: Call, definition: TableDefinition, params: Params) -> TableDefinition:
        billing_mode = params.get("BillingMode", definition.billing_mode)
        changes: dict[str, Any] = {}
        is_other = billing_mode != definition.billing_mode
        if is_other or not {"ProvisionedThroughput", "OnDemandThroughput"}.isdisjoint(params):
            changes["billing_mode"] = billing_mode
            before = None if is_other else definition.throughput
            changes["throughput"] = throughput_of(params, billing_mode, "table", before)
        if is_other and billing_mode == PAY_PER_REQUEST:
            changes["billing_mode_set_at_ms"] = call.now_ms
            changes["indexes"] = tuple(replace(index, throughput=Throughput()) for index in definition.indexes)
        if "DeletionProtectionEnabled" in params:
            changes["deletion_protection_enabled"] = params["DeletionProtectionEnabled"]
        if "TableClass" in params:
            changes["table_class"] = params["TableClass"]
        if "SSESpecification" in params:
            changes["key_arn"] = key_arn_of(call, params["SSESpecification"])
        changed = replace(definition, **changes)
        if "StreamSpecification" in params:
            if not params["StreamSpecification"]["StreamEnabled"] and not definition.stream_view:
                raise ValidationException(f"Table already has a disabled stream: TableName: {definition.name}")
            changed = streamed(call, changed, params["StreamSpecification"])
        return changed

    # -- tags -------------------------------------------------------------------------------------------

    async def tag(self, call: Call, params: Params) -> None:
        """Answer TagResource."""
        table = self._by_arn(call, params["ResourceArn"])
        tags = dict(table.definition.tags) | {tag["Key"]: tag["Value"] for tag in params["Tags"]}
        _check_tags(tags)
        await self._tables.redefine(table, replace(table.definition, tags=tuple(tags.items())))

    async def untag(self, call: Call, params: Params) -> None:
        """Answer UntagResource."""
        table = self._by_arn(call, params["ResourceArn"])
        gone = set(params["TagKeys"])
        tags = tuple(tag for tag in table.definition.tags if tag[0] not in gone)
        await self._tables.redefine(table, replace(table.definition, tags=tags))

    def tags_of(self, call: Call, params: Params) -> Answer:
        """Answer ListTagsOfResource: at most 50, in one page."""
        table = self._by_arn(call, params["ResourceArn"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in table.definition.tags]}

    def _by_arn(self, call: Call, arn: str) -> Table:
        parsed = parse_arn(arn)
        if parsed is None or parsed.service != "dynamodb" or not parsed.resource.startswith("table/"):
            raise ValidationException(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
        table = self._tables.get(call, parsed.resource.removeprefix("table/"))
        if table is None or table.arn != arn:
            raise ResourceNotFoundException(f"Requested resource not found: ResourcArn: {arn} not found")
        return table

    # -- what is always the same ------------------------------------------------------------------------

    def limits(self) -> Answer:
        """Answer DescribeLimits with AWS's initial quotas; only the number of tables is enforced."""
        return {
            "AccountMaxReadCapacityUnits": 80_000,
            "AccountMaxWriteCapacityUnits": 80_000,
            "TableMaxReadCapacityUnits": 40_000,
            "TableMaxWriteCapacityUnits": 40_000,
        }

    def endpoints(self, call: Call, address: str) -> Answer:
        """Answer DescribeEndpoints: this endpoint, so that nobody who looks for it goes to AWS with our credentials."""
        address = address or f"dynamodb.{call.region}.amazonaws.com"
        return {"Endpoints": [{"Address": address, "CachePeriodInMinutes": 1440}]}


def _check_changes(params: Params, before: TableDefinition, after: TableDefinition) -> None:
    """Refuse an UpdateTable that asks for nothing, or leaves a provisioned index without units."""
    if CHANGES.isdisjoint(params):
        raise ValidationException(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or "
            "SSESpecification or ReplicaUpdates is required"
        )
    if set(params) == {"TableName", "ProvisionedThroughput"} and before == after:
        units = before.throughput
        raise ValidationException(
            "The provisioned throughput for the table will not change. The requested value equals the current value. "
            f"Current ReadCapacityUnits provisioned for the table: {units.read_units}. Requested ReadCapacityUnits: "
            f"{units.read_units}. Current WriteCapacityUnits provisioned for the table: {units.write_units}. Requested "
            f"WriteCapacityUnits: {units.write_units}."
        )
    for index in after.indexes:
        if after.is_provisioned and not index.is_local and not index.throughput.write_units:
            raise ValidationException(
                "One or more parameter values were invalid: ProvisionedThroughput must be specified for index: "
                f"{index.name}"
            )


def _index_changed(definition: TableDefinition, change: Params, params: Params) -> TableDefinition:
    """Carry out one GlobalSecondaryIndexUpdate on a definition."""
    if len(change) != 1:
        raise ValidationException("A GlobalSecondaryIndexUpdate must have exactly one of Create, Update and Delete")
    if (create := change.get("Create")) is not None:
        return _index_added(definition, create, params)
    kind = "Update" if "Update" in change else "Delete"
    name = change[kind]["IndexName"]
    index = next((one for one in definition.indexes if one.name == name and not one.is_local), None)
    if index is None:
        raise ResourceNotFoundException("Requested resource not found")
    others = tuple(one for one in definition.indexes if one is not index)
    if kind == "Delete":
        used = {*definition.keys.names}.union(*(one.keys.names for one in others))
        types = tuple(pair for pair in definition.attribute_types if pair[0] in used)
        return replace(definition, indexes=others, attribute_types=types)
    throughput = throughput_of(change["Update"], definition.billing_mode, name, index.throughput)
    updated = tuple(replace(one, throughput=throughput) if one is index else one for one in definition.indexes)
    return replace(definition, indexes=updated)


def _index_added(definition: TableDefinition, create: Params, params: Params) -> TableDefinition:
    if any(index.status == CREATING for index in definition.indexes):
        raise LimitExceededException(
            "Subscriber limit exceeded: Only 1 online index can be created simultaneously per table"
        )
    if sum(not index.is_local for index in definition.indexes) >= GLOBAL_INDEXES_MAX:
        raise LimitExceededException(
            f"Number of GlobalSecondaryIndexes exceeds per-table limit of {GLOBAL_INDEXES_MAX}"
        )
    if any(index.name == create["IndexName"] for index in definition.indexes):
        raise ValidationException(f"Attempting to create an index which already exists: {create['IndexName']}")
    types = dict(definition.attribute_types) | attribute_types(params.get("AttributeDefinitions", ()))
    for name, kind in definition.attribute_types:
        if types[name] != kind:
            raise ValidationException(f"One or more parameter values were invalid: Cannot redefine attribute: {name}")
    throughput = throughput_of(create, definition.billing_mode, create["IndexName"])
    index = replace(
        index_definition(definition.next_index_id, create, types, throughput, is_local=False), status=CREATING
    )
    indexes = (*definition.indexes, index)
    used = {*definition.keys.names}.union(*(one.keys.names for one in indexes))
    return replace(
        definition,
        indexes=indexes,
        attribute_types=tuple(pair for pair in types.items() if pair[0] in used),
        next_index_id=definition.next_index_id + 1,
    )


def _check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > TAGS_MAX:
        raise ValidationException(f"One or more parameter values were invalid: Too many tags: {len(tags)}, at most 50")
    for key in tags:
        if key.lower().startswith("aws:"):
            raise ValidationException(f"One or more parameter values were invalid: Tag key {key} is reserved for AWS")
