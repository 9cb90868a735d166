"""A request as it came in and a response as it goes out: plain values, shared by server, client and handlers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from typing import Any, Protocol

Headers = list[tuple[bytes, bytes]]


class Request:
    """One HTTP request, whole. Names in `headers` are as the client wrote them, in its order.

    `path` and `query` are ASCII and still percent-encoded; `target` is the two as received. The server has
    refused everything ambiguous: there is exactly one Host, one way to read the length.
    """

    __slots__ = (
        "body",
        "client_ip",
        "client_port",
        "head_only",
        "headers",
        "is_tls",
        "method",
        "path",
        "query",
        "received_ns",
        "target",
    )

    def __init__(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes = b"",
        *,
        client_ip: str = "127.0.0.1",
        client_port: int = 0,
        is_tls: bool = False,
        received_ns: int = 0,
    ) -> None:
        self.method = method
        self.target = target
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        self.body = body
        self.client_ip = client_ip
        self.client_port = client_port
        self.is_tls = is_tls
        self.received_ns = received_ns
        self.head_only = method == "HEAD"

    def header(self, name: bytes) -> bytes | None:
        """Give the first header called `name` (lower case), or None."""
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return None

    def host(self) -> str:
        """Give the Host header's text in lower case, port included."""
        return (self.header(b"host") or b"").decode("latin-1").lower()


class Response:
    """One HTTP response. The server adds Content-Length, Date, Connection and framing; nobody else may.

    `stream`, when given, is sent chunked instead of `body`.
    """

    __slots__ = ("body", "headers", "status", "stream")

    def __init__(
        self,
        status: int,
        headers: Headers | None = None,
        body: bytes = b"",
        *,
        stream: AsyncIterator[bytes] | None = None,
    ) -> None:
        self.status = status
        self.headers = headers if headers is not None else []
        self.body = body
        self.stream = stream


class Handler(Protocol):
    """What a listener calls for every request. A coroutine is driven once at once: no wait, no task."""

    def __call__(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        """Answer `request`."""
        ...
