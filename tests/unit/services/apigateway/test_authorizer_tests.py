from __future__ import annotations

import json

import pytest

from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.ports import AuthorizerTest, AuthorizerTestResult, InvocationResult
from gatepost.services.apigateway.model import NotFoundException
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


class AGateway:
    """Stands for a gateway: keeps what it was asked, answers the same."""

    def __init__(self, result: AuthorizerTestResult) -> None:
        self.asked: list[AuthorizerTest] = []
        self._result = result

    async def test_authorizer(self, test: AuthorizerTest) -> AuthorizerTestResult:
        self.asked.append(test)
        return self._result


async def asked_of_a_gateway(control: Control, result: AuthorizerTestResult, authorizer: dict) -> tuple[dict, AGateway]:
    api_id = (await control.an_api())["id"]
    made = await control("CreateAuthorizer", restApiId=api_id, name="a", **authorizer)
    gateway = control.provider.document_parts.authorizer_tests._tests = AGateway(result)
    headers = {"Authorization": "t"}
    answer = await control("TestInvokeAuthorizer", restApiId=api_id, authorizerId=made["id"], headers=headers)
    return answer, gateway


POOL = {
    "type": "COGNITO_USER_POOLS",
    "providerARNs": ["arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_A"],
}
WITH_A_ROLE = {
    "type": "TOKEN",
    "authorizerUri": FUNCTION_URI,
    "authorizerCredentials": "arn:aws:iam::000000000000:role/caller",
}


def test_a_user_pools_token_is_verified_by_a_gateway_and_its_claims_given(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        result = AuthorizerTestResult(0, claims={"sub": "s-1", "email": "a@b"})
        answer, gateway = await asked_of_a_gateway(control, result, POOL)
        assert (answer["clientStatus"], answer["claims"]) == (0, {"sub": "s-1", "email": "a@b"})
        assert set(answer) == {"clientStatus", "claims", "log", "latency"}
        (asked,) = gateway.asked
        assert asked.authorizer["provider_arns"] == POOL["providerARNs"]
        assert asked.headers == [("Authorization", "t")]

    with_control(tmp_path, scenario)


def test_a_token_that_is_refused_gives_the_clients_status_and_why(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        answer, _ = await asked_of_a_gateway(control, AuthorizerTestResult(401, "expired: it has expired"), POOL)
        assert answer["clientStatus"] == 401
        assert "claims" not in answer
        assert "expired: it has expired" in answer["log"]

    with_control(tmp_path, scenario)


def test_a_function_is_called_as_the_authorizers_role_by_a_gateway(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        payload = json.dumps({"principalId": "ana", "policyDocument": POLICY})
        answer, gateway = await asked_of_a_gateway(control, AuthorizerTestResult(0, payload=payload), WITH_A_ROLE)
        assert (answer["clientStatus"], answer["principalId"]) == (0, "ana")
        assert json.loads(gateway.asked[0].event)["authorizationToken"] == "t"

        refused, _ = await asked_of_a_gateway(control, AuthorizerTestResult(500, "may not"), WITH_A_ROLE)
        assert refused["clientStatus"] == 500
        assert "may not" in refused["log"]

    with_control(tmp_path, scenario)


def test_an_authorizer_that_cannot_be_tested_is_refused(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        made = await control("CreateAuthorizer", restApiId=api_id, name="c", **POOL)
        with pytest.raises(ServiceUnavailable, match="No gateway"):
            await control("TestInvokeAuthorizer", restApiId=api_id, authorizerId=made["id"])
        with pytest.raises(NotFoundException):
            await control("TestInvokeAuthorizer", restApiId=api_id, authorizerId="nothing")

    with_control(tmp_path, scenario)
