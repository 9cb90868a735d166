"""Heads as bytes: of responses to clients and requests to other servers. Never a header that reads as two."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.wire.messages import Headers, Request, Response
from gatepost.wire.outgoing import OutgoingRequest

NAMES_MAX: Final = 4_096  # remembered header names; functions choose names, so there is a bound
OWN_NAMES: Final = frozenset(
    (b"content-length", b"transfer-encoding", b"date", b"connection", b"keep-alive", b"upgrade", b"trailer")
)
JOINED_BYTES_MAX: Final = 64 * 1024  # of a body that is copied behind its head, so that they go out in one write
KEEP: Final = b""
CLOSE: Final = b"\r\nConnection: close"
KEEP_1_0: Final = b"\r\nConnection: keep-alive"

_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}").fullmatch


# What the client writes itself, and what is meant for the next hop only (RFC 9110 section 7.6.1).
OUTGOING_OWN_NAMES: Final = frozenset(
    (
        b"connection",
        b"content-length",
        b"expect",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
_METHOD: Final = re.compile(r"[A-Z]{1,32}").fullmatch
_VERBS: Final = {name: name.encode() for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
_WITH_LENGTH: Final = frozenset(("POST", "PUT", "PATCH"))  # also when they have no body


class BadResponse(Exception):
    """A handler's response cannot be sent: it would be read as something else."""


def has_body(request: Request, response: Response) -> bool:
    """Say whether a response has a body on the wire."""
    return request.method != "HEAD" and response.status not in {204, 304}


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}".encode("ascii")


def _odd_status_line(status: int) -> bytes:
    if not isinstance(status, int) or not 600 <= status <= 999:
        raise BadResponse(f"status {status!r} is no final status")
    return _status_line(status)


