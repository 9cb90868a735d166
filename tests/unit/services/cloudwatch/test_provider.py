"""GetMetricStatistics, ListMetrics, and who may do what."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.kernel.errors import ServiceError
from tests.support.metrics import DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS, MetricsControl, with_metrics


def test_points_are_put_together_by_period_from_the_start(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        for minute in range(7):
            await metrics.put(1, Timestamp=NOW_MS + minute * MINUTE_MS)
        times = {"StartTime": NOW_MS + MINUTE_MS + 59_000, "EndTime": NOW_MS + 6 * MINUTE_MS}
        return await metrics.statistics("Sum", period_s=180, **times)

    points = with_metrics(tmp_path, scenario)
    assert [(point["Timestamp"] - NOW_MS, point["Sum"]) for point in points] == [
        (MINUTE_MS, 3),
        (4 * MINUTE_MS, 2),
    ], "the start belongs to it, the end does not"


def test_the_answer_has_what_was_asked_for_only(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await metrics.put(1)
        return await metrics.statistics("Maximum")

    assert with_metrics(tmp_path, scenario) == [{"Timestamp": NOW_MS, "Unit": "None", "Maximum": 1}]


def test_a_metric_that_nobody_put_has_no_points(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await metrics.put(1, Dimensions=[{"Name": "a", "Value": "b"}])
        return await metrics.statistics("Sum")

    assert with_metrics(tmp_path, scenario) == [], "dimensions are part of the name: nothing is added up over them"


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({}, "InvalidParameterCombination", "At least one of the parameters Statistics and ExtendedStatistics"),
        (
            {"Statistics": ["Sum"], "ExtendedStatistics": ["p99"]},
            "InvalidParameterCombination",
            "mutually exclusive",
        ),
        ({"ExtendedStatistics": ["Sum"]}, "InvalidParameterValue", "belongs to Statistics"),
        ({"ExtendedStatistics": ["tm90"]}, "InvalidParameterValue", "not supported by Gatepost"),
        ({"Statistics": ["Median"]}, "ValidationException", "enum value set"),
        ({"Statistics": ["Sum"], "Period": 90}, "InvalidParameterValue", "multiple of 60"),
        ({"Statistics": ["Sum"], "EndTime": NOW_MS - HOUR_MS}, "InvalidParameterValue", "must not equal"),
        (
            {"Statistics": ["Sum"], "StartTime": NOW_MS - 2 * DAY_MS, "EndTime": NOW_MS},
            "InvalidParameterCombination",
            "You have requested up to 2,880 datapoints, which exceeds the limit of 1,440.",
        ),
        (
            {"Statistics": ["Sum"], "Dimensions": [{"Name": "a", "Value": "b"}] * 2},
            "InvalidParameterValue",
            "same dimension name twice",
        ),
    ],
)
def test_questions_that_cannot_be_are_refused(tmp_path, params, code, words) -> None:
    asked = {"Namespace": "Shop", "MetricName": "m", "StartTime": NOW_MS - HOUR_MS, "EndTime": NOW_MS, "Period": 60}
    with pytest.raises(ServiceError) as refused:
        with_metrics(tmp_path, lambda metrics: metrics("GetMetricStatistics", **(asked | params)))
    assert (refused.value.code, refused.value.status) == (code, 400)
    assert words in refused.value.message


async def some(metrics: MetricsControl) -> None:
    for name, city in (("Orders", "Graz"), ("Orders", "Linz"), ("Returns", "Graz")):
        await metrics.put(1, name=name, Dimensions=[{"Name": "City", "Value": city}, {"Name": "Shop", "Value": "1"}])
    await metrics("PutMetricData", Namespace="Other", MetricData=[{"MetricName": "Orders", "Value": 1}])


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, 4),
        ({"Namespace": "Shop"}, 3),
        ({"MetricName": "Orders"}, 3),
        ({"Namespace": "Shop", "MetricName": "Orders"}, 2),
        ({"Dimensions": [{"Name": "City"}]}, 3),
        ({"Dimensions": [{"Name": "City", "Value": "Graz"}]}, 2),
        ({"Dimensions": [{"Name": "City", "Value": "Graz"}, {"Name": "Shop", "Value": "2"}]}, 0),
        ({"Namespace": "shop"}, 0),
        ({"OwningAccount": "000000000000"}, 4),
    ],
)
def test_metrics_are_listed_by_name_and_dimensions(tmp_path, params, expected) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await some(metrics)
        return await metrics("ListMetrics", **params)

    assert len(with_metrics(tmp_path, scenario)["Metrics"]) == expected


def test_a_listed_metric_has_its_dimensions(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await metrics.put(1, Dimensions=[{"Name": "B", "Value": "2"}, {"Name": "A", "Value": "1"}])
        return await metrics("ListMetrics")

    assert with_metrics(tmp_path, scenario)["Metrics"] == [
        {
            "Namespace": "Shop",
            "MetricName": "Orders",
            "Dimensions": [{"Name": "A", "Value": "1"}, {"Name": "B", "Value": "2"}],
        }
    ]


def test_metrics_come_500_at_a_time(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        names = [f"m{number}" for number in range(1200)]
        for start in (0, 600):
            data = [{"MetricName": name, "Value": 1} for name in names[start : start + 600]]
            await metrics("PutMetricData", Namespace="Shop", MetricData=data)
        sizes, found, token = [], [], {}
        while True:
            page = await metrics("ListMetrics", **token)
            sizes.append(len(page["Metrics"]))
            found += [metric["MetricName"] for metric in page["Metrics"]]
            if "NextToken" not in page:
                return sizes, found == names
            token = {"NextToken": page["NextToken"]}

    assert with_metrics(tmp_path, scenario) == ([500, 500, 200], True)


def test_rare_metrics_are_found_among_many(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        for start in range(0, 3000, 1000):
            data = [
                {"MetricName": "m", "Value": 1, "Dimensions": [{"Name": f"d{number % 1500}", "Value": str(number)}]}
                for number in range(start, start + 1000)
            ]
            await metrics("PutMetricData", Namespace="Shop", MetricData=data)
        return await metrics("ListMetrics", Dimensions=[{"Name": "d1499"}])

    answer = with_metrics(tmp_path, scenario)
    assert [metric["Dimensions"][0]["Value"] for metric in answer["Metrics"]] == ["1499", "2999"]
    assert "NextToken" not in answer


def test_metrics_without_points_are_listed_for_two_weeks_or_three_hours(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await metrics.put(1)
        found = []
        for ms in (2 * HOUR_MS, 2 * HOUR_MS, 14 * DAY_MS):
            metrics.clock.advance(ms=ms)
            recently = await metrics("ListMetrics", RecentlyActive="PT3H")
            found.append((len((await metrics("ListMetrics"))["Metrics"]), len(recently["Metrics"])))
        return found

    assert with_metrics(tmp_path, scenario) == [(1, 1), (1, 0), (0, 0)]


@pytest.mark.parametrize(
    "params", [{"IncludeLinkedAccounts": True}, {"OwningAccount": "111111111111"}, {"NextToken": "x"}]
)
def test_lists_that_cannot_be_are_refused(tmp_path, params) -> None:
    with pytest.raises(ServiceError) as refused:
        with_metrics(tmp_path, lambda metrics: metrics("ListMetrics", **params))
    assert refused.value.code == "InvalidParameterValue"


def test_who_puts_is_asked_for_the_namespace(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await metrics.put(1)
        await metrics("ListMetrics")
        return [(access.action, access.resource, dict(access.context)) for access in metrics.authorization.asked]

    assert with_metrics(tmp_path, scenario) == [
        ("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "Shop"}),
        ("cloudwatch:ListMetrics", "*", {}),
    ]


def test_metric_streams_are_not_here(tmp_path) -> None:
    with pytest.raises(ServiceError) as refused:
        with_metrics(tmp_path, lambda metrics: metrics("GetMetricStream", Name="s"))
    assert (refused.value.code, refused.value.status) == ("NotImplemented", 501)
