"""No bytes of a server may crash or hang the client, or be read differently when they arrive in other pieces."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.wire.outgoing import ClientLimits, OutgoingRequest, UpstreamError
from gatepost.wire.upstream import Sent, UpstreamConnection
from tests.fuzz.test_wire_server import TOKENS, cuts, in_pieces
from tests.support.wire import RecordingTransport

QUICK = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=30_000, deadline=None, suppress_health_check=list(HealthCheck))

GOOD = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.integers(0, 2))
        if kind == 0:
            data = data[:at] + draw(st.sampled_from(TOKENS)) + data[at:]
        elif kind == 1:
            data = data[:at] + data[at + draw(st.integers(1, 8)) :]
        else:
            data = data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
    return data


class Owner:
    """Keeps what a connection tells its pool."""

    def __init__(self):
        self.told = []

    def freed(self, _connection):
        self.told.append("freed")

    def lost(self, _connection):
        self.told.append("lost")

    def failed(self, _connection, sent, error):
        sent.promise.fail(error)


def received(pieces: list[bytes], *, is_streamed: bool, head_only: bool) -> tuple[str, int, bytes]:
    """Give `pieces` and then the end to a connection that waits for an answer; what came of it."""

    async def scenario():
        owner = Owner()
        connection = UpstreamConnection(ClientLimits(), owner)
        connection.connection_made(RecordingTransport(connection))
        method = "HEAD" if head_only else "GET"
        request = OutgoingRequest(
            method, "a.example", 80, "/", is_streamed=is_streamed, body_bytes_max=1000, read_ms=60_000
        )
        sent = Sent(request, b"x")
        connection.start(sent)
        for piece in pieces:
            connection.data_received(piece)
        connection.eof_received()
        connection.connection_lost(None)
        assert sent.promise.done(), "nobody is told how it ended"
        assert owner.told in (["lost"], ["freed", "lost"])
        try:
            response = await sent.promise
            body = response.body
            if response.stream is not None:
                body = b"".join([piece async for piece in response.stream])
        except UpstreamError as error:
            return type(error).__name__, 0, b""
        return "answered", response.status, body

    return asyncio.run(scenario())


def check(data: bytes, sizes: list[int], *, head_only: bool) -> None:
    whole = received([data] if data else [], is_streamed=False, head_only=head_only)
    parts = received(in_pieces(data, sizes), is_streamed=False, head_only=head_only)
    streamed = received(in_pieces(data, sizes), is_streamed=True, head_only=head_only)
    assert parts[0] == "answered" if whole[0] == "answered" else parts[0] != "answered"
    if whole[0] == "answered":
        assert parts == whole
        assert streamed == whole


@QUICK
@given(mutated(), cuts, st.booleans())
def test_answers_are_the_same_however_they_arrive(data, sizes, head_only):
    check(data, sizes, head_only=head_only)


@QUICK
@given(st.binary(max_size=300), cuts)
def test_random_bytes_do_no_harm(data, sizes):
    check(data, sizes, head_only=False)


@pytest.mark.soak
@LONG
@given(mutated(), cuts, st.booleans())
def test_answers_are_the_same_however_they_arrive_for_long(data, sizes, head_only):
    check(data, sizes, head_only=head_only)
