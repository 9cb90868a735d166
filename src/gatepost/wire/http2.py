"""One connection of a client that speaks HTTP/2: streams to requests, requests to the handler, responses to frames.

The `h2` library keeps the protocol's state (frames, HPACK, flow control); this module decides what a client may have:
how many streams, bytes, frames and how much time. Requests and refusals are those of HTTP/1.1 (`http2_requests`), and
so are the limits. What breaks the protocol or floods ends the connection with GOAWAY.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings
from hpack.exceptions import HPACKError
from hyperframe.exceptions import HyperframeError
from hyperframe.frame import GoAwayFrame

from gatepost.kernel.tasks import Driven, Rest, begin, go_on
from gatepost.wire.http2_frames import FrameMeter
from gatepost.wire.http2_requests import request_of
from gatepost.wire.limits import Reason, Refused, WireRefusal
from gatepost.wire.messages import Headers, Request, Response
from gatepost.wire.rendering import BadResponse, has_body
from gatepost.wire.streaming import send_stream
from gatepost.wire.tls import peer_of
from gatepost.wire.wheel import GONE

if TYPE_CHECKING:
    from gatepost.wire.server import Server

log = logging.getLogger(__name__)

STREAMS_MAX: Final = 100
STREAM_WINDOW_BYTES: Final = 256 * 1024
CONNECTION_WINDOW_BYTES: Final = 4 * 1024 * 1024
TABLE_BYTES: Final = 4096  # of HPACK's dynamic table
REFUSED_COST: Final = 5  # tokens for a stream beyond the limit
TRAILERS_MAX: Final = 32
DRAINED_BYTES_MAX: Final = 64 * 1024 * 1024

_BROKEN: Final = (H2Error, HPACKError, HyperframeError, ValueError, IndexError, KeyError)


class Stream:
    """One request and its response."""

    __slots__ = (
        "bytes_max", "deadline", "has_ended", "id", "is_last", "pieces", "received", "request", "room", "spare",
        "task", "unsent",
    )  # fmt: skip

    def __init__(self, stream_id: int, request: Request, bytes_max: int, deadline: int) -> None:
        self.id = stream_id
        self.request = request
        self.bytes_max = bytes_max
        self.deadline = deadline  # tick at which its body must be whole; 0 when it is
        self.has_ended = False  # the client has said all
        self.pieces: list[bytes] = []
        self.received = 0
        self.spare = 0  # bytes that have bought no time yet
        self.task: asyncio.Task[None] | Driven[Response] | None = None
        self.unsent = memoryview(b"")
        self.is_last = True  # nothing comes after `unsent`
        self.room: asyncio.Future[None] | None = None


class Http2Connection(asyncio.Protocol):
    """A client's connection. Everything that connections share is the server's."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._limits = server.limits
        self._wheel = server.wheel
        self.deadline = 0
        self.slot = 0
        self._streams: dict[int, Stream] = {}
        self._last_id = 0
        self._is_ending = False  # GOAWAY was sent: streams that run may finish, new ones are refused
        self._has_ended = False  # nothing more is said
        self._drained = 0
        self._is_write_paused = False
        self._sent_bytes = 0
        self._sent_at_pause = 0
        self._unsent = 0  # bytes of answers that the client has given no room for
        self._held_back = 0  # how many of them the server knows
        self._write_deadline = 0
        self._idle_at = 0
        self._check_ticks = max(
            1, min(server.head_ticks, server.body_ticks, server.idle_ticks, server.write_ticks) // 2
        )
        self._meter = FrameMeter(server.clock.monotonic_ns())
        self._h2 = _state()

    # -- the transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or refuse it when there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        self._peer = peer_of(transport)
        is_admitted = self._server.admit(self)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_WINDOW_BYTES - 65_535)
        self._idle_at = self._wheel.now + self._server.head_ticks
        self._look_again()
        self._wheel.add(self)
        if is_admitted:
            self._flush()
        else:
            self._end(ErrorCodes.REFUSED_STREAM)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget everything; handlers that still work are cancelled."""
        del error
        self._has_ended = True
        self._wheel.remove(self)
        for stream in list(self._streams.values()):
            self._forget(stream)
        self._server.forget(self)

    def eof_received(self) -> None:
        """Close: a client that ends its side is gone."""
        self._server.counters.disconnected += sum(stream.task is not None for stream in self._streams.values())

    def pause_writing(self) -> None:
        """Note that the client reads too slowly, and read no more of it meanwhile."""
        self._is_write_paused = True
        self._sent_at_pause = self._transport.get_write_buffer_size()
        self._write_deadline = self._wheel.now + self._server.write_ticks
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on with what waited for the client."""
        self._is_write_paused = False
        self._write_deadline = 0
        if self._has_ended:
            return
        self._pump_all()
        self._flush()
        if not self._is_write_paused and not self._transport.is_closing():
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        if self._has_ended:
            self._drained += len(data)
            if self._drained > DRAINED_BYTES_MAX:
                self._transport.abort()
            return
        verdict = self._meter.take(data, self._server.clock.monotonic_ns())
        if verdict == "flood":
            self._flood("frames that ask for nothing")
            return
        if verdict == "too_large":
            self._server.refusal(WireRefusal("malformed", "a frame is too large"))
            self._end(ErrorCodes.FRAME_SIZE_ERROR)
            return
        try:
            events = self._h2.receive_data(data)
        except _BROKEN as error:
            self._break(error)
            return
        reset = {event.stream_id for event in events if isinstance(event, StreamReset)}
        for event in events:
            if reset and isinstance(event, RequestReceived | StreamEnded) and event.stream_id in reset:
                continue  # asked for and taken back in one breath: nobody may be kept busy with it
            try:
                self._take(event)
            except _BROKEN as error:
                self._break(error)
        self._flush()

    def expired(self) -> None:
        """Look at what takes too long. Called by the wheel."""
        now = self._wheel.now
        if self._has_ended:
            self._transport.abort()
            return
        if self._write_deadline and now >= self._write_deadline and self._is_stuck():
            self._server.counters.slow_readers += 1
            self._transport.abort()
            return
        for stream in list(self._streams.values()):
            if stream.deadline and now >= stream.deadline:
                self._refuse(stream.id, Refused("timeout", "the request took too long to arrive"), stream)
        if not self._streams and now >= self._idle_at:
            self._end(ErrorCodes.NO_ERROR)
            return
        self._flush()
        self._look_again()

    # -- what the client says

    def _take(self, event: Event) -> None:
        if self._has_ended:
            return  # by an earlier event of the same read
        if isinstance(event, DataReceived):
            self._take_data(event)
        elif isinstance(event, RequestReceived):
            self._take_request(event)
        elif isinstance(event, StreamEnded):
            self._take_end(event.stream_id)
        elif isinstance(event, WindowUpdated):
            self._take_window(event.stream_id or 0)
        elif isinstance(event, StreamReset):
            stream = self._streams.get(event.stream_id)
            if stream is not None:
                if stream.task is not None:
                    self._server.counters.disconnected += 1
                self._forget(stream)
        elif isinstance(event, TrailersReceived):
            self._take_trailers(event)
        elif isinstance(event, RemoteSettingsChanged):
            self._pump_all()
        elif isinstance(event, ConnectionTerminated):
            self._is_ending = True
            self._end_if_done()

    def _take_request(self, event: RequestReceived) -> None:
        stream_id = event.stream_id
        if self._is_ending or len(self._streams) >= STREAMS_MAX:
            self._h2.reset_stream(stream_id, ErrorCodes.REFUSED_STREAM)
            if not self._meter.charge(REFUSED_COST):
                self._flood("streams beyond the limit")
            return
        self._last_id = stream_id
        server = self._server
        try:
            headers = event.headers
            request = request_of(headers, limits=self._limits, peer=self._peer)
            bytes_max = server.body_bytes_max(request)
            length = request.block.body_bytes if request.block is not None else 0
            if length > bytes_max:
                raise Refused("body_too_large", f"content-length {length} is more than {bytes_max}")
        except Refused as refused:
            self._refuse(stream_id, refused, None, is_whole=event.stream_ended is not None)
            return
        self._streams[stream_id] = Stream(stream_id, request, bytes_max, self._wheel.now + server.body_ticks)
        if request.block is not None and request.block.expects_continue and event.stream_ended is None:
            self._h2.send_headers(stream_id, [(b":status", b"100")])

    def _take_data(self, event: DataReceived) -> None:
        stream_id, size = event.stream_id, event.flow_controlled_length
        data = event.data
        if size:
            self._h2.acknowledge_received_data(size, stream_id)
        stream = self._streams.get(stream_id)
        if stream is None or stream.has_ended:
            return  # refused before
        server = self._server
        stream.received += len(data)
        server.held_bytes += len(data)
        stream.pieces.append(data)
        if stream.received > stream.bytes_max:
            self._refuse(stream_id, Refused("body_too_large", f"more than {stream.bytes_max} bytes"), stream)
        elif server.held_bytes > self._limits.held_bytes_max:
            self._refuse(stream_id, Refused("connections", "too many bytes of unfinished bodies"), stream)
        elif stream.deadline:
            earned, stream.spare = divmod(stream.spare + len(data), server.body_bytes_per_tick)
            stream.deadline = min(stream.deadline + earned, self._wheel.now + server.body_ticks)

    def _take_trailers(self, event: TrailersReceived) -> None:
        stream = self._streams.get(event.stream_id)
        headers = event.headers
        if stream is not None and len(headers) <= TRAILERS_MAX:
            stream.request.trailers = [(name, value) for name, value in headers if not name.startswith(b":")]

    def _take_end(self, stream_id: int) -> None:
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        stream.has_ended = True
        stream.deadline = 0
        block = stream.request.block
        if block is not None and block.body_bytes not in (0, stream.received):  # h2 does not look when there is no data
            self._refuse(stream_id, Refused("malformed", "content-length is not the body's"), stream, is_whole=True)
            return
        stream.request.body = b"".join(stream.pieces)
        self._server.held_bytes -= stream.received
        stream.received = 0
        stream.pieces = []
        self._server.counters.requests += 1
        self._answer(stream)

    def _take_window(self, stream_id: int) -> None:
        if stream_id == 0:
            self._pump_all()
        elif (stream := self._streams.get(stream_id)) is not None:
            self._pump(stream)

    # -- answering

    def _answer(self, stream: Stream) -> None:
        """Give a request to the handler, and its response to the client if it is there at once."""
        server = self._server
        response: object = begin(server.handler, stream.request, Response)
        if isinstance(response, Rest):
            response.ended = lambda answer: self._answered(stream, answer)
            stream.task = go_on(response) if server.needs_tasks else Driven(response)
        else:
            self._respond(stream, response)

    def _answered(self, stream: Stream, response: Any) -> None:
        """Send the response that took a while."""
        stream.task = None
        if self._has_ended or stream.id not in self._streams:
            return
        try:
            self._respond(stream, response)
        except _BROKEN as error:
            self._break(error)
            return
        self._flush()

    def _respond(self, stream: Stream, given: Any) -> None:
        server, request = self._server, stream.request
        response = given if isinstance(given, Response) else server.failed(request, "no response")
        try:
            fields = self._fields(response)
        except (BadResponse, TypeError, AttributeError) as error:
            response = server.failed(request, str(error))
            fields = self._fields(response)
        with_body = has_body(request, response)
        if response.stream is not None:
            stream.task = server.tasks.spawn(self._stream(stream, response, fields), name="stream")
            return
        body = response.body if with_body else b""
        self._h2.send_headers(stream.id, fields, end_stream=not body)
        self._set_unsent(stream, memoryview(body))
        if body:
            self._pump(stream)
        else:
            self._finish(stream)

    def _fields(self, response: Response) -> Headers:
        fields = self._server.renderer.fields(response)
        if response.content_length is not None:
            fields.append((b"content-length", b"%d" % response.content_length))
        elif response.stream is None and response.status not in (204, 304):
            if not isinstance(response.body, bytes):
                raise BadResponse("the body is not bytes")
            fields.append((b"content-length", b"%d" % len(response.body)))
        return fields

    async def _stream(self, stream: Stream, response: Response, fields: Headers) -> None:
        """Send a response piece by piece, no faster than the client reads. What breaks off resets the stream."""
        pieces = response.stream
        assert pieces is not None

        async def send() -> None:
            if not has_body(stream.request, response):
                self._h2.send_headers(stream.id, fields, end_stream=True)
                self._flush()
                return
            self._h2.send_headers(stream.id, fields)
            stream.is_last = False
            left = response.content_length
            async for piece in pieces:
                left = left - len(piece) if left is not None else None
                if left is not None and left < 0:
                    raise BadResponse("the stream is longer than its content_length")
                await self._send_piece(stream, piece)
            if left:
                raise BadResponse("the stream is shorter than its content_length")
            if stream.id in self._streams:
                self._h2.send_data(stream.id, b"", end_stream=True)
                self._flush()

        if await send_stream(pieces, send, lambda: self._break_off(stream)):
            stream.task = None
            self._finish(stream)

    async def _send_piece(self, stream: Stream, piece: bytes) -> None:
        """Send a piece when the client has room for it. Raises: ConnectionResetError when it has gone."""
        if self._has_ended or stream.id not in self._streams:
            raise ConnectionResetError("the client is gone")
        self._set_unsent(stream, memoryview(piece))
        self._pump(stream)
        self._flush()
        while stream.unsent:
            stream.room = asyncio.get_running_loop().create_future()
            await stream.room

    def _break_off(self, stream: Stream) -> None:
        stream.task = None
        if not self._has_ended and stream.id in self._streams:
            self._h2.reset_stream(stream.id, ErrorCodes.INTERNAL_ERROR)
            self._forget(stream)
            self._flush()

    def _pump_all(self) -> None:
        for stream in list(self._streams.values()):
            if stream.unsent:
                self._pump(stream)

    def _pump(self, stream: Stream) -> None:
        """Send as much of a body as the client has room for."""
        h2, unsent = self._h2, stream.unsent
        frames = 0
        while unsent and not self._is_write_paused:
            size = min(h2.local_flow_control_window(stream.id), h2.max_outbound_frame_size, 16_384, len(unsent))
            if size <= 0:
                break
            piece, unsent = unsent[:size], unsent[size:]
            h2.send_data(stream.id, bytes(piece), end_stream=stream.is_last and not unsent)
            frames += 1
            if frames % 4 == 0:
                self._flush()
        self._set_unsent(stream, unsent)
        if frames:
            self._meter.sent(frames)
            self._sent_bytes += frames
        self._hold_back()
        if unsent:
            if not self._write_deadline:
                self._write_deadline = self._wheel.now + self._server.write_ticks
                self._sent_at_pause = self._transport.get_write_buffer_size()
            return
        if stream.is_last:
            self._finish(stream)
        elif stream.room is not None and not stream.room.done():
            stream.room.set_result(None)

    def _set_unsent(self, stream: Stream, unsent: memoryview) -> None:
        self._unsent += len(unsent) - len(stream.unsent)
        stream.unsent = unsent

    def _hold_back(self) -> None:
        """Tell the server how much of our answers the client leaves with us."""
        if self._unsent != self._held_back:
            self._held_back = self._unsent
            self._server.hold_back(self, self._unsent)

    def _is_stuck(self) -> bool:
        """Say whether a client that we wait for has read nothing since, or given no room. Else wait again."""
        waits = self._is_write_paused or any(stream.unsent for stream in self._streams.values())
        unsent, sent = self._transport.get_write_buffer_size(), self._sent_bytes
        self._sent_bytes = 0
        if waits and not sent and unsent >= self._sent_at_pause:
            return True
        self._sent_at_pause = unsent
        self._write_deadline = self._wheel.now + self._server.write_ticks if waits else 0
        return False

    # -- refusing and ending

    def _refuse(self, stream_id: int, refused: Refused, stream: Stream | None, *, is_whole: bool = False) -> None:
        """Answer that a request is refused; what still comes of it is thrown away."""
        reason: Reason = refused.reason
        request = stream.request if stream is not None else None
        response = self._server.refusal(WireRefusal(reason, refused.detail, request))
        try:
            fields = self._server.renderer.fields(response)
        except (BadResponse, TypeError):
            response = Response(400)
            fields = self._server.renderer.fields(response)
        body = response.body if request is None or request.method != "HEAD" else b""
        window = self._h2.local_flow_control_window(stream_id)
        fields.append((b"content-length", b"%d" % len(body)))
        self._h2.send_headers(stream_id, fields, end_stream=not body)
        if body:
            self._h2.send_data(stream_id, body[: max(0, window)], end_stream=True)
        if not is_whole:
            self._h2.reset_stream(stream_id, ErrorCodes.NO_ERROR)
        if stream is not None:
            self._forget(stream)
        self._end_if_done()

    def _finish(self, stream: Stream) -> None:
        self._forget(stream)
        self._end_if_done()

    def _forget(self, stream: Stream) -> None:
        self._streams.pop(stream.id, None)
        self._server.held_bytes -= stream.received
        stream.received = 0
        task, stream.task = stream.task, None
        if task is not None:
            task.cancel()
        if stream.room is not None and not stream.room.done():
            stream.room.set_exception(ConnectionResetError("the client is gone"))
            stream.room.exception()  # it is no bug when nobody waits any more
        self._set_unsent(stream, memoryview(b""))
        self._hold_back()
        if not self._streams:
            self._idle_at = self._wheel.now + self._server.idle_ticks

    def _flood(self, detail: str) -> None:
        self._server.refusal(WireRefusal("connections", detail))
        self._end(ErrorCodes.ENHANCE_YOUR_CALM)

    def _break(self, error: Exception) -> None:
        """End a connection that does not keep to the protocol; h2 has written its GOAWAY, or we do."""
        log.info("HTTP/2 broke", extra={"detail": str(error)[:200], "kind": type(error).__name__})
        refusals = self._server.counters.refusals
        refusals["malformed"] = refusals.get("malformed", 0) + 1
        self._end(None if isinstance(error, H2Error) else ErrorCodes.PROTOCOL_ERROR)

    def _end(self, code: ErrorCodes | None) -> None:
        """Say goodbye and throw away what still comes until the client has read it."""
        if self._has_ended:
            return
        if code is not None and not self._is_ending:
            self._transport.write(self._h2.data_to_send() + self._goodbye(code))
        else:
            self._flush()
        self._has_ended = True
        for stream in list(self._streams.values()):
            self._forget(stream)
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()
        else:
            self._transport.close()
        if self.deadline != GONE:
            self.deadline = self._wheel.now + self._server.linger_ticks

    def _goodbye(self, code: ErrorCodes) -> bytes:
        return GoAwayFrame(0, last_stream_id=self._last_id, error_code=int(code)).serialize()

    def _end_if_done(self) -> None:
        if self._is_ending and not self._streams and not self._has_ended:
            self._end(None)

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._has_ended:
            self._transport.write(data)

    def _look_again(self) -> None:
        if self.deadline != GONE:
            self.deadline = self._wheel.now + self._check_ticks

    # -- draining

    @property
    def is_working(self) -> bool:
        """Say whether a request is being received or answered."""
        return bool(self._streams) or self._transport.get_write_buffer_size() > 0

    @property
    def is_awaited(self) -> bool:
        """Say whether requests and answers go on only when the client sends or reads more."""
        return self.is_working and all(stream.task is None for stream in self._streams.values())

    def close_if_idle(self) -> None:
        """Tell the client to open no more streams; close when none is open. Part of draining."""
        if self._has_ended:
            return
        self._flush()
        self._is_ending = True
        self._transport.write(self._goodbye(ErrorCodes.NO_ERROR))
        self._end_if_done()

    def abort(self) -> None:
        """Close at once. Part of draining."""
        self._has_ended = True
        self._transport.abort()


def _state() -> H2Connection:
    config = H2Configuration(
        client_side=False, header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
    )
    h2 = H2Connection(config)
    h2.local_settings = Settings(
        client=False,
        initial_values={
            SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS_MAX,
            SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW_BYTES,
            SettingCodes.HEADER_TABLE_SIZE: TABLE_BYTES,
            SettingCodes.MAX_HEADER_LIST_SIZE: 64 * 1024,
        },
    )
    return h2
