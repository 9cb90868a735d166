"""The Condition element: operators, set operators, IfExists and Null, compiled to objects that look at condition keys.

How a key and the values of the policy meet:

- Several operators in a Condition, and several keys under one operator, must all be true; the values of one key are
  alternatives. Under a negated operator (StringNotEquals …) the alternatives are NOR: none may match.
- A key that the request does not have: a plain operator is false, a negated one true; with IfExists it is true.
- ForAllValues is true when every value of the request passes, and so for an absent or empty key. ForAnyValue needs
  one that passes, and is false for an absent or empty key.
- Under a negated operator a value passes when it matches none of the policy's.
- A multi-valued key without a set operator is undefined on AWS. Here a plain operator asks for any match, a negated
  one for none: `unverified`.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from gatepost.languages.iam_policy_patterns import (
    Keys,
    PatternError,
    Token,
    Variable,
    Wildcard,
    compile_arn,
    compile_glob,
    parse_pattern,
    resolve,
    text_of,
    variables_of,
)

Quantifier = Literal["", "ForAllValues", "ForAnyValue"]
Matcher = Callable[[str], bool]  # does a value of the request match this value of the policy?
_NUMBER: Final = re.compile(r"[+-]?(\d{1,64}(\.\d{0,64})?|\.\d{1,64})(?:[eE][+-]?\d{1,3})?", re.ASCII)
_DATE: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?([Zz]|[+-]\d\d:?\d\d))?)?)?", re.ASCII
)
_EPOCH: Final = re.compile(r"-?\d{5,12}", re.ASCII)  # seconds; four digits are a year


class ConditionError(ValueError):
    """A Condition element is malformed. The text is AWS's."""


def _never(_value: str) -> bool:
    return False


def _string_equals(tokens: Sequence[str | Wildcard]) -> Matcher:
    expected = text_of(tokens)
    return lambda value: value == expected


def _string_equals_ignore_case(tokens: Sequence[str | Wildcard]) -> Matcher:
    expected = text_of(tokens).lower()
    return lambda value: value.lower() == expected


def _string_like(tokens: Sequence[str | Wildcard]) -> Matcher:
    return compile_glob(tokens).matches


def _arn_like(tokens: Sequence[str | Wildcard]) -> Matcher:
    return compile_arn(tokens).matches


