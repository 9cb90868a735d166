"""Which headers API Gateway drops, renames or keeps on their way to and from an integration.

Source: the table in "Amazon API Gateway important notes for REST APIs"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html), columns
`http_proxy` and `lambda`. What AWS writes "Transfer-Encoding: Exception" for Lambda requests is dropped here:
the wire has unpacked the body already. `Content-Length` is the server's and the client's own business.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from gatepost.wire.messages import Request

SIGNATURE: Final = b"AWS4-HMAC-SHA256"
REMAPPED_PREFIX: Final = b"x-amzn-Remapped-"

_DROPPED_REQUEST: Final = frozenset(
    {
        b"content-md5",
        b"expect",
        b"max-forwards",
        b"proxy-authenticate",
        b"server",
        b"te",
        b"transfer-encoding",
        b"trailer",
        b"upgrade",
        b"www-authenticate",
    }
)
DROPPED_TO_LAMBDA: Final = _DROPPED_REQUEST | {b"connection", b"content-length"}
DROPPED_TO_HTTP: Final = _DROPPED_REQUEST | {b"content-encoding", b"via", b"host", b"content-length", b"connection"}
"""AWS passes `Connection` on to `http_proxy`; a proxy must not (RFC 9110, 7.6.1), and our client writes its own."""

_REMAPPED_RESPONSE: Final = frozenset(
    {
        b"authorization",
        b"connection",
        b"content-md5",
        b"date",
        b"max-forwards",
        b"server",
        b"user-agent",
        b"www-authenticate",
    }
)
_DROPPED_RESPONSE: Final = frozenset(
    {
        b"content-length",
        b"expect",
        b"host",
        b"proxy-authenticate",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"via",
    }
)
_SPECIAL_RESPONSE: Final = _REMAPPED_RESPONSE | _DROPPED_RESPONSE

_CONTROL: Final = bytes(range(32)).replace(b"\t", b"") + b"\x7f"
_TOKEN: Final = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


@lru_cache(maxsize=4096)
def response_name(name: bytes) -> bytes | None:
    """Give the name under which an integration's response header goes to the client; None drops it."""
    lower = name.lower()
    if lower not in _SPECIAL_RESPONSE:
        return name
    return REMAPPED_PREFIX + name if lower in _REMAPPED_RESPONSE else None


def is_token(name: bytes) -> bool:
    """Say whether `name` can be a header's name (RFC 9110, 5.6.2)."""
    return bool(name) and _TOKEN.issuperset(name)


def is_field_value(value: bytes) -> bool:
    """Say whether `value` can be a header's value: no CR, LF, NUL or other control character but tab."""
    return value.translate(None, _CONTROL) == value


def clean_field_value(value: str) -> bytes:
    """Encode a mapped value; control characters, which a percent-decoded parameter may hold, are left out."""
    return value.encode("utf-8").translate(None, _CONTROL).strip()


@lru_cache(maxsize=1024)
def media_type(content_type: bytes | None) -> str:
    """Give the media type of a Content-Type or of the first entry of an Accept header, in lower case.

    "When a request contains multiple media types in its Accept header, API Gateway only honors the first", and
    "only the MIME type is used". Absent means `application/json`.
    """
    if not content_type:
        return "application/json"
    return content_type.split(b",", 1)[0].split(b";", 1)[0].strip().lower().decode("latin-1")


def matches_any(media: str, patterns: Iterable[str]) -> bool:
    """Say whether a media type is one of an API's `binaryMediaTypes`, which may be `*/*` or `image/*`."""
    for pattern in patterns:
        if pattern in (media, "*/*"):
            return True
        if pattern.endswith("/*") and media.startswith(pattern[:-1]):
            return True
    return False


def forwarded(request: Request) -> tuple[str, str, str]:
    """Give X-Forwarded-For (the client's own with its address appended), -Port and -Proto.

    All lines of it are kept: the last is a proxy's, the first may be the client's invention.
    """
    chain = request.client_ip
    if request.header(b"x-forwarded-for") is not None:
        lines = [value for name, value in request.headers if value and name.lower() == b"x-forwarded-for"]
        chain = ", ".join([*(line.decode("latin-1") for line in lines), chain])
    _, colon, port = request.host().rpartition(":")
    if not (colon and port.isdigit()):
        port = "443" if request.is_tls else "80"
    return chain, port, "https" if request.is_tls else "http"


FORWARDED_NAMES: Final = frozenset({b"x-forwarded-for", b"x-forwarded-port", b"x-forwarded-proto"})
