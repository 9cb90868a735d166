"""Resource policies and saved queries."""

from __future__ import annotations

import asyncio
import json

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.sinks import LogDelivery
from tests.support.logs import GROUP, LogsControl, with_logs
from tests.support.toys import ACCOUNT

POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": "*",
            }
        ],
    }
)


async def refusal(step) -> str:
    with pytest.raises(ServiceError) as error:
        await step
    return f"{error.value.code}: {error.value.message}"


def test_a_resource_policy_is_asked_when_a_service_writes(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs("CreateLogGroup", logGroupName=GROUP)
        put = await logs("PutResourcePolicy", policyName="p", policyDocument=POLICY)
        found = await logs("DescribeResourcePolicies")
        arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{GROUP}"
        told = {"service": "events.amazonaws.com", "source_arn": "arn:rule"}
        writer: LogDelivery = logs.provider
        await writer.deliver(arn, "s", "hello", **told)
        asked = logs.authorization.asked[-1]
        events = await logs("GetLogEvents", logGroupName=GROUP, logStreamName="s")
        await logs("DeleteResourcePolicy", policyName="p")
        gone = await refusal(logs("DeleteResourcePolicy", policyName="p"))
        return put["resourcePolicy"], found["resourcePolicies"], asked, events["events"], gone

    put, found, asked, events, gone = with_logs(tmp_path, scenario)
    assert found == [put]
    assert (put["policyName"], put["policyDocument"]) == ("p", POLICY)
    assert (asked.action, asked.resource_policy) == ("logs:PutLogEvents", POLICY)
    assert [event["message"] for event in events] == ["hello"]
    assert gone == "ResourceNotFoundException: Policy with name [p] does not exist"


def test_of_two_that_delete_a_policy_at_once_neither_fails(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs("PutResourcePolicy", policyName="p", policyDocument=POLICY)
        return await asyncio.gather(*[logs("DeleteResourcePolicy", policyName="p") for _ in range(2)])

    assert with_logs(tmp_path, scenario) == [{}, {}]


def test_there_are_ten_policies_and_each_is_json(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        for number in range(10):
            await logs("PutResourcePolicy", policyName=f"p{number}", policyDocument=POLICY)
        await logs("PutResourcePolicy", policyName="p1", policyDocument=POLICY)
        return [
            await refusal(logs("PutResourcePolicy", policyName="p10", policyDocument=POLICY)),
            await refusal(logs("PutResourcePolicy", policyName="p1", policyDocument="{")),
        ]

    full, bad = with_logs(tmp_path, scenario)
    assert full == "LimitExceededException: Resource limit exceeded."
    assert bad.startswith("InvalidParameterException")


def test_queries_are_saved_changed_and_deleted(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        query = {"name": "errors", "queryString": "fields @message"}
        made = (await logs("PutQueryDefinition", **query, logGroupNames=["a"]))["queryDefinitionId"]
        await logs("PutQueryDefinition", **query | {"name": "all"}, queryDefinitionId=made)
        found = (await logs("DescribeQueryDefinitions", queryDefinitionNamePrefix="a"))["queryDefinitions"]
        deleted = await logs("DeleteQueryDefinition", queryDefinitionId=made)
        gone = await refusal(logs("DeleteQueryDefinition", queryDefinitionId=made))
        unknown = await refusal(logs("PutQueryDefinition", **query, queryDefinitionId="x"))
        return made, found, deleted, gone, unknown

    made, found, deleted, gone, unknown = with_logs(tmp_path, scenario)
    assert [(one["queryDefinitionId"], one["name"], one["logGroupNames"]) for one in found] == [(made, "all", [])]
    assert deleted == {"success": True}
    assert gone.startswith("ResourceNotFoundException")
    assert unknown.startswith("ResourceNotFoundException")
