"""Lambda authorizers of REST APIs (authorization type CUSTOM): a function says who calls and what they may do.

One `LambdaAuthorizer` for each authorizer of a stage holds what its methods share: the remembered results, and the way
to the function. Results are remembered by identity, for the stage as a whole and for all gateways that share a state
(`shared_results.py`): a policy that was returned for one method is evaluated again for each other one
(`authorizer_policy.py`). Errors and "Unauthorized" are never remembered. Calls for one identity that run at the same
time are not joined: AWS does not say that it joins them, and an answer about one request's method would then stand for
another's.

| what happens | the client gets |
|---|---|
| an identity source is missing or empty, or the token does not match identityValidationExpression | 401 Unauthorized |
| the function fails with exactly "Unauthorized" | 401 Unauthorized |
| the function fails otherwise, or takes more than 29 s | 500 AUTHORIZER_FAILURE |
| it may not be invoked, does not exist or is throttled; its output is not valid | 500 AUTHORIZER_CONFIGURATION_ERROR |

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html. Unverified: which
failure is which of the two AUTHORIZER types; that a REQUEST authorizer without caching looks for its identity sources.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

import orjson

from gatepost.gateway.authorizer_result import AUTHORIZER, AuthorizerResult
from gatepost.gateway.backends.lambda_event import EventFormat
from gatepost.gateway.backends.lambda_proxy import function_arn
from gatepost.gateway.deadline import DeadlinePassed, within
from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.guards.authorizer_identity import (
    Identity,
    compile_identity,
    compile_token_source,
    compile_validation,
)
from gatepost.gateway.guards.authorizer_output import parse_output
from gatepost.gateway.guards.function_grant import FunctionGrants, for_role
from gatepost.gateway.guards.resource_policy import invocation_arn
from gatepost.gateway.guards.shared_results import SharedResults
from gatepost.gateway.guards.signature import SignatureParts
from gatepost.gateway.mapping import MappingError, resolve_stage_variables
from gatepost.gateway.responses import AUTHORIZER_CONFIGURATION_ERROR, AUTHORIZER_FAILURE, UNAUTHORIZED, Refusal
from gatepost.gateway.route import StageFacts
from gatepost.gateway.trace import trace_root
from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import FunctionInvoker, Invocation, InvocationResult, RoleSessions
from gatepost.kernel.tasks import Tasks
from gatepost.services.apigateway.deployment import Authorizer

TIMEOUT_MS: Final = 29_000
RESULTS_MAX: Final = 4_096
"""Remembered results of one authorizer of one stage; the least recently used goes first."""
CHARACTERS_MAX: Final = 4 * 1024 * 1024
"""Of the identities of those results: a caller whom the authorizer allows may add what he likes to some of them."""
TTL_S_MAX: Final = 3_600
MS_NS: Final = 1_000_000
SERVICE: Final = "apigateway.amazonaws.com"
_UNAUTHORIZED: Final = "Unauthorized"


@dataclass(frozen=True, slots=True)
class AuthorizerParts:
    """What Lambda authorizers use."""

    invoker: FunctionInvoker
    new_id: Callable[[], str]
    clock: Clock
    tasks: Tasks
    grants: FunctionGrants | None
    role_sessions: RoleSessions | None
    signatures: SignatureParts | None
    shared: SharedResults | None = None  # None: no other gateway remembers results for this one


class RememberedResults:
    """Results by identity, each until its end by the monotonic clock. At most RESULTS_MAX and CHARACTERS_MAX."""

    def __init__(self) -> None:
        self._results: OrderedDict[Identity, tuple[int, AuthorizerResult]] = OrderedDict()
        self._characters = 0

    def recall(self, identity: Identity, now_ns: int) -> AuthorizerResult | None:
        """Give a result that is still good."""
        found = self._results.get(identity)
        if found is None:
            return None
        if now_ns >= found[0]:
            self._forget(identity)
            return None
        self._results.move_to_end(identity)
        return found[1]

    def remember(self, identity: Identity, result: AuthorizerResult, until_ns: int) -> None:
        """Keep a result."""
        if identity in self._results:
            self._forget(identity)
        self._characters += sum(map(len, identity))
        self._results[identity] = (until_ns, result)
        while len(self._results) > RESULTS_MAX or self._characters > CHARACTERS_MAX:
            self._forget(next(iter(self._results)))

    def _forget(self, identity: Identity) -> None:
        del self._results[identity]
        self._characters -= sum(map(len, identity))


class LambdaAuthorizer:
    """One authorizer of one stage: asks its function, and remembers."""

    def __init__(self, declared: Authorizer, stage: StageFacts, parts: AuthorizerParts) -> None:
        """Compile what is declared. Raises: MappingError when it cannot work."""
        if not 0 <= declared.result_ttl_s <= TTL_S_MAX:
            raise MappingError(f"authorizerResultTtlInSeconds is {declared.result_ttl_s}: use 0 to {TTL_S_MAX}")
        self.id = declared.id
        self.name = declared.name
        self._function = function_arn(declared.uri, stage)
        self._stage = stage
        self._parts = parts
        self._may_invoke = self._grant(declared, stage, parts)
        self._results = RememberedResults()
        self._ttl_s = declared.result_ttl_s
        self._token_source = None
        self._identity = None
        self._is_valid = None
        if declared.type == "TOKEN":
            self._token_source = compile_token_source(declared.identity_source, stage)
            self._is_valid = compile_validation(declared.identity_validation_expression)
        else:
            self._identity = compile_identity(declared.identity_source, stage)
            if declared.result_ttl_s and not declared.identity_source.strip():
                raise MappingError(f"authorizer {declared.name}: a REQUEST authorizer that caches needs identitySource")

    def _grant(self, declared: Authorizer, stage: StageFacts, parts: AuthorizerParts) -> Callable[[Exchange], None]:
        """Give the check that API Gateway may invoke the function: as the authorizer's role, or by its policy."""
        function = self._function
        if declared.credentials_arn:
            role_arn = resolve_stage_variables(declared.credentials_arn, stage)
            if role_arn.startswith("arn:aws:iam::*:"):
                raise MappingError("authorizerCredentials: nobody has called yet; use a role's ARN")
            return for_role(
                parts.role_sessions, parts.signatures, role_arn=role_arn, function_arn=function, stage=stage
            ).check
        grants = parts.grants
        if grants is None:
            raise MappingError("authorizers: this gateway was built without the functions' policies")
        api = f"arn:aws:execute-api:{stage.region}:{stage.account_id}:{stage.api_id}"
        source_arn = f"{api}/authorizers/{declared.id}"

        def check(_exchange: Exchange) -> None:
            if not grants.allow(function, service=SERVICE, source_arn=source_arn):
                raise Refusal(
                    AUTHORIZER_CONFIGURATION_ERROR,
                    detail="Execution failed due to configuration error: Invalid permissions on Lambda function: "
                    f"the policy of {function} does not allow {SERVICE} for {source_arn}",
                )

        return check

    def identity(self, exchange: Exchange) -> Identity:
        """Find who calls. Raises: Refusal, 401."""
        if self._identity is not None:
            return self._identity(exchange)
        token = self._token_source(exchange) if self._token_source is not None else None
        if not token:
            raise Refusal(UNAUTHORIZED, detail="the token is missing or empty")
        if self._is_valid is not None and not self._is_valid(token):
            raise Refusal(UNAUTHORIZED, detail="the token does not match identityValidationExpression")
        return (token,)

    def recall(self, identity: Identity, now_ns: int) -> AuthorizerResult | None:
        """Give what is remembered of an identity."""
        return self._results.recall(identity, now_ns)

    async def ask(self, exchange: Exchange, identity: Identity, event: Mapping[str, Any]) -> AuthorizerResult:
        """Invoke the function with `event` and remember what it says. Raises: Refusal."""
        try:
            self._may_invoke(exchange)
        except Refusal as refusal:
            raise Refusal(AUTHORIZER_CONFIGURATION_ERROR, detail=refusal.detail) from refusal
        is_kept = bool(self._ttl_s and identity)
        if is_kept and (found := await self._recall_shared(identity, exchange)) is not None:
            return found
        clock = self._parts.clock
        started_ns = clock.monotonic_ns()
        request_id = self._parts.new_id()
        answered = await self._invoke(exchange, orjson.dumps(event), request_id)
        if answered.function_error:
            raise _failed(answered)
        result = self._parse(answered.payload)
        if is_kept:
            self._remember(identity, result, answered.payload, exchange)
        latency_ms = (clock.monotonic_ns() - started_ns) // 1_000_000
        return replace(result, latency_ms=latency_ms, request_id=request_id)

    def _parse(self, output: bytes) -> AuthorizerResult:
        return parse_output(output, authorizer_id=self.id, name=f"the policy of authorizer {self.name}")

    async def _recall_shared(self, identity: Identity, exchange: Exchange) -> AuthorizerResult | None:
        """Give what another gateway's authorizer was told of an identity, and remember it here."""
        shared = self._parts.shared
        found = await shared.recall(self.id, identity, exchange.time_ms) if shared is not None else None
        if found is None:
            return None
        output, expires_at_ms = found
        result = replace(self._parse(output), is_remembered=True)
        left_ms = min(expires_at_ms - exchange.time_ms, self._ttl_s * 1000)
        self._results.remember(identity, result, exchange.started_ns + left_ms * MS_NS)
        return result

    def _remember(self, identity: Identity, result: AuthorizerResult, output: bytes, exchange: Exchange) -> None:
        ttl_ms = self._ttl_s * 1000
        self._results.remember(identity, replace(result, is_remembered=True), exchange.started_ns + ttl_ms * MS_NS)
        shared = self._parts.shared
        if shared is not None:
            ends_ms = exchange.time_ms + ttl_ms
            keeping = shared.remember(self.id, identity, output, expires_at_ms=ends_ms, ttl_ms=ttl_ms)
            self._parts.tasks.spawn(keeping, name="remember a result")

    async def _invoke(self, exchange: Exchange, payload: bytes, request_id: str) -> InvocationResult:
        parts = self._parts
        invocation = Invocation(
            function_arn=self._function, payload=payload, request_id=request_id, trace_id=trace_root(exchange)
        )
        try:
            return await within(
                parts.invoker.invoke(invocation), timeout_ms=TIMEOUT_MS, tasks=parts.tasks, name="authorize"
            )
        except DeadlinePassed as passed:
            raise Refusal(
                AUTHORIZER_FAILURE, detail=f"Execution failed due to an authorizer error: {passed}"
            ) from passed
        except ServiceError as refused:
            raise Refusal(
                AUTHORIZER_CONFIGURATION_ERROR,
                detail=f"Execution failed due to configuration error: {refused.code}: {refused.message}",
            ) from refused

    def __repr__(self) -> str:
        kind = "TOKEN" if self._token_source is not None else "REQUEST"
        return f"{kind} {self.name}, {self._function}, TTL {self._ttl_s} s"


