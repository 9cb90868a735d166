"""Metric filters and subscription filters: kept, applied, bounded."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.services.logs.filters import SUBSCRIPTION
from tests.support.logs import GROUP, LogsControl, with_logs
from tests.support.toys import ACCOUNT

FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:reader"


async def refusal(step) -> str:
    with pytest.raises(ServiceError) as error:
        await step
    return f"{error.value.code}: {error.value.message}"


def a_transformation(**members) -> list[dict]:
    return [{"metricName": "errors", "metricNamespace": "shop", "metricValue": "1", **members}]


def test_a_metric_filter_is_kept_described_and_deleted(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs("CreateLogGroup", logGroupName=GROUP)
        await logs("PutMetricFilter", logGroupName=GROUP, filterName="f", filterPattern="ERROR",
                   metricTransformations=a_transformation())  # fmt: skip
        found = await logs("DescribeMetricFilters", metricName="errors", metricNamespace="shop")
        count = (await logs("DescribeLogGroups"))["logGroups"][0]["metricFilterCount"]
        half = await refusal(logs("DescribeMetricFilters", metricName="errors"))
        await logs("DeleteMetricFilter", logGroupName=GROUP, filterName="f")
        gone = await refusal(logs("DeleteMetricFilter", logGroupName=GROUP, filterName="f"))
        return found, count, half, gone, logs.clock.now_ms()

    found, count, half, gone, now_ms = with_logs(tmp_path, scenario)
    assert found["metricFilters"] == [
        {
            "filterName": "f", "filterPattern": "ERROR", "metricTransformations": a_transformation(),
            "creationTime": now_ms, "logGroupName": GROUP, "applyOnTransformedLogs": False,
        }
    ]  # fmt: skip
    assert (count, half.partition(":")[0]) == (1, "InvalidParameterException")
    assert gone == "ResourceNotFoundException: The specified metric filter does not exist."


def test_filters_put_at_once_keep_to_the_bound_and_leave_nothing_to_a_group_of_that_name(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs("CreateLogGroup", logGroupName=GROUP)

        def put(name: str):
            return logs("PutMetricFilter", logGroupName=GROUP, filterName=name, filterPattern="ERROR",
                        metricTransformations=a_transformation())  # fmt: skip

        ended = await asyncio.gather(*(put(f"f{number}") for number in range(101)), return_exceptions=True)
        refused = [error.code for error in ended if isinstance(error, ServiceError)]
        late = (await asyncio.gather(logs("DeleteLogGroup", logGroupName=GROUP), put("late"), return_exceptions=True))[
            1
        ]
        await logs("CreateLogGroup", logGroupName=GROUP)
        left = (await logs("DescribeMetricFilters", logGroupName=GROUP))["metricFilters"]
        return refused, isinstance(late, ServiceError), left

    assert with_logs(tmp_path, scenario) == (["LimitExceededException"], True, [])


def test_events_that_match_become_values_of_a_metric(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs("CreateLogGroup", logGroupName=GROUP)
        timed = a_transformation(metricName="ms", metricValue="$.ms", dimensions={"Path": "$.path"}, unit="Seconds")
        counted = a_transformation(defaultValue=0)
        for name, pattern, transformations in (("a", "{ $.ms > 5 }", timed), ("b", "ERROR", counted)):
            await logs("PutMetricFilter", logGroupName=GROUP, filterName=name, filterPattern=pattern,
                       metricTransformations=transformations)  # fmt: skip
        await logs.said('{"ms": 7, "path": "/x"}', '{"ms": 1, "path": "/y"}', '{"ms": 9}')
        await logs.said("ERROR one", "ERROR two")
        return [(datum["MetricName"], datum["Value"], datum["Dimensions"]) for _, datum in logs.metrics.data]

    assert with_logs(tmp_path, scenario) == [
        ("ms", 7.0, [{"Name": "Path", "Value": "/x"}]),
        ("errors", 0.0, []),
        ("errors", 1.0, []),
        ("errors", 1.0, []),
    ]


def test_a_line_that_no_metric_can_be_made_of_keeps_no_other_from_being_counted(tmp_path) -> None:
    lines = [{"ms": ms, "path": "/x"} for ms in ("1e999", "nan", 1e200, "-inf")]
    lines += [{"ms": 7, "path": path} for path in ("x" * 1_025, "/é", " ", "a\nb", "x" * 1_024)]

    async def scenario(logs: LogsControl):
        await logs("CreateLogGroup", logGroupName=GROUP)
        timed = a_transformation(metricValue="$.ms", dimensions={"Path": "$.path"})
        await logs("PutMetricFilter", logGroupName=GROUP, filterName="f", filterPattern="{ $.path = * }",
                   metricTransformations=timed)  # fmt: skip
        await logs.said(*map(json.dumps, lines))
        return [(datum["Value"], len(datum["Dimensions"][0]["Value"])) for _, datum in logs.metrics.data]

    assert with_logs(tmp_path, scenario) == [(7.0, 1_024)]


def test_a_pattern_is_tested_on_messages(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        ask = [("[ip, ..., size > 5]", ["a b 9", "a b 1"]), ("{ $.a = 1 }", ['{"a":1}', "x"]), ("hot", ["hot", "cold"])]
        return [
            (await logs("TestMetricFilter", filterPattern=pattern, logEventMessages=messages))["matches"]
            for pattern, messages in ask
        ]

    assert with_logs(tmp_path, scenario) == [
        [{"eventNumber": 1, "eventMessage": "a b 9", "extractedValues": {"$ip": "a", "$2": "b", "$size": "9"}}],
        [{"eventNumber": 1, "eventMessage": '{"a":1}', "extractedValues": {"$.a": "1"}}],
        [{"eventNumber": 1, "eventMessage": "hot", "extractedValues": {}}],
    ]


def test_a_function_gets_the_events_that_match_as_they_arrive(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs("CreateLogGroup", logGroupName=GROUP)
        filtered = {"logGroupName": GROUP, "filterName": "f"}
        await logs("PutSubscriptionFilter", **filtered, filterPattern="ERROR", destinationArn=FUNCTION)
        found = await logs("DescribeSubscriptionFilters", logGroupName=GROUP)
        await logs.said("ERROR one", "fine", "ERROR two")
        told = list(logs.triggers.told)
        await logs("DeleteSubscriptionFilter", **filtered)
        await logs.said("ERROR three")
        gone = await refusal(logs("DeleteSubscriptionFilter", **filtered))
        return found["subscriptionFilters"], told, len(logs.triggers.told), gone

    found, ((arn, payload, source),), count, gone = with_logs(tmp_path, scenario)
    assert (found[0]["destinationArn"], found[0]["distribution"], count) == (FUNCTION, "ByLogStream", 1)
    assert (arn, source) == (FUNCTION, f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{GROUP}:*")
    content = json.loads(gzip.decompress(base64.b64decode(json.loads(payload)["awslogs"]["data"])))
    assert [event["message"] for event in content.pop("logEvents")] == ["ERROR one", "ERROR two"]
    assert content == {
        "messageType": "DATA_MESSAGE", "owner": ACCOUNT, "logGroup": GROUP, "logStream": "s",
        "subscriptionFilters": ["f"],
    }  # fmt: skip
    assert gone == "ResourceNotFoundException: The specified subscription filter does not exist."


def test_filters_are_bounded_and_go_with_their_group(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs("CreateLogGroup", logGroupName=GROUP)
        put = {"logGroupName": GROUP, "filterPattern": "", "destinationArn": FUNCTION}
        for name in ("a", "b"):
            await logs("PutSubscriptionFilter", **put, filterName=name)
        full = await refusal(logs("PutSubscriptionFilter", **put, filterName="c"))
        await logs("PutSubscriptionFilter", **{**put, "filterPattern": "x"}, filterName="b")
        logs.triggers.refusing.add(FUNCTION)
        closed = await refusal(logs("PutSubscriptionFilter", **put, filterName="b"))
        stream = put | {"destinationArn": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s"}
        absent = await refusal(logs("PutSubscriptionFilter", **stream, filterName="b"))
        await logs("DeleteLogGroup", logGroupName=GROUP)
        await logs("CreateLogGroup", logGroupName=GROUP)
        of_account = logs.provider.filters.every(ACCOUNT, "us-east-1", SUBSCRIPTION)
        return full, closed, absent, of_account

    full, closed, absent, left = with_logs(tmp_path, scenario)
    assert full == "LimitExceededException: Resource limit exceeded."
    assert closed.startswith("InvalidParameterException: Could not execute the lambda function.")
    assert absent.startswith("InvalidParameterException: Could not deliver test message to specified Kinesis stream.")
    assert left == []


def test_events_are_kept_when_a_filter_cannot_pass_them_on(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs("CreateLogGroup", logGroupName=GROUP)
        filtered = {"logGroupName": GROUP, "filterName": "f", "filterPattern": "ERROR"}
        await logs("PutSubscriptionFilter", **filtered, destinationArn=FUNCTION)

        async def refuse(*given, **named):
            raise ServiceError("busy")

        logs.triggers.trigger = refuse
        await logs.said("ERROR one", "fine")
        events = await logs("GetLogEvents", logGroupName=GROUP, logStreamName="s")
        return [event["message"] for event in events["events"]], logs.provider.filters.lost_events

    assert with_logs(tmp_path, scenario) == (["ERROR one", "fine"], 1)
