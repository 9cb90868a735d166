"""HTTP/2 on a TLS listener, by a client on h2's other side: requests, flow control, refusals, floods, draining."""

import asyncio
import os
import random
import socket
import subprocess
from contextlib import asynccontextmanager

import pytest
import uvloop
from h2.settings import SettingCodes

from gatepost.kernel.clock import SystemClock
from gatepost.wire.http2_frames import FrameMeter
from gatepost.wire.messages import Response
from tests.support.http2 import PREFACE, a_frame, an_http2_client
from tests.support.tls import a_trusting_context, an_authority, issued, terms_for
from tests.support.wire import a_server, echo

AUTHORITY = an_authority("shop.test")
TERMS = terms_for(issued(AUTHORITY, "api.shop.test"), "api.shop.test")
NO_ERROR, PROTOCOL_ERROR, FRAME_SIZE_ERROR, ENHANCE_YOUR_CALM = 0, 1, 6, 11


@asynccontextmanager
async def serving(handler=echo, **options):
    server = a_server(handler, clock=SystemClock(), **options)
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    await server.serve(sock, tls=lambda name: TERMS)
    try:
        yield server, server.addresses[0][1]
    finally:
        await server.drain(100)


def asking():
    return a_trusting_context(AUTHORITY, alpn=("h2",))


def run(scenario):
    return uvloop.run(scenario())


def one(handler=echo, *arguments, server_options=None, **request):
    """Send one request and give its answer."""

    async def scenario():
        async with serving(handler, **(server_options or {})) as (_, port), an_http2_client(port, asking()) as client:
            return await client.answer(client.request(*arguments, **request))

    return run(scenario)


def test_a_request_and_its_answer():
    answer = one(echo, "POST", "/orders?a=b", body=b"hello")
    assert answer.status == 200
    assert answer.body == b"hello"
    assert answer.headers["x-target"] == "/orders?a=b"
    assert answer.headers["content-length"] == "5"
    assert answer.headers["date"].endswith("GMT")


def test_the_handler_sees_the_request_as_http_1_1_would_have_had_it():
    seen = []

    def handler(request):
        seen.append(request)
        return Response(200, [(b"X-Name", b"value "), (b"Connection", b"close"), (b"Transfer-Encoding", b"chunked")])

    answer = one(handler, headers=[("cookie", "a=1"), ("x-b", "2"), ("cookie", "c=3"), ("te", "trailers")])
    request = seen[0]
    assert request.host() == "api.shop.test"
    assert request.header(b"cookie") == b"a=1; c=3"
    assert request.header(b"x-b") == b"2"
    assert request.is_tls
    assert request.peer.tls.server_name == "api.shop.test"
    assert (answer.headers["x-name"], answer.body) == ("value", b"")
    assert "connection" not in answer.headers
    assert "transfer-encoding" not in answer.headers


def test_head_and_statuses_without_a_body():
    def handler(request):
        return Response(204 if request.path == "/none" else 200, [], b"hello" if request.path != "/none" else b"")

    head = one(handler, "HEAD")
    assert (head.headers["content-length"], head.body) == ("5", b"")
    none = one(handler, "GET", "/none")
    assert (none.status, none.body, none.headers.get("content-length")) == (204, b"", None)


def test_many_requests_at_once_are_answered_each_to_its_own_stream():
    async def handler(request):
        await asyncio.sleep(0.001 * (7 - int(request.path[1:]) % 8))
        return Response(200, [], request.path.encode())

    async def scenario():
        async with serving(handler) as (server, port), an_http2_client(port, asking()) as client:
            streams = [client.request(path=f"/{number}") for number in range(90)]
            bodies = [(await client.answer(stream)).body for stream in streams]
            return bodies, server.counters.requests, server.counters.connections

    assert run(scenario) == ([b"/%d" % number for number in range(90)], 90, 1)


def test_large_bodies_go_both_ways_under_flow_control():
    size = 3_000_000
    body = os.urandom(size)

    async def scenario():
        async with serving(echo) as (_, port), an_http2_client(port, asking()) as client:
            stream = client.request("POST", body=b"", ends=False)
            sent = 0
            while sent < size:
                room = min(client.h2.local_flow_control_window(stream), 16_384, size - sent)
                if room:
                    client.h2.send_data(stream, body[sent : sent + room], end_stream=sent + room == size)
                    sent += room
                    client.flush()
                else:
                    await client.read()
            return (await client.answer(stream)).body

    assert run(scenario) == body


