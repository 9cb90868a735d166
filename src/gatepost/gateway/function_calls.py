"""Invoking the function of an integration: the timeout, and what becomes of Lambda's refusals.

A function that API Gateway may not invoke, or that Lambda throttles, is a configuration error, 500; one that does not
answer within the integration's timeout is 504 and goes on running.

Source: "If the Lambda API rejects the invocation request, API Gateway returns a 500 error code"
(https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway-errors.html).
"""

from __future__ import annotations

from collections.abc import Callable

from gatepost.gateway.deadline import DeadlinePassed, within
from gatepost.gateway.exchange import Exchange, IntegrationCall
from gatepost.gateway.responses import API_CONFIGURATION_ERROR, INTEGRATION_TIMEOUT, Refusal
from gatepost.gateway.trace import trace_root
from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import FunctionInvoker, Invocation, InvocationResult
from gatepost.kernel.tasks import Tasks


def endpoint_of(function_arn: str) -> str:
    """Give the address at which AWS would invoke a function, for logs."""
    region = function_arn.split(":")[3]
    return f"https://lambda.{region}.amazonaws.com/2015-03-31/functions/{function_arn}/invocations"


class FunctionCalls:
    """Invokes one function for the requests of one method."""

    __slots__ = ("_clock", "_function", "_invoker", "_new_id", "_tasks", "_timeout_ms")

    def __init__(
        self,
        function: str,
        *,
        timeout_ms: int,
        invoker: FunctionInvoker,
        new_id: Callable[[], str],
        clock: Clock,
        tasks: Tasks,
    ) -> None:
        self._function = function
        self._timeout_ms = timeout_ms
        self._invoker = invoker
        self._new_id = new_id
        self._clock = clock
        self._tasks = tasks

    async def invoke(
        self, exchange: Exchange, payload: bytes, *, client_context: str = "", wants_log_tail: bool = False
    ) -> InvocationResult:
        """Run the function and note how long it took. Raises: Refusal."""
        invocation = Invocation(
            function_arn=self._function,
            payload=payload,
            request_id=self._new_id(),
            trace_id=trace_root(exchange),
            client_context=client_context,
            wants_log_tail=wants_log_tail,
        )
        call = None
        if exchange.keeps_call:
            headers = [(b"X-Amzn-Trace-Id", invocation.trace_id.encode("latin-1"))]
            call = exchange.call = IntegrationCall(endpoint_of(self._function), headers, payload)
        started = self._clock.monotonic_ns()
        try:
            result = await within(
                self._invoker.invoke(invocation), timeout_ms=self._timeout_ms, tasks=self._tasks, name="invoke"
            )
            if call is not None:
                call.answered(result.status, (), result.payload, invocation.request_id)
                call.error = result.function_error
            return result
        except DeadlinePassed as passed:
            raise Refusal(INTEGRATION_TIMEOUT, detail=f"Execution failed due to a timeout error: {passed}") from passed
        except ServiceError as refused:
            raise Refusal(
                API_CONFIGURATION_ERROR,
                detail=f"Execution failed due to configuration error: {refused.code}: {refused.message}",
            ) from refused
        finally:
            exchange.integration_ns = self._clock.monotonic_ns() - started

    def __repr__(self) -> str:
        return f"{self._function}, {self._timeout_ms} ms"
