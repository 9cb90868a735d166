"""Filter patterns, by the examples of AWS's guide and on both sides of each rule."""

from __future__ import annotations

import pytest

from gatepost.services.logs.filter_pattern import compile_pattern
from gatepost.services.logs.model import InvalidParameterException

ERRORS = [
    "[ERROR 400] BAD REQUEST",
    "[ERROR 401] UNAUTHORIZED REQUEST",
    "[ERROR 419] MISSING ARGUMENTS",
    "[ERROR 420] INVALID ARGUMENTS",
]
EVENT = (
    '{"level": "ERROR", "ms": 120, "user": {"name": "Ann", "tags": ["a", "b"]}, "empty": null, "done": true, '
    '"objects": [{"id": 1}, {"id": 2}], "odd key": "x"}'
)


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("", [0, 1, 2, 3]),
        ("ERROR", [0, 1, 2, 3]),
        ("error", []),
        ("ERROR ARGUMENTS", [2, 3]),
        ("?400 ?401", [0, 1]),
        ("ERROR -ARGUMENTS", [0, 1]),
        ("-ARGUMENTS -BAD", [1]),
        ('"BAD REQUEST"', [0]),
        ('"REQUEST BAD"', []),
        ('?"BAD REQUEST" ?MISSING', [0, 2]),
        ("%4[0-9]1%", [1]),
        ("%ERROR.*INV%", [3]),
    ],
)
def test_terms(pattern: str, matched: list[int]) -> None:
    matches = compile_pattern(pattern)
    assert [index for index, message in enumerate(ERRORS) if matches(message)] == matched


@pytest.mark.parametrize(
    ("pattern", "is_match"),
    [
        ('{ $.level = "ERROR" }', True),
        ("{ $.level = ERROR }", True),
        ('{ $.level = "ERR*" }', True),
        ('{ $.level = "*RO*" }', True),
        ('{ $.level = "ERR" }', False),
        ('{ $.level != "INFO" }', True),
        ('{ $.lost != "INFO" }', False),
        ("{ $.level = %^E.*R$% }", True),
        ("{ $.ms = 120 }", True),
        ("{ $.ms > 119.5 }", True),
        ("{ $.ms >= 121 }", False),
        ("{ $.ms < 1.3e2 }", True),
        ("{ $.ms <= 119 }", False),
        ("{ $.done = 1 }", False),
        ('{ $.user.name = "Ann" }', True),
        ('{ $.user.tags[1] = "b" }', True),
        ('{ $.user.tags[2] = "b" }', False),
        ('{ $.user.tags[*] = "a" }', True),
        ("{ $.objects[1].id = 2 }", True),
        ('{ $["odd key"] = "x" }', True),
        ("{ $.empty IS NULL }", True),
        ("{ $.done IS TRUE }", True),
        ("{ $.done IS FALSE }", False),
        ("{ $.lost NOT EXISTS }", True),
        ("{ $.level NOT EXISTS }", False),
        ('{ $.level = "INFO" || $.ms > 100 }', True),
        ('{ $.level = "INFO" && $.ms > 100 }', False),
        ('{ ($.level = "INFO" || $.done IS TRUE) && $.ms > 100 }', True),
        ('{ $.level = "INFO" || $.level = "ERROR" && $.ms > 500 }', False),
    ],
)
def test_json(pattern: str, is_match: bool) -> None:
    matches = compile_pattern(pattern)
    assert matches(EVENT) is is_match
    assert matches(f"{EVENT}\n") is is_match
    assert not matches("no json")
    assert not matches("{broken")


@pytest.mark.parametrize(
    "pattern",
    [
        '"open', "[ip, user", "[a, ..., b, ...]", "[a =]", "[a > word]",
        "{ $.a = 1", "{ }", "{ $.a }", "{ $.a = }", "{ a = 1 }", "{ ($.a = 1 }",
        "{ $.a = 1 $.b = 2 }", "{ $.a IS HERE }", "{ $.a > word }", "%(%", "{ $.a = %(% }", "{ $.a & $.b }",
        "x" * 1025, "{ " + "(" * 100 + "$.a = 1" + ")" * 100 + " }",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidParameterException, match="Invalid filter pattern"):
        compile_pattern(pattern)


def test_a_hostile_regular_expression_takes_no_time() -> None:
    assert not compile_pattern("%(a+)+$%")("a" * 100_000 + "b")


def test_many_stars_take_no_time() -> None:
    matches = compile_pattern('{ $.x = "' + "*a" * 200 + '*b" }')
    assert not matches('{"x": "' + "a" * 20_000 + '"}')
    assert matches('{"x": "' + "a" * 20_000 + '\\nb"}')
