"""Condition and filter expressions, tree to closures over `(item, values)`.

Whatever depends only on the expression, the names and the types of the values is decided here, once; a closure
finds, compares and says true or false. An operand that is not there makes a comparison false, and `<>` true
(unverified).
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Final

from gatepost.languages.item_expressions_parser import CONDITION_FUNCTIONS, FUNCTIONS
from gatepost.languages.item_expressions_paths import Getter, Scope, Values, getter_of, render_path
from gatepost.languages.item_expressions_tree import (
    And,
    Between,
    Comparison,
    ExpressionError,
    Function,
    In,
    Node,
    Not,
    Or,
    Path,
    ValueRef,
)
from gatepost.languages.item_values import ORDERED_TYPES, TYPES, Item, Value, binary_of, compare, type_of

Test = Callable[[Item, Values], bool]
Check = Callable[[Values], None]

SIZED_TYPES: Final = frozenset({"S", "B", "SS", "NS", "BS", "L", "M"})
PREFIX_TYPES: Final = frozenset({"S", "B"})
_OPERANDS: Final = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
}
_ORDERS: Final[dict[str, Callable[[int, int], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_VALID_TYPES: Final = "{B,NULL,SS,BOOL,L,BS,N,NS,S,M}"


class ConditionCompiler:
    """Compiles one expression in one scope; `checks` holds what the values themselves must pass."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.checks: list[Check] = []

    def condition(self, node: Node) -> Test:
        """Compile a condition. Raises: ExpressionError."""
        match node:
            case And(conditions):
                return _all([self.condition(one) for one in conditions])
            case Or(conditions):
                return _any([self.condition(one) for one in conditions])
            case Not(condition):
                test = self.condition(condition)
                return lambda item, values: not test(item, values)
            case Comparison():
                return self._comparison(node)
            case Between():
                return self._between(node)
            case In():
                return self._membership(node)
            case Function():
                return self._function(node)
            case _:
                raise ExpressionError("Syntax error; a condition is missing")

    def _operand(self, node: Node) -> Getter:
        match node:
            case Path():
                return getter_of(self._scope.bind(node))
            case ValueRef(name):
                self._scope.type_of(node)
                return lambda _item, values: values[name]
            case Function("size", operands):
                _count(node)
                return self._size(operands[0])
            case Function(name) if name in CONDITION_FUNCTIONS:
                raise ExpressionError(
                    f"The function is not allowed to be used this way in an expression; function: {name}"
                )
            case Function(name):
                raise ExpressionError(f"The function is not allowed in a condition expression; function: {name}")
            case _:
                raise ExpressionError("Syntax error; an operand is missing")

    def _size(self, node: Node) -> Getter:
        self._allow(node, SIZED_TYPES, "size", "operator or function")
        if isinstance(node, Function):
            raise ExpressionError("Operator or function requires a document path; operator or function: size")
        sized = self._operand(node)

        def size(item: Item, values: Values) -> Value | None:
            value = sized(item, values)
            return None if value is None else size_of(value)

        return size

    def _type(self, node: Node) -> str | None:
        """Give the type of an operand where it is known without an item."""
        if isinstance(node, ValueRef):
            return self._scope.type_of(node)
        return "N" if isinstance(node, Function) and node.name == "size" else None

    def _allow(self, node: Node, types: frozenset[str], name: str, label: str) -> None:
        tag = self._type(node)
        if tag is not None and tag not in types:
            raise ExpressionError(
                f"Incorrect operand type for operator or function; {label}: {name}, operand type: {tag}"
            )

    def _distinct(self, name: str, first: Node, *others: Node) -> None:
        if isinstance(first, Path):
            bound = self._scope.bind(first)
            if any(isinstance(other, Path) and self._scope.bind(other) == bound for other in others):
                raise ExpressionError(
                    "The first operand must be distinct from the remaining operands for this operator or function; "
                    f"operator: {name}, first operand: {render_path(bound)}"
                )

    def _comparison(self, node: Comparison) -> Test:
        left, right = self._operand(node.left), self._operand(node.right)
        self._distinct(node.operator, node.left, node.right)
        if node.operator == "=":

            def equal(item: Item, values: Values) -> bool:
                value = left(item, values)
                return value is not None and value == right(item, values)

            return equal
        if node.operator == "<>":
            return lambda item, values: left(item, values) != right(item, values)
        for operand in (node.left, node.right):
            self._allow(operand, ORDERED_TYPES, node.operator, "operator")
        in_order = _ORDERS[node.operator]

        def ordered(item: Item, values: Values) -> bool:
            one, two = left(item, values), right(item, values)
            if one is None or two is None:
                return False
            order = compare(one, two)
            return order is not None and in_order(order, 0)

        return ordered

    def _between(self, node: Between) -> Test:
        operand, low, high = self._operand(node.operand), self._operand(node.low), self._operand(node.high)
        for bound in (node.operand, node.low, node.high):
            self._allow(bound, ORDERED_TYPES, "BETWEEN", "operator")
        self._distinct("BETWEEN", node.operand, node.low, node.high)
        if isinstance(node.low, ValueRef) and isinstance(node.high, ValueRef):
            self.checks.append(_check_bounds(node.low.name, node.high.name))

        def between(item: Item, values: Values) -> bool:
            value, least, most = operand(item, values), low(item, values), high(item, values)
            if value is None or least is None or most is None:
                return False
            above, below = compare(value, least), compare(value, most)
            return above is not None and below is not None and above >= 0 >= below

        return between

    def _membership(self, node: In) -> Test:
        operand = self._operand(node.operand)
        options = [self._operand(option) for option in node.options]
        self._distinct("IN", node.operand, *node.options)

        def is_in(item: Item, values: Values) -> bool:
            value = operand(item, values)
            return value is not None and any(value == option(item, values) for option in options)

        return is_in

    def _function(self, node: Function) -> Test:
        name = node.name
        if name == "size":
            raise ExpressionError("The function is not allowed to be used this way in an expression; function: size")
        if name not in CONDITION_FUNCTIONS:
            raise ExpressionError(f"The function is not allowed in a condition expression; function: {name}")
        _count(node)
        first = self._operand(node.operands[0])
        if name in {"attribute_exists", "attribute_not_exists"}:
            if not isinstance(node.operands[0], Path):
                raise ExpressionError(f"Operator or function requires a document path; operator or function: {name}")
            if name == "attribute_exists":
                return lambda item, values: first(item, values) is not None
            return lambda item, values: first(item, values) is None
        second = self._operand(node.operands[1])
        if name == "attribute_type":
            return self._attribute_type(node, first)
        self._distinct(name, node.operands[0], node.operands[1])
        if name == "begins_with":
            for operand in node.operands:
                self._allow(operand, PREFIX_TYPES, name, "operator or function")
        holds = begins_with if name == "begins_with" else contains

        def test(item: Item, values: Values) -> bool:
            one, two = first(item, values), second(item, values)
            return one is not None and two is not None and holds(one, two)

        return test

    def _attribute_type(self, node: Function, first: Getter) -> Test:
        wanted = node.operands[1]
        if not isinstance(wanted, ValueRef):
            raise ExpressionError(
                "Incorrect operand type for operator or function; operator or function: attribute_type, "
                "operand type: document path"
            )
        self._allow(wanted, frozenset({"S"}), "attribute_type", "operator or function")
        name = wanted.name

        def check(values: Values) -> None:
            if values[name]["S"] not in TYPES:
                raise ExpressionError(
                    f"Invalid attribute type name found; type: {values[name]['S']}, valid types: {_VALID_TYPES}"
                )

        self.checks.append(check)

        def test(item: Item, values: Values) -> bool:
            value = first(item, values)
            return value is not None and values[name]["S"] in value

        return test


