"""What PutMetricData takes and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.kernel.errors import ServiceError
from tests.support.metrics import DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS, MetricsControl, with_metrics

SET = {"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 4}
ALL = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")


def put_and_read(tmp_path, *data: dict[str, Any], names: tuple[str, ...] = ALL, **params: Any) -> list[dict[str, Any]]:
    async def scenario(metrics: MetricsControl) -> Any:
        await metrics("PutMetricData", Namespace="Shop", MetricData=[{"MetricName": "Orders", **one} for one in data])
        return await metrics.statistics(*names, **params)

    return with_metrics(tmp_path, scenario)  # type: ignore[no-any-return]


def figures(point: dict[str, Any]) -> list[float]:
    return [point[name] for name in ALL]


def test_values_of_one_minute_add_up(tmp_path) -> None:
    (point,) = put_and_read(tmp_path, {"Value": 1}, {"Value": 3, "Timestamp": NOW_MS + 59_999})
    assert figures(point) == [2, 4, 2, 1, 3]
    assert (point["Timestamp"], point["Unit"]) == (NOW_MS, "None")


def test_values_with_counts_and_statistic_sets_add_up(tmp_path) -> None:
    (point,) = put_and_read(
        tmp_path, {"Values": [1, 5, 5], "Counts": [2, 1, 1]}, {"Values": [7]}, {"StatisticValues": SET}
    )
    assert figures(point) == [9, 29, 29 / 9, 1, 7]


def test_there_are_percentiles_of_values_and_none_of_sets(tmp_path) -> None:
    (point,) = put_and_read(tmp_path, {"Values": [1, 100], "Counts": [99, 1]}, names=("p50", "p99", "p99.9"))
    assert point["ExtendedStatistics"] == {"p50": 1, "p99": 1, "p99.9": 100}
    (tmp_path / "sets").mkdir()
    assert put_and_read(tmp_path / "sets", {"StatisticValues": SET}, names=("p50",)) == []


def test_units_are_kept_apart(tmp_path) -> None:
    data = ({"Value": 1, "Unit": "Seconds"}, {"Value": 1000, "Unit": "Milliseconds"})
    both = put_and_read(tmp_path, *data)
    assert {(point["Unit"], point["Sum"]) for point in both} == {("Seconds", 1), ("Milliseconds", 1000)}
    (tmp_path / "one").mkdir()
    (one,) = put_and_read(tmp_path / "one", *data, Unit="Seconds")
    assert (one["Unit"], one["Sum"]) == ("Seconds", 1)


def test_the_order_of_dimensions_does_not_matter_and_their_values_do(tmp_path) -> None:
    one, two = {"Name": "City", "Value": "Graz"}, {"Name": "Shop", "Value": "1"}
    data = (
        {"Value": 1, "Dimensions": [one, two]},
        {"Value": 2, "Dimensions": [two, one]},
        {"Value": 4, "Dimensions": [one]},
    )
    (point,) = put_and_read(tmp_path, *data, Dimensions=[two, one])
    assert point["Sum"] == 3


def test_the_last_two_weeks_and_the_next_two_hours_can_be_told(tmp_path) -> None:
    data = ({"Value": 1, "Timestamp": NOW_MS - 14 * DAY_MS}, {"Value": 2, "Timestamp": NOW_MS + 2 * HOUR_MS})
    points = put_and_read(tmp_path, *data, StartTime=NOW_MS - 15 * DAY_MS, EndTime=NOW_MS + DAY_MS, Period=3600)
    assert [(point["Timestamp"] - NOW_MS, point["Sum"]) for point in points] == [(-14 * DAY_MS, 1), (2 * HOUR_MS, 2)]


@pytest.mark.parametrize(
    ("datum", "code", "words"),
    [
        ({}, "InvalidParameterCombination", "At least one of the parameters MetricData.member.1.Value"),
        (
            {"Value": 1, "StatisticValues": SET},
            "InvalidParameterCombination",
            "The parameters MetricData.member.1.Value and MetricData.member.1.StatisticValues are mutually exclusive",
        ),
        ({"Value": 1, "Values": [1]}, "InvalidParameterCombination", "mutually exclusive"),
        ({"Value": 1, "Counts": [1]}, "InvalidParameterCombination", "Counts needs"),
        ({"Values": [1, 2], "Counts": [1]}, "InvalidParameterValue", "same number"),
        ({"Values": [1], "Counts": [0]}, "InvalidParameterValue", "Counts.member.1 must be more than 0"),
        ({"Values": []}, "InvalidParameterValue", "size less than 1"),
        ({"Values": [1] * 151}, "InvalidParameterValue", "greater than 150"),
        ({"Value": float("nan")}, "InvalidParameterValue", "MetricData.member.1.Value must be a number"),
        ({"Value": float("inf")}, "InvalidParameterValue", "from -2^360 to 2^360"),
        ({"Value": -(2.0**361)}, "InvalidParameterValue", "from -2^360 to 2^360"),
        ({"StatisticValues": SET | {"SampleCount": 0}}, "InvalidParameterValue", "SampleCount must be more than 0"),
        ({"StatisticValues": SET | {"Minimum": 9}}, "InvalidParameterValue", "Maximum must be greater than"),
        ({"Value": 1, "Timestamp": NOW_MS - 14 * DAY_MS - 1}, "InvalidParameterValue", "within the past two weeks"),
        ({"Value": 1, "Timestamp": NOW_MS + 2 * HOUR_MS + 1}, "InvalidParameterValue", "two hours in the future"),
        ({"Value": 1, "StorageResolution": 1}, "InvalidParameterValue", "no points of one second"),
        ({"Value": 1, "StorageResolution": 30}, "InvalidParameterValue", "[ 1, 60 ]"),
        ({"Value": 1, "Unit": "Furlongs"}, "ValidationException", "enum value set"),
        ({"Value": 1, "MetricName": "Bestellungen für heute"}, "InvalidParameterValue", "only ASCII"),
        ({"Value": 1, "Dimensions": [{"Name": "a", "Value": " "}]}, "InvalidParameterValue", "not white"),
        ({"Value": 1, "Dimensions": [{"Name": ":a", "Value": "b"}]}, "InvalidParameterValue", "begin with a colon"),
        (
            {"Value": 1, "Dimensions": [{"Name": "a", "Value": "b"}] * 2},
            "InvalidParameterValue",
            "same dimension name twice",
        ),
        (
            {"Value": 1, "Dimensions": [{"Name": "a", "Value": "b"}] * 31},
            "ValidationException",
            "less than or equal to 30",
        ),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, datum, code, words) -> None:
    with pytest.raises(ServiceError) as refused:
        put_and_read(tmp_path, datum)
    assert (refused.value.code, refused.value.status) == (code, 400)
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({"Namespace": "Shop"}, "MissingParameter", "MetricData is required"),
        ({"Namespace": "AWS/Lambda"}, "InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid"),
        ({"Namespace": ":Shop"}, "ValidationException", "pattern"),
        ({"Namespace": "Shop", "StrictEntityValidation": True}, "InvalidParameterValue", "leave it out"),
        ({"Namespace": "Shop", "EntityMetricData": [{}]}, "InvalidParameterValue", "leave it out"),
        (
            {"Namespace": "Shop", "MetricData": [{"MetricName": "m", "Value": 1}] * 1001},
            "InvalidParameterValue",
            "must not have a size greater than 1000",
        ),
    ],
)
def test_calls_that_cannot_be_are_refused(tmp_path, params, code, words) -> None:
    if params["Namespace"] == "AWS/Lambda":
        params = params | {"MetricData": [{"MetricName": "m", "Value": 1}]}
    with pytest.raises(ServiceError) as refused:
        with_metrics(tmp_path, lambda metrics: metrics("PutMetricData", **params))
    assert refused.value.code == code
    assert words in refused.value.message


def test_one_wrong_datum_and_none_is_taken(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        data = [{"MetricName": "Orders", "Value": 1}, {"MetricName": "Orders"}]
        with pytest.raises(ServiceError, match=r"MetricData\.member\.2\.Value"):
            await metrics("PutMetricData", Namespace="Shop", MetricData=data)
        return await metrics.statistics("Sum", StartTime=NOW_MS - MINUTE_MS)

    assert with_metrics(tmp_path, scenario) == []
