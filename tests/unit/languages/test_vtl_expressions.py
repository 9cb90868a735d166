"""References and expressions as trees, apart from templates."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.languages.vtl_expressions import DEPTH_MAX, ExpressionParser
from gatepost.languages.vtl_lexer import Source
from gatepost.languages.vtl_tree import (
    Binary,
    Constant,
    ListLiteral,
    MapLiteral,
    Not,
    Range,
    Reference,
    TemplateError,
)


def parsed(text: str) -> Any:
    return ExpressionParser(Source(text), 0, set()).expression()


def shape(node: Any) -> Any:
    """Write a tree of operators and constants as nested tuples."""
    if isinstance(node, Binary):
        return (shape(node.left), node.operator, shape(node.right))
    if isinstance(node, Not):
        return ("!", shape(node.operand))
    return node.literal if isinstance(node, Reference) else node.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("1 + 2", (1, "+", 2)),
        ("1 - 2 - 3", ((1, "-", 2), "-", 3)),
        ("1 + 2 * 3", (1, "+", (2, "*", 3))),
        ("(1 + 2) * 3", ((1, "+", 2), "*", 3)),
        ("1 < 2 == true", ((1, "<", 2), "==", True)),
        ("true || false && true", (True, "||", (False, "&&", True))),
        ("true or false and not true", (True, "||", (False, "&&", ("!", True)))),
        ("!$a && !!$b", (("!", "$a"), "&&", ("!", ("!", "$b")))),
        ("$a eq 1", ("$a", "==", 1)),
        ("$a.b(1 + 2) ne 'x'", ("$a.b(1 + 2)", "!=", "x")),
        ("1.5e3 % -2", (1500.0, "%", -2)),
        ("$android", "$android"),
        ("5 le 6", (5, "<=", 6)),
    ],
)
def test_operators_and_values(text: str, expected: Any) -> None:
    assert shape(parsed(text)) == expected


def test_lists_maps_and_ranges() -> None:
    assert parsed("[1, 'a']") == ListLiteral((Constant(1), Constant("a")))
    assert isinstance(parsed("[1..3]"), Range)
    assert isinstance(parsed("[ $a .. $b ]"), Range)
    found = parsed("{ 'a' : 1 , 'b' : [] }")
    assert isinstance(found, MapLiteral)
    assert [(key, value) for key, value in found.items] == [
        (Constant("a"), Constant(1)),
        (Constant("b"), ListLiteral(())),
    ]


@pytest.mark.parametrize(
    ("text", "value"), [('"a""b"', 'a"b'), ("'a''b'", "a'b"), ('"\\u0041\\n"', "A\\n"), ("'\\u0041'", "\\u0041")]
)
def test_strings(text: str, value: str) -> None:
    assert parsed(text) == Constant(value)


def test_depth_is_bounded() -> None:
    assert parsed("(" * (DEPTH_MAX - 1) + "1" + ")" * (DEPTH_MAX - 1)) == Constant(1)
    with pytest.raises(TemplateError, match="deeper than"):
        parsed("(" * DEPTH_MAX + "1" + ")" * DEPTH_MAX)


def test_names_are_collected_as_far_as_they_are_fixed() -> None:
    names: set[str] = set()
    ExpressionParser(Source("$a.b['c'].d[$e.f].g + $h.i().j"), 0, names).expression()
    assert names == {"a.b.c.d", "e.f", "h"}
