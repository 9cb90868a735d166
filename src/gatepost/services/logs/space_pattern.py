"""Filter patterns of space-delimited events: `[ip, user, ..., status_code = 4*, bytes > 1000]`.

A message is cut at spaces; what stands between quotation marks or brackets is one field. The pattern names each field
in order, `...` any number of them, and says of some what they must be.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gatepost.services.logs.conditions import Conditions, tokens_of
from gatepost.services.logs.filter_words import COMPARISONS, invalid, regex, wildcards

FIELDS_MAX: Final = 100
ELLIPSIS: Final = "..."
_PLAIN: Final = re.compile(r"\S+")
_CLOSING: Final = {'"': '"', "[": "]"}
_NAME: Final = re.compile(r"\s*([A-Za-z_][\w]*)\s*")
_TOKEN: Final = re.compile(r'\s*(?:(&&|\|\||!=|<=|>=|[()=<>])|("(?:[^"\\]|\\.)*")|(%[^%]*%)|([^\s()&|=<>!,]+))')

Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a pattern."""

    name: str
    test: Test | None = None


class SpacePattern:
    """One compiled pattern of fields."""

    def __init__(self, text: str) -> None:
        """Compile what stands between the brackets. Raises: InvalidParameterException."""
        parts = _split(text)
        if len(parts) > FIELDS_MAX:
            raise invalid(f"it names {len(parts)} fields, at most {FIELDS_MAX} are allowed")
        if parts.count(ELLIPSIS) > 1:
            raise invalid("... can stand in it once")
        self._is_open = ELLIPSIS in parts
        at = parts.index(ELLIPSIS) if self._is_open else len(parts)
        self._first = [_field(part, number) for number, part in enumerate(parts[:at], 1)]
        self._last = [_field(part, number) for number, part in enumerate(parts[at + 1 :], at + 2)]

    def matches(self, message: str) -> bool:
        """Say whether a message has these fields."""
        return self.extract(message) is not None

    def extract(self, message: str) -> dict[str, str] | None:
        """Give the fields of a message by `$name`, those under `...` by `$number`; None when it does not match."""
        found = fields_of(message)
        named = len(self._first) + len(self._last)
        if len(found) < named or (len(found) > named and not self._is_open):
            return None
        end = len(found) - len(self._last)
        pairs = [*zip(self._first, found, strict=False), *zip(self._last, found[end:], strict=True)]
        if not all(field.test is None or field.test(value) for field, value in pairs):
            return None
        middle = {f"${number + 1}": found[number] for number in range(len(self._first), end)}
        first = {f"${field.name}": value for field, value in pairs[: len(self._first)]}
        return {**first, **middle, **{f"${field.name}": value for field, value in pairs[len(self._first) :]}}


def fields_of(message: str) -> list[str]:
    """Cut a message into its fields, in one walk whatever it is made of."""
    fields: list[str] = []
    unclosed: set[str] = set()  # signs that do not come again: looked for once
    at = 0
    while (found := _PLAIN.search(message, at)) is not None:
        start = found.start()
        closing = _CLOSING.get(message[start], "")
        end = message.find(closing, start + 1) if closing and closing not in unclosed else -1
        if end >= 0:
            fields.append(message[start + 1 : end])
            at = end + 1
            continue
        if closing:
            unclosed.add(closing)
        fields.append(found.group())
        at = found.end()
    return fields


def _split(text: str) -> list[str]:
    """Cut at commas that do not stand between quotation marks."""
    parts, current, is_quoted = [], "", False
    for character in text:
        if character == '"':
            is_quoted = not is_quoted
        if character == "," and not is_quoted:
            parts.append(current.strip())
            current = ""
        else:
            current += character
    parts.append(current.strip())
    return parts


def _field(part: str, number: int) -> Field:
    if not part:
        return Field(str(number))
    found = re.search(r"[A-Za-z_]\w*", part)
    if found is None:
        raise invalid(f"a field has no name at {part[:40]!r}")
    name = found.group(0)
    if part == name:
        return Field(name)
    return Field(name, _Conditions(name, tokens_of(part, _TOKEN)).parse())


class _Conditions(Conditions[str]):
    """Reads `name = a && (name != b || name = c)`; the name may be left out after the first."""

    def __init__(self, name: str, tokens: Sequence[str]) -> None:
        super().__init__(tokens)
        self._name = name

    def unit(self) -> Test:
        if self.peek() == self._name:
            self.take()
        operator = self.take()
        if operator not in COMPARISONS:
            raise invalid(f"{operator!r} is no comparison")
        return _comparison(operator, self.take())


def _comparison(operator: str, operand: str) -> Test:
    is_quoted = operand.startswith('"')
    number = None if is_quoted else _number(operand)
    if number is not None:
        compare = COMPARISONS[operator]

        def test(value: str) -> bool:
            found = _number(value)
            return compare(found, number) if found is not None else operator == "!="

        return test
    if operator not in ("=", "!="):
        raise invalid(f"{operator} compares numbers, and {operand} is none")
    matches = regex(operand) if operand.startswith("%") else wildcards(operand[1:-1] if is_quoted else operand)
    return matches if operator == "=" else lambda value: not matches(value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
