"""Where records of asynchronous invocations go, and what they say.

Functions are invoked here, asynchronously. Queues, topics, buses and buckets are at endpoints that the operator named
with `--service`; without one they are refused. As on AWS the function's own role must allow it.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gatepost.kernel.arn import parse_arn
from gatepost.kernel.clock import Clock, iso_8601
from gatepost.kernel.errors import AccessDeniedException, ServiceError
from gatepost.kernel.operations import Access, Call
from gatepost.kernel.ports import Authorization, Deliveries, InvocationResult, Message
from gatepost.services.lambda_.catalogue import Catalogue
from gatepost.services.lambda_.configuration import bad
from gatepost.services.lambda_.events import Ending, FunctionEvent
from gatepost.services.lambda_.log_permission import role_session
from gatepost.services.lambda_.model import LATEST, Function

log = logging.getLogger(__name__)

DESTINATION_ACTIONS: Final = {
    "lambda": "InvokeFunction",
    "sqs": "SendMessage",
    "sns": "Publish",
    "events": "PutEvents",
    "s3": "PutObject",
}
DEAD_LETTER_SERVICES: Final = ("sqs", "sns")


@dataclass(frozen=True, slots=True)
class DestinationParts:
    """What sending needs."""

    catalogue: Catalogue
    authorization: Authorization
    deliveries: Deliveries | None
    clock: Clock
    new_id: Callable[[], str]


class Destinations:
    """Checks destinations when they are set, and sends records when events have ended."""

    def __init__(self, parts: DestinationParts) -> None:
        self._parts = parts

    def check(self, function: Function, arn: str, *, what: str, is_success: bool = False) -> None:
        """Refuse a destination that a record could not go to. Raises: InvalidParameterValueException."""
        parsed = parse_arn(arn)
        if parsed is None or parsed.service not in DESTINATION_ACTIONS:
            raise bad(f"{what} {arn!r} is no ARN of a function, queue, topic, event bus or bucket")
        if parsed.service == "s3" and is_success:
            raise bad(f"{what} {arn} is a bucket: buckets take records of failures only")
        if arn.endswith(".fifo"):
            raise bad(f"{what} {arn}: FIFO queues and topics are not supported as destinations")
        if parsed.service == "lambda":
            if self._function_of(arn) is None:
                raise bad(f"{what} {arn} does not exist")
        elif parsed.service not in self._services:
            raise bad(
                f"{what} {arn} cannot be reached: there is no {parsed.service} here; name its endpoint with "
                f"--service {parsed.service}=http://KEY:SECRET@host:port"
            )
        self._check_role(function, parsed.service, arn)

    def check_dead_letter(self, function: Function, arn: str) -> None:
        """Refuse a dead-letter queue that events could not go to. Raises: InvalidParameterValueException."""
        parsed = parse_arn(arn)
        if parsed is None or parsed.service not in DEAD_LETTER_SERVICES:
            raise bad(f"DeadLetterConfig.TargetArn {arn!r} is no ARN of an SQS queue or an SNS topic")
        self.check(function, arn, what="DeadLetterConfig.TargetArn")

    @property
    def _services(self) -> frozenset[str]:
        return self._parts.deliveries.services if self._parts.deliveries is not None else frozenset()

    def _function_of(self, arn: str) -> Function | None:
        parts = arn.split(":")
        target = self._parts.catalogue.find_target(":".join(parts[:7]), parts[7] if len(parts) == 8 else "")
        return target.function if target is not None else None

    def _check_role(self, function: Function, service: str, arn: str) -> None:
        action = DESTINATION_ACTIONS[service]
        resource = f"{arn}/*" if service == "s3" else arn
        call = Call(
            service=service,
            operation=action,
            account_id=function.account_id,
            region=function.region,
            principal=role_session(function),
            request_id="",
            now_ms=self._parts.clock.now_ms(),
        )
        try:
            self._parts.authorization.check(call, Access(f"{service}:{action}", resource))
        except AccessDeniedException as error:
            raise bad(f"The function's execution role does not have permissions to call {action} on {arn}") from error

    # --- sending -----------------------------------------------------------------------------------------------

    async def send_record(self, event: FunctionEvent, ending: Ending, arn: str) -> FunctionEvent | None:
        """Send the record of an ended event; for a function, give the event that takes it there.

        Raises: ServiceError when it is not taken.
        """
        function = self._function_of(event.function_arn)
        if function is None:
            return None
        self.check(function, arn, what="Destination")
        body = record_of(event, ending, now_ms=self._parts.clock.now_ms())
        if arn.split(":")[2] == "lambda":
            payload = base64.b64encode(orjson.dumps(body)).decode()
            return FunctionEvent(self._parts.new_id(), arn, payload, self._parts.clock.now_ms())
        assert self._parts.deliveries is not None
        outcome = "Success" if ending.condition == "Success" else "Failure"
        at = iso_8601(self._parts.clock.now_ms())
        message = Message(
            orjson.dumps(body).decode(),
            detail_type=f"Lambda Function Invocation Result - {outcome}",
            source="lambda",
            resources=(body["requestContext"]["functionArn"], arn),
            object_key=f"aws/lambda/async/{function.name}/{at[:10].replace('-', '/')}/"
            f"{at[:19].replace(':', '.')}-{self._parts.new_id()}",
        )
        await self._parts.deliveries.send(arn, message)
        return None

    async def send_body(self, function: Function, arn: str, body: dict[str, Any], *, object_key: str) -> None:
        """Send a record that is no invocation's to a queue, topic or bucket. Raises: ServiceError."""
        self.check(function, arn, what="Destination")
        assert self._parts.deliveries is not None
        await self._parts.deliveries.send(arn, Message(orjson.dumps(body).decode(), object_key=object_key))

    async def send_dead_letter(self, event: FunctionEvent, ending: Ending, arn: str) -> None:
        """Send an event that was given up to its queue or topic. Raises: ServiceError when it is not taken."""
        function = self._function_of(event.function_arn)
        if function is None:
            return
        self.check_dead_letter(function, arn)
        assert self._parts.deliveries is not None
        attributes = {"RequestID": event.request_id}
        if ending.result is not None:
            attributes |= {"ErrorCode": str(ending.result.status), "ErrorMessage": _error_message(ending.result)[:1024]}
        body = base64.b64decode(event.payload_base64).decode()
        await self._parts.deliveries.send(arn, Message(body, attributes=attributes))


def record_of(event: FunctionEvent, ending: Ending, *, now_ms: int) -> dict[str, Any]:
    """Write the record of one ended event."""
    parts = event.function_arn.split(":")
    arn = event.function_arn if len(parts) == 8 else f"{event.function_arn}:{LATEST}"
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": iso_8601(now_ms),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": arn,
            "condition": ending.condition,
            "approximateInvokeCount": ending.invocations,
        },
        "requestPayload": orjson.loads(base64.b64decode(event.payload_base64)),
    }
    result = ending.result
    if result is not None:
        context: dict[str, Any] = {"statusCode": result.status, "executedVersion": result.executed_version}
        if result.function_error:
            context["functionError"] = result.function_error
        record["responseContext"] = context
        record["responsePayload"] = _json(result.payload)
    return record


def _json(payload: bytes) -> Any:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return payload.decode("utf-8", "replace")


def _error_message(result: InvocationResult) -> str:
    payload = _json(result.payload)
    return str(payload.get("errorMessage", "")) if isinstance(payload, dict) else ""


def is_lost(error: ServiceError) -> bool:
    """Say whether sending again would not help: the destination is gone or the role may not use it any more."""
    return error.status < 500
