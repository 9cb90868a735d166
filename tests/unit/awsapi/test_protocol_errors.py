"""An error gets the code, status and message member of its service and protocol."""

from __future__ import annotations

import pytest

from gatepost.awsapi.errors import SerializationException, UnknownOperationException
from gatepost.awsapi.protocols.errors import JSON, QUERY, REST, message_name, rendered
from gatepost.awsapi.shapes import ServiceModels
from gatepost.kernel.errors import AccessDeniedException, ServiceError, UnsupportedOperation, ValidationException

MODELS = ServiceModels()


@pytest.mark.parametrize(
    ("error", "family", "expected"),
    [
        (AccessDeniedException(), JSON, ("AccessDeniedException", 400)),
        (AccessDeniedException(), REST, ("AccessDeniedException", 403)),
        (AccessDeniedException(), QUERY, ("AccessDenied", 403)),
        (ValidationException(), JSON, ("ValidationException", 400)),
        (ValidationException(), REST, ("ValidationException", 400)),
        (ValidationException(), QUERY, ("ValidationError", 400)),
        (UnknownOperationException(), JSON, ("UnknownOperationException", 400)),
        (UnknownOperationException(), REST, ("UnknownOperationException", 404)),
        (SerializationException(), QUERY, ("MalformedInput", 400)),
        (UnsupportedOperation(), QUERY, ("NotImplemented", 501)),
    ],
)
def test_common_errors_have_each_familys_name(
    error: ServiceError, family: dict[str, tuple[str, int]], expected: tuple[str, int]
) -> None:
    assert rendered(error, None, family)[:2] == expected


def test_an_error_that_the_service_models_is_left_as_it_is() -> None:
    assert rendered(AccessDeniedException(), MODELS.get("logs"), REST)[:2] == ("AccessDeniedException", 400)


@pytest.mark.parametrize(
    ("service", "code", "name"),
    [
        ("lambda", "ResourceNotFoundException", "Message"),
        ("lambda", "InvalidParameterValueException", "message"),
        ("dynamodb", "TransactionCanceledException", "Message"),
        ("apigateway", "NotFoundException", "message"),
    ],
)
def test_the_message_member_is_written_as_in_the_model(service: str, code: str, name: str) -> None:
    model = MODELS.get(service)
    assert model is not None
    assert message_name(code, model.exception(code)) == name
