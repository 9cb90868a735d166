"""AWS with a Lambda function: the request template makes the event, integration responses make the answer.

AWS calls it a custom, or non-proxy, integration. What the function returns is the integration's body; `errorMessage`
of a function that failed is what selection patterns look at, "" of one that did not. Without a template and without a
body the event is `{}`. An event that is not JSON is the client's fault: 400. With `X-Amz-Invocation-Type: 'Event'`
(mapped or overridden) the function is invoked asynchronously, and the answer is mapped as one without an error.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-custom-integrations.html; "if the
back end is an AWS Lambda function, the AWS Lambda function error header is matched"
(https://docs.aws.amazon.com/apigateway/latest/api/API_IntegrationResponse.html). Unverified: the event `{}`, and the
400 with its words.
"""

from __future__ import annotations

import base64
from collections.abc import Coroutine
from typing import Any, Final

import orjson

from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.function_calls import FunctionCalls
from gatepost.gateway.function_events import FunctionEvents
from gatepost.gateway.integration_responses import Answered, IntegrationResponses, compile_integration_responses
from gatepost.gateway.mapped_request import MappedRequest, compile_mapped_request
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.request_templates import RequestTemplates, compile_request_templates
from gatepost.gateway.responses import API_CONFIGURATION_ERROR, BAD_REQUEST_BODY, MALFORMED_PROXY_RESPONSE, Refusal
from gatepost.gateway.route import Route
from gatepost.gateway.template_scope import TemplateScope, overridden
from gatepost.gateway.trace import trace_root
from gatepost.kernel.limits import LAMBDA_PAYLOAD_BYTES_MAX
from gatepost.kernel.ports import InvocationResult
from gatepost.languages.vtl_api_gateway import Overrides
from gatepost.services.apigateway.deployment import Integration
from gatepost.services.apigateway.mapping import check_function_parameters
from gatepost.services.apigateway.model import BadRequestException
from gatepost.wire.messages import Response

_JSON: Final = b"application/json"
_INVOCATION_TYPE: Final = b"x-amz-invocation-type"
_CLIENT_CONTEXT: Final = b"x-amz-client-context"
_LOG_TYPE: Final = b"x-amz-log-type"
_OPTIONS: Final = frozenset({_INVOCATION_TYPE, _CLIENT_CONTEXT, _LOG_TYPE})
_SYNCHRONOUS: Final = "RequestResponse"
_ASYNCHRONOUS: Final = "Event"


class LambdaCustom:
    """Invokes a function with what the request template gives, and maps what it returns."""

    def __init__(
        self,
        calls: FunctionCalls,
        events: FunctionEvents | None,
        mapped: MappedRequest,
        requests: RequestTemplates,
        responses: IntegrationResponses,
    ) -> None:
        """Take what calls the function, and what records events for it (None: asynchronous invocation cannot work)."""
        self._calls = calls
        self._events = events
        self._headers = {name.lower(): values for name, values in mapped.headers.items() if name.lower() in _OPTIONS}
        self._requests = requests
        self._responses = responses
        self.needs: Facts = events.needs if events is not None else NO_FACTS

    def answer(self, exchange: Exchange) -> Coroutine[Any, Any, Response]:
        """Invoke the function. Raises: Refusal."""
        return self._answer(exchange)

    async def _answer(self, exchange: Exchange) -> Response:
        payload, overrides = self._requests.map(exchange)
        options = self._options(exchange, overrides)
        kind = options.get(_INVOCATION_TYPE, _SYNCHRONOUS)
        if kind == _ASYNCHRONOUS and self._events is not None:
            await self._events.accept(exchange, _event(payload))
            return self._responses.answer(exchange, "", Answered(b"", (), _JSON), overrides)
        if kind != _SYNCHRONOUS:
            raise Refusal(
                API_CONFIGURATION_ERROR,
                detail=f"X-Amz-Invocation-Type is {kind[:64]!r}: use {_SYNCHRONOUS} or {_ASYNCHRONOUS}",
            )
        result = await self._calls.invoke(
            exchange,
            _event(payload),
            client_context=options.get(_CLIENT_CONTEXT, ""),
            wants_log_tail=options.get(_LOG_TYPE, "") == "Tail",
        )
        if len(result.payload) > LAMBDA_PAYLOAD_BYTES_MAX:
            raise Refusal(
                MALFORMED_PROXY_RESPONSE,
                detail=f"the response has {len(result.payload)} bytes: Lambda allows {LAMBDA_PAYLOAD_BYTES_MAX}",
            )
        return self._responses.answer(exchange, _error_message(result), _answered(exchange, result), overrides)

    def _options(self, exchange: Exchange, overrides: Overrides) -> dict[bytes, str]:
        """Give what the request asks of the invocation itself: mapped headers, and what a template overrides."""
        options = {name: found[-1] for name, values in self._headers.items() if (found := values(exchange))}
        for text, value in overridden(overrides.request, "header").items():
            name = text.lower().encode("latin-1", "replace")
            if name in _OPTIONS:
                options[name] = value
        return options

    def __repr__(self) -> str:
        return f"LambdaCustom({self._calls!r}; {self._requests!r} -> {self._responses!r})"


def _event(payload: bytes) -> bytes:
    if not payload.strip():
        return b"{}"
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise Refusal(BAD_REQUEST_BODY, message=f"Could not parse request body into json: {error}") from error
    return payload


def _error_message(result: InvocationResult) -> str:
    """Give what selection patterns look at."""
    if not result.function_error:
        return ""
    try:
        error = orjson.loads(result.payload)
    except orjson.JSONDecodeError:
        return ""
    message = error.get("errorMessage") if isinstance(error, dict) else None
    return message if isinstance(message, str) else ""


def _answered(exchange: Exchange, result: InvocationResult) -> Answered:
    headers = [
        (b"Content-Type", _JSON),
        (b"X-Amz-Executed-Version", result.executed_version.encode("latin-1", "replace")),
        (b"X-Amzn-Trace-Id", trace_root(exchange).encode("latin-1")),
    ]
    if result.function_error:
        headers.append((b"X-Amz-Function-Error", result.function_error.encode("latin-1", "replace")))
    if result.log_tail:
        headers.append((b"X-Amz-Log-Result", base64.b64encode(result.log_tail)))
    return Answered(result.payload, headers, _JSON)


def compile_lambda_custom(
    integration: Integration,
    scope: TemplateScope,
    route: Route,
    calls: FunctionCalls,
    events: FunctionEvents | None,
) -> LambdaCustom:
    """Compile an AWS integration with a function. Raises: MappingError when it cannot work."""
    if integration.http_method not in ("", "POST"):
        raise MappingError(f"integration httpMethod is {integration.http_method}: Lambda takes POST only")
    try:
        check_function_parameters(integration.request_parameters)
    except BadRequestException as refused:
        raise MappingError(refused.message) from refused
    return LambdaCustom(
        calls,
        events,
        compile_mapped_request(integration, scope.stage, route),
        compile_request_templates(integration, scope),
        compile_integration_responses(integration.responses, scope, binary=scope.stage.binary_media_types),
    )
