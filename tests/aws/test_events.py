"""Rules by boto3 on a running platform."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError


def test_a_rule_by_schedule_is_kept_with_its_targets(platform) -> None:
    aws = platform.client("events")
    arn = aws.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")["RuleArn"]
    target = {"Id": "1", "Arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "Input": json.dumps({"a": 1})}
    assert aws.put_targets(Rule="hourly", Targets=[target])["FailedEntryCount"] == 0
    aws.disable_rule(Name="hourly")
    assert aws.describe_rule(Name="hourly")["State"] == "DISABLED"
    assert aws.list_targets_by_rule(Rule="hourly")["Targets"] == [target]
    assert [rule["Arn"] for rule in aws.list_rules(NamePrefix="hour")["Rules"]] == [arn]
    aws.remove_targets(Rule="hourly", Ids=["1"])
    aws.delete_rule(Name="hourly")
    with pytest.raises(ClientError) as error:
        aws.describe_rule(Name="hourly")
    assert error.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_an_event_reaches_a_log_group_by_its_rule(platform) -> None:
    aws, logs = platform.client("events"), platform.client("logs")
    group = "/aws/events/orders"
    logs.create_log_group(logGroupName=group)
    arn = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["logGroupArn"]
    bus = aws.create_event_bus(Name="orders")["EventBusArn"]
    pattern = json.dumps({"detail": {"total": [{"numeric": [">", 10]}]}})
    aws.put_rule(Name="large", EventBusName="orders", EventPattern=pattern)
    aws.put_targets(Rule="large", EventBusName="orders", Targets=[{"Id": "logs", "Arn": arn}])
    entries = [
        {"Source": "shop", "DetailType": "ordered", "Detail": json.dumps({"total": total}), "EventBusName": bus}
        for total in (5, 50)
    ]
    aws.put_events(Entries=entries)  # no policy lets EventBridge write
    assert logs.filter_log_events(logGroupName=group)["events"] == []
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": f"{arn}:*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    logs.put_resource_policy(policyName="events", policyDocument=document)
    assert aws.put_events(Entries=entries)["FailedEntryCount"] == 0
    (event,) = logs.filter_log_events(logGroupName=group)["events"]
    assert json.loads(event["message"])["detail"] == {"total": 50}


def test_what_cannot_be_delivered_is_refused(platform) -> None:
    aws = platform.client("events")
    aws.put_rule(Name="pattern", EventPattern=json.dumps({"source": ["shop"]}))
    with pytest.raises(ClientError, match="is not supported by Gatepost: targets are functions"):
        aws.put_targets(Rule="pattern", Targets=[{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:000000000000:q"}])
    with pytest.raises(ClientError) as error:
        aws.list_partner_event_sources(NamePrefix="x")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
