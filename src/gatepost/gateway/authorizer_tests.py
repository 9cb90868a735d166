"""Asking an authorizer of an API about a made-up request (TestInvokeAuthorizer), with what only a gateway has.

That is the keys of user pools, and the sessions of roles by which functions are called (`authorizerCredentials`). The
authorizer is compiled for this one question: nothing is remembered, and no deployed stage is touched.

Source: https://docs.aws.amazon.com/apigateway/latest/api/API_TestInvokeAuthorizer.html. A test names no method, hence
no scopes: tokens of user pools have to be id tokens, as methods without scopes take them (unverified).
"""

from __future__ import annotations

from typing import Final

from gatepost.gateway.authorizer_result import AUTHORIZER
from gatepost.gateway.backends.lambda_proxy import function_arn
from gatepost.gateway.deadline import DeadlinePassed, within
from gatepost.gateway.exchange import Exchange
from gatepost.gateway.guards.cognito_authorizer import CognitoAuthorizer, CognitoAuthorizerGuard
from gatepost.gateway.guards.function_grant import for_role
from gatepost.gateway.guards.lambda_authorizer import TIMEOUT_MS
from gatepost.gateway.mapping import MappingError, resolve_stage_variables
from gatepost.gateway.parts import Parts
from gatepost.gateway.request_ids import RequestIds
from gatepost.gateway.responses import AUTHORIZER_CONFIGURATION_ERROR, AUTHORIZER_FAILURE, Refusal
from gatepost.gateway.route import StageFacts
from gatepost.kernel.errors import ServiceError, remote_error
from gatepost.kernel.ports import AuthorizerTest, AuthorizerTestResult, Invocation
from gatepost.services.apigateway.deployment import Authorizer, authorizer_from_json
from gatepost.wire.messages import Request

STAGE: Final = "test-invoke-stage"


async def test_authorizer(test: AuthorizerTest, parts: Parts, ids: RequestIds) -> AuthorizerTestResult:
    """Ask an authorizer. Raises: ServiceError when it cannot work at all."""
    declared = authorizer_from_json(test.authorizer)
    stage = StageFacts(test.account_id, test.region, test.api_id, "", STAGE, "", dict(test.stage_variables))
    exchange = _exchange(test, parts, ids)
    try:
        if declared.type == "COGNITO_USER_POOLS":
            return _verified(declared, stage, parts, exchange)
        return await _asked(declared, stage, parts, exchange, test.event)
    except MappingError as error:
        raise remote_error("BadRequestException", 400, str(error)) from error
    except Refusal as refusal:
        return AuthorizerTestResult(refusal.kind.status, refusal.detail)


def _verified(declared: Authorizer, stage: StageFacts, parts: Parts, exchange: Exchange) -> AuthorizerTestResult:
    if parts.pools is None:
        raise MappingError("this gateway was built without user pools")
    CognitoAuthorizerGuard(CognitoAuthorizer(declared, stage, parts.pools), ()).check(exchange)
    return AuthorizerTestResult(0, claims=dict(exchange.read(AUTHORIZER).claims or {}))


async def _asked(
    declared: Authorizer, stage: StageFacts, parts: Parts, exchange: Exchange, event: str
) -> AuthorizerTestResult:
    function = function_arn(declared.uri, stage)
    role_arn = resolve_stage_variables(declared.credentials_arn, stage)
    grant = for_role(parts.role_sessions, parts.signatures, role_arn=role_arn, function_arn=function, stage=stage)
    try:
        grant.check(exchange)
    except Refusal as refusal:
        raise Refusal(AUTHORIZER_CONFIGURATION_ERROR, detail=refusal.detail) from refusal
    invocation = Invocation(function, event.encode(), exchange.request_id)
    try:
        answered = await within(
            parts.invoker.invoke(invocation), timeout_ms=TIMEOUT_MS, tasks=parts.tasks, name="test authorizer"
        )
    except DeadlinePassed as passed:
        raise Refusal(AUTHORIZER_FAILURE, detail=str(passed)) from passed
    except ServiceError as refused:
        raise Refusal(AUTHORIZER_CONFIGURATION_ERROR, detail=f"{refused.code}: {refused.message}") from refused
    text = answered.payload.decode("utf-8", "replace")
    return AuthorizerTestResult(0, payload=text, function_error=answered.function_error)


def _exchange(test: AuthorizerTest, parts: Parts, ids: RequestIds) -> Exchange:
    headers = [(name.encode("latin-1", "replace"), value.encode("utf-8", "replace")) for name, value in test.headers]
    request = Request("GET", "/", headers, b"", client_ip="test-invoke-source-ip")
    return Exchange(request, ids.next(), ids.next_extended(), parts.clock.now_ms(), parts.clock.monotonic_ns())
