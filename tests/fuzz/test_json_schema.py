"""Whatever stands in a model, compiling it gives a schema or says why not; whatever stands in a body is judged."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.languages.json_schema import ModelSchema, SchemaError, compile_models, model_uri

KEYWORDS = [
    "$ref",
    "$schema",
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "default",
    "definitions",
    "dependencies",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "id",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "properties",
    "required",
    "type",
    "uniqueItems",
]
REFERENCES = st.sampled_from(
    [
        "#",
        "#/definitions/a",
        "#/properties/a",
        "#/~0~1",
        model_uri("api", "M"),
        model_uri("api", "N"),
        "http://x/",
        "%%%",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=8,
)
SCHEMAS = st.recursive(
    VALUES
    | REFERENCES
    | st.sampled_from(["string", "object", "integer", "^(a+)+$", "(?=a)", "[", "date-time", "email"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYWORDS, "a", "b"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=400, deadline=5_000)
@given(schema=st.dictionaries(st.sampled_from(KEYWORDS), SCHEMAS, max_size=4), other=SCHEMAS, value=VALUES)
def test_every_schema_compiles_or_says_why_and_judges_every_value(schema, other, value):
    texts = {"M": json.dumps(schema), "N": json.dumps(other)}
    made = compile_models(texts, ["M", "N"], api_id="api")
    for each in made.values():
        if isinstance(each, SchemaError):
            assert str(each)
            continue
        assert isinstance(each, ModelSchema)
        problems = each.problems(value, len(json.dumps(value)))
        assert all(isinstance(problem, str) and problem for problem in problems)
        assert each.is_valid(value) or problems
