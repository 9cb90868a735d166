"""What an integration that is no proxy is sent: the request template by Content-Type, or the body as it came.

`application/json` stands for a request without Content-Type. A type without a template: WHEN_NO_MATCH passes the body
on, WHEN_NO_TEMPLATES does so only if there are no templates at all, and NEVER answers 415.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/integration-passthrough-behaviors.html
"""

from __future__ import annotations

from collections.abc import Mapping

from gatepost.gateway.content_handling import TO_BINARY, TO_TEXT, after_template, before_template
from gatepost.gateway.exchange import Exchange, request_media
from gatepost.gateway.headers import matches_any
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.responses import UNSUPPORTED_MEDIA_TYPE, Refusal
from gatepost.gateway.template_scope import TemplateScope
from gatepost.languages.json_path import MISSING
from gatepost.languages.vtl_api_gateway import MappingTemplate, Overrides
from gatepost.services.apigateway.deployment import Integration


class RequestTemplates:
    """The request templates of one integration."""

    __slots__ = ("_handling", "_passes_unmatched", "_scope", "templates")

    def __init__(
        self, templates: Mapping[str, MappingTemplate], scope: TemplateScope, *, passes_unmatched: bool, handling: str
    ) -> None:
        self.templates = templates
        self._scope = scope
        self._passes_unmatched = passes_unmatched
        self._handling = handling

    def map(self, exchange: Exchange) -> tuple[bytes, Overrides]:
        """Give the body for the integration and what the template overrides. Raises: Refusal."""
        request = exchange.request
        media = request_media(exchange)
        template = self.templates.get(media)
        if template is None and not self._passes_unmatched:
            raise Refusal(UNSUPPORTED_MEDIA_TYPE, detail=f"no request template for {media}, and passthrough is off")
        body, handling, binary = request.body, self._handling, self._scope.stage.binary_media_types
        overrides = Overrides()
        if template is not None and not binary and not handling:  # the usual case: text to text
            return self._scope.render(template, exchange, body, overrides, exchange.document), overrides
        body, is_binary = before_template(body, is_binary=matches_any(media, binary), handling=handling)
        if template is not None:
            document = exchange.document if body is request.body else MISSING
            body, is_binary = self._scope.render(template, exchange, body, overrides, document), False
        return after_template(body, is_binary=is_binary, handling=handling), overrides

    def __repr__(self) -> str:
        return f"{', '.join(sorted(self.templates)) or 'no template'}{'' if self._passes_unmatched else '; else 415'}"


def passes_unmatched(integration: Integration) -> bool:
    """Say whether a body that no request template fits is passed through (else: 415)."""
    behavior = integration.passthrough_behavior
    return behavior == "WHEN_NO_MATCH" or (behavior == "WHEN_NO_TEMPLATES" and not integration.request_templates)


def compile_request_templates(integration: Integration, scope: TemplateScope) -> RequestTemplates:
    """Compile the request templates of an integration. Raises: MappingError."""
    if integration.content_handling not in ("", TO_TEXT, TO_BINARY):
        raise MappingError(f"contentHandling {integration.content_handling} does not exist")
    return RequestTemplates(
        {
            media.lower(): scope.compile(template, f"the request template for {media}")
            for media, template in integration.request_templates.items()
        },
        scope,
        passes_unmatched=passes_unmatched(integration),
        handling=integration.content_handling,
    )
