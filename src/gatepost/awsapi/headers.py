"""A request's headers by lower-case name, read at once from what came over the wire."""

from __future__ import annotations

import re
from typing import Final

from gatepost.security.sigv4 import joined_headers
from gatepost.wire.messages import Request

# The server has refused folded lines, spaces before a colon and bare line feeds.
_FIELDS: Final = re.compile(rb"\r\n([^:\r]+):[ \t]*([^\r]*[^\r \t]|)").findall


def headers_of(request: Request) -> dict[bytes, bytes]:
    """Give every header; the values of a repeated one are joined by a comma, in order."""
    if request.block is None:
        return joined_headers(request.headers)
    return joined_headers(_FIELDS(request.block.block))
