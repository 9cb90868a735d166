from __future__ import annotations

from dataclasses import replace

import pytest

from gatepost.gateway.method_settings import method_settings_of
from gatepost.services.apigateway.deployment import (
    CanarySettings,
    Method,
    StageSettings,
    deployment_to_json,
    stage_to_json,
)
from tests.support.gateways import API, LAMBDA, MOCK, Functions, TestGateway, a_deployment, a_request, a_route, header

GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:access"
EXECUTION = f"arn:aws:logs:us-east-1:123456789012:log-group:API-Gateway-Execution-Logs_{API}/prod"
FORMAT = '{"id":"$context.requestId","status":$context.status,"canary":"$context.isCanaryRequest"}'


class Sink:
    """Keeps what is logged, by group and stream."""

    def __init__(self):
        self.lines = {}

    def put(self, log_group, log_stream, events):
        self.lines.setdefault((log_group, log_stream), []).extend(event.message for event in events)

    def of(self, group):
        return [line for (name, _), lines in self.lines.items() if name == group for line in lines]


def a_gateway(integration=LAMBDA, functions=None, **stage):
    gateway = TestGateway(functions)
    gateway.sink = Sink()
    gateway.plans._parts = gateway.parts = replace(gateway.parts, logs=gateway.sink)
    resources = {"/orders": (Method("GET", integration=integration), Method("POST", integration=integration))}
    gateway.compiled = gateway.deploy(resources, stage=StageSettings("prod", "dep123", **stage))
    return gateway


def level(name, data=False, key="*/*"):
    return {key: {"loggingLevel": name, "dataTraceEnabled": data}}


def test_the_access_log_has_a_line_for_each_request_refusals_included():
    gateway = a_gateway(access_log_destination_arn=f"{GROUP}:*", access_log_format=FORMAT)
    first, second = gateway.get(), gateway.get("/prod/none")
    ids = [header(each, "x-amzn-RequestId")[0] for each in (first, second)]
    assert gateway.sink.of(GROUP) == [
        f'{{"id":"{ids[0]}","status":200,"canary":"-"}}',
        f'{{"id":"{ids[1]}","status":403,"canary":"-"}}',
    ]
    ((_, stream),) = gateway.sink.lines
    assert len(stream) == 32


def test_at_level_info_every_request_is_told_without_its_data():
    gateway = a_gateway(method_settings=level("INFO"))
    answer = gateway.answer(a_request("POST", body=b"secret", headers=(("Authorization", "Bearer x"),)))
    lines = gateway.sink.of(EXECUTION)
    request_id = header(answer, "x-amzn-RequestId")[0]
    assert all(line.startswith(f"({request_id}) ") for line in lines)
    said = [line.partition(") ")[2] for line in lines]
    assert said[1:3] == [
        f"Starting execution for request: {request_id}",
        "HTTP Method: POST, Resource Path: /orders",
    ]
    assert said[-2:] == ["Successfully completed execution", "Method completed with status: 200"]
    assert any(line.startswith("Received response. Status: 200, Integration latency: ") for line in said)
    assert "secret" not in str(lines)


def test_data_tracing_adds_headers_and_bodies_and_masks_credentials():
    gateway = a_gateway(method_settings=level("INFO", data=True))
    headers = (("Authorization", "Bearer 0123456789abcdefghij-tail42"), ("X-Api-Key", "short"))
    gateway.answer(a_request("POST", "/prod/orders?a=1", headers, b'{"order": 1}' + b" " * 2000))
    text = "\n".join(gateway.sink.of(EXECUTION))
    assert 'Method request body before transformations: {"order": 1}' in text
    assert "[TRUNCATED]" in text
    assert "Method request query string: {a=1}" in text
    assert "Endpoint request body after transformations: {" in text
    assert "Method response body after transformations: ok" in text
    assert "tail42" in text
    assert "0123456789" not in text
    assert "short" not in text


def test_at_level_error_only_failures_are_told():
    gateway = a_gateway(method_settings=level("ERROR"), functions=Functions())
    gateway.get()
    assert gateway.sink.lines == {}
    gateway.functions.returns = b"nonsense"
    gateway.get()
    text = "\n".join(gateway.sink.of(EXECUTION))
    assert "Execution failed" in text
    assert "Method completed with status: 502" in text


def test_a_methods_own_level_replaces_that_of_all():
    settings = level("INFO") | level("OFF", key="~1orders/GET")
    gateway = a_gateway(MOCK, method_settings=settings)
    gateway.get()
    assert gateway.sink.lines == {}
    gateway.answer(a_request("POST"))
    assert gateway.sink.of(EXECUTION)


def test_a_canary_logs_beside_its_stage():
    gateway = a_gateway()
    settings = StageSettings(
        "prod",
        "dep123",
        method_settings=level("INFO"),
        access_log_destination_arn=GROUP,
        access_log_format=FORMAT,
        canary=CanarySettings("dep456", 100.0),
    )
    deployment = deployment_to_json(a_deployment({"/orders": (Method("GET", integration=MOCK),)}))
    value = {"deployment": deployment, "stage": stage_to_json(settings), "canary": {**deployment, "id": "dep456"}}
    gateway.plans.take(f"{API}/prod", value)
    gateway.get()
    assert '"canary":"true"' in gateway.sink.of(f"{GROUP}/Canary")[0]
    assert gateway.sink.of(f"{EXECUTION}/Canary")


@pytest.mark.parametrize("destination", ["arn:aws:firehose:us-east-1:1:deliverystream/x", "nonsense"])
def test_a_destination_that_does_not_work_is_reported_and_the_api_answers(destination):
    gateway = a_gateway(access_log_destination_arn=destination, access_log_format=FORMAT)
    assert "is not a log group" in gateway.compiled.problems[0]
    assert gateway.get().status == 200


def test_unknown_variables_are_reported():
    gateway = a_gateway(access_log_destination_arn=GROUP, access_log_format="$context.requestId $context.colour")
    assert gateway.compiled.problems == ("accessLogSettings: $context.colour is always -",)


def test_a_stage_without_logs_keeps_nothing_of_its_calls():
    gateway = a_gateway()
    assert [plan.keeps_calls for plan in gateway.compiled.plans] == [False, False]
    assert gateway.get().status == 200


def test_a_traced_stage_names_its_segment_and_whether_it_is_sampled():
    gateway = a_gateway(is_tracing_enabled=True)
    answer = gateway.get()
    (trace,) = header(answer, "X-Amzn-Trace-Id")
    assert trace.startswith("Root=1-")
    assert ";Parent=" in trace
    assert trace.endswith(";Sampled=1")
    assert gateway.functions.invocations[0].trace_id == trace
    root = "Root=1-5759e988-bd862e3fe1be46a994272793"
    answer = gateway.get(headers=(("X-Amzn-Trace-Id", f"{root};Sampled=0"),))
    (trace,) = header(answer, "X-Amzn-Trace-Id")
    assert trace.startswith(f"{root};Parent=")
    assert trace.endswith(";Sampled=0")


def test_settings_are_found_by_awss_key_of_a_method():
    settings = {"~1orders~1{id}/GET": {"a": 1}, "*/*": {"a": 2}}
    assert method_settings_of(settings, a_route("/orders/{id}")) == {"a": 1}
    assert method_settings_of(settings, a_route("/orders/{id}", "POST")) == {"a": 2}
    assert method_settings_of({}, a_route()) == {}
