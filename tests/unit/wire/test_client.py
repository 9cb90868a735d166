"""The client against servers that say exactly what a test wants them to say."""

import asyncio
import ssl

import pytest
import uvloop

from gatepost.kernel.clock import SystemClock
from gatepost.wire.client import Client
from gatepost.wire.messages import Response
from gatepost.wire.outgoing import (
    AddressRefused,
    ClientLimits,
    ConnectFailed,
    OutgoingRequest,
    UpstreamClosed,
    UpstreamMalformed,
    UpstreamTimedOut,
    UpstreamTooLarge,
)
from tests.support.certificates import server_context, terms
from tests.support.wire import a_client, a_request, a_server, a_socket, echo, serving, upstream

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def read_request(reader) -> bytes:
    """Read one request with its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return head + await reader.readexactly(length)


def says(*pieces: bytes, closes: bool = False):
    """Answer each request of a connection with `pieces`."""

    async def speak(reader, writer):
        while True:
            await read_request(reader)
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.001)
            if closes:
                return

    return speak


def answered(*pieces: bytes, closes: bool = False, method: str = "GET", count: int = 1, **options):
    """Send requests to a server that says `pieces`; give the last answer and how often the server was connected to."""
    connections = []

    async def scenario():
        async def speak(reader, writer):
            connections.append(1)
            await says(*pieces, closes=closes)(reader, writer)

        async with upstream(speak) as port, a_client() as client:
            for _ in range(count):
                response = await client.send(a_request(port, method, **options))
            return response

    return uvloop.run(scenario()), len(connections)


# -- what goes out


def test_a_request_as_it_goes_out():
    seen = []

    async def scenario():
        async def speak(reader, writer):
            while True:
                seen.append(await read_request(reader))
                writer.write(OK)

        async with upstream(speak) as port, a_client() as client:
            own = [(b"X-A", b"1"), (b"connection", b"close"), (b"Content-Length", b"9"), (b"TE", b"trailers")]
            await client.send(a_request(port, "POST", "/a?b", headers=own, body=b"abc"))
            await client.send(a_request(port, "GET", "/", headers=[(b"host", b"other.example")]))
            await client.send(a_request(port, "POST", "/"))
            return port

    port = uvloop.run(scenario())
    assert seen == [
        b"POST /a?b HTTP/1.1\r\nX-A: 1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 3\r\n\r\nabc" % port,
        b"GET / HTTP/1.1\r\nhost: other.example\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 0\r\n\r\n" % port,
    ]


@pytest.mark.parametrize(
    "request_",
    [
        OutgoingRequest("GET", "h", 80, "/a b"),
        OutgoingRequest("GET", "h", 80, "/a\r\nX: y"),
        OutgoingRequest("GET", "h", 80, "a"),
        OutgoingRequest("GET", "h", 80, "/é"),
        OutgoingRequest("GET /x", "h", 80, "/"),
        OutgoingRequest("GET", "h", 80, "/", [(b"X-A", b"1\r\nX-B: 2")]),
        OutgoingRequest("GET", "h", 80, "/", [(b"X-A", b"1\n")]),
        OutgoingRequest("GET", "h", 80, "/", [(b"X-A", b"1\0")]),
        OutgoingRequest("GET", "h", 80, "/", [(b"X-A: 1\r\nX-B", b"1")]),
        OutgoingRequest("GET", "h", 80, "/", [(b"", b"1")]),
    ],
)
def test_what_would_be_read_as_something_else_is_not_sent(request_):
    async def scenario():
        async with a_client() as client:
            await client.send(request_)

    with pytest.raises(ValueError, match=r"is no|CR, LF"):
        asyncio.run(scenario())


# -- what comes back


def test_an_answer_with_its_headers_as_they_were_written():
    response, _ = answered(b"HTTP/1.1 201 Created\r\nX-a: 1\r\nContent-Length: 2\r\nx-A:  2 \r\n\r\nok")
    assert (response.status, response.body) == (201, b"ok")
    assert response.headers == [(b"X-a", b"1"), (b"Content-Length", b"2"), (b"x-A", b"2")]
    assert response.header(b"x-a") == b"1"


def test_an_answer_may_arrive_byte_by_byte():
    response, _ = answered(*[bytes([byte]) for byte in OK], count=2)
    assert response.body == b"ok"


def test_connections_are_used_again():
    assert answered(OK, count=5)[1] == 1
    assert (
        answered(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n", count=5)[1] == 1
    )
    assert answered(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", count=5)[1] == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_connections_that_the_server_ends_are_not_used_again(answer):
    assert answered(answer, count=3)[1] == 3


def test_a_head_that_repeats_is_not_taken_for_another():
    answers = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\ncd",
        b"HTTP/1.1 201 OK\r\nContent-Length: 2\r\n\r\nef",
        b"HTTP/1.1 201 OK\r\nContent-Length: 3\r\n\r\nghi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\njk",
    ]

    async def speak(reader, writer):
        for answer in answers:
            await read_request(reader)
            writer.write(answer)

    async def scenario():
        async with upstream(speak) as port, a_client() as client:
            return [await client.send(a_request(port)) for _ in answers]

    taken = [(response.status, response.body) for response in uvloop.run(scenario())]
    assert taken == [(200, b"ab"), (200, b"cd"), (201, b"ef"), (201, b"ghi"), (200, b"jk")]


def test_the_answer_to_head_has_no_body_and_leaves_the_connection_usable():
    response, connections = answered(OK[:-2], method="HEAD", count=3)
    assert (response.body, response.header(b"content-length"), connections) == (b"", b"2", 1)
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert answered(chunked, method="HEAD", count=3)[1] == 1


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_statuses_that_have_no_body(status):
    response, connections = answered(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n", count=3)
    assert (response.body, connections) == (b"", 1)


def test_interim_responses_are_skipped():
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    assert answered(early + OK, count=2)[0].body == b"ok"
    assert answered(early, OK, count=2)[0].body == b"ok"


def test_an_answer_without_a_length_ends_with_the_connection():
    response, connections = answered(b"HTTP/1.1 200 OK\r\n\r\nab", b"cd", closes=True, count=2)
    assert (response.body, connections) == (b"abcd", 2)
    assert answered(b"HTTP/1.1 200 OK\r\n\r\n", closes=True)[0].body == b""


def test_nothing_is_decompressed():
    response, _ = answered(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope")
    assert response.body == b"nope"


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \x00\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
        b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 70_000 + b"\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_what_is_no_response_is_malformed(answer):
    with pytest.raises(UpstreamMalformed):
        answered(answer)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nhello world",
    ],
)
def test_a_body_beyond_the_bound_is_not_taken(answer):
    with pytest.raises(UpstreamTooLarge):
        answered(answer, body_bytes_max=10)


@pytest.mark.parametrize("answer", [OK, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"])
def test_bytes_after_an_answer_are_never_the_next_one(answer):
    response, connections = answered(answer + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", count=2)
    assert (response.body, connections) == (b"ok", 2)


def test_a_connection_whose_request_was_not_taken_whole_is_not_used_again():
    connections = []

    async def scenario():
        async def speak(reader, writer):
            connections.append(1)
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.pause_reading()
            writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            await asyncio.sleep(0.05)

        async with upstream(speak) as port, a_client() as client:
            first = await client.send(a_request(port, "POST", body=b"x" * 30_000_000))
            second = await client.send(a_request(port, "POST", body=b"x"))
            return first.status, second.status

    assert uvloop.run(scenario()) == (413, 413)
    assert len(connections) == 2


def test_bytes_that_nobody_asked_for_end_the_connection():
    connections = []

    async def scenario():
        told = asyncio.Event()

        async def speak(reader, writer):
            connections.append(1)
            await read_request(reader)
            writer.write(OK)
            await told.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            await reader.read()

        async with upstream(speak) as port, a_client() as client:
            await client.send(a_request(port))
            told.set()
            await asyncio.sleep(0.02)
            return (await client.send(a_request(port))).body

    assert uvloop.run(scenario()) == b"ok"
    assert len(connections) == 2


# -- failing


def test_nobody_listens():
    async def scenario():
        async with a_client() as client:
            with a_socket() as sock:  # bound, not listening
                await client.send(a_request(sock.getsockname()[1]))

    with pytest.raises(ConnectFailed):
        uvloop.run(scenario())


def test_a_server_that_says_nothing_times_out():
    async def scenario():
        async with upstream(says()) as port, a_client() as client:
            await client.send(a_request(port, read_ms=30))

    with pytest.raises(UpstreamTimedOut):
        uvloop.run(scenario())


def test_an_answer_that_drips_times_out_as_a_whole():
    async def scenario():
        async with upstream(says(*[bytes([byte]) for byte in OK] * 100)) as port, a_client() as client:
            await client.send(a_request(port, read_ms=15))

    with pytest.raises(UpstreamTimedOut):
        uvloop.run(scenario())


def test_a_short_deadline_holds_after_a_long_one():
    async def scenario():
        async def speak(reader, writer):
            await read_request(reader)
            writer.write(OK)
            await reader.read()

        async with upstream(speak) as port, a_client() as client:
            await client.send(a_request(port, read_ms=60_000))
            await client.send(a_request(port, read_ms=30))

    with pytest.raises(UpstreamTimedOut):
        uvloop.run(scenario())


def test_a_server_that_closes_before_it_answers():
    with pytest.raises(UpstreamClosed):
        answered(closes=True)
    with pytest.raises(UpstreamClosed):
        answered(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", closes=True)
    with pytest.raises(UpstreamClosed):
        answered(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", closes=True)


def test_a_certificate_that_is_not_trusted_is_no_connection(tmp_path):
    tls, _ = server_context(tmp_path)

    async def scenario():
        server = a_server(echo)
        await server.serve(a_socket(), tls=terms(tls))
        try:
            async with a_client(tls=ssl.create_default_context()) as client:
                await client.send(a_request(server.addresses[0][1], is_tls=True))
        finally:
            await server.drain(0)

    with pytest.raises(ConnectFailed, match="certificate"):
        uvloop.run(scenario())


def test_a_connection_that_takes_too_long_fails():
    async def scenario():
        async def speak(reader, writer):
            await reader.read()  # never a TLS handshake

        async with upstream(speak) as port, a_client(connect_ms=30) as client:
            await client.send(a_request(port, is_tls=True))

    with pytest.raises(ConnectFailed, match="within 30 ms"):
        uvloop.run(scenario())


# -- stale connections


def stale(method: str, *, answers_first: bool = True, partly: bytes = b""):
    """Answer the first request, close on the second, answer on a new connection."""
    requests = []

    async def scenario():
        async def speak(reader, writer):
            requests.append(await read_request(reader))
            if len(requests) == 2:
                writer.write(partly)
                return
            writer.write(OK)
            if len(requests) == 1:
                requests.append(await read_request(reader))
                writer.write(partly)

        async with upstream(speak) as port, a_client() as client:
            await client.send(a_request(port))
            response = await client.send(a_request(port, method))
            return response.body, client.retries

    return uvloop.run(scenario()), len(requests)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_a_repeatable_request_on_a_stale_connection_is_sent_once_more(method):
    (_, retries), requests = stale(method)
    assert (retries, requests) == (1, 3)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_other_requests_are_not_sent_twice(method):
    with pytest.raises(UpstreamClosed):
        stale(method)


def test_a_request_whose_answer_had_begun_is_not_sent_twice():
    with pytest.raises(UpstreamClosed):
        stale("GET", partly=b"HTTP/1.1 200 OK\r\n")


def test_a_new_connection_that_ends_is_not_tried_again():
    connections = []

    async def scenario():
        async def speak(reader, writer):
            connections.append(1)
            await read_request(reader)

        async with upstream(speak) as port, a_client() as client:
            await client.send(a_request(port))

    with pytest.raises(UpstreamClosed):
        uvloop.run(scenario())
    assert len(connections) == 1


def test_a_connection_that_was_seen_to_end_is_not_used():
    async def scenario():
        async def speak(reader, writer):
            await read_request(reader)
            writer.write(OK)

        async with upstream(speak) as port, a_client() as client:
            await client.send(a_request(port))
            await asyncio.sleep(0.02)
            await client.send(a_request(port, "POST"))
            return client.retries

    assert uvloop.run(scenario()) == 0


def test_a_connection_that_was_idle_for_too_long_is_not_used():
    connections = []

    async def scenario():
        async def speak(reader, writer):
            connections.append(1)
            await says(OK)(reader, writer)

        async with upstream(speak) as port, a_client(idle_ms=10) as client:
            await client.send(a_request(port))
            await asyncio.sleep(0.03)
            await client.send(a_request(port))

    uvloop.run(scenario())
    assert len(connections) == 2


# -- ending


def test_closing_the_client_ends_what_is_under_way():
    async def scenario():
        async with upstream(says()) as port:
            client = Client(clock=SystemClock(), limits=ClientLimits())
            sending = asyncio.ensure_future(client.send(a_request(port)))
            await asyncio.sleep(0.01)
            await client.close()
            await sending

    with pytest.raises(UpstreamClosed):
        uvloop.run(scenario())


# -- streams


def test_a_large_answer_comes_as_a_stream():
    body = bytes(range(256)) * 8192  # 2 MB

    async def scenario():
        async with serving(lambda _: Response(200, body=body)) as (server, port), a_client() as client:
            response = await client.send(a_request(port, is_streamed=True, body_bytes_max=10))
            received = b"".join([piece async for piece in response.stream])
            second = await client.send(a_request(port, is_streamed=True))
            async for _ in second.stream:
                pass
            return response.body, received, server.counters.connections

    whole, received, connections = uvloop.run(scenario())
    assert whole == b""
    assert received == body
    assert connections == 1


def test_a_small_answer_comes_whole_although_a_stream_was_allowed():
    response, _ = answered(OK, is_streamed=True)
    assert (response.body, response.stream) == (b"ok", None)


@pytest.mark.parametrize(
    ("pieces", "closes"),
    [
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", b"abc", b"def"), False),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n3\r\nd", b"ef\r\n0\r\n\r\n"), False),
        ((b"HTTP/1.1 200 OK\r\n\r\nab", b"cd", b"ef"), True),
    ],
)
def test_streams_of_every_framing(pieces, closes):
    async def scenario():
        async with upstream(says(*pieces, closes=closes)) as port, a_client() as client:
            response = await client.send(a_request(port, is_streamed=True))
            return b"".join([piece async for piece in response.stream])

    assert uvloop.run(scenario()) == b"abcdef"


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n"),
    ],
)
def test_a_stream_that_breaks_off_says_so(pieces):
    async def scenario():
        async with upstream(says(*pieces, closes=True)) as port, a_client() as client:
            response = await client.send(a_request(port, is_streamed=True))
            return b"".join([piece async for piece in response.stream])

    with pytest.raises(UpstreamClosed):
        uvloop.run(scenario())


def test_a_stream_that_stops_times_out():
    async def scenario():
        async with (
            upstream(says(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", b"abc")) as port,
            a_client() as client,
        ):
            response = await client.send(a_request(port, is_streamed=True, read_ms=30))
            return b"".join([piece async for piece in response.stream])

    with pytest.raises(UpstreamTimedOut):
        uvloop.run(scenario())


def test_a_stream_is_not_read_faster_than_it_is_taken():
    sent = []

    async def scenario():
        async def speak(reader, writer):
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            for _ in range(100):
                writer.write(b"x" * 1_000_000)
                await writer.drain()
                sent.append(1)

        async with upstream(speak) as port, a_client(buffer_bytes=100_000) as client:
            response = await client.send(a_request(port, is_streamed=True))
            await asyncio.sleep(0.1)
            held_at = len(sent)
            size = 0
            async for piece in response.stream:
                size += len(piece)
            return held_at, size

    held_at, size = uvloop.run(scenario())
    assert held_at < 50
    assert size == 100_000_000


def test_a_stream_that_is_closed_ends_its_connection():
    async def scenario():
        async with (
            upstream(says(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", b"abc")) as port,
            a_client() as client,
        ):
            response = await client.send(a_request(port, is_streamed=True))
            await response.stream.aclose()
            with pytest.raises(UpstreamClosed):
                await anext(response.stream)
            again = await client.send(a_request(port, is_streamed=True))
            await again.stream.aclose()

    uvloop.run(scenario())


def test_a_stream_that_nobody_reads_is_ended():
    async def scenario():
        async def speak(reader, writer):
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 999_999)
            await reader.read()

        async with upstream(speak) as port, a_client(buffer_bytes=1000, stall_ms=20) as client:
            response = await client.send(a_request(port, is_streamed=True, read_ms=20))
            await asyncio.sleep(0.2)
            async for _ in response.stream:
                pass

    with pytest.raises(UpstreamTimedOut):
        uvloop.run(scenario())


# -- addresses


def test_the_policy_sees_the_resolved_address_and_its_word_is_final():
    asked = []

    def allow(address):
        asked.append(address)
        return False

    async def scenario():
        async with serving() as (server, port), a_client(allow) as client:
            for host in ("127.0.0.1", "localhost", "LOCALHOST.", "a.localhost", "::ffff:127.0.0.1", "::1"):
                with pytest.raises(AddressRefused):
                    await client.send(OutgoingRequest("GET", host, port, "/"))
            return server.counters.connections

    assert uvloop.run(scenario()) == 0
    assert asked == ["127.0.0.1", *["127.0.0.1", "::1"] * 3, "127.0.0.1", "::1"]


def test_only_allowed_addresses_are_tried():
    async def scenario():
        async with serving() as (_, port), a_client(lambda address: address == "127.0.0.1") as client:
            return (await client.send(OutgoingRequest("GET", "api.localhost", port, "/"))).status

    assert uvloop.run(scenario()) == 200


def test_a_name_without_an_address_is_no_connection():
    async def scenario():
        async with a_client() as client:
            await client.send(OutgoingRequest("GET", "no such name", 80, "/", [(b"Host", b"h")]))

    with pytest.raises(ConnectFailed, match="has no address"):
        uvloop.run(scenario())
