"""Alarms: put, looked at, acted on, told in their history."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.services.cloudwatch.alarm_model import IN_ALARM
from gatepost.services.cloudwatch.alarm_operations import RANGE_S_MAX
from tests.support.metrics import MINUTE_MS, NOW_MS, MetricsControl, with_metrics
from tests.support.toys import ACCOUNT

FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:act"
ARN = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:many"


def an_alarm(**members: Any) -> dict[str, Any]:
    return {
        "AlarmName": "many", "MetricName": "Orders", "Namespace": "Shop", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 10.0, "ComparisonOperator": "GreaterThanThreshold", **members,
    }  # fmt: skip


async def described(metrics: MetricsControl, name: str = "many") -> dict[str, Any]:
    found = await metrics("DescribeAlarms", AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    (alarm,) = [*found["MetricAlarms"], *found["CompositeAlarms"]]
    return alarm


async def refusal(step) -> str:
    with pytest.raises(ServiceError) as error:
        await step
    return f"{error.value.code}: {error.value.message}"


def test_an_alarm_is_described_with_its_defaults(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await metrics("PutMetricAlarm", **an_alarm(Tags=[{"Key": "team", "Value": "shop"}]))
        tags = await metrics("ListTagsForResource", ResourceARN=ARN)
        return await described(metrics), tags

    alarm, tags = with_metrics(tmp_path, scenario)
    assert alarm == {
        **an_alarm(), "AlarmArn": ARN, "AlarmConfigurationUpdatedTimestamp": NOW_MS, "ActionsEnabled": True,
        "OKActions": [], "AlarmActions": [], "InsufficientDataActions": [], "StateValue": "INSUFFICIENT_DATA",
        "StateReason": "Unchecked: Initial alarm creation", "StateUpdatedTimestamp": NOW_MS,
        "StateTransitionedTimestamp": NOW_MS, "Dimensions": [],
    }  # fmt: skip
    assert tags == {"Tags": [{"Key": "team", "Value": "shop"}]}


def test_a_value_over_the_threshold_raises_the_alarm_which_acts(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        topic = "arn:aws:sns:us-east-1:000000000000:nobody"
        await metrics("PutMetricAlarm", **an_alarm(AlarmActions=[FUNCTION, topic], OKActions=[FUNCTION]))
        await metrics.put(12)
        await metrics.provider.alarms.look()
        running = (await described(metrics))["StateValue"]
        metrics.clock.advance(ms=MINUTE_MS)
        await metrics.provider.alarms.look()
        raised = await described(metrics)
        await metrics.provider.alarms.look()
        history = await metrics("DescribeAlarmHistory", AlarmName="many")
        return running, raised, history["AlarmHistoryItems"], metrics.triggers.told

    running, raised, history, told = with_metrics(tmp_path, scenario)
    assert running == "INSUFFICIENT_DATA", "the running minute does not count"
    assert (raised["StateValue"], raised["StateUpdatedTimestamp"]) == ("ALARM", NOW_MS + MINUTE_MS)
    ((arn, payload, source),) = told
    event = json.loads(payload)
    assert (arn, source, event["alarmArn"], event["source"]) == (FUNCTION, ARN, ARN, "aws.cloudwatch")
    assert (event["alarmData"]["state"]["value"], event["alarmData"]["previousState"]["value"]) == (
        "ALARM", "INSUFFICIENT_DATA",
    )  # fmt: skip
    assert sorted(item["HistorySummary"] for item in history) == [
        'Alarm "many" created',
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        "Failed to execute action arn:aws:sns:us-east-1:000000000000:nobody",
        f"Successfully executed action {FUNCTION}",
    ]


def test_an_alarm_can_watch_metric_math(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        stat = {"Metric": {"Namespace": "Shop", "MetricName": "Orders"}, "Period": 60, "Stat": "Sum"}
        queries = [{"Id": "m", "MetricStat": stat, "ReturnData": False}, {"Id": "e", "Expression": "m * 100"}]
        alarm = {"AlarmName": "many", "Metrics": queries, "EvaluationPeriods": 1, "Threshold": 500.0}
        await metrics("PutMetricAlarm", **alarm, ComparisonOperator="GreaterThanThreshold")
        await metrics.put(6)
        metrics.clock.advance(ms=MINUTE_MS)
        await metrics.provider.alarms.look()
        return (await described(metrics))["StateValue"]

    assert with_metrics(tmp_path, scenario) == IN_ALARM


def test_a_state_that_is_set_acts_and_lasts_until_the_next_look(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await metrics("PutMetricAlarm", **an_alarm(AlarmActions=[FUNCTION], TreatMissingData="notBreaching"))
        unknown = await refusal(metrics("SetAlarmState", AlarmName="x", StateValue="OK", StateReason="r"))
        state = {"AlarmName": "many", "StateValue": "ALARM", "StateReason": "tried"}
        no_json = await refusal(metrics("SetAlarmState", **state, StateReasonData="{"))
        await metrics("DisableAlarmActions", AlarmNames=["many"])
        await metrics("SetAlarmState", **state)
        silent = len(metrics.triggers.told)
        await metrics("SetAlarmState", **{**state, "StateValue": "OK"})
        await metrics("EnableAlarmActions", AlarmNames=["many"])
        await metrics("SetAlarmState", **state, StateReasonData='{"a":1}')
        is_set = await described(metrics)
        metrics.clock.advance(ms=MINUTE_MS)
        await metrics.provider.alarms.look()
        looked = (await described(metrics))["StateValue"]
        return unknown, no_json, silent, is_set, looked, len(metrics.triggers.told)

    unknown, no_json, silent, is_set, looked, told = with_metrics(tmp_path, scenario)
    assert unknown.startswith("ResourceNotFound: ")
    assert no_json.startswith("InvalidFormat: ")
    assert (silent, told, looked) == (0, 1, "OK")
    assert (is_set["StateValue"], is_set["StateReason"], is_set["StateReasonData"]) == ("ALARM", "tried", '{"a":1}')


def test_a_composite_alarm_follows_its_children(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        missing = await refusal(metrics("PutCompositeAlarm", AlarmName="both", AlarmRule="ALARM(many)"))
        await metrics("PutMetricAlarm", **an_alarm())
        await metrics("PutCompositeAlarm", AlarmName="both", AlarmRule='ALARM("many")', AlarmActions=[FUNCTION])
        itself = await refusal(metrics("PutCompositeAlarm", AlarmName="both", AlarmRule="ALARM(both)"))
        await metrics("SetAlarmState", AlarmName="many", StateValue="ALARM", StateReason="r")
        state = (await described(metrics, "both"))["StateValue"]
        only_metric = await metrics("DescribeAlarms")
        children = await metrics("DescribeAlarms", ChildrenOfAlarmName="both")
        parents = await metrics("DescribeAlarms", ParentsOfAlarmName="many", AlarmTypes=["CompositeAlarm"])
        held = await refusal(metrics("DeleteAlarms", AlarmNames=["many"]))
        await metrics("DeleteAlarms", AlarmNames=["both", "many", "nobody"])
        left = await metrics("DescribeAlarms", AlarmTypes=["CompositeAlarm", "MetricAlarm"])
        names = [
            [alarm["AlarmName"] for alarm in (*found["MetricAlarms"], *found["CompositeAlarms"])]
            for found in (only_metric, children, parents, left)
        ]
        return missing, itself, state, names, held, len(metrics.triggers.told)

    missing, itself, state, names, held, told = with_metrics(tmp_path, scenario)
    assert missing.startswith("ValidationError: Could not save the composite alarm as alarms [many]")
    assert itself.startswith("ValidationError: ")
    assert (state, told) == ("ALARM", 1)
    assert names == [["many"], ["many"], ["both"], []]
    assert held.startswith("ValidationError: Cannot delete many")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"TreatMissingData": "unknown"}, "ValidationError: Option unknown is not supported. Supported options for"),
        ({"EvaluateLowSampleCountPercentile": "unknown"}, "ValidationError: Option unknown is not supported."),
        ({"Statistic": None, "ExtendedStatistic": "unknown"}, "InvalidParameterValue: The value unknown for parameter"),
        ({"Statistic": None}, "ValidationError: Exactly one of Statistic"),
        ({"Period": 30}, "ValidationError: The parameter Period must be a multiple of 60"),
        ({"AlarmActions": ["arn:alarm"]}, "ValidationError: Invalid arn syntax: arn:alarm"),
        ({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "ValidationError: "),
        ({"DatapointsToAlarm": 2}, "ValidationError: DatapointsToAlarm must not"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "ValidationError: ComparisonOperator"),
        ({"MetricName": None}, "MissingParameter: The parameter MetricName is required."),
        ({"ThresholdMetricId": "ad1"}, "ValidationError: ThresholdMetricId is not supported"),
        ({"Metrics": [{"Id": "e", "Expression": "1"}]}, "InvalidParameterCombination: "),
        ({"EvaluationPeriods": RANGE_S_MAX // 60 + 1}, "ValidationError: Metrics cannot be checked"),
    ],
)
def test_what_is_no_alarm_is_refused(tmp_path, members, words: str) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        given = {name: value for name, value in an_alarm(**members).items() if value is not None}
        return await refusal(metrics("PutMetricAlarm", **given))

    found = with_metrics(tmp_path, scenario)
    assert found.startswith(words), found


def test_alarms_are_found_by_metric_state_and_page(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        for number in range(3):
            dimensions = [{"Name": "n", "Value": str(number)}]
            await metrics("PutMetricAlarm", **an_alarm(AlarmName=f"a{number}", Dimensions=dimensions))
        metric = {"MetricName": "Orders", "Namespace": "Shop", "Dimensions": [{"Name": "n", "Value": "1"}]}
        by_metric = await metrics("DescribeAlarmsForMetric", **metric)
        await metrics("SetAlarmState", AlarmName="a2", StateValue="OK", StateReason="r")
        by_state = await metrics("DescribeAlarms", StateValue="OK")
        first = await metrics("DescribeAlarms", MaxRecords=2, AlarmNamePrefix="a")
        rest = await metrics("DescribeAlarms", MaxRecords=2, AlarmNamePrefix="a", NextToken=first["NextToken"])
        both = await refusal(metrics("DescribeAlarms", AlarmNames=["a1"], AlarmNamePrefix="a"))
        pages = [[alarm["AlarmName"] for alarm in one["MetricAlarms"]] for one in (by_metric, by_state, first, rest)]
        return pages, "NextToken" in rest, both

    pages, has_more, both = with_metrics(tmp_path, scenario)
    assert pages == [["a1"], ["a2"], ["a0", "a1"], ["a2"]]
    assert not has_more
    assert both.startswith("ValidationError: ")


def test_tags_of_what_is_not_there_are_refused(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await metrics("PutMetricAlarm", **an_alarm())
        await metrics("TagResource", ResourceARN=ARN, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        await metrics("UntagResource", ResourceARN=ARN, TagKeys=["a"])
        tags = await metrics("ListTagsForResource", ResourceARN=ARN)
        return tags, await refusal(metrics("ListTagsForResource", ResourceARN=f"{ARN}2"))

    tags, unknown = with_metrics(tmp_path, scenario)
    assert tags == {"Tags": [{"Key": "b", "Value": "2"}]}
    assert unknown.startswith("ResourceNotFoundException")


def test_an_alarm_that_is_changed_while_its_state_changes_keeps_both(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await metrics("PutMetricAlarm", **an_alarm())
        state = {"AlarmName": "many", "StateValue": "ALARM", "StateReason": "r"}
        await asyncio.gather(
            metrics("SetAlarmState", **state),
            metrics("PutMetricAlarm", **an_alarm(Threshold=99.0)),
            metrics("TagResource", ResourceARN=ARN, Tags=[{"Key": "team", "Value": "shop"}]),
            metrics("DisableAlarmActions", AlarmNames=["many"]),
        )
        tags = await metrics("ListTagsForResource", ResourceARN=ARN)
        history = (await metrics("DescribeAlarmHistory", AlarmName="many"))["AlarmHistoryItems"]
        return await described(metrics), tags["Tags"], len(history)

    alarm, tags, items = with_metrics(tmp_path, scenario)
    assert (alarm["StateValue"], alarm["Threshold"], alarm["ActionsEnabled"]) == ("ALARM", 99.0, False)
    assert tags == [{"Key": "team", "Value": "shop"}]
    assert items == 4, "made, put into its state, changed, switched off"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_alarm_that_is_deleted_while_its_state_changes_is_gone(tmp_path, order) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await metrics("PutMetricAlarm", **an_alarm())
        steps = [
            metrics("DeleteAlarms", AlarmNames=["many"]),
            metrics("SetAlarmState", AlarmName="many", StateValue="ALARM", StateReason="r"),
        ]
        await asyncio.gather(*[steps[number] for number in order])
        await metrics.provider.alarms.start()  # as after a restart
        found = await metrics("DescribeAlarms", AlarmNames=["many"])
        await metrics.provider.alarms.close()
        return found["MetricAlarms"]

    assert with_metrics(tmp_path, scenario) == []


class DeletingSink:
    """Hears of alarms' states, and deletes an alarm when it hears of another one's."""

    def __init__(self, metrics: MetricsControl) -> None:
        self._metrics = metrics

    async def announce(self, account_id, region, *, source, detail_type, resources, detail) -> None:
        if detail["alarmName"] == "a":
            await self._metrics("DeleteAlarms", AlarmNames=["b"])


def test_a_composite_alarm_that_is_deleted_during_a_look_does_not_end_it(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        await metrics("PutMetricAlarm", **an_alarm())
        for name in ("a", "b", "c"):
            await metrics("PutCompositeAlarm", AlarmName=name, AlarmRule="ALARM(many)")
        metrics.provider.alarms.events = DeletingSink(metrics)
        await metrics.put(12)
        metrics.clock.advance(ms=MINUTE_MS)
        await metrics.provider.alarms.look()
        return (await described(metrics, "c"))["StateValue"]

    assert with_metrics(tmp_path, scenario) == IN_ALARM


def test_alarms_above_one_another_change_with_the_lowest_however_many_there_are(tmp_path) -> None:
    levels = 600

    async def scenario(metrics: MetricsControl) -> Any:
        await metrics("PutMetricAlarm", **an_alarm())
        for level in range(levels):
            below = f"c{level - 1}" if level else "many"
            await metrics("PutCompositeAlarm", AlarmName=f"c{level}", AlarmRule=f"ALARM({below})")
        await metrics("SetAlarmState", AlarmName="many", StateValue="ALARM", StateReason="r")
        return (await described(metrics, f"c{levels - 1}"))["StateValue"]

    assert with_metrics(tmp_path, scenario) == IN_ALARM
