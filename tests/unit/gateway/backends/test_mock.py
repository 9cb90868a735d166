from __future__ import annotations

import pytest

from gatepost.gateway.backends.mock import MappedMock, Mock, compile_mock
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.template_scope import TemplateScope
from gatepost.services.apigateway.deployment import Integration, IntegrationResponse, Method, StageSettings
from tests.support.gateways import TestGateway, a_request, a_stage, header

OK = (IntegrationResponse("200"),)


def a_mock(template='{"statusCode": 200}', responses=OK, *, media="application/json", **changes):
    templates = {media: template} if template is not None else {}
    return Integration("MOCK", request_templates=templates, responses=responses, **changes)


def answer(integration, request=None):
    gateway = TestGateway()
    stage = StageSettings("prod", "dep123", variables={"tier": "gold"})
    compiled = gateway.deploy({"/orders": (Method("ANY", integration=integration),)}, stage=stage)
    assert compiled.problems == ()
    return gateway.answer(request or a_request())


def test_the_cors_preflight_that_sam_emits_is_answered():
    literal = {
        "method.response.header.Access-Control-Allow-Origin": "'https://shop.example'",
        "method.response.header.Access-Control-Allow-Methods": "'GET,OPTIONS'",
        "method.response.header.Access-Control-Allow-Headers": "'Content-Type'",
    }
    integration = Integration(
        "MOCK",
        request_templates={"application/json": '{\n  "statusCode" : 200\n}\n'},
        responses=(
            IntegrationResponse("200", response_parameters=literal, response_templates={"application/json": "{}\n"}),
        ),
    )
    response = answer(integration, a_request("OPTIONS", headers=(("Origin", "https://shop.example"),)))
    assert (response.status, response.body) == (200, b"{}\n")
    assert header(response, "Access-Control-Allow-Origin") == ["https://shop.example"]
    assert header(response, "Access-Control-Allow-Methods") == ["GET,OPTIONS"]
    assert header(response, "Access-Control-Allow-Headers") == ["Content-Type"]
    assert header(response, "Content-Type") == ["application/json"]


RESPONSES = (
    IntegrationResponse("404", selection_pattern="4\\d{2}", response_templates={"application/json": "not found"}),
    IntegrationResponse("503", selection_pattern="5.*", response_templates={"application/json": "broken"}),
    IntegrationResponse("200", response_templates={"application/json": "fine"}),
)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, (200, b"fine")),
        (299, (200, b"fine")),
        (404, (404, b"not found")),
        (499, (404, b"not found")),
        (500, (503, b"broken")),
    ],
)
def test_the_integration_response_is_chosen_by_its_pattern(status, expected):
    response = answer(a_mock(f'{{"statusCode": {status}}}', RESPONSES))
    assert (response.status, response.body) == expected


@pytest.mark.parametrize("template", ["{statusCode:200}", "{'statusCode': '200'}", '{"statusCode":200, "x": 1}'])
def test_the_status_code_may_be_written_loosely(template):
    assert answer(a_mock(template)).status == 200


def test_no_response_that_matches_and_no_default_is_a_configuration_error():
    response = answer(a_mock('{"statusCode": 200}', RESPONSES[:2]))
    assert (response.status, response.body) == (500, b'{"message": "Internal server error"}')


BEHAVIORS = [
    # behaviour, has a template, Content-Type, expected
    ("WHEN_NO_MATCH", True, None, 200),
    ("WHEN_NO_MATCH", True, "application/json; charset=utf-8", 200),
    ("WHEN_NO_MATCH", True, "text/plain", 201),
    ("WHEN_NO_MATCH", False, None, 201),
    ("WHEN_NO_TEMPLATES", True, "text/plain", 415),
    ("WHEN_NO_TEMPLATES", False, "text/plain", 201),
    ("NEVER", True, None, 200),
    ("NEVER", True, "text/plain", 415),
    ("NEVER", False, None, 415),
]


@pytest.mark.parametrize(("behavior", "has_template", "content_type", "expected"), BEHAVIORS)
def test_passthrough_behaves_as_the_developer_guide_says(behavior, has_template, content_type, expected):
    responses = (IntegrationResponse("201", selection_pattern="201"), IntegrationResponse("200"))
    integration = a_mock('{"statusCode": 200}' if has_template else None, responses, passthrough_behavior=behavior)
    headers = (("Content-Type", content_type),) if content_type else ()
    response = answer(integration, a_request("POST", headers=headers, body=b'{"statusCode": 201}'))
    assert response.status == expected


