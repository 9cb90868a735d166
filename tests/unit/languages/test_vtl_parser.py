"""Templates as trees: positions, escapes and what begins where."""

from __future__ import annotations

import pytest

from gatepost.languages.vtl_lexer import Source
from gatepost.languages.vtl_parser import parse_template
from gatepost.languages.vtl_tree import (
    Binary,
    Constant,
    Foreach,
    If,
    Interpolated,
    Method,
    Position,
    Property,
    Reference,
    Return,
    Set,
    TemplateError,
    Text,
)


@pytest.mark.parametrize(
    ("offset", "line", "column"), [(0, 1, 1), (1, 1, 2), (2, 1, 3), (3, 2, 1), (5, 3, 1), (6, 3, 2), (7, 4, 1)]
)
def test_lines_end_at_any_newline(offset: int, line: int, column: int) -> None:
    assert Source("a\r\nb\nc\rd").position(offset) == Position(line, column)


def test_positions_in_a_string_count_from_the_template() -> None:
    source = Source("x\n$y", Position(3, 10))
    assert [source.position(at) for at in (0, 1, 2)] == [Position(3, 10), Position(3, 11), Position(4, 1)]
    with pytest.raises(TemplateError) as caught:
        parse_template('\n#set($x = "a ${b")')
    assert caught.value.at == Position(2, 17)


def test_a_reference_has_steps_and_its_own_text() -> None:
    (node,) = parse_template("$!{a.b.c('x')}").nodes
    assert isinstance(node, Reference)
    assert (node.root, node.is_quiet, node.literal, node.at) == ("a", True, "$!{a.b.c('x')}", Position(1, 1))
    assert node.steps == (Property("b"), Method("c", (Constant("x"),), Position(1, 7)))


@pytest.mark.parametrize(("template", "slashes"), [("$a", 0), ("\\$a", 1), ("\\\\$a", 2), ("\\\\\\$a", 3)])
def test_backslashes_before_a_reference_are_counted(template: str, slashes: int) -> None:
    (node,) = parse_template(template).nodes
    assert isinstance(node, Reference)
    assert node.slashes == slashes


def test_operators_bind_as_they_should() -> None:
    (node,) = parse_template("#set($x = 1 + 2 * 3 == 7 && true)").nodes
    assert isinstance(node, Set)
    both = node.value
    assert isinstance(both, Binary)
    assert both.operator == "&&"
    assert isinstance(both.left, Binary)
    assert both.left.operator == "=="
    assert isinstance(both.left.left, Binary)
    assert both.left.left.operator == "+"


def test_a_string_is_a_template_only_if_it_must_be() -> None:
    plain, dollar, single = (parse_template(f"#set($x = {text})").nodes[0] for text in ('"a"', '"$a"', "'$a'"))
    assert isinstance(plain, Set)
    assert plain.value == Constant("a")
    assert isinstance(dollar, Set)
    assert isinstance(dollar.value, Interpolated)
    assert isinstance(single, Set)
    assert single.value == Constant("$a")


def test_blocks_nest() -> None:
    (node,) = parse_template("#foreach($a in $b)#if($c)x#elseif($d)y#{else}z#end#end").nodes
    assert isinstance(node, Foreach)
    (inner,) = node.body
    assert isinstance(inner, If)
    assert len(inner.branches) == 2
    assert inner.otherwise == (Text("z"),)


def test_return_is_a_directive_only_where_it_exists() -> None:
    assert parse_template("#return").nodes == (Text("#return"),)
    assert parse_template("#return", has_return=True).nodes == (Return(None),)
    assert parse_template("#return('a')", has_return=True).nodes == (Return(Constant("a")),)


def test_macros_are_collected_wherever_they_stand() -> None:
    tree = parse_template("#if($a)#macro(one $x)1#end#end#macro(two)2#end")
    assert {name: macro.parameters for name, macro in tree.macros.items()} == {"one": ("x",), "two": ()}


def test_a_number_has_no_endless_digits() -> None:
    assert parse_template("#set($x = " + "1" * 300 + ")").nodes
    with pytest.raises(TemplateError, match="300 digits"):
        parse_template("#set($x = " + "1" * 301 + ")")


@pytest.mark.parametrize("number", ["1", "-1", "007"])
def test_whole_numbers(number: str) -> None:
    (node,) = parse_template(f"#set($x = {number})").nodes
    assert isinstance(node, Set)
    assert node.value == Constant(int(number))
