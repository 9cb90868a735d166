"""One connection to another server: a request goes out, its response comes back, and the connection is free again.

The head of a response is checked by the C parser, like a request's; a new parser for each, because one that
has seen the answer to a HEAD waits for a body that never comes. The length is worked out in `headers`.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gatepost.kernel.tasks import Promise
from gatepost.wire.chunked import BadChunk, ChunkedBody, TooLong
from gatepost.wire.headers import CHUNKED, UNTIL_CLOSED, read_response_block
from gatepost.wire.limits import Refused
from gatepost.wire.messages import HeaderBlock
from gatepost.wire.outgoing import (
    ClientLimits,
    IncomingResponse,
    OutgoingRequest,
    UpstreamClosed,
    UpstreamError,
    UpstreamMalformed,
    UpstreamTimedOut,
    UpstreamTooLarge,
)

IDLE: Final = 0
HEAD: Final = 1
BODY: Final = 2
CLOSED: Final = 3

INTERIM_MAX: Final = 16  # 1xx responses before the answer
KNOWN_HEAD_BYTES_MAX: Final = 4_096  # of an answer's head that is remembered: servers repeat them for a second
PIECE_BYTES: Final = 64 * 1024  # bodies up to this size go out in one write with their head


class BodyStream:
    """The body of an answer as it arrives: iterate it, or `aclose()` it, which ends the connection."""

    def __init__(self, connection: UpstreamConnection) -> None:
        self._connection: UpstreamConnection | None = connection
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_complete = False
        self._error: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> BodyStream:
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._is_complete:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            if self._connection is not None:
                self._connection.wanted()
            await self._waiter
        pieces, self._pieces, self._size = self._pieces, [], 0
        if self._connection is not None:
            self._connection.wanted()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def aclose(self) -> None:
        """Give up the rest of the body."""
        connection, self._connection = self._connection, None
        self._pieces = []
        self._error = self._error or UpstreamClosed("the stream was closed by its reader")
        if connection is not None:
            connection.abort()

    def put(self, pieces: list[bytes]) -> int:
        """Add what has arrived; give the bytes that nobody has taken yet."""
        self._pieces += pieces
        self._size += sum(map(len, pieces))
        self._wake()
        return self._size

    def end(self, error: UpstreamError | None) -> None:
        """Note that nothing more comes."""
        self._connection = None
        self._is_complete = True
        self._error = self._error or error
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


class Sent:
    """A request on its way: its head as bytes, and who waits for the answer. `is_again`: it is sent once more."""

    __slots__ = ("connection", "head", "is_again", "promise", "request")

    def __init__(self, request: OutgoingRequest, head: bytes) -> None:
        self.request = request
        self.head = head
        self.promise: Promise[IncomingResponse] = Promise(self._give_up)
        self.connection: UpstreamConnection | None = None
        self.is_again = False

    def _give_up(self) -> None:
        if self.connection is not None:
            self.connection.abort()  # its answer would be taken for the next request's


class Owner(Protocol):
    """Who looks after connections: their pool."""

    def freed(self, connection: UpstreamConnection) -> None:
        """Take note that a connection may be used again."""
        ...

    def lost(self, connection: UpstreamConnection) -> None:
        """Take note that a connection has ended."""
        ...

    def failed(self, connection: UpstreamConnection, sent: Sent, error: UpstreamError) -> None:
        """Fail the promise of a request that got no answer, or send it once more."""
        ...


class UpstreamConnection(asyncio.Protocol):
    """A connection that carries one request at a time."""

    __slots__ = (
        "_bytes_max", "_chunks", "_deadline", "_head_only", "_interim", "_is_read_paused", "_is_streamed", "_known",
        "_known_head", "_limits", "_loop", "_missing", "_owner", "_pending", "_pieces", "_read_s", "_response", "_sent",
        "_size", "_state", "_stream", "_timer", "_timer_at", "_transport", "is_reused",
    )  # fmt: skip

    def __init__(self, limits: ClientLimits, owner: Owner) -> None:
        self._limits = limits
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self.is_reused = False
        self._state = IDLE
        self._sent: Sent | None = None
        self._response: IncomingResponse | None = None
        self._stream: BodyStream | None = None
        self._head_only = False
        self._is_streamed = False
        self._bytes_max = 0
        self._read_s = 0.0
        self._pending = b""
        self._known_head = b""  # as it came last
        self._known = (0, HeaderBlock(b"", b"", ""))
        self._interim = 0
        self._missing = 0  # bytes of the body; UNTIL_CLOSED
        self._size = 0
        self._pieces: list[bytes] = []
        self._chunks: ChunkedBody | None = None
        self._is_read_paused = False
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    # -- what the pool and the client call

    @property
    def is_usable(self) -> bool:
        """Say whether another request may be sent: nobody has closed it and it has not been idle for too long."""
        return self._state == IDLE and not self._transport.is_closing() and self._loop.time() < self._deadline

    def start(self, sent: Sent) -> None:
        """Send a request. Its promise gets the response, unless the owner is told that it failed.

        Raises: UpstreamClosed, when the connection has ended since it was taken from the pool.
        """
        if self._state != IDLE or self._transport.is_closing():
            raise UpstreamClosed("the connection had ended", is_unsent=True)
        request, limits = sent.request, self._limits
        self._state = HEAD
        self._sent = sent
        sent.connection = self
        self._head_only = request.method == "HEAD"
        self._is_streamed = request.is_streamed
        self._bytes_max = limits.body_bytes_max if request.body_bytes_max is None else request.body_bytes_max
        self._read_s = (limits.read_ms if request.read_ms is None else request.read_ms) / 1000
        self._interim = 0
        self._set_deadline(self._read_s)
        body = request.body
        if not body:
            self._transport.write(sent.head)
        elif len(body) <= PIECE_BYTES:
            self._transport.write(sent.head + body)
        else:
            self._transport.writelines((sent.head, body))

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._fail(UpstreamClosed("given up"))

    def wanted(self) -> None:
        """Read on: the reader of the stream has taken what there was."""
        if self._state == BODY:
            self._set_deadline(self._read_s)
        if self._is_read_paused and self._state != CLOSED and not self._transport.is_closing():
            self._is_read_paused = False
            self._transport.resume_reading()

    # -- the transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._set_deadline(self._limits.idle_ms / 1000)

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        try:
            if self._state == HEAD:
                self._read_heads(self._pending + data if self._pending else data)
            elif self._state == BODY:
                self._read_body(data, 0)
            elif self._state == IDLE:  # an answer that nobody asked for
                self._fail(UpstreamMalformed("bytes without a request"))
        except UpstreamError as error:
            self._fail(error)

    def eof_received(self) -> None:
        """Take the end of a response that has no other; the transport closes itself."""
        if self._state == BODY and self._missing == UNTIL_CLOSED and self._chunks is None:
            self._complete(is_reusable=False)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail what is under way."""
        if self._state == BODY and self._missing == UNTIL_CLOSED and self._chunks is None and error is None:
            self._complete(is_reusable=False)
        self._fail(
            UpstreamClosed(
                f"the connection ended: {error or 'closed by the server'}",
                is_unanswered=self._state == HEAD and not self._pending and self._interim == 0,
            )
        )

    # -- time

    def _set_deadline(self, seconds: float) -> None:
        """Set the one deadline. The timer is only moved when it would fire too late for a request, which is rare.

        An idle connection may so be closed late; it is not used again after its time (`is_usable`).
        """
        at = self._deadline = self._loop.time() + seconds
        if self._timer is None or (self._timer_at > at and self._state != IDLE):
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = at
            self._timer = self._loop.call_at(at, self._fire)

    def _fire(self) -> None:
        self._timer = None
        if self._state == CLOSED:
            return
        if self._loop.time() < self._deadline - 0.001:
            self._timer_at = self._deadline
            self._timer = self._loop.call_at(self._deadline, self._fire)
        elif self._state == IDLE:
            self._fail(UpstreamClosed("idle"))
        else:
            self._fail(UpstreamTimedOut(f"no answer within {self._read_s:g} s"))

    # -- reading

    def _read_heads(self, data: bytes) -> None:
        while True:
            end = data.find(b"\r\n\r\n") + 4
            if end == 3:
                if len(data) > self._limits.head_bytes_max:
                    raise UpstreamMalformed("the head does not end")
                self._pending = data
                return
            self._pending = b""
            if end > self._limits.head_bytes_max:
                raise UpstreamMalformed("the head is too large")
            status, block = self._read_head(data[:end])
            if status >= 200:
                break
            if status == 101:
                raise UpstreamMalformed("the server changes the protocol, unasked")
            self._interim += 1
            if self._interim > INTERIM_MAX:
                raise UpstreamMalformed("too many interim responses")
            data = data[end:]
            if not data:
                return
        self._begin_body(status, block, data, end)

    def _read_head(self, head: bytes) -> tuple[int, HeaderBlock]:
        if head == self._known_head:
            return self._known
        parser = HttpResponseParser(None)
        try:
            parser.feed_data(head)
        except HttpParserUpgrade:
            pass
        except HttpParserError as error:
            raise UpstreamMalformed(f"malformed head: {error}") from None
        version = head[:9]
        if version not in {b"HTTP/1.1 ", b"HTTP/1.0 "}:
            raise UpstreamMalformed("the response is neither HTTP/1.1 nor HTTP/1.0")
        try:
            block = read_response_block(head[head.find(b"\r\n") :], is_http_1_0=version == b"HTTP/1.0 ")
        except Refused as refused:
            raise UpstreamMalformed(refused.detail) from None
        known = (parser.get_status_code(), block)
        if len(head) <= KNOWN_HEAD_BYTES_MAX:
            self._known_head = head
            self._known = known
        return known

    def _begin_body(self, status: int, block: HeaderBlock, data: bytes, at: int) -> None:
        response = self._response = IncomingResponse(status, block)
        length = block.body_bytes
        size = len(data)
        if self._head_only or status in {204, 304}:
            length = 0
        if 0 <= length <= size - at:  # the whole response is here: the usual case
            if length > self._bytes_max and not self._is_streamed:
                raise UpstreamTooLarge(f"the body has {length} bytes")
            response.body = data[at : at + length] if length else b""
            self._complete(is_reusable=block.keeps_alive and at + length == size)
            return
        self._state = BODY
        self._size = 0
        if length == CHUNKED:
            self._chunks = ChunkedBody(bytes_max=2**62 if self._is_streamed else self._bytes_max)
            self._missing = 0
        else:
            self._missing = length
            if length > self._bytes_max and not self._is_streamed:
                raise UpstreamTooLarge(f"the body has {length} bytes")
        if at < size:
            self._read_body(data, at)
        if self._is_streamed and self._state == BODY:
            self._begin_stream(response)

    def _begin_stream(self, response: IncomingResponse) -> None:
        """Give the head to the caller, and the body from now on piece by piece."""
        stream = self._stream = BodyStream(self)
        response.stream = stream
        pieces, self._pieces = self._pieces, []
        stream.put(pieces)
        sent, self._sent = self._sent, None
        if sent is not None:
            sent.promise.settle(response)

    def _read_body(self, data: bytes, at: int) -> None:
        size = len(data)
        is_complete = False
        if self._chunks is not None:
            try:
                at = self._chunks.feed(data, at)
            except BadChunk as error:
                raise UpstreamMalformed(str(error)) from None
            except TooLong as excess:
                raise UpstreamTooLarge(str(excess)) from None
            pieces, self._chunks.pieces = self._chunks.pieces, []
            is_complete = self._chunks.is_complete
        elif self._missing == UNTIL_CLOSED:
            pieces = [data[at:] if at else data]
            at = size
        else:
            piece = data[at : at + self._missing] if at or size > self._missing else data
            pieces = [piece]
            at += len(piece)
            self._missing -= len(piece)
            is_complete = self._missing == 0
        self._take(pieces)
        if is_complete:
            block = cast("IncomingResponse", self._response).block
            self._complete(is_reusable=block.keeps_alive and at == size)

    def _take(self, pieces: list[bytes]) -> None:
        if self._stream is not None:
            waiting = self._stream.put(pieces)
            if waiting > self._limits.buffer_bytes and not self._is_read_paused:
                self._is_read_paused = True
                self._transport.pause_reading()
                self._set_deadline(self._limits.stall_ms / 1000)
            else:
                self._set_deadline(self._read_s)
            return
        self._pieces += pieces
        self._size += sum(map(len, pieces))
        if self._size > self._bytes_max and not self._is_streamed:
            raise UpstreamTooLarge(f"the body has more than {self._bytes_max} bytes")

    # -- ending

    def _complete(self, *, is_reusable: bool) -> None:
        """Hand the response over, which is whole, and be free for the next request."""
        response = cast("IncomingResponse", self._response)
        if self._pieces:
            response.body = b"".join(self._pieces)
            self._pieces = []
        stream, self._stream = self._stream, None
        self._chunks = self._response = None
        # An answer that came before the request had been sent leaves bytes that nobody will read as a body.
        is_reusable = is_reusable and self._transport.get_write_buffer_size() == 0 and not self._transport.is_closing()
        if self._is_read_paused and is_reusable:
            self._is_read_paused = False
            self._transport.resume_reading()
        if is_reusable:
            self._state = IDLE
            self._set_deadline(self._limits.idle_ms / 1000)
        else:
            self._end()
        if stream is not None:
            stream.end(None)
        if is_reusable:
            self.is_reused = True
            self._owner.freed(self)
        if stream is None:
            sent, self._sent = self._sent, None
            if sent is not None:
                sent.promise.settle(response)  # who waits for it may go on in here

    def _fail(self, error: UpstreamError) -> None:
        """Close; whoever waits gets `error`."""
        if self._state == CLOSED:
            return
        self._end()
        self._transport.abort()
        stream, self._stream = self._stream, None
        self._pieces = []
        self._chunks = self._response = None
        if stream is not None:
            stream.end(error)
        sent, self._sent = self._sent, None
        if sent is not None:
            self._owner.failed(self, sent, error)

    def _end(self) -> None:
        """Leave the pool and close the socket."""
        self._state = CLOSED
        self._pending = b""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport.close()
        self._owner.lost(self)
