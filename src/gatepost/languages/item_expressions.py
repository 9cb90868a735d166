"""DynamoDB's expressions, ready to run: parsed and compiled once, kept in a bounded cache.

An expression is compiled for its text, its attribute names and the types of its values; the values themselves
are handed in when it runs. So the thousandth request with the same expression pays for a dictionary look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from gatepost.languages.item_expressions_conditions import Check, ConditionCompiler, Test
from gatepost.languages.item_expressions_parser import parse_condition, parse_projection, parse_update
from gatepost.languages.item_expressions_paths import BoundPath, Projection, Scope, Values, tree_of
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
from gatepost.languages.item_expressions_updates import UpdatePlan, compile_update

COMPILED_MAX: Final = 2048
_FLIPPED: Final = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

Compiled = TypeVar("Compiled")


@dataclass(frozen=True, slots=True)
class Used:
    """Which placeholders an expression uses, and the document paths it names."""

    names: frozenset[str]
    values: frozenset[str]
    paths: frozenset[BoundPath]


@dataclass(frozen=True, slots=True)
class CompiledCondition:
    """A condition or filter expression."""

    test: Test
    checks: tuple[Check, ...]
    used: Used


@dataclass(frozen=True, slots=True)
class CompiledProjection:
    """A projection expression."""

    projection: Projection
    used: Used


@dataclass(frozen=True, slots=True)
class CompiledUpdate:
    """An update expression."""

    plan: UpdatePlan
    used: Used


@dataclass(frozen=True, slots=True)
class KeyPart:
    """A condition on one key attribute: `operator` is = < <= > >= between or begins_with; `values` placeholders."""

    name: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CompiledKeyCondition:
    """A key condition expression, not yet held against a table's schema."""

    parts: tuple[KeyPart, ...]
    checks: tuple[Check, ...]
    used: Used


class Expressions:
    """The cache of compiled expressions; one for each platform. It holds at most 2,048, the oldest go first."""

    def __init__(self) -> None:
        self._compiled: dict[object, Any] = {}

    def condition(self, parameter: str, text: str, names: Mapping[str, str], values: Values) -> CompiledCondition:
        """Compile a condition or filter expression; errors name `parameter`. Raises: ExpressionError."""
        compiled = self._get(parameter, text, names, values, _compile_condition)
        _check_values(parameter, compiled.checks, values)
        return compiled

    def key_condition(self, text: str, names: Mapping[str, str], values: Values) -> CompiledKeyCondition:
        """Compile a key condition expression. Raises: ExpressionError."""
        compiled = self._get("KeyConditionExpression", text, names, values, _compile_key_condition)
        _check_values("KeyConditionExpression", compiled.checks, values)
        return compiled

    def projection(self, text: str, names: Mapping[str, str]) -> CompiledProjection:
        """Compile a projection expression. Raises: ExpressionError."""
        return self._get("ProjectionExpression", text, names, {}, _compile_projection)

    def update(self, text: str, names: Mapping[str, str], values: Values) -> CompiledUpdate:
        """Compile an update expression. Raises: ExpressionError."""
        return self._get("UpdateExpression", text, names, values, _compile_update)

    def _get(
        self,
        parameter: str,
        text: str,
        names: Mapping[str, str],
        values: Values,
        compile_it: Callable[[str, Scope], Compiled],
    ) -> Compiled:
        types = {name: tag for name, value in values.items() for tag in value}
        key = (parameter, text, tuple(names.items()), tuple(types.items()))
        compiled = self._compiled.get(key)
        if compiled is None:
            try:
                compiled = compile_it(text, Scope(names, types))
            except ExpressionError as error:
                raise ExpressionError(_located(parameter, str(error))) from error
            while len(self._compiled) >= COMPILED_MAX:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[key] = compiled
        return cast("Compiled", compiled)


def _located(parameter: str, message: str) -> str:
    return message if message.startswith(_UNLOCATED) else f"Invalid {parameter}: {message}"


_UNLOCATED: Final = ("Invalid operator used in KeyCondition", "KeyConditionExpressions must")


def _check_values(parameter: str, checks: tuple[Check, ...], values: Values) -> None:
    for check in checks:
        try:
            check(values)
        except ExpressionError as error:
            raise ExpressionError(_located(parameter, str(error))) from error


def _used(scope: Scope) -> Used:
    return Used(frozenset(scope.used_names), frozenset(scope.used_values), frozenset(scope.paths))


def _compile_condition(text: str, scope: Scope) -> CompiledCondition:
    compiler = ConditionCompiler(scope)
    test = compiler.condition(parse_condition(text))
    return CompiledCondition(test, tuple(compiler.checks), _used(scope))


def _compile_projection(text: str, scope: Scope) -> CompiledProjection:
    projection = Projection(tree_of([scope.bind(path) for path in parse_projection(text)]))
    return CompiledProjection(projection, _used(scope))


def _compile_update(text: str, scope: Scope) -> CompiledUpdate:
    plan = compile_update(parse_update(text), scope)
    return CompiledUpdate(plan, _used(scope))


def _compile_key_condition(text: str, scope: Scope) -> CompiledKeyCondition:
    node = parse_condition(text)
    parts = tuple(_key_part(one, scope) for one in _conjuncts(node))
    if len(parts) > 2 or len({part.name for part in parts}) != len(parts):
        raise ExpressionError("KeyConditionExpressions must only contain one condition per key")
    compiler = ConditionCompiler(scope)
    compiler.condition(node)
    return CompiledKeyCondition(parts, tuple(compiler.checks), _used(scope))


def _conjuncts(node: Node) -> list[Node]:
    if isinstance(node, And):
        return [found for one in node.conditions for found in _conjuncts(one)]
    return [node]


def _key_part(node: Node, scope: Scope) -> KeyPart:
    match node:
        case Comparison(operator, ValueRef() as value, Path() as path) if operator in _FLIPPED:
            return _part(scope, path, _FLIPPED[operator], value)
        case Comparison(operator, path, value) if operator in _FLIPPED:
            return _part(scope, path, operator, value)
        case Between(path, low, high):
            return _part(scope, path, "between", low, high)
        case Function("begins_with", (path, prefix)):
            return _part(scope, path, "begins_with", prefix)
        case _:
            raise ExpressionError(f"Invalid operator used in KeyConditionExpression: {_name_of(node)}")


def _part(scope: Scope, path: Node, operator: str, *values: Node) -> KeyPart:
    if not isinstance(path, Path):
        raise ExpressionError("A key condition needs a key attribute on its left side")
    bound = scope.bind(path)
    if len(bound) > 1:
        raise ExpressionError("KeyConditionExpressions cannot have conditions on nested attributes")
    names = []
    for value in values:
        if not isinstance(value, ValueRef):
            raise ExpressionError("KeyConditionExpressions must compare key attributes with values")
        names.append(value.name)
    return KeyPart(str(bound[0]), operator, tuple(names))


def _name_of(node: Node) -> str:
    match node:
        case Or():
            return "OR"
        case Not():
            return "NOT"
        case In():
            return "IN"
        case Comparison(operator):
            return operator
        case Function(name):
            return name
        case _:
            return type(node).__name__.upper()
