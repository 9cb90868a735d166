"""Invoke: run and wait, record for later, or only check."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import orjson

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.limits import LAMBDA_PAYLOAD_BYTES_MAX
from gatepost.kernel.operations import Call
from gatepost.kernel.ports import FunctionInvoker, Invocation, InvocationResult, InvocationStream, StreamBroken
from gatepost.services.lambda_.catalogue import Catalogue, Target, not_found
from gatepost.services.lambda_.configuration import bad
from gatepost.services.lambda_.events import FunctionEvent, FunctionEvents
from gatepost.services.lambda_.model import (
    InvalidRequestContentException,
    LambdaAccessDenied,
    RequestTooLargeException,
)
from gatepost.services.lambda_.policy import allows

Params = Mapping[str, Any]
Answer = dict[str, Any]

EVENT_PAYLOAD_BYTES_MAX: Final = 1024 * 1024  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html


class Invocations:
    """Invoke, and its streamed and its old form."""

    def __init__(self, catalogue: Catalogue, *, invoker: FunctionInvoker, events: FunctionEvents, clock: Clock) -> None:
        self._catalogue = catalogue
        self._invoker = invoker
        self._events = events
        self._clock = clock

    async def trigger(
        self, function_arn: str, payload: bytes, *, service: str, source_arn: str, request_id: str
    ) -> None:
        """Record an event for a function that lets `service` in for `source_arn`. See `ports.FunctionTriggers`."""
        target = self._allowed(function_arn, service=service, source_arn=source_arn)
        text = base64.b64encode(payload).decode()
        await self._events.accept(FunctionEvent(request_id, target.arn, text, self._clock.now_ms()))

    async def call(
        self, function_arn: str, payload: bytes, *, service: str, source_arn: str, request_id: str
    ) -> InvocationResult:
        """Run a function that lets `service` in for `source_arn`. See `ports.FunctionCalls`."""
        target = self._allowed(function_arn, service=service, source_arn=source_arn)
        return await self._invoker.invoke(Invocation(target.arn, payload, request_id))

    def admits(self, function_arn: str, *, service: str, source_arn: str) -> bool:
        """Say whether a function is there and lets `service` in for `source_arn`. See `ports.FunctionTriggers`."""
        try:
            self._allowed(function_arn, service=service, source_arn=source_arn)
        except ServiceError:
            return False
        return True

    def _allowed(self, function_arn: str, *, service: str, source_arn: str) -> Target:
        parts = function_arn.split(":")
        target = self._catalogue.find_target(":".join(parts[:7]), parts[7] if len(parts) == 8 else "")
        if target is None:
            raise not_found(function_arn)
        if not allows(target.policy, service=service, function_arn=target.arn, source_arn=source_arn):
            raise LambdaAccessDenied(f"The policy of {target.arn} does not allow {service} for {source_arn}")
        return target

    async def invoke(self, call: Call, params: Params) -> Answer:
        """Run a function and wait, record an event for later (InvocationType Event), or only check (DryRun).

        Raises: ResourceNotFoundException, RequestTooLargeException, InvalidRequestContentException,
        TooManyRequestsException.
        """
        target = self._target(call, params)
        kind = params.get("InvocationType", "RequestResponse")
        payload: bytes = params.get("Payload") or b"{}"
        check_payload(payload, EVENT_PAYLOAD_BYTES_MAX if kind == "Event" else LAMBDA_PAYLOAD_BYTES_MAX)
        client_context = params.get("ClientContext", "")
        if kind == "DryRun":
            return {"StatusCode": 204}
        if kind == "Event":
            await self._record(call, target, payload, client_context)
            return {"StatusCode": 202}
        wants_tail = params.get("LogType") == "Tail"
        result = await self._invoker.invoke(
            Invocation(target.arn, payload, call.request_id, client_context=client_context, wants_log_tail=wants_tail)
        )
        answer: Answer = {"StatusCode": 200, "Payload": result.payload, "ExecutedVersion": result.executed_version}
        if result.function_error:
            answer["FunctionError"] = result.function_error
        if wants_tail:
            answer["LogResult"] = base64.b64encode(result.log_tail).decode()
        return answer

    async def invoke_async(self, call: Call, params: Params) -> Answer:
        """Record an event, in the form that Lambda had first and still has.

        Raises: ResourceNotFoundException, InvalidRequestContentException.
        """
        target = self._target(call, params)
        payload: bytes = params["InvokeArgs"]
        check_payload(payload, EVENT_PAYLOAD_BYTES_MAX)
        await self._record(call, target, payload, "")
        return {"Status": 202}

    async def stream(self, call: Call, params: Params) -> Answer:
        """Run a function and give its answer as events, while it is written; or only check (DryRun).

        Raises: ResourceNotFoundException, RequestTooLargeException, InvalidRequestContentException,
        TooManyRequestsException.
        """
        target = self._target(call, params)
        payload: bytes = params.get("Payload") or b"{}"
        check_payload(payload, LAMBDA_PAYLOAD_BYTES_MAX)
        if params.get("InvocationType") == "DryRun":
            return {"StatusCode": 204}
        wants_tail = params.get("LogType") == "Tail"
        stream = await self._invoker.stream(
            Invocation(
                target.arn,
                payload,
                call.request_id,
                client_context=params.get("ClientContext", ""),
                wants_log_tail=wants_tail,
            )
        )
        return {
            "StatusCode": 200,
            "ExecutedVersion": stream.executed_version,
            "EventStream": _events_of(stream, wants_tail=wants_tail),
        }

    def _target(self, call: Call, params: Params) -> Target:
        for name in ("DurableExecutionName", "TenantId"):
            if params.get(name):
                raise bad(f"{name} is not supported by Gatepost: leave it out")
        return self._catalogue.target(call, params["FunctionName"], params.get("Qualifier"))

    async def _record(self, call: Call, target: Target, payload: bytes, client_context: str) -> None:
        text = base64.b64encode(payload).decode()
        await self._events.accept(
            FunctionEvent(call.request_id, target.arn, text, self._clock.now_ms(), client_context)
        )


async def _events_of(stream: InvocationStream, *, wants_tail: bool) -> AsyncIterator[Answer]:
    """Give a streamed answer as Lambda's events: chunks, and how it ended.

    unverified: that ErrorDetails is the error's JSON.
    """
    complete: dict[str, str] = {}
    try:
        async for piece in stream:
            yield {"PayloadChunk": {"Payload": piece}}
    except StreamBroken as broken:
        complete = {"ErrorCode": broken.error_code, "ErrorDetails": broken.payload.decode("utf-8", "replace")}
    finally:
        await stream.aclose()
    if wants_tail:
        complete["LogResult"] = base64.b64encode(stream.log_tail).decode()
    yield {"InvokeComplete": complete}


def check_payload(payload: bytes, bytes_max: int) -> None:
    """Refuse what is too large or no JSON. Raises: RequestTooLargeException, InvalidRequestContentException."""
    if len(payload) > bytes_max:
        raise RequestTooLargeException(
            f"Request must be smaller than {bytes_max} bytes for the InvokeFunction operation",
            members={"Type": "User"},
        )
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestContentException(
            f"Could not parse request body into json: {error}", members={"Type": "User"}
        ) from error
