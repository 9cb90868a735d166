from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.services.apigateway import openapi_document
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.openapi_document import (
    DEPTH_MAX,
    FINDINGS_MAX,
    Findings,
    as_list,
    as_object,
    as_text,
    as_texts,
    check_extensions,
    parse_document,
    resolve,
)


def refused(body: bytes | str) -> str:
    with pytest.raises(BadRequestException) as caught:
        parse_document(body if isinstance(body, bytes) else body.encode())
    assert caught.value.message.startswith("Invalid OpenAPI input: ")
    return caught.value.message.removeprefix("Invalid OpenAPI input: ")


def test_json_and_yaml_give_the_same_document() -> None:
    as_json = b'{"swagger": "2.0", "paths": {"/a": {"x": [1, 1.5, true, null, "1"]}}}'
    as_yaml = b"swagger: '2.0'\npaths:\n  /a: {x: [1, 1.5, true, ~, '1']}\n"
    assert parse_document(as_json) == parse_document(as_yaml) == json.loads(as_json)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("2026-01-31", "2026-01-31"),
        ("'true'", "true"),
        ("TRUE", True),
        ("null", None),
        ("", None),
        ("-12", -12),
        ("+1", 1),
        ("1e3", 1000.0),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("1.2.3", "1.2.3"),
        (".", "."),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        ("!!str 5", "5"),
    ],
)
def test_plain_yaml_scalars_are_read_as_jsons(text: str, value: object) -> None:
    found = parse_document(f"swagger: '2.0'\nx: {text}\n".encode())["x"]
    assert found == value
    assert type(found) is type(value)


def test_yaml_keys_are_texts() -> None:
    assert set(parse_document(b"swagger: 2.0\n200: a\ntrue: b\n~: c\n")) == {"swagger", "200", "true", "null"}


def test_an_alias_stands_for_what_is_anchored() -> None:
    document = parse_document(b"swagger: 2.0\na: &x {k: [1]}\nb: *x\nc: &y text\nd: *y\n")
    assert document["b"] == {"k": [1]}
    assert document["d"] == "text"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not an object"),
        (b"[]", "not an object"),
        (b"text", "not an object"),
        (b"\xff\xfe", "not UTF-8"),
        (b"{", "Expecting property name"),
        (b'{"swagger": "2.0", "swagger": "2.0"}', "'swagger' is there twice"),
        (b'{"swagger": "2.0", "x": NaN}', "NaN"),
        (b'{"swagger": "2.0", "x": -Infinity}', "Infinity"),
        (b"swagger: 2.0\nswagger: 2.0\n", "'swagger' is there twice"),
        (b"a: [\n", "line 2"),
        (b"a: *nothing\n", "stands for nothing"),
        (b"a: &a [*a]\n", "stands for nothing, or for what it is in"),
        (b"swagger: 2.0\n---\nswagger: 2.0\n", "more than one"),
        (b"? [a]\n: b\n", "not a text"),
        (b"a: &a {x: 1}\nb: {<<: *a}\n", "merge keys"),
        (b"a: !!python/object/apply:os.system [x]\n", "tag"),
        (b"a: !!python/name:os.system x\n", "tag"),
        (b"a: !Sub x\n", "tag !Sub at line 1"),
        (b"paths: {}", 'neither "swagger" nor "openapi"'),
        (b"swagger: 1.2\n", "swagger 1.2 is not supported"),
        (b"openapi: 3.1.0\n", "openapi 3.1.0 is not supported: use 3.0"),
        (b"openapi: 2.0\n", "openapi 2.0 is not supported"),
        (b"swagger: 2.0\nopenapi: 3.0.1\n", "swagger 2.0"),
    ],
)
def test_what_is_no_document_is_refused_with_the_reason(body: bytes, why: str) -> None:
    assert why in refused(body)


@pytest.mark.parametrize("version", ["3.0", "3.0.0", "3.0.3"])
def test_openapi_3_0_is_read(version: str) -> None:
    assert parse_document(f"openapi: {version}\n".encode())


@pytest.mark.parametrize("opening", [b"[", b"[{a: ", b'{"a":', b"- "])
def test_a_deep_nest_is_refused_and_does_not_end_the_process(opening: bytes) -> None:
    began = time.monotonic()
    assert "nested deeper" in refused(opening * 400_000)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("is_yaml", [True, False])
