"""Which code and status an error has in each family of protocols.

`ServiceError`s that no service models (a wrong signature, a denied access, an invalid parameter) have one class each in
`awsapi/errors.py` and `kernel/errors.py`; here they get the name and status that each protocol gives them.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html ; statuses of the JSON protocols are
unverified beyond DynamoDB's (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from gatepost.awsapi.shapes import ServiceModel, Shape
from gatepost.kernel.errors import ServiceError

QUERY: Final = {
    "AccessDeniedException": ("AccessDenied", 403),
    "ExpiredTokenException": ("ExpiredToken", 403),
    "ExpiredToken": ("ExpiredToken", 403),
    "IncompleteSignatureException": ("IncompleteSignature", 403),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", 403),
    "UnrecognizedClientException": ("InvalidClientTokenId", 403),
    "SerializationException": ("MalformedInput", 400),
    "UnknownOperationException": ("InvalidAction", 400),
    "ValidationException": ("ValidationError", 400),
}
REST: Final = {
    "AccessDeniedException": ("AccessDeniedException", 403),
    "ExpiredTokenException": ("ExpiredTokenException", 403),
    "ExpiredToken": ("ExpiredTokenException", 403),
    "IncompleteSignatureException": ("IncompleteSignatureException", 403),
    "InvalidSignatureException": ("InvalidSignatureException", 403),
    "MissingAuthenticationTokenException": ("MissingAuthenticationTokenException", 403),
    "UnrecognizedClientException": ("UnrecognizedClientException", 403),
    "UnknownOperationException": ("UnknownOperationException", 404),
}
JSON: Final = {"ExpiredToken": ("ExpiredTokenException", 400)}


class RenderedError(NamedTuple):
    """An error as one service tells it in one family of protocols. `shape` is None when the model has none."""

    code: str
    status: int
    shape: Shape | None


def rendered(error: ServiceError, model: ServiceModel | None, family: dict[str, tuple[str, int]]) -> RenderedError:
    """Find code, status and shape of `error`."""
    shape = model.exception(error.code) if model is not None else None
    if shape is not None:
        return RenderedError(error.code, error.status, shape)
    code, status = family.get(error.code, (error.code, error.status))
    return RenderedError(code, status, None)


CAPITALIZED: Final = frozenset({"AccessDeniedException", "SerializationException"})  # as coral writes them; unverified


def message_name(code: str, shape: Shape | None) -> str:
    """Give the name of the member that holds an exception's message, in the model's own case."""
    if shape is not None:
        for name, member in shape.members.items():
            if name.lower() == "message":
                return member.wire_name
    return "Message" if code in CAPITALIZED else "message"
