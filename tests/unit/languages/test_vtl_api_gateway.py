"""What API Gateway's templates get, what they write, and that they get nothing else."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from gatepost.languages.json_path import JsonPaths
from gatepost.languages.vtl_api_gateway import (
    Mapped,
    Overrides,
    Parameters,
    Variables,
    compile_mapping_template,
    escape_javascript,
    parse_json,
)
from gatepost.languages.vtl_tree import TemplateError
from gatepost.languages.vtl_values import Limits

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parent / "vtl_cases" / "api_gateway.json").read_text())


def known(values: dict[str, Any] | Variables) -> Variables:
    """Give variables that have these values."""
    if isinstance(values, Variables):
        return values
    return Variables({name: lambda given, name=name: given[name] for name in values}, values)


def mapped(template: str, body: str = "", **given: Any) -> Mapped:
    parameters = given.get("parameters", Parameters())
    return compile_mapping_template(template, paths=JsonPaths(), limits=given.get("limits", Limits())).render(
        body.encode("utf-8", "surrogatepass"),
        context=known(given.get("context", {})),
        stage_variables=given.get("stage_variables", {}),
        parameters=lambda: parameters,
    )


@pytest.mark.parametrize("case", DOCUMENT["cases"], ids=[case["name"] for case in DOCUMENT["cases"]])
def test_maps_as_api_gateway(case: dict[str, Any]) -> None:
    facts = {
        "context": DOCUMENT["context"],
        "stage_variables": DOCUMENT["stage_variables"],
        "parameters": Parameters(**DOCUMENT["parameters"]),
    }
    if "error" in case:
        with pytest.raises(TemplateError) as caught:
            mapped(case["template"], DOCUMENT["body"], **facts)
        assert str(caught.value) == case["error"]
        return
    found = mapped(case["template"], DOCUMENT["body"], **facts)
    assert found.text == case["expected"]
    nothing = Overrides()
    assert found.overrides.request == case.get("request", nothing.request)
    assert found.overrides.response == case.get("response", nothing.response)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", '{} "" [] []'),
        ("{}", '{} "" [{}] []'),
        ("plain text", '"plain text" "" [plain text] []'),
        ("[1,2", '"[1,2" "" [[1,2] []'),
        ("[]", '[] "" [[]] []'),
        ("5", '5 "" [5] []'),
        ("null", 'null "" [] []'),
        ('{"a":[{}]}', '{"a":[{}]} [{}] [{a=[{}]}] [[{}]]'),
    ],
)
def test_any_body_can_be_mapped(body: str, expected: str) -> None:
    assert mapped("$input.json('$') $input.json('$.a') [$input.path('$')] [$input.path('$.a')]", body).text == expected


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        ("1", "1"),
        ("1.0", "1.0"),
        ("1e2", "100.0"),
        ("1e7", "1.0E7"),
        ("12345678.9", "1.23456789E7"),
        ("0.001", "0.001"),
        ("0.0001", "1.0E-4"),
        ("1e-9", "1.0E-9"),
        ("9007199254740993", "9007199254740993"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("-0.0", "-0.0"),
    ],
)
def test_numbers_keep_their_value_in_json_and_text(number: str, printed: str) -> None:
    assert mapped("$input.json('$.n') $input.path('$.n')", f'{{"n": {number}}}').text == f"{printed} {printed}"


def test_json_is_compact_and_escapes_what_json_smart_escapes() -> None:
    body = json.dumps({"a b": ["é", "\u2028", "\x7f", "\x01", "/", "<", "\U0001f600"]})
    expected = '{"a b":["é","\\u2028","\\u007F","\\u0001","/","<","\U0001f600"]}'
    assert mapped("$input.json('$')", body).text == expected


def test_parameters_are_only_worked_out_when_asked_for() -> None:
    def never() -> Parameters:
        raise AssertionError

    template = compile_mapping_template("$input.body", paths=JsonPaths())
    assert template.render(b"b", context=known({}), stage_variables={}, parameters=never).text == "b"


def test_variables_are_read_when_asked_for() -> None:
    read: list[str] = []
    table = {
        "stage": lambda subject: read.append("stage") or f"{subject}!",
        "never": lambda _subject: read.append("never"),
        "identity": {"sourceIp": lambda subject: subject[::-1]},
    }
    text = "$context.stage $context.identity.sourceIp $context.identity.keySet() [$context.nope] [$context.identity]"
    assert mapped(text, context=Variables(table, "ab")).text == "ab! ba [sourceIp] [] []"
    assert read == ["stage"]


def test_context_names_are_known_at_deployment() -> None:
    template = compile_mapping_template(
        "$context.identity.sourceIp #if($context.authorizer['a'])$stageVariables.x#end$context.requestOverride.path.b",
        paths=JsonPaths(),
    )
    assert template.context_names == {"identity.sourceIp", "authorizer.a", "requestOverride.path.b"}


def test_two_renderings_share_nothing() -> None:
    template = compile_mapping_template(
        "#set($context.requestOverride.header.a = $input.path('$.a'))"
        "$!input.path('$').put('b', 1)$input.path('$').size()",
        paths=JsonPaths(),
    )
    for number in (1, 2):
        found = template.render(b'{"a":%d}' % number, context=known({}), stage_variables={})
        assert (found.text, found.overrides.request["header"]) == ("2", {"a": number})


def test_a_template_cannot_change_what_it_was_given() -> None:
    context: dict[str, Any] = {"authorizer": {"roles": ["a"]}}
    stage_variables = {"v": "w"}
    parameters = Parameters({"id": "1"})
    mapped(
        "$context.authorizer.put('x', 1)$context.authorizer.roles.add('b')$stageVariables.put('v', 'z')"
        "$input.params().path.put('id', '2')#set($context.authorizer.y = 2)#set($context.authorizer.roles[0] = 'c')",
        context=context,
        stage_variables=stage_variables,
        parameters=parameters,
    )
    assert (context, stage_variables) == ({"authorizer": {"roles": ["a"]}}, {"v": "w"})
    assert parameters.path == {"id": "1"}


def test_escape_javascript_leaves_plain_text() -> None:
    assert escape_javascript("plain ~ text") == "plain ~ text"
    assert escape_javascript("\x00\x1f\x7f\b\f\t") == "\\u0000\\u001F\\u007F\\b\\f\\t"


def test_json_nested_too_deeply_is_no_json() -> None:
    for text in ("[" * 100_000, "[" * 100_000 + "1234567890123456789"):
        with pytest.raises(ValueError, match=r"(?i)recursion|depth|deeply"):
            parse_json(text)
    assert mapped("$input.path('$').length()", "[" * 5000).text == "5000"


def test_the_body_is_utf8_whatever_the_template_does() -> None:
    assert (
        mapped('#set($x = "\\ud83d\\ude00 \\ud800")$x').text.encode("utf-8", "replace") == "\U0001f600 \ufffd".encode()
    )
    assert mapped("\ud800").text.encode("utf-8", "replace") == b"?"
    assert mapped("$context.half", context={"half": "\ud800"}).text.encode("utf-8", "replace") == b"?"


@pytest.mark.parametrize(
    "template",
    [
        "$context.half.replaceAll('a+', 'b')",
        "$context.half.matches('a+')",
        "'a'.split($context.half)",
        "$input.params('x').replaceAll($context.half, 'b')",
        "$util.urlEncode($context.half)$util.base64Encode($context.half)$util.escapeJavaScript($context.half)",
        "$input.path($context.half)",
        "$util.parseJson($context.half)",
    ],
)
def test_half_a_character_is_no_crash(template: str) -> None:
    with contextlib.suppress(TemplateError):
        mapped(template, '{"a": "b"}', context={"half": "\ud800"}, parameters=Parameters({"x": "a"})).text.encode(
            "utf-8", "replace"
        )


def test_a_large_body_is_mapped() -> None:
    body = json.dumps([{"id": number, "name": "é" * 10} for number in range(20_000)])
    assert len(mapped("$input.json('$')", body).text) > 600_000


EXPENSIVE = [
    "#if($s == $t)#end",
    "$s.equals($t)",
    "$s.compareTo($t)",
    "$s.equalsIgnoreCase($t)",
    "$s.indexOf('zz', 1)",
    "$s.replace('zz', 'y')",
    "$s.toLowerCase().length()",
    "$s.substring(1).length()",
    "$s.split('b').size()",
    "$s.matches('(a|b)*c')",
    "$util.escapeJavaScript($s).length()",
    "$util.urlEncode($s).length()",
    "$util.base64Encode($s).length()",
    "$input.json('$').length()",
    "$input.path('$..*').size()",
    "$input.path('$').keySet().size()",
    '#set($x = "$s$t")',
    "#set($x = $s + $t)",
    "#set($x = [$s])#set($y = $x.toString())",
]


@pytest.mark.parametrize("statement", EXPENSIVE)
def test_a_template_of_expensive_statements_on_a_large_body_ends_soon(statement: str) -> None:
    body = json.dumps({"s": "a'" * 1_000_000, "t": "a'" * 1_000_000})
    template = "#set($s = $input.path('$.s'))#set($t = $input.path('$.t'))" + statement * 5_000
    begin = time.process_time()
    with contextlib.suppress(TemplateError):
        mapped(template, body)
    assert time.process_time() - begin < 8


def test_a_large_body_is_not_mapped_over_and_over() -> None:
    body = json.dumps([{"id": number} for number in range(20_000)])
    with pytest.raises(TemplateError, match="steps"):
        mapped("#foreach($i in [1..1000])#set($x = $input.path('$..id'))#end", body)


# The sandbox

ESCAPES = [
    "$util.class",
    "$util.getClass()",
    "$util.class.forName('java.lang.Runtime')",
    "$util.getClass().forName('java.lang.Runtime').getRuntime().exec('id')",
    "$util.__class__",
    "$util.__init__.__globals__",
    "$util.escapeJavaScript.__globals__",
    "$util.parseJson.__func__",
    "$util.METHODS",
    "$util.get('METHODS')",
    "$util['__class__']",
    "$input.__class__.__mro__",
    "$input.METHODS",
    "$input._body",
    "$input._paths",
    "$input.render()",
    "$input.json.__globals__",
    "$input.path('$').__class__",
    "$input.path('$').a.__class__",
    "$input.path('$').copy()",
    "$input.path('$').setdefault('x', 1)",
    "$input.path('$').list.__len__()",
    "$input.path('$').list.append(1)",
    "$input.path('$').list.sort()",
    "$input.path('$').s.format('x')",
    "$input.path('$').s.encode()",
    "$input.path('$').s.join([1])",
    "$input.path('$').s.bytes",
    "$input.path('$').n.real",
    "$input.path('$').n.to_bytes(1, 'big')",
    "$context.class",
    "$context._variables",
    "$context.put('a', 1)",
    "$context.METHODS",
    "$context.__class__",
    "$stageVariables.__class__",
    "$stageVariables.clear.x",
    "$foreach.__class__",
    "$self",
    "$rendering",
    "$globals",
    "$__builtins__",
    "$import('os')",
    '$input.path("$").s.class.classLoader',
]


@pytest.mark.parametrize("template", ESCAPES)
def test_templates_reach_values_and_nothing_else(template: str) -> None:
    body = '{"a": {}, "list": [1], "s": "text", "n": 5}'
    try:
        text = mapped(f"#set($x = {template})[$x][{template}]", body).text
    except TemplateError:
        return
    assert "<" not in text, text
    assert "object at" not in text
    plain = f"[][{template}]"
    assert text == "[][]" or all(part in plain for part in text.replace("[]", "").split("."))


def test_an_object_of_another_type_has_nothing_and_does_not_print() -> None:
    class Secret:
        """Not a value."""

        name = "x"

        def read(self) -> str:
            return "y"

    assert mapped("[$context.secret.name$context.secret.read()]", context={"secret": Secret()}).text == "[]"
    with pytest.raises(TemplateError, match="a value of the type Secret cannot be printed"):
        mapped("$context.secret", context={"secret": Secret()})


# Templates of the shapes that people deploy: what they give must be JSON

PASSTHROUGH = """##  As the console's "method request passthrough"
#set($allParams = $input.params())
{
"body-json" : $input.json('$'),
"params" : {
#foreach($type in $allParams.keySet())
    #set($params = $allParams.get($type))
"$type" : {
    #foreach($paramName in $params.keySet())
    "$paramName" : "$util.escapeJavaScript($params.get($paramName))"
        #if($foreach.hasNext),#end
    #end
}
    #if($foreach.hasNext),#end
#end
},
"stage-variables" : {
#foreach($key in $stageVariables.keySet())
"$key" : "$util.escapeJavaScript($stageVariables.get($key))"
    #if($foreach.hasNext),#end
#end
},
"context" : {
    "http-method" : "$context.httpMethod",
    "source-ip" : "$context.identity.sourceIp",
    "user" : "$context.identity.user"
    }
}
"""

LOOP_BLOCK = """
#define( $loop )
  {
  #foreach($key in $map.keySet())
    "$util.escapeJavaScript($key)":
      "$util.escapeJavaScript($map.get($key))"
      #if( $foreach.hasNext ) , #end
  #end
  }
