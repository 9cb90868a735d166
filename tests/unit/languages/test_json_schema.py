from __future__ import annotations

import json
import time

import pytest

from gatepost.languages.json_schema import PROBLEMS_MAX, UNTOLD, ModelSchema, SchemaError, compile_models, model_uri


def compiled(schema: object, **others: object):
    texts = {name: json.dumps(each) for name, each in {"M": schema, **others}.items()}
    return compile_models(texts, ["M"], api_id="abc")["M"]


def problems(schema: object, value: object, **others: object) -> list[str]:
    made = compiled(schema, **others)
    assert isinstance(made, ModelSchema), made
    found = made.problems(value, len(json.dumps(value)))
    assert made.is_valid(value) is not bool(found)
    return found


def ref(name: str) -> dict:
    return {"$ref": model_uri("abc", name)}


# The words are those of the Java library behind AWS's answers.
@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ({"required": ["b", "a"]}, {}, 'object has missing required properties (["a","b"])'),
        (
            {"type": "integer"},
            "x",
            'instance type (string) does not match any allowed primitive type (allowed: ["integer"])',
        ),
        (
            {"type": ["number", "null"]},
            True,
            'instance type (boolean) does not match any allowed primitive type (allowed: ["integer","null","number"])',
        ),
        (
            {"additionalProperties": False, "properties": {"a": {}}},
            {"a": 1, "c": 1, "b": 2},
            'object instance has properties which are not allowed by the schema: ["b","c"]',
        ),
        ({"enum": ["a", 1]}, "b", 'instance value ("b") not found in enum (possible values: ["a",1])'),
        ({"minLength": 3}, "ab", 'string "ab" is too short (length: 2, required minimum: 3)'),
        ({"maxLength": 1}, "ab", 'string "ab" is too long (length: 2, maximum allowed: 1)'),
        ({"minimum": 1}, 0, "numeric instance is lower than the required minimum (minimum: 1, found: 0)"),
        ({"maximum": 1}, 1.5, "numeric instance is greater than the required maximum (maximum: 1, found: 1.5)"),
        (
            {"minimum": 1, "exclusiveMinimum": True},
            1,
            "numeric instance is not strictly greater than the required minimum 1",
        ),
        (
            {"maximum": 1, "exclusiveMaximum": True},
            1,
            "numeric instance is not strictly lower than the required maximum 1",
        ),
        ({"pattern": "^[a-z]+$"}, "A1", 'ECMA 262 regex "^[a-z]+$" does not match input string "A1"'),
        ({"minItems": 1}, [], "array is too short: must have at least 1 elements but instance has 0 elements"),
        ({"maxItems": 1}, [1, 2], "array is too long: must have at most 1 elements but instance has 2 elements"),
        ({"uniqueItems": True}, [1, 1], "array must not contain duplicate elements"),
        ({"minProperties": 1}, {}, "object has not enough properties (found 0 but schema requires at least 1)"),
        ({"maxProperties": 0}, {"a": 1}, "object has too many properties (found 1 but schema requires at most 0)"),
        ({"multipleOf": 3}, 4, "remainder of division is not zero (4 / 3)"),
        (
            {"oneOf": [{"type": "string"}, {"type": "null"}]},
            1,
            "instance failed to match exactly one schema (matched 0 out of 2)",
        ),
        ({"oneOf": [{}, {}]}, 1, "instance failed to match exactly one schema (matched 2 out of 2)"),
        ({"anyOf": [{"type": "string"}]}, 1, "instance failed to match at least one required schema among 1"),
        ({"not": {}}, 1, "instance matched a schema which it should not have"),
        ({"format": "email"}, "x", 'string "x" is not a valid email address'),
        ({"dependencies": {"a": ["b"]}}, {"a": 1}, 'object has missing required properties (["b"])'),
        (
            {"items": [{}], "additionalItems": False},
            [1, 2],
            "array is too long: must have at most 1 elements but instance has 2 elements",
        ),
    ],
)
def test_what_is_wrong_is_said_in_awss_words(schema, value, said):
    assert problems(schema, value) == [said]


def test_what_is_right_has_no_problems():
    assert problems({"type": "object", "required": ["a"]}, {"a": 1}) == []


def test_below_what_is_wrong_itself_nothing_is_told():
    schema = {"required": ["b"], "properties": {"a": {"type": "string"}}}
    assert problems(schema, {"a": 1}) == ['object has missing required properties (["b"])']


