"""AWS with any service of the platform: the request template makes the service's request, and its answer is mapped.

Nothing of the client's request passes by itself but the body where no template takes it. Selection patterns look at the
service's HTTP status. A service's refusal (a 400 of DynamoDB's, an AccessDeniedException for the integration's role) is
an answer like any other, for integration responses to map, as on AWS.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/getting-started-aws-proxy.html ("Build an API
Gateway API with AWS integration") and https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegration.html.
Unverified: Content-Type of what goes to a path is the client's; `application/x-amz-json-1.x` goes to clients as
`application/json`.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

from gatepost.gateway.exchange import Exchange, Facts
from gatepost.gateway.headers import clean_field_value, is_token
from gatepost.gateway.integration_responses import Answered, IntegrationResponses, compile_integration_responses
from gatepost.gateway.mapped_request import MappedRequest, compile_mapped_request
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.request_templates import RequestTemplates, compile_request_templates
from gatepost.gateway.responses import API_CONFIGURATION_ERROR, INTEGRATION_FAILURE, Refusal
from gatepost.gateway.route import Route
from gatepost.gateway.service_calls import ServiceCalls, ServiceTarget
from gatepost.gateway.template_scope import TemplateScope, overridden
from gatepost.gateway.trace import trace_root
from gatepost.kernel.limits import API_GATEWAY_BODY_BYTES_MAX
from gatepost.kernel.ports import ServiceAnswer
from gatepost.languages.vtl_api_gateway import Overrides
from gatepost.services.apigateway.deployment import Integration
from gatepost.wire.messages import Headers, Response

_JSON: Final = b"application/json"
_AWS_JSON: Final = b"application/x-amz-json-"
# What API Gateway says itself: who calls, which operation of an action, and how long the body is.
_OURS: Final = frozenset(
    {
        b"authorization",
        b"connection",
        b"content-length",
        b"host",
        b"transfer-encoding",
        b"x-amz-content-sha256",
        b"x-amz-date",
        b"x-amz-security-token",
    }
)


class AwsService:
    """Sends what the request template gives to a service, and maps what it answers."""

    def __init__(
        self,
        target: ServiceTarget,
        calls: ServiceCalls,
        mapped: MappedRequest,
        requests: RequestTemplates,
        responses: IntegrationResponses,
        *,
        method: str,
        api_id: str,
    ) -> None:
        self._target = target
        self._calls = calls
        self._mapped = mapped
        self._requests = requests
        self._responses = responses
        self._method = method
        self._agent = f"AmazonAPIGateway_{api_id}".encode()
        self.needs: Facts = calls.sessions.needs

    def answer(self, exchange: Exchange) -> Coroutine[Any, Any, Response]:
        """Ask the service. Raises: Refusal."""
        return self._answer(exchange)

    async def _answer(self, exchange: Exchange) -> Response:
        body, overrides = self._requests.map(exchange)
        target, mapped = self._target, self._mapped
        query = mapped.query_text(exchange, overridden(overrides.request, "querystring"))
        if target.query:
            query = f"{target.query}&{query}" if query else target.query
        answer = await self._calls.send(
            exchange,
            target,
            method=self._method or exchange.method,
            path=mapped.fill(target.path, exchange, overridden(overrides.request, "path")),
            query=query,
            headers=self._headers(exchange, overrides),
            body=body,
        )
        return self._responses.answer(exchange, str(answer.status), _answered(answer), overrides)

    def _headers(self, exchange: Exchange, overrides: Overrides) -> Headers:
        given = exchange.request.header(b"content-type")
        headers: Headers = [
            (b"Content-Type", given or _JSON),
            (b"User-Agent", self._agent),
            (b"X-Amzn-Trace-Id", trace_root(exchange).encode("latin-1")),
        ]
        for name, values in self._mapped.headers.items():
            if found := values(exchange):
                headers = [*_without(headers, name), *((name, clean_field_value(value)) for value in found)]
        for text, value in overridden(overrides.request, "header").items():
            name = text.encode("latin-1", "replace")
            if not is_token(name) or name.lower() in _OURS:
                raise Refusal(API_CONFIGURATION_ERROR, detail=f"requestOverride.header.{text[:64]!r} cannot be sent")
            headers = [*_without(headers, name), (name, clean_field_value(value))]
        return headers

    def __repr__(self) -> str:
        return f"AwsService({self._target} {self._calls!r}; {self._requests!r} -> {self._responses!r})"


def _answered(answer: ServiceAnswer) -> Answered:
    if len(answer.body) > API_GATEWAY_BODY_BYTES_MAX:
        raise Refusal(
            INTEGRATION_FAILURE,
            detail=f"the service answered {len(answer.body)} bytes: API Gateway passes {API_GATEWAY_BODY_BYTES_MAX}",
        )
    content_type = next((value for name, value in answer.headers if name.lower() == b"content-type"), b"")
    return Answered(answer.body, answer.headers, _JSON if content_type.startswith(_AWS_JSON) else content_type)


def _without(headers: Headers, name: bytes) -> Headers:
    lower = name.lower()
    return [pair for pair in headers if pair[0].lower() != lower]


def compile_aws_service(
    integration: Integration, scope: TemplateScope, route: Route, target: ServiceTarget, calls: ServiceCalls
) -> AwsService:
    """Compile an AWS integration with a service. Raises: MappingError when it cannot work."""
    mapped = compile_mapped_request(integration, scope.stage, route)
    mapped.check_variables(target.path[1::2])
    for name in mapped.headers:
        if name.lower() in _OURS:
            raise MappingError(f"request parameter integration.request.header.{name.decode()}: API Gateway sets it")
    return AwsService(
        target,
        calls,
        mapped,
        compile_request_templates(integration, scope),
        compile_integration_responses(integration.responses, scope, binary=scope.stage.binary_media_types),
        method="" if integration.http_method in ("", "ANY") else integration.http_method,
        api_id=scope.stage.api_id,
    )
