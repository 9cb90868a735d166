"""TestInvokeAuthorizer: an authorizer, asked about a made-up request.

A Lambda authorizer's function is called for real, when its policy lets API Gateway in for the authorizer, or as the
role in `authorizerCredentials`; a user pool's token is verified by a gateway, which has the pools' keys. Nothing is
cached. The log's sentences are unverified.

Source: https://docs.aws.amazon.com/apigateway/latest/api/API_TestInvokeAuthorizer.html
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from gatepost.kernel.errors import ServiceError, ServiceUnavailable
from gatepost.kernel.operations import Call
from gatepost.kernel.ports import AuthorizerTest, AuthorizerTestResult, FunctionCalls, MethodTests
from gatepost.services.apigateway.authorizers import COGNITO, authorizer_of
from gatepost.services.apigateway.deployment import Authorizer, authorizer_to_json
from gatepost.services.apigateway.functions import STAGE_VARIABLE, function_of
from gatepost.services.apigateway.method_tests import given_headers
from gatepost.services.apigateway.model import PRINCIPAL, BadRequestException
from gatepost.services.apigateway.records import ApiRecords

STAGE: Final = "ESTestInvoke-stage"
POLICY_BYTES_MAX: Final = 64 * 1024
_UNAUTHORIZED: Final = 401
_FAILED: Final = 500
_HEADER: Final = "method.request.header."


@dataclass(slots=True)
class _Test:
    """One made-up request, and what is to be said about it."""

    headers: list[tuple[str, str]]
    path: str
    query: list[tuple[str, str]]
    body: str
    variables: Mapping[str, str]
    context: Mapping[str, str]
    log: list[str] = field(default_factory=list)


class AuthorizerInvocations:
    """The operation that tests authorizers. `functions` is None where none can be called, `tests` without gateways."""

    def __init__(self, records: ApiRecords, functions: FunctionCalls | None, tests: MethodTests | None) -> None:
        self._records = records
        self._functions = functions
        self._tests = tests

    async def run(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Ask an authorizer, and give what it says: `clientStatus` 0 when it answered as it should.

        Raises: NotFoundException, BadRequestException, ServiceUnavailable.
        """
        api_id = params["restApiId"]
        definition = (await self._records.definition(call, api_id)).value
        authorizer = authorizer_of(definition, params["authorizerId"])
        path, _, query = params.get("pathWithQueryString", "").partition("?")
        test = _Test(
            headers=given_headers(params),
            path=path or "/",
            query=parse_qsl(query, keep_blank_values=True),
            body=params.get("body", ""),
            variables=params.get("stageVariables", {}),
            context=params.get("additionalContext", {}),
        )
        started = asyncio.get_running_loop().time()
        answer = await self._ask(call, api_id, authorizer, test)
        latency_ms = round((asyncio.get_running_loop().time() - started) * 1_000)
        log = f"Execution log for request {call.request_id}\n" + "".join(f"{line}\n" for line in test.log)
        return {**answer, "log": log, "latency": latency_ms}

    async def _ask(self, call: Call, api_id: str, authorizer: Authorizer, test: _Test) -> dict[str, Any]:
        test.log.append(f"Starting authorizer: {authorizer.id}")
        if authorizer.type == COGNITO:
            return await self._verify(call, api_id, authorizer, test)
        event = _event(call, api_id, authorizer, test)
        if event is None:
            test.log.append("Unauthorized request: the identity source is missing or not valid")
            return {"clientStatus": _UNAUTHORIZED}
        if authorizer.credentials_arn:
            asked = await self._on_gateway(call, api_id, authorizer, test, json.dumps(event))
            if asked.status:
                test.log.append(f"Execution failed due to configuration error: {asked.detail}")
                return {"clientStatus": asked.status}
            return _read(asked.payload.encode(), asked.function_error, test)
        if self._functions is None:
            raise ServiceUnavailable("No function can be called here")
        function_arn = function_of(STAGE_VARIABLE.sub(lambda found: _variable(found, test), authorizer.uri))
        source_arn = f"arn:aws:execute-api:{call.region}:{call.account_id}:{api_id}/authorizers/{authorizer.id}"
        try:
            result = await self._functions.call(
                function_arn,
                json.dumps(event).encode(),
                service=PRINCIPAL,
                source_arn=source_arn,
                request_id=call.request_id,
            )
        except ServiceError as error:
            test.log.append(f"Execution failed due to configuration error: {error.message}")
            return {"clientStatus": _FAILED}
        return _read(result.payload, result.function_error, test)

    async def _verify(self, call: Call, api_id: str, authorizer: Authorizer, test: _Test) -> dict[str, Any]:
        asked = await self._on_gateway(call, api_id, authorizer, test, "")
        if asked.status:
            test.log.append(f"Unauthorized request: {call.request_id}: {asked.detail}")
            return {"clientStatus": asked.status}
        test.log.append(f"Using valid authorizer token of user {asked.claims.get('sub', '')}")
        return {"clientStatus": 0, "claims": dict(asked.claims)}

    async def _on_gateway(
        self, call: Call, api_id: str, authorizer: Authorizer, test: _Test, event: str
    ) -> AuthorizerTestResult:
        if self._tests is None:
            raise ServiceUnavailable("No gateway is there that could ask the authorizer")
        return await self._tests.test_authorizer(
            AuthorizerTest(
                authorizer=authorizer_to_json(authorizer),
                account_id=call.account_id,
                region=call.region,
                api_id=api_id,
                headers=test.headers,
                stage_variables=test.variables,
                event=event,
            )
        )


