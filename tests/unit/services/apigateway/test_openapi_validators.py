from __future__ import annotations

import pytest

from gatepost.services.apigateway.deployment import RequestValidator
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.openapi_validators import VALIDATOR, VALIDATORS, read_validators, validator_name

DECLARED = {
    "all": {"validateRequestBody": True, "validateRequestParameters": "true"},
    "body": {"validateRequestBody": True},
}


def test_validators_are_read_by_their_names() -> None:
    assert read_validators({VALIDATORS: DECLARED}) == (
        RequestValidator("", "all", validates_body=True, validates_parameters=True),
        RequestValidator("", "body", validates_body=True),
    )


def test_an_operations_own_validator_wins_over_the_documents() -> None:
    document = {VALIDATORS: DECLARED, VALIDATOR: "all"}
    assert validator_name(document, {}) == "all"
    assert validator_name(document, {VALIDATOR: "body"}) == "body"
    assert validator_name({}, {}) == ""


@pytest.mark.parametrize(
    "declared", [{"a": {"validateRequestBody": "maybe"}}, {"a": {"colour": True}}, {"a": []}, "all"]
)
def test_a_validator_that_cannot_be_is_refused(declared: object) -> None:
    with pytest.raises(BadRequestException):
        read_validators({VALIDATORS: declared})


def test_a_validator_that_is_not_declared_is_refused() -> None:
    with pytest.raises(BadRequestException, match="Unable to find request validator nobody"):
        validator_name({VALIDATORS: DECLARED}, {VALIDATOR: "nobody"})