def _failed(answered: InvocationResult) -> Refusal:
    """Give the refusal for a function that failed. Its message is never told: it may speak of the token."""
    try:
        error = orjson.loads(answered.payload)
    except orjson.JSONDecodeError:
        error = None
    told = error if isinstance(error, dict) else {}
    if told.get("errorMessage") == _UNAUTHORIZED:
        return Refusal(UNAUTHORIZED, detail='the authorizer\'s function said "Unauthorized"')
    kind = str(told.get("errorType", answered.function_error))[:128]
    return Refusal(
        AUTHORIZER_FAILURE, detail=f"Execution failed due to an authorizer error: the function failed with {kind}"
    )


class LambdaAuthorizerGuard:
    """Refuse a caller whom the method's Lambda authorizer does not know; write what it says of the others."""

    needs: ClassVar[Facts] = NO_FACTS
    writes: ClassVar[Facts] = frozenset({AUTHORIZER})

    def __init__(self, authorizer: LambdaAuthorizer, stage: StageFacts, event: EventFormat, *, is_token: bool) -> None:
        self._authorizer = authorizer
        self._stage = stage
        self._event = event
        self._is_token = is_token

    def check(self, exchange: Exchange) -> Awaitable[None] | None:
        """Find the result, remembered or from the function. Raises: Refusal."""
        identity = self._authorizer.identity(exchange)
        found = self._authorizer.recall(identity, exchange.started_ns)
        if found is None:
            return self._ask(exchange, identity)
        exchange.write(AUTHORIZER, found)
        exchange.decide(self, found)
        return None

    async def _ask(self, exchange: Exchange, identity: Identity) -> None:
        found = await self._authorizer.ask(exchange, identity, self._input(exchange, identity))
        exchange.write(AUTHORIZER, found)
        exchange.decide(self, found)

    def _input(self, exchange: Exchange, identity: Identity) -> Mapping[str, Any]:
        arn = invocation_arn(exchange, self._stage)
        if self._is_token:
            return {"type": "TOKEN", "methodArn": arn, "authorizationToken": identity[0]}
        return {"type": "REQUEST", "methodArn": arn, **self._event.for_authorizer(exchange)}

    def __repr__(self) -> str:
        return f"LambdaAuthorizerGuard({self._authorizer!r})"
