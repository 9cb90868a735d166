"""A message's header block: found to be unambiguous once, split into names and values only when somebody asks.

The C parser (llhttp, strict) has checked the syntax of every line before a block gets here: tokens, one
colon, no bare CR or LF, no folding, no control bytes. This module finds what the fields mean for framing,
and refuses what can be read in two ways. Both must agree that a request is good.

One search of the lower-cased block for the few names that matter costs less than a call-back for every
header. A connection keeps its last block, because most clients repeat their headers from request to request.
"""

from __future__ import annotations

import re
from typing import Final

from gatepost.wire.limits import Reason, Refused
from gatepost.wire.messages import HeaderBlock

CHUNKED: Final = -1
UNTIL_CLOSED: Final = -2  # a response whose length nobody has said
LENGTH_DIGITS_MAX: Final = 18  # more would not be a size but an attempt at overflow

_HOST: Final = re.compile(rb"(?:[a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::[0-9]{0,5})?").fullmatch
_FIELDS: Final = re.compile(rb"\n(content-length|transfer-encoding|connection|expect|host):([^\r]*)").findall


def read_block(block: bytes, *, is_http_1_0: bool, headers_max: int) -> HeaderBlock:
    """Work out what a request's header block means. `block` begins with the CRLF that ends the request line.

    Raises: Refused.
    """
    if block.count(b"\n") - 2 > headers_max:
        raise Refused("headers_too_large", f"more than {headers_max} header fields")
    low = block.lower()
    fields = _FIELDS(low)
    host = _only(fields, b"host", "host")
    if host is None or not _HOST(host):
        raise Refused("host", "Host is missing or no host name")
    found = HeaderBlock(block, low, host.decode("ascii"))
    found.keeps_alive = not is_http_1_0
    if len(fields) > 1:
        length = _length(fields, is_http_1_0=is_http_1_0)
        found.body_bytes = 0 if length is None else length
        expectation = _only(fields, b"expect", "expectation")
        if expectation is not None and not is_http_1_0:
            if expectation != b"100-continue":
                raise Refused("expectation", "the only expectation is 100-continue")
            found.expects_continue = True
        _read_options(found, fields)
    return found


def read_response_block(block: bytes, *, is_http_1_0: bool) -> HeaderBlock:
    """Work out what the header block of a response means. Raises: Refused."""
    low = block.lower()
    found = HeaderBlock(block, low, "")
    found.keeps_alive = not is_http_1_0
    fields = _FIELDS(low)
    length = _length(fields, is_http_1_0=is_http_1_0)
    found.body_bytes = UNTIL_CLOSED if length is None else length
    if len(fields) > 1 or length is None:
        _read_options(found, fields)
    return found


def _only(fields: list[tuple[bytes, bytes]], name: bytes, reason: Reason) -> bytes | None:
    """Give the value of a field that may be there once, None when it is not there. Raises: Refused."""
    found = None
    for each, value in fields:
        if each == name:
            if found is not None:
                raise Refused(reason, f"{name.decode()} is there twice")
            found = value.strip(b" \t")
    return found


def _length(fields: list[tuple[bytes, bytes]], *, is_http_1_0: bool) -> int | None:
    """Give the length of a body, or CHUNKED, or None when it is not said. Raises: Refused."""
    length = _only(fields, b"content-length", "malformed")
    coding = _only(fields, b"transfer-encoding", "malformed")
    if coding is not None:
        if length is not None:
            raise Refused("malformed", "Transfer-Encoding and Content-Length together")
        if is_http_1_0:
            raise Refused("malformed", "Transfer-Encoding in HTTP/1.0")
        if coding != b"chunked":
            raise Refused("encoding", "the only transfer coding is chunked")
        return CHUNKED
    if length is None:
        return None
    if not length.isdigit() or len(length) > LENGTH_DIGITS_MAX:  # of bytes, isdigit() knows ASCII only
        raise Refused("malformed", "Content-Length is no number")
    return int(length)


def _read_options(found: HeaderBlock, fields: list[tuple[bytes, bytes]]) -> None:
    for name, value in fields:
        if name == b"connection":
            options = [option.strip(b" \t") for option in value.split(b",")]
            if b"close" in options:
                found.keeps_alive = False
                return
            if b"keep-alive" in options:
                found.keeps_alive = True


def values_bytes(block: bytes) -> int:
    """Count the bytes of a block's values alone, as API Gateway's limit does."""
    return sum(len(line.partition(b":")[2].strip(b" \t")) for line in block.split(b"\r\n"))
