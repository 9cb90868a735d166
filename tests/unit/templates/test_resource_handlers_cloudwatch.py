"""AWS::CloudWatch, AWS::Events and AWS::Logs types: made, changed and deleted by stacks over real services."""

from __future__ import annotations

import asyncio
import json

from gatepost.templates.ledger_entries import cloudwatch as cloudwatch_entries
from gatepost.templates.ledger_entries import events as events_entries
from gatepost.templates.ledger_entries import logs as logs_entries
from gatepost.templates.resources import cloudwatch, events, logs
from tests.support.stacks import ACCOUNT, a_stack_world


def with_world(tmp_path, scenario):
    async def whole():
        async with a_stack_world(tmp_path) as world:
            await scenario(world)

    asyncio.run(whole())


def a_template(outputs=None, **resources):
    shown = {name: {"Value": value} for name, value in (outputs or {}).items()}
    return json.dumps({"Resources": resources, **({"Outputs": shown} if shown else {})})


def a(kind, **properties):
    return {"Type": kind, "Properties": properties}


def test_every_type_that_is_made_stands_in_the_ledger():
    listed = [
        {entry.type for entry in entries.entries()} for entries in (cloudwatch_entries, events_entries, logs_entries)
    ]
    assert listed == [set(module.handlers()) for module in (cloudwatch, events, logs)]


def test_rules_come_and_go_with_their_bus(tmp_path):
    group = a("AWS::Logs::LogGroup", LogGroupName="events")
    bus = a("AWS::Events::EventBus", Name="orders", Description="d")
    policy = a(
        "AWS::Events::EventBusPolicy", StatementId="others", EventBusName={"Ref": "Bus"}, Action="events:PutEvents",
        Principal="111111111111",
    )  # fmt: skip

    def a_rule(pattern, **properties):
        target = {"Id": "logs", "Arn": {"Fn::Sub": "arn:aws:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Group}"}}
        return a(
            "AWS::Events::Rule", Name="large", EventBusName={"Ref": "Bus"}, EventPattern=pattern, Targets=[target],
            **properties,
        )  # fmt: skip

    async def scenario(world):
        first = a_template(
            {"Rule": {"Ref": "Rule"}, "Arn": {"Fn::GetAtt": "Rule.Arn"}, "Bus": {"Fn::GetAtt": "Bus.Arn"}},
            Group=group, Bus=bus, Policy=policy, Rule=a_rule({"source": ["shop"]}, Tags=[{"Key": "a", "Value": "1"}]),
        )  # fmt: skip
        stack = await world.deploy(first)
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        arn = f"arn:aws:events:us-east-1:{ACCOUNT}"
        assert {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]} == {
            "Rule": "orders|large",
            "Arn": f"{arn}:rule/orders/large",
            "Bus": f"{arn}:event-bus/orders",
        }
        described = await world.do("events", "DescribeEventBus", Name="orders")
        assert json.loads(described["Policy"])["Statement"][0]["Sid"] == "others"
        changed = a_rule({"source": ["shop", "store"]}, State="DISABLED")
        stack = await world.deploy(a_template(Group=group, Bus={**bus, "Properties": {"Name": "orders"}}, Rule=changed))
        assert stack["StackStatus"] == "UPDATE_COMPLETE", await world.events()
        rule = await world.do("events", "DescribeRule", Name="large", EventBusName="orders")
        assert (json.loads(rule["EventPattern"]), rule["State"]) == ({"source": ["shop", "store"]}, "DISABLED")
        tags = await world.do("events", "ListTagsForResource", ResourceARN=rule["Arn"])
        assert tags == {"Tags": []}
        described = await world.do("events", "DescribeEventBus", Name="orders")
        assert "Policy" not in described
        assert "Description" not in described
        await world.cfn("DeleteStack", StackName="shop")
        await world.settled(stack["StackId"])
        assert [one["Name"] for one in (await world.do("events", "ListEventBuses"))["EventBuses"]] == ["default"]

    with_world(tmp_path, scenario)


