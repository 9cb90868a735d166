"""Bodies in chunks, read strictly: every line ends in CRLF, sizes are short hexadecimal numbers, trailers are bounded.

llhttp is not asked here: it does not say where in its input a message ended, and a server that answers
pipelined requests must know. So the rules of RFC 9112 section 7.1 are spelt out, without any leniency.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

LINE_BYTES_MAX: Final = 256  # a size with its extensions
EXTENSION_BYTES_MAX: Final = 4_096  # of all extensions of a body
TRAILER_BYTES_MAX: Final = 4_096

# One size; extensions (RFC 9112 section 7.1.1) are read, without the white space that it calls bad, and ignored.
_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED: Final = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*"'
_SIZE_LINE: Final = re.compile(
    rb"([0-9A-Fa-f]{1,15})((?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*)"
).fullmatch
_TRAILER_LINE: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*").fullmatch

_FRAMING_NAMES: Final = frozenset((b"content-length", b"transfer-encoding"))

_SIZE, _DATA, _DATA_END, _TRAILERS, _DONE = range(5)


class BadChunk(Exception):
    """The chunked coding is broken."""


class TooLong(Exception):
    """The body has more bytes than allowed."""


class ChunkedBody:
    """Takes a chunked body apart as it arrives. `pieces` are its bytes so far, `trailers` what came after."""

    def __init__(self, *, bytes_max: int, sink: Callable[[bytes], None] | None = None) -> None:
        """Take a body of at most `bytes_max`; with a `sink` its pieces go there as they come and are not kept."""
        self.sink = sink
        self.pieces: list[bytes] = []
        self.size = 0
        self.trailers: list[tuple[bytes, bytes]] = []  # names in lower case
        self._bytes_max = bytes_max
        self._state = _SIZE
        self._missing = 0  # bytes of the current chunk
        self._line = b""  # the part of a line that has arrived
        self._extension_bytes = 0
        self._trailer_bytes = 0

    @property
    def is_complete(self) -> bool:
        """Say whether the last chunk and the trailers have been read."""
        return self._state == _DONE

    def take(self) -> bytes:
        """Give what has arrived since the last call, and forget it."""
        body = b"".join(self.pieces)
        self.pieces = []
        return body

    def feed(self, data: bytes, at: int = 0) -> int:
        """Read `data` from `at` on and give where reading ended: the end of `data` unless the body is complete.

        Raises: BadChunk, TooLong.
        """
        end = len(data)
        while at < end and self._state != _DONE:
            if self._state == _DATA:
                piece = data[at : at + self._missing]
                if self.sink is not None:
                    self.sink(piece)
                else:
                    self.pieces.append(piece)
                at += len(piece)
                self._missing -= len(piece)
                if self._missing == 0:
                    self._state = _DATA_END
                continue
            line, at = self._read_line(data, at)
            if line is not None:
                self._take_line(line)
        return at

    def _read_line(self, data: bytes, at: int) -> tuple[bytes | None, int]:
        line_end = data.find(b"\n", at, at + LINE_BYTES_MAX)
        if line_end < 0:
            part = self._line + data[at : at + LINE_BYTES_MAX]
            # A bare CR is refused as soon as it is seen, not when a line feed comes, which may be never.
            if len(part) >= LINE_BYTES_MAX or b"\r" in part[:-1]:
                raise BadChunk("a line is too long or has a bare CR")
            self._line = part
            return None, len(data)
        line = self._line + data[at : line_end + 1]
        self._line = b""
        if not line.endswith(b"\r\n") or b"\r" in line[:-2] or len(line) > LINE_BYTES_MAX:
            raise BadChunk("a line does not end in CRLF")
        return line[:-2], line_end + 1

    def _take_line(self, line: bytes) -> None:
        if self._state == _DATA_END:
            if line:
                raise BadChunk("a chunk is longer than its size")
            self._state = _SIZE
        elif self._state == _SIZE:
            self._take_size(line)
        elif line:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > TRAILER_BYTES_MAX or not _TRAILER_LINE(line):
                raise BadChunk("a trailer is malformed or too long")
            name, _, value = line.partition(b":")
            if name.lower() in _FRAMING_NAMES:  # RFC 9110 section 6.5.1
                raise BadChunk("a trailer speaks of the message's length")
            self.trailers.append((name.lower(), value.strip(b" \t")))
        else:
            self._state = _DONE

    def _take_size(self, line: bytes) -> None:
        match = _SIZE_LINE(line)
        if match is None:
            raise BadChunk("a chunk's size is no hexadecimal number")
        self._extension_bytes += len(match[2])
        if self._extension_bytes > EXTENSION_BYTES_MAX:
            raise BadChunk("too many chunk extensions")
        self._missing = int(match[1], 16)
        self.size += self._missing
        if self.size > self._bytes_max:
            raise TooLong(f"more than {self._bytes_max} bytes")
        self._state = _DATA if self._missing else _TRAILERS
