"""Event patterns: compiled when a rule is put, asked of every event.

A pattern is a tree of objects whose leaves are lists: an event matches when every leaf finds one of its values. Where
an event holds a list, one of its elements has to match (all leaves below an object the same element).
Operators and their words by
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import ipaddress
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

PATTERN_BYTES_MAX: Final = 4096  # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
DEPTH_MAX: Final = 100
COMBINATIONS_MAX: Final = 1000  # of `$or`, as on AWS
NUMBER_MAX: Final = 5e9

Test = Callable[[Any], bool]


class BadPattern(Exception):
    """A pattern cannot be used; the text says why, as AWS's "Reason"."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """What one field may be: any of `tests`, or absent."""

    tests: tuple[Test, ...]
    may_be_absent: bool

    def matches(self, values: list[Any]) -> bool:
        """Say whether a field with these values (one, none, or a list's) matches."""
        if not values:
            return self.may_be_absent
        return any(test(value) for value in values for test in self.tests)


@dataclass(frozen=True, slots=True)
class Branch:
    """What an object has to hold: every member, and one of each list of alternatives (`$or`)."""

    members: Mapping[str, Branch | Leaf]
    alternatives: tuple[tuple[Branch, ...], ...] = ()

    def matches(self, value: Mapping[str, Any]) -> bool:
        """Say whether an object matches."""
        return all(_member_matches(node, value.get(name, _ABSENT)) for name, node in self.members.items()) and all(
            any(branch.matches(value) for branch in choice) for choice in self.alternatives
        )


_ABSENT: Final = object()  # null is a value
_NOTHING: Final[Mapping[str, Any]] = {}


def _member_matches(node: Branch | Leaf, value: Any) -> bool:
    if isinstance(node, Leaf):
        return node.matches(list(_scalars(value)))
    if isinstance(value, dict):
        return node.matches(value)
    if isinstance(value, list):
        return any(node.matches(each) for each in value if isinstance(each, dict))
    return node.matches(_NOTHING)


def _scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _scalars(each)
    elif value is not _ABSENT and not isinstance(value, dict):
        yield value


