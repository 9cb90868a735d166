"""One connection of a client: bytes to requests, requests to the handler, responses to bytes, in order.

One request at a time. Whatever else has arrived waits as bytes, and reading stops while it does: pipelined requests are
answered in order without a queue of their own, and a client cannot make us hold more than one read of them. What is
ready goes out in one write.

Heads are read by `request_heads`. The body is taken by its length or by `chunked`, so that it is always known where a
message ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final, cast

from gatepost.kernel.tasks import Driven, Rest, begin, go_on
from gatepost.wire.chunked import BadChunk, ChunkedBody, TooLong
from gatepost.wire.headers import CHUNKED
from gatepost.wire.limits import Reason, Refused, WireRefusal
from gatepost.wire.messages import HeaderBlock, Request, Response
from gatepost.wire.rendering import CLOSE, JOINED_BYTES_MAX, KEEP, KEEP_1_0, BadResponse, has_body
from gatepost.wire.request_heads import RequestHeads
from gatepost.wire.streaming import send_pieces, send_stream
from gatepost.wire.tls import peer_of
from gatepost.wire.wheel import GONE

if TYPE_CHECKING:
    from gatepost.wire.server import Server

# What the connection is doing.
HEAD: Final = 0  # waiting for a head, or in the middle of one
BODY: Final = 1
BUSY: Final = 2  # the handler works, or its response is on its way
LINGER: Final = 3  # refused: what still comes is thrown away
CLOSED: Final = 4

PIPELINED_MAX: Final = 64  # requests answered before the loop gets to other connections
LINGER_BYTES_MAX: Final = 64 * 1024 * 1024


class ServerConnection(asyncio.Protocol):
    """A client's connection. Everything that connections share is the server's."""

    __slots__ = (
        "_chunks", "_has_begun", "_heads", "_is_read_paused", "_is_write_paused", "_keeps_alive",
        "_limits", "_missing", "_out", "_peer", "_pending", "_pieces", "_received", "_request", "_server", "_spare",
        "_state", "_task", "_transport", "_unsent", "_wheel", "_writable", "deadline", "slot",
    )  # fmt: skip

    def __init__(self, server: Server) -> None:
        self._server = server
        self._limits = server.limits
        self._wheel = server.wheel
        self.deadline = self.slot = 0
        self._state = HEAD
        self._pending = b""  # read but not yet understood
        self._has_begun = False  # the time for this head is running, an empty line was ignored
        self._heads = RequestHeads(server.limits, checked_bytes=server.checked_bytes)
        self._request: Request | None = None
        self._keeps_alive = True
        self._missing = self._received = self._spare = 0
        self._pieces: list[bytes] = []
        self._chunks: ChunkedBody | None = None
        self._out: list[bytes] = []
        self._task: asyncio.Task[None] | Driven[Response] | None = None
        self._is_write_paused = self._is_read_paused = False
        self._unsent = 0
        self._writable: asyncio.Future[None] | None = None

    # -- the transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or refuse it when there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        self._peer = peer_of(transport)
        if not self._server.admit(self):
            self._refuse("connections", "too many connections")
        else:
            self._expect(self._server.idle_ticks)
        self._wheel.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget everything; a handler that still works is cancelled."""
        del error
        self._release_body()
        self._state = CLOSED
        self._server.hold_back(self, 0)
        self._wheel.remove(self)
        self._pending = b""
        self._pieces = []
        self._chunks = self._request = None
        self._cancel()
        if self._writable is not None and not self._writable.done():
            self._writable.set_exception(ConnectionResetError("the client is gone"))
            self._writable.exception()  # it is no bug when nobody waits any more
        self._server.forget(self)

    def eof_received(self) -> None:
        """Close. A client that ends its side while it is being answered is taken to be gone, as nginx does."""
        if self._state == BUSY:
            self._state = CLOSED
            self._server.counters.disconnected += 1
        self._cancel()

    def pause_writing(self) -> None:
        """Note that the client reads too slowly."""
        self._is_write_paused = True
        self._unsent = self._transport.get_write_buffer_size()
        self._expect(self._server.write_ticks)
        self._server.hold_back(self, self._unsent)

    def resume_writing(self) -> None:
        """Go on with what waited for the client."""
        self._is_write_paused = False
        self._server.hold_back(self, 0)
        if self._state == BUSY:
            self.deadline = 0
        elif self._state == HEAD:
            self._expect(self._server.idle_ticks)
        elif self._state == BODY:
            self._expect(self._server.body_ticks)
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if self._state == HEAD and self._pending:
            self._go_on()

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        state = self._state
        if state == BUSY or (state == HEAD and self._is_write_paused):
            self._hold(data)
        elif state == HEAD:
            if self._pending:
                data = self._pending + data
                self._pending = b""
            self._read(data)
        elif state == BODY:
            self._read_body(data)
        elif state == LINGER:
            self._received += len(data)
            if self._received > LINGER_BYTES_MAX:
                self._transport.abort()

    def expired(self) -> None:
        """End what takes too long. Called by the wheel."""
        if self._is_write_paused:
            unsent = self._transport.get_write_buffer_size()
            if unsent < self._unsent:
                self._unsent = unsent
                self._expect(self._server.write_ticks)
                self._server.hold_back(self, unsent)
                return
            self._server.counters.slow_readers += 1
            self._transport.abort()
        elif self._state == HEAD and not self._pending:
            self._transport.close()
        elif self._state in {HEAD, BODY}:
            self._refuse("timeout", "the request took too long to arrive")
        elif self._state == LINGER:
            self._transport.abort()

    # -- reading

    def _expect(self, ticks: int) -> None:
        if self.deadline != GONE:
            self.deadline = self._wheel.now + ticks

    def _hold(self, data: bytes) -> None:
        """Keep pipelined bytes and read no more until they are wanted."""
        self._pending += data
        if not self._is_read_paused and not self._transport.is_closing():
            self._is_read_paused = True
            self._transport.pause_reading()

    def _go_on(self) -> None:
        """Read what was held."""
        if self._state != HEAD or self._is_write_paused:
            return
        if self._is_read_paused and not self._transport.is_closing():
            self._is_read_paused = False
            self._transport.resume_reading()
        data, self._pending = self._pending, b""
        if data:
            self._read(data)

    def _read(self, data: bytes) -> None:
        """Read and answer requests from `data`, which begins with a head, until it is used up or one has to wait."""
        at = 0
        size = len(data)
        answered = 0
        try:
            while True:
                head_end = data.find(b"\r\n\r\n", at) + 4
                if head_end == 3 or data[at] < 32:
                    at = self._read_part(data, at)
                    if at < 0:
                        break
                    continue
                request = self._heads.read(data if at == 0 and head_end == size else data[at:head_end], self._peer)
                self._has_begun = False
                block = request.block
                self._keeps_alive = block.keeps_alive  # type: ignore[union-attr]
                at = head_end
                if block.body_bytes != 0:  # type: ignore[union-attr]
                    at = self._begin_body(request, block, data, at)  # type: ignore[arg-type]
                    if at < 0:
                        break
                answered += 1
                self._answer(request)
                if at == size:
                    break
                if self._state != HEAD or self._is_write_paused or answered >= PIPELINED_MAX:
                    self._wait_with(data[at:])
                    break
        except Refused as refused:
            self._refuse(refused.reason, refused.detail)
        if self._out:
            self._flush()
        self._server.counters.requests += answered

    def _wait_with(self, rest: bytes) -> None:
        if self._state in {HEAD, BUSY}:
            self._hold(rest)
            if self._state == HEAD and not self._is_write_paused:
                asyncio.get_running_loop().call_soon(self._go_on)

    def _read_part(self, data: bytes, at: int) -> int:
        """Take what is no whole head: give where one begins, or -1 when more must arrive first. Raises: Refused."""
        rest = data[at:]
        if rest == b"\r":
            self._pending = rest
            return -1
        is_first = not self._has_begun
        if is_first:
            self._has_begun = True
            self._expect(self._server.head_ticks)
        if rest.startswith(b"\r\n"):
            # RFC 9112 section 2.2: an empty line before a request is ignored. One; not a stream of them.
            if not is_first or rest[2:3] in {b"\r", b"\n"}:
                raise Refused("malformed", "empty lines instead of a request")
            return at + 2 if len(rest) > 2 else -1
        if rest[0] < 32:
            raise Refused("malformed", "a request begins with its method")
        if len(rest) > self._limits.raw_head_bytes_max:
            raise Refused("headers_too_large", "the head does not end")
        if b"\r" not in rest and len(rest) > self._limits.target_bytes_max + 64:
            raise Refused("target_too_long", "the request line does not end")
        self._heads.read_part(rest)
        self._pending = rest
        return -1

    # -- bodies

    def _begin_body(self, request: Request, block: HeaderBlock, data: bytes, at: int) -> int:
        """Start to read a body at `at`: give where it ends, or -1 when more of it must arrive. Raises: Refused."""
        self._heads.body_begins()
        self._request = request
        bytes_max = self._server.body_bytes_max(request)
        length = block.body_bytes
        if length > bytes_max:
            raise Refused("body_too_large", f"Content-Length {length} is more than {bytes_max}")
        size = len(data)
        if block.expects_continue and at == size:
            self._out.append(b"HTTP/1.1 100 Continue\r\n\r\n")
        if length != CHUNKED:
            if size - at >= length:
                request.body = data[at : at + length]
                self._request = None
                return at + length
            self._pieces = [data[at:]] if at < size else []
            self._missing = length - (size - at)
        else:
            self._chunks = ChunkedBody(bytes_max=bytes_max, sink=self._server.body_sink(request, self._transport))
            end = self._feed_chunks(data, at)
            if self._chunks.is_complete:
                request.body = self._chunks.take()
                request.trailers = self._chunks.trailers
                self._chunks = self._request = None
                return end
        self._state = BODY
        self._received = 0
        self._hold_body(size - at)
        self._expect(self._server.body_ticks)
        return -1

    def _hold_body(self, size: int) -> None:
        """Count bytes of a body that is not yet whole. Raises: Refused."""
        if self._chunks is not None and self._chunks.sink is not None:
            return  # they are not held
        self._received += size
        self._server.held_bytes += size
        if self._server.held_bytes > self._limits.held_bytes_max:
            raise Refused("connections", "too many bytes of unfinished bodies")

    def _release_body(self) -> None:
        """Give back what was counted: the body is whole, or given up."""
        if self._state == BODY:
            self._server.held_bytes -= self._received

    def _expect_more(self, size: int) -> None:
        """Give more time for a body of which `size` bytes have come, never more at once than it had at first."""
        server = self._server
        earned, self._spare = divmod(self._spare + size, server.body_bytes_per_tick)
        if self.deadline != GONE:
            self.deadline = min(self.deadline + earned, self._wheel.now + server.body_ticks)

    def _feed_chunks(self, data: bytes, at: int) -> int:
        try:
            return cast("ChunkedBody", self._chunks).feed(data, at)
        except BadChunk as error:
            raise Refused("malformed", str(error)) from None
        except TooLong as excess:
            raise Refused("body_too_large", str(excess)) from None

    def _read_body(self, data: bytes) -> None:
        """Take more of a body; answer when it is whole."""
        request = cast("Request", self._request)
        try:
            self._hold_body(len(data))
            end = self._feed_body(request, data)
        except Refused as refused:
            self._refuse(refused.reason, refused.detail)
            return
        if end < 0:
            self._expect_more(len(data))
            return
        self._release_body()
        self._request = None
        self._state = HEAD
        self._server.counters.requests += 1
        self._answer(request)
        rest = data[end:]
        if rest:
            self._wait_with(rest)
        if self._out:
            self._flush()

    def _feed_body(self, request: Request, data: bytes) -> int:
        """Add to a body: give where it ends in `data`, or -1 when more must arrive. Raises: Refused."""
        if self._chunks is not None:
            end = self._feed_chunks(data, 0)
            if not self._chunks.is_complete:
                return -1
            request.body = self._chunks.take()
            request.trailers = self._chunks.trailers
            self._chunks = None
            return end
        end = self._missing
        self._missing -= len(data)
        if self._missing > 0:
            self._pieces.append(data)
            return -1
        self._pieces.append(data[:end])
        request.body = b"".join(self._pieces)
        self._pieces = []
        return end

    # -- answering

    def _answer(self, request: Request) -> None:
        """Give a request to the handler, and its response to the client if it is there at once."""
        server = self._server
        response: object = begin(server.handler, request, Response)
        if type(response) is Response and response.stream is None:
            self._send(request, response)
            return
        self._state = BUSY
        self._request = request
        if self.deadline != GONE and not self._is_write_paused:
            self.deadline = 0
        if isinstance(response, Rest):
            response.ended = self._answered
            self._task = go_on(response) if server.needs_tasks else Driven(response)
        else:
            self._answered(response)

    def _answered(self, response: Any) -> None:
        """Send the response that took a while."""
        self._task = None
        if self._state != BUSY:
            return
        request = cast("Request", self._request)
        if isinstance(response, Response) and response.stream is not None:
            self._task = self._server.tasks.spawn(self._stream(request, response), name="stream")
            return
        self._finished()
        self._send(request, response if isinstance(response, Response) else self._server.failed(request, "no response"))
        if self._out:
            self._flush()
        if self._pending:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _finished(self) -> None:
        self._state = HEAD
        self._request = None
        self._task = None

    def _send(self, request: Request, response: Response) -> None:
        """Render a response for the next write; close after it if that is due."""
        server = self._server
        keeps_alive = self._keeps_alive and not server.is_draining
        connection = (KEEP_1_0 if self._heads.is_http_1_0 else KEEP) if keeps_alive else CLOSE
        try:
            rendered = server.renderer.render(response, head_only=request.method == "HEAD", connection=connection)
        except (BadResponse, TypeError) as error:  # TypeError: a body that is not bytes
            response = server.failed(request, str(error))
            rendered = server.renderer.render(response, head_only=request.method == "HEAD", connection=connection)
        self._out.append(rendered)
        if len(response.body) > JOINED_BYTES_MAX and has_body(request, response):
            self._out.append(response.body)
            self._flush()  # now: pipelined requests must not pile up answers that the client does not read
        if keeps_alive:
            if self.deadline != GONE:
                self.deadline = self._wheel.now + server.idle_ticks
        else:
            self._close()

    def _flush(self) -> None:
        """Write everything that is ready in one go."""
        out = self._out
        if self._state != CLOSED:
            if len(out) == 1:
                self._transport.write(out[0])
            else:
                self._transport.writelines(out)
        self._out = []

    async def _stream(self, request: Request, response: Response) -> None:
        """Send a response piece by piece, no faster than the client reads. What breaks off ends the connection."""
        server = self._server
        stream = cast("AsyncIterator[bytes]", response.stream)
        left = response.content_length
        is_chunked = left is None and not self._heads.is_http_1_0
        keeps_alive = self._keeps_alive and not server.is_draining and (is_chunked or left is not None)
        connection = (KEEP_1_0 if self._heads.is_http_1_0 else KEEP) if keeps_alive else CLOSE

        async def send() -> None:
            self._out.append(server.renderer.render_stream_head(response, is_chunked=is_chunked, connection=connection))
            self._flush()
            if has_body(request, response):
                await send_pieces(stream, self._transport, room=self._room, content_length=left, is_chunked=is_chunked)

        if not await send_stream(stream, send, self._break_off):
            return
        self._finished()
        if keeps_alive and not server.is_draining:
            self._expect(server.idle_ticks)
            self._go_on()
        else:
            self._close()

    def _break_off(self) -> None:
        self._state = CLOSED
        self._transport.abort()

    def _room(self) -> asyncio.Future[None] | None:
        """Give None when more may be written, else what to wait for."""
        if not self._is_write_paused:
            return None
        self._writable = asyncio.get_running_loop().create_future()
        return self._writable

    # -- ending

    def _refuse(self, reason: Reason, detail: str) -> None:
        """Answer that the request is refused, then throw away what still comes until the client has read it.

        Closing at once would reset the connection while the client is sending, and it would never see why.
        """
        server = self._server
        request = self._request
        response = server.refusal(WireRefusal(reason, detail, request))
        head_only = request is not None and request.method == "HEAD"
        try:
            self._out.append(server.renderer.render(response, head_only=head_only, connection=CLOSE))
        except BadResponse:
            self._out.append(server.renderer.render(Response(400), head_only=head_only, connection=CLOSE))
        self._flush()
        self._release_body()
        self._state = LINGER
        self._received = 0
        self._pending = b""
        self._pieces = []
        self._chunks = self._request = None
        if not self._transport.can_write_eof():
            self._close()
            return
        self._transport.write_eof()
        self._expect(server.linger_ticks)
        if self._is_read_paused:
            self._is_read_paused = False
            self._transport.resume_reading()

    def _close(self) -> None:
        """Send what is ready and close."""
        if self._out:
            self._flush()
        self._state = CLOSED
        self._transport.close()

    def _cancel(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    @property
    def is_working(self) -> bool:
        """Say whether a request is being received or answered."""
        return self._state in {BODY, BUSY} or self._transport.get_write_buffer_size() > 0

    @property
    def is_awaited(self) -> bool:
        """Say whether a request or its answer goes on only when the client sends or reads more."""
        return self._state == BODY or self._is_write_paused

    def close_if_idle(self) -> None:
        """Close unless a request is being received or answered. Part of draining."""
        if self._state == HEAD:
            self._close()

    def abort(self) -> None:
        """Close at once. Part of draining."""
        self._transport.abort()
