"""GetItem, Query and Scan. Answers are put together from the JSON that lies in the rows, where nothing cuts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from gatepost.kernel.errors import ValidationException
from gatepost.kernel.limits import DYNAMODB_PAGE_BYTES_MAX
from gatepost.kernel.operations import Call
from gatepost.languages.item_expressions import CompiledCondition, CompiledKeyCondition, Expressions
from gatepost.languages.item_expressions_paths import Projection, Values
from gatepost.languages.item_expressions_tree import ExpressionError
from gatepost.languages.item_values import Item, type_of
from gatepost.services.dynamodb.capacity import Consumed, read_units, wants_capacity
from gatepost.services.dynamodb.keys import (
    MISMATCH,
    key_bytes,
    pick_keys,
    start_key_bytes,
)
from gatepost.services.dynamodb.legacy import modern
from gatepost.services.dynamodb.model import Table, UnknownTable
from gatepost.services.dynamodb.placeholders import Placeholders, invalid
from gatepost.services.dynamodb.tables import Tables
from gatepost.services.dynamodb.throughput import ThroughputMeter
from gatepost.storage.items import ItemStore, Row, TableGone
from gatepost.storage.items_keys import (
    PARTITION_KEY_BYTES_MAX,
    SORT_KEY_BYTES_MAX,
    KeyAttribute,
    KeySchema,
    SortCondition,
    encode,
    key_range,
    segment_range,
    table_key,
)
from gatepost.storage.items_tables import ItemIndex

ROWS_MAX: Final = 1_000_000  # of one page: bounded by its bytes long before
NO_ITEM: Final = b"{}"
_BEGINNING: Final = frozenset({"S", "B"})


class Reads:
    """Answers the operations that read one table."""

    def __init__(self, tables: Tables, store: ItemStore, expressions: Expressions, meter: ThroughputMeter) -> None:
        self._tables = tables
        self._store = store
        self._expressions = expressions
        self._meter = meter

    def get_item(self, call: Call, params: Mapping[str, Any]) -> bytes:
        """Answer GetItem. Raises: ServiceError."""
        params = modern(params)
        projection = self.projection(params)
        table = self._tables.find(call, params["TableName"])
        key = key_bytes(table, params["Key"])
        is_metered = table.is_metered
        if is_metered:
            self._meter.admit_read(table)
        row = self.row(table, key)
        detail = wants_capacity(params)
        if detail or is_metered:
            consumed = Consumed(table)
            size = 0 if row is None else row[0]
            consumed.table_units = read_units(size, consistent=params.get("ConsistentRead", False))
            self._meter.charge(consumed, is_write=False)
            if detail:
                tail = b'"ConsumedCapacity":' + orjson.dumps(consumed.to_aws(detail))
                return b"{" + (tail if row is None else b'"Item":' + picked(row[1], projection) + b"," + tail) + b"}"
        if row is None:
            return NO_ITEM
        return b'{"Item":' + (row[1] if projection is None else picked(row[1], projection)) + b"}"

    def row(self, table: Table, key: bytes) -> Row | None:
        """Give an item's row. Raises: UnknownTable when the table was deleted meanwhile."""
        try:
            return self._store.get(table.items, key)
        except TableGone as error:
            raise UnknownTable(table.arn) from error

    def projection(self, params: Mapping[str, Any]) -> Projection | None:
        """Compile the request's ProjectionExpression, where that is the only expression it may have."""
        text = params.get("ProjectionExpression")
        if text is None and "ExpressionAttributeNames" not in params:
            return None
        placeholders = Placeholders(params, ("ProjectionExpression",))
        try:
            compiled = self._expressions.projection(text or "", placeholders.names)
        except ExpressionError as error:
            raise invalid(error) from error
        placeholders.check_used((compiled.used,))
        return compiled.projection

    def query(self, call: Call, params: Mapping[str, Any], *, filters_keys: bool = False) -> bytes:
        """Answer Query. With `filters_keys` (statements) the filter may name key attributes."""
        params = modern(params)
        text = params.get("KeyConditionExpression")
        if text is None:
            raise ValidationException(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
            )
        page = _Page(self._expressions, params, ("FilterExpression", "KeyConditionExpression", "ProjectionExpression"))
        try:
            condition = self._expressions.key_condition(text, page.placeholders.names, page.placeholders.values)
        except ExpressionError as error:
            raise invalid(error) from error
        page.placeholders.check_used([*page.used, condition.used])
        page.place(self._tables.find(call, params["TableName"]))
        if not filters_keys:
            page.refuse_filter_on_keys()
        low, high = _range_of(condition, page.keys, page.placeholders.values, in_index=page.index is not None)
        return self._answer(page, low, high, is_forward=params.get("ScanIndexForward", True))

    def scan(self, call: Call, params: Mapping[str, Any]) -> bytes:
        """Answer Scan, whole or one segment of it."""
        params = modern(params)
        page = _Page(self._expressions, params, ("FilterExpression", "ProjectionExpression"))
        page.placeholders.check_used(page.used)
        low, high = segment_range(*_segment(params))
        page.place(self._tables.find(call, params["TableName"]))
        return self._answer(page, low, high, is_forward=True)

    def _answer(self, page: _Page, low: bytes, high: bytes, *, is_forward: bool) -> bytes:
        table, params = page.table, page.params
        start = params.get("ExclusiveStartKey")
        if start is not None:
            last = start_key_bytes(table, page.keys, start, in_index=page.index is not None)
            if not low <= last < high:
                raise ValidationException(page.outside)
            low, high = (last + b"\0", high) if is_forward else (low, last)
        self._meter.admit_read(table, page.index.name if page.index is not None and not page.index.is_local else "")
        limit = params.get("Limit", ROWS_MAX)
        try:
            rows, more = self._store.rows(
                page.index or table.items,
                low,
                high,
                is_forward=is_forward,
                count_max=limit,
                bytes_max=DYNAMODB_PAGE_BYTES_MAX,
            )
        except TableGone as error:
            raise UnknownTable(table.arn) from error
        consumed = page.consumed(rows)
        last_key = b""
        if more and rows:
            schemas = (table.items.keys,) if page.index is None else (page.keys, table.items.keys)
            last_key = orjson.dumps(pick_keys(orjson.loads(rows[-1][1]), *schemas))
        if page.fetches:
            rows = self._fetched(page, rows, consumed)
        self._meter.charge(consumed, is_write=False)
        return page.render(rows, last_key, consumed)

    def _fetched(self, page: _Page, rows: list[Row], consumed: Consumed) -> list[Row]:
        """Fetch whole items from the table for a local index that does not hold all that was asked for."""
        found = []
        for row in rows:
            key = table_key(page.table.items.keys, orjson.loads(row[1]))
            whole = self.row(page.table, key)
            if whole is not None:
                consumed.table_units += read_units(whole[0], consistent=page.is_consistent)
                found.append(whole)
        return found


