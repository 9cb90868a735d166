"""HTTP_PROXY: another HTTP server answers."""

from __future__ import annotations

from dataclasses import dataclass

from gatepost.gateway.mapping import MappingError
from gatepost.gateway.plan import Backend
from gatepost.gateway.route import Route, StageFacts
from gatepost.services.apigateway.deployment import Integration


@dataclass(frozen=True, slots=True)
class HttpProxyParts:
    """What HTTP_PROXY integrations use."""


def compile_http_proxy(
    integration: Integration,
    stage: StageFacts,
    route: Route,
    parts: HttpProxyParts | None,
    *,
    drops_authorization: bool,
) -> Backend:
    """Compile an HTTP_PROXY integration. Raises: MappingError when it cannot work."""
    raise MappingError("HTTP_PROXY cannot work: this gateway was built without an upstream client")
