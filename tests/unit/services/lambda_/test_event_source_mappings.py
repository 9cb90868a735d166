"""Event source mappings by operations, and that they go on where they were."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import InvocationResult
from tests.support.functions import LambdaControl, with_lambda
from tests.unit.services.lambda_.test_event_invoke import QUEUE, KeptDeliveries
from tests.unit.services.lambda_.test_stream_lane import STREAM, ListedStream

ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"


def a_stream() -> ListedStream:
    stream = ListedStream(FixedClock())
    start = stream.start
    stream.start = lambda arn, *, since_ms: start(arn, since_ms=since_ms) if arn == STREAM else None
    return stream


async def create(aws: LambdaControl, **params: Any) -> dict[str, Any]:
    values = {"FunctionName": "orders", "EventSourceArn": STREAM, "StartingPosition": "TRIM_HORIZON"}
    return await aws("CreateEventSourceMapping", **{**values, **params})


async def refusal(step) -> str:
    with pytest.raises(ServiceError) as error:
        await step
    return f"{error.value.code}: {error.value.message}"


def keys_of(aws: LambdaControl) -> list[str]:
    batches = [json.loads(one.payload)["Records"] for one in aws.invoker.invocations]
    return [record["dynamodb"]["Keys"]["id"]["S"] for batch in batches for record in batch]


async def until(condition) -> None:
    async def wait() -> None:
        while not condition():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), 10)


def test_a_mapping_is_made_described_changed_and_deleted(tmp_path) -> None:
    stream = a_stream()

    async def scenario(aws: LambdaControl):
        await aws.a_function()
        pattern = {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]}
        made = await create(aws, BatchSize=7, FilterCriteria=pattern, FunctionResponseTypes=["ReportBatchItemFailures"])
        again = await refusal(create(aws))
        uuid = made["UUID"]
        changed = await aws(
            "UpdateEventSourceMapping", UUID=uuid, Enabled=False, MaximumRetryAttempts=2, ParallelizationFactor=3
        )
        got = await aws("GetEventSourceMapping", UUID=uuid)
        listed = [
            await aws("ListEventSourceMappings", **by)
            for by in ({"FunctionName": "orders"}, {"EventSourceArn": f"{STREAM}2"})
        ]
        deleted = await aws("DeleteEventSourceMapping", UUID=uuid)
        gone = await refusal(aws("GetEventSourceMapping", UUID=uuid))
        return made, again, changed, got, listed, deleted, gone

    made, again, changed, got, listed, deleted, gone = with_lambda(tmp_path, scenario, streams=stream)
    assert (made["State"], made["BatchSize"], made["FunctionArn"]) == ("Enabled", 7, ARN)
    assert made["FilterCriteria"] == {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]}
    assert made["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert again.startswith("ResourceConflictException")
    assert made["UUID"] in again
    assert (changed["State"], changed["MaximumRetryAttempts"], changed["BatchSize"]) == ("Disabled", 2, 7)
    assert got == changed
    assert [len(one["EventSourceMappings"]) for one in listed] == [1, 0]
    assert deleted["State"] == "Deleting"
    assert gone.startswith("ResourceNotFoundException")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"EventSourceArn": QUEUE}, "use a DynamoDB stream's ARN"),
        ({"EventSourceArn": STREAM + "2"}, "Stream not found"),
        ({"StartingPosition": "AT_TIMESTAMP"}, "use LATEST or TRIM_HORIZON"),
        ({"BatchSize": 1001}, "must be greater than 0"),
        ({"MaximumRecordAgeInSeconds": 59}, "MaximumRecordAgeInSeconds 59"),
        ({"MaximumBatchingWindowInSeconds": 301}, "MaximumBatchingWindowInSeconds"),
        ({"TumblingWindowInSeconds": 5}, "TumblingWindowInSeconds is not supported"),
        ({"Tags": {"a": "b"}}, "Tags is not supported"),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}, "Invalid filter pattern definition"),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 6}}, "at most 5 filters"),
        ({"DestinationConfig": {"OnFailure": {"Destination": ARN}}}, "use a queue, a topic or a bucket"),
        ({"DestinationConfig": {"OnFailure": {"Destination": QUEUE}}}, "name its endpoint with --service sqs="),
        ({"DestinationConfig": {"OnSuccess": {"Destination": QUEUE}}}, "OnSuccess does not apply"),
        ({"FunctionName": "lost"}, "Function not found"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, params, words: str) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        return await refusal(create(aws, **params))

    told = with_lambda(tmp_path, scenario, streams=a_stream())
    assert words in told or "ValidationException" in told


def test_the_functions_role_must_be_allowed_to_read(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        aws.provider._mappings._parts.authorization._denied = ("dynamodb:GetRecords",)
        return await refusal(create(aws))

    assert "Cannot access stream" in with_lambda(tmp_path, scenario, streams=a_stream())


def test_changes_reach_the_function_and_a_restart_goes_on_where_it_was(tmp_path) -> None:
    stream = a_stream()
    stream.add("a", "b")

    async def first(aws: LambdaControl):
        await aws.a_function()
        await create(aws)
        await until(lambda: len(keys_of(aws)) == 2)
        mappings = aws.provider._mappings
        (running,) = mappings._running.values()
        await until(lambda: running._positions == [3])
        return keys_of(aws), (await aws("ListEventSourceMappings"))["EventSourceMappings"][0]["LastProcessingResult"]

    async def second(aws: LambdaControl):
        stream.add("c")
        await until(lambda: keys_of(aws))
        return keys_of(aws)

    assert with_lambda(tmp_path, first, streams=stream) == (["a", "b"], "OK")
    assert with_lambda(tmp_path, second, streams=stream) == ["c"]


def test_latest_begins_after_what_is_there(tmp_path) -> None:
    stream = a_stream()
    stream.add("old")

    async def scenario(aws: LambdaControl):
        await aws.a_function()
        await create(
            aws, StartingPosition="LATEST", FilterCriteria={"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]}
        )
        stream.add("removed", kind="REMOVE")
        stream.add("new")
        await until(lambda: keys_of(aws))
        return keys_of(aws)

    assert with_lambda(tmp_path, scenario, streams=stream) == ["new"]


def test_what_is_given_up_goes_to_the_destination(tmp_path) -> None:
    stream, deliveries = a_stream(), KeptDeliveries("sqs")
    stream.add("a")

    async def scenario(aws: LambdaControl):
        await aws.a_function()
        aws.invoker.results = [InvocationResult(200, b"{}", "Unhandled")]
        await create(aws, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": QUEUE}})
        await until(lambda: deliveries.sent)

    with_lambda(tmp_path, scenario, streams=stream, deliveries=deliveries)
    ((arn, message),) = deliveries.sent
    assert arn == QUEUE
    body = json.loads(message.body)
    assert body["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert body["DDBStreamBatchInfo"]["streamArn"] == STREAM
