"""The operations of DynamoDB. Each hands over to the part that holds its meaning."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from gatepost.kernel.clock import Clock
from gatepost.kernel.operations import Access, Call, operation
from gatepost.kernel.ports import Authorization
from gatepost.kernel.tasks import Tasks
from gatepost.languages.item_expressions import Expressions
from gatepost.services.dynamodb.absent import REFUSALS, Absent
from gatepost.services.dynamodb.access import ItemAccess
from gatepost.services.dynamodb.administration import Administration
from gatepost.services.dynamodb.backfill import Backfill
from gatepost.services.dynamodb.backups import Backups
from gatepost.services.dynamodb.batches import Batches
from gatepost.services.dynamodb.maintenance import Maintenance
from gatepost.services.dynamodb.partiql import PartiQl
from gatepost.services.dynamodb.policies import ResourcePolicies
from gatepost.services.dynamodb.reads import Reads
from gatepost.services.dynamodb.restores import Restores
from gatepost.services.dynamodb.tables import Tables
from gatepost.services.dynamodb.throughput import ThroughputMeter
from gatepost.services.dynamodb.time_to_live import TimeToLive
from gatepost.services.dynamodb.transactions import Transactions
from gatepost.services.dynamodb.writes import Writes
from gatepost.storage.items import ItemStore

Params = Mapping[str, Any]
Answer = dict[str, Any]


class DynamoDbProvider:
    """DynamoDB on the item store. Call `start` once the store is open, `close` before it is closed."""

    service = "dynamodb"
    refusals = REFUSALS

    def __init__(
        self,
        items: ItemStore,
        clock: Clock,
        *,
        is_throttling: bool = True,
        authorization: Authorization | None = None,
        address: str = "",
    ) -> None:
        """Take what tables are kept in.

        `authorization` decides what a resource policy leaves its author; `address` is where clients that look for
        DynamoDB's endpoint are sent (host and port), empty: to AWS's own name, which is an alias of ours.
        """
        expressions = Expressions()
        self._address = address
        self._tasks = Tasks("dynamodb")
        self._meter = meter = ThroughputMeter(clock, is_throttling=is_throttling)
        self._tables = tables = Tables(items)
        self._backfill = Backfill(tables, items, self._tasks)
        self._time_to_live = TimeToLive(tables, items, clock, self._tasks)
        self._backups = Backups(tables, items, self._tasks)
        self._restores = Restores(tables, items, self._backups, self._tasks)
        self._policies = ResourcePolicies(tables, authorization)
        self._maintenance = Maintenance(tables, items, self._backups, clock)
        self._administration = Administration(tables, meter, self._backfill, self._backups, self._restores)
        self._reads = Reads(tables, items, expressions, meter)
        self._writes = Writes(tables, items, expressions, meter)
        self._batches = Batches(tables, items, self._reads, self._writes, meter)
        self._transactions = Transactions(tables, items, self._reads, self._writes, meter)
        self._partiql = PartiQl(tables, self._reads, self._writes, self._transactions)
        self._access = ItemAccess(tables, expressions)
        self._absent = Absent(tables)

    async def start(self) -> None:
        """Read the catalogue and take up the background work: what a stop interrupted, time to live."""
        for table in self._tables.load():
            self._backfill.start(table)
            self._time_to_live.resume(table)
            self._restores.resume(table)
        await self._backups.resume()
        self._tasks.spawn(self._time_to_live.sweep_for_ever(), name="time to live")
        self._tasks.spawn(self._maintenance.for_ever(), name="maintenance")

    async def close(self) -> None:
        """End the background work."""
        await self._tasks.close()

    async def expire_items(self) -> int:
        """Delete what has expired by now, without waiting for the next sweep; give how many items."""
        return await self._time_to_live.sweep()

    async def maintain(self) -> None:
        """Rotate shards and forget old records, without waiting for the next round."""
        await self._maintenance.once()

    def access(self, call: Call, params: Params) -> Sequence[Access]:
        """Say what a call touches."""
        return self._access.of(call, params)

    @operation("GetItem", wire_json=True)
    def get_item(self, call: Call, params: Params) -> bytes:
        """Get one item."""
        return self._reads.get_item(call, params)

    @operation("Query", wire_json=True)
    def query(self, call: Call, params: Params) -> bytes:
        """Get a page of one partition's items in order."""
        return self._reads.query(call, params)

    @operation("Scan", wire_json=True)
    def scan(self, call: Call, params: Params) -> bytes:
        """Get a page of all items, or of one segment of them."""
        return self._reads.scan(call, params)

    @operation("PutItem", wire_json=True)
    def put_item(self, call: Call, params: Params) -> Awaitable[Answer]:
        """Write one item."""
        return self._writes.put_item(call, params)

    @operation("UpdateItem", wire_json=True)
    def update_item(self, call: Call, params: Params) -> Awaitable[Answer]:
        """Change one item, or create it."""
        return self._writes.update_item(call, params)

    @operation("DeleteItem", wire_json=True)
    def delete_item(self, call: Call, params: Params) -> Awaitable[Answer]:
        """Delete one item."""
        return self._writes.delete_item(call, params)

    @operation("BatchGetItem", wire_json=True)
    def batch_get_item(self, call: Call, params: Params) -> bytes:
        """Get up to 100 items of several tables."""
        return self._batches.get(call, params)

    @operation("BatchWriteItem", wire_json=True)
    async def batch_write_item(self, call: Call, params: Params) -> Answer:
        """Write or delete up to 25 items, each for itself."""
        return await self._batches.write(call, params)

    @operation("TransactGetItems", wire_json=True)
    def transact_get_items(self, call: Call, params: Params) -> bytes:
        """Get up to 100 items as they stood at one moment."""
        return self._transactions.get(call, params)

    @operation("TransactWriteItems", wire_json=True)
    async def transact_write_items(self, call: Call, params: Params) -> Answer:
        """Write up to 100 items, all or none."""
        return await self._transactions.write(call, params)

    @operation("ExecuteStatement", wire_json=True)
    async def execute_statement(self, call: Call, params: Params) -> Answer:
        """Carry out one PartiQL statement."""
        return await self._partiql.execute(call, params)

    @operation("BatchExecuteStatement", wire_json=True)
    async def batch_execute_statement(self, call: Call, params: Params) -> Answer:
        """Carry out up to 25 PartiQL statements, each for itself."""
        return await self._partiql.batch(call, params)

    @operation("ExecuteTransaction", wire_json=True)
    async def execute_transaction(self, call: Call, params: Params) -> Answer:
        """Carry out up to 100 PartiQL statements, all or none."""
        return await self._partiql.transact(call, params)

    @operation("CreateTable")
    async def create_table(self, call: Call, params: Params) -> Answer:
        """Create a table with its indexes."""
        return await self._administration.create(call, params)

    @operation("DescribeTable")
    def describe_table(self, call: Call, params: Params) -> Answer:
        """Describe a table."""
        return self._administration.describe(call, params)

    @operation("ListTables")
    def list_tables(self, call: Call, params: Params) -> Answer:
        """List the tables by name."""
        return self._administration.list(call, params)

    @operation("UpdateTable")
    async def update_table(self, call: Call, params: Params) -> Answer:
        """Change a table's billing, throughput, protection, class or global indexes."""
        return await self._administration.update(call, params)

    @operation("DeleteTable")
    async def delete_table(self, call: Call, params: Params) -> Answer:
        """Delete a table with all that is in it."""
        return await self._administration.delete(call, params)

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: Params) -> None:
        """Put tags on a table."""
        await self._administration.tag(call, params)

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: Params) -> None:
        """Take tags off a table."""
        await self._administration.untag(call, params)

    @operation("ListTagsOfResource")
    def list_tags_of_resource(self, call: Call, params: Params) -> Answer:
        """List a table's tags."""
        return self._administration.tags_of(call, params)

    @operation("UpdateTimeToLive")
    async def update_time_to_live(self, call: Call, params: Params) -> Answer:
        """Enable or disable a table's time to live."""
        return await self._time_to_live.update(call, params)

    @operation("DescribeTimeToLive")
    def describe_time_to_live(self, call: Call, params: Params) -> Answer:
        """Tell whether items expire, and by which attribute."""
        return self._time_to_live.describe(call, params)

    @operation("DescribeLimits")
    def describe_limits(self, _call: Call, _params: Params) -> Answer:
        """Tell the account's quotas."""
        return self._administration.limits()

    @operation("DescribeEndpoints")
    def describe_endpoints(self, call: Call, _params: Params) -> Answer:
        """Tell where DynamoDB answers."""
        return self._administration.endpoints(call, self._address)

    @operation("DescribeContinuousBackups")
    def describe_continuous_backups(self, call: Call, params: Params) -> Answer:
        """Tell whether a table can be restored to a point in time, and from when on."""
        return self._restores.describe_continuous(call, params)

    @operation("UpdateContinuousBackups")
    async def update_continuous_backups(self, call: Call, params: Params) -> Answer:
        """Enable or disable point-in-time recovery."""
        return await self._restores.update_continuous(call, params)

    @operation("RestoreTableToPointInTime")
    async def restore_table_to_point_in_time(self, call: Call, params: Params) -> Answer:
        """Make a table of what another was at a moment."""
        return await self._restores.to_point_in_time(call, params)

    @operation("PutResourcePolicy")
    async def put_resource_policy(self, call: Call, params: Params) -> Answer:
        """Attach a resource-based policy to a table."""
        return await self._policies.put(call, params)

    @operation("GetResourcePolicy")
    def get_resource_policy(self, call: Call, params: Params) -> Answer:
        """Give a table's resource-based policy."""
        return self._policies.get(call, params)

    @operation("DeleteResourcePolicy")
    async def delete_resource_policy(self, call: Call, params: Params) -> Answer:
        """Take a table's resource-based policy away."""
        return await self._policies.delete(call, params)

    @operation("CreateBackup")
    async def create_backup(self, call: Call, params: Params) -> Answer:
        """Begin a backup of a table as it is now."""
        return await self._backups.create(call, params)

    @operation("DescribeBackup")
    def describe_backup(self, call: Call, params: Params) -> Answer:
        """Describe a backup and its source."""
        return self._backups.describe(call, params)

    @operation("ListBackups")
    def list_backups(self, call: Call, params: Params) -> Answer:
        """List the backups, those of one table or all."""
        return self._backups.list_backups(call, params)

    @operation("DeleteBackup")
    async def delete_backup(self, call: Call, params: Params) -> Answer:
        """Delete a backup."""
        return await self._backups.delete(call, params)

    @operation("RestoreTableFromBackup")
    async def restore_table_from_backup(self, call: Call, params: Params) -> Answer:
        """Make a table of a backup."""
        return await self._restores.from_backup(call, params)

    @operation("ListExports")
    def list_exports(self, call: Call, params: Params) -> Answer:
        """List exports by S3: there are none."""
        return self._absent.listed(call, params, "ExportSummaries")

    @operation("ListImports")
    def list_imports(self, call: Call, params: Params) -> Answer:
        """List imports by S3: there are none."""
        return self._absent.listed(call, params, "ImportSummaryList")

    @operation("DescribeExport")
    def describe_export(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """Tell that there is no such export by S3."""
        self._absent.export(params)

    @operation("DescribeImport")
    def describe_import(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """Tell that there is no such import by S3."""
        self._absent.import_(params)

    @operation("ListGlobalTables")
    def list_global_tables(self, call: Call, params: Params) -> Answer:
        """List global tables: there are none."""
        return self._absent.listed(call, params, "GlobalTables")

    @operation("DescribeGlobalTable")
    def describe_global_table(self, _call: Call, params: Params) -> Answer:
        """Say that there is no such global table."""
        return self._absent.global_table(params)

    @operation("DescribeGlobalTableSettings")
    def describe_global_table_settings(self, _call: Call, params: Params) -> Answer:
        """Say that there is no such global table."""
        return self._absent.global_table(params)

    @operation("ListContributorInsights")
    def list_contributor_insights(self, call: Call, params: Params) -> Answer:
        """List tables with Contributor Insights: there are none."""
        return self._absent.listed(call, params, "ContributorInsightsSummaries")

    @operation("DescribeContributorInsights")
    def describe_contributor_insights(self, call: Call, params: Params) -> Answer:
        """Tell that a table has no Contributor Insights."""
        return self._absent.insights(call, params)

    @operation("DescribeKinesisStreamingDestination")
    def describe_kinesis_streaming_destination(self, call: Call, params: Params) -> Answer:
        """Tell that a table's changes go to no Kinesis stream."""
        return self._absent.destinations(call, params)
