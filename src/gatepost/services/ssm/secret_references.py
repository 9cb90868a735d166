"""Secrets by way of Parameter Store: `/aws/reference/secretsmanager/NAME`, with a version id or stage after a colon.

Who asks needs Secrets Manager's permission for the secret as well as Parameter Store's for the reference.
https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import orjson

from gatepost.kernel.errors import ServiceError, ValidationException
from gatepost.kernel.operations import Call
from gatepost.kernel.ports import Operations
from gatepost.services.ssm.errors import ParameterNotFound

PREFIX: Final = "/aws/reference/secretsmanager/"
_ABSENT: Final = frozenset({"ResourceNotFoundException", "InvalidRequestException"})
_VERSION_ID_CHARACTERS: Final = 32  # at least; stages that are as long are taken for one


async def secret_parameter(operations: Operations, call: Call, asked: str, *, is_open: bool) -> dict[str, Any]:
    """Give a secret as a parameter.

    Raises: ParameterNotFound, ValidationException, and what GetSecretValue refuses with.
    """
    if not is_open:
        raise ValidationException("WithDecryption flag must be True for retrieving a Secret Manager secret.")
    name, _, selector = asked.removeprefix(PREFIX).partition(":")
    params: dict[str, Any] = {"SecretId": name}
    if selector:
        is_id = len(selector) >= _VERSION_ID_CHARACTERS
        params["VersionId" if is_id else "VersionStage"] = selector
    try:
        secret = await operations.invoke(
            call.principal,
            "secretsmanager",
            "GetSecretValue",
            params,
            region=call.region,
            called_via=("ssm.amazonaws.com",),
        )
    except ServiceError as error:
        if error.code in _ABSENT:
            raise ParameterNotFound(
                f"An error occurred (ParameterNotFound) when referencing Secrets Manager: Secret {asked} not found."
            ) from error
        raise
    value = secret.get("SecretString")
    return {
        "Name": f"{PREFIX}{name}",
        "Type": "SecureString",
        "Value": base64.b64encode(secret["SecretBinary"]).decode() if value is None else value,
        "Version": 0,
        **({"Selector": f":{selector}"} if selector else {}),
        "SourceResult": orjson.dumps(_source(secret)).decode(),
        "LastModifiedDate": secret["CreatedDate"],
        "ARN": secret["ARN"],
        "DataType": "text",
    }


def _source(secret: Mapping[str, Any]) -> dict[str, Any]:
    """Give Secrets Manager's answer as JSON's own values."""
    told = dict(secret)
    told["CreatedDate"] = secret["CreatedDate"] / 1000
    if "SecretBinary" in told:
        told["SecretBinary"] = base64.b64encode(told["SecretBinary"]).decode()
    return told
