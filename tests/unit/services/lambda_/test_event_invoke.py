"""Asynchronous invocation as it is set: retries, age, destinations, dead letters."""

from __future__ import annotations

import asyncio
import json

import pytest

from gatepost.kernel.errors import ServiceError, ServiceUnavailable
from gatepost.kernel.ports import InvocationResult, Message
from gatepost.services.lambda_.events import EVENT
from tests.support.functions import LambdaControl, with_lambda

ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"
TARGET = "arn:aws:lambda:us-east-1:000000000000:function:target"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:failed"
TOPIC = "arn:aws:sns:us-east-1:000000000000:failed"
BUS = "arn:aws:events:us-east-1:000000000000:event-bus/shop"
BUCKET = "arn:aws:s3:::failures"
FAILED = InvocationResult(200, b'{"errorMessage":"no","errorType":"E"}', "Unhandled")


class KeptDeliveries:
    """Deliveries that keep what they were told; the first `failures` are not taken."""

    def __init__(self, *services: str, failures: int = 0) -> None:
        self.services = frozenset(services)
        self.sent: list[tuple[str, Message]] = []
        self.failures = failures

    async def send(self, target_arn: str, message: Message) -> None:
        if self.failures:
            self.failures -= 1
            raise ServiceUnavailable("not now")
        self.sent.append((target_arn, message))


async def refusal(step) -> str:
    with pytest.raises(ServiceError) as error:
        await step
    return f"{error.value.code}: {error.value.message}"


async def ended(aws: LambdaControl, count: int = 1) -> None:
    """Wait until so many invocations have come to the invoker and every event has ended."""
    while len(aws.invoker.invocations) < count or len(aws.provider._events):
        await asyncio.sleep(0)


