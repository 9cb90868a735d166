"""What expressions of a query come to for one event: numbers and texts, or nothing.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from gatepost.services.logs.filter_words import regex
from gatepost.services.logs.insights.syntax import (
    AGGREGATES,
    Field,
    Function,
    Literal,
    Node,
    Operation,
    malformed,
)
from gatepost.services.logs.model import InvalidParameterException

Value = str | float | None
Record = Mapping[str, Value]
Reader = Callable[[Record], Value]

_UNITS_MS: Final = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 7 * 86_400_000,
    "mo": 30 * 86_400_000,
    "q": 91 * 86_400_000,
    "y": 365 * 86_400_000,
}
_DIGITS_MAX: Final = 12  # of a period
_FIRST_MS: Final = -62_135_596_800_000  # the years 1 to 9999, of which there are dates
_LAST_MS: Final = 253_402_300_799_999


def shown(value: Value) -> str:
    """Give a value as results show it: whole numbers without a point."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return value or ""


def shown_time(at_ms: float) -> str:
    """Give a time as results show it: `2026-11-24 12:00:00.000`; a number that is none as it is."""
    if not _FIRST_MS <= at_ms <= _LAST_MS:
        return shown(at_ms)
    seconds, ms = divmod(int(at_ms), 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{ms:03d}"


def number_of(value: Value) -> float | None:
    """Give a value as a number that is finite, or None."""
    try:
        found = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def text_of(value: Value) -> str:
    """Give a value as a text."""
    return shown(value)


def is_true(value: Value) -> bool:
    """Say whether a condition holds."""
    return value not in (None, 0.0, "", "0", "false")


def period_ms(literal: Node) -> int:
    """Give a period such as `5m` in ms. Raises: MalformedQueryException."""
    if not isinstance(literal, Literal) or literal.kind != "period":
        raise malformed("a period such as 5m was expected")
    digits = "".join(character for character in literal.value if character.isdigit())
    if len(digits) > _DIGITS_MAX:
        raise malformed(f"a period has at most {_DIGITS_MAX} digits")
    length_ms = int(digits) * _UNITS_MS[literal.value[len(digits) :]]
    if length_ms <= 0:
        raise malformed("a period is longer than nothing")
    return length_ms


def reader_of(node: Node) -> Reader:
    """Compile an expression. Raises: MalformedQueryException."""
    if isinstance(node, Literal):
        return _literal(node)
    if isinstance(node, Field):
        name = node.name
        return lambda record: record.get(name)
    if isinstance(node, Function):
        return _function(node)
    return _operation(node)


def _literal(node: Literal) -> Reader:
    if node.kind == "number":
        number = float(node.value)
        return lambda _: number
    if node.kind == "text":
        return lambda _: node.value
    raise malformed(f"{node.value!r} cannot stand here")


def _operation(node: Operation) -> Reader:
    sign = node.sign
    if sign == "like":
        return _like(node)
    readers = [reader_of(operand) for operand in node.operands]
    first = readers[0]
    if sign == "not":
        return lambda record: float(not is_true(first(record)))
    if sign == "and":
        return lambda record: float(is_true(first(record)) and is_true(readers[1](record)))
    if sign == "or":
        return lambda record: float(is_true(first(record)) or is_true(readers[1](record)))
    if sign == "in":
        return lambda record: float(any(_equal(first(record), other(record)) for other in readers[1:]))
    if sign in _COMPARISONS:
        compare = _COMPARISONS[sign]
        return lambda record: float(compare(first(record), readers[1](record)))
    if len(readers) == 1:
        return _of_numbers(lambda value: -value, readers)
    return _of_numbers(_ARITHMETIC[sign], readers)


def _like(node: Operation) -> Reader:
    first, pattern = reader_of(node.operands[0]), node.operands[1]
    if isinstance(pattern, Literal) and pattern.kind == "regex":
        try:
            matches = regex(f"%{pattern.value}%")
        except InvalidParameterException as error:
            raise malformed(error.message) from error
        return lambda record: float((found := first(record)) is not None and matches(text_of(found)))
    if isinstance(pattern, Literal) and pattern.kind == "text":
        return lambda record: float((found := first(record)) is not None and pattern.value in text_of(found))
    raise malformed("like takes a text or a regular expression")


def _equal(one: Value, other: Value) -> bool:
    if one is None or other is None:
        return False
    numbers = number_of(one), number_of(other)
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[0] == numbers[1]
    return text_of(one) == text_of(other)


def _ordered(test: Callable[[float, float], bool], of_texts: Callable[[str, str], bool]) -> Callable[..., bool]:
    def compare(one: Value, other: Value) -> bool:
        if one is None or other is None:
            return False
        first, second = number_of(one), number_of(other)
        if first is not None and second is not None:
            return test(first, second)
        if first is not None or second is not None:
            return False  # a number and a text are in no order
        return of_texts(text_of(one), text_of(other))

    return compare


_COMPARISONS: Final[Mapping[str, Callable[[Value, Value], bool]]] = {
    "=": _equal,
    "!=": lambda one, other: one is not None and not _equal(one, other),
    "<": _ordered(lambda one, other: one < other, lambda one, other: one < other),
    "<=": _ordered(lambda one, other: one <= other, lambda one, other: one <= other),
    ">": _ordered(lambda one, other: one > other, lambda one, other: one > other),
    ">=": _ordered(lambda one, other: one >= other, lambda one, other: one >= other),
}
_ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "/": lambda one, other: one / other,
    "%": math.fmod,
    "^": lambda one, other: float(one**other),
}


