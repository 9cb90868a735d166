"""Filter patterns of CloudWatch Logs: text to a test of one message.

Terms (`ERROR "with words" ?either ?or -without %regex%`) and JSON patterns (`{ $.level = "ERROR" && $.ms > 100 }`).
Patterns for space-delimited events (`[ip, user, ...]`) are `space_pattern.py`.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from gatepost.services.logs.conditions import Conditions, tokens_of
from gatepost.services.logs.filter_words import COMPARISONS, invalid, regex, wildcards
from gatepost.services.logs.space_pattern import SpacePattern

PATTERN_CHARACTERS_MAX: Final = 1024
_TERM: Final = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|(%[^%]*%)|([^\s"]+))')
_TOKEN: Final = re.compile(
    r'\s*(?:(&&|\|\||!=|<=|>=|[()=<>])|("(?:[^"\\]|\\.)*")|(%[^%]*%)|(\$(?:\.[\w-]+|\[(?:\d+|\*|"[^"]*")\]|\.\[\d+\])*)'
    r"|([^\s()&|=<>!]+))"
)

Test = Callable[[str], bool]
JsonTest = Callable[[Any], bool]


def compile_pattern(pattern: str) -> Test:
    """Compile a filter pattern; an empty one takes everything. Raises: InvalidParameterException."""
    text = pattern.strip()
    if len(text) > PATTERN_CHARACTERS_MAX:
        raise invalid(f"it has {len(text)} characters, at most {PATTERN_CHARACTERS_MAX} are allowed")
    if text.startswith("["):
        if not text.endswith("]"):
            raise invalid("it begins with [ and does not end with ]")
        return SpacePattern(text[1:-1]).matches
    if text.startswith("{"):
        if not text.endswith("}"):
            raise invalid("it begins with { and does not end with }")
        return _json_pattern(text[1:-1])
    return _terms(text)


Extract = Callable[[str], dict[str, str]]


def extractor_of(pattern: str) -> Extract:
    """Give what finds the values that a pattern names in a message that matches: `$.field` or `$name`.

    Raises: InvalidParameterException.
    """
    text = pattern.strip()
    if text.startswith("["):
        fields = SpacePattern(text[1:-1])
        return lambda message: fields.extract(message) or {}
    if not text.startswith("{"):
        return lambda _: {}
    names = dict.fromkeys(found.group(4) for found in _TOKEN.finditer(text[1:-1]) if found.group(4))
    selectors = {name: _selector(name) for name in names}

    def extract(message: str) -> dict[str, str]:
        values: dict[str, str] = {}
        for name, select in selectors.items():
            for found in _json_values(message, select)[:1]:
                values[name] = found
        return values

    return extract


def json_value(message: str, selector: str) -> str | None:
    """Give what `$.field` finds in a JSON message, as text; None when it finds nothing."""
    found = _json_values(message, _selector(selector))
    return found[0] if found else None


def _json_values(message: str, select: Callable[[Any], list[Any]]) -> list[str]:
    try:
        found = select(orjson.loads(message))
    except orjson.JSONDecodeError:
        return []
    return [each if isinstance(each, str) else orjson.dumps(each).decode() for each in found]


def _terms(text: str) -> Test:
    required: list[Test] = []
    either: list[Test] = []
    excluded: list[Test] = []
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None:
            if text[at:].strip():
                raise invalid(f"a quotation mark is not closed at {text[at:][:40]!r}")
            break
        at = found.end()
        kind, quoted, regex, plain = found.groups()
        {"": required, "?": either, "-": excluded}[kind].append(_term(quoted, regex, plain))

    def test(message: str) -> bool:
        return (
            all(one(message) for one in required)
            and not any(one(message) for one in excluded)
            and (not either or bool(required) or any(one(message) for one in either))
        )

    return test


def _term(quoted: str | None, expression: str | None, plain: str | None) -> Test:
    if expression is not None:
        return regex(expression)
    word = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else (plain or "")
    return lambda message: word in message


# --- JSON patterns -------------------------------------------------------------------------------------------------


def _json_pattern(text: str) -> Test:
    test = _JsonConditions(tokens_of(text, _TOKEN)).parse()

    def on_message(message: str) -> bool:
        stripped = message.strip()
        if not stripped.startswith("{"):
            return False
        try:
            return test(orjson.loads(stripped))
        except orjson.JSONDecodeError:
            return False

    return on_message


class _JsonConditions(Conditions[Any]):
    """Reads `$.level = "ERROR" && ($.ms > 100 || $.failed IS TRUE)`."""

    def unit(self) -> JsonTest:
        first = self.take()
        if not first.startswith("$"):
            raise invalid(f"{first!r} was found where a selector such as $.level belongs")
        select = _selector(first)
        operator = self.take()
        if operator.upper() in {"IS", "NOT"}:
            return self._special(select, operator.upper(), self.take().upper())
        if operator not in COMPARISONS:
            raise invalid(f"{operator!r} is no comparison")
        return _comparison(select, operator, self.take())

    @staticmethod
    def _special(select: Callable[[Any], list[Any]], operator: str, word: str) -> JsonTest:
        if (operator, word) == ("NOT", "EXISTS"):
            return lambda value: not select(value)
        constants: dict[str, object] = {"NULL": None, "TRUE": True, "FALSE": False}
        if operator == "IS" and word in constants:
            wanted = constants[word]
            return lambda value: any(found is wanted for found in select(value))
        raise invalid(f"{operator} {word} is not known: use IS NULL, IS TRUE, IS FALSE or NOT EXISTS")


def _selector(text: str) -> Callable[[Any], list[Any]]:
    steps: list[str | int | None] = []
    for name, index, quoted in re.findall(r'\.([\w-]+)|\[(\d+|\*)\]|\["([^"]*)"\]', text):
        steps.append((None if index == "*" else int(index)) if index else (name or quoted))

    def select(value: Any) -> list[Any]:
        found = [value]
        for step in steps:
            found = [inner for outer in found for inner in _step(outer, step)]
        return found

    return select


def _step(value: Any, step: str | int | None) -> list[Any]:
    if isinstance(step, str):
        return [value[step]] if isinstance(value, dict) and step in value else []
    if not isinstance(value, list):
        return []
    return list(value) if step is None else value[step : step + 1]


def _comparison(select: Callable[[Any], list[Any]], operator: str, operand: str) -> JsonTest:
    try:
        number = float(operand)
    except ValueError:
        return _text_comparison(select, operator, operand)
    compare = COMPARISONS[operator]

    def test(value: Any) -> bool:
        return any(
            compare(found, number)
            for found in select(value)
            if isinstance(found, int | float) and not isinstance(found, bool)
        )

    return test


def _text_comparison(select: Callable[[Any], list[Any]], operator: str, operand: str) -> JsonTest:
    if operator not in {"=", "!="}:
        raise invalid(f"{operator} compares numbers, and {operand} is none")
    if operand.startswith("%"):
        matches = regex(operand)
    else:
        text = re.sub(r"\\(.)", r"\1", operand[1:-1]) if operand.startswith('"') else operand
        matches = wildcards(text)

    is_equal = operator == "="

    def test(value: Any) -> bool:
        texts = [found for found in select(value) if isinstance(found, str)]
        return any(matches(found) is is_equal for found in texts)

    return test
