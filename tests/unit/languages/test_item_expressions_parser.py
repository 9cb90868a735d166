import pytest

from gatepost.languages.item_expressions_parser import parse_condition, parse_projection, parse_update, tokens_of
from gatepost.languages.item_expressions_tree import (
    Action,
    And,
    Arithmetic,
    Between,
    Comparison,
    ExpressionError,
    Function,
    In,
    Not,
    Or,
    Path,
    ValueRef,
)

A, B, C = (Comparison("=", Path((name,)), ValueRef(":v")) for name in "abc")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a = :v", A),
        ("a = :v AND b = :v AND c = :v", And((A, B, C))),
        ("a = :v OR b = :v AND c = :v", Or((A, And((B, C))))),
        ("NOT a = :v AND b = :v", And((Not(A), B))),
        ("NOT (a = :v AND b = :v)", Not(And((A, B)))),
        ("(a = :v)", A),
        ("(a = :v) AND (b = :v OR c = :v)", And((A, Or((B, C))))),
        ("a BETWEEN :v AND :w AND b = :v", And((Between(Path(("a",)), ValueRef(":v"), ValueRef(":w")), B))),
        ("a IN (:v, b)", In(Path(("a",)), (ValueRef(":v"), Path(("b",))))),
        ("size(a.#b[3][0]) > :v", Comparison(">", Function("size", (Path(("a", "#b", 3, 0)),)), ValueRef(":v"))),
        ("contains(a, :v)", Function("contains", (Path(("a",)), ValueRef(":v")))),
    ],
)
def test_conditions_bind_as_aws_says(text, tree) -> None:
    assert parse_condition(text) == tree


def test_an_update_is_a_list_of_actions() -> None:
    assert parse_update("SET a = b + :v, c = :w REMOVE d[1] ADD e :v DELETE f :w") == [
        Action("SET", Path(("a",)), Arithmetic("+", Path(("b",)), ValueRef(":v"))),
        Action("SET", Path(("c",)), ValueRef(":w")),
        Action("REMOVE", Path(("d", 1)), None),
        Action("ADD", Path(("e",)), ValueRef(":v")),
        Action("DELETE", Path(("f",)), ValueRef(":w")),
    ]


def test_a_projection_is_a_list_of_paths() -> None:
    assert parse_projection("a, b.c , d[0]") == [Path(("a",)), Path(("b", "c")), Path(("d", 0))]


def test_tokens_know_where_they_stand() -> None:
    assert [(token.text, token.start) for token in tokens_of("a>= :v")] == [
        ("a", 0),
        (">=", 1),
        (":v", 4),
        ("<EOF>", 6),
    ]


@pytest.mark.parametrize(
    "text", ["a[-1] = :v", "a[1.5] = :v", "1a = :v", "a b", "a = :v AND", "a IN ()", "a IN :v", "a[0 = :v"]
)
def test_what_does_not_parse_tells_the_token(text) -> None:
    with pytest.raises(ExpressionError, match="Syntax error; token: "):
        parse_condition(text)


def test_a_list_index_has_at_most_nine_digits() -> None:
    assert parse_projection("a[999999999]") == [Path(("a", 999_999_999))]
    with pytest.raises(ExpressionError, match="List index is not within the allowable range"):
        parse_projection("a[1000000000]")
