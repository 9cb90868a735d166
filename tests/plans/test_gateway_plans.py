"""Plans as golden text: what a deployment compiles to, for people to review in a diff.

`GATEPOST_WRITE_PLANS=1 python -m pytest tests/plans/test_gateway_plans.py` writes the texts anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gatepost.services.apigateway.deployment import (
    Integration,
    IntegrationResponse,
    Method,
    StageSettings,
)
from tests.support.gateways import FUNCTION_URI, LAMBDA, TestGateway
from tests.unit.gateway.guards.test_signature import signature_parts

GOLDEN = Path(__file__).parent / "gateway"
PREFLIGHT = Integration(
    "MOCK",
    request_templates={"application/json": '{"statusCode": 200}'},
    responses=(
        IntegrationResponse("200", response_parameters={"method.response.header.Access-Control-Allow-Origin": "'*'"}),
    ),
)
ORDERS = Method("GET", integration=LAMBDA)
STATEMENT = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]})

DEPLOYMENTS = {
    "shop": (
        {
            "/": (Method("GET", integration=PREFLIGHT),),
            "/orders": (ORDERS, Method("POST", integration=LAMBDA), Method("OPTIONS", integration=PREFLIGHT)),
            "/orders/{orderId}": (ORDERS, Method("DELETE", "AWS_IAM", integration=LAMBDA)),
            "/legacy/{proxy+}": (
                Method(
                    "ANY",
                    integration=Integration(
                        "HTTP_PROXY",
                        http_method="ANY",
                        uri="https://${stageVariables.legacy}/v1/{proxy}",
                        request_parameters={"integration.request.path.proxy": "method.request.path.proxy"},
                        timeout_ms=5_000,
                    ),
                ),
            ),
        },
        {},
    ),
    "with_policy": (
        {"/orders": (ORDERS, Method("PUT", "AWS_IAM", integration=PREFLIGHT))},
        {"resource_policy": POLICY},
    ),
    "cannot_work": (
        {
            "/a": (Method("GET"), Method("POST", "CUSTOM", integration=PREFLIGHT)),
            "/b": (
                Method(
                    "GET",
                    integration=Integration("AWS_PROXY", uri=FUNCTION_URI.replace("orders", "${stageVariables.x}")),
                ),
                Method("POST", api_key_required=True, integration=PREFLIGHT),
            ),
        },
        {},
    ),
}


@pytest.mark.parametrize("name", list(DEPLOYMENTS))
def test_a_deployment_compiles_to_the_plan_that_was_reviewed(name):
    resources, changes = DEPLOYMENTS[name]
    gateway = TestGateway(signatures=signature_parts(None))
    stage = StageSettings("prod", "dep123", variables={"legacy": "legacy.example"})
    text = repr(gateway.deploy(resources, stage=stage, **changes)) + "\n"
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("GATEPOST_WRITE_PLANS"):
        golden.write_text(text)
    assert text == golden.read_text(), f"review the change and write {golden.name} anew"
