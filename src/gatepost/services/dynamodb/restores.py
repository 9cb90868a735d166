"""Point-in-time recovery, and tables restored from it or from a backup.

A table with point-in-time recovery keeps a journal of what its items were before each write, for 1 to 35 days. It is
restored to a moment by copying it and undoing what the journal has from then on. A restored table has the keys and
indexes of its source, and not its stream, expiry, tags, protection or recovery, as on AWS.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.errors import ValidationException
from gatepost.kernel.operations import Call
from gatepost.kernel.tasks import Tasks
from gatepost.services.dynamodb.backfill import STEP_ITEMS, in_steps
from gatepost.services.dynamodb.backups import Backups, found_table, source_of, undo_in_steps, until_done
from gatepost.services.dynamodb.model import (
    ACTIVE,
    CREATING,
    PAY_PER_REQUEST,
    BackupInUseException,
    IndexDefinition,
    InvalidRestoreTimeException,
    PointInTimeRecoveryUnavailableException,
    RestoreSource,
    Table,
    TableAlreadyExistsException,
    TableDefinition,
)
from gatepost.services.dynamodb.schema import key_arn_of, refuse, table_uuid, throughput_of
from gatepost.services.dynamodb.tables import Tables, table_name
from gatepost.storage.items import ItemStore

DAYS_MAX: Final = 35
DAY_MS: Final = 86_400_000
REFUSED: Final = {
    "OnDemandThroughputOverride": "maximum throughput of restored tables",
    "VectorIndexOverride": "vector indexes",
}

Params = Mapping[str, Any]
Answer = dict[str, Any]


class Restores:
    """Answers the operations on continuous backups, and makes tables of the past."""

    def __init__(self, tables: Tables, store: ItemStore, backups: Backups, tasks: Tasks) -> None:
        self._tables = tables
        self._store = store
        self._backups = backups
        self._tasks = tasks

    def resume(self, table: Table) -> None:
        """Fill a table that is being restored, in the background; after a stop from the beginning."""
        if table.is_pending:
            self._tasks.spawn(self._fill(table), name=f"restore {table.definition.name}")

    # -- continuous backups ---------------------------------------------------------------------------

    async def update_continuous(self, call: Call, params: Params) -> Answer:
        """Answer UpdateContinuousBackups."""
        table = found_table(self._tables, call, params["TableName"])
        definition = table.definition
        specification = params["PointInTimeRecoverySpecification"]
        days = specification.get("RecoveryPeriodInDays")
        if specification["PointInTimeRecoveryEnabled"]:
            since_ms = definition.recovery_since_ms or call.now_ms
            days = days or definition.recovery_days or DAYS_MAX
            changed = replace(definition, recovery_since_ms=since_ms, recovery_days=days)
        else:
            if days is not None:
                raise ValidationException("RecoveryPeriodInDays can only be specified to enable point in time recovery")
            if self.is_source(definition):
                raise BackupInUseException(f"A table is being restored from {definition.name}")
            changed = replace(definition, recovery_since_ms=0, recovery_days=0)
        if changed != definition:
            await self._tables.redefine(table, changed)
        return _render_continuous(call, changed)

    def describe_continuous(self, call: Call, params: Params) -> Answer:
        """Answer DescribeContinuousBackups."""
        return _render_continuous(call, found_table(self._tables, call, params["TableName"]).definition)

    def is_source(self, definition: TableDefinition) -> bool:
        """Say whether a table is being restored from the journal of this one."""
        return any(
            table.is_pending
            and table.definition.restore is not None
            and not table.definition.restore.backup_arn
            and table.definition.restore.source_table_arn == definition.arn
            for table in self._tables.all()
        )

    # -- restores -------------------------------------------------------------------------------------

    async def from_backup(self, call: Call, params: Params) -> Answer:
        """Answer RestoreTableFromBackup: the table is CREATING until it is filled."""
        row = self._backups.find(call, params["BackupArn"])
        if row.status == CREATING:
            raise BackupInUseException(f"Backup is being created: {row.arn}")
        definition = source_of(row)
        source = RestoreSource(f"b{row.id}", "", row.detail["created_at_ms"], definition.arn, row.arn)
        return await self._create(call, params, definition, source)

    async def to_point_in_time(self, call: Call, params: Params) -> Answer:
        """Answer RestoreTableToPointInTime: the table is CREATING until it is filled."""
        if ("SourceTableArn" in params) == ("SourceTableName" in params):
            raise ValidationException("Exactly one of SourceTableArn and SourceTableName must be specified")
        table = found_table(self._tables, call, params.get("SourceTableArn") or params["SourceTableName"])
        definition = table.definition
        journal = table.items.journal
        if not definition.recovery_since_ms or journal is None:
            raise PointInTimeRecoveryUnavailableException(
                f"Point in time recovery is not enabled for table '{definition.name}'"
            )
        is_latest = params.get("UseLatestRestorableTime", False)
        if is_latest == ("RestoreDateTime" in params):
            raise ValidationException("Exactly one of RestoreDateTime and UseLatestRestorableTime must be specified")
        until_ms = call.now_ms if is_latest else params["RestoreDateTime"]
        if not _earliest_ms(call, definition) <= until_ms <= call.now_ms:
            raise InvalidRestoreTimeException(
                "RestoreDateTime must be between EarliestRestorableDateTime and LatestRestorableDateTime"
            )
        source = RestoreSource(table.items.relation, journal.relation, until_ms, definition.arn, "")
        return await self._create(call, params, definition, source)

    async def _create(self, call: Call, params: Params, origin: TableDefinition, source: RestoreSource) -> Answer:
        refuse(params, REFUSED)
        name = table_name(call, params["TargetTableName"])
        if name in self._tables.names(call):
            raise TableAlreadyExistsException(f"Table already exists: {name}")
        table = await self._tables.create(_restored(call, name, params, origin, source))
        self.resume(table)
        return {"TableDescription": self._tables.describe(table)}

    async def _fill(self, table: Table) -> None:
        source = table.definition.restore
        assert source is not None
        backups, target = self._store.backups, table.items
        await in_steps(lambda after: backups.copy(source.relation, target, after=after, count_max=STEP_ITEMS))
        if source.journal:
            await undo_in_steps(self._store, source.journal, target, above=0, until_ms=source.until_ms)

        async def open_up() -> None:
            now = self._tables.current(table)
            if now is not None:
                await self._tables.redefine(now, replace(now.definition, status=ACTIVE))

        await until_done(open_up)


def _restored(call: Call, name: str, params: Params, origin: TableDefinition, source: RestoreSource) -> TableDefinition:
    billing_mode = params.get("BillingModeOverride", origin.billing_mode)
    throughput = origin.throughput
    override = params.get("ProvisionedThroughputOverride")
    if override is not None or billing_mode != origin.billing_mode:
        given = {} if override is None else {"ProvisionedThroughput": override}
        throughput = throughput_of(given, billing_mode, "table")
    indexes = _chosen_indexes(origin, params, billing_mode)
    used = {*origin.keys.names}.union(*(index.keys.names for index in indexes))
    return TableDefinition(
        account_id=call.account_id,
        region=call.region,
        name=name,
        table_id=table_uuid(call.account_id, call.region, name),
        attribute_types=tuple(pair for pair in origin.attribute_types if pair[0] in used),
        keys=origin.keys,
        billing_mode=billing_mode,
        created_at_ms=call.now_ms,
        indexes=indexes,
        throughput=throughput,
        table_class=origin.table_class,
        key_arn=key_arn_of(call, override) if (override := params.get("SSESpecificationOverride")) else origin.key_arn,
        next_index_id=origin.next_index_id,
        billing_mode_set_at_ms=call.now_ms if billing_mode == PAY_PER_REQUEST else 0,
        status=CREATING,
        restore=source,
    )


def _chosen_indexes(origin: TableDefinition, params: Params, billing_mode: str) -> tuple[IndexDefinition, ...]:
    """Give the source's indexes, or those of them that an override names."""
    chosen: list[IndexDefinition] = []
    for is_local, member in ((True, "LocalSecondaryIndexOverride"), (False, "GlobalSecondaryIndexOverride")):
        own = {index.name: index for index in origin.indexes if index.is_local == is_local}
        given = params.get(member)
        if given is None:
            chosen += own.values()
            continue
        for one in given:
            index = own.get(one["IndexName"])
            if index is None:
                raise ValidationException(f"{member}: the source has no such index: {one['IndexName']}")
            if not is_local and "ProvisionedThroughput" in one:
                index = replace(index, throughput=throughput_of(one, billing_mode, index.name))
            chosen.append(index)
    return tuple(replace(index, status=ACTIVE) for index in chosen)


def _earliest_ms(call: Call, definition: TableDefinition) -> int:
    return max(definition.recovery_since_ms, call.now_ms - definition.recovery_days * DAY_MS)


def _render_continuous(call: Call, definition: TableDefinition) -> Answer:
    recovery: Answer = {"PointInTimeRecoveryStatus": "DISABLED"}
    if definition.recovery_since_ms:
        recovery = {
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": definition.recovery_days,
            "EarliestRestorableDateTime": _earliest_ms(call, definition),
            "LatestRestorableDateTime": call.now_ms,
        }
    return {
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": recovery,
        }
    }
