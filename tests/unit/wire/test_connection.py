"""One client's connection: reading, answering in order, streaming, waiting, ending."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.wire.messages import Response
from tests.support.wire import GET, a_connection, a_server, answers_in, echo, exchanged

HOST = b"Host: shop.example\r\n"


def post(body: bytes, *headers: bytes) -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"POST /orders HTTP/1.1\r\n" + HOST + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


def post_chunked(*chunks: bytes, trailers: bytes = b"") -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return (
        b"POST /orders HTTP/1.1\r\n"
        + HOST
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + body
        + b"0\r\n"
        + trailers
        + b"\r\n"
    )


both_ways = pytest.mark.parametrize("needs_tasks", [True, False])


async def settle(turns: int = 8) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


def seen_by_handler(*pieces: bytes, **limits):
    seen = []

    def handler(request):
        seen.append(request)
        return Response(200)

    exchanged(*pieces, server=a_server(handler, **limits))
    return seen


# -- reading


def test_a_request_is_answered_and_the_connection_stays_open():
    answers = exchanged(GET, GET)
    assert [answer.status for answer in answers] == [200, 200]
    assert "connection" not in answers[0].headers


def test_a_request_may_arrive_byte_by_byte():
    data = post(b"abc") + GET + post_chunked(b"d", b"ef")
    answers = exchanged(*[bytes([byte]) for byte in data])
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"abc"), (200, b""), (200, b"def")]


LINES = st.one_of(
    st.tuples(
        st.sampled_from([b"GET", b"HEAD", b"POST", b"CONNECT", b"get", b"PRI", b"SOURCE", b"", b"G\x00T", b"QUERY"]),
        st.one_of(
            st.sampled_from([b"/", b"/a?b=%20#c", b"/#", b"*", b"http://shop.example/a", b"http://evil/", b"a:80"]),
            st.binary(max_size=12).map(lambda target: b"/" + target),
        ),
        st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.1 ", b" HTTP/1.1", b"http/1.1", b""]),
    ).map(b" ".join),
    st.binary(max_size=24),
)


@settings(max_examples=400, deadline=None)
@given(line=LINES, is_split=st.booleans())
def test_a_request_line_means_the_same_before_header_lines_that_are_known(line, is_split):
    """Repeated header lines are not parsed again; what stands before them is read as strictly as ever."""
    head = line + b"\r\n" + HOST + b"\r\n"
    pieces = (head[:-3], head[-3:]) if is_split else (head,)
    after_the_same, after_others = (
        [(answer.status, answer.headers.get("x-target"), answer.headers.get("x-reason")) for answer in answers[1:]]
        for answers in (
            exchanged(b"GET / HTTP/1.1\r\n" + HOST + others + b"\r\n", *pieces) for others in (b"", b"X: y\r\n")
        )
    )
    assert after_the_same == after_others


def test_bodies_behind_known_header_lines_are_read_each_by_its_length():
    data = post(b"abc") + post(b"def") + GET + post(b"ghi") + b"POST /orders HTTP/1.1\r\n\r\n"
    answers = exchanged(data)
    assert [answer.body for answer in answers[:4]] == [b"abc", b"def", b"", b"ghi"]
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 400]


def test_headers_keep_their_case_order_and_repetitions():
    (request,) = seen_by_handler(b"GET / HTTP/1.1\r\nhOST: shop.example\r\nX-B:  2 \r\nx-a:\r\nX-B: 3:4\r\n\r\n")
    assert request.headers == [(b"hOST", b"shop.example"), (b"X-B", b"2"), (b"x-a", b""), (b"X-B", b"3:4")]
    assert request.header(b"x-b") == b"2"
    assert request.header(b"x-a") == b""
    assert request.header(b"x-c") is None
    assert request.host() == "shop.example"


def test_a_handler_may_change_the_headers_without_changing_the_next_request():
    seen = []

    def handler(request):
        seen.append(list(request.headers))
        request.headers.clear()
        return Response(200)

    exchanged(GET + GET, server=a_server(handler))
    assert seen[0] == seen[1] == [(b"Host", b"shop.example")]


def test_a_header_is_not_found_inside_another_ones_value():
    (request,) = seen_by_handler(b"GET / HTTP/1.1\r\nX-A: x-b: 1\r\nHost: shop.example\r\n\r\n")
    assert request.header(b"x-b") is None


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/a?b=1&c", "/a", "b=1&c"),
        (b"/a?", "/a", ""),
        (b"/%2e%2E/%zz%", "/%2e%2E/%zz%", ""),  # invalid percent-encoding stays as it is
        (b"//a/../b;c", "//a/../b;c", ""),
        (b"/a?b?c", "/a", "b?c"),
        (b"http://shop.example/a?b", "/a", "b"),
        (b"HTTP://SHOP.example?b", "/", "b"),
        (b"http://shop.example", "/", ""),
    ],
)
def test_targets_are_taken_as_they_are(target, path, query):
    (request,) = seen_by_handler(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    assert (request.path, request.query) == (path, query)


def test_options_of_the_server_itself():
    (request,) = seen_by_handler(b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n")
    assert (request.method, request.path) == ("OPTIONS", "*")


def test_one_empty_line_before_a_request_is_ignored():
    assert [answer.status for answer in exchanged(b"\r\n" + GET + b"\r\n" + GET)] == [200, 200]
    assert [answer.status for answer in exchanged(b"\r", b"\n" + GET)] == [200]


def test_an_upgrade_is_answered_as_if_it_were_not_offered():
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
    data = b"POST / HTTP/1.1\r\n" + HOST + offer + b"Content-Length: 3\r\n\r\nabc"
    answers = exchanged(data + GET + b"GET / HTTP/1.1\r\n" + HOST + offer + b"\r\n" + GET)
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"abc"), (200, b""), (200, b""), (200, b"")]


def test_a_body_may_hold_what_looks_like_a_request():
    answers = exchanged(post(GET) + post_chunked(GET))
    assert [answer.body for answer in answers] == [GET, GET]


def test_trailers_are_kept_apart_and_never_merged():
    (request,) = seen_by_handler(post_chunked(b"abc", trailers=b"Host: evil.example\r\nX-Admin: 1\r\n"))
    assert request.body == b"abc"
    assert request.header(b"x-admin") is None
    assert [name for name, _ in request.headers] == [b"Host", b"Transfer-Encoding"]
    assert request.trailers == [(b"host", b"evil.example"), (b"x-admin", b"1")]


def test_chunk_extensions_are_ignored():
    data = b"POST / HTTP/1.1\r\n" + HOST + b'Transfer-Encoding: chunked\r\n\r\n3;a=b;c;d="e;f\\""\r\nabc\r\n0;c\r\n\r\n'
    assert exchanged(data)[0].body == b"abc"


# -- keep-alive


@pytest.mark.parametrize(
    ("version", "header", "kept"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"Connection: x, CLOSE\r\n", False),
        (b"1.1", b"Connection: keep-alive\r\nConnection: close\r\n", False),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: Keep-Alive\r\n", True),
    ],
)
def test_a_connection_is_kept_as_the_version_and_its_header_say(version, header, kept):
    data = b"GET / HTTP/1." + version[2:] + b"\r\n" + HOST + header + b"\r\n"
    connection, transport = a_connection()
    connection.data_received(data)
    (answer,) = answers_in(transport.sent)
    assert answer.status == 200
    assert transport.is_closed is not kept
    expected = ("keep-alive" if version == b"1.0" else None) if kept else "close"
    assert answer.headers.get("connection") == expected


def test_a_request_after_close_is_not_answered():
    data = b"GET /a HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    seen = seen_by_handler(data + GET)
    assert [request.target for request in seen] == ["/a"]


def test_connections_that_change_their_headers_are_read_anew():
    other = GET.replace(b"shop", b"vendor")
    seen = seen_by_handler(GET, other, GET, other.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert [request.host() for request in seen] == ["shop.example", "vendor.example", "shop.example", "vendor.example"]


def test_what_an_old_request_meant_is_not_taken_for_a_new_ones():
    new = GET.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n")
    answers = exchanged(new.replace(b"HTTP/1.1", b"HTTP/1.0"), new)
    assert [answer.headers.get("connection") for answer in answers] == ["keep-alive", None]


# -- pipelining


def test_pipelined_requests_are_answered_in_order_by_one_write():
    data = b"".join(b"GET /%d HTTP/1.1\r\n" % n + HOST + b"\r\n" for n in range(10))
    connection, transport = a_connection()
    connection.data_received(data)
    assert [answer.headers["x-target"] for answer in answers_in(transport.sent)] == [f"/{n}" for n in range(10)]
    assert transport.writes == 1


def test_a_long_pipeline_lets_other_connections_in_between():
    async def scenario():
        connection, transport = a_connection()
        connection.data_received(GET * 200)
        at_once = len(answers_in(transport.sent))
        was_reading = transport.is_reading_now
        await settle()
        return at_once, was_reading, len(answers_in(transport.sent)), transport.is_reading_now

    assert asyncio.run(scenario()) == (64, False, 200, True)


def test_pipelined_requests_wait_for_a_slow_one_while_reading_stops():
    async def scenario():
        gate = asyncio.get_running_loop().create_future()

        async def handler(request):
            if request.target == "/slow":
                await gate
            return echo(request)

        connection, transport = a_connection(a_server(handler))
        connection.data_received(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n" + GET)
        await settle()
        assert transport.sent == b""
        assert not transport.is_reading_now
        gate.set_result(None)
        await settle()
        assert transport.is_reading_now
        return [answer.headers["x-target"] for answer in answers_in(transport.sent)]

    assert asyncio.run(scenario()) == ["/slow", "/orders"]


def test_pipelined_requests_are_not_answered_while_the_client_does_not_read():
    async def scenario():
        connection, transport = a_connection(
            a_server(lambda request: Response(200, body=b"x" * 100_000), write_buffer_bytes=50_000)
        )
        transport.room = 1000
        connection.data_received(GET)
        connection.data_received(GET)
        await settle()
        first = len(answers_in(transport.sent))
        transport.client_reads()
        await settle()
        return first, len(answers_in(transport.sent))

    assert asyncio.run(scenario()) == (1, 2)


def test_large_answers_to_a_pipeline_do_not_pile_up():
    async def scenario():
        made = []

        def handler(request):
            made.append(request)
            return Response(200, body=b"x" * 100_000)

        connection, transport = a_connection(a_server(handler, write_buffer_bytes=250_000))
        transport.room = 0
        connection.data_received(GET * 50)
        await settle()
        return len(made)

    assert asyncio.run(scenario()) == 3


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 1_000_000])
def test_bodies_of_any_size_arrive_whole(size):
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    answers = exchanged(GET * 3, server=a_server(lambda _: Response(200, body=body)))
    assert [answer.body == body for answer in answers] == [True] * 3
    connection, transport = a_connection(a_server(lambda _: Response(200, body=body)))
    connection.data_received(GET.replace(b"GET", b"HEAD"))
    assert answers_in(transport.sent, head_only=True)[0].headers["content-length"] == str(size)
    assert transport.sent.endswith(b"\r\n\r\n")


# -- Expect


def expecting(length: int, version: bytes = b"HTTP/1.1") -> bytes:
    return b"PUT / " + version + b"\r\n" + HOST + b"Expect: 100-Continue\r\nContent-Length: %d\r\n\r\n" % length


def test_a_body_that_is_expected_is_asked_for():
    assert [answer.status for answer in exchanged(expecting(3))] == [100]
    assert [(answer.status, answer.body) for answer in exchanged(expecting(3), b"abc")] == [(100, b""), (200, b"abc")]


def test_a_body_that_is_already_there_is_not_asked_for():
    assert [answer.status for answer in exchanged(expecting(3) + b"a", b"bc")] == [200]


def test_a_body_that_would_be_too_large_is_refused_before_it_is_sent():
    assert [answer.status for answer in exchanged(expecting(11), server=a_server(body_bytes_max=lambda _: 10))] == [413]


def test_an_old_client_is_not_asked():
    assert [answer.status for answer in exchanged(expecting(3, b"HTTP/1.0"))] == []


# -- limits


def test_a_body_of_the_limit_passes_and_one_byte_more_does_not():
    server = a_server(body_bytes_max=lambda _: 10)
    assert [a.status for a in exchanged(post(b"x" * 10), server=server)] == [200]
    assert [a.status for a in exchanged(post(b"x" * 11), server=server)] == [413]
    assert [a.status for a in exchanged(post_chunked(b"x" * 5, b"x" * 5), server=server)] == [200]
    assert [a.status for a in exchanged(post_chunked(b"x" * 5, b"x" * 6), server=server)] == [413]
    assert server.counters.refusals == {"body_too_large": 2}


def test_a_body_is_refused_by_its_announced_length_before_it_comes():
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 999999999\r\n\r\n"
    assert [answer.status for answer in exchanged(head)] == [413]
    chunk = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n"
    assert [answer.status for answer in exchanged(chunk)] == [413]


def test_the_bound_of_a_body_may_depend_on_the_request():
    server = a_server(body_bytes_max=lambda request: 10 if request.path == "/orders" else 20)
    assert exchanged(post(b"x" * 20), server=server)[0].status == 413
    assert exchanged(post(b"x" * 20).replace(b"/orders", b"/upload"), server=server)[0].status == 200


def head_of(size: int) -> bytes:
    """A head whose request line and header values have `size` bytes."""
    line = b"GET / HTTP/1.1"
    return line + b"\r\n" + HOST + b"X-A: " + b"x" * (size - len(line) - len(b"shop.example")) + b"\r\n\r\n"


def test_request_line_and_header_values_count_towards_the_limit_of_the_head():
    assert exchanged(head_of(10_240))[0].status == 200
    assert exchanged(head_of(10_241))[0].status == 431


def test_a_head_without_an_end_is_refused_as_it_arrives():
    server = a_server()
    pieces = [b"GET / HTTP/1.1\r\n" + HOST, *[b"X-A: " + b"x" * 990 + b"\r\n"] * 40]
    assert [answer.status for answer in exchanged(*pieces, server=server)] == [431]
    assert [answer.status for answer in exchanged(b"GET / HTTP/1.1\r\n" + HOST + b"X-A: " + b"x" * 40_000)] == [431]


def test_a_target_of_the_limit_passes_and_one_byte_more_does_not():
    limits = {"target_bytes_max": 100}
    line = b"GET /%b HTTP/1.1\r\n" + HOST + b"\r\n"
    assert exchanged(line % (b"a" * 99), server=a_server(**limits))[0].status == 200
    assert exchanged(line % (b"a" * 100), server=a_server(**limits))[0].status == 414
    assert exchanged(b"GET /" + b"a" * 300, server=a_server(**limits))[0].status == 414


def test_the_number_of_headers_is_bounded():
    def with_headers(count):
        return b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * (count - 1) + b"\r\n"

    assert exchanged(with_headers(20), server=a_server(headers_max=20))[0].status == 200
    assert exchanged(with_headers(21), server=a_server(headers_max=20))[0].status == 431


def test_what_comes_after_a_refusal_is_thrown_away_up_to_a_bound():
    connection, transport = a_connection()
    connection.data_received(b"nonsense\r\n\r\n")
    for _ in range(64):
        connection.data_received(b"x" * 1024 * 1024)
    assert not transport.is_closed
    connection.data_received(b"x" * 1024 * 1024)
    assert transport.is_aborted
    assert len(answers_in(transport.sent)) == 1


def test_the_bytes_of_unfinished_bodies_are_bounded_together():
    server = a_server(held_bytes_max=1000)
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 2000\r\n\r\n"
    first, first_transport = a_connection(server)
    second, second_transport = a_connection(server)
    third, _ = a_connection(server)
    first.data_received(head + b"x" * 600)
    second.data_received(head)
    second.data_received(b"x" * 401)
    assert first_transport.sent == b""
    assert [answer.status for answer in answers_in(second_transport.sent)] == [503]
    assert server.held_bytes == 600
    third.data_received(head.replace(b"2000", b"300") + b"x" * 299)
    third.data_received(b"x")
    assert server.held_bytes == 600
    second.connection_lost(None)
    first.connection_lost(None)
    assert server.held_bytes == 0


def test_the_bytes_of_a_large_first_read_are_bounded_too():
    server = a_server(held_bytes_max=1000)
    chunk = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1000\r\n" + b"x" * 2000
    connection, transport = a_connection(server)
    connection.data_received(chunk)
    assert [answer.status for answer in answers_in(transport.sent)] == [503]
    connection.connection_lost(None)
    assert server.held_bytes == 0


# -- time


def turned(server, ms: int) -> None:
    for _ in range(ms // server.wheel.tick_ms):
        server.wheel.turn()


TIMES = {"head_ms": 1000, "body_ms": 2000, "idle_ms": 4000, "write_ms": 3000, "linger_ms": 1000}


def test_an_idle_connection_is_closed_without_a_word():
    server = a_server(**TIMES)
    connection, transport = a_connection(server)
    connection.data_received(GET)
    sent = transport.sent
    turned(server, 3750)
    assert not transport.is_closed
    turned(server, 1000)
    assert transport.is_closed
    assert transport.sent == sent


def test_a_head_that_drips_is_ended_by_its_own_time_limit():
    server = a_server(**TIMES)
    connection, transport = a_connection(server)
    for byte in b"GET / H":
        connection.data_received(bytes([byte]))
        turned(server, 250)
    assert [answer.status for answer in answers_in(transport.sent)] == [408]
    assert transport.has_ended


def test_a_slow_second_request_is_ended_too():
    server = a_server(**TIMES)
    connection, transport = a_connection(server)
    connection.data_received(GET + b"GET / H")
    turned(server, 1500)
    assert [answer.status for answer in answers_in(transport.sent)] == [200, 408]


def test_a_body_that_drips_is_ended_although_it_makes_progress():
    server = a_server(**TIMES, body_bytes_per_second_min=1000)
    connection, transport = a_connection(server)
    connection.data_received(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\n")
    for _ in range(12):
        connection.data_received(b"x")
        turned(server, 250)
    assert [answer.status for answer in answers_in(transport.sent)] == [408]


def test_what_has_come_quickly_of_a_body_buys_no_rest():
    server = a_server(**TIMES, body_bytes_per_second_min=1000)
    connection, transport = a_connection(server)
    connection.data_received(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999\r\n\r\n")
    connection.data_received(b"x" * 90_000)  # of which 90 s would be bought
    turned(server, 1500)
    assert transport.sent == b""
    turned(server, 1000)
    assert [answer.status for answer in answers_in(transport.sent)] == [408]


def test_a_body_that_comes_fast_enough_may_take_long():
    server = a_server(**TIMES, body_bytes_per_second_min=1000)
    connection, transport = a_connection(server)
    connection.data_received(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 10000\r\n\r\n")
    for _ in range(20):
        connection.data_received(b"x" * 500)
        turned(server, 250)
    assert [answer.status for answer in answers_in(transport.sent)] == [200]


def test_a_working_handler_has_no_time_limit_of_the_wire():
    async def scenario():
        server = a_server(lambda _: waits(), **TIMES)
        gate = asyncio.get_running_loop().create_future()

        async def waits():
            await gate
            return Response(200)

        connection, transport = a_connection(server)
        connection.data_received(GET)
        turned(server, 60_000)
        gate.set_result(None)
        await settle()
        return answers_in(transport.sent)

    assert [answer.status for answer in asyncio.run(scenario())] == [200]


def test_a_client_that_does_not_read_is_cut_off():
    server = a_server(lambda _: Response(200, body=b"x" * 1_000_000), **TIMES, write_buffer_bytes=1000)
    connection, transport = a_connection(server)
    transport.room = 10
    connection.data_received(GET)
    turned(server, 2000)
    transport.unsent -= 10_000  # it reads a little: that gives it more time
    turned(server, 3000)
    assert not transport.is_aborted
    turned(server, 4000)
    assert transport.is_aborted
    assert server.counters.slow_readers == 1


def test_clients_that_leave_too_much_unread_are_cut_off_the_worst_first():
    server = a_server(
        lambda request: Response(200, body=b"x" * int(request.path[1:])), write_buffer_bytes=1000, unsent_bytes_max=2000
    )
    pairs = [a_connection(server) for _ in range(4)]
    for (connection, transport), size in zip(pairs, (70_000, 70_900, 70_900, 100), strict=True):
        transport.room = 69_950
        transport.high = 0
        connection.data_received(b"GET /%d HTTP/1.1\r\nHost: shop.example\r\n\r\n" % size)
    assert [transport.is_aborted for _, transport in pairs] == [False, True, False, False]
    assert server.counters.slow_readers == 1


def test_what_clients_read_or_leave_behind_is_not_counted_any_more():
    server = a_server(lambda _: Response(200, body=b"x" * 70_900), write_buffer_bytes=1000, unsent_bytes_max=2000)
    for number in range(6):
        connection, transport = a_connection(server)
        transport.room = 70_000
        transport.high = 0
        connection.data_received(GET)
        assert not transport.is_aborted
        if number % 2:
            transport.client_reads()
        else:
            connection.connection_lost(None)


def test_a_refused_client_that_does_not_close_is_cut_off():
    server = a_server(**TIMES)
    connection, transport = a_connection(server)
    connection.data_received(b"nonsense\r\n\r\n")
    turned(server, 2000)
    assert transport.is_aborted


def test_of_too_many_connections_the_one_that_waits_longest_makes_room(monkeypatch):
    monkeypatch.setattr("gatepost.wire.server.ROOM_AT_ONCE", 1)
    server = a_server(**TIMES, connections_max=3)
    pairs = []
    for data in (b"", GET, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"):
        pairs.append(a_connection(server))
        if data:
            pairs[-1][0].data_received(data)
        turned(server, 500)

    def closed_after_one_more():
        a_connection(server)
        server.forget(next(one for one, transport in pairs if transport.is_closed or transport.is_aborted))
        return [transport.is_closed or transport.is_aborted for _, transport in pairs]

    assert closed_after_one_more() == [True, False, False]


def test_a_closed_connection_leaves_the_wheel():
    server = a_server(**TIMES)
    connection, transport = a_connection(server)
    connection.connection_lost(None)
    turned(server, 10_000)
    assert not transport.is_closed
    assert server.counters.connections_open == 0
    assert not any(server.wheel._slots.values())


# -- handlers


def test_a_coroutine_that_never_waits_is_answered_without_a_task():
    async def handler(request):
        assert len(asyncio.all_tasks()) == 1
        return echo(request)

    async def scenario():
        connection, transport = a_connection(a_server(handler))
        connection.data_received(GET)
        return transport.sent

    assert answers_in(asyncio.run(scenario()))[0].status == 200


def test_a_coroutine_that_waits_goes_on_in_a_task():
    async def handler(request):
        await asyncio.sleep(0)
        assert asyncio.current_task() is not None
        await asyncio.wait_for(asyncio.sleep(0), 1)
        async with asyncio.timeout(1):
            await asyncio.sleep(0)
        return echo(request)

    assert [answer.status for answer in exchanged(GET, server=a_server(handler))] == [200]


@both_ways
def test_the_first_future_that_a_handler_waits_for_is_waited_for(needs_tasks):
    async def scenario():
        first = asyncio.get_running_loop().create_future()

        async def handler(request):
            return Response(200, body=await first)

        connection, transport = a_connection(a_server(handler, needs_tasks=needs_tasks))
        connection.data_received(GET)
        await settle()
        assert transport.sent == b""
        first.set_result(b"now")
        await settle()
        return transport.sent

    assert answers_in(asyncio.run(scenario()))[0].body == b"now"


@both_ways
def test_the_error_of_the_first_future_reaches_the_handler(needs_tasks):
    async def scenario():
        first = asyncio.get_running_loop().create_future()

        async def handler(request):
            try:
                await first
            except LookupError:
                return Response(204)

        connection, transport = a_connection(a_server(handler, needs_tasks=needs_tasks))
        connection.data_received(GET)
        first.set_exception(LookupError())
        await settle()
        return transport.sent

    assert answers_in(asyncio.run(scenario()))[0].status == 204


def raises(request):
    raise LookupError("secret")


async def raises_at_once(request):
    raise LookupError("secret")


async def raises_later(request):
    await asyncio.sleep(0)
    raise LookupError("secret")


async def waits_for_something_cancelled(request):
    await asyncio.sleep(0)
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


@both_ways
@pytest.mark.parametrize(
    "handler",
    [
        raises,
        raises_at_once,
        raises_later,
        waits_for_something_cancelled,
        lambda request: None,
        lambda request: "text",
        lambda request: Response(101),
        lambda request: Response(99),
        lambda request: Response("200"),
        lambda request: Response(200, [(b"X-A", b"1\r\nX-B: 2")]),
        lambda request: Response(200, [(b"X-A", b"1\nX-B: 2")]),
        lambda request: Response(200, [(b"X-A", b"1\r")]),
        lambda request: Response(200, [(b"X-A", b"1\0")]),
        lambda request: Response(200, [(b"X-A\r\nX-B", b"1")]),
        lambda request: Response(200, [(b"X A", b"1")]),
        lambda request: Response(200, [(b"", b"1")]),
        lambda request: Response(200, [(b"X-A", "text")]),
        lambda request: Response(200, [("X-A", b"1")]),
        lambda request: Response(200, body="text"),
    ],
)
def test_a_handler_that_fails_gives_500_and_the_connection_survives(handler, needs_tasks, caplog):
    server = a_server(handler, needs_tasks=needs_tasks)
    answers = exchanged(GET, GET, server=server)
    assert [answer.status for answer in answers] == [500, 500]
    assert answers[0].body == b'{"message": "Internal server error"}'
    assert b"secret" not in answers[0].body
    assert server.counters.failures == 2
    assert caplog.records


@both_ways
def test_a_client_that_goes_away_cancels_its_handler(needs_tasks):
    async def scenario():
        ended = []

        async def handler(request):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        server = a_server(handler, needs_tasks=needs_tasks)
        connection, transport = a_connection(server)
        connection.data_received(GET)
        connection.eof_received()
        connection.connection_lost(None)
        await settle()
        return ended, transport.sent, server.counters.disconnected

    assert asyncio.run(scenario()) == (["cancelled"], b"", 1)


@both_ways
def test_a_handler_is_cancelled_even_before_its_task_has_run(needs_tasks):
    async def scenario():
        ended = []

        async def handler(request):
            try:
                await asyncio.sleep(60)
            finally:
                ended.append("cleaned up")

        connection, _ = a_connection(a_server(handler, needs_tasks=needs_tasks))
        connection.data_received(GET)
        connection.connection_lost(None)
        await settle()
        return ended

    assert asyncio.run(scenario()) == ["cleaned up"]


class NeverAFuture:
    def __await__(self):
        yield "nonsense"


async def waits_for_nonsense(request):
    await asyncio.sleep(0)
    await NeverAFuture()


async def waits_for_nonsense_at_once(request):
    await NeverAFuture()


@both_ways
@pytest.mark.parametrize("handler", [waits_for_nonsense, waits_for_nonsense_at_once])
def test_waiting_for_what_is_no_future_is_a_failure(handler, needs_tasks):
    assert exchanged(GET, server=a_server(handler, needs_tasks=needs_tasks))[0].status == 500


@both_ways
def test_a_handler_may_wait_in_many_ways(needs_tasks):
    async def handler(request):
        loop = asyncio.get_running_loop()
        lock, queue = asyncio.Lock(), asyncio.Queue()
        loop.call_soon(queue.put_nowait, b"a")
        async with lock:
            first = await queue.get()
        second, third = await asyncio.gather(asyncio.sleep(0, b"b"), asyncio.shield(asyncio.sleep(0, b"c")))
        fourth = await loop.run_in_executor(None, lambda: b"d")
        return Response(200, body=first + second + third + fourth)

    async def scenario():
        connection, transport = a_connection(a_server(handler, needs_tasks=needs_tasks))
        connection.data_received(GET)
        while not transport.sent:
            await asyncio.sleep(0.001)
        return answers_in(transport.sent)[0].body

    assert asyncio.run(scenario()) == b"abcd"


@both_ways
def test_a_cancelled_handler_may_take_its_time_to_clean_up(needs_tasks):
    async def scenario():
        steps = []

        async def handler(request):
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0)
                steps.append("cleaned up")

        connection, _ = a_connection(a_server(handler, needs_tasks=needs_tasks))
        connection.data_received(GET)
        await settle()
        connection.connection_lost(None)
        await settle()
        return steps

    assert asyncio.run(scenario()) == ["cleaned up"]


@both_ways
def test_a_handler_whose_future_is_done_when_the_client_goes_away_is_cancelled(needs_tasks):
    async def scenario():
        first = asyncio.get_running_loop().create_future()
        went_on = []

        async def handler(request):
            await first
            went_on.append(True)
            await asyncio.sleep(0)
            return Response(200)

        connection, _ = a_connection(a_server(handler, needs_tasks=needs_tasks))
        connection.data_received(GET)
        await settle()
        first.set_result(None)
        connection.connection_lost(None)
        await settle()
        return went_on

    assert asyncio.run(scenario()) == []


@both_ways
def test_a_handler_between_two_turns_of_the_loop_is_cancelled(needs_tasks):
    async def scenario():
        went_on = []

        async def handler(request):
            for _ in range(3):
                await asyncio.sleep(0)
            went_on.append(True)

        connection, _ = a_connection(a_server(handler, needs_tasks=needs_tasks))
        connection.data_received(GET)
        await asyncio.sleep(0)
        connection.connection_lost(None)
        await settle()
        return went_on

    assert asyncio.run(scenario()) == []


# -- responses


def test_the_server_alone_writes_framing_date_and_connection():
    own = [
        (b"Content-Length", b"999"),
        (b"transfer-encoding", b"chunked"),
        (b"DATE", b"never"),
        (b"Connection", b"close"),
        (b"Keep-Alive", b"1"),
    ]
    (answer,) = exchanged(GET, server=a_server(lambda _: Response(200, [*own, (b"X-A", b"1")], b"abc")))
    assert answer.headers == {"x-a": "1", "content-length": "3", "date": "Thu, 09 Oct 2025 08:53:20 GMT"}


@pytest.mark.parametrize("status", [204, 304])
def test_responses_that_have_no_body_have_none(status):
    answers = exchanged(GET, GET, server=a_server(lambda _: Response(status, body=b"never")))
    assert [answer.status for answer in answers] == [status, status]
    assert "content-length" not in answers[0].headers


def test_the_answer_to_head_has_the_length_and_no_body():
    connection, transport = a_connection(a_server(lambda _: Response(200, body=b"abc")))
    connection.data_received(GET.replace(b"GET", b"HEAD") * 2)
    answers = answers_in(transport.sent, head_only=True)
    assert [answer.headers["content-length"] for answer in answers] == ["3", "3"]


def test_the_answer_to_head_may_announce_another_length():
    connection, transport = a_connection(a_server(lambda _: Response(200, content_length=12345)))
    connection.data_received(GET.replace(b"GET", b"HEAD"))
    assert answers_in(transport.sent, head_only=True)[0].headers["content-length"] == "12345"


def test_the_date_moves_on_every_second():
    server = a_server()
    assert exchanged(GET, server=server)[0].headers["date"].endswith("08:53:20 GMT")
    server.clock.advance(ms=1000)
    server.renderer.refresh()
    assert exchanged(GET, server=server)[0].headers["date"].endswith("08:53:21 GMT")


def test_unusual_statuses_can_be_sent():
    assert [exchanged(GET, server=a_server(lambda _, s=s: Response(s)))[0].status for s in (299, 599, 777)] == [
        299,
        599,
        777,
    ]


# -- streams


async def pieces(*items, closed=None):
    try:
        for item in items:
            await asyncio.sleep(0)
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        if closed is not None:
            closed.append(True)


def streamed(response_of, *requests, room=None):
    async def scenario():
        connection, transport = a_connection(a_server(response_of))
        transport.room = room
        for request in requests:
            connection.data_received(request)
        await settle(40)
        return transport

    return asyncio.run(scenario())


def test_a_stream_goes_out_in_chunks_and_the_connection_stays_open():
    transport = streamed(lambda _: Response(200, stream=pieces(b"ab", b"", b"c" * 70_000)), GET, GET)
    answers = answers_in(transport.sent)
    assert [answer.body for answer in answers] == [b"ab" + b"c" * 70_000] * 2
    assert answers[0].headers["transfer-encoding"] == "chunked"
    assert not transport.is_closed


def test_a_stream_of_known_length_is_not_chunked():
    (answer,) = answers_in(streamed(lambda _: Response(200, stream=pieces(b"ab", b"c"), content_length=3), GET).sent)
    assert (answer.body, answer.headers["content-length"]) == (b"abc", "3")


@pytest.mark.parametrize("content_length", [2, 4])
def test_a_stream_of_the_wrong_length_ends_the_connection(content_length):
    seen = []

    def handler(request):
        seen.append(request)
        return Response(200, stream=pieces(b"ab", b"c"), content_length=content_length)

    assert streamed(handler, GET, GET).is_aborted
    assert len(seen) == 1


def test_an_old_client_gets_a_stream_until_the_connection_closes():
    transport = streamed(lambda _: Response(200, stream=pieces(b"ab", b"c")), GET.replace(b"1.1", b"1.0"))
    assert transport.sent.endswith(b"\r\n\r\nabc")
    assert b"Connection: close" in transport.sent
    assert b"chunked" not in transport.sent
    assert transport.is_closed


def test_a_stream_that_breaks_off_ends_the_connection_without_a_last_chunk(caplog):
    closed = []
    transport = streamed(lambda _: Response(200, stream=pieces(b"ab", LookupError("broken"), closed=closed)), GET)
    assert transport.is_aborted
    assert not transport.sent.endswith(b"0\r\n\r\n")
    assert closed == [True]
    assert caplog.records


def test_a_bad_header_of_a_stream_ends_the_connection(caplog):
    transport = streamed(lambda _: Response(200, [(b"X-A", b"\r\n")], stream=pieces(b"ab")), GET)
    assert transport.is_aborted
    assert transport.sent == b""
    assert caplog.records


def test_the_answer_to_head_has_no_stream():
    closed = []
    transport = streamed(
        lambda _: Response(200, stream=pieces(b"ab", closed=closed), content_length=2),
        GET.replace(b"GET", b"HEAD"),
        GET,
    )
    head, _, rest = transport.sent.partition(b"\r\n\r\n")
    assert b"Content-Length: 2" in head
    assert answers_in(rest)[0].body == b"ab"


def test_a_stream_waits_for_a_client_that_reads_slowly():
    async def scenario():
        produced = []

        async def many():
            for n in range(100):
                produced.append(n)
                yield b"x" * 1000

        connection, transport = a_connection(a_server(lambda _: Response(200, stream=many()), write_buffer_bytes=5000))
        transport.room = 10_000
        connection.data_received(GET)
        await settle(300)
        held_at = len(produced)
        transport.client_reads()
        await settle(300)
        return held_at, len(produced), answers_in(transport.sent)[0].body

    held_at, all_of_them, body = asyncio.run(scenario())
    assert held_at < 20
    assert all_of_them == 100
    assert body == b"x" * 100_000


def test_a_stream_is_closed_when_the_client_goes_away():
    async def scenario():
        closed = []

        async def endless():
            try:
                while True:
                    yield b"x"
                    await asyncio.sleep(0)
            finally:
                closed.append(True)

        connection, _ = a_connection(a_server(lambda _: Response(200, stream=endless())))
        connection.data_received(GET)
        await settle()
        connection.connection_lost(None)
        await settle()
        return closed

    assert asyncio.run(scenario()) == [True]


def test_a_stream_that_waits_for_the_client_is_closed_when_it_goes_away():
    async def scenario():
        closed = []

        async def endless():
            try:
                while True:
                    yield b"x" * 1000
            finally:
                closed.append(True)

        connection, transport = a_connection(
            a_server(lambda _: Response(200, stream=endless()), write_buffer_bytes=5000)
        )
        transport.room = 0
        connection.data_received(GET)
        await settle()
        connection.connection_lost(ConnectionResetError())
        await settle()
        return closed

    assert asyncio.run(scenario()) == [True]


def test_a_coroutine_may_answer_with_a_stream():
    async def handler(request):
        await asyncio.sleep(0)
        return Response(200, stream=pieces(b"ab"))

    assert answers_in(streamed(handler, GET).sent)[0].body == b"ab"
