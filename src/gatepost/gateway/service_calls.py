"""Calling an AWS service of the platform for an integration: where its URI leads, and as whom.

`arn:aws:apigateway:{region}:{service}:action/{Operation}` and `…:path/{path}`; `{variables}` of a path are mapped by
`integration.request.path.x`. The services role answers, with the integration's role or the caller's own session:
nothing is signed, because the link is ours, and nothing is trusted but the session itself.

Without the services role the client gets 500; an answer that does not come in time is 504.
Source: https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegration.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from gatepost.gateway.deadline import DeadlinePassed, within
from gatepost.gateway.exchange import CALLER, CALLER_TOKEN, NO_FACTS, Exchange, Facts, IntegrationCall
from gatepost.gateway.guards.function_grant import CALLERS_OWN
from gatepost.gateway.guards.signature import SignatureParts
from gatepost.gateway.mapping import MappingError, resolve_stage_variables
from gatepost.gateway.responses import API_CONFIGURATION_ERROR, INTEGRATION_TIMEOUT, INTERNAL_ERROR, Refusal
from gatepost.gateway.role_session import RoleSession
from gatepost.gateway.route import StageFacts
from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import AccessDeniedException, ServiceError
from gatepost.kernel.ports import RoleSessions, ServiceAnswer, ServiceRequest, ServiceRequests
from gatepost.kernel.tasks import Tasks
from gatepost.services.apigateway.deployment import Integration
from gatepost.wire.messages import Headers

_URI: Final = re.compile(r"arn:aws[\w-]*:apigateway:([a-z0-9-]+):([A-Za-z0-9.-]+):(path|action)/(.*)", re.DOTALL)
_ACTION: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,127}")
_TEXT: Final = re.compile(r"[!-~]*")
_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class ServiceTarget:
    """An integration's URI taken apart. `path` alternates text and names of path variables, text first."""

    region: str
    service: str
    action: str = ""
    path: tuple[str, ...] = ()
    query: str = ""

    def __str__(self) -> str:
        path = "".join(piece if at % 2 == 0 else f"{{{piece}}}" for at, piece in enumerate(self.path))
        return f"{self.service}:{self.action or path} in {self.region}"


def parse_service_uri(uri: str, stage: StageFacts) -> ServiceTarget:
    """Read the URI of an AWS integration, stage variables put in. Raises: MappingError when it cannot work."""
    resolved = resolve_stage_variables(uri, stage)
    found = _URI.fullmatch(resolved)
    if found is None or not _TEXT.fullmatch(resolved):
        raise MappingError(
            f"integration URI {resolved!r}: use arn:aws:apigateway:REGION:SERVICE:action/OPERATION or …:path/PATH"
        )
    region, service, form, rest = found.groups()
    if "." in service:
        raise MappingError(f"integration URI {resolved!r}: subdomains ({service}) are not supported")
    if form == "action":
        if not _ACTION.fullmatch(rest):
            raise MappingError(f"integration URI {resolved!r}: {rest!r} is not the name of an operation")
        return ServiceTarget(region, service, action=rest)
    path, _, query = rest.partition("?")
    return ServiceTarget(region, service, path=tuple(_VARIABLE.split("/" + path.lstrip("/"))), query=query)


class Session(NamedTuple):
    """What proves to services who a request is made for."""

    access_key_id: str
    session_token: str


class Sessions:
    """As whom an integration calls: its role, or whoever signed the request."""

    __slots__ = ("_role", "needs")

    def __init__(self, role: RoleSession | None) -> None:
        """Take the role; None: the caller's own credentials."""
        self._role = role
        self.needs: Facts = NO_FACTS if role is not None else frozenset({CALLER, CALLER_TOKEN})

    def of(self, exchange: Exchange) -> Session:
        """Give the session for a request. Raises: Refusal."""
        if self._role is None:
            return Session(exchange.read(CALLER).access_key_id, exchange.read(CALLER_TOKEN))
        try:
            held = self._role.credentials(exchange.time_ms)
        except AccessDeniedException as error:
            raise Refusal(
                API_CONFIGURATION_ERROR,
                detail="Execution failed due to configuration error: API Gateway does not have permission to assume "
                f"the provided role: {error.message}",
            ) from error
        return Session(held.access_key_id, held.session_token)

    def forget(self) -> None:
        """Assume the role anew next time."""
        if self._role is not None:
            self._role.forget()

    def __repr__(self) -> str:
        return self._role.role_arn if self._role is not None else "the caller"


