"""A request as it came in and a response as it goes out: plain values, shared by server, client and handlers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from gatepost.wire.tls import TlsSession

Headers = list[tuple[bytes, bytes]]
KNOWN_MAX: Final = 16

FIRSTS_MAX: Final = 64  # of a header block's fields, those that were asked for and are remembered


class HeaderBlock:
    """The header lines of one message as they came, and what they mean for framing.

    `block` begins with the CRLF of the line before and ends with an empty line; `low` is the same in lower
    case. Blocks are shared by the messages of a connection that repeats its headers: never changed once read.
    `passed` is for a gateway to remember what it passes on of an answer with these headers, `memo` for a handler to
    remember what it found out about a block that `varies`: one that differs from the connection's last in a signature
    only.
    `known` is for a gateway's guards to remember whom its credentials prove, each by itself: at most KNOWN_MAX of them.
    """

    __slots__ = (
        "_firsts",
        "_split",
        "before",
        "behind",
        "block",
        "body_bytes",
        "expects_continue",
        "host",
        "keeps_alive",
        "known",
        "low",
        "memo",
        "passed",
        "signature_at",
        "varies",
    )

    def __init__(self, block: bytes, low: bytes, host: str) -> None:
        self.block = block
        self.low = low
        self.host = host
        self.keeps_alive = True
        self.body_bytes = 0  # -1: chunked
        self.expects_continue = False
        self.passed: Head | None = None
        self.memo: object | None = None
        self.known: dict[object, object] | None = None
        self.varies = False
        self.signature_at = 0  # where its signature begins; -1: it has none; 0: nobody has looked
        self.before = b""  # what stands before the signature, and behind it
        self.behind = b""
        self._split: tuple[tuple[bytes, bytes], ...] | None = None
        self._firsts: dict[bytes, bytes | None] | None = None

    def remember(self, who: object, found: object) -> None:
        """Keep what `who` found out about these lines."""
        if self.known is None or len(self.known) >= KNOWN_MAX:
            self.known = {}
        self.known[who] = found

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
        """Give the first value of the field called `name` (lower case), or None.

        It is looked for once: clients repeat their headers, and a gateway asks for the same few of each request.
        """
        known = self._firsts
        if known is None:
            if self.varies:  # it is another block for each request
                return self._find(name)
            known = self._firsts = {}
        elif name in known:
            return known[name]
        found = self._find(name)
        if len(known) < FIRSTS_MAX:
            known[name] = found
        return found

    def _find(self, name: bytes) -> bytes | None:
        mark = b"\r\n" + name + b":"
        at = self.low.find(mark)
        if at < 0:
            return None
        start = at + len(mark)
        return self.block[start : self.block.find(b"\r\n", start)].strip(b" \t")


class Peer:
    """The other end of a connection. `tls` says what its handshake settled, None when it has none."""

    __slots__ = ("ip", "is_tls", "port", "tls")

    def __init__(self, ip: str, port: int, *, is_tls: bool, tls: TlsSession | None = None) -> None:
        self.ip = ip
        self.port = port
        self.is_tls = is_tls
        self.tls = tls


class Request:
    """One HTTP request, whole. Names in `headers` are as the client wrote them, in its order.

    `path` and `query` are ASCII and still percent-encoded; `target` is the two as received. The server has
    refused everything ambiguous: there is exactly one Host, one way to read the length.

    `trailers` came after a chunked body: names in lower case. Nobody passes them on.

    What few requests are asked for is worked out when it is: the list of headers, the client's address.
    """

    __slots__ = ("_headers", "_trailers", "block", "body", "method", "path", "peer", "query", "target")

    def __init__(
        self,
        method: str,
        target: str,
        headers: Headers | None = None,
        body: bytes = b"",
        *,
        client_ip: str = "127.0.0.1",
        client_port: int = 0,
        is_tls: bool = False,
        block: HeaderBlock | None = None,
        peer: Peer | None = None,
    ) -> None:
        """Make a request of what a connection has read (`block`, `peer`), or by hand of headers and an address."""
        self.method = method
        self.target = target
        self.path, _, self.query = target.partition("?")
        self.body = body
        self.block = block
        self.peer = peer if peer is not None else Peer(client_ip, client_port, is_tls=is_tls)
        self._headers = headers
        self._trailers: Headers | None = None

    @property
    def headers(self) -> Headers:
        """Give names and values in order; the same list each time."""
        found = self._headers
        if found is None:
            found = self._headers = list(self.block.split()) if self.block is not None else []
        return found

    @property
    def trailers(self) -> Headers:
        """Give what came after a chunked body."""
        return self._trailers or []

    @trailers.setter
    def trailers(self, trailers: Headers) -> None:
        self._trailers = trailers

    @property
    def head_only(self) -> bool:
        """Say whether the client wants no body: HEAD."""
        return self.method == "HEAD"

    @property
    def client_ip(self) -> str:
        """Give the client's IP address."""
        return self.peer.ip

    @property
    def client_port(self) -> int:
        """Give the client's port."""
        return self.peer.port

    @property
    def is_tls(self) -> bool:
        """Say whether the request came over TLS."""
        return self.peer.is_tls

    def header(self, name: bytes) -> bytes | None:
        """Give the first header called `name` (lower case), or None."""
        if self.block is not None:
            return self.block.first(name)
        for key, value in self._headers or ():
            if key.lower() == name:
                return value
        return None

    def host(self) -> str:
        """Give the Host header's text in lower case, port included."""
        if self.block is not None:
            return self.block.host
        return (self.header(b"host") or b"").decode("latin-1").lower()


