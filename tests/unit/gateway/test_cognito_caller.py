"""Who a caller is in an identity pool."""

from __future__ import annotations

import pytest

from gatepost.gateway.cognito_caller import PROVIDER, CognitoCaller, cognito_caller
from gatepost.kernel.operations import Principal

POOL, IDENTITY = "us-east-1:pool", "us-east-1:identity"
USERS = "cognito-idp.us-east-1.amazonaws.com/us-east-1_A"


def a_caller(*keys: tuple[str, str | tuple[str, ...]]) -> Principal:
    return Principal("assumed-role", "1", "arn", "AROA:CognitoIdentityCredentials", provider_keys=keys)


def keys_of(*amr: str) -> tuple[tuple[str, str | tuple[str, ...]], ...]:
    return (f"{PROVIDER}:aud", POOL), (f"{PROVIDER}:sub", IDENTITY), (f"{PROVIDER}:amr", amr)


def test_a_user_has_providers_and_a_guest_has_none() -> None:
    user = cognito_caller(a_caller(*keys_of("authenticated", USERS, f"{USERS}:CognitoSignIn:ann")))
    assert user == CognitoCaller(IDENTITY, POOL, "authenticated", f"{USERS},{USERS}:CognitoSignIn:ann")
    assert cognito_caller(a_caller(*keys_of("unauthenticated"))) == CognitoCaller(
        IDENTITY, POOL, "unauthenticated", None
    )


@pytest.mark.parametrize(
    "caller",
    [
        None,
        a_caller(),
        a_caller(*keys_of()),
        a_caller(*keys_of("authenticated")[:2]),
        a_caller((f"{USERS}:aud", "web")),
    ],
)
def test_other_callers_are_nobody_there(caller: Principal | None) -> None:
    assert cognito_caller(caller) is None
