"""The tables of a platform, in memory and in the catalogue: found by name or ARN, created, described, deleted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from gatepost.kernel.arn import parse_arn
from gatepost.kernel.errors import StoreUnavailable, ValidationException
from gatepost.kernel.operations import Call
from gatepost.services.dynamodb.model import (
    PAY_PER_REQUEST,
    IndexDefinition,
    ResourceInUseException,
    ResourceNotFoundException,
    RestoreSource,
    Table,
    TableDefinition,
    UnknownTable,
    open_table,
    table_from_json,
)
from gatepost.storage.items import ItemStore, KeptTable, TableExists
from gatepost.storage.items_keys import KeySchema
from gatepost.storage.items_tables import ItemTable

_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_RESOURCE: Final = re.compile(r"table/[a-zA-Z0-9_.-]{3,255}")


class Tables:
    """Every table, by account, region and name. The event loop alone changes it."""

    def __init__(self, store: ItemStore) -> None:
        self._store = store
        self._tables: dict[tuple[str, str, str], Table] = {}
        self.policies: dict[str, str] = {}  # the resource-based policies that there are, by the table's ARN

    def load(self) -> list[Table]:
        """Read the catalogue. Call once, when the store is open."""
        for row in self._store.catalogue():
            definition = table_from_json(row.account_id, row.region, row.name, row.definition)
            self._put(open_table(row.id, definition))
        return list(self._tables.values())

    def find(self, call: Call, name: str) -> Table:
        """Give the table of a data operation, by name or ARN. Raises: UnknownTable."""
        table = self._tables.get((call.account_id, call.region, name))
        if table is None or table.is_pending:
            table = self._tables.get((call.account_id, call.region, table_name(call, name)))
            if table is None or table.is_pending:
                raise UnknownTable(name)
        return table

    def described(self, call: Call, name: str) -> Table:
        """Give the table of a control operation. Raises: ResourceNotFoundException."""
        plain = table_name(call, name)
        table = self._tables.get((call.account_id, call.region, plain))
        if table is None:
            raise ResourceNotFoundException(f"Requested resource not found: Table: {plain} not found")
        return table

    def get(self, call: Call, name: str) -> Table | None:
        """Give a table by its name, or None."""
        return self._tables.get((call.account_id, call.region, name))

    def all(self) -> Iterable[Table]:
        """Give every table there is."""
        return list(self._tables.values())

    def names(self, call: Call) -> list[str]:
        """Give the names of the caller's tables in order."""
        return sorted(
            name for account, region, name in self._tables if (account, region) == (call.account_id, call.region)
        )

    def current(self, table: Table) -> Table | None:
        """Give a table as it is now, or None when it was deleted (a new one of the same name does not count)."""
        definition = table.definition
        now = self._tables.get((definition.account_id, definition.region, definition.name))
        return now if now is not None and now.items.id == table.items.id else None

    async def create(self, definition: TableDefinition) -> Table:
        """Create a table. Raises: ResourceInUseException, StoreUnavailable."""
        place = (definition.account_id, definition.region, definition.name)

        def describe(store_id: int) -> ItemTable:
            return open_table(store_id, definition).items

        try:
            items = await self._store.create_table(*place, definition.to_json(), describe)
        except TableExists as error:
            raise ResourceInUseException(f"Table already exists: {definition.name}") from error
        table = open_table(items.id, definition)
        self._put(table)
        return table

    async def redefine(self, table: Table, definition: TableDefinition) -> Table:
        """Give a table a new definition: indexes that are new to it are made (empty), those it lacks dropped."""
        changed = open_table(table.items.id, definition)
        # Queued before anyone can see it: whatever is written with the new definition runs behind it, and two
        # changes that cross build on each other.
        stored = self._store.redefine(table.items, changed.items, definition.to_json())
        self._put(changed)
        try:
            await stored
        except StoreUnavailable:
            if self.current(table) is changed:
                self._put(table)
            raise
        return changed

    def _put(self, table: Table) -> None:
        definition = table.definition
        self._tables[definition.account_id, definition.region, definition.name] = table
        if definition.policy[0]:
            self.policies[table.arn] = definition.policy[0]
        else:
            self.policies.pop(table.arn, None)

    async def drop(self, table: Table, *, kept: KeptTable | None = None) -> None:
        """Delete a table and all that is in it; with `kept` its items become those of a backup."""
        definition = table.definition
        self._tables.pop((definition.account_id, definition.region, definition.name), None)
        self.policies.pop(table.arn, None)
        try:
            await self._store.drop_table(table.items, kept=kept)
        except StoreUnavailable:
            self._put(table)
            raise

    def describe(self, table: Table, *, status: str = "") -> dict[str, Any]:
        """Render a table as TableDescription; counts are exact."""
        definition = table.definition
        counts = self._store.counts(table.items.id)
        items, size = counts.get(0, (0, 0))
        description: dict[str, Any] = {
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind} for name, kind in definition.attribute_types
            ],
            "TableName": definition.name,
            "KeySchema": render_keys(definition.keys),
            "TableStatus": status or definition.status,
            "CreationDateTime": definition.created_at_ms,
            "ProvisionedThroughput": definition.throughput.to_aws(),
            "TableSizeBytes": size,
            "ItemCount": items,
            "TableArn": table.arn,
            "TableId": definition.table_id,
            "DeletionProtectionEnabled": definition.deletion_protection_enabled,
        }
        if definition.billing_mode == PAY_PER_REQUEST or definition.billing_mode_set_at_ms:  # it was once
            description["BillingModeSummary"] = {
                "BillingMode": definition.billing_mode,
                "LastUpdateToPayPerRequestDateTime": definition.billing_mode_set_at_ms,
            }
        if definition.throughput.is_bounded:
            description["OnDemandThroughput"] = definition.throughput.maximum_to_aws()
        if definition.restore is not None:
            description["RestoreSummary"] = _restore_summary(definition.restore, is_done=definition.status == "ACTIVE")
        if definition.stream_view:
            description["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": definition.stream_view}
        if definition.stream_label:
            description["LatestStreamLabel"] = definition.stream_label
            description["LatestStreamArn"] = f"{table.arn}/stream/{definition.stream_label}"
        if definition.key_arn:
            description["SSEDescription"] = {
                "Status": "ENABLED",
                "SSEType": "KMS",
                "KMSMasterKeyArn": definition.key_arn,
            }
        if definition.table_class:
            description["TableClassSummary"] = {"TableClass": definition.table_class}
        for is_local, member in ((True, "LocalSecondaryIndexes"), (False, "GlobalSecondaryIndexes")):
            described = [
                _describe_index(table, index, *counts.get(index.id, (0, 0)))
                for index in definition.indexes
                if index.is_local == is_local
            ]
            if described:
                description[member] = described
        return description


