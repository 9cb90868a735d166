"""The exceptions of API Gateway V2's operations."""

from __future__ import annotations

from gatepost.kernel.errors import ServiceError


class BadRequestException(ServiceError):
    """The request says something that cannot be."""

    code = "BadRequestException"
    status = 400


class NotFoundException(ServiceError):
    """There is no such thing."""

    code = "NotFoundException"
    status = 404
