"""Invoking the function of an integration asynchronously: the services role records the event and retries it.

The function's policy lets API Gateway in, or the integration's role (or the caller) may invoke it; services asks again,
because it is services who invokes. Without services the client gets 500.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-integration-async.html
"""

from __future__ import annotations

from typing import Final, Protocol
from urllib.parse import quote

from gatepost.gateway.backends.lambda_proxy import function_arn
from gatepost.gateway.deadline import DeadlinePassed, within
from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.parts import Parts
from gatepost.gateway.responses import API_CONFIGURATION_ERROR, INTEGRATION_TIMEOUT, INTERNAL_ERROR, Refusal
from gatepost.gateway.role_session import SERVICE
from gatepost.gateway.route import Route, StageFacts
from gatepost.gateway.service_calls import ServiceCalls, ServiceTarget, compile_service_calls, compile_sessions
from gatepost.kernel.arn import parse_arn
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import FunctionTriggers
from gatepost.services.apigateway.deployment import Integration

ACCEPTED: Final = 202


class FunctionEvents(Protocol):
    """Records events for one function."""

    @property
    def needs(self) -> Facts:
        """Give the facts that guards must have written."""
        ...

    async def accept(self, exchange: Exchange, payload: bytes) -> None:
        """Have the event recorded. Raises: Refusal."""
        ...


class GrantedEvents:
    """Records events for a function whose policy lets API Gateway in."""

    needs: Final[Facts] = NO_FACTS

    def __init__(
        self, function: str, stage: StageFacts, route: Route, parts: Parts, triggers: FunctionTriggers, timeout_ms: int
    ) -> None:
        self._function = function
        self._prefix = f"arn:aws:execute-api:{stage.region}:{stage.account_id}:{stage.api_id}/{stage.stage_name}/"
        self._path = route.resource_path
        self._parts = parts
        self._triggers = triggers
        self._timeout_ms = timeout_ms

    async def accept(self, exchange: Exchange, payload: bytes) -> None:
        """Have the event recorded. Raises: Refusal."""
        clock = self._parts.clock
        started = clock.monotonic_ns()
        trigger = self._triggers.trigger(
            self._function,
            payload,
            service=SERVICE,
            source_arn=f"{self._prefix}{exchange.method}{self._path}",
            request_id=self._parts.new_id(),
        )
        try:
            await within(trigger, timeout_ms=self._timeout_ms, tasks=self._parts.tasks, name="record event")
        except DeadlinePassed as passed:
            raise Refusal(INTEGRATION_TIMEOUT, detail=f"Execution failed due to a timeout error: {passed}") from passed
        except ServiceError as error:
            kind = INTERNAL_ERROR if error.status >= 500 else API_CONFIGURATION_ERROR  # 5xx: services is away
            raise Refusal(kind, detail=f"Execution failed: {error.code}: {error.message}") from error
        finally:
            exchange.integration_ns = clock.monotonic_ns() - started


class SessionEvents:
    """Records events for a function as the integration's role or the caller."""

    def __init__(self, function: str, region: str, calls: ServiceCalls) -> None:
        self._target = ServiceTarget(region, "lambda")
        self._request_path = f"/2015-03-31/functions/{quote(function, safe='')}/invocations"
        self._calls = calls
        self.needs: Facts = calls.sessions.needs

    async def accept(self, exchange: Exchange, payload: bytes) -> None:
        """Have the event recorded. Raises: Refusal."""
        answer = await self._calls.send(
            exchange,
            self._target,
            method="POST",
            path=self._request_path,
            query="",
            headers=[(b"X-Amz-Invocation-Type", b"Event")],
            body=payload,
        )
        if answer.status != ACCEPTED:
            raise Refusal(API_CONFIGURATION_ERROR, detail=f"Lambda answered {answer.status}: {answer.body[:512]!r}")


def compile_function_events(
    integration: Integration, stage: StageFacts, route: Route, parts: Parts, *, has_caller: bool
) -> FunctionEvents | None:
    """Compile the events of one method; None when this gateway has no way to services. Raises: MappingError."""
    function = function_arn(integration.uri, stage)
    if not integration.credentials_arn:
        if parts.triggers is None:
            return None
        return GrantedEvents(function, stage, route, parts, parts.triggers, integration.timeout_ms)
    if parts.services is None:
        return None
    sessions = compile_sessions(integration, stage, parts.role_sessions, parts.signatures, has_caller=has_caller)
    calls = compile_service_calls(integration, sessions, parts.services, clock=parts.clock, tasks=parts.tasks)
    parsed = parse_arn(function)
    return SessionEvents(function, parsed.region if parsed is not None else stage.region, calls)