def parse_number(text: str) -> Decimal | None:
    """Read an integer or decimal of at most 64 digits before and after the point, or give None."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def parse_date(text: str) -> Decimal | None:
    """Read a date-time or epoch seconds as seconds since 1970, or give None.

    The forms are those of https://www.w3.org/TR/NOTE-datetime.
    """
    if _EPOCH.fullmatch(text):
        return Decimal(text)
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        at = datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC
        )
    except ValueError:
        return None
    seconds = Decimal(int(at.timestamp())) + (Decimal("0." + fraction) if fraction else 0)
    return seconds - _zone_seconds(zone)


def _zone_seconds(zone: str | None) -> int:
    if zone is None or zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


def _ordered(
    parse: Callable[[str], Decimal | None], holds: Callable[[Decimal, Decimal], bool]
) -> Callable[[Sequence[str | Wildcard]], Matcher]:
    def build(tokens: Sequence[str | Wildcard]) -> Matcher:
        expected = parse(text_of(tokens))
        if expected is None:
            return _never

        def matches(value: str) -> bool:
            number = parse(value)
            return number is not None and holds(number, expected)

        return matches

    return build


def _bool(tokens: Sequence[str | Wildcard]) -> Matcher:
    expected = text_of(tokens).lower()
    return (lambda value: value.lower() == expected) if expected in ("true", "false") else _never


def _binary(tokens: Sequence[str | Wildcard]) -> Matcher:
    expected = _decoded(text_of(tokens))
    return _never if expected is None else lambda value: _decoded(value) == expected


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _ip_address(tokens: Sequence[str | Wildcard]) -> Matcher:
    try:
        network = ipaddress.ip_network(text_of(tokens), strict=False)
    except ValueError:
        return _never

    def matches(value: str) -> bool:
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return False
        return address.version == network.version and address in network

    return matches


@dataclass(frozen=True, slots=True)
class Operator:
    """One condition operator without its set operator and IfExists."""

    name: str
    build: Callable[[Sequence[str | Wildcard]], Matcher]
    is_negated: bool = False
    has_wildcards: bool = False
    has_variables: bool = False  # string and ARN operators only
    is_valid: Callable[[str], bool] = lambda _text: True


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _pair(
    positive: str, negative: str, build: Callable[[Sequence[str | Wildcard]], Matcher], **kind: Any
) -> list[Operator]:
    return [Operator(positive, build, **kind), Operator(negative, build, is_negated=True, **kind)]


def _comparisons(family: str, parse: Callable[[str], Decimal | None]) -> list[Operator]:
    tests: dict[str, Callable[[Decimal, Decimal], bool]] = {
        "LessThan": lambda a, b: a < b,
        "LessThanEquals": lambda a, b: a <= b,
        "GreaterThan": lambda a, b: a > b,
        "GreaterThanEquals": lambda a, b: a >= b,
    }

    def is_valid(text: str) -> bool:
        return parse(text) is not None

    equals = _ordered(parse, lambda a, b: a == b)
    found = _pair(f"{family}Equals", f"{family}NotEquals", equals, is_valid=is_valid)
    return found + [Operator(family + name, _ordered(parse, test), is_valid=is_valid) for name, test in tests.items()]


def _operators() -> dict[str, Operator]:
    arn = {"has_wildcards": True, "has_variables": True}
    every = [
        *_pair("StringEquals", "StringNotEquals", _string_equals, has_variables=True),
        *_pair("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", _string_equals_ignore_case, has_variables=True),
        *_pair("StringLike", "StringNotLike", _string_like, has_wildcards=True, has_variables=True),
        *_comparisons("Numeric", parse_number),
        *_comparisons("Date", parse_date),
        Operator("Bool", _bool, is_valid=lambda text: text.lower() in ("true", "false")),
        Operator("BinaryEquals", _binary, is_valid=lambda text: _decoded(text) is not None),
        *_pair("IpAddress", "NotIpAddress", _ip_address, is_valid=_is_ip),
        *_pair("ArnEquals", "ArnNotEquals", _arn_like, **arn),
        *_pair("ArnLike", "ArnNotLike", _arn_like, **arn),
    ]
    return {operator.name.lower(): operator for operator in every}


OPERATORS: Final[Mapping[str, Operator]] = _operators()


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key.

    `matchers` are ready; `late` are values with policy variables, compiled per request. `texts` are the values as they
    were written, for explanations.
    """

    operator: Operator
    key: str  # lower case
    quantifier: Quantifier
    is_if_exists: bool
    matchers: tuple[Matcher, ...]
    late: tuple[tuple[Token, ...], ...] = ()
    texts: tuple[str, ...] = ()

    def holds(self, keys: Keys) -> bool:
        """Say whether the condition is true for a request."""
        value = keys.get(self.key)
        if value is None:
            if self.is_if_exists or self.quantifier == "ForAllValues":
                return True
            return self.operator.is_negated and self.quantifier != "ForAnyValue"
        values = (value,) if isinstance(value, str) else value
        matchers = (*self.matchers, *self._late(keys)) if self.late else self.matchers
        is_negated = self.operator.is_negated
        passes = (any(match(one) for match in matchers) != is_negated for one in values)
        if self.quantifier == "ForAllValues" or (is_negated and not self.quantifier):
            return all(passes)
        return any(passes)

    def _late(self, keys: Keys) -> list[Matcher]:
        resolved = (resolve(tokens, keys) for tokens in self.late)
        return [_never if tokens is None else self.operator.build(tokens) for tokens in resolved]

    def keys_read(self) -> set[str]:
        """Give every condition key that decides, in lower case."""
        return {self.key, *(key for tokens in self.late for key in variables_of(tokens))}