def test_a_client_without_room_holds_up_its_own_stream_only():
    async def scenario():
        handler = lambda request: Response(200, [], b"x" * (200_000 if request.path == "/big" else 5))  # noqa: E731
        async with serving(handler) as (_, port), an_http2_client(port, asking(), acknowledges=False) as client:
            big = client.request(path="/big")
            while len(client.answers[big].body) < 65_535:
                await client.read()
            client.h2.increment_flow_control_window(100_000)  # for the connection, not for the stream
            small = await client.answer(client.request(path="/small"))
            held = len(client.answers[big].body)
            client.h2.increment_flow_control_window(500_000, big)
            client.h2.increment_flow_control_window(500_000)
            return held, small.body, len((await client.answer(big)).body)

    assert run(scenario) == (65_535, b"xxxxx", 200_000)


def test_a_streamed_answer_waits_for_the_client_and_breaks_off_with_a_reset():
    async def pieces(count, fails):
        for number in range(count):
            yield b"%04d" % number + b"x" * 20_000
            await asyncio.sleep(0)
        if fails:
            raise ValueError("broken")

    async def scenario():
        def handler(request):
            return Response(200, [], stream=pieces(20, request.path == "/broken"))

        async with serving(handler) as (_, port), an_http2_client(port, asking()) as client:
            whole = await client.answer(client.request())
            broken = await client.answer(client.request(path="/broken"))
            after = await client.answer(client.request())
            return len(whole.body), broken.reset, after.is_whole

    assert run(scenario) == (20 * 20_004, 2, True)


def test_trailers_are_read():
    seen = []

    async def scenario():
        handler = lambda request: seen.append((request.body, request.trailers)) or Response(200)  # noqa: E731
        async with serving(handler) as (_, port), an_http2_client(port, asking()) as client:
            stream = client.request("POST", body=b"hello", ends=False)
            client.h2.send_headers(stream, [("x-sum", "5")], end_stream=True)
            await client.answer(stream)

    run(scenario)
    assert seen == [(b"hello", [(b"x-sum", b"5")])]


def test_a_handler_that_fails_or_answers_nonsense_is_500():
    def fails(_):
        raise RuntimeError("broken")

    for handler in (fails, lambda _: "text", lambda _: Response(200, [(b"X", b"a\r\nb")]), lambda _: Response(20)):
        assert one(handler).status == 500


def test_a_client_that_resets_cancels_its_handler():
    async def scenario():
        cancelled = asyncio.Event()

        async def handler(_):
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                cancelled.set()
                raise

        async with serving(handler) as (server, port), an_http2_client(port, asking()) as client:
            stream = client.request()
            client.flush()
            while not server.counters.requests:
                await asyncio.sleep(0.005)
            client.h2.reset_stream(stream)
            client.flush()
            await asyncio.wait_for(cancelled.wait(), 5)
            return server.counters.disconnected

    assert run(scenario) == 1


# -- refusals

GOOD = [(":method", "GET"), (":scheme", "https"), (":authority", "api.shop.test"), (":path", "/")]


def changed(**pseudo):
    return [(name, pseudo.get(name[1:], value)) for name, value in GOOD if pseudo.get(name[1:], value) is not None]


