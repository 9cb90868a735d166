from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.services.apigateway.deployment import (
    GatewayResponse,
    Integration,
    IntegrationResponse,
    Method,
    StageSettings,
)
from tests.support.gateways import LAMBDA, MOCK, TestGateway, a_request

TABLE = "arn:aws:apigateway:us-east-1:dynamodb:action/Query"


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (Method("GET"), "no integration"),
        (Method("GET", integration=Integration("AWS", uri=TABLE)), "built without role sessions"),
        (Method("GET", integration=Integration("ODD")), "type ODD does not exist"),
        (Method("GET", "CUSTOM", integration=MOCK), "the method names no authorizer"),
        (Method("GET", "COGNITO_USER_POOLS", integration=MOCK), "the method names no authorizer"),
        (Method("GET", api_key_required=True, integration=MOCK), "built without API keys"),
        (Method("GET", request_validator_id="v", integration=MOCK), "request validator v does not exist"),
        (Method("GET", integration=Integration("MOCK", response_transfer_mode="STREAM")), "STREAM does not work with"),
        (Method("GET", integration=Integration("AWS_PROXY", uri="nonsense")), "integration URI nonsense"),
        (Method("GET", "AWS_IAM", integration=MOCK), "AWS_IAM"),
    ],
)
def test_what_cannot_be_enforced_is_never_served_without_it(method, reason):
    gateway = TestGateway()
    compiled = gateway.deploy({"/orders": (method,)})
    assert reason in compiled.problems[0]
    response = gateway.get()
    assert (response.status, response.body) == (500, b'{"message": "Internal server error"}')
    found = gateway.request_log.find(dict(response.headers)[b"x-amzn-RequestId"].decode())
    assert reason in found["decisions"][0]["verdict"]


def test_a_stage_with_a_certificate_that_nobody_holds_is_not_served():
    gateway = TestGateway()
    stage = StageSettings("prod", "dep123", client_certificate_id="c1")
    proxy = Integration("HTTP_PROXY", http_method="GET", uri="https://example.com/")
    compiled = gateway.deploy({"/orders": (Method("GET", integration=proxy),)}, stage=stage)
    assert compiled.problems == ("GET /orders: clientCertificateId: this gateway holds no certificates",)


@pytest.mark.parametrize(
    ("method_settings", "works"),
    [
        ({"*/*": {"metricsEnabled": True, "throttlingBurstLimit": -1, "throttlingRateLimit": -1.0}}, True),
        ({"*/*": {"throttlingRateLimit": 0.0}}, True),  # this gateway was built without limits
        ({"*/*": {"cachingEnabled": True}}, False),
    ],
)
def test_a_stage_whose_caching_nobody_does_is_not_served(method_settings, works):
    gateway = TestGateway()
    stage = StageSettings("prod", "dep123", method_settings=method_settings, is_cache_cluster_enabled=True)
    gateway.deploy(
        {"/orders": (Method("GET", integration=MOCK),)}, stage=stage
    )  # this gateway was built without a cache
    assert gateway.get().status == (200 if works else 500)


def test_gateway_responses_that_cannot_work_are_reported_and_awss_stand_in():
    gateway = TestGateway()
    compiled = gateway.deploy(
        {"/orders": (Method("GET", integration=MOCK),)}, gateway_responses=(GatewayResponse("NO_SUCH_TYPE"),)
    )
    assert compiled.problems == ("gateway responses: gateway response type NO_SUCH_TYPE does not exist",)
    assert gateway.get("/prod/none").body == b'{"message":"Missing Authentication Token"}'


def test_gateway_responses_apply_to_unknown_routes_too():
    gateway = TestGateway()
    own = GatewayResponse("MISSING_AUTHENTICATION_TOKEN", "404", response_templates={"application/json": "{}"})
    gateway.deploy({"/orders": (Method("GET", integration=MOCK),)}, gateway_responses=(own,))
    response = gateway.get("/prod/none")
    assert (response.status, response.body) == (404, b"{}")


def test_stage_variables_choose_the_function():
    gateway = TestGateway()
    uri = LAMBDA.uri.replace("function:orders", "function:${stageVariables.fn}")
    routes = {"/orders": (Method("GET", integration=Integration("AWS_PROXY", http_method="POST", uri=uri)),)}
    for stage, function in (("prod", "orders-prod"), ("test", "orders-test")):
        gateway.deploy(routes, stage=StageSettings(stage, "dep123", variables={"fn": function}))
        gateway.get(f"/{stage}/orders")
        assert gateway.functions.invocations[-1].function_arn.endswith(f":{function}")


TEXT = st.text(max_size=12)
MAPPINGS = st.dictionaries(
    st.sampled_from(["integration.request.path.id", "method.response.header.X", "nonsense", ""]), TEXT, max_size=2
)
INTEGRATIONS = st.builds(
    Integration,
    type=st.sampled_from(["MOCK", "AWS_PROXY", "HTTP_PROXY", "AWS", "HTTP", ""]),
    http_method=st.sampled_from(["", "POST", "ANY", "X"]),
    uri=st.one_of(TEXT, st.just(LAMBDA.uri), st.just("http://a/{id}"), st.just("http://[::1]:x/")),
    request_parameters=MAPPINGS,
    request_templates=st.dictionaries(TEXT, st.one_of(TEXT, st.just('{"statusCode": 200}')), max_size=2),
    passthrough_behavior=st.sampled_from(["WHEN_NO_MATCH", "NEVER", ""]),
    content_handling=st.sampled_from(["", "CONVERT_TO_TEXT"]),
    timeout_ms=st.integers(50, 29_000),
    responses=st.lists(
        st.builds(
            IntegrationResponse,
            status_code=st.sampled_from(["200", "404", "", "x"]),
            selection_pattern=TEXT,
            response_parameters=MAPPINGS,
            response_templates=st.dictionaries(TEXT, TEXT, max_size=2),
            content_handling=st.sampled_from(["", "CONVERT_TO_BINARY"]),
        ),
        max_size=2,
    ).map(tuple),
)


@settings(max_examples=200, deadline=None)
@given(
    integration=st.one_of(st.none(), INTEGRATIONS, INTEGRATIONS),
    authorization=st.sampled_from(["NONE", "NONE", "AWS_IAM", "CUSTOM", ""]),
    path=st.sampled_from(["/", "/orders", "/{id}", "/{id+}", "/a/{id}/{proxy+}"]),
    policy=st.sampled_from(["", "", "nonsense", "{}"]),
)
def test_any_deployment_compiles_and_every_request_gets_an_answer(integration, authorization, path, policy):
    gateway = TestGateway()
    method = Method("ANY", authorization, integration=integration)
    compiled = gateway.deploy({path: (method,)}, resource_policy=policy)
    assert repr(compiled)
    for target in ("/prod", "/prod/orders", "/prod/a/b/c"):
        assert 200 <= gateway.answer(a_request("POST", target, body=b"{}")).status < 600
