"""Request targets: which there are, and what a request line and its headers may weigh."""

from __future__ import annotations

import re
from typing import Final

from gatepost.wire.headers import values_bytes
from gatepost.wire.limits import ListenerLimits, Refused

METHODS: Final = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
}

_TARGET: Final = re.compile(rb"/[!\"$-~]*").fullmatch
_ABSOLUTE: Final = re.compile(rb"(?i:https?)://([^/?#@]+)((?:[/?][!\"$-~]*)?)").fullmatch

_PLAIN_METHODS: Final = frozenset(METHODS) - {b"CONNECT"}


def plain_line(line: list[bytes]) -> str | None:
    """Give the target of a request line's parts if they are a usual method, a path of printable ASCII, HTTP/1.1.

    None: they are not, or the path has a fragment.
    """
    if len(line) != 3 or line[2] != b"HTTP/1.1" or line[0] not in _PLAIN_METHODS or not line[1].isascii():
        return None
    target = line[1].decode("ascii")
    return target if target.startswith("/") and target.isprintable() and target.find("#") < 0 else None


def plain_target(method: str, target: bytes, host: str) -> bytes:
    """Give the path and query of a target that does not simply begin with a slash.

    An absolute one must name `host`, the Host header's; `*` belongs to OPTIONS; there are no fragments.
    Raises: Refused.
    """
    if target == b"*" and method == "OPTIONS":
        return target
    match = _ABSOLUTE(target)
    if match is None or method == "CONNECT":
        raise Refused("malformed", "the target is neither a path nor an absolute URL")
    if match[1].lower() != host.encode("ascii"):
        raise Refused("host", "the target names another host than Host does")
    path: bytes = match[2]
    if not path.startswith(b"/"):
        path = b"/" + path
    if not _TARGET(path):
        raise Refused("malformed", "the target is neither a path nor an absolute URL")
    return path


def check_sizes(target: bytes, block: bytes, *, line_bytes: int, limits: ListenerLimits) -> None:
    """Check a head that is long enough to be too long. Request line and header values count. Raises: Refused."""
    if len(target) > limits.target_bytes_max:
        raise Refused("target_too_long", f"the target has more than {limits.target_bytes_max} bytes")
    if line_bytes + len(block) > limits.head_bytes_max:
        size = line_bytes + values_bytes(block)
        if size > limits.head_bytes_max or len(block) > limits.raw_head_bytes_max:
            raise Refused("headers_too_large", f"request line and header values have {size} bytes")
