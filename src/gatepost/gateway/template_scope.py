"""What mapping templates see of a request: `$context`, `$stageVariables`, and the parameters of `$input.params`.

One scope for each stage: it compiles the templates of the stage's integrations and renders them. Everything is read
when a template asks for it.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.gateway.exchange import CALLER, Exchange
from gatepost.gateway.headers import SIGNATURE, forwarded
from gatepost.gateway.mapping import MappingError, authorizer_context, context_sources
from gatepost.gateway.query import decode_parameter, parse_query
from gatepost.gateway.responses import API_CONFIGURATION_ERROR, Refusal
from gatepost.gateway.route import StageFacts
from gatepost.gateway.trace import TRACE_HEADER, trace_root
from gatepost.languages.json_path import MISSING, JsonPaths
from gatepost.languages.vtl_api_gateway import (
    MappingTemplate,
    Overrides,
    Parameters,
    Variables,
    compile_mapping_template,
)
from gatepost.languages.vtl_tree import TemplateError
from gatepost.services.apigateway.support import is_template_variable

_OURS: Final = frozenset({b"x-forwarded-for", b"x-forwarded-port", b"x-forwarded-proto", TRACE_HEADER})


class TemplateScope:
    """Compiles and renders the mapping templates of one stage."""

    __slots__ = ("_paths", "_table", "_variables", "stage")

    def __init__(self, stage: StageFacts) -> None:
        self.stage = stage
        self._paths = JsonPaths()
        self._variables = dict(stage.variables)
        self._table = _nested(context_sources(stage)) | {"authorizer": authorizer_context}

    def compile(self, text: str, where: str) -> MappingTemplate:
        """Compile a template. Raises: MappingError when it cannot work."""
        try:
            template = compile_mapping_template(text, paths=self._paths)
        except TemplateError as error:
            raise MappingError(f"{where}: {error}") from error
        unknown = sorted(name for name in template.context_names if not is_template_variable(name))
        if unknown:
            raise MappingError(f"{where}: $context.{unknown[0]} is not a variable that this gateway has")
        return template

    def render(
        self,
        template: MappingTemplate,
        exchange: Exchange,
        body: bytes,
        overrides: Overrides,
        document: Any = MISSING,
    ) -> bytes:
        """Map a body, for a response with what the request's template wrote. Raises: Refusal when it fails.

        What is no character becomes `?`. `document` is what the body parses to, if someone has parsed it already.
        """
        try:
            return template.render_text(
                body,
                Variables(self._table, exchange),
                self._variables,
                lambda: request_parameters(exchange),
                overrides,
                document,
            ).encode("utf-8", "replace")
        except TemplateError as error:
            raise Refusal(
                API_CONFIGURATION_ERROR,
                detail=f"Execution failed due to configuration error: Unable to transform: {error}",
            ) from error


def _nested(sources: Mapping[str, Any]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, read in sources.items():
        *groups, member = name.split(".")
        inner = table
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[member] = read
    return table


def request_parameters(exchange: Exchange) -> Parameters:
    """Give a request's parameters: decoded, of several values the last, the headers with X-Forwarded and trace id.

    A signature is nobody's business behind the gateway, as in the events of proxy integrations.
    """
    request = exchange.request
    headers: dict[str, str] = {}
    for name, value in request.headers:
        lower = name.lower()
        is_signature = lower == b"authorization" and (exchange.has(CALLER) or value.startswith(SIGNATURE))
        if lower not in _OURS and not is_signature:
            headers[name.decode("latin-1")] = value.decode("utf-8", "replace")
    chain, port, scheme = forwarded(request)
    headers["X-Amzn-Trace-Id"] = trace_root(exchange)
    headers |= {"X-Forwarded-For": chain, "X-Forwarded-Port": port, "X-Forwarded-Proto": scheme}
    names = exchange.route.parameter_names
    return Parameters(
        path={name: decode_parameter(value) for name, value in zip(names, exchange.values, strict=True)},
        querystring=dict(parse_query(request.query)),
        header=headers,
    )


def overridden(overrides: Mapping[str, Any], place: str) -> dict[str, str]:
    """Give what a template wrote to `header`, `path` or `querystring` of its overrides, null left out.

    Raises: Refusal for what is neither text nor a number.
    """
    values = overrides.get(place)
    if not values or not isinstance(values, Mapping):
        return {}
    return {str(name): _text(f"{place}.{name}", value) for name, value in values.items() if value is not None}


def _text(place: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise Refusal(
        API_CONFIGURATION_ERROR,
        detail=f"the override of {place[:64]} is {type(value).__name__}, not a string or number",
    )
