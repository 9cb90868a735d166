"""CreateBackup, DescribeBackup, ListBackups, DeleteBackup, and the copying behind them.

A backup holds the table as it was when CreateBackup was called, whatever is written while it is copied. A table with
point-in-time recovery that is deleted leaves a backup of type SYSTEM for 35 days.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Backup-and-Restore.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.errors import StoreUnavailable, ValidationException
from gatepost.kernel.ids import random_id
from gatepost.kernel.operations import Call
from gatepost.kernel.tasks import Tasks
from gatepost.services.dynamodb.backfill import RETRY_S, STEP_ITEMS, in_steps
from gatepost.services.dynamodb.model import (
    BackupInUseException,
    BackupNotFoundException,
    IndexDefinition,
    Table,
    TableDefinition,
    TableInUseException,
    TableNotFoundException,
    table_from_json,
)
from gatepost.services.dynamodb.tables import Tables, render_keys, table_name
from gatepost.storage.items import ItemStore, KeptTable
from gatepost.storage.items_backups import CREATING, BackupRow, backup_table
from gatepost.storage.items_tables import ItemTable

LIST_MAX: Final = 100
SYSTEM_LIFE_MS: Final = 35 * 86_400_000
_HEXADECIMAL: Final = "0123456789abcdef"

Params = Mapping[str, Any]
Answer = dict[str, Any]


class Backups:
    """Answers the four operations."""

    def __init__(self, tables: Tables, store: ItemStore, tasks: Tasks) -> None:
        self._tables = tables
        self._store = store
        self._tasks = tasks

    async def resume(self) -> None:
        """Go on with backups that a stop interrupted; those whose table is gone are given up."""
        unfinished = {row.table_id: row for row in self._store.backups.all() if row.status == CREATING}
        for table in self._tables.all():
            row = unfinished.pop(table.items.id, None)
            if row is not None and table.definition.is_backing_up:
                self._tasks.spawn(self._copy(table, row), name=f"backup {row.arn}")
            elif table.definition.is_backing_up:
                await self._tables.redefine(table, replace(table.definition, is_backing_up=False))
        for row in unfinished.values():
            await self._store.backups.delete(row)

    async def create(self, call: Call, params: Params) -> Answer:
        """Answer CreateBackup: the moment is fixed, the copying goes on in the background."""
        table = found_table(self._tables, call, params["TableName"])
        if table.definition.is_backing_up:
            raise BackupInUseException(
                "There is another ongoing conflicting backup control plane operation on the table."
            )
        if table.is_pending:
            raise TableInUseException(f"Table is being created: {table.definition.name}")
        table = await self._tables.redefine(table, replace(table.definition, is_backing_up=True))
        detail = _detail(table.definition, params["BackupName"], "USER", call.now_ms)
        arn = _new_arn(table, call.now_ms)
        row = await self._store.backups.begin(table.items, arn, call.account_id, call.region, detail)
        self._tasks.spawn(self._copy(table, row), name=f"backup {arn}")
        return {"BackupDetails": render_details(row, self._size(row))}

    async def _copy(self, table: Table, row: BackupRow) -> None:
        """Copy a table as it was when its backup began, then switch off what only the backup needed."""
        backups = self._store.backups
        source, target = table.items, backup_table(row.id, table.items.keys)
        assert source.journal is not None
        await in_steps(lambda after: backups.copy(source.relation, target, after=after, count_max=STEP_ITEMS))
        await undo_in_steps(self._store, source.journal.relation, target, above=row.above, until_ms=-1)
        await until_done(lambda: backups.finish(row))

        async def release() -> None:
            now = self._tables.current(table)
            if now is not None:
                await self._tables.redefine(now, replace(now.definition, is_backing_up=False))

        await until_done(release)

    def kept(self, table: Table, now_ms: int) -> KeptTable | None:
        """Say what backup a table leaves that is deleted: one, when it has point-in-time recovery."""
        definition = table.definition
        if not definition.recovery_since_ms:
            return None
        detail = _detail(definition, f"{definition.name}$DeletedTableBackup", "SYSTEM", now_ms)
        return KeptTable(_new_arn(table, now_ms), definition.account_id, definition.region, detail)

    def describe(self, call: Call, params: Params) -> Answer:
        """Answer DescribeBackup."""
        return {"BackupDescription": self._described(self.find(call, params["BackupArn"]))}

    async def delete(self, call: Call, params: Params) -> Answer:
        """Answer DeleteBackup."""
        row = self.find(call, params["BackupArn"])
        if row.status == CREATING or self._is_restored(row):
            raise BackupInUseException(f"Backup is in use: {row.arn}")
        described = self._described(row)
        described["BackupDetails"]["BackupStatus"] = "DELETED"
        await self._store.backups.delete(row)
        return {"BackupDescription": described}

    def _is_restored(self, row: BackupRow) -> bool:
        return any(
            table.is_pending and table.definition.restore is not None and table.definition.restore.backup_arn == row.arn
            for table in self._tables.all()
        )

    def list_backups(self, call: Call, params: Params) -> Answer:
        """Answer ListBackups."""
        kind = params.get("BackupType", "ALL")
        name = table_name(call, params["TableName"]) if "TableName" in params else ""
        low, high = params.get("TimeRangeLowerBound", 0), params.get("TimeRangeUpperBound", 1 << 62)
        rows = [
            row
            for row in self._of(call)
            if kind in ("ALL", row.detail["type"])
            and (not name or row.detail["table"]["name"] == name)
            and low <= row.detail["created_at_ms"] < high
        ]
        start = params.get("ExclusiveStartBackupArn")
        if start is not None:
            arns = [row.arn for row in rows]
            if start not in arns:
                raise ValidationException(f"Invalid ExclusiveStartBackupArn: {start}")
            rows = rows[arns.index(start) + 1 :]
        limit = params.get("Limit", LIST_MAX)
        answer: Answer = {"BackupSummaries": [self._summary(row) for row in rows[:limit]]}
        if len(rows) > limit:
            answer["LastEvaluatedBackupArn"] = rows[limit - 1].arn
        return answer

    def _of(self, call: Call) -> list[BackupRow]:
        owner = (call.account_id, call.region)
        return [row for row in self._store.backups.all() if (row.account_id, row.region) == owner]

    def find(self, call: Call, arn: str) -> BackupRow:
        """Give a backup. Raises: BackupNotFoundException."""
        for row in self._of(call):
            if row.arn == arn:
                return row
        raise BackupNotFoundException(f"Backup not found: {arn}")

    def _size(self, row: BackupRow) -> tuple[int, int]:
        return self._store.counts(-row.id).get(0, (0, 0))

    def _summary(self, row: BackupRow) -> Answer:
        definition = source_of(row)
        named = {"TableName": definition.name, "TableId": definition.table_id, "TableArn": definition.arn}
        return {**named, **render_details(row, self._size(row))}

    def _described(self, row: BackupRow) -> Answer:
        definition = source_of(row)
        items, size = self._size(row)
        source: Answer = {
            "TableName": definition.name,
            "TableId": definition.table_id,
            "TableArn": definition.arn,
            "TableSizeBytes": size,
            "KeySchema": render_keys(definition.keys),
            "TableCreationDateTime": definition.created_at_ms,
            "ProvisionedThroughput": {
                "ReadCapacityUnits": definition.throughput.read_units,
                "WriteCapacityUnits": definition.throughput.write_units,
            },
            "ItemCount": items,
            "BillingMode": definition.billing_mode,
        }
        return {
            "BackupDetails": render_details(row, (items, size)),
            "SourceTableDetails": source,
            "SourceTableFeatureDetails": _features(definition),
        }

    async def forget_expired(self, now_ms: int) -> None:
        """Delete the backups of deleted tables after 35 days."""
        for row in self._store.backups.all():
            expires_at_ms = row.detail["created_at_ms"] + SYSTEM_LIFE_MS
            if row.detail["type"] == "SYSTEM" and expires_at_ms < now_ms and not self._is_restored(row):
                await self._store.backups.delete(row)


def found_table(tables: Tables, call: Call, name: str) -> Table:
    """Give the table of a backup operation. Raises: TableNotFoundException."""
    table = tables.get(call, table_name(call, name))
    if table is None:
        raise TableNotFoundException(f"Table not found: {table_name(call, name)}")
    return table


async def undo_in_steps(store: ItemStore, journal: str, target: ItemTable, *, above: int, until_ms: int) -> None:
    """Undo in a copy what was written after its moment: see `BackupStore.undo`."""
    below = 0
    while True:
        try:
            below = await store.backups.undo(
                journal, target, below=below, above=above, until_ms=until_ms, count_max=STEP_ITEMS
            )
        except StoreUnavailable:
            await asyncio.sleep(RETRY_S)
            continue
        if not below:
            return


async def until_done(work: Callable[[], Awaitable[object]]) -> None:
    """Do `work`, again after a second while the store is lost."""
    while True:
        try:
            await work()
        except StoreUnavailable:
            await asyncio.sleep(RETRY_S)
            continue
        return


def source_of(row: BackupRow) -> TableDefinition:
    """Give the definition of the table that a backup was made of."""
    table = row.detail["table"]
    return table_from_json(row.account_id, row.region, table["name"], table["definition"])


def render_details(row: BackupRow, size: tuple[int, int]) -> Answer:
    """Render as BackupDetails; `size` is the number of items and of bytes."""
    details: Answer = {
        "BackupArn": row.arn,
        "BackupName": row.detail["name"],
        "BackupSizeBytes": size[1],
        "BackupStatus": row.status,
        "BackupType": row.detail["type"],
        "BackupCreationDateTime": row.detail["created_at_ms"],
    }
    if row.detail["type"] == "SYSTEM":
        details["BackupExpiryDateTime"] = row.detail["created_at_ms"] + SYSTEM_LIFE_MS
    return details


def _new_arn(table: Table, now_ms: int) -> str:
    return f"{table.arn}/backup/{now_ms:014d}-{random_id(8, _HEXADECIMAL)}"


def _detail(definition: TableDefinition, name: str, kind: str, now_ms: int) -> dict[str, Any]:
    table = {"name": definition.name, "definition": definition.to_json()}
    return {"name": name, "type": kind, "created_at_ms": now_ms, "table": table}


def _features(definition: TableDefinition) -> Answer:
    features: Answer = {}
    for is_local, member in ((True, "LocalSecondaryIndexes"), (False, "GlobalSecondaryIndexes")):
        found = [_index(one) for one in definition.indexes if one.is_local == is_local]
        if found:
            features[member] = found
    if definition.stream_view:
        features["StreamDescription"] = {"StreamEnabled": True, "StreamViewType": definition.stream_view}
    if definition.ttl_attribute:
        features["TimeToLiveDescription"] = {"TimeToLiveStatus": "ENABLED", "AttributeName": definition.ttl_attribute}
    return features


def _index(index: IndexDefinition) -> Answer:
    projection: Answer = {"ProjectionType": index.projection_type}
    if index.non_key_attributes:
        projection["NonKeyAttributes"] = list(index.non_key_attributes)
    described: Answer = {"IndexName": index.name, "KeySchema": render_keys(index.keys), "Projection": projection}
    if not index.is_local:
        described["ProvisionedThroughput"] = {
            "ReadCapacityUnits": index.throughput.read_units,
            "WriteCapacityUnits": index.throughput.write_units,
        }
    return described
