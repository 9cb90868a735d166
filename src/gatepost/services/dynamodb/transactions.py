"""TransactWriteItems and TransactGetItems: all or nothing, on one state of the store.

The store has one writer, so transactions are serial and never conflict. A transaction whose client request token
was seen in the last ten minutes answers again without doing anything.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from gatepost.kernel.errors import ServiceError, ValidationException
from gatepost.kernel.limits import DYNAMODB_TRANSACTION_ITEMS_MAX
from gatepost.kernel.operations import Call
from gatepost.services.dynamodb.batches import consumed_by
from gatepost.services.dynamodb.capacity import Consumed, read_units, wants_capacity
from gatepost.services.dynamodb.item_collections import collection_metrics
from gatepost.services.dynamodb.keys import key_bytes
from gatepost.services.dynamodb.model import (
    ConditionalCheckFailedException,
    IdempotentParameterMismatchException,
    ItemRejected,
    Table,
    TransactionCanceledException,
    UnknownTable,
)
from gatepost.services.dynamodb.reads import Reads, picked
from gatepost.services.dynamodb.tables import Tables
from gatepost.services.dynamodb.throughput import ThroughputMeter
from gatepost.services.dynamodb.writes import Outcome, PreparedWrite, Writes
from gatepost.storage.items import ItemStore, Row, TableGone
from gatepost.storage.items_writer import ItemWriter

BYTES_MAX: Final = 4 * 1024 * 1024
TOKEN_LIFE_MS: Final = 10 * 60 * 1000
FACTOR: Final = 2  # units inside a transaction count twice
TWICE: Final = "Transaction request cannot include multiple operations on one item"
TOO_LARGE: Final = "Collection of items in the transaction exceeds the maximum size of 4194304 bytes"
MISMATCH: Final = (
    "Request parameters do not match the parameters of an earlier request with the same ClientRequestToken"
)
KINDS: Final = ("ConditionCheck", "Put", "Delete", "Update")
FINE: Final[Mapping[str, str]] = {"Code": "None"}


def canceled(reasons: list[Mapping[str, Any]]) -> TransactionCanceledException:
    """Say why a transaction was not carried out: one reason for each of its items."""
    codes = ", ".join(str(reason["Code"]) for reason in reasons)
    return TransactionCanceledException(
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        members={"CancellationReasons": reasons},
    )


def reason_of(error: ServiceError) -> dict[str, Any]:
    """Give the cancellation reason that an error of one item is."""
    if isinstance(error, ConditionalCheckFailedException):
        return {"Code": "ConditionalCheckFailed", "Message": error.message, **error.members}
    return {"Code": "ValidationError", "Message": error.message}


class Transactions:
    """Answers the two transaction operations."""

    def __init__(self, tables: Tables, store: ItemStore, reads: Reads, writes: Writes, meter: ThroughputMeter) -> None:
        self._tables = tables
        self._store = store
        self._reads = reads
        self._writes = writes
        self._meter = meter

    # -- TransactWriteItems -----------------------------------------------------------------------------

    async def write(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer TransactWriteItems. Raises: TransactionCanceledException, IdempotentParameterMismatchException, …."""
        token = params.get("ClientRequestToken", "")
        fingerprint = _fingerprint(params) if token else b""
        prepared = self._prepared(call, params["TransactItems"])
        for table in {write.table.arn: write.table for write in prepared}.values():
            self._meter.admit_write(table)

        def work(writer: ItemWriter) -> list[Outcome] | None:
            if token:
                seen = writer.claim_token(
                    call.account_id, call.region, token, fingerprint, now_ms=call.now_ms, life_ms=TOKEN_LIFE_MS
                )
                if seen == fingerprint:
                    return None
                if seen is not None:
                    raise IdempotentParameterMismatchException(MISMATCH)
            return _carry_out_all(writer, prepared)

        try:
            outcomes = await self._store.write(work)
        except TableGone as error:
            raise UnknownTable(str(error)) from error
        return self._write_answer(params, prepared, outcomes)

    def _prepared(self, call: Call, items: list[Mapping[str, Any]]) -> list[PreparedWrite]:
        prepared: list[PreparedWrite] = []
        reasons: list[Mapping[str, Any]] = []
        for item in items:
            try:
                prepared.append(self._prepare(call, item))
                reasons.append(FINE)
            except ItemRejected as error:
                reasons.append(reason_of(error))
        if len(prepared) != len(items):
            raise canceled(reasons)
        if len({(write.table.arn, write.key) for write in prepared}) != len(prepared):
            raise ValidationException(TWICE)
        return prepared

    def _prepare(self, call: Call, item: Mapping[str, Any]) -> PreparedWrite:
        kinds = [kind for kind in KINDS if kind in item]
        if len(kinds) != 1:
            raise ValidationException("TransactItems can only contain one of Check, Put, Update or Delete")
        request = item[kinds[0]]
        match kinds[0]:
            case "Put":
                return self._writes.prepare_put(call, request)
            case "Update":
                return self._writes.prepare_update(call, request)
            case "Delete":
                return self._writes.prepare_delete(call, request)
            case _:
                return self._writes.prepare_delete(call, request, is_check=True)

    def _write_answer(
        self, params: Mapping[str, Any], prepared: list[PreparedWrite], outcomes: list[Outcome] | None
    ) -> dict[str, Any]:
        detail = wants_capacity(params)
        by_table: dict[str, list[int]] = {}
        for position, write in enumerate(prepared):
            by_table.setdefault(write.table.definition.name, []).append(position)
        capacities: list[dict[str, Any]] = []
        metrics: dict[str, list[Any]] = {}
        for name, positions in by_table.items():
            table = prepared[positions[0]].table
            if outcomes is None:  # done before: AWS charges the reads that find it out
                consumed, kind = self._again(table, [prepared[position] for position in positions]), "Read"
            else:
                consumed, kind = consumed_by(table, [outcomes[at] for at in positions], factor=FACTOR), "Write"
            self._meter.charge(consumed, is_write=kind == "Write")
            capacities.append(consumed.to_aws(detail or "TOTAL", kind))
            if params.get("ReturnItemCollectionMetrics") == "SIZE":
                found = [collection_metrics(self._store, table, prepared[at].key_item) for at in positions]
                if any(found):
                    metrics[name] = found
        answer: dict[str, Any] = {}
        if detail:
            answer["ConsumedCapacity"] = capacities
        if metrics:
            answer["ItemCollectionMetrics"] = metrics
        return answer

    def _again(self, table: Table, prepared: list[PreparedWrite]) -> Consumed:
        consumed = Consumed(table)
        for write in prepared:
            row = self._reads.row(table, write.key)
            consumed.table_units += read_units(0 if row is None else row[0], consistent=True) * FACTOR
        return consumed

    # -- TransactGetItems -------------------------------------------------------------------------------

    def get(self, call: Call, params: Mapping[str, Any]) -> bytes:
        """Answer TransactGetItems: every item as it stood at one moment."""
        gets = [item["Get"] for item in params["TransactItems"]]
        assert len(gets) <= DYNAMODB_TRANSACTION_ITEMS_MAX
        projections = [self._reads.projection(get) for get in gets]
        places: list[tuple[Table, bytes]] = []
        reasons: list[Mapping[str, Any]] = []
        for get in gets:
            table = self._tables.find(call, get["TableName"])
            try:
                places.append((table, key_bytes(table, get["Key"])))
                reasons.append(FINE)
            except ItemRejected as error:
                reasons.append(reason_of(error))
        if len(places) != len(gets):
            raise canceled(reasons)
        if len({(table.arn, key) for table, key in places}) != len(places):
            raise ValidationException(TWICE)
        for table, _ in places:
            self._meter.admit_read(table)
        rows = self._store.snapshot(lambda: [self._reads.row(table, key) for table, key in places])
        if sum(row[0] for row in rows if row is not None) > BYTES_MAX:
            raise ValidationException(TOO_LARGE)
        blobs = [
            b"{}" if row is None else b'{"Item":' + picked(row[1], projection) + b"}"
            for row, projection in zip(rows, projections, strict=True)
        ]
        return self._get_answer(params, blobs, places, rows)

    def _get_answer(
        self,
        params: Mapping[str, Any],
        blobs: list[bytes],
        places: list[tuple[Table, bytes]],
        rows: list[Row | None],
    ) -> bytes:
        consumed: dict[str, Consumed] = {}
        for (table, _), row in zip(places, rows, strict=True):
            used = consumed.setdefault(table.arn, Consumed(table))
            used.table_units += read_units(0 if row is None else row[0], consistent=True) * FACTOR
        for used in consumed.values():
            self._meter.charge(used, is_write=False)
        detail = wants_capacity(params)
        tail = b""
        if detail:
            tail = b',"ConsumedCapacity":' + orjson.dumps([used.to_aws(detail, "Read") for used in consumed.values()])
        return b'{"Responses":[' + b",".join(blobs) + b"]" + tail + b"}"


def _carry_out_all(writer: ItemWriter, prepared: list[PreparedWrite]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    reasons: list[Mapping[str, Any]] = []
    size = 0
    for write in prepared:
        try:
            outcome = write.carry_out(writer)
        except (ConditionalCheckFailedException, ValidationException) as error:
            reasons.append(reason_of(error))
            continue
        outcomes.append(outcome)
        reasons.append(FINE)
        size += max(outcome.old.size if outcome.old else 0, outcome.new.size if outcome.new else 0)
    if len(outcomes) != len(prepared):
        raise canceled(reasons)
    if size > BYTES_MAX:
        raise ValidationException(TOO_LARGE)
    return outcomes


def _fingerprint(params: Mapping[str, Any]) -> bytes:
    """Digest what makes two requests the same."""
    same = {name: value for name, value in params.items() if name == "TransactItems"}
    return hashlib.sha256(orjson.dumps(same, option=orjson.OPT_SORT_KEYS)).digest()
