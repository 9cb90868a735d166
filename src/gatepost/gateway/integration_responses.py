"""How the answer of an integration that is no proxy becomes the client's: chosen by pattern, mapped, converted.

The first integration response (by status) whose selection pattern matches counts, else the one without a pattern. Its
template is chosen by the first type of Accept, else `application/json`, else the first; without templates the
integration's body goes on. No header of the integration's does so by itself but Content-Type.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-integration-settings-integration-response.html
and https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gatepost.gateway.content_handling import after_template, before_template
from gatepost.gateway.exchange import Exchange
from gatepost.gateway.headers import clean_field_value, is_token, matches_any, media_type, response_name
from gatepost.gateway.mapping import MappingError, compile_body_reader, compile_values
from gatepost.gateway.responses import API_CONFIGURATION_ERROR, Refusal
from gatepost.gateway.template_scope import TemplateScope, overridden
from gatepost.languages.vtl_api_gateway import MappingTemplate, Overrides
from gatepost.services.apigateway.deployment import IntegrationResponse
from gatepost.wire.messages import Head, Headers, Response

PATTERN_BYTES_MAX: Final = 1024 * 1024  # of one compiled selection pattern
_JSON: Final = b"application/json"
_TYPE: Final = b"content-type"
_NONE_OVERRIDDEN: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Answered:
    """What an integration answered. `content_type` is empty when it said none."""

    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = ()
    content_type: bytes = b""

    def values(self, name: bytes) -> list[str]:
        """Give all values of a header, by its name in lower case."""
        return [value.decode("utf-8", "replace") for key, value in self.headers if key.lower() == name]


NOTHING_ANSWERED: Final = Answered(b"")
"""What a MOCK's integration answers."""

Reader = Callable[[Exchange, Answered], Sequence[str]]


@dataclass(frozen=True, slots=True)
class _Declared:
    status: int
    matches: Callable[[str], object] | None
    parameters: tuple[tuple[bytes, Reader], ...]
    templates: Mapping[str, tuple[Head, MappingTemplate]]  # by media type: the template, with its Content-Type
    default: tuple[Head, MappingTemplate] | None
    handling: str


class IntegrationResponses:
    """The integration responses of one integration."""

    __slots__ = ("_binary", "_declared", "_default", "_scope")

    def __init__(self, declared: Sequence[_Declared], scope: TemplateScope, *, binary: Sequence[str]) -> None:
        self._declared = tuple(each for each in declared if each.matches is not None)
        self._default = next((each for each in declared if each.matches is None), None)
        self._scope = scope
        self._binary = tuple(binary)

    def answer(self, exchange: Exchange, text: str, answered: Answered, overrides: Overrides) -> Response:
        """Make the client's answer; `text` is what selection patterns look at. Raises: Refusal."""
        declared = self._choose(text)
        content_type, body, binary = answered.content_type or _JSON, answered.body, self._binary
        is_binary = wants_binary = False
        accept = ""
        if binary or len(declared.templates) > 1:
            accept = media_type(exchange.request.header(b"accept"))
        if binary:
            wants_binary = matches_any(accept, binary)
            is_binary = matches_any(media_type(content_type), binary)
            body, is_binary = before_template(
                body, is_binary=is_binary, handling=declared.handling, wants_binary=wants_binary
            )
        head: Head | None = None
        chosen = declared.templates.get(accept, declared.default)
        if chosen is not None:
            head, template = chosen
            body, is_binary = self._scope.render(template, exchange, body, overrides), False
        if declared.handling or wants_binary:
            body = after_template(body, is_binary=is_binary, handling=declared.handling, wants_binary=wants_binary)
        status, own = declared.status, _NONE_OVERRIDDEN
        if overrides.has_response:
            own = overridden(overrides.response, "header")
            override = overrides.response.get("status")
            if override is not None:
                status = _status(override)
        if head is None or head.status != status:
            content_type = content_type if head is None else head.headers[0][1]
            head = Head(status, ((b"Content-Type", content_type),))
        if not own and not declared.parameters:
            return Response(status, None, body, head=head)
        headers = _mapped(declared, exchange, answered, own)
        if any(name.lower() == _TYPE for name, _ in headers):
            return Response(status, headers, body)
        return Response(status, headers, body, head=head)

    def _choose(self, text: str) -> _Declared:
        for each in self._declared:
            if each.matches is not None and each.matches(text):
                return each
        if self._default is None:
            raise Refusal(  # the words of AWS's execution log
                API_CONFIGURATION_ERROR,
                detail="Execution failed due to configuration error: No match for output mapping and no default "
                f"endpoint mapping configured ({text[:256]!r})",
            )
        return self._default

    def __repr__(self) -> str:
        statuses = [str(each.status) for each in self._declared]
        return ", ".join([*statuses, *([f"else {self._default.status}"] if self._default else [])])


