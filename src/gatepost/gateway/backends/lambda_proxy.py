"""AWS_PROXY: a Lambda function answers, by AWS's proxy contract.

What the function returns must be a JSON object with `statusCode`, `headers`, `multiValueHeaders`, `body` and
`isBase64Encoded`; anything else is 502, in the words of AWS's execution log "Malformed Lambda proxy response".
A function that fails is 502 too; one that API Gateway may not invoke, or that Lambda throttles, is a
configuration error, 500; one that does not answer in time is 504 (`function_calls.py`).

Sources: "If the Lambda API rejects the invocation request, API Gateway returns a 500 error code. If the function
runs but returns an error, or returns a response in the wrong format, API Gateway returns a 502"
(https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway-errors.html); API Gateway developer guide, "Output
format of a Lambda function for proxy integration"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Coroutine, Sequence
from typing import Any, Final

import orjson

from gatepost.gateway.backends.lambda_event import EventFormat, PassedToLambda
from gatepost.gateway.exchange import Exchange, Facts
from gatepost.gateway.function_calls import FunctionCalls
from gatepost.gateway.headers import is_field_value, is_token, matches_any, media_type, response_name
from gatepost.gateway.mapping import MappingError, resolve_stage_variables
from gatepost.gateway.passed_headers import PassedHeaders
from gatepost.gateway.responses import (
    API_CONFIGURATION_ERROR,
    CONTENT_TYPE,
    MALFORMED_PROXY_RESPONSE,
    Refusal,
)
from gatepost.gateway.route import Route, StageFacts
from gatepost.kernel.arn import parse_arn
from gatepost.kernel.limits import LAMBDA_PAYLOAD_BYTES_MAX
from gatepost.kernel.ports import InvocationResult
from gatepost.services.apigateway.deployment import Integration
from gatepost.wire.messages import Headers, Response

# Anything beside them makes a response malformed for a REST API; HTTP APIs pass over it.
# Source: AWS's engineers in https://github.com/aws/aws-sam-cli/issues/1398
RESPONSE_KEYS: Final = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})

_BEFORE: Final = r"arn:aws[\w-]*:apigateway:[\w-]+:lambda:path/"
_URI: Final = re.compile(rf"{_BEFORE}2015-03-31/functions/(.+)/invocations")
_STREAM_URI: Final = re.compile(rf"{_BEFORE}2021-11-15/functions/(.+)/response-streaming-invocations")


_INVOCATION: Final = re.compile(r"arn:aws[\w-]*:apigateway:[\w-]+:lambda:path/2015-03-31/functions/.+/invocations")


def check_transfer_mode(integration: Integration) -> None:
    """Let a URI pass that invokes the function in the way of its transfer mode. Raises: MappingError."""
    is_stream_uri = integration.uri.endswith("/response-streaming-invocations")
    if is_stream_uri != (integration.response_transfer_mode == "STREAM"):
        raise MappingError(
            f"integration URI {integration.uri}: with responseTransferMode STREAM use "
            "…/2021-11-15/functions/ARN/response-streaming-invocations, else …/2015-03-31/functions/ARN/invocations"
        )


def is_function_uri(uri: str) -> bool:
    """Say whether an integration's URI means to invoke a function; its ARN may still be wrong."""
    return _INVOCATION.fullmatch(uri) is not None


def function_arn(uri: str, stage: StageFacts) -> str:
    """Find the function in an integration URI, stage variables put in. Raises: MappingError."""
    resolved = resolve_stage_variables(uri, stage)
    found = _URI.fullmatch(resolved) or _STREAM_URI.fullmatch(resolved)
    if found is None:
        raise MappingError(
            f"integration URI {uri}: use arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations"
        )
    parsed = parse_arn(found.group(1))
    if parsed is None or parsed.service != "lambda" or not parsed.resource.startswith("function:"):
        raise MappingError(f"integration URI {uri}: {found.group(1)} is not a Lambda function's ARN")
    return found.group(1)


