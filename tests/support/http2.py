"""An HTTP/2 client for tests, on h2's other side or with frames by hand, over real TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def a_frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


@dataclass
class Answer:
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_whole: bool = False
    reset: int | None = None

    @property
    def status(self) -> int:
        return int(self.headers[":status"])


class Http2Client:
    """Requests by number of stream; `goodbye` is the code of the GOAWAY that came."""

    def __init__(self, reader: Any, writer: Any, *, acknowledges: bool = True) -> None:
        self.reader, self.writer = reader, writer
        self.h2 = H2Connection(
            H2Configuration(
                client_side=True,
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.answers: dict[int, Answer] = {}
        self.goodbye: int | None = None
        self.has_ended = False
        self.acknowledges = acknowledges
        self.h2.initiate_connection()

    def request(
        self, method: str = "GET", path: str = "/", *, body: bytes | None = None, headers: Any = (), ends: bool = True
    ) -> int:
        stream = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "https"), (":authority", "api.shop.test"), (":path", path)]
        return self.send(stream, [*pseudo, *headers], body=body, ends=ends)

    def send(self, stream: int, headers: Any, *, body: bytes | None = None, ends: bool = True) -> int:
        self.h2.send_headers(stream, headers, end_stream=ends and body is None)
        self.answers[stream] = Answer()
        if body is not None:
            while body:
                size = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body))
                self.h2.send_data(stream, body[:size], end_stream=ends and size == len(body))
                body = body[size:]
        return stream

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    async def read(self) -> bool:
        """Take what comes next; False at the end."""
        self.flush()
        try:
            data = await asyncio.wait_for(self.reader.read(65_536), 10)
        except (ConnectionResetError, ssl.SSLError):
            data = b""
        if not data:
            self.has_ended = True
            return False
        for event in self.h2.receive_data(data):
            if isinstance(event, ResponseReceived):
                self.answers[event.stream_id].headers = dict(event.headers)
            elif isinstance(event, DataReceived):
                self.answers[event.stream_id].body += event.data
                if self.acknowledges:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self.answers[event.stream_id].is_whole = True
            elif isinstance(event, StreamReset):
                self.answers[event.stream_id].reset = int(event.error_code)
            elif isinstance(event, ConnectionTerminated):
                self.goodbye = int(event.error_code)
        self.flush()
        return True

    async def answer(self, stream: int) -> Answer:
        """Wait for the end of a response."""
        found = self.answers[stream]
        while not found.is_whole and found.reset is None:
            if not await self.read():
                break
        return found

    async def until_the_end(self) -> int | None:
        """Read until the connection ends; give the code of the GOAWAY."""
        while await self.read():
            pass
        return self.goodbye


@asynccontextmanager
async def an_http2_client(port: int, context: ssl.SSLContext, **options: Any) -> AsyncIterator[Http2Client]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="api.shop.test", limit=2**20
    )
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    try:
        yield Http2Client(reader, writer, **options)
    finally:
        writer.transport.abort()
