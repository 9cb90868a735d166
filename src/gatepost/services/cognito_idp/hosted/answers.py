"""The answers of a pool's domain, each with the headers that keep browsers from being used against their users.

No page runs a script, loads anything or may be put into a frame; nothing is kept by caches; addresses with codes in
them are not told to other sites. The content security policy has no `form-action`: browsers apply it to where a form's
answer redirects as well, and apps redirect on from their callback as they like.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import orjson

from gatepost.services.cognito_idp.hosted.style import STYLE
from gatepost.wire.messages import Headers, Response

_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_NOT_KEPT: Final = (
    (b"cache-control", b"private, no-cache, no-store, max-age=0"),
    (b"pragma", b"no-cache"),
)
_GUARDED: Final = (
    *_NOT_KEPT,
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
)
_PAGE: Final = (
    *_GUARDED,
    (b"content-type", b"text/html; charset=utf-8"),
    (
        b"content-security-policy",
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; frame-ancestors 'none'; "
        "base-uri 'none'".encode(),
    ),
    (b"cross-origin-opener-policy", b"same-origin-allow-popups"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
CORS: Final = ((b"access-control-allow-origin", b"*"),)
_PREFLIGHT: Final = (
    *CORS,
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-allow-headers", b"authorization, content-type, x-amz-user-agent, x-requested-with"),
    (b"access-control-max-age", b"3600"),
)


class OAuthRefusal(Exception):
    """An endpoint says no as RFC 6749, section 5.2, writes it down."""

    def __init__(self, error: str, description: str = "", *, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


def page(content: str, *, status: int = 200, cookies: Headers | None = None) -> Response:
    """Answer with a page."""
    return Response(status, [*_PAGE, *(cookies or [])], content.encode())


def redirect(location: str, *, cookies: Headers | None = None) -> Response:
    """Send a browser to an address that was checked by whoever calls this."""
    return Response(302, [*_GUARDED, (b"location", location.encode("ascii")), *(cookies or [])], b"")


def tokens(content: Mapping[str, Any]) -> Response:
    """Answer an app, on whatever origin its page is."""
    headers = [*_NOT_KEPT, *CORS, (b"content-type", b"application/json;charset=UTF-8")]
    return Response(200, headers, orjson.dumps(content))


def refused(refusal: OAuthRefusal) -> Response:
    """Say no to an app."""
    content = {"error": refusal.error}
    if refusal.description:
        content["error_description"] = refusal.description
    headers = [*_NOT_KEPT, *CORS, (b"content-type", b"application/json;charset=UTF-8")]
    if refusal.status == 401:
        told = f'Bearer error="{refusal.error}", error_description="{refusal.description}"'
        headers.append((b"www-authenticate", told.encode()))
    return Response(refusal.status, headers, orjson.dumps(content))


def done() -> Response:
    """Answer an app that there is nothing more to say."""
    return Response(200, [*_NOT_KEPT, *CORS], b"")


def preflight() -> Response:
    """Let pages of every origin ask the endpoints for apps, which know a caller by token or secret, not by cookie."""
    return Response(200, list(_PREFLIGHT), b"")


def with_parameters(uri: str, parameters: Mapping[str, str], *, in_fragment: bool = False) -> str:
    """Add parameters to a redirect URI, which may have a query of its own and never a fragment."""
    if in_fragment:
        return f"{_ascii(uri)}#{urlencode(parameters)}"
    separator = "&" if urlsplit(uri).query else ("" if uri.endswith("?") else "?")
    return f"{_ascii(uri)}{separator}{urlencode(parameters)}"


def _ascii(uri: str) -> str:
    """Give a registered URI as it can stand in a header."""
    return "".join(one if " " < one < "\x7f" else "".join(f"%{byte:02X}" for byte in one.encode()) for one in uri)
