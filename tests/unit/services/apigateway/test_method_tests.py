from __future__ import annotations

import pytest

from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.ports import MethodTest, MethodTestResult
from gatepost.services.apigateway.deployment import deployment_from_json
from gatepost.services.apigateway.model import BadRequestException, NotFoundException
from tests.support.rest_apis import Control, with_control


class KeptTests:
    """Stands for a gateway: keeps what it was asked, answers the same."""

    def __init__(self) -> None:
        self.asked: list[MethodTest] = []

    async def test(self, test: MethodTest) -> MethodTestResult:
        self.asked.append(test)
        headers = (("Content-Type", "application/json"), ("Set-Cookie", "a"), ("Set-Cookie", "b"))
        return MethodTestResult(201, headers, "{}", "Execution log for request r1\n", 7)


async def a_tested(control: Control) -> tuple[dict, KeptTests]:
    api = await control.an_api()
    await control.a_method(api, "/other")
    tests = KeptTests()
    control.provider.document_parts.method_tests._tests = tests
    return await control.a_method(api, "/orders/{id}", "POST", apiKeyRequired=True), tests


def test_a_gateway_runs_the_method_as_it_stands(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        method, tests = await a_tested(control)
        certificate = (await control("GenerateClientCertificate"))["clientCertificateId"]
        answer = await control(
            "TestInvokeMethod",
            **method,
            clientCertificateId=certificate,
            pathWithQueryString="/orders/1?a=b",
            body="x",
            headers={"A": "1", "B": "2"},
            multiValueHeaders={"a": ["3", "4"]},
            stageVariables={"v": "1"},
        )
        assert answer == {
            "status": 201,
            "body": "{}",
            "headers": {"Content-Type": "application/json", "Set-Cookie": "b"},
            "multiValueHeaders": {"Content-Type": ["application/json"], "Set-Cookie": ["a", "b"]},
            "log": "Execution log for request r1\n",
            "latency": 7,
        }
        (asked,) = tests.asked
        assert (asked.resource_path, asked.http_method, asked.path_with_query) == (
            "/orders/{id}",
            "POST",
            "/orders/1?a=b",
        )
        assert asked.headers == [("B", "2"), ("a", "3"), ("a", "4")]
        assert (asked.body, asked.stage_variables) == ("x", {"v": "1"})
        assert asked.client_certificate_id == certificate
        (only,) = deployment_from_json(asked.deployment).resources
        assert (only.path, len(only.methods)) == ("/orders/{id}", 1)

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    "params",
    [
        {"pathWithQueryString": "/a b"},
        {"pathWithQueryString": "/" * 10_241},
        {"headers": {"A\r\nB": "x"}},
        {"headers": {"A": "x\r\nB: y"}},
        {"multiValueHeaders": {"A": ["x"] * 201}},
        {"stageVariables": {"a b": "x"}},
        {"body": "x" * (10 * 1024 * 1024 + 1)},
        {"clientCertificateId": "c1"},
    ],
)
def test_a_made_up_request_that_cannot_be_is_refused(tmp_path, params: dict) -> None:
    async def scenario(control: Control) -> None:
        method, tests = await a_tested(control)
        with pytest.raises(BadRequestException):
            await control("TestInvokeMethod", **method, **params)
        assert tests.asked == []

    with_control(tmp_path, scenario)


def test_what_is_not_there_cannot_be_tested(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        method, _ = await a_tested(control)
        with pytest.raises(NotFoundException):
            await control("TestInvokeMethod", **{**method, "httpMethod": "GET"})
        await control("DeleteIntegration", **method)
        with pytest.raises(BadRequestException, match="No integration defined for method"):
            await control("TestInvokeMethod", **method)

    with_control(tmp_path, scenario)


def test_without_a_gateway_the_operation_says_so(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        method = await control.a_method(await control.an_api())
        with pytest.raises(ServiceUnavailable):
            await control("TestInvokeMethod", **method)

    with_control(tmp_path, scenario)