BAD_HEADERS = {
    "no path": changed(path=None),
    "empty path": changed(path=""),
    "no slash": changed(path="orders"),
    "absolute path": changed(path="https://other/"),
    "fragment": changed(path="/a#b"),
    "blank in path": changed(path="/a b"),
    "line in path": changed(path="/a\r\nx: y"),
    "line in method": changed(method="GET / HTTP/1.1\r\nx: y"),
    "lower method": changed(method="get"),
    "connect": changed(method="CONNECT"),
    "scheme": changed(scheme="ftp"),
    "authority twice": [*GOOD, (":authority", "other.test")],
    "pseudo behind": [*GOOD[:3], ("x", "y"), GOOD[3]],
    "unknown pseudo": [*GOOD, (":protocol", "websocket")],
    "other host": [*GOOD, ("host", "other.test")],
    "bad authority": changed(authority="a/b@c"),
    "user in authority": changed(authority="user@api.shop.test"),
    "upper name": [*GOOD, ("X-Upper", "y")],
    "blank in name": [*GOOD, ("x y", "z")],
    "colon in name": [*GOOD, ("x:y", "z")],
    "line in value": [*GOOD, ("x", "a\r\ntransfer-encoding: chunked")],
    "nul in value": [*GOOD, ("x", "a\0b")],
    "connection": [*GOOD, ("connection", "close")],
    "keep-alive": [*GOOD, ("keep-alive", "1")],
    "proxy-connection": [*GOOD, ("proxy-connection", "close")],
    "transfer-encoding": [*GOOD, ("transfer-encoding", "chunked")],
    "upgrade": [*GOOD, ("upgrade", "h2c")],
    "te": [*GOOD, ("te", "gzip")],
    "length twice": [*GOOD, ("content-length", "0"), ("content-length", "0")],
    "bad length": [*GOOD, ("content-length", "+1")],
    "wrong length": [*GOOD, ("content-length", "5")],
    "expectation": [*GOOD, ("expect", "more")],
    "no authority": changed(authority=None),
}


@pytest.mark.parametrize("kind", BAD_HEADERS)
def test_what_could_mean_two_things_never_reaches_the_handler(kind):
    served = []

    async def scenario():
        handler = lambda request: served.append(request) or Response(200)  # noqa: E731
        async with serving(handler) as (_, port), an_http2_client(port, asking()) as client:
            answer = await client.answer(client.send(1, BAD_HEADERS[kind]))
            return answer, client.goodbye

    answer, goodbye = run(scenario)
    assert served == []
    assert answer.headers.get(":status", "400") in {"400", "417"}
    assert answer.headers or goodbye == PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"path": "/" + "x" * 9_000}, 414),
        ({"headers": [("x-large", "y" * 11_000)]}, 431),
        ({"headers": [(f"x-{number}", "y") for number in range(201)]}, 431),
        ({"method": "POST", "headers": [("content-length", "20000000")], "ends": False}, 413),
    ],
)
def test_limits_are_those_of_http_1_1(request_, status):
    assert one(echo, **request_).status == status


def test_a_body_beyond_the_limit_is_refused_and_the_connection_goes_on():
    async def scenario():
        async with serving(body_bytes_max=lambda _: 1_000) as (server, port), an_http2_client(port, asking()) as client:
            refused = await client.answer(client.request("POST", body=b"x" * 2_000, ends=False))
            after = await client.answer(client.request())
            return refused.status, after.status, server.held_bytes

    assert run(scenario) == (413, 200, 0)


def test_a_body_that_drips_is_408_although_it_makes_progress():
    async def scenario():
        async with serving(body_ms=100) as (server, port), an_http2_client(port, asking()) as client:
            stream = client.request("POST", body=b"x" * 50_000, ends=False)  # five seconds' worth buy no rest
            for _ in range(100):
                client.h2.send_data(stream, b"x")
                client.flush()
                await asyncio.sleep(0.01)
                if server.counters.refusals:
                    return (await client.answer(stream)).status
            return None

    assert run(scenario) == 408


def test_a_body_that_does_not_end_in_time_is_408():
    async def scenario():
        async with serving(body_ms=50) as (server, port), an_http2_client(port, asking()) as client:
            answer = await client.answer(client.request("POST", body=b"x", ends=False))
            return answer.status, server.held_bytes

    assert run(scenario) == (408, 0)


# -- floods

FLOODS = {
    "ping": lambda n: a_frame(6, b"12345678") * n,
    "settings": lambda n: a_frame(4) * n,
    "settings acknowledgements": lambda n: a_frame(4, flags=1) * n,
    "priority": lambda n: a_frame(2, b"\0\0\0\0\x10", stream=1) * n,
    "window updates": lambda n: a_frame(8, b"\0\0\0\x01") * n,
    "unknown": lambda n: a_frame(99, b"x") * n,
}


