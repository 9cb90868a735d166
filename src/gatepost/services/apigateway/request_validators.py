"""Request validators: which parts of a request the gateway checks for the methods that name them.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-validation-set-up.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.ids import random_id
from gatepost.kernel.operations import Call
from gatepost.services.apigateway.deployment import RequestValidator
from gatepost.services.apigateway.model import (
    BadRequestException,
    ConflictException,
    Definition,
    LimitExceededException,
    NotFoundException,
)
from gatepost.services.apigateway.paging import paged
from gatepost.services.apigateway.patches import PatchTable, boolean, rule
from gatepost.services.apigateway.records import ApiRecords

VALIDATORS_MAX: Final = 300  # of one API: a bound of ours, AWS publishes none
NAME_CHARACTERS_MAX: Final = 1_024  # a bound of ours

NOT_FOUND: Final = "Invalid Request Validator identifier specified"


class RequestValidators:
    """The operations on request validators."""

    def __init__(self, records: ApiRecords) -> None:
        self._records = records

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Add a validator. Raises: NotFoundException, BadRequestException, LimitExceededException."""
        validator = RequestValidator(
            id=random_id(6),
            name=params.get("name", ""),
            validates_body=params.get("validateRequestBody", False),
            validates_parameters=params.get("validateRequestParameters", False),
        )
        check_validator(validator)

        def change(definition: Definition) -> tuple[Definition, dict[str, Any]]:
            return with_validator(definition, validator), to_aws(validator)

        return await self._records.change_definition(call, params["restApiId"], change)

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a validator. Raises: NotFoundException."""
        definition = (await self._records.definition(call, params["restApiId"])).value
        return to_aws(_validator_of(definition, params["requestValidatorId"]))

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of an API's validators, by id. Raises: NotFoundException, BadRequestException."""
        definition = (await self._records.definition(call, params["restApiId"])).value
        page, position = paged(definition.request_validators, params)
        answer: dict[str, Any] = {"items": [to_aws(each) for each in page]}
        return answer | position

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a validator. Raises: NotFoundException, BadRequestException."""

        def change(definition: Definition) -> tuple[Definition, dict[str, Any]]:
            changed = PATCHES.apply(_validator_of(definition, params["requestValidatorId"]), params)
            check_validator(changed)
            return with_validator(definition, changed), to_aws(changed)

        return await self._records.change_definition(call, params["restApiId"], change)

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take away a validator that no method names. Raises: NotFoundException, ConflictException."""
        validator_id = params["requestValidatorId"]

        def change(definition: Definition) -> tuple[Definition, None]:
            _validator_of(definition, validator_id)
            for resource in definition.resources.values():
                for method in resource.methods:
                    if method.request_validator_id == validator_id:
                        where = f"{method.http_method} {resource.path}"
                        raise ConflictException(
                            f"Cannot delete request validator '{validator_id}', is referenced in method: {where}"
                        )
            kept = {name: each for name, each in definition.request_validators.items() if name != validator_id}
            return replace(definition, request_validators=kept), None

        await self._records.change_definition(call, params["restApiId"], change)


def check_validator(validator: RequestValidator) -> None:
    """Check that a validator can be called what it is called. Raises: BadRequestException."""
    if len(validator.name) > NAME_CHARACTERS_MAX:
        raise BadRequestException(f"Request validator name must have at most {NAME_CHARACTERS_MAX} characters")


def with_validator(definition: Definition, validator: RequestValidator) -> Definition:
    """Give `definition` with `validator` added, or in place of the one with its id. Raises: LimitExceededException."""
    validators = {**definition.request_validators, validator.id: validator}
    if len(validators) > VALIDATORS_MAX:
        raise LimitExceededException(f"At most {VALIDATORS_MAX} request validators are allowed in an API")
    return replace(definition, request_validators=validators)


def to_aws(validator: RequestValidator) -> dict[str, Any]:
    """Give the shape RequestValidator."""
    shape: dict[str, Any] = {"id": validator.id}
    if validator.name:
        shape["name"] = validator.name
    return shape | {
        "validateRequestBody": validator.validates_body,
        "validateRequestParameters": validator.validates_parameters,
    }


def _validator_of(definition: Definition, validator_id: str) -> RequestValidator:
    validator = definition.request_validators.get(validator_id)
    if validator is None:
        raise NotFoundException(NOT_FOUND)
    return validator


PATCHES: Final[PatchTable[RequestValidator]] = PatchTable(
    (
        rule("/name", "replace", lambda held, patch: replace(held, name=patch.value)),
        rule("/validateRequestBody", "replace", lambda held, patch: replace(held, validates_body=boolean(patch))),
        rule(
            "/validateRequestParameters",
            "replace",
            lambda held, patch: replace(held, validates_parameters=boolean(patch)),
        ),
    )
)