class Renderer:
    """Renders responses. Remembers status lines and header names, and the Date of this second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._status_lines = {status: _status_line(status) for status in range(200, 600)}
        self._names: dict[bytes, bytes] = {}
        self._date = b""
        self._date_s = -1
        self.refresh()

    def refresh(self) -> None:
        """Bring the Date up to this second. Called by the server's tick."""
        now_s = self._clock.now_ms() // 1000
        if now_s != self._date_s:
            self._date_s = now_s
            self._date = f"\r\nDate: {formatdate(now_s, usegmt=True)}".encode("ascii")

    def render(self, response: Response, *, head_only: bool, connection: bytes) -> bytes:
        """Render a response that has no stream, with its body unless it is larger than `JOINED_BYTES_MAX`.

        Raises: BadResponse, TypeError.
        """
        body = response.body
        status = response.status
        start = self._start(response)
        if status == 204 or status == 304:  # noqa: PLR1714 (two comparisons are faster than a set)
            return b"%b%b%b%b\r\n\r\n" % (start, response.lines, self._date, connection)
        size = len(body)
        if head_only:
            length = size if response.content_length is None else response.content_length
            return b"%b%b%b\r\nContent-Length: %d%b\r\n\r\n" % (start, response.lines, self._date, length, connection)
        return b"%b%b%b\r\nContent-Length: %d%b\r\n\r\n%b" % (
            start,
            response.lines,
            self._date,
            size,
            connection,
            body if size <= JOINED_BYTES_MAX else b"",
        )

    def render_stream_head(self, response: Response, *, is_chunked: bool, connection: bytes) -> bytes:
        """Render the head of a streamed response. Raises: BadResponse."""
        if response.content_length is not None:
            framing = b"\r\nContent-Length: %d" % response.content_length
        else:
            framing = b"\r\nTransfer-Encoding: chunked" if is_chunked else b""
        start = self._start(response)
        return b"%b%b%b%b%b\r\n\r\n" % (start, response.lines, self._date, framing, connection)

    def fields(self, response: Response) -> Headers:
        """Give a response's header list for HTTP/2, without its length. Raises: BadResponse, TypeError."""
        status = response.status
        if not isinstance(status, int) or not 200 <= status <= 999:
            raise BadResponse(f"status {status!r} is no final status")
        fields = [(b":status", b"%d" % status)]
        names = self._names
        for name, value in response.headers:
            prefix = names.get(name)
            if prefix is None:
                prefix = self._remember(name)
            if prefix:
                if value.translate(None, b"\r\n\0") != value:
                    raise BadResponse("CR, LF or NUL in a header's value")
                fields.append((name.lower(), value.strip(b" \t")))
        fields.append((b"date", self._date[8:]))
        return fields

    def _start(self, response: Response) -> bytes:
        """Render the status line and all headers but the response's `lines`. Raises: BadResponse."""
        head = response.head
        if head is None:
            return self._lines(self._status_line(response.status), response.own or ())
        if head.status != response.status:
            return self._lines(self._status_line(response.status), response.headers)
        rendered = head.rendered
        if rendered is None:
            rendered = head.rendered = self._lines(self._status_line(head.status), head.headers)
        return rendered if response.own is None else rendered + self._lines(b"", response.own)

    def _status_line(self, status: int) -> bytes:
        line = self._status_lines.get(status)
        return line if line is not None else _odd_status_line(status)

    def _lines(self, line: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Render header lines behind `line`. Raises: BadResponse."""
        parts = [line]
        names = self._names
        for name, value in headers:
            prefix = names.get(name)
            if prefix is None:
                prefix = self._remember(name)
            if prefix:
                parts.append(prefix)
                parts.append(value)
        try:
            head = b"".join(parts)
        except TypeError as error:
            raise BadResponse("a header's value is not bytes") from error
        # One CR and one LF come with each name: any other is a value's, and would start a header of its own.
        if len(head) - len(head.translate(None, b"\r\n\0")) != len(parts) - 1:
            raise BadResponse("CR, LF or NUL in a header's value")
        return head

    def _remember(self, name: bytes) -> bytes:
        if not isinstance(name, bytes) or not _TOKEN(name):
            raise BadResponse("a header's name is no token")
        prefix = b"" if name.lower() in OWN_NAMES else b"\r\n" + name + b": "
        if len(self._names) < NAMES_MAX:
            self._names[name] = prefix
        return prefix


class RequestRenderer:
    """Renders the heads of outgoing requests. Remembers header names."""

    def __init__(self) -> None:
        self._names: dict[bytes, bytes] = {}

    def render(self, request: OutgoingRequest, host: bytes) -> bytes:
        """Render the head; `host` is the Host header's line (`host_line`), for requests that bring none of their own.

        Raises: ValueError when it would be read as something else.
        """
        method = request.method
        verb = _VERBS.get(method)
        if verb is None:
            if not _METHOD(method):
                raise ValueError(f"{method!r} is no method")
            verb = method.encode("ascii")
        target = request.target
        is_path = target.startswith("/") and target.isascii() and target.isprintable()
        if (not is_path or target.find(" ") >= 0 or target.find("#") >= 0) and target != "*":
            raise ValueError(f"{target!r} is no request target")
        own = self._own(request, host) if request.headers else host
        length = b""
        if request.body or method in _WITH_LENGTH:
            length = b"\r\nContent-Length: %d" % len(request.body)
        return b"%b %b HTTP/1.1%b%b%b\r\n\r\n" % (verb, target.encode("ascii"), own, request.prepared, length)

    def _own(self, request: OutgoingRequest, host: bytes) -> bytes:
        """Render a request's own headers, and Host. Raises: ValueError."""
        parts: list[bytes] = []
        names = self._names
        for name, value in request.headers:
            prefix = names.get(name)
            if prefix is None:
                prefix = self._remember(name)
            if prefix:
                parts.append(prefix)
                parts.append(value)
                if len(name) == 4 and name.lower() == b"host":
                    host = b""
        lines = b"".join(parts)
        if len(lines) - len(lines.translate(None, b"\r\n\0")) != len(parts):
            raise ValueError("CR, LF or NUL in a header's value")
        return lines + host

    def prepare(self, headers: Headers) -> bytes:
        """Render header lines that many requests share: all but Host. Raises: ValueError as `render` does."""
        parts: list[bytes] = []
        for name, value in headers:
            prefix = self._names.get(name)
            if prefix is None:
                prefix = self._remember(name)
            if name.lower() == b"host":
                raise ValueError("Host cannot be prepared: it depends on the server")
            if prefix:
                parts += (prefix, value)
        lines = b"".join(parts)
        expected = len(parts) >> 1
        if lines.count(b"\n") != expected or lines.count(b"\r") != expected or b"\0" in lines:
            raise ValueError("CR, LF or NUL in a header's value")
        return lines

    def _remember(self, name: bytes) -> bytes:
        if not _TOKEN(name):
            raise ValueError(f"{name!r} is no header name")
        prefix = b"" if name.lower() in OUTGOING_OWN_NAMES else b"\r\n" + name + b": "
        if len(self._names) < NAMES_MAX:
            self._names[name] = prefix
        return prefix


def host_line(host: str, port: int, *, is_tls: bool) -> bytes:
    """Render the Host header for a server, CRLF before it."""
    named = f"[{host}]" if ":" in host else host
    return f"\r\nHost: {named if port == (443 if is_tls else 80) else f'{named}:{port}'}".encode("ascii")