class Head:
    """A status and headers that many responses share. Never changed: the server renders it once.

    `rendered` is the server's: the status line and the headers, checked.
    """

    __slots__ = ("headers", "rendered", "status")

    def __init__(self, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self.status = status
        self.headers = headers
        self.rendered: bytes | None = None


class Response:
    """One HTTP response. The server adds Content-Length, Date, Connection and framing; nobody else may.

    `stream`, when given, is sent instead of `body`: chunked, or as exactly `content_length` bytes when that
    is given. An answer to HEAD announces `content_length` when it is given, else the length of `body`.

    `headers` are all headers, to read and to change. What is the same in many responses may be a `Head` instead of
    a list, and `lines` be added as bytes that are known to be whole header lines, each with CRLF before it: as long as
    nobody asks for the list, neither is taken apart. `own` are the headers that are in neither.
    """

    __slots__ = ("body", "content_length", "head", "lines", "own", "status", "stream")

    def __init__(
        self,
        status: int,
        headers: Headers | None = None,
        body: bytes = b"",
        *,
        stream: AsyncIterator[bytes] | None = None,
        content_length: int | None = None,
        head: Head | None = None,
    ) -> None:
        """Make a response. With a `head`, whose status it is, `headers` are those beside the head's."""
        self.status = status
        self.head = head
        self.lines = b""
        self.own = headers
        self.body = body
        self.stream = stream
        self.content_length = content_length

    @property
    def headers(self) -> Headers:
        """Give all headers as one list, which is the response's own: whoever changes it changes the response."""
        if self.head is not None or self.lines:
            found = [*(self.head.headers if self.head is not None else ()), *(self.own or ())]
            for line in self.lines.split(b"\r\n")[1:]:
                name, _, value = line.partition(b": ")
                found.append((name, value))
            self.head = None
            self.lines = b""
            self.own = found
        elif self.own is None:
            self.own = []
        return self.own

    @headers.setter
    def headers(self, headers: Headers) -> None:
        self.head = None
        self.lines = b""
        self.own = headers


class Handler(Protocol):
    """What a listener calls for every request. A coroutine is driven once at once: no wait, no task."""

    def __call__(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        """Answer `request`."""
        ...
