"""Connections for tests: a real server connection on a transport that records, and a client that speaks raw bytes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from gatepost.kernel.clock import FixedClock, SystemClock
from gatepost.wire.client import Client
from gatepost.wire.connection import ServerConnection
from gatepost.wire.limits import ListenerLimits, WireRefusal
from gatepost.wire.messages import Request, Response
from gatepost.wire.outgoing import ClientLimits, OutgoingRequest
from gatepost.wire.server import Server

GET = b"GET /orders HTTP/1.1\r\nHost: shop.example\r\n\r\n"


def refuse_plainly(refusal: WireRefusal) -> Response:
    return Response(refusal.status, [(b"X-Reason", refusal.reason.encode())], refusal.detail.encode())


def echo(request: Request) -> Response:
    return Response(200, [(b"X-Target", request.target.encode())], request.body)


def a_server(
    handler: Any = echo, *, clock: Any = None, body_bytes_max: Any = None, needs_tasks: bool = True, **limits: int
) -> Server:
    return Server(
        handler,
        limits=ListenerLimits(**limits),
        refuse=refuse_plainly,
        clock=clock or FixedClock(),
        body_bytes_max=body_bytes_max,
        needs_tasks=needs_tasks,
    )


class RecordingTransport(asyncio.Transport):
    """A transport without a socket. `room` bytes are "in the socket" at once; more make the writer wait."""

    def __init__(self, protocol: asyncio.Protocol, *, peername: Any = ("198.51.100.7", 4711)) -> None:
        super().__init__({"peername": peername})
        self.protocol = protocol
        self.sent = b""
        self.writes = 0
        self.is_closed = False
        self.is_aborted = False
        self.has_ended = False
        self.is_reading_now = True
        self.unsent = 0
        self.room: int | None = None
        self.high = 64 * 1024

    def write(self, data: bytes) -> None:
        self.writes += 1
        self.sent += data
        if self.room is not None:
            self.unsent += max(0, len(data) - self.room)
            self.room = max(0, self.room - len(data))
            if self.unsent > self.high:
                self.protocol.pause_writing()

    def writelines(self, pieces: Any) -> None:
        self.write(b"".join(pieces))

    def client_reads(self) -> None:
        """Let the client take everything that is unsent."""
        self.unsent = 0
        self.room = None
        self.protocol.resume_writing()

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_ended = True

    def pause_reading(self) -> None:
        self.is_reading_now = False

    def resume_reading(self) -> None:
        self.is_reading_now = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        del low
        self.high = high or self.high

    def get_write_buffer_size(self) -> int:
        return self.unsent


def a_connection(server: Server | None = None) -> tuple[ServerConnection, RecordingTransport]:
    connection = ServerConnection(server or a_server())
    transport = RecordingTransport(connection)
    connection.connection_made(transport)
    return connection, transport


@dataclass(frozen=True)
class Answer:
    """A response as it was read from the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


def answers_in(data: bytes, *, head_only: bool = False) -> list[Answer]:
    """Take responses apart, strictly; fails on anything left over."""
    found = []
    while data:
        head, mark, data = data.partition(b"\r\n\r\n")
        assert mark, f"a response's head does not end: {head!r}"
        line, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = line.split(" ", 2)
        assert version == "HTTP/1.1"
        pairs = [each.split(": ", 1) for each in lines]
        headers = {name.lower(): value for name, value in pairs}
        assert len(headers) == len(pairs), f"a header is there twice: {lines}"
        if head_only or status in {"100", "204", "304"}:
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body, data = chunks_in(data)
        else:
            size = int(headers["content-length"])
            assert len(data) >= size, "the body is cut off"
            body, data = data[:size], data[size:]
        found.append(Answer(int(status), headers, body))
    return found


def chunks_in(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        piece, end, data = data[: int(size, 16)], data[int(size, 16) :][:2], data[int(size, 16) + 2 :]
        assert end == b"\r\n"
        if not piece:
            return body, data
        body += piece


def exchanged(*pieces: bytes, server: Server | None = None) -> list[Answer]:
    """Give `pieces` to a new connection, each as one read, and what it answers at once."""

    async def scenario() -> bytes:
        connection, transport = a_connection(server)
        for piece in pieces:
            connection.data_received(piece)
        for _ in range(12):
            await asyncio.sleep(0)
        return transport.sent

    return answers_in(asyncio.run(scenario()))


def a_socket() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


@asynccontextmanager
async def serving(handler: Any = echo, **options: Any) -> AsyncIterator[tuple[Server, int]]:
    """Serve on a free port."""
    server = a_server(handler, clock=SystemClock(), **options)
    await server.serve(a_socket())
    try:
        yield server, server.addresses[0][1]
    finally:
        await server.drain(0)


async def said(port: int, data: bytes) -> bytes:
    """Send `data` and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def upstream(speak: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> AsyncIterator[int]:
    """Run a server that says exactly what `speak` writes, for each connection; gives its port."""
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await speak(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def a_client(allow_address: Any = None, tls: Any = None, **limits: int) -> AsyncIterator[Client]:
    client = Client(clock=SystemClock(), limits=ClientLimits(**limits), allow_address=allow_address, tls=tls)
    try:
        yield client
    finally:
        await client.close()


def a_request(port: int, method: str = "GET", target: str = "/", **options: Any) -> OutgoingRequest:
    return OutgoingRequest(method, "127.0.0.1", port, target, **options)
