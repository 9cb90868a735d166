"""Lambda's records and errors: what a function is, and the ways in which Lambda says no."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from gatepost.kernel.errors import ServiceError

FUNCTION: Final = "function"  # the topic under which the gateway hears of functions, and the kind of the record
LATEST: Final = "$LATEST"


class InvalidParameterValueException(ServiceError):
    """A parameter cannot be used."""

    code = "InvalidParameterValueException"
    status = 400


class ResourceNotFoundException(ServiceError):
    """There is no such function, version or policy."""

    code = "ResourceNotFoundException"
    status = 404


class ResourceConflictException(ServiceError):
    """It exists already, or is being changed."""

    code = "ResourceConflictException"
    status = 409


class PreconditionFailedException(ServiceError):
    """The RevisionId is not the latest."""

    code = "PreconditionFailedException"
    status = 412


class PolicyLengthExceededException(ServiceError):
    """The resource policy would outgrow 20 KB."""

    code = "PolicyLengthExceededException"
    status = 400


class CodeStorageExceededException(ServiceError):
    """There is no room for more code."""

    code = "CodeStorageExceededException"
    status = 400


class TooManyRequestsException(ServiceError):
    """Every place in which the function may run is taken."""

    code = "TooManyRequestsException"
    status = 429


class RequestTooLargeException(ServiceError):
    """The payload is over Lambda's limit."""

    code = "RequestTooLargeException"
    status = 413


class InvalidRequestContentException(ServiceError):
    """The payload is no JSON."""

    code = "InvalidRequestContentException"
    status = 400


class InvalidRuntimeException(ServiceError):
    """The function's runtime cannot run here."""

    code = "InvalidRuntimeException"
    status = 502


class InvalidZipFileException(ServiceError):
    """The function's code cannot be unpacked."""

    code = "InvalidZipFileException"
    status = 502


class ServiceException(ServiceError):
    """Lambda itself failed."""

    code = "ServiceException"
    status = 500


class LambdaAccessDenied(ServiceError):
    """The function's role does not let Lambda in. Unverified: which code AWS answers an invocation with then."""

    code = "AccessDeniedException"
    status = 403


@dataclass(frozen=True, slots=True)
class Function:
    """One function as stored and published. Times in ms, sizes in the unit of the name."""

    name: str
    arn: str
    region: str
    account_id: str
    runtime: str
    handler: str
    role_arn: str
    code_sha256: str  # hex; AWS shows it as base64
    code_bytes: int
    revision_id: str
    modified_at_ms: int
    description: str = ""
    timeout_s: int = 3
    memory_mb: int = 128
    ephemeral_storage_mb: int = 512
    environment: Mapping[str, str] = field(default_factory=dict)
    architecture: str = "x86_64"
    log_group: str = ""
    log_format: str = "Text"
    application_log_level: str = ""
    system_log_level: str = ""
    policy: str = ""  # JSON of the resource policy; empty: none
    policy_revision_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store and for the gateway."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Function:
        """Read what `to_json` gave."""
        return cls(**value)
