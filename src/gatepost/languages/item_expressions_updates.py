"""Update expressions, tree to a function from item to item.

All operands are worked out against the item as it was; then SET, ADD and DELETE are carried out, then REMOVE,
the later list elements first, so that every index means what it meant before the update. The given item is
never changed: what an update touches is copied along its path.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from gatepost.languages.item_expressions_parser import UPDATE_FUNCTIONS
from gatepost.languages.item_expressions_paths import (
    BoundPath,
    Getter,
    Projection,
    Scope,
    Values,
    find,
    getter_of,
    tree_of,
)
from gatepost.languages.item_expressions_tree import (
    Action,
    Arithmetic,
    ExpressionError,
    Function,
    Node,
    Path,
    UpdateError,
    ValueRef,
)
from gatepost.languages.item_numbers import NumberError, add_numbers, subtract_numbers
from gatepost.languages.item_values import SET_TYPES, Item, Value, sort_set

Change = Callable[[Item, Values], Value | None]  # None: leave it, or take it away
Step = tuple[BoundPath, Change]

INVALID_PATH: Final = "The document path provided in the update expression is invalid for update"
WRONG_TYPE: Final = "An operand in the update expression has an incorrect data type"
MISSING: Final = "The provided expression refers to an attribute that does not exist in the item"
_TYPE_NAMES: Final[Mapping[str, str]] = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "SS": "STRING_SET",
    "NS": "NUMBER_SET",
    "BS": "BINARY_SET",
    "M": "MAP",
    "L": "LIST",
    "BOOL": "BOOLEAN",
    "NULL": "NULL",
}


class UpdatePlan:
    """A compiled update expression. `touched` projects an item on what the update names."""

    __slots__ = ("_removals", "_steps", "names", "touched")

    def __init__(self, steps: list[Step], removals: list[BoundPath]) -> None:
        tree = tree_of([path for path, _ in steps] + removals)
        self._steps = sorted(steps, key=lambda step: step[0][-1] if isinstance(step[0][-1], int) else -1)
        self._removals = sorted(removals, key=_late_first, reverse=True)
        self.touched = Projection(tree)
        self.names = frozenset(self.touched.names)  # top-level attributes

    def apply(self, item: Item, values: Values) -> Item:
        """Give the item after the update. Raises: UpdateError."""
        updated = dict(item)
        gone: list[BoundPath] = []
        changes = [(path, change(item, values)) for path, change in self._steps]
        for path, value in changes:
            if value is _UNCHANGED:
                continue
            if value is None:
                gone.append(path)
            else:
                _set(updated, path, value)
        for path in (*gone, *self._removals):
            _remove(updated, path)
        return updated


def compile_update(actions: list[Action], scope: Scope) -> UpdatePlan:
    """Compile the actions of an update expression. Raises: ExpressionError."""
    compiler = _UpdateCompiler(scope)
    steps: list[Step] = []
    removals: list[BoundPath] = []
    for action in actions:
        path = scope.bind(action.path)
        if action.operand is None:
            removals.append(path)
        elif action.clause == "SET":
            steps.append((path, _assign(compiler.operand(action.operand))))
        else:
            steps.append((path, compiler.collect(action.clause, path, action.operand)))
    return UpdatePlan(steps, removals)


class _UpdateCompiler:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def operand(self, node: Node) -> Getter:
        """Compile what SET assigns: it gives None when a path is not there."""
        match node:
            case Path():
                return getter_of(self._scope.bind(node))
            case ValueRef(name):
                self._scope.type_of(node)
                return lambda _item, values: values[name]
            case Arithmetic(operator, left, right):
                return self._arithmetic(operator, left, right)
            case Function(name) if name not in UPDATE_FUNCTIONS:
                raise ExpressionError(f"The function is not allowed in an update expression; function: {name}")
            case Function(name, operands):
                if len(operands) != 2:
                    raise ExpressionError(
                        "Incorrect number of operands for operator or function; "
                        f"operator or function: {name}, number of operands: {len(operands)}"
                    )
                return self._if_not_exists(*operands) if name == "if_not_exists" else self._list_append(*operands)
            case _:
                raise ExpressionError("Syntax error; an operand is missing")

    def _allow(self, node: Node, types: frozenset[str], name: str) -> None:
        if isinstance(node, ValueRef) and (tag := self._scope.type_of(node)) not in types:
            raise ExpressionError(
                f"Incorrect operand type for operator or function; operator or function: {name}, operand type: {tag}"
            )
        if isinstance(node, Function) and node.name == "list_append" and "L" not in types:
            raise ExpressionError(
                f"Incorrect operand type for operator or function; operator or function: {name}, operand type: L"
            )

    def _arithmetic(self, operator: str, left: Node, right: Node) -> Getter:
        one, two = self.operand(left), self.operand(right)
        for node in (left, right):
            self._allow(node, frozenset({"N"}), operator)
        work = add_numbers if operator == "+" else subtract_numbers

        def total(item: Item, values: Values) -> Value | None:
            first, second = _there(one(item, values)), _there(two(item, values))
            if "N" not in first or "N" not in second:
                raise UpdateError(WRONG_TYPE)
            return {"N": _sum(work, first["N"], second["N"])}

        return total

    def _if_not_exists(self, path: Node, otherwise: Node) -> Getter:
        if not isinstance(path, Path):
            raise ExpressionError("Operator or function requires a document path; operator or function: if_not_exists")
        present, fallback = self.operand(path), self.operand(otherwise)

        def first_there(item: Item, values: Values) -> Value | None:
            value = present(item, values)
            return fallback(item, values) if value is None else value

        return first_there

    def _list_append(self, head: Node, tail: Node) -> Getter:
        one, two = self.operand(head), self.operand(tail)
        for node in (head, tail):
            self._allow(node, frozenset({"L"}), "list_append")

        def joined(item: Item, values: Values) -> Value | None:
            first, second = _there(one(item, values)), _there(two(item, values))
            if "L" not in first or "L" not in second:
                raise UpdateError(WRONG_TYPE)
            return {"L": [*first["L"], *second["L"]]}

        return joined

    def collect(self, clause: str, path: BoundPath, operand: Node) -> Change:
        """Compile ADD (a number or a set) or DELETE (a set)."""
        assert isinstance(operand, ValueRef)
        tag = self._scope.type_of(operand)
        if tag not in SET_TYPES and not (clause == "ADD" and tag == "N"):
            raise ExpressionError(
                f"Incorrect operand type for operator or function; operator: {clause}, "
                f"operand type: {_TYPE_NAMES[tag]}, typeSet: ALLOWED_FOR_{clause}_OPERAND"
            )
        name = operand.name
        combine = _without if clause == "DELETE" else _with

        def change(item: Item, values: Values) -> Value | None:
            value = find(item, path)
            if value is None:
                return _UNCHANGED if clause == "DELETE" else values[name]
            if tag not in value:
                raise UpdateError(WRONG_TYPE)
            if tag == "N":
                return {"N": _sum(add_numbers, value["N"], values[name]["N"])}
            return combine(tag, value[tag], values[name][tag])

        return change


_UNCHANGED: Final[Value] = {"NULL": False}  # by identity: no item can hold it


def _assign(operand: Getter) -> Change:
    def assign(item: Item, values: Values) -> Value | None:
        return _there(operand(item, values))

    return assign


def _there(value: Value | None) -> Value:
    if value is None:
        raise UpdateError(MISSING)
    return value


def _sum(work: Callable[[str, str], str], one: str, two: str) -> str:
    try:
        return work(one, two)
    except NumberError as error:
        raise UpdateError(str(error)) from error


def _with(tag: str, members: list[str], more: list[str]) -> Value | None:
    return {tag: sort_set(tag, list({*members, *more}))}


def _without(tag: str, members: list[str], fewer: list[str]) -> Value | None:
    left = [member for member in members if member not in set(fewer)]
    return {tag: left} if left else None


def _late_first(path: BoundPath) -> tuple[tuple[bool, int, str], ...]:
    return tuple((isinstance(part, str), 0, part) if isinstance(part, str) else (False, part, "") for part in path)


def _parent(item: Item, path: BoundPath) -> Any:
    """Copy the containers along `path`, hang the copies into `item`, and give the innermost."""
    container: Any = item
    for depth, part in enumerate(path[:-1]):
        if isinstance(part, str):
            value = container.get(part)
        else:
            value = container[part] if part < len(container) else None
        tag = "M" if isinstance(path[depth + 1], str) else "L"
        if value is None or tag not in value:
            raise UpdateError(INVALID_PATH)
        copy = value[tag].copy()
        container[part] = {tag: copy}
        container = copy
    return container


def _set(item: Item, path: BoundPath, value: Value) -> None:
    container = _parent(item, path)
    last = path[-1]
    if isinstance(last, int) and last >= len(container):
        container.append(value)
    else:
        container[last] = value


def _remove(item: Item, path: BoundPath) -> None:
    container = _parent(item, path)
    last = path[-1]
    if isinstance(last, str):
        container.pop(last, None)
    elif last < len(container):
        del container[last]
