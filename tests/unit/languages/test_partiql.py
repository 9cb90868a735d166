"""The text of statements: what is read of them, what is no statement, and that none breaks the parser."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.languages.partiql import parse
from gatepost.languages.partiql_tree import Statement, StatementError, conjuncts, render


def test_a_condition_is_rendered_as_an_expression() -> None:
    text = "SELECT * FROM t WHERE a.\"b c\"[1] = 'x' AND NOT (n IN [1, 2] OR m IS NOT NULL) AND s NOT BETWEEN ? AND -5"
    statement = parse(text, [{"N": "1"}])
    assert statement.where is not None
    assert render(statement.where) == (
        "#0.#1[1] = :0 AND NOT (#2 IN (:1,:2) OR NOT (attribute_type(#3,:3))) AND NOT (#4 BETWEEN :4 AND :5)"
    )
    assert statement.names == {"#0": "a", "#1": "b c", "#2": "n", "#3": "m", "#4": "s"}
    assert statement.values[":5"] == {"N": "-5"}
    assert len(conjuncts(statement.where)) == 3


def test_keywords_have_no_case_and_quoted_names_are_names() -> None:
    statement = parse('select "select", b from "a table"."An Index" where "from" != 1 -- a comment')
    assert (statement.table, statement.index) == ("a table", "An Index")
    assert [statement.resolved(path) for path in statement.paths] == [("select",), ("b",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected SELECT, INSERT, UPDATE or DELETE, found the end of the statement"),
        ("SELECT FROM t", "Expected the name of an attribute, found FROM"),
        ("SELECT * FROM t WHERE", "Expected the name of an attribute, found the end"),
        ("SELECT * FROM t WHERE a", "Expected a comparison"),
        ("SELECT * FROM t WHERE a = 1 b", "Expected the end of the statement, found b"),
        ("SELECT * FROM t; DROP", "Unexpected character ';'"),
        ("SELECT * FROM t WHERE f(a) = 1", "The function f is not supported here"),
        ("SELECT * FROM t WHERE a[x] = 1", "Expected a list index"),
        ("INSERT INTO t VALUE [1]", "Expected an item in braces"),
        ("INSERT INTO t VALUE {'a': 1, 'a': 2}", "The attribute a is there twice"),
        ("INSERT INTO t VALUE {'a': <<1, 'x'>>}", "A set holds"),
        ("INSERT INTO t VALUE {'a': b}", "Expected a value"),
        ("UPDATE t WHERE a = 1", "Expected SET or REMOVE"),
        ("UPDATE t SET a = - b WHERE a = 1", "Expected a number"),
        ("DELETE FROM t WHERE a = 1 RETURNING MODIFIED NEW *", "can only be ALL OLD"),
        ("SELECT * FROM t WHERE " + "(" * 101 + "a = 1" + ")" * 101, "nested deeper than 100"),
        ("SELECT * FROM t WHERE " + "NOT " * 101 + "a = 1", "nested deeper than 100"),
        ("SELECT * FROM t WHERE a = " + "[" * 101 + "]" * 101, "nested deeper than 100"),
        ("SELECT * FROM t WHERE a = 1e999", "Number overflow"),
        ("x" * 8193, "longer than 8192 bytes"),
        ("SELECT * FROM t WHERE a = 1 AND b = ??", "Number of parameters"),
    ],
)
def test_what_is_no_statement_is_refused(text: str, message: str) -> None:
    with pytest.raises(StatementError) as refused:
        parse(text)
    assert message in str(refused.value)


PIECES = [
    "SELECT",
    "*",
    "FROM",
    "WHERE",
    "AND",
    "OR",
    "NOT",
    "IN",
    "BETWEEN",
    "IS",
    "NULL",
    "MISSING",
    "SET",
    "REMOVE",
    "UPDATE",
    "DELETE",
    "INSERT",
    "INTO",
    "VALUE",
]
PIECES += [
    "t",
    '"q"',
    "'s'",
    "1",
    "?",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<<",
    ">>",
    "=",
    ",",
    ".",
    ":",
    "-",
    "EXISTS",
    "size",
]


@given(st.lists(st.sampled_from(PIECES), max_size=20), st.lists(st.just({"S": "x"}), max_size=2))
def test_no_text_breaks_the_parser(pieces: list[str], parameters: list[dict[str, Any]]) -> None:
    try:
        statement = parse(" ".join(pieces), parameters)
    except StatementError:
        return
    assert isinstance(statement, Statement)


@given(st.text(max_size=50))
def test_no_characters_break_the_parser(text: str) -> None:
    try:
        parse("SELECT * FROM t WHERE " + text)
    except StatementError:
        return
