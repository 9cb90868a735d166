"""Queries of Logs Insights on a real store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.services.logs.insights.run import QueryRun
from gatepost.services.logs.queries import KEPT_MAX
from tests.support.logs import GROUP, LogsControl, with_logs


async def refusal(step) -> str:
    with pytest.raises(ServiceError) as error:
        await step
    return f"{error.value.code}: {error.value.message}"


def asked(logs: LogsControl, query: str, **params: Any) -> dict[str, Any]:
    now_s = logs.clock.now_ms() // 1000
    return {"startTime": now_s - 60, "endTime": now_s + 60, "queryString": query} | (params or {"logGroupName": GROUP})


async def found(logs: LogsControl, query: str, **params: Any) -> dict[str, Any]:
    query_id = (await logs("StartQuery", **asked(logs, query, **params)))["queryId"]
    for _ in range(500):
        answer = await logs("GetQueryResults", queryId=query_id)
        if answer["status"] not in ("Scheduled", "Running"):
            return answer
        await asyncio.sleep(0.002)
    raise AssertionError(answer)


def test_a_query_finds_events_of_several_groups(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs.said('{"ms": 5}', '{"ms": 50}', "no json")
        await logs.said('{"ms": 500}', group="/aws/lambda/other")
        one = await found(logs, "fields ms | filter ms > 10")
        both = await found(logs, "stats max(ms) as most", logGroupNames=[GROUP, "/aws/lambda/other"])
        listed = (await logs("DescribeQueries", logGroupName="/aws/lambda/other"))["queries"]
        fields = (await logs("GetLogGroupFields", logGroupName=GROUP))["logGroupFields"]
        return one, both, listed, fields

    one, both, listed, fields = with_logs(tmp_path, scenario)
    assert one["status"] == "Complete"
    assert [[cell["field"] for cell in row] for row in one["results"]] == [["ms", "@ptr"]]
    assert one["results"][0][0]["value"] == "50"
    assert (one["statistics"]["recordsScanned"], one["statistics"]["recordsMatched"]) == (3.0, 1.0)
    assert both["results"] == [[{"field": "most", "value": "500"}]]
    assert [(query["status"], query["queryString"]) for query in listed] == [("Complete", "stats max(ms) as most")]
    assert {"name": "ms", "percent": 66} in fields


def test_pages_of_events_are_put_together(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs.said(*(f"line {number}" for number in range(2_500)))
        whole = await found(logs, "fields @message | sort @timestamp")
        query_id = (await logs("DescribeQueries"))["queries"][0]["queryId"]
        first = await logs("GetQueryResults", queryId=query_id, maxItems=2_000)
        rest = await logs("GetQueryResults", queryId=query_id, nextToken=first["nextToken"])
        return await found(logs, "stats count(*) as n"), whole, first, rest

    count, whole, first, rest = with_logs(tmp_path, scenario)
    assert count["results"] == [[{"field": "n", "value": "2500"}]]
    assert [*first["results"], *rest["results"]] == whole["results"]
    assert [row[0]["value"] for row in whole["results"]] == [f"line {number}" for number in range(2_500)]


def test_what_cannot_be_asked_is_refused(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs.said("x")
        now_s = logs.clock.now_ms() // 1000
        await found(logs, "limit 1")
        complete = (await logs("DescribeQueries"))["queries"][0]["queryId"]
        return [
            await refusal(logs("StartQuery", **asked(logs, "fields @message", logGroupName="lost"))),
            await refusal(logs("StartQuery", **asked(logs, "frobnicate"))),
            await refusal(logs("StartQuery", startTime=now_s, endTime=now_s, queryString="limit 1")),
            await refusal(logs("StartQuery", logGroupName=GROUP, startTime=9, endTime=1, queryString="limit 1")),
            await refusal(logs("GetQueryResults", queryId="lost")),
            await refusal(logs("StopQuery", queryId=complete)),
        ]

    refusals = with_logs(tmp_path, scenario)
    assert [text.partition(":")[0] for text in refusals] == [
        "ResourceNotFoundException", "MalformedQueryException", "InvalidParameterException",
        "InvalidParameterException", "ResourceNotFoundException", "InvalidParameterException",
    ]  # fmt: skip


def test_a_query_can_be_stopped_and_old_ones_are_forgotten(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs.said("x")
        first = (await logs("StartQuery", **asked(logs, "limit 1")))["queryId"]
        stopped = await logs("StopQuery", queryId=first)
        await found(logs, "limit 1")  # its task has ended before this one's
        status = (await logs("GetQueryResults", queryId=first))["status"]
        for _ in range(KEPT_MAX + 1):
            await found(logs, "limit 1")
        return stopped, status, await refusal(logs("GetQueryResults", queryId=first))

    stopped, status, forgotten = with_logs(tmp_path, scenario)
    assert stopped == {"success": True}
    assert status == "Cancelled"
    assert forgotten.startswith("ResourceNotFoundException")


def test_a_query_that_breaks_ends_as_failed(tmp_path, monkeypatch) -> None:
    def broken(_run):
        raise AttributeError("a mistake of ours")

    async def scenario(logs: LogsControl):
        await logs.said("x")
        monkeypatch.setattr(QueryRun, "results", broken)
        return (await found(logs, "limit 1"))["status"]

    assert with_logs(tmp_path, scenario) == "Failed"


def test_queries_keep_no_more_text_than_they_may(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("gatepost.services.logs.queries.ROWS_CHARACTERS_MAX", 10_000)
    monkeypatch.setattr("gatepost.services.logs.queries.RESULTS_CHARACTERS_MAX", 7_000)

    async def scenario(logs: LogsControl):
        await logs.said("x" * 4_000, "y" * 4_000)
        one = await found(logs, "fields @message | filter @message like 'x'")
        two = await found(logs, "fields @message | filter @message like 'y'")
        listed = [each["queryString"][-2] for each in (await logs("DescribeQueries"))["queries"]]
        await logs.said("x" * 4_000)
        counted = await found(logs, "filter @message like 'z' | stats count(*)")
        return one["status"], two["status"], listed, counted["status"], (await found(logs, "limit 9"))["status"]

    assert with_logs(tmp_path, scenario) == ("Complete", "Complete", ["y"], "Complete", "Failed")