def _mapped(declared: _Declared, exchange: Exchange, answered: Answered, own: Mapping[str, str]) -> Headers:
    """Give the mapped headers; those that a template overrides replace them."""
    replaced = {name.lower().encode("latin-1", "replace") for name in own}
    headers: Headers = []
    for name, read in declared.parameters:
        if name.lower() not in replaced:
            headers += [(name, clean_field_value(value)) for value in read(exchange, answered)]
    for text, value in own.items():
        raw = text.encode("latin-1", "replace")
        sent = response_name(raw) if is_token(raw) else None
        if sent is not None:
            headers.append((sent, clean_field_value(value)))
    return headers


def _status(override: Any) -> int:
    text = str(override).strip()
    if len(text) != 3 or not text.isascii() or not text.isdigit() or not "200" <= text <= "599":
        raise Refusal(API_CONFIGURATION_ERROR, detail=f"responseOverride.status is {text[:32]!r}, not 200 to 599")
    return int(text)


def compile_integration_responses(
    responses: Sequence[IntegrationResponse], scope: TemplateScope, *, binary: Sequence[str] = ()
) -> IntegrationResponses:
    """Compile integration responses. Raises: MappingError when one cannot work."""
    return IntegrationResponses([_compile(each, scope) for each in responses], scope, binary=binary)


def _compile(response: IntegrationResponse, scope: TemplateScope) -> _Declared:
    status = int(response.status_code)
    templates = {
        media.lower(): (
            Head(status, ((b"Content-Type", media.encode("latin-1")),)),
            scope.compile(text, f"the response template for {media}"),
        )
        for media, text in response.response_templates.items()
    }
    return _Declared(
        status=status,
        matches=compile_pattern(response.selection_pattern),
        parameters=tuple(
            _compile_parameter(target, expression, scope) for target, expression in response.response_parameters.items()
        ),
        templates=templates,
        default=templates.get("application/json") or next(iter(templates.values()), None),
        handling=response.content_handling,
    )


def _compile_parameter(target: str, expression: str, scope: TemplateScope) -> tuple[bytes, Reader]:
    name = header_target(target)
    sent = response_name(name)
    if sent is None:
        raise MappingError(f"response parameter {target}: API Gateway sets this header itself")
    begin = "integration.response."
    if not expression.startswith(begin):
        if not expression.startswith(("'", "context.", "stageVariables.")):
            raise MappingError(
                f"response parameter {target}: {expression} is not 'literal', integration.response.…, context.… "
                "or stageVariables.…"
            )
        values = compile_values(expression, scope.stage)
        return sent, lambda exchange, _answered: values(exchange)[-1:]
    place, _, rest = expression.removeprefix(begin).partition(".")
    if place in ("header", "multivalueheader") and rest:
        wanted, first = rest.lower().encode("latin-1", "replace"), 0 if place == "multivalueheader" else -1
        return sent, lambda _exchange, answered: answered.values(wanted)[first:]
    path = expression.removeprefix(f"{begin}body")
    if path == expression or (path and path[0] not in ".["):
        raise MappingError(f"response parameter {target}: integration.response has header and body")
    read = compile_body_reader(expression, path.removeprefix("."))
    return sent, lambda _exchange, answered: read(answered.body)


def header_target(target: str) -> bytes:
    """Give the name in `method.response.header.NAME`. Raises: MappingError."""
    place, _, text = target.removeprefix("method.response.").partition(".")
    name = text.encode("latin-1", "replace")
    is_header = target.startswith("method.response.") and place in ("header", "multivalueheader")
    if not is_header or not is_token(name):
        raise MappingError(f"response parameter {target}: use method.response.header.NAME")
    return name


def compile_pattern(pattern: str) -> Callable[[str], object] | None:
    r"""Compile a selection pattern in linear time: `(\d?){0,9}` often enough would take minutes for three digits."""
    import re2

    if not pattern:
        return None
    options = re2.Options()
    options.max_mem = PATTERN_BYTES_MAX
    options.log_errors = False
    try:
        return re2.compile(pattern, options).fullmatch  # type: ignore[no-any-return]
    except re2.error as error:
        raise MappingError(f"selection pattern {pattern!r} is not a regular expression ({error})") from error
