"""Whatever strangers send to user pools is answered as Cognito would: with an error of its own, never by breaking."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from gatepost.awsapi.shapes import ServiceModels
from gatepost.kernel.errors import ServiceError
from gatepost.services.cognito_idp.access import UNSIGNED
from tests.support.user_pools import PASSWORD, Aws, with_pools

TEXTS = [
    "",
    "ann",
    "nobody",
    PASSWORD,
    "a" * 3_000,
    "\x1f",
    "us-east-1_Pool\x1fann",
    "\x00",
    "é",
    "١٢٣",
    "0",
    "-1",
    "f" * 700,
    "a.b.c",
    "eyJhbGciOiJub25lIn0.e30.",
    "{}",
    "[]",
    "null",
    "' OR 1=1 --",
    "../../etc/passwd",
    "A" * 64,
    "000000",
]
KEYS = [
    "USERNAME",
    "PASSWORD",
    "SRP_A",
    "SECRET_HASH",
    "REFRESH_TOKEN",
    "DEVICE_KEY",
    "PREFERRED_CHALLENGE",
    "ANSWER",
    "CREDENTIAL",
    "NEW_PASSWORD",
    "userAttributes.email",
    "userAttributes.sub",
    "SMS_MFA_CODE",
    "EMAIL_OTP_CODE",
    "SOFTWARE_TOKEN_MFA_CODE",
    "TIMESTAMP",
    "PASSWORD_CLAIM_SIGNATURE",
    "PASSWORD_CLAIM_SECRET_BLOCK",
]


def made_up(shape: Any, chance: random.Random, known: dict[str, list[str]], name: str = "", depth: int = 0) -> Any:
    """Make a value of a shape, mostly of its type."""
    if depth > 4:
        return "x"
    match shape.type:
        case "structure":
            required = set(shape.required or ())
            return {
                member: made_up(inner.shape, chance, known, member, depth + 1)
                for member, inner in shape.members.items()
                if member in required or chance.random() < 0.5
            }
        case "list":
            return [made_up(shape.element.shape, chance, known, name, depth + 1) for _ in range(chance.randrange(3))]
        case "map":
            return {key: chance.choice(known["values"]) for key in chance.sample(KEYS, chance.randrange(8))}
        case "boolean":
            return chance.random() < 0.5
        case "integer" | "long":
            return chance.randrange(-1, 70)
    if shape.enum:
        return chance.choice(list(shape.enum))
    return chance.choice(known.get(name, known["values"]))


async def scenario(aws: Aws, seed: int, rounds: int) -> int:
    chance = random.Random(seed)
    flows = ("ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_USER_AUTH", "ALLOW_REFRESH_TOKEN_AUTH")
    factors = {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP", "WEB_AUTHN"]}}
    await aws.a_pool(AutoVerifiedAttributes=["email"], AliasAttributes=["email"], Policies=factors)
    await aws.a_client(*flows)
    await aws.a_user(email="ann@example.com", email_verified="true")
    model = ServiceModels().get("cognito-idp")
    assert model is not None
    tokens = await aws.sign_in()
    known = {
        "values": TEXTS,
        "ClientId": [aws.client_id] * 8 + ["other"],
        "AccessToken": [tokens["AccessToken"], tokens["IdToken"], "x"],
        "RefreshToken": [tokens["RefreshToken"], "x"],
        "Token": ["x", tokens["AccessToken"]],
        "Username": ["ann", "nobody", "ann@example.com"],
        "Session": ["x" * 64],
    }
    answered = 0
    for _ in range(rounds):
        operation = chance.choice(sorted(UNSIGNED - {"DeleteUser", "GlobalSignOut"}))
        shape = model.operation(operation).input  # type: ignore[union-attr]
        try:
            told = await aws(operation, **made_up(shape, chance, known))
        except ServiceError as error:
            if error.status >= 500:
                raise AssertionError(f"{operation} breaks") from error
            continue
        answered += 1
        if told.get("Session"):
            known["Session"].append(told["Session"])
    return answered


@pytest.mark.parametrize("seed", [1, 2])
def test_strangers_never_break_anything(tmp_path: Path, seed: int) -> None:
    assert with_pools(tmp_path, lambda aws: scenario(aws, seed, 400)) > 0


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10, 30))
def test_strangers_never_break_anything_for_long(tmp_path: Path, seed: int) -> None:
    assert with_pools(tmp_path, lambda aws: scenario(aws, seed, 3_000)) > 0
