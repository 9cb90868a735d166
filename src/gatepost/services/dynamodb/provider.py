"""The operations of DynamoDB. Each hands over to the part that holds its meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gatepost.kernel.clock import Clock
from gatepost.kernel.operations import Access, Call, operation
from gatepost.languages.item_expressions import Expressions
from gatepost.services.dynamodb.model import ResourceInUseException
from gatepost.services.dynamodb.reads import Reads
from gatepost.services.dynamodb.schema import definition_of
from gatepost.services.dynamodb.tables import Tables, table_name
from gatepost.services.dynamodb.throughput import ThroughputMeter
from gatepost.services.dynamodb.writes import Writes
from gatepost.storage.items import ItemStore

Params = Mapping[str, Any]
Answer = dict[str, Any]


class DynamoDbProvider:
    """DynamoDB on the item store. Call `start` once the store is open, `close` before it is closed."""

    service = "dynamodb"

    def __init__(self, items: ItemStore, clock: Clock) -> None:
        self._clock = clock
        self._tables = Tables(items)
        expressions = Expressions()
        meter = ThroughputMeter(clock)
        self._meter = meter
        self._reads = Reads(self._tables, items, expressions, meter)
        self._writes = Writes(self._tables, items, expressions, meter)

    async def start(self) -> None:
        """Read the catalogue."""
        self._tables.load()

    async def close(self) -> None:
        """End the background work."""

    def access(self, call: Call, params: Params) -> Sequence[Access]:
        """Say what a call touches."""
        name = params.get("TableName")
        if not isinstance(name, str):
            return (Access(f"dynamodb:{call.operation}"),)
        arn = name if name.startswith("arn:") else call.arn(f"table/{name}")
        if call.operation in {"Query", "Scan"} and "IndexName" in params:
            arn = f"{arn}/index/{params['IndexName']}"
        return (Access(f"dynamodb:{call.operation}", arn),)

    @operation("CreateTable")
    async def create_table(self, call: Call, params: Params) -> Answer:
        """Create a table with its indexes; it is there for use when this answers."""
        name = table_name(call, params["TableName"])
        definition = definition_of(call, name, params)
        if self._tables.get(call, name) is not None:
            raise ResourceInUseException(f"Table already exists: {name}")
        return {"TableDescription": self._tables.describe(await self._tables.create(definition))}

    @operation("DescribeTable")
    def describe_table(self, call: Call, params: Params) -> Answer:
        """Describe a table."""
        return {"Table": self._tables.describe(self._tables.described(call, params["TableName"]))}

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
        """Get a page of all items."""
        return self._reads.scan(call, params)

    @operation("PutItem", wire_json=True)
    async def put_item(self, call: Call, params: Params) -> Answer:
        """Write one item."""
        return await self._writes.put_item(call, params)

    @operation("UpdateItem", wire_json=True)
    async def update_item(self, call: Call, params: Params) -> Answer:
        """Change one item, or create it."""
        return await self._writes.update_item(call, params)

    @operation("DeleteItem", wire_json=True)
    async def delete_item(self, call: Call, params: Params) -> Answer:
        """Delete one item."""
        return await self._writes.delete_item(call, params)
