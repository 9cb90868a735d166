"""What PutMetricData takes: checked, and turned into points.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html ; the sentences are those that
AWS is known to answer where they begin with "The parameter", "The collection" or "No metric", the others unverified.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gatepost.services.cloudwatch.model import (
    DAY_S,
    MINUTE_S,
    UNIT_NUMBERS,
    InvalidParameterCombinationException,
    InvalidParameterValueException,
    Metric,
    MissingRequiredParameterException,
    Point,
    dimensions_of,
)
from gatepost.services.cloudwatch.statistics import Statistics, of_set, of_values

DATA_MAX: Final = 1_000
VALUES_MAX: Final = 150
VALUE_MAX: Final = 2.0**360
AGE_MS_MAX: Final = 14 * DAY_S * 1000
AHEAD_MS_MAX: Final = 2 * 3_600_000
_WAYS: Final = ("Value", "StatisticValues", "Values")


def points_of(params: Mapping[str, Any], *, account_id: str, region: str, now_ms: int) -> list[Point]:
    """Give the points of one call.

    Raises: InvalidParameterValueException, InvalidParameterCombinationException, MissingRequiredParameterException.
    """
    for name in ("EntityMetricData", "StrictEntityValidation"):
        if params.get(name):
            raise InvalidParameterValueException(f"{name} is not supported by Gatepost: leave it out")
    namespace, data = params["Namespace"], params.get("MetricData") or []
    if not data:
        raise MissingRequiredParameterException("The parameter MetricData is required.")
    if namespace.startswith("AWS/"):
        raise InvalidParameterValueException("The value AWS/ for parameter Namespace is invalid.")
    if len(data) > DATA_MAX:
        raise InvalidParameterValueException(f"The collection MetricData must not have a size greater than {DATA_MAX}.")
    return [
        Point(
            _metric(namespace, datum, f"MetricData.member.{number}", account_id=account_id, region=region),
            _minute(datum.get("Timestamp"), f"MetricData.member.{number}.Timestamp", now_ms),
            UNIT_NUMBERS[datum.get("Unit", "None")],
            _statistics(datum, f"MetricData.member.{number}"),
        )
        for number, datum in enumerate(data, 1)
    ]


def _metric(namespace: str, datum: Mapping[str, Any], place: str, *, account_id: str, region: str) -> Metric:
    resolution = datum.get("StorageResolution", MINUTE_S)
    if resolution != MINUTE_S:
        raise InvalidParameterValueException(
            f"The parameter {place}.StorageResolution must be 60: Gatepost keeps no points of one second"
            if resolution == 1
            else f"The parameter {place}.StorageResolution must be a value in the set [ 1, 60 ]."
        )
    given: Sequence[Mapping[str, str]] = datum.get("Dimensions", ())
    texts = [(f"{place}.MetricName", datum["MetricName"])]
    for number, dimension in enumerate(given, 1):
        texts += [(f"{place}.Dimensions.member.{number}.{part}", dimension[part]) for part in ("Name", "Value")]
        if dimension["Name"].startswith(":"):
            raise InvalidParameterValueException(
                f"The parameter {place}.Dimensions.member.{number}.Name must not begin with a colon."
            )
    for name, text in texts:
        if not text.isascii() or not text.isprintable():
            raise InvalidParameterValueException(f"The parameter {name} must contain only ASCII characters.")
        if not text.strip():
            raise InvalidParameterValueException(f"The parameter {name} must contain a character that is not white.")
    return Metric(account_id, region, namespace, datum["MetricName"], dimensions_of(given))


def _minute(at_ms: int | None, place: str, now_ms: int) -> int:
    if at_ms is None:
        at_ms = now_ms
    if at_ms < now_ms - AGE_MS_MAX:
        raise InvalidParameterValueException(f"The parameter {place} must specify a time within the past two weeks.")
    if at_ms > now_ms + AHEAD_MS_MAX:
        raise InvalidParameterValueException(
            f"The parameter {place} must specify a time no more than two hours in the future."
        )
    at_s = at_ms // 1000
    return at_s - at_s % MINUTE_S


def _statistics(datum: Mapping[str, Any], place: str) -> Statistics:
    given = [name for name in _WAYS if datum.get(name) is not None]
    if not given:
        raise InvalidParameterCombinationException(
            f"At least one of the parameters {place}.Value, {place}.Values and {place}.StatisticValues must be "
            "specified."
        )
    if len(given) > 1:
        raise InvalidParameterCombinationException(
            f"The parameters {place}.{given[0]} and {place}.{given[1]} are mutually exclusive and you have specified "
            "both."
        )
    if datum.get("Counts") is not None and given[0] != "Values":
        raise InvalidParameterCombinationException(f"The parameter {place}.Counts needs {place}.Values.")
    if given[0] == "Value":
        return of_values({_value(datum["Value"], f"{place}.Value"): 1})
    if given[0] == "Values":
        return _of_values(datum, place)
    return _of_set(datum["StatisticValues"], f"{place}.StatisticValues")


def _of_values(datum: Mapping[str, Any], place: str) -> Statistics:
    values, counts = datum["Values"], datum.get("Counts")
    if not 1 <= len(values) <= VALUES_MAX:
        raise InvalidParameterValueException(
            f"The collection {place}.Values must not have a size less than 1 or greater than {VALUES_MAX}."
        )
    if counts is None:
        counts = [1] * len(values)
    if len(counts) != len(values):
        raise InvalidParameterValueException(
            f"The parameters {place}.Values and {place}.Counts must have the same number of members."
        )
    found: dict[float, float] = {}
    for number, (value, count) in enumerate(zip(values, counts, strict=True), 1):
        value = _value(value, f"{place}.Values.member.{number}")
        if _value(count, f"{place}.Counts.member.{number}") <= 0:
            raise InvalidParameterValueException(f"The parameter {place}.Counts.member.{number} must be more than 0.")
        found[value] = found.get(value, 0) + count
    return of_values(found)


def _of_set(told: Mapping[str, float], place: str) -> Statistics:
    samples, total, lowest, highest = (
        _value(told[name], f"{place}.{name}") for name in ("SampleCount", "Sum", "Minimum", "Maximum")
    )
    if samples <= 0:
        raise InvalidParameterValueException(f"The parameter {place}.SampleCount must be more than 0.")
    if lowest > highest:
        raise InvalidParameterValueException(
            f"The parameter {place}.Maximum must be greater than or equal to {place}.Minimum."
        )
    return of_set(samples, total, lowest, highest)


def _value(value: float, place: str) -> float:
    if not math.isfinite(value) or abs(value) > VALUE_MAX:
        raise InvalidParameterValueException(f"The parameter {place} must be a number from -2^360 to 2^360.")
    return float(value)
