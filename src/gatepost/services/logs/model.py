"""CloudWatch Logs' errors, limits and names.

Limits: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from gatepost.kernel.arn import parse_arn
from gatepost.kernel.errors import ServiceError

DAY_MS: Final = 86_400_000
EVENT_BYTES_MAX: Final = 1_048_576
EVENT_OVERHEAD_BYTES: Final = 26
BATCH_BYTES_MAX: Final = 1_048_576
BATCH_EVENTS_MAX: Final = 10_000
EVENT_AGE_MS_MAX: Final = 14 * DAY_MS
EVENT_AHEAD_MS_MAX: Final = 2 * 3_600_000
RETENTION_DAYS: Final = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
PAGE_EVENTS_MAX: Final = 10_000
PAGE_BYTES_MAX: Final = 1_048_576
TAGS_MAX: Final = 50
_GROUP_NAME: Final = re.compile(r"[\.\-_/#A-Za-z0-9]{1,512}", re.ASCII)
_STREAM_NAME: Final = re.compile(r"[^:*]{1,512}")


class InvalidParameterException(ServiceError):
    """A parameter cannot be used."""

    code = "InvalidParameterException"
    status = 400


class ResourceNotFoundException(ServiceError):
    """There is no such group or stream."""

    code = "ResourceNotFoundException"
    status = 400


class ResourceAlreadyExistsException(ServiceError):
    """It exists already."""

    code = "ResourceAlreadyExistsException"
    status = 400


class LimitExceededException(ServiceError):
    """There would be more than a group or an account may have."""

    code = "LimitExceededException"
    status = 400


class MalformedQueryException(ServiceError):
    """A query cannot be read."""

    code = "MalformedQueryException"
    status = 400


class TooManyTagsException(ServiceError):
    """A resource has at most 50 tags."""

    code = "TooManyTagsException"
    status = 400


@dataclass(frozen=True, slots=True)
class GroupName:
    """Which log group, of whom."""

    account_id: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """The ARN without the `:*` that IAM resources end in."""
        return f"arn:aws:logs:{self.region}:{self.account_id}:log-group:{self.name}"


def group_of(text: str, *, account_id: str, region: str) -> GroupName | None:
    """Read a log group's name or ARN (with or without `:*`); None when it is neither."""
    if not text.startswith("arn:"):
        return GroupName(account_id, region, text) if _GROUP_NAME.fullmatch(text) else None
    arn = parse_arn(text)
    if arn is None or arn.service != "logs" or not arn.resource.startswith("log-group:"):
        return None
    name = arn.resource.removeprefix("log-group:").removesuffix(":*")
    return GroupName(arn.account_id, arn.region, name) if _GROUP_NAME.fullmatch(name) else None


def check_stream_name(name: str) -> None:
    """Refuse a stream name with a colon or an asterisk. Raises: InvalidParameterException."""
    if not _STREAM_NAME.fullmatch(name):
        raise InvalidParameterException(
            "1 validation error detected: Value at 'logStreamName' failed to satisfy constraint: Member must satisfy "
            "regular expression pattern: [^:*]*"
        )
