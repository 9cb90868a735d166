"""Whether an API answers under its execute-api host name at all."""

from __future__ import annotations

from typing import ClassVar

from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.responses import FORBIDDEN, Refusal
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


def for_deployment(deployment: Deployment) -> EndpointGuard | None:
    """Make the guard when the default endpoint is disabled."""
    return EndpointGuard() if deployment.is_execute_api_endpoint_disabled else None
