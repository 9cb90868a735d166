"""The gateway's door: a handler for the public listener, and the bodies of what the wire itself refuses."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

from gatepost.gateway.compiler import compile_unknown_api
from gatepost.gateway.custom_domains import CustomDomains, DomainMatch
from gatepost.gateway.exchange import Exchange
from gatepost.gateway.function_urls import FunctionUrlDoor
from gatepost.gateway.parts import Parts
from gatepost.gateway.places import Place, Places
from gatepost.gateway.plan import Plan
from gatepost.gateway.plans import ActivePlans, Apis
from gatepost.gateway.pool_pages import PoolDomains
from gatepost.gateway.request_ids import RequestIds
from gatepost.gateway.responses import (
    BAD_REQUEST,
    REQUEST_TOO_LARGE,
    RefusalKind,
    default_response,
)
from gatepost.kernel.clock import Clock
from gatepost.wire.limits import WireRefusal
from gatepost.wire.messages import Request, Response

_OVERRIDABLE: Final = "POST"


class Gateway:
    """Answers requests for deployed REST APIs, for function URLs, and for user pools' domains."""

    def __init__(
        self,
        plans: ActivePlans,
        parts: Parts,
        *,
        ids: RequestIds,
        clock: Clock,
        function_urls: FunctionUrlDoor | None = None,
        domains: CustomDomains | None = None,
        pool_domains: PoolDomains | None = None,
    ) -> None:
        self._domains = domains
        self._pool_domains = pool_domains
        self._function_urls = function_urls
        self._plans = plans
        self._ids = ids
        self._clock = clock
        self._places = Places()
        self._unknown = compile_unknown_api(parts)

    def __call__(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        """Answer `request`: at once when nothing has to wait."""
        if self._function_urls is not None and (addressed := self._function_urls.find(request)) is not None:
            return self._function_urls.answer(request, addressed)
        ids, clock = self._ids, self._clock
        exchange = Exchange(request, ids.next(), ids.next_extended(), clock.now_ms(), clock.monotonic_ns())
        return self._find(exchange).run(exchange)

    def _find(self, exchange: Exchange) -> Plan | PoolDomains:
        """Find what runs a request, and write its place on the exchange when it is a plan."""
        request = exchange.request
        if self._domains is not None and (match := self._domains.find(request)) is not None:
            return self._find_mapped(exchange, match, self._plans.apis)
        place = self._places.find(self._plans.apis, request.host(), request.path)
        if place is None:
            if self._pool_domains is not None and self._pool_domains.has(request):
                return self._pool_domains
            return self._unknown
        if self._plans.strict and not self._is_strictly_asked(exchange, place):
            return self._unknown
        exchange.full_path = place.full_path
        exchange.domain = place.domain
        return self._find_route(exchange, place)

    def _is_strictly_asked(self, exchange: Exchange, place: Place) -> bool:
        """Say whether the name in the handshake is the Host, where an API's endpoint access mode asks for it."""
        tls = exchange.request.peer.tls
        if tls is None or place.stage.stage.api_id not in self._plans.strict:
            return True
        return tls.server_name == exchange.request.host().partition(":")[0].rstrip(".")

    def _find_mapped(self, exchange: Exchange, match: DomainMatch, apis: Apis) -> Plan:
        """Find the plan of a request that came by a custom domain name."""
        compiled = apis.get(match.api_id, {}).get(match.stage_name)
        if compiled is None:
            return self._unknown
        exchange.mapping = match
        exchange.domain = match.domain_name
        return self._find_route(exchange, Place(compiled, match.path, exchange.full_path, match.domain_name))

    def _find_route(self, exchange: Exchange, place: Place) -> Plan:
        compiled = place.stage
        if compiled.canary is not None and compiled.canary.is_chosen():
            compiled = compiled.canary.compiled
            place = Place(compiled, place.path, place.full_path, place.domain)
        exchange.path = place.path
        if exchange.request.method == _OVERRIDABLE:
            self._override_method(exchange)
        plans = place.plans
        plan = None if plans is None else plans.get(exchange.method)
        if plan is None:
            plan = compiled.unrouted
        else:
            exchange.values = place.values
        exchange.route = plan.route
        exchange.keeps_call = plan.keeps_calls
        exchange.is_traced = compiled.stage.is_traced
        return plan

    def _override_method(self, exchange: Exchange) -> None:
        """Take X-HTTP-Method-Override for the method, as AWS does ("API Gateway overrides the method").

        unverified: AWS does not say for which methods; we do it for POST, which is what the header is used with.
        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
        """
        given = exchange.request.header(b"x-http-method-override")
        if given:
            exchange.method = given.decode("latin-1").strip().upper()


_BY_REASON: Final[dict[str, RefusalKind]] = {"body_too_large": REQUEST_TOO_LARGE}


def refuse(refusal: WireRefusal) -> Response:
    """Give API Gateway's body for what the wire refuses before any API is known.

    unverified: AWS's exact bodies for malformed HTTP, for a head over 10,240 bytes and for a slow client.
    """
    response = default_response(_BY_REASON.get(refusal.reason, BAD_REQUEST))
    response.status = refusal.status
    return response
