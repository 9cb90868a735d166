"""Whether an API may invoke the function of its integration: by the function's policy, or by a role."""

from __future__ import annotations

from typing import ClassVar, Final, Protocol

from gatepost.gateway.exchange import CALLER, NO_FACTS, Exchange, Facts
from gatepost.gateway.guards.signature import SignatureParts
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.responses import API_CONFIGURATION_ERROR, Refusal
from gatepost.gateway.role_session import SERVICE, RoleSession
from gatepost.gateway.route import Route, StageFacts
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Access, Call, Principal
from gatepost.kernel.ports import RoleSessions

ACTION: Final = "lambda:InvokeFunction"
CALLERS_OWN: Final = "arn:aws:iam::*:user/*"
"""AWS: "To require that the caller's identity be passed through from the request"."""


class FunctionGrants(Protocol):
    """The functions' resource policies, in memory."""

    def allow(self, function_arn: str, *, service: str, source_arn: str) -> bool:
        """Say whether `service`, acting for `source_arn`, may invoke the function. Unknown functions: no."""
        ...


class FunctionGrantGuard:
    """Refuse to invoke a function whose resource policy does not let this API do it.

    The source ARN is `arn:aws:execute-api:{region}:{account}:{api}/{stage}/{METHOD}{resource path}`, with
    `{parameters}` as they are declared: the `*` that stands for them in a permission matches those. The client gets
    500, as on AWS ("Invalid permissions on Lambda function" in the execution log). Policies come from memory.

    Source: API Gateway developer guide, "API Gateway permissions model for invoking an API"
    (https://docs.aws.amazon.com/apigateway/latest/developerguide/permissions.html).
    """

    needs: ClassVar[Facts] = NO_FACTS
    writes: ClassVar[Facts] = NO_FACTS

    def __init__(self, grants: FunctionGrants, function_arn: str, stage: StageFacts, route: Route) -> None:
        self._grants = grants
        self._function_arn = function_arn
        self._prefix = f"arn:aws:execute-api:{stage.region}:{stage.account_id}:{stage.api_id}/{stage.stage_name}/"
        self._path = route.resource_path

    def check(self, exchange: Exchange) -> None:
        """Ask for the grant. Raises: Refusal."""
        source_arn = f"{self._prefix}{exchange.method}{self._path}"
        if not self._grants.allow(self._function_arn, service=SERVICE, source_arn=source_arn):
            raise Refusal(
                API_CONFIGURATION_ERROR,
                detail="Execution failed due to configuration error: Invalid permissions on Lambda function: "
                f"the policy of {self._function_arn} does not allow {SERVICE} for {source_arn}",
            )

    def __repr__(self) -> str:
        return f"FunctionGrantGuard({self._function_arn})"


class RoleGrantGuard:
    """Refuse to invoke a function that the integration's role (AWS: credentials) may not invoke.

    The role must trust apigateway.amazonaws.com, and its policies must allow `lambda:InvokeFunction`; they are asked
    for every request. Its session lasts an hour, as on AWS. The client gets 500.
    """

    needs: ClassVar[Facts] = NO_FACTS
    writes: ClassVar[Facts] = NO_FACTS

    def __init__(
        self, sessions: RoleSessions, access: SignatureParts, *, role_arn: str, function_arn: str, stage: StageFacts
    ) -> None:
        self._session = RoleSession(sessions, role_arn)
        self._access = access
        self._function_arn = function_arn
        self._stage = stage

    def check(self, exchange: Exchange) -> None:
        """Ask for permission as the role. Raises: Refusal."""
        try:
            session = self._session.credentials(exchange.time_ms)
            identity = self._access.identities.find(session.access_key_id, session.session_token, exchange.time_ms)
            if identity is None:
                raise AccessDeniedException(f"the session of {self._session.role_arn} is not valid any more")
            _ask(self._access, identity.principal, self._function_arn, self._stage, exchange)
        except AccessDeniedException as error:
            self._session.forget()
            raise _no_permission(error) from error

    def __repr__(self) -> str:
        return f"RoleGrantGuard({self._session.role_arn} for {self._function_arn})"


class CallerGrantGuard:
    """Refuse to invoke a function that whoever signed the request may not invoke (credentials: the caller's own).

    The client gets 500 (unverified: AWS documents no status for it).
    """

    needs: ClassVar[Facts] = frozenset({CALLER})
    writes: ClassVar[Facts] = NO_FACTS

    def __init__(self, access: SignatureParts, *, function_arn: str, stage: StageFacts) -> None:
        self._access = access
        self._function_arn = function_arn
        self._stage = stage

    def check(self, exchange: Exchange) -> None:
        """Ask for permission as the caller. Raises: Refusal."""
        try:
            _ask(self._access, exchange.read(CALLER), self._function_arn, self._stage, exchange)
        except AccessDeniedException as error:
            raise _no_permission(error) from error

    def __repr__(self) -> str:
        return f"CallerGrantGuard({self._function_arn})"


def _ask(
    access: SignatureParts, principal: Principal, function_arn: str, stage: StageFacts, exchange: Exchange
) -> None:
    call = Call(
        service="lambda",
        operation="Invoke",
        account_id=stage.account_id,
        region=stage.region,
        principal=principal,
        request_id=exchange.request_id,
        now_ms=exchange.time_ms,
        source_ip=SERVICE,
        called_via=(SERVICE,),
    )
    access.authorization.check(call, Access(ACTION, function_arn))


def _no_permission(error: AccessDeniedException) -> Refusal:
    return Refusal(
        API_CONFIGURATION_ERROR,
        detail=f"Execution failed due to configuration error: Invalid permissions: {error.message}",
    )


def for_function(
    grants: FunctionGrants | None, function_arn: str, stage: StageFacts, route: Route
) -> FunctionGrantGuard:
    """Make the guard for an integration without credentials. Raises: MappingError when it cannot work."""
    if grants is None:
        raise MappingError("AWS_PROXY: this gateway was built without the functions' policies")
    return FunctionGrantGuard(grants, function_arn, stage, route)


def for_role(
    sessions: RoleSessions | None,
    access: SignatureParts | None,
    *,
    role_arn: str,
    function_arn: str,
    stage: StageFacts,
) -> RoleGrantGuard | CallerGrantGuard:
    """Make the guard for an integration with credentials. Raises: MappingError when it cannot work."""
    if sessions is None or access is None:
        raise MappingError("integration credentials: this gateway was built without role sessions")
    if role_arn == CALLERS_OWN:
        return CallerGrantGuard(access, function_arn=function_arn, stage=stage)
    return RoleGrantGuard(sessions, access, role_arn=role_arn, function_arn=function_arn, stage=stage)