def test_settings_are_kept_for_each_qualifier(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function(Publish=True)
        await aws.a_function("target")
        put = await aws("PutFunctionEventInvokeConfig", FunctionName="orders", MaximumRetryAttempts=0)
        destination = {"OnFailure": {"Destination": TARGET}}
        await aws("PutFunctionEventInvokeConfig", FunctionName=f"{ARN}:1", DestinationConfig=destination)
        update = {"FunctionName": "orders", "Qualifier": "1", "MaximumEventAgeInSeconds": 60}
        updated = await aws("UpdateFunctionEventInvokeConfig", **update)
        replaced = await aws("PutFunctionEventInvokeConfig", FunctionName="orders", MaximumEventAgeInSeconds=90)
        listed = await aws("ListFunctionEventInvokeConfigs", FunctionName="orders")
        await aws("DeleteFunctionEventInvokeConfig", FunctionName="orders")
        gone = await refusal(aws("GetFunctionEventInvokeConfig", FunctionName="orders"))
        return put, updated, replaced, listed, gone

    put, updated, replaced, listed, gone = with_lambda(tmp_path, scenario)
    assert (put["FunctionArn"], put["MaximumRetryAttempts"]) == (f"{ARN}:$LATEST", 0)
    assert put["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    assert updated["MaximumEventAgeInSeconds"] == 60
    assert updated["DestinationConfig"]["OnFailure"] == {"Destination": TARGET}
    assert "MaximumRetryAttempts" not in replaced
    assert [one["FunctionArn"] for one in listed["FunctionEventInvokeConfigs"]] == [f"{ARN}:$LATEST", f"{ARN}:1"]
    assert gone == f"ResourceNotFoundException: The function {ARN}:$LATEST doesn't have an EventInvokeConfig"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "at least one"),
        ({"on": ("OnSuccess", QUEUE)}, "name its endpoint with --service sqs="),
        ({"on": ("OnFailure", TOPIC)}, "name its endpoint with --service sns="),
        ({"on": ("OnFailure", f"{TARGET}-lost")}, "does not exist"),
        ({"on": ("OnSuccess", BUCKET)}, "failures only"),
        ({"on": ("OnFailure", f"{QUEUE}.fifo")}, "FIFO"),
        ({"on": ("OnFailure", "arn:aws:dynamodb:us-east-1:000000000000:table/x")}, "is no ARN of a function"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, params, words: str) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        if "on" in params:
            name, arn = params["on"]
            values = {"DestinationConfig": {name: {"Destination": arn}}}
        else:
            values = params
        return await refusal(aws("PutFunctionEventInvokeConfig", FunctionName="orders", **values))

    told = with_lambda(tmp_path, scenario)
    assert told.startswith("InvalidParameterValueException")
    assert words in told


def test_the_functions_role_must_allow_the_destination(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        aws.provider._destinations._parts.authorization._denied = ("sqs:SendMessage",)
        values = {"DestinationConfig": {"OnFailure": {"Destination": QUEUE}}}
        return await refusal(aws("PutFunctionEventInvokeConfig", FunctionName="orders", **values))

    told = with_lambda(tmp_path, scenario, deliveries=KeptDeliveries("sqs"))
    assert told.endswith(f"The function's execution role does not have permissions to call SendMessage on {QUEUE}")


def test_a_success_goes_to_a_function_as_an_event_of_its_own(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        await aws.a_function("target")
        values = {"DestinationConfig": {"OnSuccess": {"Destination": TARGET}}}
        await aws("PutFunctionEventInvokeConfig", FunctionName="orders", **values)
        await aws("Invoke", FunctionName="orders", InvocationType="Event", Payload=b'{"a":1}')
        await ended(aws, 2)
        return aws.invoker.invocations

    first, second = with_lambda(tmp_path, scenario)
    assert (first.function_arn, second.function_arn) == (ARN, TARGET)
    record = json.loads(second.payload)
    assert record == {
        "version": "1.0",
        "timestamp": "2025-10-09T08:53:20.000Z",
        "requestContext": {
            "requestId": first.request_id,
            "functionArn": f"{ARN}:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"a": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"a": 1},
    }


def test_a_failure_goes_to_its_destination_and_to_the_dead_letters(tmp_path) -> None:
    deliveries = KeptDeliveries("sqs", "sns", "events", "s3")

    async def scenario(aws: LambdaControl):
        await aws.a_function(DeadLetterConfig={"TargetArn": QUEUE})
        aws.invoker.results = [FAILED] * 2
        for arn in (BUS, BUCKET):
            values = {"DestinationConfig": {"OnFailure": {"Destination": arn}}, "MaximumRetryAttempts": 0}
            await aws("PutFunctionEventInvokeConfig", FunctionName="orders", **values)
            await aws("Invoke", FunctionName="orders", InvocationType="Event", Payload=b"[1]")
            await ended(aws)
        return await aws("GetFunctionConfiguration", FunctionName="orders")

    function = with_lambda(tmp_path, scenario, deliveries=deliveries)
    assert function["DeadLetterConfig"] == {"TargetArn": QUEUE}
    assert [arn for arn, _ in deliveries.sent] == [BUS, QUEUE, BUCKET, QUEUE]
    bus, queue, bucket, _ = (message for _, message in deliveries.sent)
    record = json.loads(bus.body)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert (bus.detail_type, bus.source) == ("Lambda Function Invocation Result - Failure", "lambda")
    assert bus.resources == (f"{ARN}:$LATEST", BUS)
    assert bucket.object_key.startswith("aws/lambda/async/orders/2025/10/09/2025-10-09T08.53.20-")
    assert (queue.body, queue.attributes["ErrorMessage"], queue.attributes["ErrorCode"]) == ("[1]", "no", "200")


def test_a_function_with_nothing_reserved_sends_its_events_straight_on(tmp_path) -> None:
    deliveries = KeptDeliveries("sqs")

    async def scenario(aws: LambdaControl):
        await aws.a_function(DeadLetterConfig={"TargetArn": QUEUE})
        await aws("PutFunctionConcurrency", FunctionName="orders", ReservedConcurrentExecutions=0)
        await aws("Invoke", FunctionName="orders", InvocationType="Event", Payload=b"[1]")
        await ended(aws, 0)
        return aws.invoker.invocations, await aws.provider._catalogue._records.scan(EVENT)

    assert with_lambda(tmp_path, scenario, deliveries=deliveries) == ([], [])
    assert [message.body for _, message in deliveries.sent] == ["[1]"]


def test_a_destination_that_does_not_answer_is_asked_again(tmp_path) -> None:
    deliveries, pauses = KeptDeliveries("sqs", failures=2), []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async def scenario(aws: LambdaControl):
        aws.provider._event_invoke._pause = pause
        await aws.a_function()
        values = {"DestinationConfig": {"OnSuccess": {"Destination": QUEUE}}}
        await aws("PutFunctionEventInvokeConfig", FunctionName="orders", **values)
        for _ in range(2):
            await aws("Invoke", FunctionName="orders", InvocationType="Event")
            await ended(aws)
            deliveries.failures = deliveries.failures or (9 if len(deliveries.sent) == 1 else 0)

    with_lambda(tmp_path, scenario, deliveries=deliveries)
    assert len(deliveries.sent) == 1
    assert pauses == [1, 5, 1, 5, 30]  # the second record was given up


def test_a_service_triggers_a_function_that_lets_it_in(tmp_path) -> None:
    rule = "arn:aws:events:us-east-1:000000000000:rule/r"

    async def scenario(aws: LambdaControl):
        await aws.a_function()
        given = {"service": "events.amazonaws.com", "source_arn": rule, "request_id": "id"}
        refused = [await refusal(aws.provider.trigger(arn, b"[1]", **given)) for arn in (ARN, f"{ARN}-lost")]
        await aws(
            "AddPermission", FunctionName="orders", StatementId="s", Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com", SourceArn=rule,
        )  # fmt: skip
        await aws.provider.trigger(ARN, b"[1]", **given)
        refused.append(await refusal(aws.provider.trigger(ARN, b"[1]", **{**given, "source_arn": f"{rule}2"})))
        await ended(aws)
        return refused, [one.payload for one in aws.invoker.invocations]

    refused, payloads = with_lambda(tmp_path, scenario)
    assert [one.partition(":")[0] for one in refused] == [
        "AccessDeniedException",
        "ResourceNotFoundException",
        "AccessDeniedException",
    ]
    assert payloads == [b"[1]"]
