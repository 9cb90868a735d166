"""PartiQL statements held against a table's keys: each becomes the request of another operation that means the same.

A SELECT becomes queries where its WHERE names partition keys, else a scan; the rest of WHERE is the filter. The others
become PutItem, UpdateItem or DeleteItem with a condition.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gatepost.kernel.errors import ValidationException
from gatepost.languages.item_expressions_paths import BoundPath, find
from gatepost.languages.item_expressions_tree import (
    And,
    Between,
    Comparison,
    Function,
    In,
    Node,
    Or,
    Path,
    ValueRef,
)
from gatepost.languages.item_values import Item, Value
from gatepost.languages.partiql import parse
from gatepost.languages.partiql_tree import Statement, StatementError, conjuncts, render
from gatepost.services.dynamodb.model import Table
from gatepost.storage.items_keys import KeySchema, encode

NO_KEYS: Final = "Where clause does not contain a mandatory equality on all key attributes"
_FLIPPED: Final = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_PLACEHOLDER: Final = re.compile(r"[#:][0-9a-z]+")

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Selection:
    """A SELECT as requests: one for each partition key that it names, or one scan."""

    requests: tuple[dict[str, Any], ...]
    is_scan: bool
    paths: tuple[BoundPath, ...] = ()  # none: whole items
    key: Item = field(default_factory=dict)  # the whole primary key, where WHERE says no more than that

    def shown(self, items: list[Item]) -> list[Item]:
        """Give what SELECT names of items, each under the last name of its path (unverified for nested ones)."""
        if not self.paths:
            return items
        return [
            {_shown_name(path): value for path in self.paths if (value := find(item, path)) is not None}
            for item in items
        ]


def _shown_name(path: BoundPath) -> str:
    return next(part for part in reversed(path) if isinstance(part, str))


def read_statement(request: Params) -> Statement:
    """Parse a request's statement with its parameters. Raises: ValidationException."""
    try:
        return parse(request["Statement"], request.get("Parameters", ()))
    except StatementError as error:
        raise ValidationException(str(error)) from error


def selection_of(statement: Statement, table: Table) -> Selection:
    """Turn a SELECT into requests. Raises: ValidationException."""
    index = table.readable.get(statement.index)
    keys = table.items.keys if index is None else index.keys
    conditions = conjuncts(statement.where)
    paths = tuple(statement.resolved(path) for path in statement.paths)
    request: dict[str, Any] = {"TableName": statement.table}
    if statement.index:
        request["IndexName"] = statement.index
    if statement.paths:
        names = dict.fromkeys(str(path.parts[0]) for path in statement.paths)
        request["ProjectionExpression"] = ",".join(names)
    found = _partition_of(statement, keys, conditions)
    if found is None:
        if statement.order:
            raise ValidationException(
                "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause."
            )
        if statement.where is not None:
            request["FilterExpression"] = render(statement.where)
        return Selection((_with_placeholders(statement, request),), True, paths)
    name, used, partitions = found
    rest = [one for one in conditions if one is not used]
    sort = next((one for one in rest if _sort_of(statement, keys, one)), None)
    rest = [one for one in rest if one is not sort]
    tail = "" if sort is None else f" AND {_sort_text(sort)}"
    if rest:
        request["FilterExpression"] = render(rest[0] if len(rest) == 1 else And(tuple(rest)))
    partitions = _ordered(statement, keys, partitions, request)
    requests = tuple(
        _with_placeholders(
            statement, {**request, "KeyConditionExpression": f"{name} = :key{tail}"}, {":key": partition}
        )
        for partition in partitions
    )
    return Selection(requests, False, paths, _whole_key(statement, keys, partitions, sort) if not rest else {})


def _whole_key(statement: Statement, keys: KeySchema, partitions: list[Value], sort: Node | None) -> Item:
    if len(partitions) != 1:
        return {}
    key = {keys.partition.name: partitions[0]}
    if keys.sort is None:
        return key
    if not isinstance(sort, Comparison) or sort.operator != "=":
        return {}
    value = sort.right if isinstance(sort.right, ValueRef) else sort.left
    assert isinstance(value, ValueRef)
    return {**key, keys.sort.name: statement.values[value.name]}


def _partition_of(
    statement: Statement, keys: KeySchema, conditions: Sequence[Node]
) -> tuple[str, Node, list[Value]] | None:
    """Find what names partition keys: the placeholder of the name, the condition, the keys."""
    for condition in conditions:
        named = _named(condition)
        if named is not None and statement.resolved(named[0]) == (keys.partition.name,):
            values = [statement.values[name] for name in named[1]]
            distinct = [value for position, value in enumerate(values) if value not in values[:position]]
            return str(named[0].parts[0]), condition, distinct
    return None


def _named(condition: Node) -> tuple[Path, list[str]] | None:
    """Give the path and the values of `path = value`, `path IN [values]`, and of several of them joined by OR."""
    match condition:
        case Comparison("=", Path() as path, ValueRef(value)) | Comparison("=", ValueRef(value), Path() as path):
            return path, [value]
        case In(Path() as path, options):
            values = [one.name for one in options if isinstance(one, ValueRef)]
            return (path, values) if len(values) == len(options) else None
        case Or(alternatives):
            found = [named for one in alternatives if (named := _named(one)) is not None]
            if len(found) != len(alternatives) or any(path != found[0][0] for path, _ in found):
                return None
            return found[0][0], [value for _, values in found for value in values]
        case _:
            return None


