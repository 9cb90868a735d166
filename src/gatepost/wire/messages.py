"""A request as it came in and a response as it goes out: plain values, shared by server, client and handlers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

Headers = list[tuple[bytes, bytes]]


class HeaderBlock:
    """The header lines of one message as they came, and what they mean for framing.

    `block` begins with the CRLF of the line before and ends with an empty line; `low` is the same in lower
    case. Blocks are shared by the messages of a connection that repeats its headers: never changed once read.
    `passed` is for a gateway to remember which headers of an answer it passes on.
    """

    __slots__ = ("_split", "block", "body_bytes", "expects_continue", "host", "keeps_alive", "low", "passed")

    def __init__(self, block: bytes, low: bytes, host: str) -> None:
        self.block = block
        self.low = low
        self.host = host
        self.keeps_alive = True
        self.body_bytes = 0  # -1: chunked
        self.expects_continue = False
        self.passed: tuple[Headers, bool] | None = None
        self._split: tuple[tuple[bytes, bytes], ...] | None = None

    def split(self) -> tuple[tuple[bytes, bytes], ...]:
        """Give names and values in order, names as they were written, values without white space around."""
        if self._split is None:
            pairs = []
            for line in self.block[2:-4].split(b"\r\n") if len(self.block) > 4 else ():
                name, _, value = line.partition(b":")
                pairs.append((name, value.strip(b" \t")))
            self._split = tuple(pairs)
        return self._split

    def first(self, name: bytes) -> bytes | None:
        """Give the first value of the field called `name` (lower case), or None."""
        mark = b"\r\n" + name + b":"
        at = self.low.find(mark)
        if at < 0:
            return None
        start = at + len(mark)
        return self.block[start : self.block.find(b"\r\n", start)].strip(b" \t")


class Peer:
    """The other end of a connection."""

    __slots__ = ("ip", "is_tls", "port")

    def __init__(self, ip: str, port: int, *, is_tls: bool) -> None:
        self.ip = ip
        self.port = port
        self.is_tls = is_tls


class Request:
    """One HTTP request, whole. Names in `headers` are as the client wrote them, in its order.

    `path` and `query` are ASCII and still percent-encoded; `target` is the two as received. The server has
    refused everything ambiguous: there is exactly one Host, one way to read the length.

    `trailers` came after a chunked body: names in lower case. Nobody passes them on.

    A request that came over the wire fills in `headers`, `head_only` and what is known of the client when
    they are first read: most requests are answered without.
    """

    __slots__ = (
        "block",
        "body",
        "client_ip",
        "client_port",
        "head_only",
        "headers",
        "is_tls",
        "method",
        "path",
        "peer",
        "query",
        "received_ns",
        "target",
        "trailers",
    )

    block: HeaderBlock | None  # what came over the wire; None in a request made by hand
    peer: Peer

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
        self.trailers: Headers = []
        self.block = None

    @classmethod
    def from_wire(cls, method: str, target: str, block: HeaderBlock, peer: Peer, received_ns: int) -> Request:
        """Make a request from what a connection has read; its body is still empty."""
        request = cls.__new__(cls)
        request.method = method
        request.target = target
        request.path, _, request.query = target.partition("?")
        request.body = b""
        request.received_ns = received_ns
        request.block = block
        request.peer = peer
        return request

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            fill = _LATE.get(name)
            if fill is None:
                raise AttributeError(name)
            value = fill(self)
            setattr(self, name, value)
            return value

    def header(self, name: bytes) -> bytes | None:
        """Give the first header called `name` (lower case), or None."""
        if self.block is not None:
            return self.block.first(name)
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return None

    def host(self) -> str:
        """Give the Host header's text in lower case, port included."""
        if self.block is not None:
            return self.block.host
        return (self.header(b"host") or b"").decode("latin-1").lower()


_LATE = {
    "headers": lambda request: list(request.block.split()),
    "head_only": lambda request: request.method == "HEAD",
    "client_ip": lambda request: request.peer.ip,
    "client_port": lambda request: request.peer.port,
    "is_tls": lambda request: request.peer.is_tls,
    "trailers": lambda _: [],
}


class Response:
    """One HTTP response. The server adds Content-Length, Date, Connection and framing; nobody else may.

    `stream`, when given, is sent instead of `body`: chunked, or as exactly `content_length` bytes when that
    is given. An answer to HEAD announces `content_length` when it is given, else the length of `body`.
    """

    __slots__ = ("body", "content_length", "headers", "status", "stream")

    def __init__(
        self,
        status: int,
        headers: Headers | None = None,
        body: bytes = b"",
        *,
        stream: AsyncIterator[bytes] | None = None,
        content_length: int | None = None,
    ) -> None:
        self.status = status
        self.headers = headers if headers is not None else []
        self.body = body
        self.stream = stream
        self.content_length = content_length


class Handler(Protocol):
    """What a listener calls for every request. A coroutine is driven once at once: no wait, no task."""

    def __call__(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        """Answer `request`."""
        ...