@dataclass(frozen=True, slots=True)
class NullCondition:
    """`Null`: true when the key's absence is one of the values asked for."""

    key: str
    wanted: frozenset[bool]  # True: the key must be absent

    def holds(self, keys: Keys) -> bool:
        """Say whether the key is absent or present as wanted. A key with no values is absent."""
        value = keys.get(self.key)
        return (value is None or value == ()) in self.wanted

    def keys_read(self) -> set[str]:
        """Give the key."""
        return {self.key}


AnyCondition = Condition | NullCondition


def compile_conditions(element: object, *, has_variables: bool) -> tuple[AnyCondition, ...]:
    """Compile a Condition element. Raises: ConditionError."""
    if not isinstance(element, dict):
        raise ConditionError("Syntax errors in policy.")
    found: list[AnyCondition] = []
    for name, block in element.items():
        if not isinstance(block, dict):
            raise ConditionError("Syntax errors in policy.")
        for key, values in block.items():
            if not key or key.isspace():
                raise ConditionError("Syntax errors in policy.")
            found.append(_compile(name, key.lower(), condition_values(values), has_variables=has_variables))
    return tuple(found)


def _compile(name: str, key: str, values: Sequence[str], *, has_variables: bool) -> AnyCondition:
    quantifier, operator_name, is_if_exists = split_operator(name)
    if operator_name == "null":
        if is_if_exists or quantifier or not all(v.lower() in ("true", "false") for v in values):
            raise ConditionError(f"Invalid Condition type : {name}." if is_if_exists else "Syntax errors in policy.")
        return NullCondition(key, frozenset(v.lower() == "true" for v in values))
    operator = OPERATORS.get(operator_name)
    if operator is None:
        raise ConditionError(f"Invalid Condition type : {name}.")
    matchers: list[Matcher] = []
    late: list[tuple[Token, ...]] = []
    for value in values:
        if not operator.is_valid(value):
            raise ConditionError("Syntax errors in policy.")
        try:
            tokens = parse_pattern(
                value,
                has_variables=has_variables and operator.has_variables,
                has_wildcards=operator.has_wildcards,
            )
        except PatternError as error:
            raise ConditionError(str(error)) from error
        plain = [token for token in tokens if not isinstance(token, Variable)]
        if len(plain) == len(tokens):
            matchers.append(operator.build(plain))
        else:
            late.append(tokens)
    return Condition(operator, key, quantifier, is_if_exists, tuple(matchers), tuple(late), tuple(values))


def split_operator(name: str) -> tuple[Quantifier, str, bool]:
    """Take `ForAnyValue:StringLikeIfExists` apart: set operator, operator in lower case, whether IfExists."""
    before, colon, rest = name.partition(":")
    quantifier: Quantifier = ""
    if colon:
        if before.lower() not in ("forallvalues", "foranyvalue"):
            raise ConditionError(f"Invalid Condition type : {name}.")
        quantifier = "ForAllValues" if before.lower() == "forallvalues" else "ForAnyValue"
    operator = (rest if colon else name).lower()
    is_if_exists = operator.endswith("ifexists")
    return quantifier, operator.removesuffix("ifexists"), is_if_exists


def condition_values(values: object) -> list[str]:
    """Give a key's values as texts; JSON numbers and booleans are written as AWS writes them.

    Raises: ConditionError.
    """
    found = []
    for value in values if isinstance(values, list) else [values]:
        if isinstance(value, bool):
            found.append("true" if value else "false")
        elif isinstance(value, int | float):
            found.append(str(value))
        elif isinstance(value, str):
            found.append(value)
        else:
            raise ConditionError("Syntax errors in policy.")
    return found