def test_filters_policies_and_queries_belong_to_their_group(tmp_path):
    group = a("AWS::Logs::LogGroup", LogGroupName="shop")

    def resources(pattern, query):
        transformation = {
            "MetricName": "errors", "MetricNamespace": "shop", "MetricValue": "1",
            "Dimensions": [{"Key": "Path", "Value": "$.path"}],
        }  # fmt: skip
        statement = {"Effect": "Allow", "Principal": {"Service": "x.amazonaws.com"}, "Action": "*", "Resource": "*"}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        return {
            "Group": group,
            "Filter": a(
                "AWS::Logs::MetricFilter", LogGroupName={"Ref": "Group"}, FilterName="f", FilterPattern=pattern,
                MetricTransformations=[transformation],
            ),
            "Policy": a("AWS::Logs::ResourcePolicy", PolicyName="p", PolicyDocument=json.dumps(document)),
            "Query": a("AWS::Logs::QueryDefinition", Name="q", QueryString=query),
        }  # fmt: skip

    async def found(world):
        filters = (await world.do("logs", "DescribeMetricFilters", logGroupName="shop"))["metricFilters"]
        policies = (await world.do("logs", "DescribeResourcePolicies"))["resourcePolicies"]
        queries = (await world.do("logs", "DescribeQueryDefinitions"))["queryDefinitions"]
        return (
            [one["filterPattern"] for one in filters],
            [one["policyName"] for one in policies],
            [one["queryString"] for one in queries],
        )

    async def scenario(world):
        stack = await world.deploy(a_template(**resources("{ $.a = 1 }", "fields @message")))
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        assert await found(world) == (["{ $.a = 1 }"], ["p"], ["fields @message"])
        stack = await world.deploy(a_template(**resources("{ $.a = 2 }", "limit 5")))
        assert stack["StackStatus"] == "UPDATE_COMPLETE", await world.events()
        assert await found(world) == (["{ $.a = 2 }"], ["p"], ["limit 5"])
        await world.deploy(a_template(Group=group))
        assert await found(world) == ([], [], [])

    with_world(tmp_path, scenario)


def test_alarms_and_dashboards_are_put_changed_and_deleted(tmp_path):
    def resources(threshold, **more):
        alarm = a(
            "AWS::CloudWatch::Alarm", MetricName="Orders", Namespace="Shop", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=threshold, ComparisonOperator="GreaterThanThreshold", **more,
        )  # fmt: skip
        rule = {"Fn::Sub": 'ALARM("${Many}")'}
        return {
            "Many": alarm,
            "Any": a("AWS::CloudWatch::CompositeAlarm", AlarmName="any", AlarmRule=rule),
            "Board": a("AWS::CloudWatch::Dashboard", DashboardName="shop", DashboardBody='{"widgets": []}'),
        }

    async def scenario(world):
        stack = await world.deploy(a_template({"Arn": {"Fn::GetAtt": "Many.Arn"}}, **resources(5)))
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        (alarm,) = (await world.do("cloudwatch", "DescribeAlarms"))["MetricAlarms"]
        assert (alarm["Threshold"], alarm["AlarmArn"]) == (5, stack["Outputs"][0]["OutputValue"])
        tags = [{"Key": "team", "Value": "shop"}]
        stack = await world.deploy(a_template(**resources(7, Tags=tags)))
        assert stack["StackStatus"] == "UPDATE_COMPLETE", await world.events()
        (alarm,) = (await world.do("cloudwatch", "DescribeAlarms"))["MetricAlarms"]
        assert alarm["Threshold"] == 7
        assert (await world.do("cloudwatch", "ListTagsForResource", ResourceARN=alarm["AlarmArn"]))["Tags"] == tags
        assert len((await world.do("cloudwatch", "ListDashboards"))["DashboardEntries"]) == 1
        await world.cfn("DeleteStack", StackName="shop")
        await world.settled(stack["StackId"])
        left = await world.do("cloudwatch", "DescribeAlarms", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        assert (left["MetricAlarms"], left["CompositeAlarms"]) == ([], [])
        assert (await world.do("cloudwatch", "ListDashboards"))["DashboardEntries"] == []

    with_world(tmp_path, scenario)
