"""The heads of one connection's requests: bytes to a request, in which only one meaning can be found.

The C parser is fed each head up to its empty line and nothing else: it checks the syntax. What it means for framing is
worked out in `headers`. A parser that has seen the head of a request with a body is thrown away. Clients repeat their
header lines: those of the last request are not parsed again, and the parser does not see such a head at all.
"""

from __future__ import annotations

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from gatepost.wire.headers import read_block, read_varied
from gatepost.wire.limits import ListenerLimits, Reason, Refused
from gatepost.wire.messages import HeaderBlock, Peer, Request
from gatepost.wire.targets import METHODS, check_sizes, plain_line, plain_target


class RequestHeads:
    """Reads the heads of a connection, one after the other. A head longer than `checked_bytes` may be too long."""

    __slots__ = ("_block", "_checked_bytes", "_fed", "_feed", "_is_known", "_limits", "is_http_1_0")

    def __init__(self, limits: ListenerLimits, *, checked_bytes: int) -> None:
        self._limits = limits
        self._checked_bytes = checked_bytes
        self._fed = 0  # bytes of a head of which not all is there that the parser has seen
        self._block: HeaderBlock | None = None  # of the last request without a body
        self._feed = HttpRequestParser(None).feed_data
        self._is_known = False  # this head has the header lines of the last one: the parser has not seen it
        self.is_http_1_0 = False

    def read_part(self, head: bytes) -> None:
        """Check what there is of a head that goes on. Raises: Refused."""
        self._check(head)
        self._fed = len(head)

    def read(self, head: bytes, peer: Peer) -> Request:
        """Make a request of a whole head. Raises: Refused."""
        line_end = head.find(b"\r\n")
        block_bytes = head[line_end:]
        line = head[:line_end].split(b" ")
        block = self._block
        is_same = block is not None and block_bytes == block.block
        target = plain_line(line) if is_same and self._fed == 0 else None
        self._is_known = target is not None
        if target is None:
            self._check_whole(head)
            if len(line) != 3:
                raise Refused("malformed", "the request line has not three parts")
            if block is None or not is_same or line[2] != b"HTTP/1.1":
                block = self._read_block(block_bytes, line[2])
        method_bytes, target_bytes, _ = line
        method = METHODS.get(method_bytes) or method_bytes.decode("ascii")
        if len(head) > self._checked_bytes:
            check_sizes(target_bytes, block_bytes, line_bytes=line_end, limits=self._limits)
        if target is None:
            if not target_bytes.startswith(b"/") or target_bytes.find(b"#") >= 0:
                target_bytes = plain_target(method, target_bytes, block.host)  # type: ignore[union-attr]
            target = target_bytes.decode("ascii")
        return Request(method, target, block=block, peer=peer)

    def body_begins(self) -> None:
        """Take note that a body follows the head that was read: the parser would wait for it."""
        if not self._is_known:
            self._renew()

    def _renew(self) -> None:
        self._feed = HttpRequestParser(None).feed_data

    def _check(self, head: bytes) -> None:
        """Let the C parser see what it has not yet seen of a head. Raises: Refused."""
        try:
            self._feed(head[self._fed :] if self._fed else head)
        except HttpParserUpgrade:
            self._renew()  # Upgrade is an offer that we may leave unanswered (RFC 9110 section 7.8)
        except HttpParserError as error:
            reason: Reason = "version" if b" HTTP/2" in head[:64] else "malformed"
            raise Refused(reason, str(error)) from None

    def _check_whole(self, head: bytes) -> None:
        try:
            self._feed(head[self._fed :] if self._fed else head)
        except (HttpParserError, HttpParserUpgrade):
            self._renew()
            self._fed = 0
            self._check(head)  # again, for the reason
        self._fed = 0

    def _read_block(self, block_bytes: bytes, version: bytes) -> HeaderBlock:
        last = self._block
        if last is not None and version == b"HTTP/1.1":
            varied = read_varied(last, block_bytes)
            if varied is not None:
                self._block = varied
                return varied
        self.is_http_1_0 = version == b"HTTP/1.0"
        if version != b"HTTP/1.1" and not self.is_http_1_0:
            raise Refused("version", "the version is neither HTTP/1.1 nor HTTP/1.0")
        block = read_block(block_bytes, is_http_1_0=self.is_http_1_0, headers_max=self._limits.headers_max)
        self._block = None if self.is_http_1_0 else block
        return block