def test_a_body_that_is_passed_through_must_hold_the_status_code():
    assert answer(a_mock(None), a_request("POST", body=b"{}")).status == 500
    assert answer(a_mock(None), a_request("GET")).status == 500
    assert answer(a_mock(None), a_request("POST", body=b"\xff\xfe")).status == 500


TEMPLATES = {"application/xml": "<a/>", "application/json": "{}", "text/html": "<p>"}


@pytest.mark.parametrize(
    ("accept", "templates", "expected"),
    [
        (None, TEMPLATES, ("application/json", b"{}")),
        ("application/xml", TEMPLATES, ("application/xml", b"<a/>")),
        ("text/html, application/xml", TEMPLATES, ("text/html", b"<p>")),
        ("image/png", TEMPLATES, ("application/json", b"{}")),
        ("*/*", TEMPLATES, ("application/json", b"{}")),
        (None, {"text/html": "<p>", "text/plain": "p"}, ("text/html", b"<p>")),
        (None, {}, ("application/json", b"")),
    ],
)
def test_the_response_template_is_chosen_by_accept(accept, templates, expected):
    integration = a_mock(responses=(IntegrationResponse("200", response_templates=templates),))
    response = answer(integration, a_request(headers=(("Accept", accept),) if accept else ()))
    assert (header(response, "Content-Type"), response.body) == ([expected[0]], expected[1])


def test_response_parameters_may_be_literals_stage_and_context_variables():
    parameters = {
        "method.response.header.X-Literal": "'a'",
        "method.response.header.X-Tier": "stageVariables.tier",
        "method.response.header.X-Absent": "stageVariables.absent",
        "method.response.header.X-Id": "context.requestId",
        "method.response.header.X-None": "integration.response.header.X",
        "method.response.header.Content-Type": "'text/csv'",
    }
    response = answer(a_mock(responses=(IntegrationResponse("200", response_parameters=parameters),)))
    assert header(response, "X-Literal") == ["a"]
    assert header(response, "X-Tier") == ["gold"]
    assert header(response, "X-Absent") == header(response, "X-None") == []
    assert header(response, "X-Id") == header(response, "x-amzn-RequestId")
    assert header(response, "Content-Type") == ["text/csv"]


def test_a_template_may_be_binary_in_base64():
    response = IntegrationResponse(
        "200", response_templates={"image/gif": "R0lGODlh"}, content_handling="CONVERT_TO_BINARY"
    )
    assert answer(a_mock(responses=(response,))).body == b"GIF89a"


