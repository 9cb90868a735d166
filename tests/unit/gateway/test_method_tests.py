from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace

import pytest

from gatepost.gateway.backend_certificates import BackendCertificates
from gatepost.gateway.method_tests import GatewayMethodTests
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import MethodTest
from gatepost.services.apigateway.client_certificates import make_certificate
from gatepost.services.apigateway.deployment import (
    ApiModel,
    Integration,
    Method,
    RequestValidator,
    deployment_to_json,
)
from gatepost.services.apigateway.model import CERTIFICATE_PURPOSE
from tests.support.gateways import LAMBDA, TestGateway, a_deployment
from tests.support.rest_apis import a_seal

PET = json.dumps({"type": "object", "required": ["name"]})


def a_test(method="POST", target="/orders/7?q=1", body='{"name": "x"}', headers=(("X-A", "1"),), **changes):
    declared = Method(
        method,
        "AWS_IAM",
        api_key_required=True,
        request_validator_id="v",
        request_models={"application/json": "Pet"},
        integration=LAMBDA,
    )
    deployment = a_deployment(
        {"/orders/{id}": (declared, Method("DELETE", integration=LAMBDA))},
        models=(ApiModel("p", "Pet", "application/json", PET),),
        request_validators=(RequestValidator("v", "v", validates_body=True),),
        resource_policy='{"Statement": []}',
        **changes,
    )
    return MethodTest(deployment_to_json(deployment), "/orders/{id}", method, target, headers, body, {"colour": "red"})


def run(test):
    gateway = TestGateway()
    result = asyncio.run(GatewayMethodTests(gateway.parts, gateway.ids).test(test))
    return gateway, result


def test_a_method_is_run_as_it_stands_whoever_may_call_it_and_the_log_tells_all():
    gateway, result = run(a_test())
    assert (result.status, result.body) == (200, "ok")
    event = gateway.functions.event
    assert event["pathParameters"] == {"id": "7"}
    assert event["queryStringParameters"] == {"q": "1"}
    assert event["stageVariables"] == {"colour": "red"}
    assert event["headers"]["X-A"] == "1"
    assert event["requestContext"]["stage"] == "test-invoke-stage"
    lines = result.log.splitlines()
    assert lines[0].startswith("Execution log for request ")
    assert lines[-1].endswith(" : Method completed with status: 200")
    assert ' : Method request body before transformations: {"name": "x"}' in result.log
    assert ("Content-Type", "application/json") in result.headers


def test_validation_counts_and_its_reasons_stand_in_the_log():
    gateway, result = run(a_test(body="{}"))
    assert (result.status, gateway.functions.invocations) == (400, [])
    assert 'object has missing required properties (["name"])' in result.log


def test_nothing_is_counted_and_nothing_gets_into_the_access_log():
    gateway, _ = run(a_test())
    gateway.request_log.flush()
    assert gateway.lines == []
    assert gateway.counters == {}
    assert all(figures.count == 0 for figures in gateway.metrics.snapshot().values())


def test_a_path_that_is_not_the_resources_leaves_its_parameters_empty():
    gateway, result = run(a_test(target=""))
    assert result.status == 200
    gateway, _ = run(a_test(target="/elsewhere/at/all"))
    assert gateway.functions.event["pathParameters"] == {"id": ""}


def test_a_method_that_is_not_there_is_not_found():
    with pytest.raises(ServiceError) as refused:
        run(MethodTest(a_test().deployment, "/orders/{id}", "PUT", "/", (), ""))
    assert refused.value.code == "NotFoundException"


def test_backends_are_shown_the_certificate_that_the_test_names():
    proxy = Integration("HTTP_PROXY", http_method="GET", uri="https://example.com/")
    deployment = a_deployment({"/a": (Method("GET", integration=proxy),)})
    test = MethodTest(deployment_to_json(deployment), "/a", "GET", "/a", (), "")
    gateway, made = TestGateway(), []
    certificates = BackendCertificates(a_seal(), lambda context: made.append(context) or gateway.upstreams)
    day_ms = 86_400_000
    certificate, private_key = make_certificate(gateway.clock.now_ms() - day_ms, gateway.clock.now_ms() + day_ms)
    sealed = base64.b64encode(a_seal().seal(private_key, purpose=CERTIFICATE_PURPOSE)).decode()
    key = f"{deployment.account_id}/{deployment.region}/c1"
    certificates.take(key, {"certificate_pem": certificate, "sealed_private_key": sealed})
    tests = GatewayMethodTests(replace(gateway.parts, certificates=certificates), gateway.ids)

    async def scenario():
        plain = await tests.test(test)
        assert (plain.status, made) == (200, [])
        shown = await tests.test(replace(test, client_certificate_id="c1"))
        assert (shown.status, len(made)) == (200, 1)
        nobody = await tests.test(replace(test, client_certificate_id="c2"))  # sent only with what was asked for
        assert (nobody.status, len(made), len(gateway.upstreams.requests)) == (504, 1, 2)

    asyncio.run(scenario())