def _event(call: Call, api_id: str, authorizer: Authorizer, test: _Test) -> dict[str, Any] | None:
    """Give the function's event, or None when the identity source refuses the request."""
    method_arn = f"arn:aws:execute-api:{call.region}:{call.account_id}:{api_id}/{STAGE}/GET{test.path}"
    if authorizer.type == "TOKEN":
        name = authorizer.identity_source.removeprefix(_HEADER).lower()
        token = next((value for key, value in test.headers if key.lower() == name), "")
        if not token or not _is_valid(authorizer.identity_validation_expression, token):
            return None
        return {"type": "TOKEN", "authorizationToken": token, "methodArn": method_arn}
    sources = [each.strip() for each in authorizer.identity_source.split(",") if each.strip()]
    if not all(_has(each, test) for each in sources):
        return None
    return {
        "type": "REQUEST",
        "methodArn": method_arn,
        "resource": test.path,
        "path": test.path,
        "httpMethod": "GET",
        "headers": dict(test.headers),
        "multiValueHeaders": _several(test.headers),
        "queryStringParameters": dict(test.query),
        "multiValueQueryStringParameters": _several(test.query),
        "pathParameters": {},
        "stageVariables": dict(test.variables),
        "requestContext": {
            "accountId": call.account_id,
            "apiId": api_id,
            "httpMethod": "GET",
            "path": test.path,
            "requestId": call.request_id,
            "resourcePath": test.path,
            "stage": STAGE,
            **test.context,
        },
    }


def _has(source: str, test: _Test) -> bool:
    place, _, name = source.rpartition(".")
    if place.endswith("header"):
        return any(key.lower() == name.lower() and value for key, value in test.headers)
    if place.endswith("querystring"):
        return any(key == name and value for key, value in test.query)
    return bool(test.variables.get(name)) if place == "stageVariables" else True


def _several(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _is_valid(expression: str, token: str) -> bool:
    if not expression:
        return True
    import re2

    return bool(re2.fullmatch(expression, token))


def _variable(found: re.Match[str], test: _Test) -> str:
    name = found[0].removeprefix("${stageVariables.").removesuffix("}")
    if name not in test.variables:
        raise BadRequestException(f"Invalid stage variable: {name} is not given")
    return test.variables[name]


def _read(payload: bytes, function_error: str, test: _Test) -> dict[str, Any]:
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError):
        answer = None
    if function_error:
        said = answer.get("errorMessage") if isinstance(answer, dict) else None
        test.log.append(f"Execution failed: the authorizer's function failed with {said!r}")
        return {"clientStatus": _UNAUTHORIZED if said == "Unauthorized" else _FAILED}
    policy = answer.get("policyDocument") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(policy, dict) or not isinstance(answer.get("principalId"), str):
        test.log.append("Execution failed due to configuration error: Invalid JSON in the authorizer's response")
        return {"clientStatus": _FAILED}
    text = json.dumps(policy, separators=(",", ":"))
    if len(text.encode()) > POLICY_BYTES_MAX:
        test.log.append("Execution failed due to configuration error: the authorizer's policy is too long")
        return {"clientStatus": _FAILED}
    test.log.append(f"Using valid authorizer policy for principal: {answer['principalId'][:6]}…")
    return {"clientStatus": 0, "principalId": answer["principalId"], "policy": text}
