from __future__ import annotations

from dataclasses import replace

import pytest

from gatepost.services.apigateway.deployment import (
    CanarySettings,
    Integration,
    IntegrationResponse,
    Method,
    StageSettings,
    deployment_to_json,
    stage_to_json,
)
from tests.support.gateways import API, LAMBDA, MOCK, TestGateway, a_deployment, json_of

CONTEXT = (
    '{"deployment": "$context.deploymentId", "colour": "$stageVariables.colour", "canary": "$context.isCanaryRequest"}'
)
TOLD = Integration(
    "MOCK",
    request_templates={"application/json": '{"statusCode": 200}'},
    responses=(IntegrationResponse("200", response_templates={"application/json": CONTEXT}),),
)


def a_stage_with_canary(percent, *, chances=(), canary=None, overrides=None, others=()):
    gateway = TestGateway()
    drawn = iter(chances)
    gateway.plans._parts = gateway.parts = replace(gateway.parts, chance=lambda: next(drawn))
    base = a_deployment({"/orders": (Method("GET", integration=TOLD),)})
    other = canary or a_deployment({"/orders": (Method("GET", integration=TOLD),)}, id="dep456")
    settings = StageSettings(
        "prod",
        "dep123",
        variables={"colour": "red", "size": "1"},
        canary=CanarySettings("dep456", percent, {} if overrides is None else overrides),
    )
    value = {
        "deployment": deployment_to_json(base),
        "stage": stage_to_json(settings),
        "canary": deployment_to_json(other),
    }
    gateway.plans.take(f"{API}/prod", value)
    return gateway


def test_chance_decides_for_each_request_which_deployment_answers():
    gateway = a_stage_with_canary(25.0, chances=(0.24, 0.25, 0.0, 0.99), overrides={"colour": "blue"})
    answers = [json_of(gateway.get()) for _ in range(4)]
    assert [each["deployment"] for each in answers] == ["dep456", "dep123", "dep456", "dep123"]
    assert [each["colour"] for each in answers] == ["blue", "red", "blue", "red"]
    assert [each["canary"] for each in answers] == ["true", "false", "true", "false"]


@pytest.mark.parametrize(("percent", "deployment"), [(0.0, "dep123"), (100.0, "dep456")])
def test_none_and_all_of_the_traffic_need_no_chance(percent, deployment):
    gateway = a_stage_with_canary(percent)
    assert json_of(gateway.get())["deployment"] == deployment


def test_without_a_canary_no_request_is_one():
    gateway = TestGateway()
    gateway.deploy({"/orders": (Method("GET", integration=TOLD),)})
    assert json_of(gateway.get())["canary"] == ""


def test_a_route_may_be_in_the_canary_alone_and_what_cannot_work_there_is_reported():
    canary = a_deployment({"/new": (Method("GET", integration=MOCK), Method("POST", integration=None))}, id="dep456")
    gateway = a_stage_with_canary(50.0, chances=(0.0, 0.9), canary=canary)
    assert gateway.get("/prod/new").status == 200
    assert gateway.get("/prod/new").status == 403
    compiled = gateway.plans.apis[API]["prod"]
    assert compiled.problems == ("canary: POST /new: the method has no integration",)


def test_a_canary_is_published_promoted_and_gone_by_one_assignment():
    gateway = a_stage_with_canary(100.0)
    assert json_of(gateway.get())["deployment"] == "dep456"
    promoted = a_deployment({"/orders": (Method("GET", integration=TOLD),)}, id="dep456")
    gateway.plans.take(
        f"{API}/prod",
        {"deployment": deployment_to_json(promoted), "stage": stage_to_json(StageSettings("prod", "dep456"))},
    )
    assert json_of(gateway.get()) == {"deployment": "dep456", "colour": "", "canary": ""}


def test_a_function_sees_the_canarys_variables():
    canary = a_deployment({"/orders": (Method("GET", integration=LAMBDA),)}, id="dep456")
    gateway = a_stage_with_canary(100.0, canary=canary, overrides={"colour": "blue"})
    assert gateway.get().status == 200
    assert gateway.functions.event["stageVariables"] == {"colour": "blue", "size": "1"}
    assert gateway.functions.event["requestContext"]["deploymentId"] == "dep456"