def _sort_of(statement: Statement, keys: KeySchema, condition: Node) -> bool:
    """Say whether a condition is one that a query can take for its sort key."""
    match condition:
        case Comparison(operator, Path() as path, ValueRef()) | Comparison(operator, ValueRef(), Path() as path):
            fits = operator in _FLIPPED
        case Between(Path() as path, ValueRef(), ValueRef()) | Function("begins_with", (Path() as path, ValueRef())):
            fits = True
        case _:
            return False
    return fits and keys.sort is not None and statement.resolved(path) == (keys.sort.name,)


def _sort_text(condition: Node) -> str:
    if isinstance(condition, Comparison) and isinstance(condition.left, ValueRef):
        return render(Comparison(_FLIPPED[condition.operator], condition.right, condition.left))
    return render(condition)


def _ordered(statement: Statement, keys: KeySchema, partitions: list[Value], request: dict[str, Any]) -> list[Value]:
    """Carry out ORDER BY: the order within a partition by the query, that of partitions here."""
    for ordering in statement.order:
        if keys.sort is not None and ordering.name == keys.sort.name:
            request["ScanIndexForward"] = not ordering.is_descending
        elif ordering.name == keys.partition.name:
            kind = keys.partition.type
            if any(kind not in partition for partition in partitions):
                continue  # the query will refuse it
            partitions = sorted(partitions, key=lambda value: encode(kind, value[kind]), reverse=ordering.is_descending)
        else:
            raise ValidationException(
                f"Variable reference {ordering.name} in ORDER BY clause must be part of the primary key"
            )
    return partitions


def _with_placeholders(statement: Statement, request: dict[str, Any], more: Mapping[str, Value] = {}) -> dict[str, Any]:
    """Add the names and values that a request's expressions use."""
    used = set(_PLACEHOLDER.findall(" ".join(text for key, text in request.items() if key.endswith("Expression"))))
    names = {key: name for key, name in statement.names.items() if key in used}
    values = {key: value for key, value in {**statement.values, **more}.items() if key in used}
    if names:
        request["ExpressionAttributeNames"] = names
    if values:
        request["ExpressionAttributeValues"] = values
    return request


def write_of(statement: Statement, table: Table) -> dict[str, Any]:
    """Turn an INSERT, UPDATE, DELETE or EXISTS into the request of an item operation. Raises: ValidationException."""
    if statement.index:
        raise ValidationException("Statements that write name a table, not an index")
    partition = table.items.keys.partition.name
    request: dict[str, Any] = {"TableName": statement.table}
    if statement.kind == "INSERT":
        return {
            **request,
            "Item": statement.item,
            "ConditionExpression": "attribute_not_exists(#key)",
            "ExpressionAttributeNames": {"#key": partition},
        }
    key, rest = _key_of(statement, table)
    request["Key"] = key
    texts = [f"({render(one)})" if isinstance(one, And) or len(rest) > 1 else render(one) for one in rest]
    condition = " AND ".join(texts)
    if statement.kind == "UPDATE":
        request["UpdateExpression"] = _update_text(statement)
        condition = f"attribute_exists(#key) AND ({condition})" if rest else "attribute_exists(#key)"
    elif statement.kind == "EXISTS":
        condition = f"attribute_exists(#key) AND ({condition})" if rest else "attribute_exists(#key)"
    elif rest:
        condition = f"attribute_not_exists(#key) OR ({condition})"
    if condition:
        request["ConditionExpression"] = condition
    if statement.returning:
        request["ReturnValues"] = statement.returning
    request = _with_placeholders(statement, request)
    if condition:
        request["ExpressionAttributeNames"] = {**request.get("ExpressionAttributeNames", {}), "#key": partition}
    return request


def _key_of(statement: Statement, table: Table) -> tuple[Item, list[Node]]:
    """Find the primary key in WHERE; give it and what else must hold. Raises: ValidationException."""
    names = table.items.keys.names
    key: Item = {}
    rest: list[Node] = []
    for condition in conjuncts(statement.where):
        match condition:
            case Comparison("=", Path() as path, ValueRef(value)) | Comparison("=", ValueRef(value), Path() as path):
                found = statement.resolved(path)
                if len(found) == 1 and found[0] in names and found[0] not in key:
                    key[str(found[0])] = statement.values[value]
                    continue
            case _:
                pass
        rest.append(condition)
    if len(key) != len(names):
        raise ValidationException(NO_KEYS)
    return key, rest


def _update_text(statement: Statement) -> str:
    clauses: dict[str, list[str]] = {}
    for assignment in statement.assignments:
        path = render(assignment.path)
        match assignment.operand:
            case None:
                clauses.setdefault("REMOVE", []).append(path)
            case Function("set_add" | "set_delete" as name, operands):
                if len(operands) != 2 or operands[0] != assignment.path or not isinstance(operands[1], ValueRef):
                    raise ValidationException(f"{name} takes the path that is set, and a set")
                clause = "ADD" if name == "set_add" else "DELETE"
                clauses.setdefault(clause, []).append(f"{path} {render(operands[1])}")
            case operand:
                clauses.setdefault("SET", []).append(f"{path} = {render(operand)}")
    return " ".join(f"{clause} {', '.join(texts)}" for clause, texts in clauses.items())
