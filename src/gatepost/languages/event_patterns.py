"""Event patterns: which JSON events fit, by fields' values, prefixes, numbers, existence.

A pattern has the event's structure; its leaves are lists of which one entry must fit. `$or` has a list of patterns.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
and for event source mappings https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

DEPTH_MAX: Final = 32
PATTERN_CHARACTERS_MAX: Final = 4096

Test = Callable[[Any], bool]
_COMPARED: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "=": lambda value, limit: value == limit,
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}
_ABSENT: Final = object()


class BadPattern(ValueError):
    """A pattern that cannot be used. The text says why."""


def compile_pattern(text: str) -> Test:
    """Give the test that a pattern stands for. Raises: BadPattern."""
    if len(text) > PATTERN_CHARACTERS_MAX:
        raise BadPattern(f"a pattern has at most {PATTERN_CHARACTERS_MAX} characters")
    try:
        pattern = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadPattern(f"not JSON: {error}") from error
    if not isinstance(pattern, dict):
        raise BadPattern("a pattern is an object")
    return _object(pattern, DEPTH_MAX)


def _object(pattern: Mapping[str, Any], depth: int) -> Test:
    if not depth:
        raise BadPattern(f"a pattern is nested at most {DEPTH_MAX} deep")
    tests: list[tuple[str, Test]] = []
    choices: list[Test] = []
    for name, value in pattern.items():
        if name == "$or" and isinstance(value, list) and all(isinstance(one, dict) for one in value) and value:
            choices = [_object(one, depth - 1) for one in value]
        elif isinstance(value, dict):
            tests.append((name, _object(value, depth - 1)))
        elif isinstance(value, list) and value:
            tests.append((name, _any_of([_leaf(one) for one in value])))
        else:
            raise BadPattern(f"{name!r} has neither a list of values nor an object")

    def test(event: Any) -> bool:
        fields = event if isinstance(event, dict) else {}
        if choices and not any(choice(fields) for choice in choices):
            return False
        return all(one(fields.get(name, _ABSENT)) for name, one in tests)

    return test


def _any_of(tests: list[Test]) -> Test:
    def test(value: Any) -> bool:
        values = value if isinstance(value, list) and value else [value]
        return any(one(each) for one in tests for each in values)

    return test


def _leaf(value: Any) -> Test:
    if not isinstance(value, dict):
        if isinstance(value, list):
            raise BadPattern("a value of a list is no list")
        return lambda given: _equal(given, value)
    if len(value) != 1:
        raise BadPattern("an operator stands alone in its object")
    ((operator, operand),) = value.items()
    make = _OPERATORS.get(operator)
    if make is None:
        raise BadPattern(f"{operator!r} is no operator: use {', '.join(sorted(_OPERATORS))}")
    return make(operand)


def _equal(given: Any, value: Any) -> bool:
    if isinstance(given, bool) or isinstance(value, bool) or given is None or value is None:
        return given is value
    return (type(given) in (int, float) and type(value) in (int, float) and given == value) or (
        isinstance(given, str) and isinstance(value, str) and given == value
    )


def _text(operand: Any, operator: str) -> str:
    if not isinstance(operand, str):
        raise BadPattern(f"{operator} takes a text")
    return operand


def _prefix(operand: Any) -> Test:
    if isinstance(operand, dict) and set(operand) == {"equals-ignore-case"}:
        folded = _text(operand["equals-ignore-case"], "prefix").casefold()
        return lambda given: isinstance(given, str) and given.casefold().startswith(folded)
    text = _text(operand, "prefix")
    return lambda given: isinstance(given, str) and given.startswith(text)


def _suffix(operand: Any) -> Test:
    text = _text(operand, "suffix")
    return lambda given: isinstance(given, str) and given.endswith(text)


def _same_text(operand: Any) -> Test:
    folded = _text(operand, "equals-ignore-case").casefold()
    return lambda given: isinstance(given, str) and given.casefold() == folded


def _exists(operand: Any) -> Test:
    if not isinstance(operand, bool):
        raise BadPattern("exists takes true or false")
    return lambda given: (given is not _ABSENT) is operand


def _anything_but(operand: Any) -> Test:
    if isinstance(operand, dict):
        inner = _leaf(operand)
        return lambda given: given is not _ABSENT and not inner(given)
    values = operand if isinstance(operand, list) else [operand]
    if not values or any(isinstance(value, dict | list | bool) or value is None for value in values):
        raise BadPattern("anything-but takes texts, numbers, or one operator")
    return lambda given: given is not _ABSENT and not any(_equal(given, value) for value in values)


def _numeric(operand: Any) -> Test:
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise BadPattern("numeric takes one or two comparisons")
    pairs = []
    for sign, limit in zip(operand[::2], operand[1::2], strict=True):
        if sign not in _COMPARED or isinstance(limit, bool) or not isinstance(limit, int | float):
            raise BadPattern("numeric takes =, <, <=, > or >= with a number")
        pairs.append((_COMPARED[sign], limit))
    return lambda given: (
        isinstance(given, int | float)
        and not isinstance(given, bool)
        and all(compared(given, limit) for compared, limit in pairs)
    )


_OPERATORS: Final[Mapping[str, Callable[[Any], Test]]] = {
    "anything-but": _anything_but,
    "equals-ignore-case": _same_text,
    "exists": _exists,
    "numeric": _numeric,
    "prefix": _prefix,
    "suffix": _suffix,
}