async def flood(client, piece, count=4_000):
    client.flush()
    for _ in range(count // 100):
        client.writer.write(piece(100))
        await asyncio.sleep(0)
        if client.writer.transport.is_closing():
            break


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_frames_that_ask_for_nothing_ends_the_connection(kind):
    async def scenario():
        async with serving() as (server, port), an_http2_client(port, asking()) as client:
            await flood(client, FLOODS[kind])
            code = await client.until_the_end()
            return code, server.counters.refusals

    code, refusals = run(scenario)
    assert code == ENHANCE_YOUR_CALM
    assert refusals == {"connections": 1}


def test_a_frame_longer_than_allowed_is_refused_by_its_head_and_not_waited_for():
    """The library looks at the length when all of the frame has arrived: 16 MB for each connection."""

    async def scenario():
        async with serving() as (_, port), an_http2_client(port, asking()) as client:
            await client.read()
            client.writer.write(b"\x50\x52\x49" + b"\0" * 6)
            return await client.until_the_end()

    assert run(scenario) == FRAME_SIZE_ERROR


def test_a_rapid_reset_ends_the_connection_and_every_handler():
    running = []

    async def handler(_):
        running.append(1)
        try:
            await asyncio.sleep(30)
        finally:
            running.pop()

    async def scenario():
        async with serving(handler) as (server, port), an_http2_client(port, asking()) as client:
            for _ in range(1_000):
                client.h2.reset_stream(client.request())
            client.flush()
            code = await client.until_the_end()
            return code, server.counters.requests

    code, requests = run(scenario)
    assert code == ENHANCE_YOUR_CALM
    assert requests <= 220
    assert running == []


def test_a_browser_that_abandons_a_page_is_forgiven():
    async def scenario():
        async with serving() as (_, port), an_http2_client(port, asking()) as client:
            for _ in range(100):
                client.h2.reset_stream(client.request())
            return (await client.answer(client.request())).status

    assert run(scenario) == 200


def test_a_flood_of_empty_data_ends_the_connection():
    async def scenario():
        async with serving() as (_, port), an_http2_client(port, asking()) as client:
            stream = client.request("POST", body=b"", ends=False)
            await flood(client, lambda n: a_frame(0, stream=stream) * n)
            return await client.until_the_end()

    assert run(scenario) == ENHANCE_YOUR_CALM


def test_a_head_that_does_not_end_is_bounded_by_bytes_and_by_time():
    async def scenario(count):
        async with serving(head_ms=100, idle_ms=100) as (_, port), an_http2_client(port, asking()) as client:
            await client.read()
            client.writer.write(a_frame(1, b"\x82", stream=1) + a_frame(9, b"x" * 10, stream=1) * count)
            return await client.until_the_end()

    assert uvloop.run(scenario(1_000)) == ENHANCE_YOUR_CALM
    assert uvloop.run(scenario(3)) == NO_ERROR


def test_an_hpack_bomb_ends_the_connection():
    """One entry of 4,000 bytes in the table, then named again and again: 16 KB on the wire, 50 MB of headers."""
    entry = b"\x40\x01a" + b"\x7f\xa1\x1e" + b"x" * 4_000
    bomb = entry + b"\xbe" * 12_000

    async def scenario():
        async with serving() as (_, port), an_http2_client(port, asking()) as client:
            client.flush()
            client.writer.write(a_frame(1, bomb, flags=4, stream=1))
            return await client.until_the_end()

    assert run(scenario) in {PROTOCOL_ERROR, ENHANCE_YOUR_CALM, 9}


def test_more_streams_than_allowed_are_not_served():
    async def scenario():
        async def handler(_):
            await asyncio.sleep(30)

        async with serving(handler) as (server, port), an_http2_client(port, asking()) as client:
            client.h2.remote_settings.update({SettingCodes.MAX_CONCURRENT_STREAMS: 1_000})
            client.h2.remote_settings.acknowledge()
            for _ in range(150):
                client.request()
            await client.until_the_end()
            return server.counters.requests

    assert run(scenario) <= 100


def test_a_client_that_gives_no_room_is_ended():
    async def scenario():
        handler = lambda _: Response(200, [], b"x" * 1_000_000)  # noqa: E731
        async with serving(handler, write_ms=60) as (server, port):
            async with an_http2_client(port, asking(), acknowledges=False) as client:
                client.request()
                await client.until_the_end()
            return server.counters.slow_readers

    assert run(scenario) == 1


def test_a_client_that_leaves_too_much_unread_is_cut_off():
    async def scenario():
        handler = lambda _: Response(200, [], b"x" * 1_000_000)  # noqa: E731
        async with serving(handler, unsent_bytes_max=5_000_000) as (server, port):
            async with (
                an_http2_client(port, asking()) as reader,
                an_http2_client(port, asking(), acknowledges=False) as client,
            ):
                for _ in range(3):  # what was read counts no longer
                    assert len((await reader.answer(reader.request())).body) == 1_000_000
                for _ in range(4):
                    client.request()
                client.flush()
                answer = await reader.answer(reader.request())
                assert server.counters.slow_readers == 0
                for _ in range(4):
                    client.request()
                await client.until_the_end()
                assert len((await reader.answer(reader.request())).body) == len(answer.body) == 1_000_000
            return server.counters.slow_readers

    assert run(scenario) == 1


def test_an_idle_connection_is_ended_politely():
    async def scenario():
        async with serving(idle_ms=60) as (_, port), an_http2_client(port, asking()) as client:
            await client.answer(client.request())
            return await client.until_the_end()

    assert run(scenario) == NO_ERROR


def test_the_meter_gives_tokens_back_with_time_and_reads_frames_in_any_pieces():
    meter = FrameMeter(0)
    pings = a_frame(6, b"12345678") * 500
    data = PREFACE + pings
    assert {meter.take(data[at : at + 7], 0) for at in range(0, len(data), 7)} == {""}
    assert meter.take(a_frame(6, b"12345678"), 0) == "flood"
    assert meter.take(a_frame(6, b"12345678"), 10**9) == ""
    assert FrameMeter(0).take(PREFACE + b"\0\x40\1" + b"\0" * 6, 0) == "too_large"


# -- draining, noise, real clients


def test_draining_lets_running_requests_finish_and_refuses_new_ones():
    async def scenario():
        go = asyncio.Event()

        async def handler(request):
            await go.wait()
            return Response(200, [], request.path.encode())

        async with serving(handler) as (server, port), an_http2_client(port, asking()) as client:
            running = client.request(path="/running")
            client.flush()
            while not server.counters.requests:
                await asyncio.sleep(0.005)
            draining = asyncio.ensure_future(server.drain(5_000))
            while client.goodbye is None:
                await client.read()
            go.set()
            client.h2.state_machine.state = type(client.h2.state_machine.state).CLIENT_OPEN
            answer = await client.answer(running)
            await client.until_the_end()
            return answer.body, client.goodbye, await draining

    assert run(scenario) == (b"/running", NO_ERROR, 0)


def test_noise_after_the_handshake_never_breaks_the_server():
    dice = random.Random(2)

    def noise():
        frames = [
            a_frame(
                dice.randrange(12),
                bytes(dice.randrange(256) for _ in range(dice.choice((0, 1, 4, 5, 8, 9, 60)))),
                flags=dice.randrange(256),
                stream=dice.choice((0, 1, 1, 2, 3, 2**31 - 1)),
            )
            for _ in range(dice.randrange(1, 12))
        ]
        return b"".join(frames)

    async def scenario():
        async with serving() as (server, port):
            for _ in range(150):
                async with an_http2_client(port, asking()) as client:
                    client.request("POST", body=b"x", ends=False)
                    client.flush()
                    client.writer.write(noise())
                    try:
                        await asyncio.wait_for(client.reader.read(4_096), 1)
                    except (OSError, TimeoutError):
                        pass
            async with an_http2_client(port, asking()) as client:
                status = (await client.answer(client.request())).status
            return status, server.counters.failures, server.held_bytes

    status, failures, _ = run(scenario)
    assert (status, failures) == (200, 0)


def test_curl_speaks_http_2_with_us(tmp_path):
    from gatepost.security.certificates import pem_of

    (tmp_path / "ca.pem").write_text(pem_of(AUTHORITY.certificate))

    async def scenario():
        async with serving() as (_, port):
            process = await asyncio.create_subprocess_exec(
                "curl", "-s", "--http2", "--cacert", str(tmp_path / "ca.pem"), "-w", "%{http_version} %{http_code}",
                "--resolve", f"api.shop.test:{port}:127.0.0.1", "-d", "hello", f"https://api.shop.test:{port}/x",
                stdout=subprocess.PIPE,
            )  # fmt: skip
            return (await process.communicate())[0]

    assert run(scenario) == b"hello2 200"
