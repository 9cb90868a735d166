"""What ACM keeps of a certificate, what the gateway gets of it, and the exceptions of its operations."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Change
from gatepost.security.certificates import CertificateFacts
from gatepost.services.acm.publication import TLS_CERTIFICATE, tls_certificate

CERTIFICATE: Final = "acm.certificate"  # kind of record


class ResourceNotFoundException(ServiceError):
    """There is no such certificate."""

    code = "ResourceNotFoundException"
    status = 400


class ResourceInUseException(ServiceError):
    """A certificate that something uses cannot be deleted."""

    code = "ResourceInUseException"
    status = 400


class InvalidArnException(ServiceError):
    """The ARN is none of this account and region."""

    code = "InvalidArnException"
    status = 400


class AcmValidationException(ServiceError):
    """A certificate, chain, key or option cannot be used."""

    code = "ValidationException"
    status = 400


class InvalidParameterException(ServiceError):
    """A parameter cannot be used."""

    code = "InvalidParameterException"
    status = 400


class InvalidDomainValidationOptionsException(ServiceError):
    """A validation domain does not fit its domain."""

    code = "InvalidDomainValidationOptionsException"
    status = 400


class TooManyTagsException(ServiceError):
    """A certificate has at most 50 tags."""

    code = "TooManyTagsException"
    status = 400


class InvalidTagException(ServiceError):
    """A tag's key cannot be used."""

    code = "InvalidTagException"
    status = 400


class LimitExceededException(ServiceError):
    """The account holds as many certificates as it may."""

    code = "LimitExceededException"
    status = 400


class InvalidArgsException(ServiceError):
    """Arguments do not fit together."""

    code = "InvalidArgsException"
    status = 400


class RequestInProgressException(ServiceError):
    """The certificate was requested, and is not issued yet."""

    code = "RequestInProgressException"
    status = 400


class ConflictException(ServiceError):
    """Two requests of one token want different things."""

    code = "ConflictException"
    status = 400


class ServiceQuotaExceededException(ServiceError):
    """A certificate has at most 50 tags, by the newer operations."""

    code = "ServiceQuotaExceededException"
    status = 400


class InvalidStateException(ServiceError):
    """The certificate is not in a state for this."""

    code = "InvalidStateException"
    status = 400


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate. Times in ms; `sealed_key` is base64 and opens with the platform's seal only."""

    arn: str
    domain_name: str
    names: tuple[str, ...]
    type: str  # IMPORTED or AMAZON_ISSUED
    status: str  # ISSUED or PENDING_VALIDATION; FAILED in old records
    created_at_ms: int
    updated_at_ms: int  # imported again, or renewed
    body: str = ""  # PEM
    chain: str = ""
    sealed_key: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    validation_method: str = ""
    key_algorithm: str = ""
    failure_reason: str = ""
    transparency: str = "ENABLED"
    export: str = "DISABLED"
    idempotency_token: str = ""
    is_exported: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Give the record's value."""
        value = asdict(self)
        value["names"] = list(self.names)
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Certificate:
        """Read what `to_json` wrote."""
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        known["names"] = tuple(value["names"])
        return cls(**known)

    @property
    def id(self) -> str:
        """The last part of the ARN."""
        return self.arn.rpartition("/")[2]

    def published(self) -> Change:
        """Give what the gateway needs to speak TLS with it; None when it is no use."""
        if self.status != "ISSUED":
            return Change(TLS_CERTIFICATE, self.arn, None)
        return tls_certificate(self.arn, self.body + self.chain, self.sealed_key)


def facts_json(facts: CertificateFacts) -> dict[str, Any]:
    """Give what a certificate says as JSON values."""
    return asdict(facts)


def encoded(sealed: bytes) -> str:
    """Write sealed bytes as text for a record."""
    return base64.b64encode(sealed).decode("ascii")


def decoded(text: str) -> bytes:
    """Read what `encoded` wrote."""
    return base64.b64decode(text)
