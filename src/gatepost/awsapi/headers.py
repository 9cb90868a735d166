"""A request's headers by lower-case name, read at once from what came over the wire."""

from __future__ import annotations

import re
from typing import Final

from gatepost.security.sigv4 import joined_headers
from gatepost.wire.messages import Request

# The server has refused folded lines, spaces before a colon and bare line feeds.
_FIELDS: Final = re.compile(rb"\r\n([^:\r]+):[ \t]*([^\r]*)").findall


def headers_of(request: Request) -> dict[bytes, bytes]:
    """Give every header; the values of a repeated one are joined by a comma, in order."""
    if request.block is None:
        return joined_headers(request.headers)
    block = request.block.block
    pairs = _FIELDS(block)
    found = {name.lower(): value for name, value in pairs}
    if len(found) != len(pairs) or b" \r\n" in block or b"\t\r\n" in block:
        return joined_headers(request.block.split())
    return found