class LambdaProxy:
    """Invokes a function with the request as its event and answers with what it returns."""

    def __init__(
        self,
        calls: FunctionCalls,
        event: EventFormat,
        *,
        binary_media_types: Sequence[str],
    ) -> None:
        self._calls = calls
        self._event = event
        self._binary = tuple(binary_media_types)
        self.needs: Facts = event.needs

    def answer(self, exchange: Exchange) -> Coroutine[Any, Any, Response]:
        """Invoke the function. Raises: Refusal."""
        return self._answer(exchange)

    async def _answer(self, exchange: Exchange) -> Response:
        return self._response(exchange, await self._calls.invoke(exchange, self._event.render(exchange)))

    def _response(self, exchange: Exchange, result: InvocationResult) -> Response:
        if result.function_error:
            raise malformed(f"the function failed ({result.function_error}): {result.payload[:512]!r}")
        if len(result.payload) > LAMBDA_PAYLOAD_BYTES_MAX:
            raise malformed(f"the response has {len(result.payload)} bytes: Lambda allows {LAMBDA_PAYLOAD_BYTES_MAX}")
        try:
            returned = orjson.loads(result.payload)
        except orjson.JSONDecodeError as error:
            raise malformed(f"not JSON: {error}") from error
        if not isinstance(returned, dict):
            raise malformed(f"{type(returned).__name__} instead of an object")
        if not returned.keys() <= RESPONSE_KEYS:
            unknown = ", ".join(sorted(returned.keys() - RESPONSE_KEYS))
            raise malformed(f"it has {unknown[:256]} beside {', '.join(sorted(RESPONSE_KEYS))}")
        status = status_of(returned.get("statusCode"))
        headers = headers_of(returned.get("headers"), returned.get("multiValueHeaders"))
        return Response(status, headers, self._body(exchange, returned))

    def _body(self, exchange: Exchange, returned: dict[str, Any]) -> bytes:
        body, is_base64 = returned.get("body"), returned.get("isBase64Encoded")
        if body is None:
            return b""
        if not isinstance(body, str):
            raise malformed(f"body is {type(body).__name__}, not a string")
        if is_base64 not in (None, True, False):
            raise malformed(f"isBase64Encoded is {is_base64!r}, not a boolean")
        if not is_base64 or not self._wants_binary(exchange):
            return body.encode("utf-8")
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refusal(
                API_CONFIGURATION_ERROR, detail=f"isBase64Encoded is true and the body is not base64: {error}"
            ) from error

    def _wants_binary(self, exchange: Exchange) -> bool:
        """Say whether base64 is decoded: the first media type that the client accepts is a binary one."""
        accept = media_type(exchange.request.header(b"accept"))
        return bool(self._binary) and matches_any(accept, self._binary)

    def __repr__(self) -> str:
        return f"LambdaProxy({self._calls!r})"


def malformed(why: str) -> Refusal:
    """Say that a function's answer is not what the proxy contract asks for."""
    return Refusal(
        MALFORMED_PROXY_RESPONSE,
        detail=f"Execution failed due to configuration error: Malformed Lambda proxy response ({why})",
    )


def status_of(value: Any) -> int:
    """Read `statusCode`: an integer, or text of one. Raises: Refusal.

    unverified: AWS's exact reading of floats and of texts.
    """
    is_number = isinstance(value, float) and value.is_integer()
    if is_number or (isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 100 <= value <= 599:
        raise malformed(f"statusCode is {value!r}")
    if value < 200:
        raise malformed(f"statusCode {value} is not a final status")
    return value


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return orjson.dumps(value).decode()
    raise malformed(f"header {name} is {type(value).__name__}, not a string")


def headers_of(single: object, lists: object) -> Headers:
    """Merge `headers` and `multiValueHeaders`: of a name and value in both, the list's stays. Raises: Refusal."""
    pairs: list[tuple[str, str]] = []
    for name, values in _items(lists, "multiValueHeaders"):
        if not isinstance(values, list):
            raise malformed(f"multiValueHeaders {name} is {type(values).__name__}, not a list")
        pairs += [(name, _text(name, value)) for value in values if value is not None]
    listed = {(name.lower(), value) for name, value in pairs}
    for name, value in _items(single, "headers"):
        if value is not None and (name.lower(), text := _text(name, value)) not in listed:
            pairs.append((name, text))
    sent: Headers = []
    has_type = False
    for name, text in pairs:
        raw_name, raw_value = name.encode("utf-8"), text.encode("utf-8").strip(b" \t")
        if not is_token(raw_name) or not is_field_value(raw_value):
            raise malformed(f"header {name!r} cannot be sent: its name or value has a character that is not allowed")
        sent_name = response_name(raw_name)
        if sent_name is not None:
            sent.append((sent_name, raw_value))
            has_type = has_type or sent_name.lower() == b"content-type"
    if not has_type:
        sent.append(CONTENT_TYPE)
    return sent


def _items(value: object, key: str) -> Sequence[tuple[str, Any]]:
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise malformed(f"{key} is {type(value).__name__}, not an object")
    return tuple(value.items())


def compile_lambda_proxy(
    integration: Integration,
    stage: StageFacts,
    route: Route,
    *,
    has_caller: bool,
    calls: FunctionCalls,
    passed: PassedHeaders[PassedToLambda],
    has_authorizer: bool = False,
) -> LambdaProxy:
    """Compile an AWS_PROXY integration. Raises: MappingError when it cannot work."""
    if integration.http_method not in ("", "POST"):
        raise MappingError(f"integration httpMethod is {integration.http_method}: Lambda takes POST only")
    check_transfer_mode(integration)
    return LambdaProxy(
        calls,
        EventFormat(stage, route, has_caller=has_caller, passed=passed, has_authorizer=has_authorizer),
        binary_media_types=stage.binary_media_types,
    )
