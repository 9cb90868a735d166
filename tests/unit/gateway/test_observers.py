from __future__ import annotations

import asyncio
import gc
import sys

import orjson
import pytest

from gatepost.gateway.observers import BATCH_RECORDS, FLUSH_AFTER_MS, PATH_CHARACTERS_MAX, REMEMBERED_MAX
from gatepost.services.apigateway.deployment import Method, StageSettings
from gatepost.telemetry.metrics import Dimensions
from tests.support.gateways import API, LAMBDA, MOCK, TestGateway, a_request

ROUTES = {
    "/orders": (Method("GET", integration=MOCK), Method("POST", integration=LAMBDA)),
    "/o/{id}": (Method("GET", integration=MOCK),),
}


def a_gateway():
    gateway = TestGateway()
    settings = {"*/*": {"metricsEnabled": True}}
    gateway.deploy(ROUTES, stage=StageSettings("prod", "dep123", method_settings=settings))
    return gateway


def lines(gateway):
    return [orjson.loads(line) for line in b"".join(gateway.lines).splitlines()]


def test_each_request_has_a_line_in_the_access_log():
    gateway = a_gateway()
    response = gateway.get("/prod/o/7?secret=1")
    (line,) = lines(gateway)
    assert line == {
        "requestId": dict(response.headers)[b"x-amzn-RequestId"].decode(),
        "ip": "198.51.100.7",
        "requestTime": "09/Oct/2025:08:53:20 +0000",
        "requestTimeEpoch": 1_760_000_000_000,
        "httpMethod": "GET",
        "apiId": API,
        "stage": "prod",
        "resourcePath": "/o/{id}",
        "path": "/prod/o/7",
        "status": 200,
        "responseLength": 17,
        "responseLatency": 0,
        "integrationLatency": 0,
    }


def test_refusals_have_a_line_too_without_an_integration():
    gateway = a_gateway()
    gateway.get("/prod/none")
    gateway.get("/none")
    assert [(line["status"], line["apiId"], line["integrationLatency"]) for line in lines(gateway)] == [
        (403, API, None),
        (403, "", None),
    ]


def test_paths_that_are_no_plain_text_stay_one_line_of_json():
    gateway = a_gateway()
    gateway.get('/prod/o/"\\x')
    gateway.get("/prod/o/" + "x" * 5000)
    first, second = lines(gateway)
    assert first["path"] == '/prod/o/"\\x'
    assert len(second["path"]) == PATH_CHARACTERS_MAX


def test_a_full_batch_is_written_at_once_and_a_small_one_after_a_moment():
    gateway = a_gateway()

    async def scenario():
        for _ in range(BATCH_RECORDS):
            await gateway.send(a_request())
        full = len(gateway.lines)
        await gateway.send(a_request())
        at_once = len(gateway.lines)
        async with asyncio.timeout(5):
            while len(gateway.lines) == at_once:
                await asyncio.sleep(FLUSH_AFTER_MS / 10_000)
        return full, at_once, len(gateway.lines)

    assert gateway.run(scenario) == (1, 1, 2)


def test_the_last_requests_are_remembered_within_a_bound():
    gateway = a_gateway()

    async def scenario():
        first = dict((await gateway.send(a_request())).headers)[b"x-amzn-RequestId"].decode()
        found = gateway.request_log.find(first)
        for _ in range(REMEMBERED_MAX):
            await gateway.send(a_request())
        return found, gateway.request_log.find(first)

    found, later = gateway.run(scenario)
    assert found["status"] == 200
    assert later is None


def test_what_is_remembered_of_a_request_never_holds_its_body():
    gateway = a_gateway()
    gateway.functions.returns = "malformed"

    body = bytes(100_000)
    request = a_request("POST", body=body)
    response = gateway.answer(request)
    del request
    gc.collect()
    assert response.status == 502
    assert sys.getrefcount(body) == 2  # this test's, and the call's own


def figures_of(gateway, resource="", method=""):
    stage = "prod" if resource else ""
    return gateway.metrics.snapshot()[Dimensions(API, "shop", stage, resource, method)]


def test_requests_errors_and_latencies_are_counted_per_api_stage_and_method():
    gateway = a_gateway()
    gateway.get()
    gateway.answer(a_request("POST"))
    gateway.functions.returns = "malformed"
    gateway.answer(a_request("POST"))
    gateway.get("/prod/none")
    whole = figures_of(gateway)
    assert (whole.count, whole.client_errors, whole.server_errors) == (4, 1, 1)
    assert (whole.latency.count, whole.integration_latency.count) == (4, 3)
    post = figures_of(gateway, "/orders", "POST")
    assert (post.count, post.client_errors, post.server_errors) == (2, 0, 1)


def test_a_method_without_detailed_metrics_counts_for_its_stage_only():
    gateway = TestGateway()
    own = {"~1orders/POST": {"metricsEnabled": True}, "*/*": {"metricsEnabled": False}}
    post, get = Method("POST", integration=LAMBDA), Method("GET", integration=LAMBDA)
    gateway.deploy({"/orders": (post, get)}, stage=StageSettings("prod", "dep123", method_settings=own))
    for method in ("GET", "POST", "GET"):
        gateway.answer(a_request(method))
    counted = {(each.stage, each.method): figures.count for each, figures in gateway.metrics.snapshot().items()}
    assert {at: count for at, count in counted.items() if count} == {("", ""): 3, ("prod", ""): 3, ("prod", "POST"): 1}


def test_latency_is_the_time_from_the_request_to_its_answer():
    gateway = a_gateway()

    class Slow(type(gateway.functions)):
        async def invoke(self, invocation):
            gateway.clock.advance(ms=250)
            return await super().invoke(invocation)

    gateway.functions.__class__ = Slow
    gateway.answer(a_request("POST"))
    post = figures_of(gateway, "/orders", "POST")
    assert post.latency.sum_us == post.integration_latency.sum_us == 250_000
    assert lines(gateway)[0]["responseLatency"] == 250


@pytest.mark.parametrize(("target", "expected"), [("/prod/orders", 1), ("/prod/none", 1), ("/other/orders", 0)])
def test_each_request_for_a_stage_counts_as_its_usage(target, expected):
    gateway = a_gateway()
    gateway.get(target)
    assert gateway.counters[f"{API}/prod"].pending == expected
