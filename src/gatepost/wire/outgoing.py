"""What the client sends and gets back, its bounds, and the ways in which it can fail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from gatepost.wire.messages import HeaderBlock, Headers


class UpstreamError(Exception):
    """A request to another server got no answer. The text is for our log; it may name addresses."""


class ConnectFailed(UpstreamError):
    """No connection: the name has no address, nobody listens, TLS fails, or it takes longer than `connect_ms`."""


class NameUnknown(ConnectFailed):
    """The name has no address."""


class AddressRefused(ConnectFailed):
    """The caller's `allow_address` refuses every address that the name has."""


class UpstreamTimedOut(UpstreamError):
    """The answer did not arrive within `read_ms`."""


class UpstreamClosed(UpstreamError):
    """The connection ended before the answer did.

    `is_unanswered`: not a byte of the answer had arrived. `is_unsent`: not even the request was written.
    """

    def __init__(self, text: str, *, is_unanswered: bool = False, is_unsent: bool = False) -> None:
        super().__init__(text)
        self.is_unanswered = is_unanswered
        self.is_unsent = is_unsent


class UpstreamMalformed(UpstreamError):
    """The answer is no HTTP/1.1 response, could be read in two ways, or has too large a head."""


class UpstreamTooLarge(UpstreamMalformed):
    """The answer's body has more bytes than the request allows."""


class PoolExhausted(UpstreamError):
    """All connections to this server are in use, and too many requests wait for one, or this one has for too long."""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """The bounds of a client. Times are in milliseconds."""

    connections_per_origin_max: int = 128
    origins_max: int = 1_024
    waiting_per_origin_max: int = 1_024  # requests that wait for a connection
    waiting_ms: int = 3_000
    connect_ms: int = 3_000  # name, TCP and TLS together
    read_ms: int = 30_000  # for the whole answer; of a streamed one, for the head and then for each piece
    stall_ms: int = 120_000  # that a reader may leave a streamed answer untouched
    idle_ms: int = 10_000  # that an unused connection is kept: shorter than most servers do
    head_bytes_max: int = 64 * 1024
    body_bytes_max: int = 10 * 1024 * 1024  # of an answer taken whole
    buffer_bytes: int = 256 * 1024  # of a streamed answer, beyond which reading stops
    names_ms: int = 5_000  # that addresses of a name are remembered

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name} is {value}: use 1 or more")


class OutgoingRequest:
    """One request to another server.

    `host` is a name or an IP address without brackets; `target` is path and query, percent-encoded. The
    client adds Host unless it is there, Content-Length and Connection; hop-by-hop headers are left out.
    `prepared` are further header lines that `Client.prepare` made of headers that many requests share.
    `read_ms` and `body_bytes_max` override the client's; with `is_streamed` a large answer comes as a stream.
    """

    __slots__ = (
        "body",
        "body_bytes_max",
        "headers",
        "host",
        "is_streamed",
        "is_tls",
        "method",
        "port",
        "prepared",
        "read_ms",
        "target",
    )

    def __init__(
        self,
        method: str,
        host: str,
        port: int,
        target: str,
        headers: Headers | None = None,
        body: bytes = b"",
        *,
        is_tls: bool = False,
        read_ms: int | None = None,
        body_bytes_max: int | None = None,
        is_streamed: bool = False,
        prepared: bytes = b"",
    ) -> None:
        self.method = method
        self.host = host
        self.port = port
        self.target = target
        self.headers = headers if headers is not None else []
        self.body = body
        self.is_tls = is_tls
        self.read_ms = read_ms
        self.body_bytes_max = body_bytes_max
        self.is_streamed = is_streamed
        self.prepared = prepared


class IncomingResponse:
    """One answer. `body` is whole unless `stream` is given; then iterate that, or `aclose()` it.

    Nothing is decompressed. Trailers are dropped.
    """

    __slots__ = ("block", "body", "status", "stream")

    def __init__(self, status: int, block: HeaderBlock) -> None:
        self.status = status
        self.block = block
        self.body = b""
        self.stream: AsyncIterator[bytes] | None = None

    @property
    def headers(self) -> Headers:
        """Give a list of names and values, as the server wrote them, in its order."""
        return list(self.block.split())

    def header(self, name: bytes) -> bytes | None:
        """Give the first header called `name` (lower case), or None."""
        return self.block.first(name)
