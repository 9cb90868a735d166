"""The three ways to say no: an operation's `ServiceError`, the gateway's `Refusal`, and a lost dependency."""

from __future__ import annotations

from typing import ClassVar


class ServiceError(Exception):
    """An operation says no. Each AWS exception is a subclass beside the records of its service.

    `code` is AWS's error code as it goes over the wire, `status` its HTTP status. `message` is for the
    caller; `detail` is for our log only. `members` are further modelled members of the exception's shape
    (`CancellationReasons`, `Item`).
    """

    code: ClassVar[str] = "InternalFailure"
    status: ClassVar[int] = 500

    def __init__(self, message: str = "", *, detail: str = "", members: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.members = members or {}


class AccessDeniedException(ServiceError):
    """The caller is known and may not do this. `evidence` explains why, to those who may ask."""

    code = "AccessDeniedException"
    status = 400
    evidence: object = None


class ValidationException(ServiceError):
    """The input breaks a rule that the service model states."""

    code = "ValidationException"
    status = 400


class InternalFailure(ServiceError):
    """Something broke that is not the caller's fault."""

    code = "InternalFailure"
    status = 500


class ServiceUnavailable(ServiceError):
    """A dependency of the operation is lost: nothing was changed, and trying again later may work."""

    code = "ServiceUnavailable"
    status = 503


class UnsupportedOperation(ServiceError):
    """AWS has this operation and Gatepost does not."""

    code = "NotImplemented"
    status = 501


class StateUnavailable(Exception):
    """The shared state (token buckets, leases) did not answer in time."""


class StoreUnavailable(Exception):
    """The store could not read or could not sync: nothing may be acknowledged."""


class StoreFull(StoreUnavailable):
    """There is no room left on the store's disk: reads go on, writes wait for someone to make room."""


class VersionConflict(Exception):
    """A record was changed, created or deleted by someone else since it was read."""


class SettingsError(Exception):
    """A setting, file or directory of the operator's is wrong. The text says what would be right."""


def remote_error(code: str, status: int, message: str, *, members: dict[str, object] | None = None) -> ServiceError:
    """Rebuild a `ServiceError` that was raised in another process."""
    kind: type[ServiceError] = type(code, (ServiceError,), {"code": code, "status": status, "__doc__": "From afar."})
    return kind(message, members=members)