def test_models_name_each_other_and_themselves():
    pet = {"type": "object", "properties": {"mother": ref("Pet"), "name": {"type": "string"}}}
    pets = {"type": "array", "items": ref("Pet")}
    assert problems(pets, [{"mother": {"name": "a"}}], Pet=pet) == []
    assert problems(pets, [{"mother": {"mother": {"name": 1}}}], Pet=pet) == [
        'instance type (integer) does not match any allowed primitive type (allowed: ["string"])'
    ]
    within = {"definitions": {"a": {"type": "string"}}, "properties": {"x": {"$ref": "#/definitions/a"}}}
    assert len(problems(within, {"x": 1})) == 1


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"$ref": "http://169.254.169.254/latest"}, "not present"),
        ({"$ref": "file:///etc/passwd"}, "not present"),
        ({"properties": {"a": ref("None")}}, "not present"),
        ({"$ref": "#/definitions/none"}, "does not exist"),
        ({"$ref": model_uri("another", "M")}, "not present"),
        ({"type": "nope"}, "nope"),
        ({"pattern": "("}, "regex"),
        ({"pattern": "(?:a{1000}){1000}"}, "regex"),
        ([], "object"),
    ],
)
def test_a_schema_that_cannot_work_says_why_and_nothing_is_fetched(schema, why):
    made = compiled(schema)
    assert isinstance(made, SchemaError)
    assert why in str(made)


def test_a_broken_model_does_not_disturb_the_others():
    texts = {"Good": "{}", "Bad": "{", "Worse": json.dumps(ref("Bad"))}
    made = compile_models(texts, texts, api_id="abc")
    assert isinstance(made["Good"], ModelSchema)
    assert isinstance(made["Bad"], SchemaError)
    assert isinstance(made["Worse"], SchemaError)
    assert compile_models(texts, [], api_id="abc") == {}
    assert isinstance(compile_models(texts, ["None"], api_id="abc")["None"], SchemaError)


def test_a_schema_that_doubles_with_each_name_is_refused_at_once():
    definitions: dict = {"d0": {"type": "string"}}
    for at in range(1, 60):
        definitions[f"d{at}"] = {"allOf": [{"$ref": f"#/definitions/d{at - 1}"}] * 2}
    made = compiled({"definitions": definitions, "$ref": "#/definitions/d59"})
    assert isinstance(made, SchemaError)
    assert "written out" in str(made)


def test_a_schema_nested_too_deeply_is_refused():
    schema: dict = {}
    for _ in range(200):
        schema = {"properties": {"a": schema}}
    assert isinstance(compiled(schema), SchemaError)


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(?=a)(a+)+$", r"^(a|aa)+\1$"])
def test_catastrophic_patterns_end_soon(pattern):
    made = compiled({"pattern": pattern})
    assert isinstance(made, ModelSchema)
    started = time.perf_counter()
    assert not made.is_valid("a" * 50 + "b")
    assert time.perf_counter() - started < 1
    assert made.looks_around is (pattern != "^(a+)+$")


def test_look_around_works():
    strong = {"pattern": r"^(?=.*\d)(?=.*[a-z]).{8,}$"}
    assert problems(strong, "abcdefg1") == []
    assert len(problems(strong, "abcdefgh")) == 1


def test_sentences_and_their_number_are_bounded():
    found = problems({"items": {"enum": ["a"]}}, ["x" * 300] * 53)
    assert len(found) == PROBLEMS_MAX
    assert max(map(len, found)) < 1_000


def _seconds_to_say_what_is_wrong(schema, value):
    made = compiled(schema)
    assert not made.is_valid(value)
    started = time.perf_counter()
    found = made.problems(value, len(json.dumps(value)))
    assert 1 <= len(found) <= PROBLEMS_MAX
    return found, time.perf_counter() - started


def test_a_large_body_full_of_errors_holds_nobody_up():
    found, took_s = _seconds_to_say_what_is_wrong({"items": {"type": "string"}}, list(range(200_000)))
    assert (found, took_s < 0.5) == ([UNTOLD], True)
    _, took_s = _seconds_to_say_what_is_wrong({"items": {"enum": ["a"]}}, [0] * 8_000)
    assert took_s < 0.5


def test_a_body_nested_deeply_is_wrong_and_no_failure():
    value = 1
    for _ in range(300):
        value = {"a": value}
    made = compiled({"type": "object", "required": ["b"]})
    assert not made.is_valid(value)
    assert made.problems(value, 2_000) == [UNTOLD]


@pytest.mark.parametrize("alternatives", ["anyOf", "oneOf", "allOf"])
def test_a_schema_that_names_itself_among_alternatives_holds_nobody_up(alternatives):
    again = {"$ref": "#/definitions/x"}
    branches = [{"properties": {"a": again}, "required": [name]} for name in ("b", "c")]
    schema = {"definitions": {"x": {"type": "object", alternatives: branches}}, **again}
    value = {}
    for _ in range(14):
        value = {"a": value}
    found, took_s = _seconds_to_say_what_is_wrong(schema, value)
    assert (found, took_s < 0.5) == ([UNTOLD], True)
