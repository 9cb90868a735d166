"""AWS_PROXY with `responseTransferMode: STREAM`: a function's answer goes to the client while it is written.

The answer begins with metadata as JSON (`statusCode`, `headers`, `multiValueHeaders`, `cookies`) and eight NUL bytes,
within 16 KB; one without them is malformed, 502, and so is a function that fails before its body. What fails later
breaks the answer off. Neither templates nor content encoding nor a cache has a part in it.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from gatepost.gateway.backends.lambda_event import EventFormat
from gatepost.gateway.backends.lambda_proxy import check_transfer_mode, function_arn, headers_of, malformed, status_of
from gatepost.gateway.deadline import DeadlinePassed, within
from gatepost.gateway.exchange import Exchange, Facts, IntegrationCall
from gatepost.gateway.function_calls import endpoint_of
from gatepost.gateway.function_stream import MalformedPrelude, StreamedAnswer, opened, started
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.parts import Parts
from gatepost.gateway.responses import API_CONFIGURATION_ERROR, INTEGRATION_TIMEOUT, Refusal
from gatepost.gateway.route import StageFacts
from gatepost.gateway.timed_stream import STREAM_MS_MAX, TimedStream, idle_ms_max
from gatepost.gateway.trace import trace_root
from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import FunctionInvoker, Invocation, StreamBroken
from gatepost.kernel.tasks import Tasks
from gatepost.services.apigateway.deployment import Integration
from gatepost.wire.messages import Headers, Response

_NS_PER_MS: Final = 1_000_000


class LambdaStream:
    """Invokes a function with the request as its event and streams what it answers."""

    def __init__(
        self,
        function: str,
        event: EventFormat,
        *,
        timeout_ms: int,
        idle_ms: int,
        invoker: FunctionInvoker,
        new_id: Callable[[], str],
        clock: Clock,
        tasks: Tasks,
    ) -> None:
        self._idle_ms = idle_ms
        self._function = function
        self._event = event
        self._timeout_ms = timeout_ms
        self._invoker = invoker
        self._new_id = new_id
        self._clock = clock
        self._tasks = tasks
        self.needs: Facts = event.needs

    def answer(self, exchange: Exchange) -> Coroutine[Any, Any, Response]:
        """Invoke the function. Raises: Refusal."""
        return self._answer(exchange)

    async def _answer(self, exchange: Exchange) -> Response:
        invocation = Invocation(
            function_arn=self._function,
            payload=self._event.render(exchange),
            request_id=self._new_id(),
            trace_id=trace_root(exchange),
        )
        if exchange.keeps_call:
            exchange.call = IntegrationCall(endpoint_of(self._function), [], invocation.payload)
        began_ns = self._clock.monotonic_ns()
        ends_ns = began_ns + self._timeout_ms * _NS_PER_MS
        try:
            answer = await self._begun(invocation, ends_ns)
        finally:
            exchange.integration_ns = self._clock.monotonic_ns() - began_ns
        try:
            status, headers = _head(answer)
        except Refusal:
            await TimedStream(answer.body, clock=self._clock, tasks=self._tasks, ends_ns=ends_ns).aclose()
            raise
        if exchange.call is not None:
            exchange.call.answered(200, headers, b"", invocation.request_id)
        return Response(
            status,
            headers,
            stream=TimedStream(
                answer.body, clock=self._clock, tasks=self._tasks, ends_ns=ends_ns, idle_ms=self._idle_ms
            ),
        )

    async def _begun(self, invocation: Invocation, ends_ns: int) -> StreamedAnswer:
        """Run the function up to the body of its answer. Raises: Refusal."""
        tasks = self._tasks
        try:
            stream = await started(self._invoker, invocation, timeout_ms=self._timeout_ms, tasks=tasks)
            left_ms = max((ends_ns - self._clock.monotonic_ns()) // _NS_PER_MS, 1)
            try:
                opening = _failing_softly(opened(stream))
                found = await within(opening, timeout_ms=left_ms, tasks=tasks, name="metadata")
            except DeadlinePassed:
                await stream.aclose()
                raise
        except DeadlinePassed as passed:
            raise Refusal(INTEGRATION_TIMEOUT, detail=f"Execution failed due to a timeout error: {passed}") from passed
        except ServiceError as refused:
            raise Refusal(
                API_CONFIGURATION_ERROR,
                detail=f"Execution failed due to configuration error: {refused.code}: {refused.message}",
            ) from refused
        if isinstance(found, StreamBroken):
            raise malformed(f"the function failed ({found.error_code}): {found.payload[:512]!r}") from found
        if isinstance(found, MalformedPrelude):
            raise malformed(str(found)) from found
        return found

    def __repr__(self) -> str:
        return f"LambdaStream({self._function}, {self._timeout_ms} ms)"


async def _failing_softly(
    opening: Coroutine[Any, Any, StreamedAnswer],
) -> StreamedAnswer | StreamBroken | MalformedPrelude:
    """Turn what a function does wrong into a value: nobody may be left to hear of it."""
    try:
        return await opening
    except (StreamBroken, MalformedPrelude) as error:
        return error


def _head(answer: StreamedAnswer) -> tuple[int, Headers]:
    """Give status and headers. Raises: Refusal."""
    metadata = answer.metadata
    if metadata is None:
        raise malformed(f"a streamed answer begins with metadata, and this one is {answer.content_type[:128]}")
    cookies = metadata.get("cookies")
    if cookies is not None and not isinstance(cookies, list):
        raise malformed(f"cookies is {type(cookies).__name__}, not a list")
    lists = metadata.get("multiValueHeaders")
    if cookies:
        lists = {**(lists if isinstance(lists, dict) else {}), "Set-Cookie": cookies}
    return status_of(metadata.get("statusCode", 200)), headers_of(metadata.get("headers"), lists)


def compile_lambda_stream(
    integration: Integration, stage: StageFacts, event: EventFormat, parts: Parts
) -> LambdaStream:
    """Compile an AWS_PROXY integration whose answers are streamed. Raises: MappingError when it cannot work."""
    if integration.http_method not in ("", "POST"):
        raise MappingError(f"integration httpMethod is {integration.http_method}: Lambda takes POST only")
    check_transfer_mode(integration)
    return LambdaStream(
        function_arn(integration.uri, stage),
        event,
        timeout_ms=min(integration.timeout_ms, STREAM_MS_MAX),
        idle_ms=idle_ms_max(stage),
        invoker=parts.invoker,
        new_id=parts.new_id,
        clock=parts.clock,
        tasks=parts.tasks,
    )