def test_the_nest_ends_at_its_bound(is_yaml: bool) -> None:
    def nested(levels: int) -> bytes:
        inner = "[" * (levels - 1) + "]" * (levels - 1)  # the object around it is the first level
        return (f"swagger: 2.0\nx: {inner}" if is_yaml else f'{{"swagger": "2.0", "x": {inner}}}').encode()

    assert parse_document(nested(DEPTH_MAX))
    assert "nested deeper" in refused(nested(DEPTH_MAX + 1 + (not is_yaml)))


def test_aliases_cannot_make_a_small_document_large() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "more than 1000000 values" in refused("\n".join(lines))


def test_the_number_of_json_values_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openapi_document, "VALUES_MAX", 100)
    assert "more than 100 values" in refused(json.dumps({"swagger": "2.0", "x": [0] * 100}))


def test_a_document_has_at_most_6_mb() -> None:
    filler = b'{"swagger": "2.0", "x": "' + b"a" * (6 * 1024 * 1024 - 27) + b'"}'
    assert len(filler) == 6 * 1024 * 1024
    assert parse_document(filler)
    assert "6291456 are allowed" in refused(filler + b" ")


@given(st.binary(max_size=60))
def test_no_bytes_break_it(body: bytes) -> None:
    try:
        assert isinstance(parse_document(body), dict)
    except BadRequestException:
        pass


@given(st.text(alphabet="{}[]:,-&*a1 \n'\"?!|>#%@", max_size=40))
def test_no_text_that_looks_like_yaml_breaks_it(text: str) -> None:
    try:
        parse_document(text.encode())
    except BadRequestException:
        pass


def test_references_lead_through_the_document() -> None:
    document = {"a": {"b/c": {"$ref": "#/d"}}, "d": {"x": 1}}
    assert resolve(document, {"$ref": "#/a/b~1c"}) == {"x": 1}
    assert resolve(document, {"$ref": "#/a/b%2Fc"}) == {"x": 1}
    assert resolve(document, "no reference") == "no reference"


@pytest.mark.parametrize("reference", ["#/nothing", "#/a/b", "other.yaml#/a", "https://example.com/a", "a", "#a"])
def test_a_reference_that_leads_nowhere_is_refused(reference: str) -> None:
    with pytest.raises(BadRequestException, match="Unable to resolve reference"):
        resolve({"a": [1]}, {"$ref": reference})


def test_a_circle_of_references_is_refused() -> None:
    with pytest.raises(BadRequestException, match="a circle"):
        resolve({"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}}, {"$ref": "#/a"})


def test_values_of_the_wrong_kind_are_refused_by_name() -> None:
    for read in (as_object, as_list, as_text):
        with pytest.raises(BadRequestException, match="Invalid OpenAPI input: info is not"):
            read(True, "info")
        assert not read(None, "info")
    assert as_texts({"a": 200, "b": "x"}, "info") == {"a": "200", "b": "x"}


def test_amazons_unknown_extensions_are_refused_and_others_passed_over() -> None:
    check_extensions({"x-amazon-known": 1, "x-vendor": 2, "get": 3}, ("x-amazon-known",), "a path")
    with pytest.raises(BadRequestException, match="x-amazon-apigateway-cors of the document"):
        check_extensions({"x-amazon-apigateway-cors": {}}, (), "the document")


def test_findings_end_an_import_in_awss_form() -> None:
    findings = Findings()
    findings.check(fails_on_warnings=True)
    findings.add_warning("odd")
    findings.check(fails_on_warnings=False)
    with pytest.raises(BadRequestException) as caught:
        findings.check(fails_on_warnings=True)
    assert caught.value.message == "Warnings found during import:\n\todd"
    findings.add_error("bad")
    findings.add_error("worse")
    with pytest.raises(BadRequestException) as caught:
        findings.check(fails_on_warnings=False)
    assert caught.value.message == "Errors found during import:\n\tbad\n\tworse"


def test_findings_are_bounded_and_can_be_copied() -> None:
    findings = Findings()
    for _ in range(FINDINGS_MAX + 1):
        findings.add_error("e")
        findings.add_warning("w")
    assert len(findings.errors) == len(findings.warnings) == FINDINGS_MAX
    copied = findings.copy()
    copied.errors.clear()
    assert findings.errors
