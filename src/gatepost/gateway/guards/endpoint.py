"""Whether an API answers at the endpoint at which it was asked."""

from __future__ import annotations

from typing import ClassVar

from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.guards.policy_decisions import PolicyDecisions
from gatepost.gateway.guards.resource_policy import ACTION, ANONYMOUS, denied, invocation_call
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.responses import FORBIDDEN, Refusal
from gatepost.gateway.route import StageFacts
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Access
from gatepost.services.apigateway.deployment import Deployment


class EndpointGuard:
    """Refuse every request but those by a custom domain name: the API's `disableExecuteApiEndpoint` is set.

    The client gets 403 "Forbidden".
    Source: API Gateway developer guide, "Disable the default endpoint for REST APIs"
    (https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-disable-default-endpoint.html).
    """

    needs: ClassVar[Facts] = NO_FACTS
    writes: ClassVar[Facts] = NO_FACTS

    def check(self, exchange: Exchange) -> None:
        """Refuse what did not come by a custom domain name. Raises: Refusal."""
        if exchange.mapping is None:
            raise Refusal(FORBIDDEN, detail="the execute-api endpoint is disabled")

    def __repr__(self) -> str:
        return "EndpointGuard(disabled)"


class PrivateEndpointGuard:
    """Refuse what did not come through a VPC endpoint, or by a private domain name whose policy does not let it in.

    "To invoke a private custom domain name, an API consumer needs access from the private custom domain name resource
    policy, the private API resource policy, and any […] authorization on the private API."
    (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-custom-domains.html). A private API
    without a resource policy lets nobody in, whatever its methods say; the client gets 403.
    """

    needs: ClassVar[Facts] = NO_FACTS
    writes: ClassVar[Facts] = NO_FACTS

    def __init__(self, authorization: PolicyDecisions, stage: StageFacts, *, is_disabled: bool) -> None:
        self._authorization = authorization
        self._stage = stage
        self._is_disabled = is_disabled

    def check(self, exchange: Exchange) -> None:
        """Ask where the request came from. Raises: Refusal."""
        if exchange.vpc_endpoint is None:
            raise Refusal(FORBIDDEN, detail="the API is private, and the request came through no VPC endpoint")
        match = exchange.mapping
        if match is None:
            if self._is_disabled:
                raise Refusal(FORBIDDEN, detail="the execute-api endpoint is disabled")
            return
        access = Access(ACTION, match.invocation_arn, resource_policy=match.policy)
        try:
            self._authorization.check(invocation_call(exchange, self._stage, ANONYMOUS), access)
        except AccessDeniedException as error:
            account_id = self._stage.account_id
            error.message = error.message.replace(f":{account_id}:/", f":{'*' * 8}{account_id[-4:]}:/")
            raise denied(error, self._stage) from error

    def __repr__(self) -> str:
        return "PrivateEndpointGuard()"


class ClosedGuard:
    """Refuse everybody: a private API has no resource policy."""

    needs: ClassVar[Facts] = NO_FACTS
    writes: ClassVar[Facts] = NO_FACTS

    def check(self, exchange: Exchange) -> None:
        """Refuse. Raises: Refusal."""
        del exchange
        raise Refusal(FORBIDDEN, detail="a private API without a resource policy lets nobody in")

    def __repr__(self) -> str:
        return "ClosedGuard()"


def is_private(deployment: Deployment) -> bool:
    """Say whether an API is reached through VPC endpoints only."""
    return "PRIVATE" in deployment.endpoint_types


def for_deployment(
    deployment: Deployment, stage: StageFacts, authorization: PolicyDecisions | None
) -> EndpointGuard | PrivateEndpointGuard | ClosedGuard | None:
    """Make the guard when the API does not answer everywhere. Raises: MappingError when it cannot work."""
    is_disabled = deployment.is_execute_api_endpoint_disabled
    if not is_private(deployment):
        return EndpointGuard() if is_disabled else None
    if not deployment.resource_policy:
        return ClosedGuard()
    if authorization is None:
        raise MappingError("the API is private: this gateway was built without authorization")
    return PrivateEndpointGuard(authorization, stage, is_disabled=is_disabled)
