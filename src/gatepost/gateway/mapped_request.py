"""The request parameters of an integration: what goes into its path, its query string and its headers.

`integration.request.{path,querystring,header}.NAME` from any mapping expression. A path variable that is the route's
own stays percent-encoded as the client sent it.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from gatepost.gateway.exchange import Exchange
from gatepost.gateway.headers import is_token
from gatepost.gateway.mapping import MappingError, Values, compile_values
from gatepost.gateway.responses import BAD_REQUEST, Refusal
from gatepost.gateway.route import Route, StageFacts
from gatepost.services.apigateway.deployment import Integration

_SEGMENT_SAFE: Final = ":@!$&'()*+,;=-._~"


@dataclass(frozen=True, slots=True)
class MappedRequest:
    """Compiled request parameters. `raw_path` are path variables that are the route's own, still encoded."""

    raw_path: Mapping[str, int]
    path: Mapping[str, Values]
    query: Mapping[str, Values]
    headers: Mapping[bytes, Values]

    def fill(self, pieces: Sequence[str], exchange: Exchange, overrides: Mapping[str, str]) -> str:
        """Put values into a path of text and variables in turn. Raises: Refusal for one that climbs out of it."""
        filled = []
        for position, piece in enumerate(pieces):
            if position % 2 == 0:
                filled.append(piece)
            elif piece in overrides:
                filled.append(checked_segment(quote(overrides[piece], safe=_SEGMENT_SAFE)))
            elif piece in self.raw_path:
                filled.append(checked_segment(exchange.values[self.raw_path[piece]]))
            else:
                values = self.path[piece](exchange)
                filled.append(checked_segment(quote(values[-1] if values else "", safe=_SEGMENT_SAFE)))
        return "".join(filled)

    def query_text(self, exchange: Exchange, overrides: Mapping[str, str]) -> str:
        """Give the mapped query string; what a template overrides replaces the mapped values of that name."""
        pairs = [
            (name, value) for name, values in self.query.items() if name not in overrides for value in values(exchange)
        ]
        pairs += overrides.items()
        return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)

    def check_variables(self, names: Sequence[str]) -> None:
        """Let the names of a path's variables pass that are mapped. Raises: MappingError."""
        for name in names:
            if name not in self.raw_path and name not in self.path:
                raise MappingError(f"the URI's {{{name}}} has no mapping: add integration.request.path.{name}")


def checked_segment(value: str) -> str:
    """Let a path variable pass unless it climbs out of its place: `..` is refused in every spelling.

    Java's servers take `..;x` for `..`: they read what follows a semicolon as the segment's parameters.
    """
    if "." in value or "%2" in value:
        for segment in unquote(value).replace("\\", "/").split("/"):
            if segment.partition(";")[0] in ("..", "."):
                raise Refusal(BAD_REQUEST, detail=f"path parameter {value!r} holds a dot segment")
    return value


def compile_mapped_request(integration: Integration, stage: StageFacts, route: Route) -> MappedRequest:
    """Compile the request parameters of an integration. Raises: MappingError."""
    raw_path: dict[str, int] = {}
    path: dict[str, Values] = {}
    query: dict[str, Values] = {}
    headers: dict[bytes, Values] = {}
    for target, expression in integration.request_parameters.items():
        place, _, name = target.removeprefix("integration.request.").partition(".")
        if not target.startswith("integration.request.") or not name:
            raise MappingError(f"request parameter {target}: use integration.request.path, querystring or header")
        values = compile_values(expression, stage)
        source = expression.removeprefix("method.request.path.")
        if place == "path" and source in route.parameter_names and source != expression:
            raw_path[name] = route.parameter_names.index(source)
        elif place == "path":
            path[name] = values
        elif place == "querystring":
            query[name] = values
        elif place == "header" and is_token(name.encode("latin-1", "replace")):
            headers[name.encode("latin-1")] = values
        else:
            raise MappingError(f"request parameter {target}: use integration.request.path, querystring or header")
    return MappedRequest(raw_path, path, query, headers)
