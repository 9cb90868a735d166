r"""Access log formats: text with `$context` variables, taken apart when a stage is deployed.

A variable that has no value in a request is `-`, and so is one that does not exist, as on AWS. Values are written as
they are; a format that is JSON keeps valid because `"` and `\` and control characters in values are escaped.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html and, for the variables,
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html. Unverified:
the escaping.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from gatepost.gateway.access_phases import PHASES
from gatepost.gateway.exchange import NOT_CALLED, Exchange
from gatepost.gateway.mapping import MappingError, compile_source, context_sources
from gatepost.gateway.responses import INTEGRATION_FAILURE, INTEGRATION_TIMEOUT
from gatepost.gateway.route import StageFacts
from gatepost.wire.messages import Response

Reader = Callable[[Exchange, Response], Any]

LINE_CHARACTERS_MAX: Final = 256 * 1024  # of one event of CloudWatch Logs
NOTHING: Final = "-"
_VARIABLE: Final = re.compile(r"\$\{?context((?:\.[A-Za-z0-9_-]+)+)\}?")
_PLAIN: Final = re.compile(r'[^"\\\x00-\x1f\x7f]*')
_NS_PER_MS: Final = 1_000_000


def _integration_latency(exchange: Exchange, _response: Response) -> int | None:
    return None if exchange.integration_ns == NOT_CALLED else exchange.integration_ns // _NS_PER_MS


def _integration_status(exchange: Exchange, response: Response) -> int | None:
    """Give what the integration answered; of a function it is Lambda's own status."""
    call = exchange.call
    if call is not None:
        return call.status or None
    return None if exchange.integration_ns == NOT_CALLED else response.status


def _integration_error(exchange: Exchange, _response: Response) -> str | None:
    call, verdict = exchange.call, exchange.verdict
    if call is not None and call.error:
        return call.error
    is_integrations = verdict is not None and verdict.kind in (INTEGRATION_FAILURE, INTEGRATION_TIMEOUT)
    return verdict.message if is_integrations else None


class _Quoted(str):
    """A text with the quotes of JSON around it, to be written as it is."""

    __slots__ = ()


def _error(name: str) -> Reader:
    def read(exchange: Exchange, _response: Response) -> str | None:
        verdict = exchange.verdict
        if verdict is None:
            return None
        if name == "responseType":
            return str(verdict.kind.response_type)
        if name == "validationErrorString":
            return verdict.validation_error or None
        text = str(verdict.message)
        return _Quoted(orjson.dumps(text).decode()) if name == "messageString" else text

    return read


def _nothing(_exchange: Exchange, _response: Response) -> None:
    return None


# What only logs have. `status` of a client who left before the answer is 499.
_OF_THE_ANSWER: Final[dict[str, Reader]] = {
    "status": lambda _exchange, response: response.status,
    "responseLength": lambda _exchange, response: len(response.body),
    "responseLatency": lambda exchange, _response: exchange.latency_ns // _NS_PER_MS,
    "integrationLatency": _integration_latency,
    "integration.latency": _integration_latency,
    "integrationStatus": _integration_status,
    "integration.integrationStatus": _integration_status,
    "integration.status": lambda exchange, response: None if exchange.integration_ns == NOT_CALLED else response.status,
    "integration.error": _integration_error,
    "integrationErrorMessage": _integration_error,
    "integration.requestId": lambda exchange, _response: exchange.call.request_id if exchange.call else None,
    "tlsVersion": lambda exchange, _response: exchange.request.peer.tls.version if exchange.request.peer.tls else None,
    "cipherSuite": lambda exchange, _response: exchange.request.peer.tls.cipher if exchange.request.peer.tls else None,
    # There is no firewall here: without one AWS has no values either.
    "waf.error": _nothing,
    "waf.latency": _nothing,
    "waf.status": _nothing,
    **PHASES,
    "error.message": _error("message"),
    "error.messageString": _error("messageString"),
    "error.responseType": _error("responseType"),
    "error.validationErrorString": _error("validationErrorString"),
}


class AccessLogFormat:
    """A compiled format. `unknown` are the variables that do not exist, for whoever deployed it."""

    __slots__ = ("_parts", "unknown")

    def __init__(self, parts: tuple[str | Reader, ...], unknown: tuple[str, ...]) -> None:
        self._parts = parts
        self.unknown = unknown

    def render(self, exchange: Exchange, response: Response) -> str:
        """Give the line of one request."""
        line = "".join([part if isinstance(part, str) else _text(part(exchange, response)) for part in self._parts])
        return line if len(line) <= LINE_CHARACTERS_MAX else line[:LINE_CHARACTERS_MAX]


def _text(value: Any) -> str:
    if value is None or value == "":
        return NOTHING
    if isinstance(value, _Quoted):
        return value
    text = value if isinstance(value, str) else str(value)
    return text if _PLAIN.fullmatch(text) else orjson.dumps(text).decode()[1:-1]


def compile_access_log_format(text: str, stage: StageFacts) -> AccessLogFormat:
    """Take a format apart."""
    known = context_sources(stage)
    parts: list[str | Reader] = []
    unknown: list[str] = []
    position = 0
    for found in _VARIABLE.finditer(text):
        name = found.group(1)[1:]
        parts.append(text[position : found.start()])
        position = found.end()
        reader = _OF_THE_ANSWER.get(name)
        if reader is None and (name in known or name.startswith("authorizer.")):
            reader = _of_the_request(name, stage)
        if reader is None:
            unknown.append(name)
            parts.append(NOTHING)
        else:
            parts.append(reader)
    parts.append(text[position:])
    return AccessLogFormat(tuple(part for part in parts if part != ""), tuple(unknown))


def _of_the_request(name: str, stage: StageFacts) -> Reader | None:
    try:
        source = compile_source(f"context.{name}", stage)
    except MappingError:
        return None
    return lambda exchange, _response: source(exchange)
