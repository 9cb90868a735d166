"""What a Lambda authorizer's function returned, checked and compiled.

Source: "Output from an API Gateway Lambda authorizer"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html): `principalId`
and `policyDocument`, and perhaps `context`, whose values are strings, numbers or booleans ("You cannot set a JSON
object or array as a valid value of any key"), and `usageIdentifierKey`. At most 8 KB
(https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from gatepost.gateway.authorizer_result import AuthorizerResult, claim_text
from gatepost.gateway.responses import AUTHORIZER_CONFIGURATION_ERROR, Refusal
from gatepost.languages.iam_policy import PolicyError, parse_policy

OUTPUT_BYTES_MAX: Final = 8 * 1024


def parse_output(payload: bytes, *, authorizer_id: str, name: str) -> AuthorizerResult:
    """Check and compile what the function returned. `name` is the policy's in explanations.

    Raises: Refusal, AUTHORIZER_CONFIGURATION_ERROR.
    """
    if len(payload) > OUTPUT_BYTES_MAX:
        raise _invalid(f"it has {len(payload)} bytes, more than {OUTPUT_BYTES_MAX}")
    try:
        output = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise _invalid("it is no JSON") from error
    if not isinstance(output, dict):
        raise _invalid("it is no object")
    principal_id = output.get("principalId")
    if not isinstance(principal_id, str) or not principal_id:
        raise _invalid("principalId is not a string")
    document = output.get("policyDocument")
    if not isinstance(document, dict):
        raise _invalid("policyDocument is not an object")
    key = output.get("usageIdentifierKey")
    if key is not None and not isinstance(key, str):
        raise _invalid("usageIdentifierKey is not a string")
    try:
        policy = parse_policy(orjson.dumps(document).decode(), "identity", name=name)
    except PolicyError as error:
        raise _invalid(f"policyDocument: {error}") from error
    return AuthorizerResult(
        authorizer_id, principal_id, _context(output.get("context")), policy=policy, usage_identifier_key=key or ""
    )


def _context(value: Any) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _invalid("context is not an object")
    for name, each in value.items():
        if not isinstance(each, str | int | float):  # bool is an int; null is refused with the rest: unverified
            raise _invalid(f"context.{name[:64]} is {type(each).__name__}: use a string, a number or a boolean")
    return {name: claim_text(each) for name, each in value.items()}


def _invalid(why: str) -> Refusal:
    return Refusal(
        AUTHORIZER_CONFIGURATION_ERROR,
        detail=f"Execution failed due to configuration error: the authorizer's output is not valid: {why}",
    )
