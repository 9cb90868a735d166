"""What a listener allows: bytes, counts and times; and what it says when a client goes beyond them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from gatepost.wire.messages import Request, Response

Reason = Literal[
    "malformed",  # it is no HTTP/1.1 message, or it could be read in two ways
    "version",  # another version of HTTP
    "host",  # no Host, several, or one that is no host name
    "encoding",  # a transfer coding other than chunked
    "expectation",  # Expect with something other than 100-continue
    "target_too_long",
    "headers_too_large",
    "body_too_large",
    "timeout",  # the client took too long to send its head or its body
    "connections",  # too many connections are open, or too many bytes of unfinished bodies are held
]

STATUS_OF_REASON: Final[dict[Reason, int]] = {
    "malformed": 400,
    "version": 505,
    "host": 400,
    "encoding": 501,
    "expectation": 417,
    "target_too_long": 414,
    "headers_too_large": 431,  # unverified: AWS documents the limit, not the status
    "body_too_large": 413,
    "timeout": 408,
    "connections": 503,
}


@dataclass(frozen=True, slots=True)
class WireRefusal:
    """Why a request never reached its handler. `detail` is for the log; the client gets what `refuse` makes of it.

    `request` is there when its head was read.
    """

    reason: Reason
    detail: str
    request: Request | None = field(default=None, compare=False)

    @property
    def status(self) -> int:
        """Give the HTTP status that fits the reason."""
        return STATUS_OF_REASON[self.reason]


Refuse = Callable[[WireRefusal], Response]


class Refused(Exception):
    """Raised while a request is read; the connection answers and closes."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class ListenerLimits:
    """The bounds of one listener. Times are in milliseconds; 0 is not "no limit", it is refused."""

    head_bytes_max: int = 10_240  # request line and header values, as API Gateway counts them
    target_bytes_max: int = 8_192  # of the path and query
    headers_max: int = 200  # header lines of a request
    body_bytes_max: int = 10 * 1024 * 1024
    connections_max: int = 10_000
    held_bytes_max: int = 512 * 1024 * 1024  # of all bodies together that are still arriving
    unsent_bytes_max: int = 512 * 1024 * 1024  # of all answers together that their clients leave unread
    head_ms: int = 10_000  # from the first byte of a request to the end of its head
    body_ms: int = 30_000  # to send the body, and a second more for each `body_bytes_per_second_min`
    body_bytes_per_second_min: int = 10_000
    idle_ms: int = 60_000  # between requests of a connection
    write_ms: int = 30_000  # without any progress of a client that reads
    linger_ms: int = 2_000  # after a refusal, so that the client can read it
    write_buffer_bytes: int = 256 * 1024  # unsent bytes above which a stream and pipelined requests wait

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name} is {value}: use 1 or more")

    @property
    def raw_head_bytes_max(self) -> int:
        """Give the bytes of a head at which reading stops, names and separators included."""
        return self.head_bytes_max * 3
