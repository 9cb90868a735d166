"""Metric math over what is stored."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.kernel.errors import ServiceError
from tests.support.metrics import HOUR_MS, MINUTE_MS, NOW_MS, MetricsControl, with_metrics


def test_expressions_are_worked_out_over_metrics_and_over_each_other(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        for minute in range(3):
            await metrics.put(minute, Timestamp=NOW_MS + minute * MINUTE_MS)
            await metrics.put(10, name="Visits", Timestamp=NOW_MS + minute * MINUTE_MS)
        stats = [
            {"Id": query_id, "ReturnData": False,
             "MetricStat": {"Metric": {"Namespace": "Shop", "MetricName": name}, "Period": 60, "Stat": "Sum"}}
            for query_id, name in (("o", "Orders"), ("v", "Visits"))
        ]  # fmt: skip
        expressions = [
            {"Id": "percent", "Expression": "share * 100", "Label": "Percent"},
            {"Id": "share", "Expression": "o / v", "ReturnData": False},
            {"Id": "all", "Expression": "METRICS()"},
        ]
        asked = {"StartTime": NOW_MS, "EndTime": NOW_MS + HOUR_MS, "ScanBy": "TimestampAscending"}
        queries = [*stats, *expressions]
        whole = await metrics("GetMetricData", MetricDataQueries=queries, **asked)
        pages, token = [], {}
        while not pages or token:
            page = await metrics("GetMetricData", MetricDataQueries=queries, MaxDatapoints=4, **asked, **token)
            pages.append(page["MetricDataResults"])
            token = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
        return whole["MetricDataResults"], pages

    whole, pages = with_metrics(tmp_path, scenario)
    assert [(one["Id"], one["Label"], one["Values"]) for one in whole] == [
        ("percent", "Percent", [0.0, 10.0, 20.0]),
        ("all", "Orders", [0.0, 1.0, 2.0]),
        ("all", "Visits", [10.0, 10.0, 10.0]),
    ]
    together: dict[tuple[str, str], list[float]] = {}
    for one in (result for page in pages for result in page):
        together.setdefault((one["Id"], one["Label"]), []).extend(one["Values"])
    assert {key: values for key, values in together.items() if values} == {
        (one["Id"], one["Label"]): one["Values"] for one in whole
    }


def test_an_expression_of_too_many_points_is_refused(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        asked = {"StartTime": NOW_MS - 400 * 24 * HOUR_MS, "EndTime": NOW_MS}
        query = {"Id": "e", "Expression": "TIME_SERIES(1) + TIME_SERIES(2)", "Period": 60}
        with pytest.raises(ServiceError, match="too many points to be worked out"):
            await metrics("GetMetricData", MetricDataQueries=[query], **asked)

    with_metrics(tmp_path, scenario)
