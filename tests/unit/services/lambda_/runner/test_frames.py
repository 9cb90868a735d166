"""Both ends of a worker's socket, in one process."""

from __future__ import annotations

import socket
import threading

import pytest

from gatepost.services.lambda_.runner import frames
from gatepost.services.lambda_.runner.worker.channel import LOG_CHUNK_BYTES, Channel


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    yield ours, Channel(theirs, log_bytes_max=1_000_000)
    ours.close()
    theirs.close()


def replies(ours: socket.socket) -> list[tuple[int, bytes, int]]:
    """Read what stands in the socket."""
    ours.setblocking(False)
    data = b""
    try:
        while part := ours.recv(1 << 20):
            data += part
    except BlockingIOError:
        pass
    found = []
    while data:
        kind, _, length, number = frames.REPLY.unpack_from(data)
        found.append((kind, data[frames.REPLY.size : frames.REPLY.size + length], number))
        data = data[frames.REPLY.size + length :]
    return found


def test_a_request_arrives_as_it_was_sent(ends) -> None:
    ours, channel = ends
    payload = b"\x00\xff" * 200_000
    sent = frames.blob(b'{"a":1}') + frames.request(payload, 1 << 41, b"id", "tröce".encode(), b"{}", b"arn:x")
    sent += frames.request(b"{}", 7, b"id2", b"", b"", b"")
    writer = threading.Thread(target=ours.sendall, args=(sent,))
    writer.start()
    assert channel.next_blob() == b'{"a":1}'
    first, second = channel.next_request(), channel.next_request()
    writer.join()
    assert (first.payload, first.deadline_ms) == (payload, 1 << 41)
    assert (first.request_id, first.trace_id, first.client_context, first.arn) == ("id", "tröce", "{}", "arn:x")
    assert (second.payload, second.request_id, second.trace_id) == (b"{}", "id2", "")


def test_replies_and_log_lines_keep_their_order(ends) -> None:
    ours, channel = ends
    channel.log(frames.LOG_LINES, b"one\n")
    channel.log(frames.LOG_EVENT, b"two")
    channel.reply(frames.RESULT, b"{}", 42)
    assert replies(ours) == [(frames.LOG_LINES, b"one\n", 0), (frames.LOG_EVENT, b"two", 0), (frames.RESULT, b"{}", 42)]


def test_output_is_cut_at_its_bound_and_counted_anew_for_each_invocation() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = Channel(theirs, log_bytes_max=10)
        for text in (b"123456", b"789abc", b"def"):
            channel.log(frames.LOG_LINES, text)
        assert channel.take_dropped() == (5, 10)
        assert channel.take_dropped() == (0, 10)
        ours.sendall(frames.request(b"{}", 7, b"", b"", b"", b""))
        channel.next_request()
        channel.log(frames.LOG_LINES, b"again")
        assert [body for _, body, _ in replies(ours)] == [b"123456", b"789a", b"again"]


def test_long_output_goes_in_pieces(ends) -> None:
    ours, channel = ends
    reader: list[bytes] = []

    def read() -> None:
        while sum(map(len, reader)) < 2 * LOG_CHUNK_BYTES + 2 * frames.REPLY.size:
            reader.append(ours.recv(1 << 20))

    thread = threading.Thread(target=read)
    thread.start()
    channel.log(frames.LOG_LINES, b"x" * 2 * LOG_CHUNK_BYTES)
    thread.join(5)
    kind, _, length, _ = frames.REPLY.unpack_from(b"".join(reader))
    assert (kind, length) == (frames.LOG_LINES, LOG_CHUNK_BYTES)
