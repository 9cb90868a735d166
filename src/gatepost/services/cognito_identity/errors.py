"""Identity pools' exceptions: one class for each, as botocore's model lists them."""

from __future__ import annotations

from gatepost.kernel.errors import ServiceError


class ConcurrentModificationException(ServiceError):
    """Two calls changed the same thing at once."""

    code = "ConcurrentModificationException"
    status = 400


class DeveloperUserAlreadyRegisteredException(ServiceError):
    """The developer's user belongs to another identity."""

    code = "DeveloperUserAlreadyRegisteredException"
    status = 400


class ExternalServiceException(ServiceError):
    """An identity provider elsewhere does not answer."""

    code = "ExternalServiceException"
    status = 400


class InvalidIdentityPoolConfigurationException(ServiceError):
    """No role can be had by the pool's settings."""

    code = "InvalidIdentityPoolConfigurationException"
    status = 400


class InvalidParameterException(ServiceError):
    """A parameter cannot be used."""

    code = "InvalidParameterException"
    status = 400


class LimitExceededException(ServiceError):
    """There would be too many."""

    code = "LimitExceededException"
    status = 400


class NotAuthorizedException(ServiceError):
    """The caller has not proved to be the one who may do this."""

    code = "NotAuthorizedException"
    status = 400


class ResourceConflictException(ServiceError):
    """A login belongs to another identity."""

    code = "ResourceConflictException"
    status = 400


class ResourceNotFoundException(ServiceError):
    """There is no such pool or identity."""

    code = "ResourceNotFoundException"
    status = 400
