"""Lambda's records and errors: what a function is, and the ways in which Lambda says no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from gatepost.kernel.errors import ServiceError

FUNCTION: Final = "function"  # the topic under which the gateway hears of functions, and the kind of the record
VERSION: Final = "function_version"  # the kind of record of published versions; their topic is FUNCTION
ALIAS: Final = "function_alias"  # topic and kind of record
EVENT_INVOKE: Final = "event_invoke_config"  # kind of record
FUNCTION_URL: Final = "function_url"  # topic and kind of record
LAYER: Final = "layer"  # kind of record
LAYER_VERSION: Final = "layer_version"  # kind of record
PROVISIONED: Final = "provisioned_concurrency"  # topic and kind of record
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


class ProvisionedConcurrencyConfigNotFoundException(ServiceError):
    """No workers stand ready for this version or alias."""

    code = "ProvisionedConcurrencyConfigNotFoundException"
    status = 404


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
    version: str = LATEST  # a published version is a Function with a number here and a qualified ARN
    last_version: int = 0  # of $LATEST: the number that was published last, deleted or not
    last_version_digest: str = ""  # of $LATEST: what that version was, to see whether anything has changed since

    dead_letter_arn: str = ""  # AWS: DeadLetterConfig.TargetArn
    tracing_mode: str = "PassThrough"  # AWS: TracingConfig.Mode
    kms_key_arn: str = ""  # as named: the environment is sealed by Gatepost's own key
    layers: Sequence[Mapping[str, Any]] = ()  # each with arn, sha256, bytes, unzipped_bytes; a later one wins
    state_reason: str = ""  # what an active function lacks to work; empty: nothing that is known
    node_sdk: str = ""  # the set of packages of the runtime's that the code lacks (`node_sdk.py`); empty: none
    reserved_concurrency: int | None = None  # of $LATEST: for all versions together; None: the account's

    @property
    def base_arn(self) -> str:
        """The unqualified ARN."""
        return self.arn if self.version == LATEST else self.arn.rpartition(":")[0]

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store and for the gateway."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Function:
        """Read what `to_json` gave."""
        return cls(**value)


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for a version, or for two by chance. `weights` has the other version's share, 0.0 to 1.0."""

    name: str
    arn: str  # the function's with the alias as qualifier
    function_version: str
    revision_id: str
    description: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    policy: str = ""
    policy_revision_id: str = ""

    @property
    def base_arn(self) -> str:
        """The function's unqualified ARN."""
        return self.arn.rpartition(":")[0]

    def version_for(self, chance: float) -> str:
        """Give the version that one invocation goes to. `chance` is from 0.0 to below 1.0."""
        for version, weight in self.weights.items():
            if chance < weight:
                return version
        return self.function_version

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store and for the gateway."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Alias:
        """Read what `to_json` gave."""
        return cls(**value)


@dataclass(frozen=True, slots=True)
class FunctionUrl:
    """A function's own address. `arn` is that of the function, or of the alias that it is for."""

    arn: str
    url_id: str
    auth_type: str  # NONE or AWS_IAM
    created_at_ms: int
    modified_at_ms: int
    cors: Mapping[str, Any] = field(default_factory=dict)  # AWS's Cors; empty: the function sees to it
    invoke_mode: str = "BUFFERED"

    @property
    def region(self) -> str:
        """Where it is."""
        return self.arn.split(":")[3]

    @property
    def account_id(self) -> str:
        """Whose it is."""
        return self.arn.split(":")[4]

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store and for the gateway."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FunctionUrl:
        """Read what `to_json` gave."""
        return cls(**value)
