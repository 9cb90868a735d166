"""Percent-decoding as API Gateway does it for parameters of REST APIs.

"REST APIs decode URL-encoded request parameters before passing them to backend integrations. […] REST APIs
URL-encode the percent character (%) before passing it to backend integrations", and "the semicolon character
(;) […] results in the data being split":
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
"""

from __future__ import annotations

from urllib.parse import unquote


def decode_parameter(text: str) -> str:
    """Decode a raw path parameter; a percent sign in the result stays written as `%25`."""
    if "%" not in text:
        return text
    return unquote(text).replace("%", "%25")


def parse_query(query: str) -> list[tuple[str, str]]:
    """Take a raw query string apart into decoded (name, value) pairs, in the client's order."""
    if not query:
        return []
    pairs = []
    for piece in query.replace(";", "&").split("&"):
        if piece:
            name, _, value = piece.partition("=")
            pairs.append((decode_parameter(name.replace("+", " ")), decode_parameter(value.replace("+", " "))))
    return pairs
