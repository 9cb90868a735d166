"""What the AWS endpoint itself says no with, before any service is asked.

The codes are those of AWS's JSON protocols. The query protocol and the REST protocols say the same under other
names and statuses: `protocols/` translates.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from gatepost.kernel.errors import ServiceError


class SerializationException(ServiceError):
    """The body is not what the protocol says, or a value has another type than the model's."""

    code = "SerializationException"
    status = 400


class UnknownOperationException(ServiceError):
    """No such operation, target or path."""

    code = "UnknownOperationException"
    status = 400


class MissingAuthenticationTokenException(ServiceError):
    """The request is not signed, and the operation needs it."""

    code = "MissingAuthenticationTokenException"
    status = 400


class IncompleteSignatureException(ServiceError):
    """The signature's form is wrong."""

    code = "IncompleteSignatureException"
    status = 400


class InvalidSignatureException(ServiceError):
    """The signature is not that of this request, or not of this time."""

    code = "InvalidSignatureException"
    status = 400


class UnrecognizedClientException(ServiceError):
    """Nobody has this access key or session token."""

    code = "UnrecognizedClientException"
    status = 400


class RequestEntityTooLargeException(ServiceError):
    """The body is longer than the operation takes."""

    code = "RequestEntityTooLargeException"
    status = 413


class UntrustedHost(ServiceError):
    """The Host or Origin header is none that this endpoint answers to."""

    code = "UntrustedHost"
    status = 403
