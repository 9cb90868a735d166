"""ExecuteStatement, BatchExecuteStatement, ExecuteTransaction: statements, carried out by the other operations' parts.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteStatement.html,
API_BatchExecuteStatement.html, API_ExecuteTransaction.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from gatepost.kernel.errors import ServiceError, ValidationException
from gatepost.kernel.operations import Call
from gatepost.languages.item_values import Item, wire_item
from gatepost.languages.partiql_tree import Statement
from gatepost.services.dynamodb.model import (
    ConditionalCheckFailedException,
    DuplicateItemException,
    Table,
    TransactionCanceledException,
)
from gatepost.services.dynamodb.reads import ROWS_MAX, Reads
from gatepost.services.dynamodb.statements import Selection, read_statement, selection_of, write_of
from gatepost.services.dynamodb.tables import Tables
from gatepost.services.dynamodb.transactions import Transactions, canceled
from gatepost.services.dynamodb.writes import Writes

READS: Final = frozenset({"SELECT"})
DUPLICATE: Final = "Duplicate primary key exists in table"
BAD_TOKEN: Final = "NextToken does not match request"  # noqa: S105 - a message
_ACTIONS: Final = {"INSERT": "Put", "UPDATE": "Update", "DELETE": "Delete", "EXISTS": "ConditionCheck"}
_CODES: Final = {
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "DuplicateItemException": "DuplicateItem",
    "ProvisionedThroughputExceededException": "ProvisionedThroughputExceeded",
    "ResourceNotFoundException": "ResourceNotFound",
    "ThrottlingException": "ThrottlingError",
    "ValidationException": "ValidationError",
}

Params = Mapping[str, Any]
Answer = dict[str, Any]


class PartiQl:
    """Answers the three operations that take statements."""

    def __init__(self, tables: Tables, reads: Reads, writes: Writes, transactions: Transactions) -> None:
        self._tables = tables
        self._reads = reads
        self._writes = writes
        self._transactions = transactions

    async def execute(self, call: Call, params: Params) -> Answer:
        """Answer ExecuteStatement. Raises: DuplicateItemException and what the operation behind it raises."""
        statement = read_statement(params)
        if statement.kind == "EXISTS":
            raise ValidationException("EXISTS is only supported in ExecuteTransaction")
        table = self._tables.find(call, statement.table)
        if statement.kind == "SELECT":
            return self._select(call, selection_of(statement, table), params)
        for name in ("Limit", "NextToken"):
            if name in params:
                raise ValidationException(f"{name} is not supported for statements that write")
        return await self._write(call, statement, table, params)

    def _select(self, call: Call, selection: Selection, params: Params) -> Answer:
        """Read one page: of one partition after the other until something ends it."""
        at, start = _read_token(params, len(selection.requests))
        shared = {name: params[name] for name in ("ConsistentRead", "ReturnConsumedCapacity") if name in params}
        room: int = params.get("Limit", ROWS_MAX)
        items: list[Item] = []
        capacities: list[Answer] = []
        answer: Answer = {"Items": items}
        for position in range(at, len(selection.requests)):
            request = {**selection.requests[position], **shared, "Limit": room}
            if start is not None:
                request["ExclusiveStartKey"], start = start, None
            page = self._page(call, request, is_scan=selection.is_scan)
            items += selection.shown(page["Items"])
            capacities += [page["ConsumedCapacity"]] if "ConsumedCapacity" in page else []
            room -= page["ScannedCount"]
            last = page.get("LastEvaluatedKey")
            if last is not None or (room <= 0 and position + 1 < len(selection.requests)):
                answer["NextToken"] = _token(params, position if last is not None else position + 1, last)
                if last is not None:
                    answer["LastEvaluatedKey"] = last
                break
        if capacities:
            answer["ConsumedCapacity"] = _together(capacities)
        return answer

    def _page(self, call: Call, request: Params, *, is_scan: bool) -> Answer:
        blob = self._reads.scan(call, request) if is_scan else self._reads.query(call, request, filters_keys=True)
        page: Answer = orjson.loads(blob)
        return page

    async def _write(self, call: Call, statement: Statement, table: Table, params: Params) -> Answer:
        request = write_of(statement, table)
        for name in ("ReturnConsumedCapacity", "ReturnValuesOnConditionCheckFailure"):
            if name in params:
                request[name] = params[name]
        try:
            match statement.kind:
                case "INSERT":
                    written = await self._writes.put_item(call, request)
                case "UPDATE":
                    written = await self._writes.update_item(call, request)
                case _:
                    written = await self._writes.delete_item(call, request)
        except ConditionalCheckFailedException as error:
            if statement.kind == "INSERT":
                raise DuplicateItemException(DUPLICATE) from error
            raise
        answer: Answer = {"Items": [written["Attributes"]] if "Attributes" in written else []}
        if "ConsumedCapacity" in written:
            answer["ConsumedCapacity"] = written["ConsumedCapacity"]
        return answer

    # -- batches --------------------------------------------------------------------------------------

    async def batch(self, call: Call, params: Params) -> Answer:
        """Answer BatchExecuteStatement: each statement for itself, its error among the answers."""
        requests = params["Statements"]
        kinds = {_kind_of(request) for request in requests} - {""}
        if "SELECT" in kinds and len(kinds) > 1:
            raise ValidationException("Cannot mix read and write operations in one BatchExecuteStatement request")
        shared = {name: params[name] for name in ("ReturnConsumedCapacity",) if name in params}
        responses: list[Answer] = []
        capacities: list[Answer] = []
        for request in requests:
            response: Answer = {}
            try:
                statement = read_statement(request)
                table = self._tables.find(call, statement.table)
                response["TableName"] = table.definition.name
                told = await self._one(call, statement, table, {**request, **shared})
                if told["Items"]:
                    response["Item"] = told["Items"][0]
                capacities += [told["ConsumedCapacity"]] if "ConsumedCapacity" in told else []
            except ServiceError as error:
                response["Error"] = _rendered(error)
            responses.append(response)
        answer: Answer = {"Responses": responses}
        if capacities:
            answer["ConsumedCapacity"] = _by_table(capacities)
        return answer

    async def _one(self, call: Call, statement: Statement, table: Table, params: Params) -> Answer:
        if statement.kind == "EXISTS":
            raise ValidationException("EXISTS is only supported in ExecuteTransaction")
        if statement.kind != "SELECT":
            return await self._write(call, statement, table, params)
        selection = selection_of(statement, table)
        if not selection.key or statement.index:
            raise ValidationException(
                "Select statements within BatchExecuteStatement must specify the primary key in the where clause."
            )
        return self._select(call, selection, params)

    # -- transactions ---------------------------------------------------------------------------------

    async def transact(self, call: Call, params: Params) -> Answer:
        """Answer ExecuteTransaction: all statements or none; all of them read or all of them write."""
        statements = [read_statement(request) for request in params["TransactStatements"]]
        are_reads = [statement.kind == "SELECT" for statement in statements]
        if any(are_reads) and not all(are_reads):
            raise ValidationException("Cannot mix read and write operations in one ExecuteTransaction request")
        shared = {name: params[name] for name in ("ReturnConsumedCapacity",) if name in params}
        if all(are_reads):
            return self._transact_reads(call, statements, shared)
        items = []
        for request, statement in zip(params["TransactStatements"], statements, strict=True):
            write = write_of(statement, self._tables.find(call, statement.table))
            if write.pop("ReturnValues", ""):
                raise ValidationException("RETURNING is not supported in ExecuteTransaction")
            if "ReturnValuesOnConditionCheckFailure" in request:
                write["ReturnValuesOnConditionCheckFailure"] = request["ReturnValuesOnConditionCheckFailure"]
            items.append({_ACTIONS[statement.kind]: write})
        if "ClientRequestToken" in params:
            shared["ClientRequestToken"] = params["ClientRequestToken"]
        try:
            told = await self._transactions.write(call, {"TransactItems": items, **shared})
        except TransactionCanceledException as error:
            raise _with_duplicates(error, statements) from error
        return {"Responses": [{} for _ in statements], **told}

    def _transact_reads(self, call: Call, statements: list[Statement], shared: Params) -> Answer:
        gets, selections = [], []
        for statement in statements:
            selection = selection_of(statement, self._tables.find(call, statement.table))
            if not selection.key or statement.index:
                raise ValidationException(
                    "Select statements within ExecuteTransaction must specify the primary key in the where clause."
                )
            gets.append({"Get": {"TableName": statement.table, "Key": selection.key}})
            selections.append(selection)
        told: Answer = orjson.loads(self._transactions.get(call, {"TransactItems": gets, **shared}))
        for response, selection in zip(told["Responses"], selections, strict=True):
            if "Item" in response:
                (response["Item"],) = selection.shown([response["Item"]])
        return told


def _kind_of(request: Params) -> str:
    try:
        return "SELECT" if read_statement(request).kind == "SELECT" else "write"
    except ValidationException:
        return ""  # its own answer will say so


def _rendered(error: ServiceError) -> Answer:
    rendered: Answer = {"Code": _CODES.get(error.code, "InternalServerError"), "Message": error.message}
    item = error.members.get("Item")
    if isinstance(item, dict):
        rendered["Item"] = wire_item(item)
    return rendered


def _with_duplicates(error: TransactionCanceledException, statements: list[Statement]) -> TransactionCanceledException:
    """Call it DuplicateItem where an INSERT found its key taken."""
    reasons: Any = error.members.get("CancellationReasons", [])
    return canceled(
        [
            {"Code": "DuplicateItem", "Message": DUPLICATE}
            if statement.kind == "INSERT" and reason["Code"] == "ConditionalCheckFailed"
            else reason
            for reason, statement in zip(reasons, statements, strict=True)
        ]
    )


def _together(capacities: list[Answer]) -> Answer:
    """Add up what the pages of one table consumed."""
    first, *others = capacities
    for other in others:
        for name, value in other.items():
            if isinstance(value, float):
                first[name] = first.get(name, 0.0) + value
            elif isinstance(value, dict):
                first[name] = _together([first.get(name, {}), value])
    return first


def _by_table(capacities: list[Answer]) -> list[Answer]:
    tables: dict[str, list[Answer]] = {}
    for capacity in capacities:
        tables.setdefault(capacity["TableName"], []).append(capacity)
    return [_together(found) for found in tables.values()]


def _fingerprint(params: Params) -> str:
    same = [params["Statement"], params.get("Parameters", [])]
    return hashlib.sha256(orjson.dumps(same, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _token(params: Params, position: int, last: Item | None) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([_fingerprint(params), position, last])).decode()


def _read_token(params: Params, requests: int) -> tuple[int, Item | None]:
    """Give where a page goes on: in which partition, after which key. Raises: ValidationException."""
    token = params.get("NextToken")
    if token is None:
        return 0, None
    try:
        fingerprint, position, last = orjson.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError, binascii.Error):
        raise ValidationException(BAD_TOKEN) from None
    is_key = last is None or (isinstance(last, dict) and all(isinstance(value, dict) for value in last.values()))
    if fingerprint != _fingerprint(params) or type(position) is not int or not 0 <= position < requests or not is_key:
        raise ValidationException(BAD_TOKEN)
    return position, last