def table_name(call: Call, name: str) -> str:
    """Give the plain name in a TableName parameter, which may be an ARN. Raises: ValidationException, UnknownTable."""
    if not name.startswith("arn:"):
        if _NAME.fullmatch(name) is None:
            raise ValidationException(
                f"Invalid table/index name. Table/index names must be between 3 and 255 characters long, and may "
                f"contain only the characters a-z, A-Z, 0-9, '_', '-', and '.': {name[:255]}"
            )
        return name
    parsed = parse_arn(name)
    if parsed is None or parsed.service != "dynamodb" or _RESOURCE.fullmatch(parsed.resource) is None:
        raise ValidationException(f"Invalid table ARN: {name[:1024]}")
    if (parsed.account_id, parsed.region) != (call.account_id, call.region):
        raise UnknownTable(name)
    return parsed.resource.removeprefix("table/")


def render_keys(keys: KeySchema) -> list[dict[str, str]]:
    """Render a key schema as AWS does."""
    rendered = [{"AttributeName": keys.partition.name, "KeyType": "HASH"}]
    if keys.sort is not None:
        rendered.append({"AttributeName": keys.sort.name, "KeyType": "RANGE"})
    return rendered


def _restore_summary(source: RestoreSource, *, is_done: bool) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "SourceTableArn": source.source_table_arn,
        "RestoreDateTime": source.until_ms,
        "RestoreInProgress": not is_done,
    }
    if source.backup_arn:
        summary["SourceBackupArn"] = source.backup_arn
    return summary


def _describe_index(table: Table, index: IndexDefinition, items: int, size: int) -> dict[str, Any]:
    projection: dict[str, Any] = {"ProjectionType": index.projection_type}
    if index.non_key_attributes:
        projection["NonKeyAttributes"] = list(index.non_key_attributes)
    described: dict[str, Any] = {
        "IndexName": index.name,
        "KeySchema": render_keys(index.keys),
        "Projection": projection,
        "IndexSizeBytes": size,
        "ItemCount": items,
        "IndexArn": f"{table.arn}/index/{index.name}",
    }
    if not index.is_local:
        described["IndexStatus"] = index.status
        described["ProvisionedThroughput"] = index.throughput.to_aws()
        if index.throughput.is_bounded:
            described["OnDemandThroughput"] = index.throughput.maximum_to_aws()
        if index.status != "ACTIVE":
            described["Backfilling"] = True
    return described
