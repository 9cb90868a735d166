"""What STS says no with. Codes and statuses are those of botocore's model, and of AWS's common errors."""

from __future__ import annotations

from gatepost.kernel.errors import ServiceError


class MalformedPolicyDocumentException(ServiceError):
    """A session policy breaks the policy grammar."""

    code = "MalformedPolicyDocument"
    status = 400


class PackedPolicyTooLargeException(ServiceError):
    """Session policies and tags together are too long."""

    code = "PackedPolicyTooLarge"
    status = 400


class InvalidIdentityTokenException(ServiceError):
    """A token proves nothing: no provider issued it, or it was changed, or it is for someone else."""

    code = "InvalidIdentityToken"
    status = 400


class IDPCommunicationErrorException(ServiceError):
    """The identity provider that has to vouch for a token cannot be reached."""

    code = "IDPCommunicationError"
    status = 400


class ExpiredTokenException(ServiceError):
    """A token's time is over."""

    code = "ExpiredTokenException"
    status = 400


class ValidationError(ServiceError):
    """A parameter breaks a rule that the model does not state."""

    code = "ValidationError"
    status = 400


class InvalidParameterValue(ServiceError):
    """A parameter's value cannot be."""

    code = "InvalidParameterValue"
    status = 400
