"""BatchGetItem and BatchWriteItem: many items of many tables, each for itself.

What a table's provisioned throughput or the 16 MB of one answer leave no room for comes back as unprocessed.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html, API_BatchWriteItem.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from gatepost.kernel.errors import ValidationException
from gatepost.kernel.operations import Call
from gatepost.languages.item_values import ItemValueError, measure_item
from gatepost.services.dynamodb.capacity import Consumed, read_units, wants_capacity
from gatepost.services.dynamodb.item_collections import collection_metrics
from gatepost.services.dynamodb.keys import key_bytes
from gatepost.services.dynamodb.legacy import modern
from gatepost.services.dynamodb.model import ProvisionedThroughputExceededException, Table, UnknownTable
from gatepost.services.dynamodb.placeholders import invalid
from gatepost.services.dynamodb.reads import Reads, picked
from gatepost.services.dynamodb.tables import Tables
from gatepost.services.dynamodb.throughput import ThroughputMeter
from gatepost.services.dynamodb.writes import Outcome, PreparedWrite, Writes
from gatepost.storage.items import ItemStore, TableGone
from gatepost.storage.items_writer import ItemWriter

READ_ITEMS_MAX: Final = 100
WRITE_ITEMS_MAX: Final = 25
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
DUPLICATES: Final = "Provided list of item keys contains duplicates"


class Batches:
    """Answers the two batch operations."""

    def __init__(self, tables: Tables, store: ItemStore, reads: Reads, writes: Writes, meter: ThroughputMeter) -> None:
        self._tables = tables
        self._store = store
        self._reads = reads
        self._writes = writes
        self._meter = meter

    def get(self, call: Call, params: Mapping[str, Any]) -> bytes:
        """Answer BatchGetItem."""
        requested: Mapping[str, Any] = params["RequestItems"]
        if sum(len(request["Keys"]) for request in requested.values()) > READ_ITEMS_MAX:
            raise ValidationException("Too many items requested for the BatchGetItem call")
        responses: list[bytes] = []
        unprocessed: dict[str, Any] = {}
        consumed: list[Consumed] = []
        room = ANSWER_BYTES_MAX
        for name, request in requested.items():
            blobs, left, used, room = self._get_of(call, name, request, room)
            responses.append(orjson.dumps(name) + b":[" + b",".join(blobs) + b"]")
            consumed.append(used)
            if left:
                unprocessed[name] = {**request, "Keys": left}
        if requested and sum(len(left["Keys"]) for left in unprocessed.values()) == sum(
            len(request["Keys"]) for request in requested.values()
        ):
            for used in consumed:
                self._meter.admit_read(used.table)
        parts = [b'{"Responses":{', b",".join(responses), b'},"UnprocessedKeys":', orjson.dumps(unprocessed)]
        detail = wants_capacity(params)
        if detail:
            parts += [b',"ConsumedCapacity":', orjson.dumps([used.to_aws(detail) for used in consumed])]
        return b"".join((*parts, b"}"))

    def _get_of(
        self, call: Call, name: str, request: Mapping[str, Any], room: int
    ) -> tuple[list[bytes], list[Any], Consumed, int]:
        """Get the items of one table: their JSON, the keys left over, what it consumed, the room left."""
        request = modern(request)
        projection = self._reads.projection(request)
        table = self._tables.find(call, name)
        keys = [key_bytes(table, key) for key in request["Keys"]]
        if len(set(keys)) != len(keys):
            raise ValidationException(DUPLICATES)
        consumed = Consumed(table)
        blobs: list[bytes] = []
        is_consistent = request.get("ConsistentRead", False)
        for position, key in enumerate(keys):
            if room <= 0 or not self._admits_read(table):
                return blobs, request["Keys"][position:], consumed, room
            row = self._reads.row(table, key)
            units = Consumed(table)
            units.table_units = read_units(0 if row is None else row[0], consistent=is_consistent)
            consumed.table_units += units.table_units
            self._meter.charge(units, is_write=False)
            if row is not None:
                room -= row[0]
                if room < 0 and blobs:
                    return blobs, request["Keys"][position:], consumed, 0
                blobs.append(picked(row[1], projection))
        return blobs, [], consumed, room

    def _admits_read(self, table: Table) -> bool:
        try:
            self._meter.admit_read(table)
        except ProvisionedThroughputExceededException:
            return False
        return True

    async def write(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer BatchWriteItem. Each item is written for itself; nothing is written when one of them is invalid."""
        requested: Mapping[str, Any] = params["RequestItems"]
        if sum(map(len, requested.values())) > WRITE_ITEMS_MAX:
            raise ValidationException("Too many items requested for the BatchWriteItem call")
        prepared = {name: self._prepared(call, name, requests) for name, requests in requested.items()}
        admitted: dict[str, list[PreparedWrite]] = {}
        refused: ProvisionedThroughputExceededException | None = None
        for name, writes in prepared.items():
            try:
                self._meter.admit_write(writes[0].table)
                admitted[name] = writes
            except ProvisionedThroughputExceededException as error:
                refused = error
        if refused is not None and not admitted:
            raise refused
        outcomes = await self._carry_out(admitted)
        answer: dict[str, Any] = {
            "UnprocessedItems": {name: requested[name] for name in requested if name not in admitted}
        }
        self._add_usage(params, admitted, outcomes, answer)
        return answer

    def _prepared(self, call: Call, name: str, requests: list[Mapping[str, Any]]) -> list[PreparedWrite]:
        table = self._tables.find(call, name)
        prepared = [self._prepare(table, request) for request in requests]
        if len({write.key for write in prepared}) != len(prepared):
            raise ValidationException(DUPLICATES)
        return prepared

    def _prepare(self, table: Table, request: Mapping[str, Any]) -> PreparedWrite:
        put, delete = request.get("PutRequest"), request.get("DeleteRequest")
        if (put is None) == (delete is None):
            raise ValidationException("A write request must have exactly one of PutRequest and DeleteRequest")
        if put is not None:
            try:
                size = measure_item(put["Item"])
            except ItemValueError as error:
                raise invalid(error) from error
            return self._writes.prepared_put(table, put["Item"], size)
        assert delete is not None
        return PreparedWrite(table, key_bytes(table, delete["Key"]), delete["Key"])

    async def _carry_out(self, admitted: Mapping[str, list[PreparedWrite]]) -> dict[str, list[Outcome]]:
        def work(writer: ItemWriter) -> dict[str, list[Outcome]]:
            return {name: [write.carry_out(writer) for write in writes] for name, writes in admitted.items()}

        try:
            return await self._store.write(work)
        except TableGone as error:
            raise UnknownTable(str(error)) from error

    def _add_usage(
        self,
        params: Mapping[str, Any],
        admitted: Mapping[str, list[PreparedWrite]],
        outcomes: Mapping[str, list[Outcome]],
        answer: dict[str, Any],
    ) -> None:
        detail = wants_capacity(params)
        capacities, metrics = [], {}
        for name, writes in admitted.items():
            consumed = consumed_by(writes[0].table, outcomes[name])
            self._meter.charge(consumed, is_write=True)
            capacities.append(consumed.to_aws(detail or "TOTAL"))
            if params.get("ReturnItemCollectionMetrics") == "SIZE":
                found = [collection_metrics(self._store, write.table, write.key_item) for write in writes]
                if any(found):
                    metrics[name] = found
        if detail:
            answer["ConsumedCapacity"] = capacities
        if metrics:
            answer["ItemCollectionMetrics"] = metrics


def consumed_by(table: Table, outcomes: list[Outcome], *, factor: int = 1) -> Consumed:
    """Sum up what writes to one table consumed; inside a transaction each unit counts `factor` 2."""
    consumed = Consumed(table)
    for outcome in outcomes:
        consumed.table_units += outcome.units * factor
        consumed.add_writes(outcome.index_writes, factor)
    return consumed
