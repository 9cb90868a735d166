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


def test_what_is_not_by_schedule_is_refused(platform) -> None:
    aws = platform.client("events")
    with pytest.raises(ClientError, match="no events are published here"):
        aws.put_rule(Name="pattern", EventPattern=json.dumps({"source": ["aws.ec2"]}))
    with pytest.raises(ClientError) as error:
        aws.put_events(Entries=[{"Source": "a", "DetailType": "b", "Detail": "{}"}])
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