@pytest.mark.parametrize(
    "integration",
    [
        a_mock('#if($a){"statusCode": 200}'),
        a_mock('{"statusCode": ${context.x}}'),
        a_mock("{}"),
        a_mock('{"statusCode": 20}'),
        a_mock('{"statusCode": 2000}'),
        a_mock(content_handling="CONVERT_TO_TEXT"),
        a_mock(responses=(IntegrationResponse("200", response_templates={"a/b": "#end"}),)),
        a_mock(responses=(IntegrationResponse("200", selection_pattern="("),)),
        a_mock(responses=(IntegrationResponse("200", response_parameters={"method.response.header.X": "nonsense"}),)),
        a_mock(responses=(IntegrationResponse("200", response_parameters={"method.response.header.X y": "'a'"}),)),
        a_mock(responses=(IntegrationResponse("200", response_parameters={"header.X": "'a'"}),)),
        a_mock(responses=(IntegrationResponse("200", response_parameters={"method.response.header.TE": "'a'"}),)),
        a_mock(
            responses=(
                IntegrationResponse("200", response_templates={"a/b": "!"}, content_handling="CONVERT_TO_BINARY"),
            )
        ),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_compiled(integration):
    with pytest.raises(MappingError):
        compile_mock(integration, TemplateScope(a_stage()))


def test_dollars_and_hashes_that_are_no_velocity_are_text():
    integration = a_mock(responses=(IntegrationResponse("200", response_templates={"text/plain": "5 $ or #1, $5"}),))
    assert answer(integration).body == b"5 $ or #1, $5"


@pytest.mark.parametrize("pattern", [r"(\d?){0,9}" * 20 + "x", "(" * 20 + r"\d*" + ")*" * 20 + "x"])
def test_a_hostile_selection_pattern_takes_no_time(pattern):
    responses = (IntegrationResponse("404", selection_pattern=pattern), IntegrationResponse("200"))
    assert answer(a_mock('{"statusCode": 200}', responses)).status == 200


def test_a_template_without_references_is_worked_out_when_it_is_compiled():
    assert isinstance(compile_mock(a_mock('## note\n{"statusCode": 200}'), TemplateScope(a_stage())), Mock)
    assert isinstance(compile_mock(a_mock('#set($a = 1){"statusCode": 200}'), TemplateScope(a_stage())), MappedMock)


def test_the_request_template_chooses_the_status():
    template = '#if($input.path("$.id") == 7){"statusCode": 200}#else{"statusCode": 404}#end'
    assert answer(a_mock(template, RESPONSES), a_request("POST", body=b'{"id": 7}')).body == b"fine"
    response = answer(a_mock(template, RESPONSES), a_request("POST", body=b'{"id": 8}'))
    assert (response.status, response.body) == (404, b"not found")


def test_a_response_template_sees_parameters_context_and_stage_variables_but_no_body():
    template = '$input.params("q") $input.params("X-Y") $context.httpMethod $stageVariables.tier [$input.body]'
    responses = (IntegrationResponse("200", response_templates={"text/plain": template}),)
    request = a_request("POST", "/prod/orders?q=a%20b", (("x-y", "z"),), b'{"a":1}')
    response = answer(a_mock(responses=responses), request)
    assert (header(response, "Content-Type"), response.body) == (["text/plain"], b"a b z POST gold []")


def test_templates_override_status_and_headers():
    request = '#set($context.responseOverride.header.X-First = 1){"statusCode": 200}'
    template = (
        '#set($context.responseOverride.status = 418)#set($context.responseOverride.header.X-Kind = "$context.stage")'
        "#set($context.responseOverride.header.Content-Type = 'text/csv')body"
    )
    declared = {"method.response.header.x-kind": "'declared'", "method.response.header.X-Kept": "'kept'"}
    responses = (
        IntegrationResponse("200", response_parameters=declared, response_templates={"application/json": template}),
    )
    response = answer(a_mock(request, responses))
    assert (response.status, response.body) == (418, b"body")
    assert header(response, "X-Kind") == ["prod"]
    assert [header(response, name) for name in ("X-Kept", "X-First", "Content-Type")] == [["kept"], ["1"], ["text/csv"]]


def test_what_a_request_template_left_in_its_overrides_a_response_template_reads():
    request = '#set($context.requestOverride.path.body = $input.body){"statusCode": 200}'
    responses = (
        IntegrationResponse("200", response_templates={"application/json": "<$context.requestOverride.path.body>"}),
    )
    assert answer(a_mock(request, responses), a_request("POST", body=b'{"a":1}')).body == b'<{"a":1}>'


@pytest.mark.parametrize(
    "template",
    [
        '{"statusCode": $input.path("$..[")}',
        '{"statusCode": $input.params("s")}',
        "#foreach($i in [1..2000])x#end",
        '#set($context.responseOverride.status = "many"){"statusCode": 200}',
        '#set($context.responseOverride.header.X = [1]){"statusCode": 200}',
    ],
)
def test_a_template_that_fails_is_a_configuration_error(template):
    response = answer(a_mock(template))
    assert (response.status, response.body) == (500, b'{"message": "Internal server error"}')


@pytest.mark.parametrize(
    ("template", "status"),
    [
        ('{"statusCode": 201, "a": $input.json("$.a")}', 201),  # known when it is deployed
        ('{"statusCode": 20$input.json("$.a")}', 201),  # the code goes on behind the text
        ('{"statusCode": 200$input.json("$.a"), "statusCode": 201}', 201),  # four digits are no code
        ('#set($x = 1){"statusCode": 201, "a": $x}', 201),
        ('$input.json("$.none"){"statusCode": 201}', 201),
        ('{"a": $input.json("$.a"), statusCode: \'201\'}', 201),
    ],
)
def test_the_status_is_found_wherever_a_template_has_it(template, status):
    body = {"application/json": "$context.path"}
    responses = tuple(
        IntegrationResponse(str(each), selection_pattern=str(each), response_templates=body) for each in (200, 201, 202)
    )
    request = a_request("POST", "/prod/orders", body=b'{"a": 1}')
    assert answer(a_mock(template, responses), request).status == status
