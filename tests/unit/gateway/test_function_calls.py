from __future__ import annotations

import asyncio

import pytest

from gatepost.gateway.function_calls import FunctionCalls
from gatepost.gateway.responses import API_CONFIGURATION_ERROR, INTEGRATION_TIMEOUT, Refusal
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.tasks import Tasks
from tests.support.gateways import FUNCTION, Functions, an_exchange


def invoked(functions, *, is_slow=False):
    exchange = an_exchange()

    async def scenario():
        tasks = Tasks("t")
        if is_slow:
            functions.gate = asyncio.Event()
        calls = FunctionCalls(
            FUNCTION, timeout_ms=50, invoker=functions, new_id=lambda: "id-1", clock=FixedClock(), tasks=tasks
        )
        try:
            return await calls.invoke(exchange, b"{}")
        finally:
            if functions.gate is not None:
                functions.gate.set()
            await tasks.close()

    return exchange, asyncio.run(scenario())


def test_a_function_is_invoked_with_the_trace_of_the_request():
    functions = Functions({"a": 1})
    exchange, result = invoked(functions)
    (invocation,) = functions.invocations
    assert (invocation.function_arn, invocation.payload, invocation.request_id) == (FUNCTION, b"{}", "id-1")
    assert invocation.trace_id == exchange.trace_root
    assert (result.payload, exchange.integration_ns) == (b'{"a":1}', 0)


@pytest.mark.parametrize(
    ("functions", "is_slow", "kind"),
    [
        (Functions(ServiceError("busy")), False, API_CONFIGURATION_ERROR),
        (Functions(), True, INTEGRATION_TIMEOUT),
    ],
)
def test_what_lambda_refuses_and_what_takes_too_long_is_refused(functions, is_slow, kind):
    with pytest.raises(Refusal) as refused:
        invoked(functions, is_slow=is_slow)
    assert refused.value.kind is kind