class EventPattern:
    """One compiled pattern."""

    __slots__ = ("_root",)

    def __init__(self, text: str) -> None:
        """Compile `text`. Raises: BadPattern."""
        try:
            tree = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise BadPattern(f"Pattern is not valid JSON: {error}") from None
        if not isinstance(tree, dict):
            raise BadPattern("Filter is not an object")
        if not tree:
            raise BadPattern("Empty objects are not allowed")
        self._root = _branch(tree, 0)

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Say whether an event (JSON values) matches."""
        try:
            return self._root.matches(event)
        except RecursionError:  # an event that is nested too deeply for us has no field that a pattern could name
            return False


def _refuse_constant(name: str) -> Any:
    raise BadPattern(f"{name} is not a JSON value")


def _branch(tree: Mapping[str, Any], depth: int) -> Branch:
    if depth > DEPTH_MAX:
        raise BadPattern(f"Pattern is nested more than {DEPTH_MAX} levels deep")
    members: dict[str, Branch | Leaf] = {}
    alternatives = []
    for name, value in tree.items():
        if name == "$or" and isinstance(value, list) and _is_or(value):
            if len(value) > COMBINATIONS_MAX:
                raise BadPattern("There are too many combinations in $or")
            alternatives.append(tuple(_branch(each, depth + 1) for each in value))
        elif isinstance(value, dict):
            if not value:
                raise BadPattern("Empty objects are not allowed")
            members[name] = _branch(value, depth + 1)
        elif isinstance(value, list):
            if not value:
                raise BadPattern("Empty arrays are not allowed")
            members[name] = _leaf(value)
        else:
            raise BadPattern(f'"{name}" must be an object or an array')
    return Branch(members, tuple(alternatives))


def _is_or(value: Sequence[Any]) -> bool:
    return len(value) >= 2 and all(isinstance(each, dict) and each for each in value)


def _leaf(values: Sequence[Any]) -> Leaf:
    tests: list[Test] = []
    may_be_absent = False
    for value in values:
        if isinstance(value, dict):
            name, operand = _operator(value)
            if name == "exists":
                if not isinstance(operand, bool):
                    raise BadPattern("exists match pattern must be either true or false.")
                may_be_absent |= not operand
                if operand:
                    tests.append(lambda _: True)
            elif name in _OPERATORS:
                tests.append(_OPERATORS[name](operand))
            else:
                raise BadPattern(f"Unrecognized match type {name}")
        elif isinstance(value, list):
            raise BadPattern("Match value must be String, number, true, false, or null")
        else:
            tests.append(_equal(value))
    return Leaf(tuple(tests), may_be_absent)


def _operator(value: Mapping[str, Any]) -> tuple[str, Any]:
    if len(value) != 1:
        raise BadPattern("Only one key allowed in match expression")
    return next(iter(value.items()))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _equal(wanted: Any) -> Test:
    if _is_number(wanted):
        return lambda value: _is_number(value) and value == wanted
    return lambda value: type(value) is type(wanted) and value == wanted


def _texts(name: str, operand: Any, *, many: bool = False) -> list[str]:
    texts = operand if many and isinstance(operand, list) else [operand]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise BadPattern(f"{name} match pattern must be a string")
    return [str(text) for text in texts]


def _of_text(name: str, test: Callable[[str, str], bool]) -> Callable[[Any], Test]:
    """Give the operator of a text, which may ask not to look at case: `{"prefix": {"equals-ignore-case": "a"}}`."""

    def compile_operand(operand: Any) -> Test:
        if isinstance(operand, dict) and set(operand) == {"equals-ignore-case"}:
            (folded,) = _texts(name, operand["equals-ignore-case"])
            low = folded.lower()
            return lambda value: isinstance(value, str) and test(value.lower(), low)
        (wanted,) = _texts(name, operand)
        return lambda value: isinstance(value, str) and test(value, wanted)

    return compile_operand


def _ignoring_case(operand: Any) -> Test:
    (wanted,) = _texts("equals-ignore-case", operand)
    low = wanted.lower()
    return lambda value: isinstance(value, str) and value.lower() == low


def _wildcard(operand: Any) -> Test:
    (text,) = _texts("wildcard", operand)
    pieces = _wildcard_pieces(text)
    return lambda value: isinstance(value, str) and _fits(value, pieces)


def _wildcard_pieces(text: str) -> list[str]:
    """Cut at each star; one after a backslash is itself. Raises: BadPattern."""
    pieces, position = [""], 0
    while position < len(text):
        character = text[position]
        if character == "\\":
            following = text[position + 1 : position + 2]
            if following not in ("*", "\\") or not following:
                raise BadPattern(f"Invalid escape character at pos {position}")
            pieces[-1] += following
            position += 1
        elif character == "*":
            if position and text[position - 1] == "*" and not pieces[-1] and len(pieces) > 1:
                raise BadPattern(f"Consecutive wildcard characters at pos {position - 1}")
            pieces.append("")
        else:
            pieces[-1] += character
        position += 1
    return pieces


def _fits(value: str, pieces: Sequence[str]) -> bool:
    """Match leftmost: each piece after the one before, the last at the end. One walk, however many stars."""
    if len(pieces) == 1:
        return value == pieces[0]
    first, *middle, last = pieces
    if not value.startswith(first) or len(value) < len(first) + len(last):
        return False
    position, end = len(first), len(value) - len(last)
    for piece in middle:
        found = value.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return value.endswith(last)


def _cidr(operand: Any) -> Test:
    (text,) = _texts("cidr", operand)
    if text.count("/") != 1:
        raise BadPattern("Malformed CIDR, one '/' required")
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise BadPattern(f"Malformed CIDR {text}") from None

    def test(value: Any) -> bool:
        try:
            return isinstance(value, str) and ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return test


_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def _numeric(operand: Any) -> Test:
    if not isinstance(operand, list):
        raise BadPattern("Value of numeric must be an array.")
    if len(operand) not in (2, 4):
        raise BadPattern("A numeric expression has one or two operators, each with its bound")
    bounds = []
    for name, bound in zip(operand[::2], operand[1::2], strict=True):
        if not isinstance(name, str) or name not in _COMPARISONS:
            raise BadPattern(f"Unrecognized numeric range operator: {name}")
        if not _is_number(bound):
            raise BadPattern(f"Value of {name} must be numeric")
        if not math.isfinite(bound) or abs(bound) > NUMBER_MAX:
            raise BadPattern(f"Value must be between {-NUMBER_MAX} and {NUMBER_MAX}, inclusive")
        bounds.append((name, bound))
    if len(bounds) == 2:
        (low_name, low), (high_name, high) = bounds
        if low_name[0] != ">" or high_name[0] != "<":
            raise BadPattern("Too many terms in numeric range expression")
        if low >= high:
            raise BadPattern("Bottom must be less than top")
    return lambda value: _is_number(value) and all(_COMPARISONS[name](value, bound) for name, bound in bounds)


def _anything_but(operand: Any) -> Test:
    if isinstance(operand, dict):
        if not operand:
            raise BadPattern("Empty objects are not allowed")
        name, inner = _operator(operand)
        if name not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
            raise BadPattern(f"Unsupported anything-but pattern: {name}")
        excluded = [_OPERATORS[name](text) for text in _texts(name, inner, many=True)]
    else:
        values = operand if isinstance(operand, list) else [operand]
        if not values or not all(isinstance(value, str) or _is_number(value) for value in values):
            raise BadPattern("Inside anything but list, start|null|boolean is not supported.")
        excluded = [_equal(value) for value in values]
    return lambda value: not any(test(value) for test in excluded)


_OPERATORS: Final[Mapping[str, Callable[[Any], Test]]] = {
    "prefix": _of_text("prefix", str.startswith),
    "suffix": _of_text("suffix", str.endswith),
    "equals-ignore-case": _ignoring_case,
    "wildcard": _wildcard,
    "cidr": _cidr,
    "numeric": _numeric,
    "anything-but": _anything_but,
}
