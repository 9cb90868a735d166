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

_SIGNATURE: Final = b" Signature="  # of AWS's signatures: 64 characters that are others with every request
_SIGNATURE_BYTES: Final = 64

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


def read_varied(last: HeaderBlock, block: bytes) -> HeaderBlock | None:
    """Give what a block means that differs from `last` only in the characters of an AWS signature; None: it does not.

    Letters and digits in the place of letters and digits change nothing of what has been found out.
    """
    at = last.signature_at
    if at == 0:
        at = last.block.find(_SIGNATURE)
        if at >= 0:
            at += len(_SIGNATURE)
            last.before, last.behind = last.block[:at], last.block[at + _SIGNATURE_BYTES :]
        last.signature_at = at
    if at < 0 or not block.startswith(last.before) or not block.endswith(last.behind):
        return None
    if len(block) != len(last.block) or not block[at : at + _SIGNATURE_BYTES].isalnum():
        return None
    found = HeaderBlock(block, last.low, last.host)  # where lines begin is the same in both
    found.keeps_alive = last.keeps_alive
    found.body_bytes = last.body_bytes
    found.expects_continue = last.expects_continue
    found.memo = last.memo
    found.varies = True
    found.signature_at, found.before, found.behind = at, last.before, last.behind
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
