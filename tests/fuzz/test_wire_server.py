"""No bytes may crash or hang a server's connection, or be read differently when they arrive in other pieces."""

from __future__ import annotations

import asyncio
import re

import httptools
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.wire.messages import Response
from tests.support.wire import a_connection, a_server, answers_in

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=30_000, deadline=None, suppress_health_check=list(HealthCheck))

GOOD = [
    b"GET /a?b=1 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n",
    b"POST /b HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello",
    b"PUT /c HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
    b"HEAD / HTTP/1.0\r\nHost: [::1]:80\r\nConnection: keep-alive\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
    b"GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
]
TOKENS = [
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t", b"\0", b":", b",", b";", b"0", b"-1", b"1", b"ffffffffffffffff",
    b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n", b"chunked", b"HTTP/1.0", b"HTTP/2.0",
    b"Connection: close\r\n", b"\x80", b"GET / HTTP/1.1\r\n", b"0\r\n\r\n", b"Expect: 100-continue\r\n",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = b"".join(draw(st.lists(st.sampled_from(GOOD), min_size=1, max_size=4)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            data = data[:at] + draw(st.sampled_from(TOKENS)) + data[at:]
        elif kind == 1:
            data = data[:at] + data[at + draw(st.integers(1, 8)) :]
        elif kind == 2:
            data = data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
        else:
            end = draw(st.integers(at, len(data)))
            data = data[:end] + data[at:end] + data[end:]
    return data


cuts = st.lists(st.integers(1, 60), max_size=12)


def in_pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        if not data:
            break
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data] if data else pieces


def talk(pieces: list[bytes], *, waits: bool = False):
    """Give `pieces` to a connection; what its handler saw, what it sent, and whether it ended."""
    seen = []

    def answer(request):
        seen.append((request.method, request.path, request.query, request.headers, request.body))
        return Response(200, body=request.body)

    async def answer_later(request):
        await asyncio.sleep(0)
        return answer(request)

    async def scenario():
        connection, transport = a_connection(a_server(answer_later if waits else answer))
        for piece in pieces:
            turns = 0
            while not transport.is_reading_now and not transport.is_closed:
                await asyncio.sleep(0)
                turns += 1
                assert turns < 1000, "it never reads again"
            if transport.is_closed:
                break
            connection.data_received(piece)
        for _ in range(40):
            await asyncio.sleep(0)
        assert len(connection._pending) <= connection._limits.raw_head_bytes_max
        connection.connection_lost(None)
        return transport

    transport = asyncio.run(scenario())
    return seen, transport.sent, transport.has_ended or transport.is_closed


def check_any_bytes(data: bytes, sizes: list[int]) -> None:
    seen, sent, ended = talk(in_pieces(data, sizes))
    heads = re.findall(rb"HTTP/1\.1 (\d\d\d) ", sent)
    final = [status for status in heads if status != b"100"]
    assert len(final) <= len(seen) + 1
    refused = len(final) == len(seen) + 1
    assert not refused or ended
    assert not refused or final[-1] != b"200"


def check_pieces_do_not_matter(data: bytes, sizes: list[int]) -> None:
    whole, whole_sent, whole_ended = talk([data])
    for waits in (False, True):
        seen, sent, ended = talk(in_pieces(data, sizes), waits=waits)
        assert seen == whole
        assert ended == whole_ended
        statuses = re.findall(rb"HTTP/1\.1 ([2-5]\d\d) ", sent)
        whole_statuses = re.findall(rb"HTTP/1\.1 ([2-5]\d\d) ", whole_sent)
        assert len(statuses) == len(whole_statuses)
        assert statuses[: len(seen)] == whole_statuses[: len(seen)]


class Reference:
    """The C parser with all its call-backs: what it reads without any of our own reading."""

    def __init__(self) -> None:
        self.requests = []
        self.headers_done = False

    def on_message_begin(self):
        self.target, self.headers, self.body, self.headers_done = b"", [], b"", False

    def on_url(self, part):
        self.target += part

    def on_header(self, name, value):
        if not self.headers_done:
            self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self):
        self.headers_done = True

    def on_body(self, part):
        self.body += part

    def on_message_complete(self):
        self.requests.append((self.target, self.headers, self.body))


def check_both_parsers_agree(data: bytes) -> None:
    seen, _, _ = talk([data])
    reference = Reference()
    parser = httptools.HttpRequestParser(reference)
    try:
        parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        pass
    for (_, path, query, headers, body), (_, other_headers, other_body) in zip(seen, reference.requests, strict=False):
        upgrades = any(name.lower() == b"upgrade" for name, _ in headers)
        assert headers == other_headers
        if upgrades:
            break  # there the C parser stops to read HTTP
        assert body == other_body
        assert (path, query) is not None
    if len(seen) > len(reference.requests):
        assert any(name.lower() == b"upgrade" for request in seen for name, _ in request[3])


@QUICK
@given(st.binary(max_size=400), cuts)
def test_random_bytes_do_no_harm(data, sizes):
    check_any_bytes(data, sizes)


@QUICK
@given(mutated(), cuts)
def test_broken_requests_do_no_harm(data, sizes):
    check_any_bytes(data, sizes)


@QUICK
@given(mutated(), cuts)
def test_requests_are_the_same_however_they_arrive(data, sizes):
    check_pieces_do_not_matter(data, sizes)


@QUICK
@given(mutated())
def test_what_we_read_is_what_the_c_parser_reads(data):
    check_both_parsers_agree(data)


@QUICK
@given(st.lists(st.sampled_from(GOOD[:3]), min_size=1, max_size=5), cuts)
def test_good_requests_are_all_answered(requests, sizes):
    seen, sent, ended = talk(in_pieces(b"".join(requests), sizes))
    assert len(seen) == len(requests)
    assert [answer.body for answer in answers_in(sent)] == [body for *_, body in seen]
    assert not ended


@pytest.mark.soak
@LONG
@given(mutated(), cuts)
def test_broken_requests_do_no_harm_for_long(data, sizes):
    check_any_bytes(data, sizes)
    check_pieces_do_not_matter(data, sizes)
    check_both_parsers_agree(data)
