"""The private listener's door: private APIs, for those who come through a VPC endpoint.

| how it is asked | which API |
|---|---|
| `{api}.execute-api.{region}.…`, or by path (private DNS) | the host's or path's |
| `{api}-{vpce}.execute-api.{region}.…` | the host's, when the endpoint is associated with it |
| `{vpce}….execute-api.{region}.vpce.…`, or any other host | the one that `x-apigw-api-id` names |
| a private domain name | the one that its mappings name, when the endpoint is associated with it |

A host that names a VPC endpoint has to name the caller's own: on AWS it would lead elsewhere. Where an API's endpoint
access mode is STRICT, the name in the handshake has to be the Host, and the API's own.
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-api-test-invoke-url.html
"""

from __future__ import annotations

import re
from typing import Final

from gatepost.gateway.custom_domains import CustomDomains
from gatepost.gateway.exchange import Exchange
from gatepost.gateway.parts import Parts
from gatepost.gateway.plan import Plan
from gatepost.gateway.plans import ActivePlans
from gatepost.gateway.pool_pages import PoolDomains
from gatepost.gateway.request_ids import RequestIds
from gatepost.gateway.router import parse_host
from gatepost.gateway.server import Gateway
from gatepost.gateway.vpc_endpoints import VpcEndpoint, VpcEndpoints
from gatepost.kernel.clock import Clock

API_ID_HEADER: Final = b"x-apigw-api-id"
_API_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_OF_ENDPOINT: Final = re.compile(
    r"(vpce-[0-9a-z-]{1,60})\.execute-api\.[a-z0-9-]+\.vpce\.(?:localhost|amazonaws\.com)\.?(?::\d{1,5})?"
)
_WITH_ENDPOINT: Final = re.compile(r"(.+)-(vpce-[0-9a-z]{1,32})")


class PrivateGateway(Gateway):
    """Answers requests for private APIs."""

    def __init__(
        self,
        plans: ActivePlans,
        parts: Parts,
        *,
        ids: RequestIds,
        clock: Clock,
        domains: CustomDomains,
        vpc_endpoints: VpcEndpoints,
    ) -> None:
        super().__init__(plans, parts, ids=ids, clock=clock, domains=domains)
        self._private_domains = domains
        self._vpc_endpoints = vpc_endpoints

    def _find(self, exchange: Exchange) -> Plan | PoolDomains:
        """Find what runs a request, among the private APIs only."""
        request = exchange.request
        endpoint = self._vpc_endpoints.find(request.client_ip)
        if endpoint is None:
            return self._unknown
        exchange.vpc_endpoint = endpoint
        match = self._private_domains.find_private(request, endpoint.id)
        if match is not None:
            return self._find_mapped(exchange, match, self._plans.private)
        host = request.host()
        asked = self._host_asked(exchange, host, endpoint)
        place = self._places.find(self._plans.private, asked, request.path) if asked is not None else None
        if place is None or not self._is_let_in(exchange, place.stage.stage.api_id, host):
            return self._unknown
        exchange.full_path = place.full_path
        exchange.domain = place.domain if asked == host else host.partition(":")[0]
        return self._find_route(exchange, place)

    def _host_asked(self, exchange: Exchange, host: str, endpoint: VpcEndpoint) -> str | None:
        """Give the host that names the API, in its usual form; None: it names another VPC endpoint, or none of ours."""
        if (named := _OF_ENDPOINT.fullmatch(host)) is not None:
            if named[1] != endpoint.id and not named[1].startswith(f"{endpoint.id}-"):
                return None
            return _host_of_header(exchange)
        by_host = parse_host(host)
        if not by_host.api_id:
            return _host_of_header(exchange) or host
        with_endpoint = _WITH_ENDPOINT.fullmatch(by_host.api_id)
        if with_endpoint is None:
            return host
        api_id, endpoint_id = with_endpoint.groups()
        known = self._plans.endpoints.get(api_id)
        if endpoint_id != endpoint.id or known is None or endpoint_id not in known.vpc_endpoint_ids:
            return None
        return (
            f"{api_id}.execute-api.{by_host.region}.localhost" if by_host.region else f"{api_id}.execute-api.localhost"
        )

    def _is_let_in(self, exchange: Exchange, api_id: str, host: str) -> bool:
        """Say whether a request keeps to a strict endpoint access mode."""
        known = self._plans.endpoints.get(api_id)
        if known is None or not known.is_strict:
            return True
        name, tls = host.partition(":")[0].rstrip("."), exchange.request.peer.tls
        return parse_host(host).api_id == api_id and (tls is None or tls.server_name == name)


def _host_of_header(exchange: Exchange) -> str | None:
    """Give the host of the API that `x-apigw-api-id` names."""
    given = exchange.request.header(API_ID_HEADER)
    api_id = given.decode("latin-1").strip().lower() if given else ""
    return f"{api_id}.execute-api.localhost" if _API_ID.fullmatch(api_id) else None
