"""CloudWatch's errors, limits, units and names.

Limits: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gatepost.kernel.errors import ServiceError
from gatepost.services.cloudwatch.statistics import Statistics

TOPIC: Final = "cloudwatch.metrics"
"""Under which gateways are told which store there is: `{"epoch": …}`, another one for each new store."""

DAY_S: Final = 86_400
MINUTE_S: Final = 60
FIVE_MINUTES_S: Final = 300
HOUR_S: Final = 3_600
RESOLUTIONS_S: Final = (MINUTE_S, FIVE_MINUTES_S, HOUR_S)
KEPT_S: Final[Mapping[int, int]] = {MINUTE_S: 15 * DAY_S, FIVE_MINUTES_S: 63 * DAY_S, HOUR_S: 455 * DAY_S}
"""How long points of each resolution are kept.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
"""

UNITS: Final = (
    "None",
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
)
"""A unit is stored as its place in here: add at the end only."""
UNIT_NUMBERS: Final[Mapping[str, int]] = {unit: number for number, unit in enumerate(UNITS)}


class InvalidParameterValueException(ServiceError):
    """A parameter has a value that cannot be."""

    code = "InvalidParameterValue"
    status = 400


class InvalidParameterCombinationException(ServiceError):
    """Parameters that do not go together."""

    code = "InvalidParameterCombination"
    status = 400


class MissingRequiredParameterException(ServiceError):
    """A parameter is missing."""

    code = "MissingParameter"
    status = 400


class ValidationError(ServiceError):
    """What GetMetricData says to all that is wrong."""

    code = "ValidationError"
    status = 400


class InvalidNextToken(ServiceError):
    """A token of no page of ours."""

    code = "InvalidNextToken"
    status = 400


class LimitExceededFault(ServiceError):
    """The store holds as many metrics as it may."""

    code = "LimitExceeded"
    status = 400


@dataclass(frozen=True, slots=True)
class Metric:
    """Whose points: a metric is its namespace, its name and all of its dimensions (sorted by name)."""

    account_id: str
    region: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    def to_aws(self) -> dict[str, Any]:
        """Give AWS's `Metric`."""
        return {
            "Namespace": self.namespace,
            "MetricName": self.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in self.dimensions],
        }


@dataclass(frozen=True, slots=True)
class Point:
    """What was observed of a metric in one minute. `source` is "" for what adds up with others of that minute."""

    metric: Metric
    at_s: int  # when the minute began
    unit: int
    statistics: Statistics
    source: str = ""


def dimensions_of(given: Sequence[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    """Read AWS's `Dimensions`. Raises: InvalidParameterValueException when a name is there twice."""
    found = tuple(sorted((one["Name"], one["Value"]) for one in given))
    if len({name for name, _ in found}) < len(found):
        raise InvalidParameterValueException("No metric may specify the same dimension name twice.")
    return found
