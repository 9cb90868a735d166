from __future__ import annotations

import pytest

from gatepost.services.apigateway.deployment import Integration, IntegrationResponse, Method, StageSettings
from gatepost.wire.outgoing import ConnectFailed, UpstreamTimedOut
from tests.support.gateways import API, TestGateway, Upstreams, a_request, an_answer, header, json_of

PASSED = (IntegrationResponse("200"),)
URI = "http://backend.example:9000/v1/pay/{id}?key=1"
ID = {"integration.request.path.id": "method.request.path.id"}


def a_custom(responses=PASSED, *, uri=URI, parameters=ID, **changes):
    facts = {"http_method": "POST", "uri": uri, "request_parameters": parameters, "responses": responses}
    return Integration("HTTP", **(facts | changes))


def sent(integration, request=None, answer=None):
    gateway = TestGateway(upstreams=Upstreams(answer))
    stage = StageSettings("prod", "dep123", variables={"tier": "gold"})
    compiled = gateway.deploy({"/orders/{id}": (Method("ANY", integration=integration),)}, stage=stage)
    assert compiled.problems == ()
    request = request or a_request("PUT", "/prod/orders/7?q=1", (("X-Own", "1"),), b'{"a": 1}')
    return gateway.upstreams, gateway.answer(request)


def test_nothing_of_the_request_passes_by_itself_but_the_body_and_its_type():
    upstreams, response = sent(a_custom())
    last = upstreams.last
    assert (last.method, last.target, last.body) == ("POST", "/v1/pay/7?key=1", b'{"a": 1}')
    assert upstreams.header("X-Own") == upstreams.header("X-Forwarded-For") == []
    assert upstreams.header("Content-Type") == upstreams.header("Accept") == ["application/json"]
    assert upstreams.header("User-Agent") == [f"AmazonAPIGateway_{API}"]
    assert upstreams.header("x-amzn-apigateway-api-id") == [API]
    assert len(upstreams.header("X-Amzn-Trace-Id")) == 1
    assert (response.status, response.body, header(response, "Content-Type")) == (200, b"up", ["text/plain"])


def test_parameters_are_mapped_and_replace_what_is_sent_anyway():
    begin = "integration.request."
    parameters = {
        **ID,
        f"{begin}querystring.q": "method.request.querystring.q",
        f"{begin}querystring.absent": "method.request.querystring.absent",
        f"{begin}querystring.tier": "stageVariables.tier",
        f"{begin}header.X-A": "method.request.body.a",
        f"{begin}header.user-agent": "'shop'",
        f"{begin}header.Content-Type": "'text/csv'",
    }
    upstreams, _ = sent(a_custom(parameters=parameters))
    assert upstreams.last.target == "/v1/pay/7?key=1&q=1&tier=gold"
    assert [upstreams.header(name) for name in ("X-A", "User-Agent", "Content-Type")] == [["1"], ["shop"], ["text/csv"]]


def test_a_request_template_makes_the_body_and_overrides_parameters():
    template = (
        '#set($context.requestOverride.path.id = "a b/c")#set($context.requestOverride.querystring.q = 2)'
        '#set($context.requestOverride.header.X-A = "t")#set($context.requestOverride.path.nowhere = "x")'
        '{"amount": $input.json("$.a")}'
    )
    parameters = {**ID, "integration.request.querystring.q": "'1'", "integration.request.header.x-a": "'1'"}
    upstreams, _ = sent(a_custom(parameters=parameters, request_templates={"application/json": template}))
    assert (upstreams.last.target, upstreams.last.body) == ("/v1/pay/a%20b%2Fc?key=1&q=2", b'{"amount": 1}')
    assert upstreams.header("X-A") == ["t"]


@pytest.mark.parametrize("name", ["Host", "Content-Length", "Transfer-Encoding", "a b"])
def test_a_template_cannot_set_headers_that_are_the_clients_own_business(name):
    template = f'#set($context.requestOverride.header["{name}"] = "1"){{}}'
    upstreams, response = sent(a_custom(request_templates={"application/json": template}))
    assert (response.status, upstreams.requests) == (500, [])


def test_an_override_cannot_climb_out_of_its_place():
    template = '#set($context.requestOverride.path.id = "..")x'
    upstreams, response = sent(a_custom(request_templates={"application/json": template}))
    assert (response.status, upstreams.requests) == (400, [])


RESPONSES = (
    IntegrationResponse("402", r"4\d\d", response_templates={"application/json": '{"why": $input.json("$.code")}'}),
    IntegrationResponse("503", r"5\d\d"),
    IntegrationResponse("200"),
)


@pytest.mark.parametrize(("status", "expected"), [(200, 200), (302, 200), (422, 402), (500, 503)])
def test_the_status_code_chooses_the_response(status, expected):
    _, response = sent(a_custom(RESPONSES), answer=lambda _request: an_answer(status, body=b'{"code": "declined"}'))
    assert response.status == expected
    if expected == 402:
        assert json_of(response) == {"why": "declined"}


def test_headers_of_the_answer_pass_only_when_they_are_mapped():
    parameters = {"method.response.header.Location": "integration.response.header.location"}
    upstream = an_answer(201, (("Location", "/p/1"), ("X-Secret", "s"), ("Content-Type", "text/x")))
    _, response = sent(
        a_custom((IntegrationResponse("201", response_parameters=parameters),)), answer=lambda _request: upstream
    )
    assert response.status == 201
    assert [header(response, name) for name in ("Location", "X-Secret", "Content-Type")] == [["/p/1"], [], ["text/x"]]


@pytest.mark.parametrize("failure", [UpstreamTimedOut("late"), ConnectFailed("gone")])
def test_an_upstream_without_an_answer_is_504_whatever_is_declared(failure):
    _, response = sent(a_custom(RESPONSES), answer=failure)
    assert response.status == 504


def test_no_response_that_matches_is_a_configuration_error():
    assert sent(a_custom(RESPONSES[:1]))[1].status == 500


@pytest.mark.parametrize(
    "changes",
    [
        {"uri": "ftp://x"},
        {"uri": "http://169.254.169.254/"},
        {"parameters": {}},
        {"parameters": {**ID, "integration.request.header.Host": "'x'"}},
        {"credentials_arn": "arn:aws:iam::123456789012:role/r"},
        {"connection_type": "VPC_LINK"},
        {"is_tls_verification_skipped": True},
        {"request_templates": {"a/b": "#end"}},
        {"content_handling": "CONVERT"},
    ],
)
def test_what_cannot_work_answers_500_and_says_why(changes):
    gateway = TestGateway()
    compiled = gateway.deploy({"/orders/{id}": (Method("GET", integration=a_custom(**changes)),)})
    assert len(compiled.problems) == 1
    assert gateway.get("/prod/orders/7").status == 500
    assert gateway.upstreams.requests == []