class ServiceCalls:
    """Sends the requests of one method to a service."""

    __slots__ = ("_clock", "_requests", "_tasks", "_timeout_ms", "sessions")

    def __init__(
        self, requests: ServiceRequests, sessions: Sessions, *, timeout_ms: int, clock: Clock, tasks: Tasks
    ) -> None:
        self._requests = requests
        self.sessions = sessions
        self._timeout_ms = timeout_ms
        self._clock = clock
        self._tasks = tasks

    async def send(
        self,
        exchange: Exchange,
        target: ServiceTarget,
        *,
        method: str,
        path: str,
        query: str,
        headers: Headers,
        body: bytes,
    ) -> ServiceAnswer:
        """Ask the service and note how long it took. Raises: Refusal."""
        session = self.sessions.of(exchange)
        request = ServiceRequest(
            service=target.service,
            region=target.region,
            method=method,
            path=path,
            query=query,
            headers=headers,
            body=body,
            action=target.action,
            access_key_id=session.access_key_id,
            session_token=session.session_token,
        )
        call = None
        if exchange.keeps_call:
            where = f"https://{target.service}.{target.region}.amazonaws.com{path or '/'}{'?' if query else ''}{query}"
            call = exchange.call = IntegrationCall(where, headers, body)
        started = self._clock.monotonic_ns()
        try:
            answer = await within(
                self._requests.send(request), timeout_ms=self._timeout_ms, tasks=self._tasks, name="call service"
            )
            if call is not None:
                given = (value for name, value in answer.headers if name.lower() == b"x-amzn-requestid")
                call.answered(answer.status, answer.headers, answer.body, next(given, b"").decode("latin-1"))
            return answer
        except DeadlinePassed as passed:
            raise Refusal(INTEGRATION_TIMEOUT, detail=f"Execution failed due to a timeout error: {passed}") from passed
        except ServiceError as error:
            self.sessions.forget()
            raise Refusal(INTERNAL_ERROR, detail=f"{target}: {error.code}: {error.message}") from error
        finally:
            exchange.integration_ns = self._clock.monotonic_ns() - started

    def __repr__(self) -> str:
        return f"as {self.sessions!r}, {self._timeout_ms} ms"


def compile_sessions(
    integration: Integration,
    stage: StageFacts,
    role_sessions: RoleSessions | None,
    access: SignatureParts | None,
    *,
    has_caller: bool,
) -> Sessions:
    """Compile as whom an integration calls. Raises: MappingError when that cannot be anybody."""
    if role_sessions is None or access is None:
        raise MappingError("integration credentials: this gateway was built without role sessions")
    if not integration.credentials_arn:
        raise MappingError("an integration with an AWS service needs credentials: the ARN of a role, or the caller's")
    role_arn = resolve_stage_variables(integration.credentials_arn, stage)
    if role_arn != CALLERS_OWN:
        return Sessions(RoleSession(role_sessions, role_arn))
    if not has_caller:
        raise MappingError(f"credentials {CALLERS_OWN}: the method has no caller; use authorizationType AWS_IAM")
    return Sessions(None)


def compile_service_calls(
    integration: Integration,
    sessions: Sessions,
    requests: ServiceRequests | None,
    *,
    clock: Clock,
    tasks: Tasks,
) -> ServiceCalls:
    """Compile the calls of one method. Raises: MappingError."""
    if requests is None:
        raise MappingError("this gateway was built without a way to AWS services")
    return ServiceCalls(requests, sessions, timeout_ms=integration.timeout_ms, clock=clock, tasks=tasks)
