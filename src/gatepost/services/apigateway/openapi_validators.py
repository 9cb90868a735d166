"""`x-amazon-apigateway-request-validators` and which of them an operation names.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-request-validators.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.services.apigateway.deployment import RequestValidator
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.openapi_document import as_object, as_text

VALIDATORS: Final = "x-amazon-apigateway-request-validators"
VALIDATOR: Final = "x-amazon-apigateway-request-validator"

_FLAGS: Final = ("validateRequestBody", "validateRequestParameters")


def read_validators(document: Mapping[str, Any]) -> tuple[RequestValidator, ...]:
    """Read the validators that a document declares, without ids. Raises: BadRequestException."""
    found = []
    for name, given in as_object(document.get(VALIDATORS), VALIDATORS).items():
        flags = as_object(given, f"request validator {name}")
        unknown = [each for each in flags if each not in _FLAGS]
        if unknown:
            raise BadRequestException(f"Unknown property {unknown[0]} of request validator {name}")
        found.append(
            RequestValidator(
                id="",
                name=name,
                validates_body=_flag(flags.get(_FLAGS[0], False), name),
                validates_parameters=_flag(flags.get(_FLAGS[1], False), name),
            )
        )
    return tuple(found)


def validator_name(document: Mapping[str, Any], operation: Mapping[str, Any]) -> str:
    """Give the name of the validator of an operation, "" for none. Raises: BadRequestException."""
    name = as_text(operation.get(VALIDATOR, document.get(VALIDATOR)), VALIDATOR)
    if name and name not in as_object(document.get(VALIDATORS), VALIDATORS):
        raise BadRequestException(f"Unable to find request validator {name}")
    return name


def _flag(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text not in ("true", "false"):
        raise BadRequestException(f"Invalid OpenAPI input: a setting of request validator {name} is no true or false")
    return text == "true"
