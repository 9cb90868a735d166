"""What Secrets Manager says no with. Codes and statuses are those of botocore's model of the service."""

from __future__ import annotations

from gatepost.kernel.errors import ServiceError


class ResourceNotFoundException(ServiceError):
    """The request names a secret, a version or a stage that is not there."""

    code = "ResourceNotFoundException"
    status = 400


class ResourceExistsException(ServiceError):
    """There is a secret of that name, or a version of that token with another value."""

    code = "ResourceExistsException"
    status = 400


class InvalidParameterException(ServiceError):
    """A parameter's value is not valid, or not one that Gatepost acts on."""

    code = "InvalidParameterException"
    status = 400


class InvalidRequestException(ServiceError):
    """The request does not fit the secret's state."""

    code = "InvalidRequestException"
    status = 400


class InvalidNextTokenException(ServiceError):
    """A page token is none of ours."""

    code = "InvalidNextTokenException"
    status = 400


class LimitExceededException(ServiceError):
    """A quota of the account, or of the secret."""

    code = "LimitExceededException"
    status = 400


class DecryptionFailure(ServiceError):
    """A value was sealed with another key than ours."""

    code = "DecryptionFailure"
    status = 400


class MalformedPolicyDocumentException(ServiceError):
    """A resource policy breaks the grammar."""

    code = "MalformedPolicyDocumentException"
    status = 400


class PublicPolicyException(ServiceError):
    """A resource policy would let anyone in, and BlockPublicPolicy was set."""

    code = "PublicPolicyException"
    status = 400


def not_found() -> ResourceNotFoundException:
    """Give AWS's sentence for a secret that is not there."""
    return ResourceNotFoundException("Secrets Manager can't find the specified secret.")


def marked_deleted() -> InvalidRequestException:
    """Give AWS's sentence for a secret in its recovery window."""
    return InvalidRequestException("You can't perform this operation on the secret because it was marked for deletion.")
