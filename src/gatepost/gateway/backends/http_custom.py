"""HTTP: another HTTP server answers, with templates and mappings on the way to it and back.

Nothing of the request passes by itself: path variables, query and headers are those that are mapped (or overridden by
the request template), the body is the template's, or as it came. Selection patterns look at the status code.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html. The headers that are
sent without a mapping (Accept, Content-Type, User-Agent, trace and API id) are those in the log of the console's test.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ClassVar, Final

from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.headers import clean_field_value, is_token
from gatepost.gateway.integration_responses import Answered, IntegrationResponses, compile_integration_responses
from gatepost.gateway.mapped_request import MappedRequest, compile_mapped_request
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.request_templates import RequestTemplates, compile_request_templates
from gatepost.gateway.responses import API_CONFIGURATION_ERROR, Refusal
from gatepost.gateway.route import Route
from gatepost.gateway.template_scope import TemplateScope, overridden
from gatepost.gateway.trace import trace_root
from gatepost.gateway.upstream_calls import HttpProxyParts, UpstreamCalls, compile_upstream_calls
from gatepost.kernel.tasks import Tasks
from gatepost.languages.vtl_api_gateway import Overrides
from gatepost.services.apigateway.deployment import Integration
from gatepost.wire.messages import Headers, Response
from gatepost.wire.outgoing import IncomingResponse

_OURS: Final = frozenset({b"connection", b"content-length", b"host", b"transfer-encoding"})


class HttpCustom:
    """Sends what the request template gives to an upstream, and maps what it answers."""

    needs: ClassVar[Facts] = NO_FACTS

    def __init__(
        self,
        calls: UpstreamCalls,
        mapped: MappedRequest,
        requests: RequestTemplates,
        responses: IntegrationResponses,
        *,
        api_id: str,
    ) -> None:
        self._calls = calls
        self._mapped = mapped
        self._requests = requests
        self._responses = responses
        self._agent = f"AmazonAPIGateway_{api_id}".encode()
        self._prepared = calls.client.prepare([(b"x-amzn-apigateway-api-id", api_id.encode())])

    def answer(self, exchange: Exchange) -> Coroutine[Any, Any, Response]:
        """Ask the upstream. Raises: Refusal."""
        return self._answer(exchange)

    async def _answer(self, exchange: Exchange) -> Response:
        body, overrides = self._requests.map(exchange)
        target = self._calls.target(
            exchange,
            self._mapped.query_text(exchange, overridden(overrides.request, "querystring")),
            overridden(overrides.request, "path"),
        )
        headers = self._headers(exchange, overrides)
        incoming = await self._calls.send(exchange, target, headers, self._prepared, body, _as_it_came)
        answered = Answered(incoming.body, incoming.block.split(), incoming.header(b"content-type") or b"")
        return self._responses.answer(exchange, str(incoming.status), answered, overrides)

    def _headers(self, exchange: Exchange, overrides: Overrides) -> Headers:
        given = exchange.request.header(b"content-type")
        headers: Headers = [
            (b"Accept", b"application/json"),
            (b"Content-Type", given or b"application/json"),
            (b"User-Agent", self._agent),
            (b"X-Amzn-Trace-Id", trace_root(exchange).encode("latin-1")),
        ]
        for name, values in self._mapped.headers.items():
            if found := values(exchange):
                headers = _without(headers, name)
                headers += [(name, clean_field_value(value)) for value in found]
        for text, value in overridden(overrides.request, "header").items():
            name = text.encode("latin-1", "replace")
            if not is_token(name) or name.lower() in _OURS:
                raise Refusal(API_CONFIGURATION_ERROR, detail=f"requestOverride.header.{text[:64]!r} cannot be sent")
            headers = [*_without(headers, name), (name, clean_field_value(value))]
        return headers

    def __repr__(self) -> str:
        return f"HttpCustom({self._calls!r}; {self._requests!r} -> {self._responses!r})"


def _as_it_came(_exchange: Exchange, incoming: IncomingResponse) -> IncomingResponse:
    return incoming


def _without(headers: Headers, name: bytes) -> Headers:
    lower = name.lower()
    return [pair for pair in headers if pair[0].lower() != lower]


def compile_http_custom(
    integration: Integration, scope: TemplateScope, route: Route, parts: HttpProxyParts | None, *, tasks: Tasks
) -> HttpCustom:
    """Compile an HTTP integration. Raises: MappingError when it cannot work."""
    if parts is None:
        raise MappingError("HTTP: this gateway was built without an upstream client")
    mapped = compile_mapped_request(integration, scope.stage, route)
    for name in mapped.headers:
        if name.lower() in _OURS:
            raise MappingError(f"request parameter integration.request.header.{name.decode()}: the client sets it")
    return HttpCustom(
        compile_upstream_calls(integration, scope.stage, mapped, parts, tasks=tasks),
        mapped,
        compile_request_templates(integration, scope),
        compile_integration_responses(integration.responses, scope, binary=scope.stage.binary_media_types),
        api_id=scope.stage.api_id,
    )
