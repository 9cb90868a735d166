"""Templates rendered as Velocity renders them (data files), and kept within their bounds."""

from __future__ import annotations

import contextlib
import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest

from gatepost.languages.vtl_compile import API_GATEWAY, APPSYNC, VELOCITY, Outcome, compile_template
from gatepost.languages.vtl_tree import Position, TemplateError
from gatepost.languages.vtl_values import Limits

FOLDER = Path(__file__).parent / "vtl_cases"


def cases() -> list[Any]:
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        if path.stem == "api_gateway":  # test_vtl_api_gateway.py
            continue
        document = json.loads(path.read_text())
        found += [
            pytest.param(document["variables"], case, id=f"{path.stem}: {case['name']}") for case in document["cases"]
        ]
    return found


def render(template: str, variables: dict[str, Any] | None = None, **limits: int) -> str:
    return compile_template(template, limits=Limits(**limits)).render(variables or {})


@pytest.mark.parametrize(("variables", "case"), cases())
def test_renders_as_velocity(variables: dict[str, Any], case: dict[str, str]) -> None:
    values = copy.deepcopy(variables)
    if "error" in case:
        with pytest.raises(TemplateError) as caught:
            render(case["template"], values)
        assert str(caught.value) == case["error"]
    else:
        assert render(case["template"], values) == case["expected"]


def test_there_are_enough_cases_and_each_has_a_name_of_its_own() -> None:
    named = [case.id for case in cases()]
    assert len(named) >= 450
    assert len(set(named)) == len(named)


def test_a_template_renders_the_same_every_time() -> None:
    template = compile_template("#set($x = [])#foreach($i in [1..3])$!x.add($i)#end$x#macro(a $b)$b#end#a($x.size())")
    assert template.render({}) == template.render({}) == "truetruetrue[1, 2, 3]3"


def test_the_variables_handed_in_are_left_as_they_are() -> None:
    variables = {"a": 1}
    assert compile_template("#set($a = 2)#set($b = 3)$a").render(variables) == "2"
    assert variables == {"a": 1}


def test_api_gateway_prints_nothing_for_null() -> None:
    template = r"[$a] [${a.b}] [$a.c()] [\$a]"
    assert compile_template(template, dialect=VELOCITY).render({}) == template
    assert compile_template(template, dialect=API_GATEWAY).render({}) == r"[] [] [] [\$a]"


def test_return_ends_an_appsync_template_with_a_value() -> None:
    template = compile_template('a#if($x)#return({"k": $x})#{end}b#return', dialect=APPSYNC)
    assert template.evaluate({"x": 1}) == Outcome("a", is_returned=True, value={"k": 1})
    assert template.evaluate({}) == Outcome("ab", is_returned=True, value=None)
    assert compile_template("a", dialect=APPSYNC).evaluate({}) == Outcome("a")


def test_return_in_a_macro_ends_the_template() -> None:
    assert compile_template("#macro(r $x)#return($x)#{end}a#r(5)b", dialect=APPSYNC).evaluate({}).value == 5


def test_names_says_what_a_template_refers_to() -> None:
    template = compile_template('$a.b.c $d.e() #if($f[\'g\'].h)#end "#set($x = "$i.j")" $k[0].l #foreach($m in $n)#end')
    assert template.names == {"a.b.c", "d", "f.g.h", "x", "i.j", "k", "m", "n"}


@pytest.mark.parametrize(
    ("text", "constant"),
    [
        ("", ""),
        ('{"statusCode": 200}', '{"statusCode": 200}'),
        ("a ## b\nc #[[ $d ]]#", "a c  $d "),
        ("$a", None),
        ("#stop", None),
    ],
)
def test_a_template_of_text_alone_is_constant(text: str, constant: str | None) -> None:
    template = compile_template(text)
    assert template.constant == constant
    assert constant is None or template.render({}) == constant


@pytest.mark.parametrize(
    ("text", "leading"),
    [("", ""), ("a", "a"), ("a $b", "a "), ("$b a", ""), ("#if($b)x#end a", ""), ("#set($b = 1)a", "")],
)
def test_the_text_that_a_template_begins_with_is_known(text: str, leading: str) -> None:
    assert compile_template(text).leading == leading


@pytest.mark.parametrize(
    ("text", "uses"), [("$a.b", True), ("$b.a", False), ("#evaluate('x')", True), ("#set($a = 1)", True), ("a", False)]
)
def test_a_template_says_whether_it_may_ask_for_a_variable(text: str, uses: bool) -> None:
    assert compile_template(text).uses("a") is uses


def test_an_error_has_a_position() -> None:
    with pytest.raises(TemplateError) as caught:
        render("line\n  $s.substring(9)", {"s": "abc"})
    assert caught.value.at == Position(2, 5)


# Bounds


@pytest.mark.parametrize(
    ("bytes_max", "is_taken"), [(10, False), (11, True), (12, True)], ids=["too long", "just right", "shorter"]
)
def test_a_template_is_bounded_in_bytes(bytes_max: int, *, is_taken: bool) -> None:
    template = "0123456789é"[1:]
    assert len(template.encode()) == 11
    if is_taken:
        assert render(template, template_bytes_max=bytes_max) == template
    else:
        with pytest.raises(TemplateError, match="more than 10 bytes"):
            render(template, template_bytes_max=bytes_max)