#end
{
  "body": $input.json("$"),
  #set( $map = $input.params().header )
  "headers": $loop,
  #set( $map = $input.params().querystring )
  "query": $loop,
  #set( $map = $input.params().path )
  "path": $loop
}
"""

FORM = """#set($pairs = $input.body.split("&"))
{
#foreach($pair in $pairs)
#set($parts = $pair.split("="))
#if($parts.size() > 1)
#set($value = $util.urlDecode($parts[1]))
#else
#set($value = "")
#end
"$util.urlDecode($parts[0])": "$util.escapeJavaScript($value).replaceAll("\\\\'", "'")"#if($foreach.hasNext),#end

#end
}"""

DYNAMODB_RESPONSE = """#set($inputRoot = $input.path('$'))
{
  "orders": [
    #foreach($order in $inputRoot.Items)
    {
      "id": "$order.id.S",
      "total": $order.total.N,
      "tags": [#foreach($tag in $order.tags.SS)"$tag"#if($foreach.hasNext),#end#end]#if($order.note.S),
      "note": "$util.escapeJavaScript($order.note.S)"#end

    }#if($foreach.hasNext),#end

    #end
  ],
  "count": $inputRoot.Count
}"""


def test_the_passthrough_template_gives_everything_as_json() -> None:
    found = json.loads(
        mapped(
            PASSTHROUGH,
            '{"a": [1]}',
            parameters=Parameters({"id": "7"}, {"q": "a/b", "r": ""}, {"X-A": 'say "hi"'}),
            context={"httpMethod": "GET", "identity": {"sourceIp": "192.0.2.1", "user": None}},
            stage_variables={"v": "w"},
        ).text
    )
    assert found == {
        "body-json": {"a": [1]},
        "params": {"path": {"id": "7"}, "querystring": {"q": "a/b", "r": ""}, "header": {"X-A": 'say "hi"'}},
        "stage-variables": {"v": "w"},
        "context": {"http-method": "GET", "source-ip": "192.0.2.1", "user": ""},
    }


def test_a_block_defined_once_and_used_for_each_map() -> None:
    found = mapped(LOOP_BLOCK, "", parameters=Parameters({"id": "7"}, {}, {"A": "1", "B": "2"}))
    assert json.loads(found.text) == {"body": {}, "headers": {"A": "1", "B": "2"}, "query": {}, "path": {"id": "7"}}


def test_a_form_becomes_json() -> None:
    found = mapped(FORM, "name=Jane+O%27Neil&city=K%C3%B6ln&empty=&a%26b=1%3D2")
    assert json.loads(found.text) == {"name": "Jane O'Neil", "city": "Köln", "empty": "", "a&b": "1=2"}


def test_a_dynamodb_answer_becomes_json() -> None:
    body = json.dumps(
        {
            "Count": 2,
            "Items": [
                {"id": {"S": "o1"}, "total": {"N": "9.99"}, "tags": {"SS": ["a", "b"]}, "note": {"S": 'q"'}},
                {"id": {"S": "o2"}, "total": {"N": "5"}},
            ],
        }
    )
    assert json.loads(mapped(DYNAMODB_RESPONSE, body).text) == {
        "orders": [{"id": "o1", "total": 9.99, "tags": ["a", "b"], "note": 'q"'}, {"id": "o2", "total": 5, "tags": []}],
        "count": 2,
    }
