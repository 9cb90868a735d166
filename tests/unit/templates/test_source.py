"""Template text to a tree that remembers where everything stood."""

import json

import pytest

from gatepost.templates.problems import TemplateRefused
from gatepost.templates.source import DEPTH_MAX, NODES_MAX, parse_source


def plain(text, file="t.yaml"):
    return parse_source(text, file=file).plain()


def refusal(text, file="t.yaml"):
    with pytest.raises(TemplateRefused) as caught:
        parse_source(text, file=file).plain()
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("Off", False),
        ("true", True),
        ("~", None),
        ("", None),
        ("010", 8),
        ("0x1F", 31),
        ("0b101", 5),
        ("1_000", 1000),
        ("-5", -5),
        ("1:30", 90),
        ("1.5", 1.5),
        ("1e3", "1e3"),  # YAML 1.1 wants a point
        (".5", 0.5),
        (".inf", ".inf"),  # JSON has no such number
        ("012345678901", "012345678901"),  # an account id is no octal
        ("2012-10-17", "2012-10-17"),  # CloudFormation has no timestamps
        ("'yes'", "yes"),
        ('"1"', "1"),
        ("!!str 1", "1"),
        ("!!int '7'", 7),
        ("!!float 1", 1.0),
    ],
)
def test_a_scalar_has_the_type_that_yaml_1_1_gives_it(text, value):
    found = plain(f"a: {text}")["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!Ref Table", {"Ref": "Table"}),
        ("!Sub 'a${B}'", {"Fn::Sub": "a${B}"}),
        ("!GetAtt Table.Arn", {"Fn::GetAtt": ["Table", "Arn"]}),
        ("!GetAtt Nested.Outputs.Url", {"Fn::GetAtt": ["Nested", "Outputs.Url"]}),
        ("!GetAtt [Table, Arn]", {"Fn::GetAtt": ["Table", "Arn"]}),
        ("!Join ['-', [a, !Ref B]]", {"Fn::Join": ["-", ["a", {"Ref": "B"}]]}),
        ("!If [C, !Ref 'AWS::NoValue', x]", {"Fn::If": ["C", {"Ref": "AWS::NoValue"}, "x"]}),
        ("!Condition C", {"Condition": "C"}),
        ("!Base64 yes", {"Fn::Base64": "yes"}),
        ("!Transform {Name: AWS::Include}", {"Fn::Transform": {"Name": "AWS::Include"}}),
    ],
)
def test_a_short_form_becomes_its_long_form(text, value):
    assert plain(f"a: {text}") == {"a": value}


def test_yaml_and_json_of_the_same_template_are_the_same():
    text = "A:\n  B: [1, x, {C: true}]\n  D: !Sub a\n"
    assert plain(json.dumps(plain(text), indent=2), "t.json") == plain(text)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("Resources",), (1, 1)),
        (("Resources", "Table", "Type"), (3, 5)),
        (("Resources", "Table", "Properties", "Keys", 1), (5, 18)),
        (("Resources", "Table", "Properties", "Name", "Fn::Sub"), (6, 13)),
        (("Resources", "Table", "Nothing", "There"), (2, 3)),  # the nearest that the file has
    ],
)
def test_every_path_knows_its_line_and_column(path, place):
    text = "Resources:\n  Table:\n    Type: T\n    Properties:\n      Keys: [id, sort]\n      Name: !Sub x\n"
    assert tuple(parse_source(text, file="t").locate(path)) == place


def test_json_knows_its_lines_too():
    source = parse_source('{\n  "A": {\n    "B": [\n      1,\n      2\n    ]\n  }\n}', file="t.json")
    assert tuple(source.locate(("A", "B", 1))) == (5, 7)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\nb: 2\na: 3", "t.yaml:3: the key 'a' is there twice: it was given on line 1 already"),
        ("a: [1", "t.yaml:2: this is no YAML"),
        ("a: !Foo x", "t.yaml:1: !Foo is no function of CloudFormation"),
        ("a: !Foo [x]", "!Foo is no function of CloudFormation"),
        ("a: !Ref [x]", "!Ref takes one name"),
        ("a: !GetAtt {x: y}", "!GetAtt takes Name.Attribute"),
        ("a: !!timestamp 2012-10-17", "the tag !!timestamp has no meaning"),
        ("a: !!binary aGk=", "the tag !!binary has no meaning"),
        ("a: *b", "the alias *b has no anchor &b before it"),
        ("a: &b [*b]", "the alias *b contains itself"),
        ("a: 1\n---\nb: 2", "t.yaml:2: a second document begins here"),
        ("[a, b]: c", "a key must be plain text"),
        ("a:\n\tb: 1", "t.yaml:2: this is no YAML"),
        ("<<: 1", "<< merges mappings only"),
        ("", "the template is empty"),
        ("  \n", "the template is empty"),
        ("# nothing\n", "the template is empty"),
        ('{"a": 1,}x', "this is no JSON"),
        ("{a: 1}", "this is no JSON: a key in double quotes was expected"),
    ],
)
def test_broken_text_is_refused_with_its_line(text, reason):
    assert reason in refusal(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{\n "a": 1,\n "a": 2\n}', "t.json:3: this is no JSON: the key 'a' is there twice: first on line 2"),
        ('{"a": 1 "b": 2}', "a comma or } was expected"),
        ('{"a": [1 2]}', "a comma or ] was expected"),
        ('{"a": nope!}}', "a value was expected"),
        ('{"a" 1}', "a colon was expected after the key 'a'"),
        ('{"a": "\\x"}', "Invalid \\escape"),
        ('{"a": 1} trailing: {', "text follows the end"),
    ],
)
def test_broken_json_is_refused_with_its_line(text, reason):
    assert reason in refusal(text, "t.json")


def test_aliases_and_merges_are_expanded_into_copies():
    value = plain("a: &x {p: [1]}\nb: *x\nc:\n  <<: *x\n  q: 2\nd:\n  <<: [*x, {p: 5, r: 6}]\n")
    assert value == {"a": {"p": [1]}, "b": {"p": [1]}, "c": {"p": [1], "q": 2}, "d": {"p": [1], "r": 6}}
    assert value["a"]["p"] is not value["b"]["p"]


def test_a_billion_laughs_are_not_laughed():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=False):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    assert f"grow it beyond {NODES_MAX} values" in refusal("\n".join(lines))


@pytest.mark.parametrize(("depth", "is_refused"), [(DEPTH_MAX - 1, False), (DEPTH_MAX + 1, True)])
@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_depth_is_bounded(depth, is_refused, suffix):
    inner = "[" * (depth - 1) + "]" * (depth - 1)
    text = f'{{"a": {inner}}}' if suffix == "json" else f"a: {inner}"
    if is_refused:
        assert "nested deeper than" in refusal(text, f"t.{suffix}")
    else:
        plain(text, f"t.{suffix}")


def test_size_is_bounded():
    assert "use at most 1048576" in refusal("a: " + "x" * 1024 * 1024)


def test_bytes_that_are_no_utf_8_are_refused_with_their_line():
    assert "t:2: byte 5 is no UTF-8" in refusal(b"a: 1\n\xff", "t")


def test_a_byte_order_mark_is_no_part_of_the_template():
    assert plain(b"\xef\xbb\xbfa: 1") == {"a": 1}