def _of_numbers(apply: Callable[..., float], readers: Sequence[Reader]) -> Reader:
    def read(record: Record) -> Value:
        numbers = [number_of(reader(record)) for reader in readers]
        if any(number is None for number in numbers):
            return None
        try:
            found = apply(*numbers)
        except (ArithmeticError, ValueError, TypeError):
            return None
        return float(found) if not isinstance(found, complex) and math.isfinite(found) else None

    return read


def _of_texts(apply: Callable[..., Value]) -> Callable[[Sequence[Reader]], Reader]:
    def make(readers: Sequence[Reader]) -> Reader:
        def read(record: Record) -> Value:
            values = [reader(record) for reader in readers]
            return None if not values or values[0] is None else apply(*(text_of(value) for value in values))

        return read

    return make


def _of_values(apply: Callable[..., Value]) -> Callable[[Sequence[Reader]], Reader]:
    return lambda readers: lambda record: apply(*(reader(record) for reader in readers))


def _numeric(apply: Callable[..., float]) -> Callable[[Sequence[Reader]], Reader]:
    return lambda readers: _of_numbers(apply, readers)


def _substring(text: str, start: str, length: str = "") -> str | None:
    at, count = number_of(start or "0"), number_of(length or str(len(text)))
    return text[int(at) : int(at) + int(count)] if at is not None and count is not None else None


_FUNCTIONS: Final[Mapping[str, tuple[Callable[[Sequence[Reader]], Reader], int, int]]] = {
    "abs": (_numeric(abs), 1, 1),
    "ceil": (_numeric(math.ceil), 1, 1),
    "floor": (_numeric(math.floor), 1, 1),
    "greatest": (_numeric(lambda *values: max(values)), 1, 64),
    "least": (_numeric(lambda *values: min(values)), 1, 64),
    "log": (_numeric(math.log), 1, 1),
    "mod": (_numeric(math.fmod), 2, 2),
    "sqrt": (_numeric(math.sqrt), 1, 1),
    "coalesce": (_of_values(lambda *values: next((value for value in values if value is not None), None)), 1, 64),
    "concat": (_of_texts(lambda *texts: "".join(texts)), 1, 64),
    "isblank": (_of_values(lambda value: float(not text_of(value).strip())), 1, 1),
    "isempty": (_of_values(lambda value: float(not text_of(value))), 1, 1),
    "ispresent": (_of_values(lambda value: float(value is not None)), 1, 1),
    "ltrim": (_of_texts(lambda text, what=" \t\n": text.lstrip(what)), 1, 2),
    "replace": (_of_texts(lambda text, old, new: text.replace(old, new)), 3, 3),
    "rtrim": (_of_texts(lambda text, what=" \t\n": text.rstrip(what)), 1, 2),
    "strcontains": (_of_texts(lambda text, part: float(part in text)), 2, 2),
    "strlen": (_of_texts(lambda text: float(len(text))), 1, 1),
    "substr": (_of_texts(_substring), 2, 3),
    "tolower": (_of_texts(str.lower), 1, 1),
    "toupper": (_of_texts(str.upper), 1, 1),
    "trim": (_of_texts(lambda text, what=" \t\n": text.strip(what)), 1, 2),
}


def _function(node: Function) -> Reader:
    name = node.name
    if name == "bin":
        return _floored(lambda record: record.get("@timestamp"), node.arguments, 0)
    if name == "datefloor":
        return _floored(reader_of(node.arguments[0]), node.arguments, 1)
    if name in AGGREGATES:
        raise malformed(f"{name} belongs into stats")
    if name not in _FUNCTIONS:
        raise malformed(f"the function {name} is not known")
    make, least, most = _FUNCTIONS[name]
    if not least <= len(node.arguments) <= most:
        raise malformed(f"{name} does not take {len(node.arguments)} arguments")
    return make([reader_of(argument) for argument in node.arguments])


def _floored(reader: Reader, arguments: Sequence[Node], at: int) -> Reader:
    if len(arguments) != at + 1:
        raise malformed("a period such as 5m was expected")
    length_ms = period_ms(arguments[at])

    def read(record: Record) -> Value:
        at_ms = number_of(reader(record))
        return shown_time(at_ms - at_ms % length_ms) if at_ms is not None else None

    return read
