from __future__ import annotations

import pytest

from gatepost.gateway.content_handling import after_template, before_template, decoded
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.request_templates import compile_request_templates, passes_unmatched
from gatepost.gateway.responses import UNSUPPORTED_MEDIA_TYPE, Refusal
from gatepost.gateway.template_scope import TemplateScope, request_parameters
from gatepost.services.apigateway.deployment import Integration
from tests.support.gateways import a_request, a_route, a_stage, an_exchange

TEMPLATES = {"application/json": '{"of":$input.json("$.a")}', "Text/CSV": "csv:$input.body"}


def mapped(integration, body=b'{"a": [1]}', content_type=None, **stage):
    headers = (("Content-Type", content_type),) if content_type else ()
    scope = TemplateScope(a_stage(**stage))
    return compile_request_templates(integration, scope).map(an_exchange(a_request("POST", headers=headers, body=body)))


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (None, b'{"of":[1]}'),
        ("application/json; charset=utf-8", b'{"of":[1]}'),
        ("text/csv", b'csv:{"a": [1]}'),
        ("text/plain", b'{"a": [1]}'),
    ],
)
def test_the_template_is_chosen_by_content_type(content_type, expected):
    body, _ = mapped(Integration("HTTP", request_templates=TEMPLATES), content_type=content_type)
    assert body == expected


@pytest.mark.parametrize(
    ("behavior", "templates", "passes"),
    [
        ("WHEN_NO_MATCH", TEMPLATES, True),
        ("WHEN_NO_MATCH", {}, True),
        ("WHEN_NO_TEMPLATES", TEMPLATES, False),
        ("WHEN_NO_TEMPLATES", {}, True),
        ("NEVER", TEMPLATES, False),
        ("NEVER", {}, False),
    ],
)
def test_what_no_template_fits_passes_or_is_refused(behavior, templates, passes):
    integration = Integration("AWS", request_templates=templates, passthrough_behavior=behavior)
    assert passes_unmatched(integration) is passes
    if passes:
        assert mapped(integration, content_type="a/b")[0] == b'{"a": [1]}'
        return
    with pytest.raises(Refusal) as refused:
        mapped(integration, content_type="a/b")
    assert refused.value.kind is UNSUPPORTED_MEDIA_TYPE


ROWS = [  # the rows of AWS's table: Content-Type, contentHandling, what is sent of b"iVBORw==" and of b"\x89PNG"
    ("text/plain", "", b"iVBORw==", b"iVBORw=="),
    ("text/plain", "CONVERT_TO_BINARY", b"iVBORw==", b"\x89PNG"),
    ("text/plain", "CONVERT_TO_TEXT", b"iVBORw==", b"iVBORw=="),
    ("image/png", "", b"\x89PNG", b"\x89PNG"),
    ("image/png", "CONVERT_TO_BINARY", b"\x89PNG", b"\x89PNG"),
    ("image/png", "CONVERT_TO_TEXT", b"\x89PNG", b"iVBORw=="),
]


@pytest.mark.parametrize(("content_type", "handling", "given", "sent"), ROWS)
def test_payloads_are_converted_as_awss_table_says(content_type, handling, given, sent):
    integration = Integration("HTTP", content_handling=handling)
    assert mapped(integration, given, content_type, binary_media_types=("image/png",))[0] == sent


def test_a_template_sees_a_binary_body_in_base64_and_its_text_becomes_binary():
    to_text = Integration("HTTP", content_handling="CONVERT_TO_TEXT", request_templates={"image/png": "<$input.body>"})
    assert mapped(to_text, b"\x89PNG", "image/png", binary_media_types=("image/png",))[0] == b"<iVBORw==>"
    to_binary = Integration("HTTP", content_handling="CONVERT_TO_BINARY", request_templates={"a/b": "iVBORw=="})
    assert mapped(to_binary, b"", "a/b")[0] == b"\x89PNG"


def test_what_templates_override_is_given():
    template = '#set($context.requestOverride.header.X = "1")'
    assert mapped(Integration("HTTP", request_templates={"application/json": template}))[1].request["header"] == {
        "X": "1"
    }


def test_an_unknown_handling_variable_or_directive_is_refused_when_it_is_compiled():
    for integration in (
        Integration("HTTP", content_handling="CONVERT"),
        Integration("HTTP", request_templates={"a/b": "$context.nothing"}),
        Integration("HTTP", request_templates={"a/b": "#end"}),
    ):
        with pytest.raises(MappingError):
            compile_request_templates(integration, TemplateScope(a_stage()))


def test_base64_may_stand_in_quotes():
    assert decoded(b' "iVBORw==" \n') == b"\x89PNG"
    with pytest.raises(Refusal):
        decoded(b"{}")
    assert before_template(b"x", is_binary=False, handling="CONVERT_TO_TEXT") == (b"x", False)
    assert after_template(b"", is_binary=False, handling="CONVERT_TO_BINARY") == b""


def test_parameters_are_decoded_and_headers_are_those_that_proxies_get():
    signature = ("Authorization", "AWS4-HMAC-SHA256 Credential=…")
    headers = (("X-A", "1"), ("X-A", "2"), ("x-forwarded-for", "192.0.2.1"), (signature[0], signature[1][:16]))
    request = a_request("GET", "/prod/orders/a%20b?q=1&q=2+3", headers)
    found = request_parameters(an_exchange(request, route=a_route("/orders/{id}"), values=("a%20b",)))
    assert (found.path, found.querystring) == ({"id": "a b"}, {"q": "2 3"})
    assert found.header["X-A"] == "2"
    assert found.header["X-Forwarded-For"] == "192.0.2.1, 198.51.100.7"
    assert found.header["X-Amzn-Trace-Id"].startswith("Root=1-")
    assert not {"authorization", "x-forwarded-for"} & set(found.header)
    assert "Authorization" not in found.header
