"""The execution log of a request, in the lines of API Gateway's own log.

Level ERROR tells of requests that failed, INFO of all; with data tracing come headers and bodies. Authorization and API
key headers are masked, as AWS masks them. The lines are those of AWS's documentation and console ("Test" of a method):
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html; their order and words are unverified
where no page shows them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from gatepost.gateway.exchange import NOT_CALLED, Exchange
from gatepost.gateway.mapping import path_values
from gatepost.gateway.query import parse_query
from gatepost.wire.messages import Response

BODY_CHARACTERS_MAX: Final = 1024  # AWS: "API Gateway truncates log messages to 1,024 bytes"
_MASKED: Final = frozenset({b"authorization", b"x-api-key", b"x-amz-security-token", b"cookie"})
_NS_PER_MS: Final = 1_000_000


def execution_lines(exchange: Exchange, response: Response, *, is_data_traced: bool) -> list[str]:
    """Give the lines of one request, each with its id in front."""
    prefix = f"({exchange.request_id})"
    return [f"{prefix} {line}" for line in _lines(exchange, response, is_data_traced=is_data_traced)]


def error_lines(exchange: Exchange, response: Response) -> list[str]:
    """Give the lines of a request that failed; none of one that did not."""
    if exchange.verdict is None and response.status < 500:
        return []
    prefix = f"({exchange.request_id})"
    return [f"{prefix} {line}" for line in _ending(exchange, response)]


def _lines(exchange: Exchange, response: Response, *, is_data_traced: bool) -> Iterable[str]:
    yield f"Extended Request Id: {exchange.extended_id}"
    yield f"Starting execution for request: {exchange.request_id}"
    yield f"HTTP Method: {exchange.method}, Resource Path: {exchange.route.resource_path}"
    if is_data_traced:
        yield from _method_request(exchange)
    yield from _endpoint(exchange, is_data_traced=is_data_traced)
    if is_data_traced and exchange.verdict is None:
        yield f"Method response body after transformations: {_body(exchange, response.body)}"
        yield f"Method response headers: {_headers(response.headers)}"
    yield from _ending(exchange, response)


def _method_request(exchange: Exchange) -> Iterable[str]:
    request = exchange.request
    path = {name: path_values(exchange, name)[-1] for name in exchange.route.parameter_names}
    yield f"Method request path: {_pairs(path.items())}"
    yield f"Method request query string: {_pairs(parse_query(request.query))}"
    yield f"Method request headers: {_headers(request.headers)}"
    yield f"Method request body before transformations: {_body(exchange, request.body)}"


def _endpoint(exchange: Exchange, *, is_data_traced: bool) -> Iterable[str]:
    call = exchange.call
    if call is None:
        return
    if is_data_traced:
        yield f"Endpoint request URI: {call.endpoint}"
        yield f"Endpoint request headers: {_headers(call.request_headers)}"
        yield f"Endpoint request body after transformations: {_body(exchange, call.request_body)}"
    yield f"Sending request to {call.endpoint}"
    if call.status:
        yield (
            f"Received response. Status: {call.status}, "
            f"Integration latency: {max(exchange.integration_ns, 0) // _NS_PER_MS} ms"
        )
        if is_data_traced:
            yield f"Endpoint response headers: {_headers(call.response_headers)}"
            yield f"Endpoint response body before transformations: {_body(exchange, call.response_body)}"
        if call.error:
            yield f"Lambda execution failed with status {call.status} due to {call.error}"
        if call.request_id:
            yield f"AWS Integration Endpoint RequestId : {call.request_id}"


def _ending(exchange: Exchange, response: Response) -> Iterable[str]:
    verdict: Any = exchange.verdict
    if verdict is not None:
        if verdict.validation_error:
            yield f"Request body does not match model schema for content type: {verdict.validation_error}"
        said = verdict.detail or verdict.message
        is_said_by_aws = said.startswith("Execution failed")
        yield said if is_said_by_aws else f"Execution failed: {said}"
        yield f"Gateway response type: {verdict.kind.response_type} with status code: {response.status}"
    elif exchange.integration_ns != NOT_CALLED:
        yield "Successfully completed execution"
    yield f"Method completed with status: {response.status}"


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return f"{{{', '.join(f'{name}={value}' for name, value in pairs)}}}"


def _headers(headers: Iterable[tuple[bytes, bytes]]) -> str:
    shown = ((name, _masked(value) if name.lower() in _MASKED else value) for name, value in headers)
    return _pairs((name.decode("latin-1"), value.decode("latin-1")) for name, value in shown)


def _masked(value: bytes) -> bytes:
    """Leave the last six characters of a long value, as AWS does ("****1a2b3c")."""
    return b"*" * 20 + (value[-6:] if len(value) > 24 else b"")


def _body(exchange: Exchange, body: bytes) -> str:
    """Give the beginning of a body, without the credentials of the request: a proxy's event holds its headers."""
    for name, value in exchange.request.headers:
        if name.lower() in _MASKED and value:
            body = body.replace(value, _masked(value))
    text = body[: BODY_CHARACTERS_MAX + 1].decode("utf-8", "replace")
    return text if len(text) <= BODY_CHARACTERS_MAX else f"{text[:BODY_CHARACTERS_MAX]} [TRUNCATED]"