_OUTSIDE: Final = "The provided starting key is outside query boundaries based on provided conditions"


def picked(blob: bytes, projection: Projection | None) -> bytes:
    """Give what a projection leaves of an item's JSON."""
    return blob if projection is None else orjson.dumps(projection.pick(orjson.loads(blob)))


class _Page:
    """One page of a Query or Scan: what it reads, what it keeps, how it is told."""

    def __init__(self, expressions: Expressions, params: Mapping[str, Any], takes: tuple[str, ...]) -> None:
        self.params = params
        self.placeholders = Placeholders(params, takes)
        self.filter: CompiledCondition | None = None
        self.projection: Projection | None = None
        self.used = []
        self.outside = _OUTSIDE
        if "Segment" in params:
            self.outside = (
                "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with "
                f"correct Segment. TotalSegments: {params.get('TotalSegments')} Segment: {params['Segment']}"
            )
        self.is_consistent: bool = params.get("ConsistentRead", False)
        self.fetches = False
        names, values = self.placeholders.names, self.placeholders.values
        try:
            if (text := params.get("FilterExpression")) is not None:
                self.filter = expressions.condition("FilterExpression", text, names, values)
                self.used.append(self.filter.used)
            if (text := params.get("ProjectionExpression")) is not None:
                compiled = expressions.projection(text, names)
                self.projection = compiled.projection
                self.used.append(compiled.used)
        except ExpressionError as error:
            raise invalid(error) from error

    def place(self, table: Table) -> None:
        """Find what is read, the table or one of its indexes, and hold the request against it."""
        self.table = table
        self.index = self._index()
        self.keys: KeySchema = table.items.keys if self.index is None else self.index.keys
        select = self._select()
        self.is_count = select == "COUNT"
        index = self.index
        if index is None or index.projected is None:
            return
        if select == "ALL_ATTRIBUTES":
            if not index.is_local:
                raise ValidationException(
                    "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global "
                    f"secondary index {index.name} because its projection type is not ALL"
                )
            self.fetches = True
        wanted = {str(path[0]) for used in self.used for path in used.paths}
        if not wanted <= index.projected:
            if not index.is_local:
                missing = ", ".join(sorted(wanted - index.projected))
                raise ValidationException(
                    "One or more parameter values were invalid: Global secondary index "
                    f"{index.name} does not project [{missing}]"
                )
            self.fetches = True

    def _index(self) -> ItemIndex | None:
        name = self.params.get("IndexName")
        if name is None:
            return None
        index = self.table.readable.get(name)
        if index is None:
            if any(one.name == name for one in self.table.items.indexes):
                raise ValidationException(f"Cannot read from backfilling global secondary index: {name}")
            raise ValidationException(f"The table does not have the specified index: {name}")
        if self.is_consistent and not index.is_local:
            raise ValidationException("Consistent reads are not supported on global secondary indexes")
        return index

    def _select(self) -> str:
        select: str = self.params.get("Select", "")
        has_projection = self.projection is not None
        if select == "SPECIFIC_ATTRIBUTES" and not has_projection:
            raise ValidationException(
                "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
            )
        if has_projection and select not in {"", "SPECIFIC_ATTRIBUTES"}:
            what = "only the Count" if select == "COUNT" else select
            given = "AttributesToGet" if "AttributesToGet" in self.params else "ProjectionExpression"
            raise ValidationException(f"Cannot specify the {given} when choosing to get {what}")
        if select == "ALL_PROJECTED_ATTRIBUTES" and self.index is None:
            raise ValidationException("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
        return select

    def refuse_filter_on_keys(self) -> None:
        """Refuse a filter on the keys that the key condition is for. Raises: ValidationException."""
        if self.filter is not None:
            for path in self.filter.used.paths:
                if path[0] in self.keys.names:
                    given = "QueryFilter" if "QueryFilter" in self.params else "Filter Expression"
                    raise ValidationException(
                        f"{given} can only contain non-primary key attributes: Primary key attribute: {path[0]}"
                    )

    def consumed(self, rows: list[Row]) -> Consumed:
        """Work out what reading `rows` consumed."""
        consumed = Consumed(self.table)
        units = read_units(sum(size for size, _ in rows), consistent=self.is_consistent)
        if self.index is None:
            consumed.table_units = units
        else:
            consumed.add_index(self.index.name, units, is_local=self.index.is_local)
        return consumed

    def render(self, rows: list[Row], last_key: bytes, consumed: Consumed) -> bytes:
        """Put the answer together."""
        blobs = self._kept(rows)
        parts = [b'{"Count":%d,"ScannedCount":%d' % (len(blobs), len(rows))]
        if not self.is_count:
            parts.append(b',"Items":[' + b",".join(blobs) + b"]")
        if last_key:
            parts.append(b',"LastEvaluatedKey":' + last_key)
        detail = wants_capacity(self.params)
        if detail:
            parts.append(b',"ConsumedCapacity":' + orjson.dumps(consumed.to_aws(detail)))
        parts.append(b"}")
        return b"".join(parts)

    def _kept(self, rows: list[Row]) -> list[bytes]:
        if self.filter is None and self.projection is None:
            return [blob for _, blob in rows]
        test = None if self.filter is None else self.filter.test
        values, projection = self.placeholders.values, self.projection
        kept = []
        for _, blob in rows:
            item: Item = orjson.loads(blob)
            if test is None or test(item, values):
                kept.append(blob if projection is None else orjson.dumps(projection.pick(item)))
        return kept


def _segment(params: Mapping[str, Any]) -> tuple[int, int]:
    segment, total = params.get("Segment"), params.get("TotalSegments")
    if segment is None and total is None:
        return 0, 1
    if segment is None:
        raise ValidationException(
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is "
            "present"
        )
    if total is None:
        raise ValidationException(
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is "
            "present"
        )
    if segment >= total:
        raise ValidationException(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )
    return segment, total


def _range_of(
    condition: CompiledKeyCondition, keys: KeySchema, values: Values, *, in_index: bool
) -> tuple[bytes, bytes]:
    """Hold a key condition against the schema and give the range of keys it selects. Raises: ValidationException."""
    parts = {part.name: part for part in condition.parts}
    partition = parts.pop(keys.partition.name, None)
    if partition is None:
        raise ValidationException(f"Query condition missed key schema element: {keys.partition.name}")
    if partition.operator != "=":
        raise ValidationException("Query key condition not supported")
    first = _operand(keys.partition, values, partition.values[0], PARTITION_KEY_BYTES_MAX)
    sort_condition = None
    if parts:
        sort = keys.sort
        part = None if sort is None else parts.get(sort.name)
        if sort is None or part is None:
            expected = keys.partition.name if sort is None else sort.name
            raise ValidationException(
                "Query key condition not supported"
                if sort is None
                else f"Query condition missed key schema element: {expected}"
            )
        if part.operator == "begins_with" and sort.type not in _BEGINNING:
            raise ValidationException(
                "Invalid KeyConditionExpression: Incorrect operand type for operator or function; "
                "operator or function: begins_with, operand type: N"
            )
        operands = tuple(_operand(sort, values, name, SORT_KEY_BYTES_MAX) for name in part.values)
        sort_condition = SortCondition(part.operator, operands)
    return key_range(keys, first, sort_condition, in_index=in_index)


def _operand(attribute: KeyAttribute, values: Values, name: str, bytes_max: int) -> str:
    value = values[name]
    if attribute.type not in value:
        raise ValidationException(
            "One or more parameter values were invalid: Condition parameter type does not match schema type"
        )
    content: str = value[attribute.type]
    if not content:
        noun = "string" if type_of(value) == "S" else "binary"
        raise ValidationException(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            f"empty {noun} value. Key: {attribute.name}"
        )
    if attribute.type != "N" and len(encode(attribute.type, content)) > bytes_max:
        raise ValidationException(f"One or more parameter values were invalid: {MISMATCH}")
    return content
