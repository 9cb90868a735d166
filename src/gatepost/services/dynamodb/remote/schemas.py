"""The cluster's tables as authorization needs to know them: key attributes and indexes, asked for and kept a while.

Conditions of policies (`dynamodb:LeadingKeys`) are about key attributes, and only the cluster knows which those are.
What is kept may be older than the cluster by `KEPT_MS` when someone else makes a table anew under the same name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Call
from gatepost.services.dynamodb.model import (
    IndexDefinition,
    Table,
    TableDefinition,
    UnknownTable,
    open_table,
)
from gatepost.services.dynamodb.remote.cluster import ClusterClient
from gatepost.services.dynamodb.remote.names import Names
from gatepost.services.dynamodb.tables import table_name
from gatepost.storage.items_keys import KeyAttribute, KeySchema

KEPT_MS: Final = 30_000
TABLES_MAX: Final = 10_000


class RemoteSchemas:
    """What is known of the cluster's tables. Implements `access.KnownTables`."""

    def __init__(self, cluster: ClusterClient, names: Names, clock: Clock) -> None:
        self._cluster = cluster
        self._names = names
        self._clock = clock
        self._known: dict[str, tuple[Table, int]] = {}  # by name: the table, and when it was asked for
        self._asking: dict[str, asyncio.Future[None]] = {}

    @property
    def policies(self) -> Mapping[str, str]:
        """Give the resource-based policies: none, those are the cluster's own."""
        return {}

    def find(self, call: Call, name: str) -> Table:
        """Give a table that is known. Raises: UnknownTable, ValidationException."""
        known = self._known.get(table_name(call, name))
        if known is None:
            raise UnknownTable(name)
        return known[0]

    def missing(self, names: Iterable[str]) -> list[str]:
        """Give those tables that must be asked for first."""
        oldest_ms = self._clock.now_ms() - KEPT_MS
        return [name for name in names if name not in self._known or self._known[name][1] < oldest_ms]

    def forget(self, name: str) -> None:
        """Ask for a table anew the next time."""
        self._known.pop(name, None)

    async def ask(self, call: Call, names: Iterable[str]) -> None:
        """Ask the cluster for tables; one question for all who want to know. Raises: ServiceError."""
        for name in names:
            while self.missing([name]):
                asking = self._asking.get(name)
                if asking is None:
                    await self._ask(call, name)
                    break
                await asyncio.wait([asking])  # whoever asks is told how it went; if badly, the next one asks

    async def _ask(self, call: Call, name: str) -> None:
        asking = self._asking[name] = asyncio.get_running_loop().create_future()
        try:
            table = await self._describe(call, name)
            if len(self._known) >= TABLES_MAX:
                self._known.clear()
            if table is None:
                self._known.pop(name, None)
            else:
                self._known[name] = (table, self._clock.now_ms())
        finally:
            del self._asking[name]
            asking.set_result(None)

    async def _describe(self, call: Call, name: str) -> Table | None:
        asked = _as_operation(call, "DescribeTable")
        try:
            answer = orjson.loads(await self._cluster.send(asked, {"TableName": name}))
        except ServiceError as error:
            if error.code == "ResourceNotFoundException":
                return None
            raise
        described: Mapping[str, Any] = answer["Table"]
        self._names.learn(name, described.get("TableArn", ""))
        return _table_of(call, name, described)


def _as_operation(call: Call, operation: str) -> Call:
    return Call("dynamodb", operation, call.account_id, call.region, call.principal, call.request_id, call.now_ms)


def _table_of(call: Call, name: str, described: Mapping[str, Any]) -> Table:
    """Read what DescribeTable says."""
    types = {one["AttributeName"]: one["AttributeType"] for one in described["AttributeDefinitions"]}
    indexes: list[IndexDefinition] = []
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        for index in described.get(member, ()):
            keys = _keys_of(index["KeySchema"], types)
            is_local = member == "LocalSecondaryIndexes"
            indexes.append(IndexDefinition(len(indexes) + 1, index["IndexName"], keys, is_local, "ALL"))
    definition = TableDefinition(
        account_id=call.account_id,
        region=call.region,
        name=name,
        table_id=str(described.get("TableId", "")),
        attribute_types=tuple(types.items()),
        keys=_keys_of(described["KeySchema"], types),
        billing_mode="PAY_PER_REQUEST",
        created_at_ms=call.now_ms,
        indexes=tuple(indexes),
    )
    return open_table(0, definition)


def _keys_of(schema: Iterable[Mapping[str, str]], types: Mapping[str, str]) -> KeySchema:
    by_type = {one["KeyType"]: one["AttributeName"] for one in schema}
    partition = KeyAttribute(by_type["HASH"], types[by_type["HASH"]])
    sort = by_type.get("RANGE")
    return KeySchema(partition, None if sort is None else KeyAttribute(sort, types[sort]))
