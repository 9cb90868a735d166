"""The exceptions of DynamoDB Streams."""

from __future__ import annotations

from gatepost.kernel.errors import ServiceError


class ResourceNotFoundException(ServiceError):
    """The stream or shard does not exist."""

    code = "ResourceNotFoundException"
    status = 400


class ExpiredIteratorException(ServiceError):
    """A shard iterator is older than 15 minutes."""

    code = "ExpiredIteratorException"
    status = 400


class TrimmedDataAccessException(ServiceError):
    """What was asked for is older than 24 hours and gone."""

    code = "TrimmedDataAccessException"
    status = 400
