"""What access logs tell of the phases before an integration: authentication, the authorizer, authorization.

| variable | what it speaks of |
|---|---|
| `authenticate.…` | the signature of methods with AWS_IAM |
| `authorizer.…` | the Lambda authorizer or the user pool's token |
| `authorize.…` | policies: the caller's, the authorizer's, the API's |

A phase that a request has not come to, or that its method does not have, has no value. Phases that wait for nobody take
less than a millisecond: their latency is 0.
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
Unverified: which phase AWS counts a user pool's token and a signature without permission among.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gatepost.gateway.authorizer_result import AUTHORIZER
from gatepost.gateway.exchange import CALLER, Exchange
from gatepost.gateway.guards.authorizer_policy import AuthorizerPolicyGuard
from gatepost.gateway.guards.cognito_authorizer import CognitoAuthorizerGuard
from gatepost.gateway.guards.invoke_permission import InvokePermissionGuard
from gatepost.gateway.guards.lambda_authorizer import LambdaAuthorizerGuard
from gatepost.gateway.guards.resource_policy import ExplicitDenyGuard, ResourcePolicyGuard
from gatepost.gateway.guards.signature import SignatureGuard
from gatepost.gateway.responses import AUTHORIZER_FAILURE, Verdict
from gatepost.wire.messages import Response

Reader = Callable[[Exchange, Response], Any]
Guards = tuple[type, ...]

_OK: Final = 200
_AUTHENTICATE: Final[Guards] = (SignatureGuard,)
_AUTHORIZER: Final[Guards] = (LambdaAuthorizerGuard, CognitoAuthorizerGuard)
_AUTHORIZE: Final[Guards] = (AuthorizerPolicyGuard, InvokePermissionGuard, ExplicitDenyGuard, ResourcePolicyGuard)


def _refusal_in(exchange: Exchange, guards: Guards) -> Verdict | None:
    """Give the verdict when one of these guards refused."""
    verdict: Verdict | None = exchange.verdict
    if verdict is None or not exchange.decisions:
        return None
    by, _ = exchange.decisions[-1]
    return verdict if isinstance(by, guards) else None


def _passed(exchange: Exchange, guards: Guards) -> bool:
    if guards is _AUTHENTICATE:
        return exchange.has(CALLER)
    if guards is _AUTHORIZER:
        return exchange.has(AUTHORIZER)
    return (exchange.has(CALLER) or exchange.has(AUTHORIZER)) and _refusal_in(exchange, _AUTHORIZE) is None


def _status(guards: Guards) -> Reader:
    def read(exchange: Exchange, _response: Response) -> int | None:
        refusal = _refusal_in(exchange, guards)
        if refusal is not None:
            return refusal.kind.status
        return _OK if _passed(exchange, guards) else None

    return read


def _error(guards: Guards) -> Reader:
    def read(exchange: Exchange, _response: Response) -> str | None:
        refusal = _refusal_in(exchange, guards)
        return None if refusal is None else refusal.message or refusal.kind.name

    return read


def _latency(guards: Guards) -> Reader:
    def read(exchange: Exchange, _response: Response) -> int | None:
        if guards is _AUTHORIZER and exchange.has(AUTHORIZER):
            return exchange.read(AUTHORIZER).latency_ms
        return 0 if _passed(exchange, guards) or _refusal_in(exchange, guards) is not None else None

    return read


def _integration_status(exchange: Exchange, _response: Response) -> int | None:
    """Give what Lambda said of the authorizer's function: only what was asked now has a status."""
    refusal = _refusal_in(exchange, (LambdaAuthorizerGuard,))
    if refusal is not None:
        return _OK if refusal.kind is AUTHORIZER_FAILURE else None
    if not exchange.has(AUTHORIZER):
        return None
    result = exchange.read(AUTHORIZER)
    return None if result.claims is not None or result.is_remembered else _OK


def _request_id(exchange: Exchange, _response: Response) -> str | None:
    return (exchange.read(AUTHORIZER).request_id or None) if exchange.has(AUTHORIZER) else None


PHASES: Final[dict[str, Reader]] = {
    "authenticate.error": _error(_AUTHENTICATE),
    "authenticate.latency": _latency(_AUTHENTICATE),
    "authenticate.status": _status(_AUTHENTICATE),
    "authorize.error": _error(_AUTHORIZE),
    "authorize.latency": _latency(_AUTHORIZE),
    "authorize.status": _status(_AUTHORIZE),
    "authorizer.error": _error(_AUTHORIZER),
    "authorizer.integrationStatus": _integration_status,
    "authorizer.latency": _latency(_AUTHORIZER),
    "authorizer.requestId": _request_id,
    "authorizer.status": _status(_AUTHORIZER),
}
