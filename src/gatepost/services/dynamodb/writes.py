"""PutItem, UpdateItem and DeleteItem: prepared on the event loop, carried out in the writer thread.

A `PreparedWrite` holds all that can be decided before the item is seen. `carry_out` reads the item, tests the
condition, works out the new item and writes it: one atomic step in the store's transaction. BatchWriteItem and
TransactWriteItems carry out several of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from gatepost.kernel.errors import ValidationException
from gatepost.kernel.limits import DYNAMODB_ITEM_BYTES_MAX
from gatepost.kernel.operations import Call
from gatepost.languages.item_expressions import CompiledCondition, Expressions
from gatepost.languages.item_expressions_paths import Values
from gatepost.languages.item_expressions_tree import ExpressionError, UpdateError
from gatepost.languages.item_expressions_updates import UpdatePlan
from gatepost.languages.item_values import Item, ItemValueError, measure_item, native_item
from gatepost.services.dynamodb.capacity import Consumed, wants_capacity, write_units
from gatepost.services.dynamodb.item_collections import collection_metrics
from gatepost.services.dynamodb.keys import check_index_keys, item_key_bytes, key_bytes
from gatepost.services.dynamodb.legacy import modern
from gatepost.services.dynamodb.model import (
    ConditionalCheckFailedException,
    ItemRejected,
    Table,
    UnknownTable,
)
from gatepost.services.dynamodb.placeholders import Placeholders, invalid
from gatepost.services.dynamodb.tables import Tables
from gatepost.services.dynamodb.throughput import ThroughputMeter
from gatepost.storage.items import ItemStore, TableGone
from gatepost.storage.items_tables import Stored, stored
from gatepost.storage.items_writer import IndexWrite, ItemWriter

CONDITION_FAILED: Final = "The conditional request failed"
TOO_LARGE: Final = "Item size has exceeded the maximum allowed size"
TOO_LARGE_UPDATE: Final = "Item size to update has exceeded the maximum allowed size"
_NO_ITEM: Final[Item] = {}
_NO_VALUES: Final[Mapping[str, Any]] = {}


class Outcome(NamedTuple):
    """What a write did: the item before and after, and what it wrote to indexes."""

    old: Stored | None
    new: Stored | None
    index_writes: list[IndexWrite]

    @property
    def units(self) -> float:
        """Write units of the table itself."""
        return write_units(max(self.old.size if self.old else 0, self.new.size if self.new else 0))


class PreparedWrite(NamedTuple):
    """A write that waits for the store. Exactly one of `new`, `plan`, or neither (delete or check)."""

    table: Table
    key: bytes
    key_item: Item
    condition: CompiledCondition | None = None
    values: Values = _NO_VALUES
    new: Stored | None = None
    plan: UpdatePlan | None = None
    is_check: bool = False  # TransactWriteItems' ConditionCheck: nothing is written
    is_update: bool = False
    returns_item_on_failure: bool = False

    def carry_out(self, writer: ItemWriter) -> Outcome:
        """Read, test and write.

        Raises: ConditionalCheckFailedException, ValidationException; then nothing is written.
        """
        items = self.table.items
        old = writer.get(items, self.key)
        if self.condition is not None and not self.condition.test(_NO_ITEM if old is None else old.item, self.values):
            members: dict[str, object] = {}
            if self.returns_item_on_failure and old is not None:
                members["Item"] = native_item(old.item)
            raise ConditionalCheckFailedException(CONDITION_FAILED, members=members)
        if self.is_check:
            return Outcome(old, old, [])
        new = self._updated(old) if self.is_update else self.new
        if new is not None:
            return Outcome(old, new, writer.put(items, self.key, new, old))
        return Outcome(old, None, writer.delete(items, self.key, old) if old is not None else [])

    def _updated(self, old: Stored | None) -> Stored:
        item = self.key_item if old is None else old.item
        if self.plan is not None:
            try:
                item = self.plan.apply(item, self.values)
            except UpdateError as error:
                raise ItemRejected(str(error)) from error
        elif old is not None:
            return old
        try:
            size = measure_item(item)
        except ItemValueError as invalid:
            raise ItemRejected(str(invalid)) from invalid
        if size > DYNAMODB_ITEM_BYTES_MAX:
            raise ItemRejected(TOO_LARGE_UPDATE)
        check_index_keys(self.table, item)
        return stored(item, size)


class Writes:
    """Answers the operations that write one item."""

    def __init__(self, tables: Tables, store: ItemStore, expressions: Expressions, meter: ThroughputMeter) -> None:
        self._tables = tables
        self._store = store
        self._expressions = expressions
        self._meter = meter

    # -- preparing ------------------------------------------------------------------------------------

    def prepare_put(self, call: Call, params: Mapping[str, Any]) -> PreparedWrite:
        """Check a PutItem, or the Put of a transaction. Raises: ValidationException, ResourceNotFoundException."""
        placeholders = Placeholders(params, ("ConditionExpression",))
        condition = self._condition(params, placeholders)
        placeholders.check_used(() if condition is None else (condition.used,))
        item: Item = params["Item"]
        try:
            size = measure_item(item)
        except ItemValueError as error:
            raise invalid(error) from error
        table = self._tables.find(call, params["TableName"])
        return self.prepared_put(table, item, size, condition, placeholders.values, params)

    def prepared_put(
        self,
        table: Table,
        item: Item,
        size: int,
        condition: CompiledCondition | None = None,
        values: Values = _NO_VALUES,
        params: Mapping[str, Any] = _NO_VALUES,
    ) -> PreparedWrite:
        """Prepare to write a canonical item of `size` bytes. Raises: ValidationException."""
        key = item_key_bytes(table, item)
        check_index_keys(table, item)
        if size > DYNAMODB_ITEM_BYTES_MAX:
            raise ItemRejected(TOO_LARGE)
        return PreparedWrite(
            table,
            key,
            item,
            condition,
            values,
            new=stored(item, size),
            returns_item_on_failure=params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD",
        )

    def prepare_delete(self, call: Call, params: Mapping[str, Any], *, is_check: bool = False) -> PreparedWrite:
        """Check a DeleteItem, or the Delete or ConditionCheck of a transaction."""
        placeholders = Placeholders(params, ("ConditionExpression",))
        condition = self._condition(params, placeholders)
        placeholders.check_used(() if condition is None else (condition.used,))
        table = self._tables.find(call, params["TableName"])
        return PreparedWrite(
            table,
            key_bytes(table, params["Key"]),
            params["Key"],
            condition,
            placeholders.values,
            is_check=is_check,
            returns_item_on_failure=params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD",
        )

    def prepare_update(self, call: Call, params: Mapping[str, Any]) -> PreparedWrite:
        """Check an UpdateItem, or the Update of a transaction."""
        placeholders = Placeholders(params, ("UpdateExpression", "ConditionExpression"))
        plan, used = None, []
        if (text := params.get("UpdateExpression")) is not None:
            try:
                compiled = self._expressions.update(text, placeholders.names, placeholders.values)
            except ExpressionError as error:
                raise invalid(error) from error
            plan = compiled.plan
            used.append(compiled.used)
        condition = self._condition(params, placeholders)
        if condition is not None:
            used.append(condition.used)
        placeholders.check_used(used)
        table = self._tables.find(call, params["TableName"])
        key = key_bytes(table, params["Key"])
        if plan is not None:
            for name in table.items.keys.names:
                if name in plan.names:
                    raise ValidationException(
                        f"One or more parameter values were invalid: Cannot update attribute {name}. "
                        "This attribute is part of the key"
                    )
        return PreparedWrite(
            table,
            key,
            params["Key"],
            condition,
            placeholders.values,
            plan=plan,
            is_update=True,
            returns_item_on_failure=params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD",
        )

    def _condition(self, params: Mapping[str, Any], placeholders: Placeholders) -> CompiledCondition | None:
        text = params.get("ConditionExpression")
        if text is None:
            return None
        try:
            return self._expressions.condition("ConditionExpression", text, placeholders.names, placeholders.values)
        except ExpressionError as error:
            raise invalid(error) from error

    # -- answering ------------------------------------------------------------------------------------

    async def put_item(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer PutItem."""
        params = modern(params)
        _check_return_values(params)
        outcome = await self._carry_out(prepared := self.prepare_put(call, params))
        return self._answer(prepared, params, outcome, _all_old(params, outcome))

    async def delete_item(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer DeleteItem."""
        params = modern(params)
        _check_return_values(params)
        outcome = await self._carry_out(prepared := self.prepare_delete(call, params))
        return self._answer(prepared, params, outcome, _all_old(params, outcome))

    async def update_item(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer UpdateItem."""
        params = modern(params)
        outcome = await self._carry_out(prepared := self.prepare_update(call, params))
        assert outcome.new is not None
        attributes: Item | None = None
        match params.get("ReturnValues", "NONE"):
            case "ALL_OLD":
                attributes = outcome.old.item if outcome.old else None
            case "ALL_NEW":
                attributes = outcome.new.item
            case "UPDATED_OLD" if prepared.plan is not None and outcome.old is not None:
                attributes = prepared.plan.touched.pick(outcome.old.item)
            case "UPDATED_NEW" if prepared.plan is not None:
                attributes = prepared.plan.touched.pick(outcome.new.item)
        return self._answer(prepared, params, outcome, attributes)

    async def _carry_out(self, prepared: PreparedWrite) -> Outcome:
        self._meter.admit_write(prepared.table)
        try:
            return await self._store.write(prepared.carry_out)
        except TableGone as error:
            raise UnknownTable(prepared.table.arn) from error

    def _answer(
        self, prepared: PreparedWrite, params: Mapping[str, Any], outcome: Outcome, attributes: Item | None
    ) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        if attributes:
            answer["Attributes"] = attributes
        detail = wants_capacity(params)
        if detail or prepared.table.is_metered:
            consumed = Consumed(prepared.table)
            consumed.table_units = outcome.units
            consumed.add_writes(outcome.index_writes)
            self._meter.charge(consumed, is_write=True)
            if detail:
                answer["ConsumedCapacity"] = consumed.to_aws(detail)
        if params.get("ReturnItemCollectionMetrics") == "SIZE":
            metrics = collection_metrics(self._store, prepared.table, prepared.key_item)
            if metrics is not None:
                answer["ItemCollectionMetrics"] = metrics
        return answer


def _check_return_values(params: Mapping[str, Any]) -> None:
    if params.get("ReturnValues", "NONE") not in {"NONE", "ALL_OLD"}:
        raise ValidationException("ReturnValues can only be ALL_OLD or NONE")


def _all_old(params: Mapping[str, Any], outcome: Outcome) -> Item | None:
    return outcome.old.item if outcome.old is not None and params.get("ReturnValues") == "ALL_OLD" else None
