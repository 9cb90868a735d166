from __future__ import annotations

import json

import pytest

from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.ports import InvocationResult
from gatepost.services.apigateway.model import BadRequestException, NotFoundException
from tests.support.rest_apis import FUNCTION_URI, Control, with_control

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:orders"
POLICY = {"Version": "2012-10-17", "Statement": []}


class AFunction:
    """Answers every call with the same payload, and keeps what it got."""

    def __init__(self, answer: object, error: str = "") -> None:
        self.calls: list[tuple[str, dict, str, str]] = []
        self._payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self._error = error

    async def call(
        self, function_arn: str, payload: bytes, *, service: str, source_arn: str, request_id: str
    ) -> InvocationResult:
        if self._error == "away":
            raise ServiceUnavailable("no gateway")
        self.calls.append((function_arn, json.loads(payload), service, source_arn))
        return InvocationResult(200, self._payload, self._error)


async def an_answer(control: Control, function: AFunction, authorizer: dict, **params) -> tuple[dict, str]:
    api_id = (await control.an_api())["id"]
    made = await control("CreateAuthorizer", restApiId=api_id, name="a", authorizerUri=FUNCTION_URI, **authorizer)
    control.provider.document_parts.authorizer_tests._functions = function
    answer = await control("TestInvokeAuthorizer", restApiId=api_id, authorizerId=made["id"], **params)
    return answer, f"arn:aws:execute-api:us-east-1:000000000000:{api_id}"


def test_a_token_authorizer_is_asked_and_its_policy_given(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        function = AFunction({"principalId": "ana", "policyDocument": POLICY})
        token = {"type": "TOKEN", "identityValidationExpression": "Bearer .*"}
        answer, arn = await an_answer(control, function, token, headers={"authorization": "Bearer x"})
        assert (answer["clientStatus"], answer["principalId"]) == (0, "ana")
        assert json.loads(answer["policy"]) == POLICY
        assert answer["log"].startswith("Execution log for request ")
        ((called, event, service, source),) = function.calls
        assert (called, service) == (FUNCTION, "apigateway.amazonaws.com")
        assert source.startswith(f"{arn}/authorizers/")
        assert event == {
            "type": "TOKEN",
            "authorizationToken": "Bearer x",
            "methodArn": f"{arn}/ESTestInvoke-stage/GET/",
        }

    with_control(tmp_path, scenario)


def test_a_request_authorizer_gets_the_request(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        function = AFunction({"principalId": "ana", "policyDocument": POLICY})
        source = "method.request.header.A, method.request.querystring.q, stageVariables.v"
        answer, arn = await an_answer(
            control,
            function,
            {"type": "REQUEST", "identitySource": source},
            headers={"A": "1"},
            pathWithQueryString="/orders?q=2",
            stageVariables={"v": "3"},
            additionalContext={"extra": "4"},
        )
        assert answer["clientStatus"] == 0
        event = function.calls[0][1]
        assert event["methodArn"] == f"{arn}/ESTestInvoke-stage/GET/orders"
        assert (event["headers"], event["queryStringParameters"]) == ({"A": "1"}, {"q": "2"})
        assert (event["stageVariables"], event["requestContext"]["extra"]) == ({"v": "3"}, "4")

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("authorizer", "params"),
    [
        ({"type": "TOKEN"}, {}),
        ({"type": "TOKEN", "identityValidationExpression": "a+"}, {"headers": {"Authorization": "ab"}}),
        ({"type": "REQUEST", "identitySource": "method.request.header.A"}, {}),
        ({"type": "REQUEST", "identitySource": "method.request.querystring.A"}, {"headers": {"A": "x"}}),
        ({"type": "REQUEST", "identitySource": "stageVariables.A"}, {}),
    ],
)
def test_without_an_identity_the_function_is_not_called(tmp_path, authorizer: dict, params: dict) -> None:
    async def scenario(control: Control) -> None:
        function = AFunction({})
        answer, _ = await an_answer(control, function, authorizer, **params)
        assert (answer["clientStatus"], function.calls) == (401, [])

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("answer", "error", "status"),
    [
        ({"errorMessage": "Unauthorized"}, "Unhandled", 401),
        ({"errorMessage": "boom"}, "Unhandled", 500),
        (b"no", "", 500),
        (b"[" * 100_000, "", 500),
        ({"principalId": "a"}, "", 500),
        ({"policyDocument": POLICY}, "", 500),
        ({"principalId": "a", "policyDocument": {"a": "x" * 70_000}}, "", 500),
        ({}, "away", 500),
    ],
)
def test_what_a_client_would_have_got_is_told(tmp_path, answer: object, error: str, status: int) -> None:
    async def scenario(control: Control) -> None:
        told, _ = await an_answer(control, AFunction(answer, error), {"type": "TOKEN"}, headers={"Authorization": "x"})
        assert told["clientStatus"] == status
        assert "policy" not in told

    with_control(tmp_path, scenario)


def test_an_authorizer_that_cannot_be_tested_is_refused(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        pool = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_Abc123"
        made = await control(
            "CreateAuthorizer", restApiId=api_id, name="c", type="COGNITO_USER_POOLS", providerARNs=[pool]
        )
        with pytest.raises(BadRequestException, match="call a method that it guards"):
            await control("TestInvokeAuthorizer", restApiId=api_id, authorizerId=made["id"])
        with pytest.raises(NotFoundException):
            await control("TestInvokeAuthorizer", restApiId=api_id, authorizerId="nothing")

    with_control(tmp_path, scenario)
