"""Messages to queues, topics, event buses and buckets at endpoints that the operator named (`--service sqs=http://…`).

Each is one signed request of the service's own protocol; a queue's URL is asked for once. What a client of the
operator's would send goes over the wire; the endpoint may be AWS or anything that speaks like it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import orjson

from gatepost.awsapi.forwarding import ForwardedService
from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.ports import Message
from gatepost.security.sigv4 import sha256_hex, sign
from gatepost.wire.client import Client
from gatepost.wire.outgoing import OutgoingRequest, UpstreamError

READ_MS: Final = 30_000
ANSWER_BYTES_MAX: Final = 1024 * 1024
QUEUES_KNOWN_MAX: Final = 1_000
_JSON: Final = "application/x-amz-json-1.0"
_EVENTS_JSON: Final = "application/x-amz-json-1.1"
_FORM: Final = "application/x-www-form-urlencoded; charset=utf-8"


class ForwardedDeliveries:
    """`kernel.ports.Deliveries` over HTTP."""

    def __init__(self, services: Iterable[ForwardedService], *, client: Client, clock: Clock) -> None:
        self._services = {service.name: service for service in services}
        self._client = client
        self._clock = clock
        self._queues: dict[str, str] = {}  # ARN -> URL

    @property
    def services(self) -> frozenset[str]:
        """Give the services' names in credential scopes."""
        return frozenset(self._services)

    async def send(self, target_arn: str, message: Message) -> None:
        """Deliver one message. Raises: ServiceUnavailable."""
        service = target_arn.split(":")[2]
        if service not in self._services:
            raise ServiceUnavailable(f"There is no endpoint for {service}: name it with --service")
        match service:
            case "sqs":
                await self._send_to_queue(target_arn, message)
            case "sns":
                await self._send_to_topic(target_arn, message)
            case "events":
                await self._send_to_bus(target_arn, message)
            case "s3":
                await self._put_object(target_arn, message)
            case _:
                raise ServiceUnavailable(f"Nothing can be delivered to {target_arn}")

    async def _send_to_queue(self, arn: str, message: Message) -> None:
        url = self._queues.get(arn)
        if url is None:
            _, _, _, _, account_id, name = arn.split(":", 5)
            asked = {"QueueName": name, "QueueOwnerAWSAccountId": account_id}
            answer = await self._operation(arn, "AmazonSQS.GetQueueUrl", asked, _JSON)
            url = str(orjson.loads(answer)["QueueUrl"])
            if len(self._queues) >= QUEUES_KNOWN_MAX:
                self._queues.clear()
            self._queues[arn] = url
        body: dict[str, Any] = {"QueueUrl": url, "MessageBody": message.body}
        if message.attributes:
            body["MessageAttributes"] = {
                name: {"DataType": "Number" if name == "ErrorCode" else "String", "StringValue": value}
                for name, value in message.attributes.items()
            }
        await self._operation(arn, "AmazonSQS.SendMessage", body, _JSON)

    async def _send_to_topic(self, arn: str, message: Message) -> None:
        fields = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": arn, "Message": message.body}
        for number, (name, value) in enumerate(message.attributes.items(), 1):
            entry = f"MessageAttributes.entry.{number}"
            fields |= {
                f"{entry}.Name": name,
                f"{entry}.Value.DataType": "Number" if name == "ErrorCode" else "String",
                f"{entry}.Value.StringValue": value,
            }
        await self._request(arn, "POST", "/", urlencode(fields).encode(), [("Content-Type", _FORM)])

    async def _send_to_bus(self, arn: str, message: Message) -> None:
        entry = {
            "Source": message.source,
            "DetailType": message.detail_type,
            "Detail": message.body,
            "EventBusName": arn,
            "Resources": list(message.resources),
        }
        answer = await self._operation(arn, "AWSEvents.PutEvents", {"Entries": [entry]}, _EVENTS_JSON)
        if (orjson.loads(answer) or {}).get("FailedEntryCount"):
            raise ServiceUnavailable(f"{arn} did not take the event", detail=answer.decode("utf-8", "replace")[:512])

    async def _put_object(self, arn: str, message: Message) -> None:
        bucket = arn.rpartition(":")[2]
        path = f"/{bucket}/{quote(message.object_key, safe='/-_.~')}"
        await self._request(arn, "PUT", path, message.body.encode(), [("Content-Type", "application/json")])

    async def _operation(self, arn: str, target: str, body: dict[str, Any], content_type: str) -> bytes:
        headers = [("Content-Type", content_type), ("X-Amz-Target", target)]
        return await self._request(arn, "POST", "/", orjson.dumps(body), headers)

    async def _request(self, arn: str, method: str, path: str, body: bytes, headers: list[tuple[str, str]]) -> bytes:
        service = self._services[arn.split(":")[2]]
        region = arn.split(":")[3] or "us-east-1"  # a bucket's ARN names no region
        path = service.base_path + path
        outgoing = signed_request(service, method, path, "", headers, body, region=region, now_ms=self._clock.now_ms())
        try:
            answer = await self._client.send(outgoing)
        except (UpstreamError, ValueError) as error:
            raise ServiceUnavailable(
                f"The endpoint for {service.name} does not answer", detail=f"{urlsplit(path).path}: {error}"
            ) from error
        if answer.status >= 300:
            detail = f"{answer.status} {bytes(answer.body)[:512]!r}"
            raise ServiceUnavailable(f"The endpoint for {service.name} did not take the message", detail=detail)
        return bytes(answer.body)


def signed_request(
    service: ForwardedService,
    method: str,
    path: str,
    query: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
    *,
    region: str,
    now_ms: int,
) -> OutgoingRequest:
    """Give a request to a service of the operator's, signed with the key that was given for it."""
    name = f"[{service.host}]" if ":" in service.host else service.host
    host = name if service.port == (443 if service.is_tls else 80) else f"{name}:{service.port}"
    signed = sign(
        method,
        path,
        query,
        [("Host", host), ("X-Amz-Content-SHA256", sha256_hex(body)), *headers],
        body,
        access_key_id=service.credentials.access_key_id,
        secret_access_key=service.credentials.secret_access_key,
        session_token=service.credentials.session_token,
        region=region,
        service=service.name,
        now_ms=now_ms,
    )
    return OutgoingRequest(
        method,
        service.host,
        service.port,
        path + (f"?{query}" if query else ""),
        [(key.encode("latin-1"), value.encode("latin-1")) for key, value in signed],
        body,
        is_tls=service.is_tls,
        read_ms=READ_MS,
        body_bytes_max=ANSWER_BYTES_MAX,
    )