def _count(node: Function) -> None:
    if node.name in FUNCTIONS and len(node.operands) != _OPERANDS[node.name]:
        raise ExpressionError(
            f"Incorrect number of operands for operator or function; operator or function: {node.name}, "
            f"number of operands: {len(node.operands)}"
        )


def _all(tests: list[Test]) -> Test:
    if len(tests) == 2:
        one, two = tests
        return lambda item, values: one(item, values) and two(item, values)

    def all_of(item: Item, values: Values) -> bool:
        for test in tests:  # noqa: SIM110 - a generator would cost a frame for each item
            if not test(item, values):
                return False
        return True

    return all_of


def _any(tests: list[Test]) -> Test:
    def any_of(item: Item, values: Values) -> bool:
        for test in tests:  # noqa: SIM110 - as above
            if test(item, values):
                return True
        return False

    return any_of


def _check_bounds(low: str, high: str) -> Check:
    def check(values: Values) -> None:
        least, most = values[low], values[high]
        order = compare(least, most)
        bounds = f"lower bound operand: {_render(least)}, upper bound operand: {_render(most)}"
        if order is None:
            raise ExpressionError(f"The BETWEEN operator requires same data type for lower and upper bounds; {bounds}")
        if order > 0:
            raise ExpressionError(
                f"The BETWEEN operator requires upper bound to be greater than or equal to lower bound; {bounds}"
            )

    return check


def _render(value: Value) -> str:
    tag = type_of(value)
    return f"AttributeValue: {{{tag}:{value[tag]}}}"


def size_of(value: Value) -> Value | None:
    """Give what `size` says of a value, as a number; None for types without a size."""
    tag = type_of(value)
    if tag not in SIZED_TYPES:
        return None
    content = value[tag]
    return {"N": str(len(binary_of(content) if tag == "B" else content))}


def begins_with(value: Value, prefix: Value) -> bool:
    """Say whether a string or binary starts with another of its type."""
    if "S" in value and "S" in prefix:
        return bool(value["S"].startswith(prefix["S"]))
    if "B" in value and "B" in prefix:
        return binary_of(value["B"]).startswith(binary_of(prefix["B"]))
    return False


def contains(value: Value, operand: Value) -> bool:
    """Say whether a string holds a part, a set a member or a list an element."""
    tag = type_of(value)
    sought = operand.get(tag[0]) if tag in {"SS", "NS", "BS"} else operand.get(tag)
    if tag == "L":
        return operand in value["L"]
    if sought is None:
        return False
    if tag == "B":
        return binary_of(sought) in binary_of(value["B"])
    return tag in {"S", "SS", "NS", "BS"} and sought in value[tag]
