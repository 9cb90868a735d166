"""GetMetricData: queries, pages and order."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.kernel.errors import ServiceError
from tests.support.metrics import DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS, MetricsControl, with_metrics

METRIC = {"Namespace": "Shop", "MetricName": "Orders"}
TIMES = {"StartTime": NOW_MS, "EndTime": NOW_MS + HOUR_MS}


def a_query(query_id: str = "q", stat: str = "Sum", **members: Any) -> dict[str, Any]:
    metric_stat = {"Metric": METRIC, "Period": 60, "Stat": stat} | members.pop("MetricStat", {})
    return {"Id": query_id, "MetricStat": metric_stat, **members}


async def five_minutes(metrics: MetricsControl) -> None:
    for minute in range(5):
        await metrics.put(minute, minute * 3, Timestamp=NOW_MS + minute * MINUTE_MS)


def ask(tmp_path, *queries: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
    async def scenario(metrics: MetricsControl) -> Any:
        await five_minutes(metrics)
        return await metrics("GetMetricData", MetricDataQueries=list(queries), **(TIMES | params))

    return with_metrics(tmp_path, scenario)["MetricDataResults"]  # type: ignore[no-any-return]


def test_the_newest_comes_first_unless_told_otherwise(tmp_path) -> None:
    (result,) = ask(tmp_path, a_query())
    assert result == {
        "Id": "q",
        "Label": "Orders",
        "Timestamps": [NOW_MS + minute * MINUTE_MS for minute in (4, 3, 2, 1, 0)],
        "Values": [16, 12, 8, 4, 0],
        "StatusCode": "Complete",
    }
    (result,) = ask(tmp_path, a_query(), ScanBy="TimestampAscending")
    assert result["Timestamps"][0] == NOW_MS


def test_several_queries_have_their_own_statistics_periods_and_labels(tmp_path) -> None:
    results = ask(
        tmp_path,
        a_query("a", "Average", Label="mean"),
        a_query("b", "p100", MetricStat={"Period": 300}),
        a_query("c", "SampleCount", MetricStat={"Period": 300, "Unit": "Count"}),
        a_query("d", "Sum", MetricStat={"Metric": METRIC | {"MetricName": "Unknown"}}),
    )
    assert [(result["Id"], result["Label"], len(result["Values"])) for result in results] == [
        ("a", "mean", 5),
        ("b", "Orders", 1),
        ("c", "Orders", 0),
        ("d", "Unknown", 0),
    ]
    assert results[1]["Values"] == [12]


def test_values_of_all_units_are_put_together_unless_one_is_asked_for(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await metrics.put(1, Unit="Seconds")
        await metrics.put(2, Unit="Count")
        queries = [a_query("all"), a_query("one", MetricStat={"Unit": "Count"}), a_query("p", "p100")]
        return await metrics("GetMetricData", MetricDataQueries=queries, **TIMES)

    results = with_metrics(tmp_path, scenario)["MetricDataResults"]
    assert [result["Values"] for result in results] == [[3], [2], [2]]


def test_what_is_not_to_be_returned_is_not(tmp_path) -> None:
    assert [result["Id"] for result in ask(tmp_path, a_query("a", ReturnData=False), a_query("b"))] == ["b"]


def test_pages_go_on_where_the_last_one_ended(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await five_minutes(metrics)
        pages, token = [], {}
        while True:
            queries = [a_query("a"), a_query("b", "SampleCount"), a_query("c", "Minimum")]
            page = await metrics("GetMetricData", MetricDataQueries=queries, MaxDatapoints=4, **TIMES, **token)
            pages.append(page["MetricDataResults"])
            if "NextToken" not in page:
                return pages
            token = {"NextToken": page["NextToken"]}

    pages = with_metrics(tmp_path, scenario)
    assert [sum(len(result["Values"]) for result in page) for page in pages] == [4, 4, 4, 3]
    assert [(result["Id"], result["StatusCode"]) for result in pages[0]] == [
        ("a", "PartialData"),
        ("b", "PartialData"),
        ("c", "PartialData"),
    ]
    found: dict[str, list[float]] = {}
    for page in pages:
        for result in page:
            found.setdefault(result["Id"], []).extend(result["Values"])
    assert found == {"a": [16, 12, 8, 4, 0], "b": [2] * 5, "c": [4, 3, 2, 1, 0]}
    assert {result["StatusCode"] for result in pages[-1]} == {"Complete"}


@pytest.mark.parametrize(
    ("queries", "params", "words"),
    [
        ([a_query(Expression="a*2")], {}, "both Expression and MetricStat"),
        ([{"Id": "e", "Expression": "nobody*2"}], {}, "nobody is no id of a query"),
        ([{"Id": "e", "Expression": "f+1"}, {"Id": "f", "Expression": "e+1"}], {}, "it refers to itself"),
        ([{"Id": "e", "Expression": "1 +"}], {}, "it ends too early"),
        ([{"Id": "e", "Expression": "SEARCH('x')"}], {}, "SEARCH is not supported by Gatepost"),
        ([a_query(), {"Id": "e", "Expression": "SUM(q)"}], {}, "the result is a number and no time series"),
        ([{"Id": "e"}], {}, "needs MetricStat"),
        ([a_query(Period=60)], {}, "belongs into MetricStat"),
        ([a_query(AccountId="111111111111")], {}, "no linked accounts"),
        ([a_query(Label="${MAX}")], {}, "dynamic"),
        ([a_query("Q")], {}, "lower-case letter"),
        ([a_query(), a_query()], {}, "not unique"),
        ([a_query(ReturnData=False)], {}, "ReturnData of true"),
        ([a_query(stat="tm99")], {}, "not supported by Gatepost"),
        ([a_query(MetricStat={"Period": 90})], {}, "multiple of 60"),
        ([a_query(MetricStat={"Metric": {"Namespace": "Shop"}})], {}, "needs Namespace and MetricName"),
        (
            [a_query(MetricStat={"Metric": METRIC | {"Dimensions": [{"Name": "a", "Value": "b"}] * 2}})],
            {},
            "same dimension name twice",
        ),
        ([], {}, "size from 1 to 500"),
        ([a_query(f"q{number}") for number in range(501)], {}, "size from 1 to 500"),
        ([a_query()], {"EndTime": NOW_MS}, "StartTime must not equal parameter EndTime"),
        ([a_query()], {"MaxDatapoints": 0}, "MaxDatapoints must be from 1 to 100800"),
        ([a_query()], {"MaxDatapoints": 100_801}, "MaxDatapoints must be from 1 to 100800"),
        ([a_query()], {"LabelOptions": {"Timezone": "+0100"}}, "LabelOptions"),
    ],
)
def test_what_is_wrong_or_not_done_is_refused(tmp_path, queries, params, words) -> None:
    with pytest.raises(ServiceError, match=words) as refused:
        ask(tmp_path, *queries, **params)
    assert (refused.value.code, refused.value.status) == ("ValidationError", 400)


def test_a_token_of_nobodys_is_refused(tmp_path) -> None:
    with pytest.raises(ServiceError) as refused:
        ask(tmp_path, a_query(), NextToken="x")
    assert refused.value.code == "InvalidNextToken"


def test_a_year_is_read_by_hours(tmp_path) -> None:
    (result,) = ask(tmp_path, a_query(MetricStat={"Period": 86_400}), StartTime=NOW_MS - 365 * DAY_MS)
    assert result["Values"] == [40]
