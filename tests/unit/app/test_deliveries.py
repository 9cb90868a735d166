"""Messages to endpoints of the operator's, over real HTTP, signed with the key that was given."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qs

import pytest

from gatepost.app.deliveries import ForwardedDeliveries
from gatepost.awsapi.forwarding import parse_forwarded
from gatepost.kernel.clock import SystemClock
from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.ports import Credentials, Message
from gatepost.security.sigv4 import SignatureVerifier, joined_headers
from gatepost.wire.client import Client
from gatepost.wire.messages import Request, Response
from tests.support.aws_endpoints import listening

QUEUE = "arn:aws:sqs:eu-west-1:000000000000:failed"


class Elsewhere:
    """Any AWS service, which takes what is signed with its own key."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[Response] = []

    def body_bytes_max(self, request: Request) -> int:
        return 1024 * 1024

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        headers = joined_headers(request.headers)
        verifier = SignatureVerifier()
        claim = verifier.read(headers, request.query, now_ms=SystemClock().now_ms())
        verifier.verify(
            claim, "secret", method=request.method, path=request.path, query=request.query, headers=headers,
            body=request.body,
        )  # fmt: skip
        if self.answers:
            return self.answers.pop(0)
        url = b'{"QueueUrl":"http://elsewhere/000000000000/failed","FailedEntryCount":0}'
        return Response(200, [(b"Content-Type", b"application/json")], url)

    def header(self, name: bytes) -> list[bytes]:
        return [joined_headers(request.headers).get(name, b"") for request in self.requests]


def deliver(elsewhere: Elsewhere, *messages: tuple[str, Message]) -> None:
    with listening(elsewhere) as url:
        key = Credentials("KEY", "secret")
        services = [parse_forwarded(name, url, credentials=key) for name in ("sqs", "sns", "events", "s3")]

        async def scenario() -> None:
            client = Client(clock=SystemClock())
            deliveries = ForwardedDeliveries(services, client=client, clock=SystemClock())
            assert deliveries.services == {"sqs", "sns", "events", "s3"}
            try:
                for arn, message in messages:
                    await deliveries.send(arn, message)
            finally:
                await client.close()

        asyncio.run(scenario())


def test_a_queue_is_found_once_and_gets_body_and_attributes() -> None:
    elsewhere = Elsewhere()
    message = Message("[1]", attributes={"RequestID": "r", "ErrorCode": "200"})
    deliver(elsewhere, (QUEUE, message), (QUEUE, message))
    targets = [b"AmazonSQS.GetQueueUrl", b"AmazonSQS.SendMessage", b"AmazonSQS.SendMessage"]
    assert elsewhere.header(b"x-amz-target") == targets
    asked, sent, _ = (json.loads(request.body) for request in elsewhere.requests)
    assert asked == {"QueueName": "failed", "QueueOwnerAWSAccountId": "000000000000"}
    assert (sent["QueueUrl"], sent["MessageBody"]) == ("http://elsewhere/000000000000/failed", "[1]")
    assert sent["MessageAttributes"]["ErrorCode"] == {"DataType": "Number", "StringValue": "200"}
    assert all(b"eu-west-1/sqs/aws4_request" in one for one in elsewhere.header(b"authorization"))


def test_topics_buses_and_buckets_get_what_is_theirs() -> None:
    elsewhere = Elsewhere()
    topic = "arn:aws:sns:eu-west-1:000000000000:t"
    bus = "arn:aws:events:eu-west-1:000000000000:event-bus/shop"
    record = Message('{"a":1}', {"RequestID": "r"}, "Lambda …", "lambda", ("arn",), "aws/lambda/async/f/x")
    deliver(elsewhere, (topic, record), (bus, record), ("arn:aws:s3:::failures", record))
    published, put, stored = elsewhere.requests
    fields = parse_qs(published.body.decode())
    assert (fields["Action"], fields["TopicArn"], fields["Message"]) == (["Publish"], [topic], ['{"a":1}'])
    assert fields["MessageAttributes.entry.1.Value.StringValue"] == ["r"]
    (entry,) = json.loads(put.body)["Entries"]
    assert entry == {
        "Source": "lambda",
        "DetailType": "Lambda …",
        "Detail": '{"a":1}',
        "EventBusName": bus,
        "Resources": ["arn"],
    }
    assert (stored.method, stored.path, stored.body) == ("PUT", "/failures/aws/lambda/async/f/x", b'{"a":1}')


@pytest.mark.parametrize(
    ("arn", "answer"),
    [
        ("arn:aws:s3:::failures", Response(403, [], b"AccessDenied")),
        ("arn:aws:events:eu-west-1:0:event-bus/x", Response(200, [], b'{"FailedEntryCount":1}')),
        ("arn:aws:kinesis:eu-west-1:0:stream/x", None),
    ],
)
def test_what_is_not_taken_is_told(arn: str, answer: Response | None) -> None:
    elsewhere = Elsewhere()
    elsewhere.answers = [answer] if answer else []
    with pytest.raises(ServiceUnavailable):
        deliver(elsewhere, (arn, Message("{}", object_key="k")))
