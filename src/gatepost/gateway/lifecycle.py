"""The order in which guards look at a request, per kind of API and authorization type, as tables to read.

The REST line on AWS is: WAF, route, resource policy (explicit deny), authorizer, resource policy with the
authorizer's result, API key, plan method throttle, plan throttle, quota, stage method throttle, account
throttle, parameters, body, cache, integration. The tables hold what exists here; a method that declares
something else is refused when it is compiled, never served without it.

AWS evaluates a resource policy differently per authorization type: API Gateway developer guide, "How API
Gateway resource policies affect authorization workflow"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from gatepost.gateway.exchange import Facts
from gatepost.gateway.plan import Backend, Guard

ENDPOINT: Final = "endpoint"
EXPLICIT_DENY: Final = "explicit_deny"
LAMBDA_AUTHORIZER: Final = "lambda_authorizer"
AUTHORIZER_POLICY: Final = "authorizer_policy"
COGNITO_AUTHORIZER: Final = "cognito_authorizer"
SIGNATURE: Final = "signature"
INVOKE_PERMISSION: Final = "invoke_permission"
RESOURCE_POLICY: Final = "resource_policy"
ADDRESS: Final = "address"
ADDRESS_REFUND: Final = "address_refund"
API_KEY: Final = "api_key"
THROTTLE: Final = "throttle"
ARN_LENGTH: Final = "arn_length"
UNPACK: Final = "unpack"
PARAMETERS: Final = "parameters"
BODY: Final = "body"
FUNCTION_GRANT: Final = "function_grant"

# Whoever a method lets in goes on by the same line.
ONCE_LET_IN: Final = (API_KEY, ADDRESS_REFUND, THROTTLE, UNPACK, PARAMETERS, BODY, FUNCTION_GRANT)

REST_GUARDS: Final[Mapping[str, Sequence[str]]] = {
    # Without an authorizer the policy alone decides: it must allow, and nothing in it may deny.
    "NONE": (
        ENDPOINT,
        ADDRESS,
        RESOURCE_POLICY,
        *ONCE_LET_IN,
    ),
    # With IAM the caller's policies and the resource policy are evaluated together, once the caller is known.
    "AWS_IAM": (
        ENDPOINT,
        ADDRESS,
        ARN_LENGTH,
        SIGNATURE,
        INVOKE_PERMISSION,
        *ONCE_LET_IN,
    ),
    # What the policy denies never reaches the authorizer; then its policy and the resource policy decide together.
    "CUSTOM": (
        ENDPOINT,
        ADDRESS,
        ARN_LENGTH,
        EXPLICIT_DENY,
        LAMBDA_AUTHORIZER,
        AUTHORIZER_POLICY,
        *ONCE_LET_IN,
    ),
    # Once the token is verified, "the resource policy is evaluated independently, and an explicit allow is required".
    "COGNITO_USER_POOLS": (
        ENDPOINT,
        ADDRESS,
        ARN_LENGTH,
        COGNITO_AUTHORIZER,
        RESOURCE_POLICY,
        *ONCE_LET_IN,
    ),
}


class OrderError(Exception):
    """A guard or backend needs a fact that nothing before it writes."""


def check_order(guards: Sequence[Guard], backend: Backend) -> None:
    """Let a line of guards pass in which everyone finds the facts it needs. Raises: OrderError."""
    written: set[object] = set()
    for part in guards:
        _check_needs(part, part.needs, written)
        for fact in part.writes:
            if fact in written:
                raise OrderError(f"{part!r} writes {fact}, which an earlier guard writes too")
            written.add(fact)
    _check_needs(backend, backend.needs, written)


def _check_needs(part: object, needs: Facts, written: set[object]) -> None:
    for fact in needs:
        if fact not in written:
            raise OrderError(f"{part!r} needs {fact}, and no earlier guard writes it")
