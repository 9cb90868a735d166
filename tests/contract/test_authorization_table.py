"""Every AWS operation that we have stands in a table: which actions on which resources it needs, and by which keys.

`tests/contract/authorization/<service>.txt` holds a line for each, worked out from the provider itself with a request
that has only what the model requires. A new operation fails until its line was written and reviewed against AWS's
Service Authorization Reference (https://docs.aws.amazon.com/service-authorization/latest/reference/); so does one that
asks for something else than before. WRITE_AUTHORIZATION=1 in the environment writes the tables anew.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from gatepost.awsapi import shapes
from gatepost.kernel.operations import Call, Principal, operations_of
from tests.unit.app.test_services_core import a_core

TABLES = Path(__file__).parent / "authorization"
MODELS = Path(shapes.__file__).parent / "models"
ACCOUNT = "000000000000"
ROOT = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ana", "AIDAANA", "AKIAANA", name="ana")

# What needs no permission on AWS either. STS: "No permissions are required to perform this operation". Cognito: "Amazon
# Cognito doesn't evaluate Identity and Access Management (IAM) policies in requests for this API operation": they are
# authorized by a token, a code or a secret in the request.
FREE = {
    "sts": ["AssumeRoleWithWebIdentity", "GetCallerIdentity", "GetSessionToken"],
    "cognito-identity": ["GetCredentialsForIdentity", "GetId", "GetOpenIdToken", "UnlinkIdentity"],
    "cognito-idp": [
        "AssociateSoftwareToken",
        "ChangePassword",
        "CompleteWebAuthnRegistration",
        "ConfirmDevice",
        "ConfirmForgotPassword",
        "ConfirmSignUp",
        "DeleteUser",
        "DeleteUserAttributes",
        "DeleteWebAuthnCredential",
        "ForgetDevice",
        "ForgotPassword",
        "GetDevice",
        "GetTokensFromRefreshToken",
        "GetUser",
        "GetUserAttributeVerificationCode",
        "GetUserAuthFactors",
        "GlobalSignOut",
        "InitiateAuth",
        "ListDevices",
        "ListWebAuthnCredentials",
        "ResendConfirmationCode",
        "RespondToAuthChallenge",
        "RevokeToken",
        "SetUserMFAPreference",
        "SetUserSettings",
        "SignUp",
        "StartWebAuthnRegistration",
        "UpdateDeviceStatus",
        "UpdateUserAttributes",
        "VerifySoftwareToken",
        "VerifyUserAttribute",
    ],
}


TEXTS = {"Statement": 'SELECT * FROM "Statement"', "Key": "Key", "TagKeys": "TagKeys", "": "text"}
GIVEN = {"TransactWriteItems": {"TransactItems": [{"Put": {"TableName": "TableName", "Item": {}}}]}}


def sample(model: dict[str, Any], name: str, member: str = "", depth: int = 0) -> Any:
    """Give the least value that a shape takes."""
    shape = model["shapes"][name]
    kind = shape["type"]
    if kind == "structure":
        return {
            each: sample(model, shape["members"][each]["shape"], each, depth + 1) for each in shape.get("required", ())
        }
    if kind == "list":
        return [sample(model, shape["member"]["shape"], member, depth + 1)] if depth < 6 else []
    if kind == "map":
        return {sample(model, shape["key"]["shape"]): sample(model, shape["value"]["shape"], "", depth + 1)}
    if kind == "string":
        return shape["enum"][0] if shape.get("enum") else text_of(member)
    return {"boolean": True, "blob": b"x", "timestamp": 0}.get(kind, 1)


def text_of(member: str) -> str:
    if member in TEXTS:
        return TEXTS[member]
    if member.lower().endswith(("arn", "arns", "role")):
        return f"arn:aws:iam::{ACCOUNT}:role/{member}"
    return member


def line_of(provider: Any, model: dict[str, Any], operation: str) -> str:
    """Give an operation's line: its actions on their resources, with the keys that a policy may look at."""
    given = model["operations"][operation].get("input")
    params = GIVEN.get(operation) or (sample(model, given["shape"]) if given else {})
    call = Call(provider.service, operation, ACCOUNT, "us-east-1", ROOT, "r", 0)
    found = []
    for access in provider.access(call, params):
        context = access.context
        keys = sorted(context) if isinstance(context, dict) else ["(worked out on demand)"]
        found.append(f"{access.action} {access.resource}" + (f" [{', '.join(keys)}]" if keys else ""))
    return f"{operation}: {'; '.join(found) or 'free'}"


def tables() -> dict[str, list[str]]:
    """Give every service's lines."""

    async def whole(folder: Path) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        async with a_core(folder) as core:
            for provider in core._providers:
                path = MODELS / f"{provider.service}.service-2.json.gz"
                model = json.loads(gzip.decompress(path.read_bytes()))
                found[provider.service] = [line_of(provider, model, name) for name in sorted(operations_of(provider))]
        return found

    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(whole(Path(folder)))


@pytest.fixture(scope="module")
def found() -> dict[str, list[str]]:
    return tables()


def test_every_operation_has_the_line_that_was_reviewed(found: dict[str, list[str]]) -> None:
    if os.environ.get("WRITE_AUTHORIZATION"):
        for service, lines in found.items():
            (TABLES / f"{service}.txt").write_text("\n".join(lines) + "\n")
    for service, lines in found.items():
        path = TABLES / f"{service}.txt"
        assert path.exists(), f"{service} has no table: write and review it"
        assert "\n".join(lines) + "\n" == path.read_text(), f"review the change and write {path.name} anew"
    assert {path.stem for path in TABLES.glob("*.txt")} == set(found)


def test_only_what_aws_leaves_open_needs_no_permission(found: dict[str, list[str]]) -> None:
    free = {
        f"{service}:{line.partition(':')[0]}"
        for service, lines in found.items()
        for line in lines
        if line.endswith(": free")
    }
    assert free == {f"{service}:{name}" for service, names in FREE.items() for name in names}


def test_actions_are_those_of_the_service_or_of_what_it_passes_on(found: dict[str, list[str]]) -> None:
    vendors = {
        "apigatewayv2": "apigateway",
        "cloudwatch": "cloudwatch",
        "dynamodbstreams": "dynamodb",
    }
    passed_on = {"iam:PassRole", "lambda:InvokeFunction", "acm:DescribeCertificate"}
    for service, lines in found.items():
        for line in lines:
            for part in line.partition(": ")[2].split("; "):
                action = part.split(" ")[0]
                assert (
                    action == "free" or action in passed_on or action.split(":")[0] == vendors.get(service, service)
                ), line
