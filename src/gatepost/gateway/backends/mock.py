"""MOCK: API Gateway itself answers, with what the integration responses declare.

The request template, chosen by the request's Content-Type, gives a status code; the integration response whose
selection pattern matches it gives status, headers and body. Without a template that fits, the passthrough behaviour
decides: the body itself must then hold the status code, or the client gets 415. Where no template has a reference or a
directive that matters (most MOCKs are CORS preflights), everything is worked out at deployment: `Mock`. Else the
templates are rendered: `MappedMock`. A response's template then sees an empty body: there was no integration.

Sources: API Gateway developer guide, "Set up mock integrations"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-mock-integration.html) and "Integration
passthrough behaviors" (…/integration-passthrough-behaviors.html).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.headers import clean_field_value, media_type, response_name
from gatepost.gateway.integration_responses import (
    NOTHING_ANSWERED,
    IntegrationResponses,
    compile_integration_responses,
    compile_pattern,
    header_target,
)
from gatepost.gateway.mapping import MappingError, Source, compile_source
from gatepost.gateway.request_templates import RequestTemplates, compile_request_templates, passes_unmatched
from gatepost.gateway.responses import API_CONFIGURATION_ERROR, UNSUPPORTED_MEDIA_TYPE, Refusal
from gatepost.gateway.route import StageFacts
from gatepost.gateway.template_scope import TemplateScope
from gatepost.services.apigateway.deployment import Integration, IntegrationResponse
from gatepost.wire.messages import Head, Headers, Response

# AWS takes `{statusCode: 200}` without quotes too: frameworks have written it so for years (unverified).
_STATUS_CODE: Final = re.compile(rb"""statusCode["']?\s*:\s*["']?(\d{3})(?!\d)""")
STATUS_TEXT_BYTES_MAX: Final = 64 * 1024


def status_of(body: bytes) -> int | None:
    """Find the status code that a rendered request template or a passed-through body names, in its first 64 KB."""
    at = body.find(b"statusCode", 0, STATUS_TEXT_BYTES_MAX)  # faster than the expression's own search
    while at >= 0:
        found = _STATUS_CODE.match(body, at, STATUS_TEXT_BYTES_MAX)
        if found is not None:
            return int(found[1])
        at = body.find(b"statusCode", at + 1, STATUS_TEXT_BYTES_MAX)
    return None


def _leading_status(text: str) -> int | None:
    """Find the status code that every body has which begins with `text`: whatever follows its last character."""
    begin = text.encode()
    status = status_of(begin)
    return status if status is not None and status_of(begin + b"0") == status else None


@dataclass(frozen=True, slots=True)
class _Answer:
    """A compiled integration response: for each media type its constant headers and its body."""

    status: int
    bodies: Mapping[str, tuple[Head, bytes]]
    default: tuple[Head, bytes]
    headers: tuple[tuple[bytes, Source], ...]  # those that each request has its own values of
    matches: Callable[[str], object] | None


class Mock:
    """Answers from the integration responses."""

    needs: ClassVar[Facts] = NO_FACTS

    def __init__(
        self,
        *,
        statuses: Mapping[str, int],
        answers: Sequence[_Answer],
        default: _Answer | None,
        passes_unmatched: bool,
    ) -> None:
        self._statuses = statuses  # of each request template, by media type
        self._answers = tuple(answers)
        self._default = default
        self._passes_unmatched = passes_unmatched
        self._chosen = {media: self._choose(status) for media, status in statuses.items()}

    def answer(self, exchange: Exchange) -> Response:
        """Give the declared answer. Raises: Refusal."""
        exchange.integration_ns = 0
        request = exchange.request
        content_type = request.header(b"content-type")
        media = "application/json" if content_type is None else media_type(content_type)
        answer = self._chosen.get(media)
        if answer is None:
            answer = self._passed_through(exchange, media)
        entry = answer.default
        if len(answer.bodies) > 1:
            entry = answer.bodies.get(media_type(request.header(b"accept")), entry)
        head, body = entry
        response = Response(answer.status, None, body, head=head)
        if answer.headers:
            response.own = _own(answer.headers, exchange)
        return response

    def _passed_through(self, exchange: Exchange, media: str) -> _Answer:
        if media in self._statuses:
            raise Refusal(
                API_CONFIGURATION_ERROR,
                detail=f"no integration response matches status {self._statuses[media]} and there is no default",
            )
        if not self._passes_unmatched:
            raise Refusal(UNSUPPORTED_MEDIA_TYPE, detail=f"no request template for {media}, and passthrough is off")
        status = status_of(exchange.request.body)
        answer = self._choose(status) if status is not None else None
        if answer is None:
            raise _no_status()
        return answer

    def _choose(self, status: int) -> _Answer | None:
        text = str(status)
        for answer in self._answers:
            if answer.matches is not None and answer.matches(text):
                return answer
        return self._default

    def __repr__(self) -> str:
        chosen = ", ".join(
            f"{media} -> {answer.status if answer else 'no response'}" for media, answer in self._chosen.items()
        )
        return f"Mock({chosen or 'no template'}{'' if self._passes_unmatched else '; else 415'})"


def _own(sources: tuple[tuple[bytes, Source], ...], exchange: Exchange) -> Headers:
    values = [(name, source(exchange)) for name, source in sources]
    return [(name, clean_field_value(value)) for name, value in values if value is not None]


class MappedMock:
    """Answers from the integration responses, with templates that are rendered for each request."""

    needs: ClassVar[Facts] = NO_FACTS

    def __init__(self, requests: RequestTemplates, responses: IntegrationResponses) -> None:
        self._requests = requests
        self._responses = responses
        # Mostly the status code is in the text that a template begins with: then it is known, by media type.
        self._statuses = {
            media: status
            for media, template in requests.templates.items()
            if (status := _leading_status(template.leading)) is not None
        }

    def answer(self, exchange: Exchange) -> Response:
        """Render the declared answer. Raises: Refusal."""
        exchange.integration_ns = 0
        body, overrides = self._requests.map(exchange)
        status = self._statuses.get(exchange.media)
        if status is None:
            status = status_of(body)
            if status is None:
                raise _no_status()
        return self._responses.answer(exchange, str(status), NOTHING_ANSWERED, overrides)

    def __repr__(self) -> str:
        return f"MappedMock({self._requests!r} -> {self._responses!r})"


def _no_status() -> Refusal:
    return Refusal(  # the words of AWS's execution log
        API_CONFIGURATION_ERROR,
        detail="Unable to parse statusCode. It should be an integer that is defined in the request template",
    )


def compile_mock(integration: Integration, scope: TemplateScope) -> Mock | MappedMock:
    """Compile a MOCK integration. Raises: MappingError when a part of it cannot work."""
    if integration.content_handling:
        raise MappingError(f"contentHandling {integration.content_handling} has no meaning for the request of a MOCK")
    requests = compile_request_templates(integration, scope)
    texts = {media: template.constant for media, template in requests.templates.items()}
    answers = [_compile_answer(response, scope) for response in integration.responses]
    constant = [answer for answer in answers if answer is not None]
    if len(constant) < len(answers) or None in texts.values():
        return MappedMock(requests, compile_integration_responses(integration.responses, scope))
    statuses = {}
    for media, text in texts.items():
        status = status_of((text or "").encode())
        if status is None:
            raise MappingError(f"the request template for {media} has no statusCode, which should be an integer")
        statuses[media] = status
    return Mock(
        statuses=statuses,
        answers=constant,
        default=next((answer for answer in constant if answer.matches is None), None),
        passes_unmatched=passes_unmatched(integration),
    )


def _compile_answer(response: IntegrationResponse, scope: TemplateScope) -> _Answer | None:
    """Compile an integration response; None when a template of it has to be rendered for each request."""
    constants, sources = _compile_headers(response, scope.stage)
    status = int(response.status_code)
    own_type = [value for name, value in constants if name.lower() == b"content-type"]
    constants = tuple(header for header in constants if header[0].lower() != b"content-type")

    def head(media: str) -> Head:
        """Make the head of a body: a mapped Content-Type replaces the template's."""
        content_type = own_type[-1] if own_type else media.encode("latin-1")
        return Head(status, ((b"Content-Type", content_type), *constants))

    bodies: dict[str, tuple[Head, bytes]] = {}
    for media, template in response.response_templates.items():
        text = scope.compile(template, f"the response template for {media}").constant
        if text is None:
            return None
        bodies[media.lower()] = (head(media), _converted(text, response))
    default = bodies.get("application/json") or next(iter(bodies.values()), None)
    return _Answer(
        status=status,
        bodies=bodies,
        default=default or (head("application/json"), b""),
        headers=sources,
        matches=compile_pattern(response.selection_pattern),
    )


def _converted(template: str, response: IntegrationResponse) -> bytes:
    if response.content_handling != "CONVERT_TO_BINARY":
        return template.encode()
    try:
        return base64.b64decode(template, validate=True)
    except binascii.Error as error:
        raise MappingError(f"contentHandling CONVERT_TO_BINARY: the template is not base64 ({error})") from error


def _compile_headers(
    response: IntegrationResponse, stage: StageFacts
) -> tuple[tuple[tuple[bytes, bytes], ...], tuple[tuple[bytes, Source], ...]]:
    constants: list[tuple[bytes, bytes]] = []
    sources: list[tuple[bytes, Source]] = []
    for target, expression in response.response_parameters.items():
        name = response_name(header_target(target))
        if name is None:
            raise MappingError(f"response parameter {target}: API Gateway sets this header itself")
        if expression.startswith("integration.response."):
            continue  # a MOCK's integration has neither headers nor a body: AWS leaves the header out (unverified)
        if expression[:1] == "'" and expression[-1:] == "'" and len(expression) >= 2:
            constants.append((name, clean_field_value(expression[1:-1])))
        elif expression.startswith(("context.", "stageVariables.")):
            sources.append((name, compile_source(expression, stage)))
        else:
            raise MappingError(
                f"response parameter {target}: {expression} is not 'literal', context.… or stageVariables.…"
            )
    return tuple(constants), tuple(sources)
