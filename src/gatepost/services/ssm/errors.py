"""What Parameter Store says no with. Codes and statuses are those of botocore's model of the service."""

from __future__ import annotations

from gatepost.kernel.errors import ServiceError


class ParameterNotFound(ServiceError):
    """There is no such parameter."""

    code = "ParameterNotFound"
    status = 400


class ParameterVersionNotFound(ServiceError):
    """The parameter has no such version or label."""

    code = "ParameterVersionNotFound"
    status = 400


class ParameterAlreadyExists(ServiceError):
    """The parameter is there, and Overwrite was not set."""

    code = "ParameterAlreadyExists"
    status = 400


class ParameterLimitExceeded(ServiceError):
    """There are as many parameters as an account may have."""

    code = "ParameterLimitExceeded"
    status = 400


class ParameterMaxVersionLimitExceeded(ServiceError):
    """A hundred versions, and the oldest one has a label."""

    code = "ParameterMaxVersionLimitExceeded"
    status = 400


class ParameterVersionLabelLimitExceeded(ServiceError):
    """A version has ten labels at most."""

    code = "ParameterVersionLabelLimitExceeded"
    status = 400


class ParameterPatternMismatchException(ServiceError):
    """The value does not match AllowedPattern."""

    code = "ParameterPatternMismatchException"
    status = 400


class InvalidAllowedPatternException(ServiceError):
    """AllowedPattern is no regular expression."""

    code = "InvalidAllowedPatternException"
    status = 400


class HierarchyLevelLimitExceededException(ServiceError):
    """A name has fifteen levels at most."""

    code = "HierarchyLevelLimitExceededException"
    status = 400


class HierarchyTypeMismatchException(ServiceError):
    """A parameter's type does not change."""

    code = "HierarchyTypeMismatchException"
    status = 400


class UnsupportedParameterType(ServiceError):
    """The type is not one of three."""

    code = "UnsupportedParameterType"
    status = 400


class InvalidKeyId(ServiceError):
    """A KMS key that is not there, or a value that was sealed with another key."""

    code = "InvalidKeyId"
    status = 400


class InvalidFilterKey(ServiceError):
    """A filter by what there is no filter for."""

    code = "InvalidFilterKey"
    status = 400


class InvalidFilterOption(ServiceError):
    """A filter's option that its key does not have."""

    code = "InvalidFilterOption"
    status = 400


class InvalidFilterValue(ServiceError):
    """A filter's value that its key cannot have, or none at all."""

    code = "InvalidFilterValue"
    status = 400


class PoliciesLimitExceededException(ServiceError):
    """A parameter has ten policies at most."""

    code = "PoliciesLimitExceededException"
    status = 400


class InvalidPolicyTypeException(ServiceError):
    """A policy of a type that there is not."""

    code = "InvalidPolicyTypeException"
    status = 400


class InvalidPolicyAttributeException(ServiceError):
    """A policy's time cannot be."""

    code = "InvalidPolicyAttributeException"
    status = 400


class IncompatiblePolicyException(ServiceError):
    """Two policies that cannot be together, or one that needs another."""

    code = "IncompatiblePolicyException"
    status = 400


class ServiceSettingNotFound(ServiceError):
    """There is no such setting of the service."""

    code = "ServiceSettingNotFound"
    status = 400


class InvalidNextToken(ServiceError):
    """A page token is none of ours."""

    code = "InvalidNextToken"
    status = 400


class InvalidResourceType(ServiceError):
    """Tags of other resources than parameters."""

    code = "InvalidResourceType"
    status = 400


class InvalidResourceId(ServiceError):
    """Tags of a parameter that is not there."""

    code = "InvalidResourceId"
    status = 400


class TooManyTagsError(ServiceError):
    """A parameter has fifty tags at most."""

    code = "TooManyTagsError"
    status = 400


class TooManyUpdates(ServiceError):
    """The parameter was changed by another request meanwhile."""

    code = "TooManyUpdates"
    status = 400
