"""Whether the caller may invoke the method: IAM policies and the API's resource policy (type AWS_IAM)."""

from __future__ import annotations

from typing import ClassVar

from gatepost.gateway.exchange import CALLER, NO_FACTS, Exchange, Facts
from gatepost.gateway.guards.resource_policy import ACTION, denied, invocation_arn, invocation_call, policy_document
from gatepost.gateway.guards.signature import SignatureParts
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.route import StageFacts
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Access
from gatepost.kernel.ports import Authorization
from gatepost.services.apigateway.deployment import Deployment


class InvokePermissionGuard:
    """Refuse a caller whom policies do not allow `execute-api:Invoke` on this method and path.

    The caller's policies and the resource policy are evaluated together: in the API's own account one of them must
    allow, from another account both must; a deny anywhere is final (tables A and B of "How API Gateway resource
    policies affect authorization workflow",
    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html). Policies come
    from memory: when services is down, those last published count.
    """

    needs: ClassVar[Facts] = frozenset({CALLER})
    writes: ClassVar[Facts] = NO_FACTS

    def __init__(self, authorization: Authorization, stage: StageFacts, policy: str | None) -> None:
        self._authorization = authorization
        self._stage = stage
        self._policy = policy

    def check(self, exchange: Exchange) -> None:
        """Ask for permission. Raises: Refusal."""
        resource = invocation_arn(exchange, self._stage)
        call = invocation_call(exchange, self._stage, exchange.read(CALLER))
        try:
            self._authorization.check(call, Access(ACTION, resource, resource_policy=self._policy))
        except AccessDeniedException as error:
            raise denied(error, self._stage) from error

    def __repr__(self) -> str:
        return f"InvokePermissionGuard({'with' if self._policy else 'no'} resource policy)"


def for_deployment(deployment: Deployment, stage: StageFacts, parts: SignatureParts | None) -> InvokePermissionGuard:
    """Make the guard. Raises: MappingError when it cannot work."""
    if parts is None:
        raise MappingError("authorizationType AWS_IAM: this gateway was built without authorization")
    policy = policy_document(deployment.resource_policy, stage) if deployment.resource_policy else None
    return InvokePermissionGuard(parts.authorization, stage, policy)
