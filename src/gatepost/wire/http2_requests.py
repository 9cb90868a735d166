"""HTTP/2's header lists as requests, and responses as header lists.

A request becomes the header block that the same request would have had in HTTP/1.1, and is read by the same code: one
set of rules for both, so that nothing means one thing here and another behind us. What cannot be written as such a
block (control bytes, connection-specific fields, a Host beside another authority) is refused.
"""

from __future__ import annotations

import re
from typing import Final

from gatepost.wire.headers import read_block
from gatepost.wire.limits import ListenerLimits, Refused
from gatepost.wire.messages import Headers, Peer, Request
from gatepost.wire.targets import METHODS, check_sizes

_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]{1,256}").fullmatch
_VALUE: Final = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?").fullmatch
_METHOD: Final = re.compile(rb"[A-Z]{1,32}").fullmatch
_PATH: Final = re.compile(rb"/[!\"$-~]*").fullmatch
_PSEUDO: Final = frozenset((b":method", b":scheme", b":path", b":authority"))
# RFC 9113 section 8.2.2
_OF_THE_CONNECTION: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)


def request_of(headers: Headers, *, limits: ListenerLimits, peer: Peer) -> Request:
    """Make a request of a header list. Raises: Refused."""
    pseudo, lines = _split(headers)
    method, path = pseudo.get(b":method"), pseudo.get(b":path")
    if method is None or path is None or b":scheme" not in pseudo:
        raise Refused("malformed", "a pseudo header is missing")
    if not _METHOD(method) or method == b"CONNECT":
        raise Refused("malformed", "the method is none")
    if pseudo[b":scheme"] not in (b"https", b"http"):
        raise Refused("malformed", "the scheme is neither https nor http")
    if not _PATH(path) and not (path == b"*" and method == b"OPTIONS"):
        raise Refused("malformed", "the path does not begin with a slash")
    block = b"\r\n".join((b"", *_with_host(lines, pseudo.get(b":authority")), b"", b""))
    found = read_block(block, is_http_1_0=False, headers_max=limits.headers_max)
    line_bytes = len(method) + len(path) + len("  HTTP/1.1")
    check_sizes(path, block, line_bytes=line_bytes, limits=limits)
    name = METHODS.get(method) or method.decode("ascii")
    return Request(name, path.decode("ascii"), block=found, peer=peer)


def _split(headers: Headers) -> tuple[dict[bytes, bytes], list[tuple[bytes, bytes]]]:
    """Part pseudo headers from the others, checking each. Raises: Refused."""
    pseudo: dict[bytes, bytes] = {}
    lines: list[tuple[bytes, bytes]] = []
    for name, value in headers:
        if not _VALUE(value):
            raise Refused("malformed", "a header's value has control bytes, or blanks around it")
        if name.startswith(b":"):
            if name not in _PSEUDO or name in pseudo or lines:
                raise Refused("malformed", "a pseudo header is unknown, there twice, or behind others")
            pseudo[name] = value
        elif not _NAME(name) or name in _OF_THE_CONNECTION:
            raise Refused("malformed", "a header's name is none, or of the connection")
        elif name == b"te" and value != b"trailers":
            raise Refused("malformed", "te is something else than trailers")
        else:
            lines.append((name, value))
    return pseudo, lines


def _with_host(lines: list[tuple[bytes, bytes]], authority: bytes | None) -> list[bytes]:
    """Give the header lines with one Host in front, the authority's where there is one. Raises: Refused."""
    rendered = [b"%b: %b" % line for line in lines if line[0] != b"host"]
    hosts = [value for name, value in lines if name == b"host"]
    if authority is not None:
        if any(host.lower() != authority.lower() for host in hosts):
            raise Refused("host", "Host and :authority differ")
        hosts = [authority]
    return [*(b"host: %b" % host for host in hosts), *rendered]
