"""A message's header block: found to be unambiguous once, split into names and values only when somebody asks.

The C parser (llhttp, strict) has checked the syntax of every line before a block gets here: tokens, one
colon, no bare CR or LF, no folding, no control bytes. This module finds what the fields mean for framing,
and refuses what can be read in two ways. Both must agree that a request is good.

Searching the lower-cased block for a few names costs less than a call-back for every header. A connection
keeps its last block, because most clients repeat their headers from one request to the next.
"""

from __future__ import annotations

import re
from typing import Final

from gatepost.wire.limits import Refused
from gatepost.wire.messages import HeaderBlock

CHUNKED: Final = -1
UNTIL_CLOSED: Final = -2  # a response whose length nobody has said

_HOST: Final = re.compile(rb"(?:[a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::[0-9]{0,5})?").fullmatch
_DIGITS: Final = re.compile(rb"[0-9]{1,18}").fullmatch  # more would not be a size but an attempt at overflow
_FRAMING: Final = re.compile(rb"\r\n(?:content-length|transfer-encoding|connection|expect):").search


def values_of(low: bytes, name: bytes) -> list[bytes]:
    """Give the values of all fields called `name` in the lower-cased block `low`, without white space around."""
    found = []
    mark = b"\r\n" + name + b":"
    at = low.find(mark)
    while at >= 0:
        start = at + len(mark)
        end = low.find(b"\r\n", start)
        found.append(low[start:end].strip(b" \t"))
        at = low.find(mark, end)
    return found


def read_block(block: bytes, *, is_http_1_0: bool, headers_max: int) -> HeaderBlock:
    """Work out what a header block means. `block` begins with the CRLF that ends the request line.

    Raises: Refused.
    """
    if block.count(b"\r\n") - 2 > headers_max:
        raise Refused("headers_too_large", f"more than {headers_max} header fields")
    low = block.lower()
    if low.count(b"\r\nhost:") != 1:
        raise Refused("host", "a request has exactly one Host")
    host = values_of(low, b"host")[0]
    if not _HOST(host):
        raise Refused("host", "Host is no host name")
    found = HeaderBlock(block, low, host.decode("ascii"))
    found.keeps_alive = not is_http_1_0
    if _FRAMING(low):
        _read_framing(found, is_http_1_0=is_http_1_0)
    return found


def _read_framing(found: HeaderBlock, *, is_http_1_0: bool) -> None:
    low = found.low
    _read_length(found, is_http_1_0=is_http_1_0)
    expectations = values_of(low, b"expect")
    if expectations and not is_http_1_0:
        if expectations != [b"100-continue"]:
            raise Refused("expectation", "the only expectation is 100-continue")
        found.expects_continue = True
    _read_options(found)


def _read_length(found: HeaderBlock, *, is_http_1_0: bool) -> None:
    low = found.low
    codings = values_of(low, b"transfer-encoding")
    lengths = values_of(low, b"content-length")
    if codings:
        if lengths:
            raise Refused("malformed", "Transfer-Encoding and Content-Length together")
        if is_http_1_0:
            raise Refused("malformed", "Transfer-Encoding in HTTP/1.0")
        if codings != [b"chunked"]:
            raise Refused("encoding", "the only transfer coding is chunked")
        found.body_bytes = CHUNKED
    elif lengths:
        if len(lengths) != 1 or not _DIGITS(lengths[0]):
            raise Refused("malformed", "Content-Length is not one number")
        found.body_bytes = int(lengths[0])


def _read_options(found: HeaderBlock) -> None:
    values = values_of(found.low, b"connection")
    options = {option.strip(b" \t") for value in values for option in value.split(b",")}
    if b"close" in options:
        found.keeps_alive = False
    elif b"keep-alive" in options:
        found.keeps_alive = True


def read_response_block(block: bytes, *, is_http_1_0: bool) -> HeaderBlock:
    """Work out what the header block of a response means. Raises: Refused."""
    low = block.lower()
    found = HeaderBlock(block, low, "")
    found.keeps_alive = not is_http_1_0
    found.body_bytes = UNTIL_CLOSED
    if _FRAMING(low):
        _read_length(found, is_http_1_0=is_http_1_0)
        _read_options(found)
    return found


def values_bytes(block: bytes) -> int:
    """Count the bytes of a block's values alone, as API Gateway's limit does."""
    return sum(len(line.partition(b":")[2].strip(b" \t")) for line in block.split(b"\r\n"))