@pytest.mark.parametrize("items", [0, 1, 5])
def test_a_loop_may_go_around_so_often(items: int) -> None:
    assert render("#foreach($x in $l)x#end", {"l": [1] * items}, foreach_iterations_max=5) == "x" * items


def test_a_loop_may_not_go_around_more_often() -> None:
    with pytest.raises(TemplateError, match="line 2, column 1: #foreach over 6 items: at most 5"):
        render("\n#foreach($x in $l)x#end", {"l": [1] * 6}, foreach_iterations_max=5)


@pytest.mark.parametrize(
    "template", ["$a$a", "#foreach($i in [1..2])$a#end", '#set($x = "$a$a")', "#set($x = $a + $a)"]
)
def test_output_and_strings_are_bounded(template: str) -> None:
    assert render(template, {"a": "12345"}, output_chars_max=10) in {"1234512345", ""}
    with pytest.raises(TemplateError, match="more than 9 characters"):
        render(template, {"a": "12345"}, output_chars_max=9)


BOMBS = [
    '#set($a = "xx")#foreach($i in [1..100])#set($a = "$a$a")#end$a.length()',
    '#set($a = "xx")#foreach($i in [1..100])#set($a = $a + $a)#end',
    '#set($a = "xx")#foreach($i in [1..100])#set($a = $a.concat($a))#end',
    '#set($a = "xx")#foreach($i in [1..100])#set($a = $a.replace("x", $a))#end',
    '#set($a = "xx")#foreach($i in [1..100])#set($a = $a.replaceAll("x|y", $a))#end',
    '#set($a = ["x"])#foreach($i in [1..100])#set($a = [$a, $a])#end$a',
    '#set($a = ["x"])#foreach($i in [1..30])#set($a = [$a, $a])#end$a',
    "#set($a = [])#set($b = [])#foreach($i in [1..60])#set($a = [$a, $a])#set($b = [$b, $b])#end#if($a == $b)y#end",
    '#set($a = {})#set($b = {})#foreach($i in [1..60])#set($a = {"a": $a, "b": $a})#set($b = {"a": $b, "b": $b})#end'
    "$a.equals($b)",
    "#set($a = [1])#foreach($i in [1..100])#set($b = $a.addAll($a))#end",
    "#set($a = {})#set($b = {})#set($a.b = $b)#set($b.a = $a)$a",
    "#set($a = [])#set($b = $a.add({'k': $a}))$a",
    "#set($x = 3)#foreach($i in [1..1000])#set($x = $x * $x)#end",
    "#foreach($i in [1..1000])#foreach($j in [1..1000])#foreach($k in [1..1000])#end#end#end",
    "#macro(a)#a()#a()#end#a()",
    '#macro(a $x)#b("$x$x")#end#macro(b $x)#a("$x$x")#end#a("y")',
    "#macro(a $x)#a($x.add($x))#end#a([])",
    "#define($a)$b$b#end#define($b)$a$a#end$a",
    "#define($a)#foreach($i in [1..1000])$b#end#end#define($b)#foreach($i in [1..1000])x#end#end"
    "#foreach($i in [1..999])$a#end",
    "#set($e = '#evaluate($e)#evaluate($e)')#evaluate($e)",
    "#set($e = '$x $y #if($x)a#end')#foreach($i in [1..1000])#foreach($j in [1..1000])#evaluate($e)#end#end",
    "#foreach($i in [1..1000])#foreach($x in [1..1000])$s.contains('zz')#end#end",
    "#foreach($i in [1..1000])#foreach($x in [1..1000])$!{s.matches('(a+)+b')}#end#end",
    "$s.matches('(a|aa|aaa)*c')",
    "$s.replaceAll('(a*)*b', 'x').length()",
    "[1..2147483647]#set($x = [1..2147483647])",
    "#foreach($i in [1..1000])#foreach($j in [1..1000])$s.split('').size()#end#end",
]


@pytest.mark.parametrize("template", BOMBS)
def test_a_bomb_ends_soon(template: str) -> None:
    begin = time.process_time()
    try:
        made = compile_template(template).render({"s": "a" * 20_000})
    except TemplateError:
        made = ""
    assert len(made) <= Limits().output_chars_max
    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    "template",
    [
        "#if($a)" * 100 + "#end" * 100,
        "#foreach($x in $y)" * 500,
        "#set($x = " + "(" * 5000 + "1" + ")" * 5000 + ")",
        "#set($x = " + "[" * 5000,
        "#set($x = " + "!" * 5000 + "$x)",
        "$a" + "[$a" * 3000,
        "$a" + ".b($a" * 3000,
        "#if(" + "1 == " * 50_000 + "1)#end",
        "#define($a)" * 2000,
        "#macro(a $b)" * 2000,
        "#@a()" * 3000,
        '"' * 100_000,
        "${a|" * 5000,
    ],
    ids=range(13),
)
def test_deep_templates_are_refused_or_rendered(template: str) -> None:
    with contextlib.suppress(TemplateError):
        compile_template(template).render({})


def test_a_long_flat_template_is_no_problem() -> None:
    template = compile_template("$a.b #if($a)x#else y#end\n" * 10_000)
    assert template.render({"a": {"b": "c"}}) == "c x" * 10_000
