from __future__ import annotations

import pytest

from gatepost.gateway.integration_responses import (
    Answered,
    compile_integration_responses,
    compile_pattern,
    header_target,
)
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.responses import Refusal
from gatepost.gateway.template_scope import TemplateScope
from gatepost.languages.vtl_api_gateway import Overrides
from gatepost.services.apigateway.deployment import IntegrationResponse
from tests.support.gateways import a_request, a_stage, an_exchange, header

JSON = Answered(
    b'{"id": 7, "of": [{"n": "x"}]}',
    ((b"X-Kind", b"a"), (b"x-kind", b"b"), (b"Content-Type", b"application/json")),
    b"application/json",
)


def answer(*responses, text="", answered=JSON, accept=None, binary=(), overrides=None):
    compiled = compile_integration_responses(responses, TemplateScope(a_stage()), binary=binary)
    headers = (("Accept", accept),) if accept else ()
    return compiled.answer(an_exchange(a_request(headers=headers)), text, answered, overrides or Overrides())


def test_without_a_template_body_and_content_type_go_on_and_no_other_header():
    response = answer(IntegrationResponse("200"), answered=Answered(b"up", ((b"X-A", b"1"),), b"text/plain"))
    assert (response.status, response.headers, response.body) == (200, [(b"Content-Type", b"text/plain")], b"up")


CHOICES = (IntegrationResponse("400", r"\[Bad\].*"), IntegrationResponse("500", r"(\n|.)+"), IntegrationResponse("200"))


@pytest.mark.parametrize(("text", "status"), [("", 200), ("[Bad] id", 400), ("[Bad]\nid", 500), ("other", 500)])
def test_the_first_pattern_that_matches_the_whole_text_chooses(text, status):
    assert answer(*CHOICES, text=text).status == status


def test_nothing_that_matches_and_no_default_is_refused():
    with pytest.raises(Refusal) as refused:
        answer(CHOICES[0], text="")
    assert "No match for output mapping" in refused.value.detail


def test_headers_are_mapped_from_headers_body_literals_and_context():
    begin = "method.response.header."
    parameters = {
        f"{begin}X-Last": "integration.response.header.X-Kind",
        f"{begin}X-All": "integration.response.multivalueheader.X-Kind",
        f"{begin}X-None": "integration.response.header.X-Absent",
        f"{begin}X-Id": "integration.response.body.id",
        f"{begin}X-Deep": "integration.response.body.of[0].n",
        f"{begin}X-Body": "integration.response.body",
        f"{begin}X-Literal": "'l'",
        f"{begin}X-Stage": "context.stage",
        f"{begin}Date": "'today'",
    }
    response = answer(IntegrationResponse("200", response_parameters=parameters))
    got = {name: header(response, name) for name in ("X-Last", "X-All", "X-None", "X-Id", "X-Deep")}
    assert got == {"X-Last": ["b"], "X-All": ["a", "b"], "X-None": [], "X-Id": ["7"], "X-Deep": ["x"]}
    assert header(response, "X-Body") == [JSON.body.decode()]
    assert [header(response, name) for name in ("X-Literal", "X-Stage")] == [["l"], ["prod"]]
    assert header(response, "x-amzn-Remapped-Date") == ["today"]


TEMPLATES = {"application/xml": "<a>$input.path('$.id')</a>", "application/json": "$input.json('$.of')"}


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, ("application/json", b'[{"n":"x"}]')),
        ("application/xml, text/html", ("application/xml", b"<a>7</a>")),
        ("image/png", ("application/json", b'[{"n":"x"}]')),
    ],
)
def test_the_template_is_chosen_by_accepts_first_type(accept, expected):
    response = answer(IntegrationResponse("200", response_templates=TEMPLATES), accept=accept)
    assert (header(response, "Content-Type"), response.body) == ([expected[0]], expected[1])


PNG = Answered(b"\x89PNG", (), b"image/png")
TEXT = Answered(b"iVBORw==", (), b"application/json")
ROWS = [  # the rows of AWS's table
    (TEXT, "text/plain", "", b"iVBORw=="),
    (TEXT, "text/plain", "CONVERT_TO_BINARY", b"\x89PNG"),
    (TEXT, "text/plain", "CONVERT_TO_TEXT", b"iVBORw=="),
    (TEXT, "image/png", "", b"\x89PNG"),
    (TEXT, "image/png", "CONVERT_TO_BINARY", b"\x89PNG"),
    (TEXT, "image/png", "CONVERT_TO_TEXT", b"iVBORw=="),
    (PNG, "text/plain", "", b"iVBORw=="),
    (PNG, "text/plain", "CONVERT_TO_BINARY", b"\x89PNG"),
    (PNG, "text/plain", "CONVERT_TO_TEXT", b"iVBORw=="),
    (PNG, "image/png", "", b"\x89PNG"),
    (PNG, "image/png", "CONVERT_TO_BINARY", b"\x89PNG"),
    (PNG, "image/png", "CONVERT_TO_TEXT", b"iVBORw=="),
]


@pytest.mark.parametrize(("answered", "accept", "handling", "body"), ROWS)
def test_payloads_are_converted_as_awss_table_says(answered, accept, handling, body):
    declared = IntegrationResponse("200", content_handling=handling)
    assert answer(declared, answered=answered, accept=accept, binary=("image/*",)).body == body


def test_what_is_no_base64_cannot_become_binary():
    with pytest.raises(Refusal):
        answer(IntegrationResponse("200", content_handling="CONVERT_TO_BINARY"))


@pytest.mark.parametrize("status", [99, 600, 1000, "x", "", True, [200]])
def test_an_override_that_is_no_status_is_refused(status):
    overrides = Overrides()
    overrides.response["status"] = status
    with pytest.raises(Refusal):
        answer(IntegrationResponse("200"), overrides=overrides)


def test_overridden_headers_that_cannot_be_sent_are_left_out():
    overrides = Overrides()
    overrides.response["header"] = {"X\r\nY": "a", "Transfer-Encoding": "chunked", "X-Ok": "a\r\nb: c", "X-Null": None}
    response = answer(IntegrationResponse("200"), overrides=overrides)
    assert response.headers == [(b"Content-Type", b"application/json"), (b"X-Ok", b"ab: c")]


@pytest.mark.parametrize(
    "parameters",
    [
        {"method.response.body": "'a'"},
        {"method.response.header.Content-Length": "'1'"},
        {"method.response.header.X": "integration.response.status"},
        {"method.response.header.X": "integration.response.bodyguard"},
        {"method.response.header.X": "integration.response.body.a[*]"},
        {"method.response.header.X": "method.request.header.X"},
    ],
)
def test_parameters_that_cannot_work_are_refused_when_they_are_compiled(parameters):
    with pytest.raises(MappingError):
        answer(IntegrationResponse("200", response_parameters=parameters))


def test_a_name_and_a_pattern_are_checked():
    assert header_target("method.response.header.X-A") == b"X-A"
    assert compile_pattern("") is None
    with pytest.raises(MappingError):
        compile_pattern("(?=a)")


def test_header_values_beyond_ascii_go_on_as_they_came():
    parameters = {"method.response.header.X-Name": "integration.response.header.X-Name"}
    answered = Answered(b"", ((b"X-Name", "Zoë".encode()),))
    response = answer(IntegrationResponse("200", response_parameters=parameters), answered=answered)
    assert (b"X-Name", "Zoë".encode()) in response.headers
