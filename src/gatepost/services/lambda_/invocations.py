"""Invoke: run and wait, record for later, or only check."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import orjson

from gatepost.kernel.clock import Clock
from gatepost.kernel.limits import LAMBDA_PAYLOAD_BYTES_MAX
from gatepost.kernel.operations import Call
from gatepost.kernel.ports import FunctionInvoker, Invocation
from gatepost.services.lambda_.catalogue import Catalogue, not_found
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
    """The Invoke operation."""

    def __init__(self, catalogue: Catalogue, *, invoker: FunctionInvoker, events: FunctionEvents, clock: Clock) -> None:
        self._catalogue = catalogue
        self._invoker = invoker
        self._events = events
        self._clock = clock

    async def trigger(
        self, function_arn: str, payload: bytes, *, service: str, source_arn: str, request_id: str
    ) -> None:
        """Record an event for a function that lets `service` in for `source_arn`. See `ports.FunctionTriggers`."""
        parts = function_arn.split(":")
        target = self._catalogue.find_target(":".join(parts[:7]), parts[7] if len(parts) == 8 else "")
        if target is None:
            raise not_found(function_arn)
        if not allows(target.policy, service=service, function_arn=target.arn, source_arn=source_arn):
            raise LambdaAccessDenied(f"The policy of {target.arn} does not allow {service} for {source_arn}")
        text = base64.b64encode(payload).decode()
        await self._events.accept(FunctionEvent(request_id, target.arn, text, self._clock.now_ms()))

    async def invoke(self, call: Call, params: Params) -> Answer:
        """Run a function and wait, record an event for later (InvocationType Event), or only check (DryRun).

        Raises: ResourceNotFoundException, RequestTooLargeException, InvalidRequestContentException,
        TooManyRequestsException.
        """
        target = self._catalogue.target(call, params["FunctionName"], params.get("Qualifier"))
        for name in ("DurableExecutionName", "TenantId"):
            if params.get(name):
                raise bad(f"{name} is not supported by Gatepost: leave it out")
        kind = params.get("InvocationType", "RequestResponse")
        payload: bytes = params.get("Payload") or b"{}"
        check_payload(payload, EVENT_PAYLOAD_BYTES_MAX if kind == "Event" else LAMBDA_PAYLOAD_BYTES_MAX)
        client_context = params.get("ClientContext", "")
        if kind == "DryRun":
            return {"StatusCode": 204}
        if kind == "Event":
            text = base64.b64encode(payload).decode()
            await self._events.accept(
                FunctionEvent(call.request_id, target.arn, text, self._clock.now_ms(), client_context)
            )
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
