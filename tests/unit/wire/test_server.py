"""Listeners on real sockets, on the loop that runs in production."""

import asyncio
import gc
import socket
from contextlib import closing

import pytest
import uvloop

from gatepost.wire.messages import Response
from tests.support.certificates import server_context, terms
from tests.support.wire import GET, a_client, a_request, a_server, a_socket, answers_in, echo, said, serving

CLOSING = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


async def read_answer(reader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    return head


def test_a_request_over_a_socket_is_answered():
    seen = []

    def handler(request):
        seen.append((request.client_ip, request.client_port > 0, request.is_tls))
        return echo(request)

    async def scenario():
        async with serving(handler) as (server, port):
            data = await said(port, GET + CLOSING)
            return data, server.counters

    data, counters = uvloop.run(scenario())
    assert [answer.status for answer in answers_in(data)] == [200, 200]
    assert seen == [("127.0.0.1", True, False)] * 2
    assert (counters.connections, counters.requests) == (1, 2)


def test_it_runs_on_the_standard_loop_too():
    async def scenario():
        async with serving() as (_, port):
            return await said(port, CLOSING)

    assert answers_in(asyncio.run(scenario()))[0].status == 200


def test_one_server_listens_on_several_sockets():
    async def scenario():
        async with serving() as (server, _):
            await server.serve(a_socket())
            ports = [port for _, port in server.addresses]
            return ports, [answers_in(await said(port, CLOSING))[0].status for port in ports]

    ports, statuses = uvloop.run(scenario())
    assert len(set(ports)) == 2
    assert statuses == [200, 200]


def test_it_listens_on_a_unix_socket_that_nobody_else_holds(tmp_path):
    async def scenario():
        server = a_server()
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(tmp_path / "socket"))
        await server.serve(sock)
        del sock
        gc.collect()  # uvloop forgets a server to which nobody holds a reference
        await asyncio.sleep(0)
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "socket"))
        writer.write(CLOSING)
        data = await reader.read()
        writer.close()
        await server.drain(0)
        return data, server.addresses

    data, addresses = uvloop.run(scenario())
    assert answers_in(data)[0].status == 200
    assert addresses == []


def test_tls(tmp_path):
    tls, trusting = server_context(tmp_path)
    seen = []

    def handler(request):
        seen.append(request.is_tls)
        return echo(request)

    async def scenario():
        server = a_server(handler)
        await server.serve(a_socket(), tls=terms(tls))
        async with a_client(tls=trusting) as client:
            first = await client.send(a_request(server.addresses[0][1], "POST", body=b"x" * 300_000, is_tls=True))
            second = await client.send(a_request(server.addresses[0][1], is_tls=True))
        await server.drain(0)
        return first, second, server.counters.connections

    first, second, connections = uvloop.run(scenario())
    assert (first.status, first.body, second.status) == (200, b"x" * 300_000, 200)
    assert seen == [True, True]
    assert connections == 1


def test_a_refusal_over_tls_ends_the_connection(tmp_path):
    tls, trusting = server_context(tmp_path)

    async def scenario():
        server = a_server()
        await server.serve(a_socket(), tls=terms(tls))
        reader, writer = await asyncio.open_connection("127.0.0.1", server.addresses[0][1], ssl=trusting)
        writer.write(b"GET /\r\n\r\n")
        data = await reader.read()
        writer.close()
        await server.drain(0)
        return data

    assert answers_in(uvloop.run(scenario()))[0].status == 400


def test_a_refusal_reaches_a_client_that_is_still_sending():
    async def scenario():
        async with serving(body_bytes_max=lambda _: 1000) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n")
            for _ in range(20):
                writer.write(b"x" * 1_000_000)
            await writer.drain()
            data = await reader.read()
            writer.close()
            return data

    assert answers_in(uvloop.run(scenario()))[0].status == 413


def test_one_connection_too_many_is_refused():
    async def scenario():
        may_end = asyncio.get_running_loop().create_future()

        async def handler(_):
            await asyncio.shield(may_end)
            return Response(200)

        async with serving(handler, connections_max=2) as (server, port):
            busy = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            for _, writer in busy:
                writer.write(GET)
            while sum(each.is_working for each in server._connections) < 2:
                await asyncio.sleep(0.001)
            refused = await said(port, b"")
            may_end.set_result(None)
            for reader, writer in busy:
                await read_answer(reader)
                writer.close()
                await writer.wait_closed()
            while server.counters.connections_open > 1:
                await asyncio.sleep(0.001)
            return refused, await said(port, CLOSING), server.counters.refusals

    refused, admitted, refusals = uvloop.run(scenario())
    assert answers_in(refused)[0].status == 503
    assert answers_in(admitted)[0].status == 200
    assert refusals == {"connections": 1}


@pytest.mark.parametrize("said_so_far", [b"", GET, b"G", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"])
def test_connections_that_wait_for_their_clients_make_room_for_others(said_so_far):
    async def scenario():
        async with serving(connections_max=3) as (server, port):
            crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            for reader, writer in crowd:
                writer.write(said_so_far)
                if said_so_far == GET:
                    await read_answer(reader)
            answers = [await said(port, CLOSING) for _ in range(5)]
            for _, writer in crowd:
                writer.close()
            return answers, server.counters

    answers, counters = uvloop.run(scenario())
    assert [answers_in(answer)[0].status for answer in answers] == [200] * 5
    assert counters.refusals == {}
    assert counters.pushed_out == 3


def test_a_large_body_goes_both_ways():
    body = bytes(range(256)) * 20_000  # 5 MB

    async def scenario():
        async with serving() as (_, port), a_client() as client:
            return await client.send(a_request(port, "PUT", body=body))

    assert uvloop.run(scenario()).body == body


# -- draining


def test_draining_closes_idle_connections_at_once_and_stops_accepting():
    async def scenario():
        server = a_server()
        await server.serve(a_socket())
        port = server.addresses[0][1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        await read_answer(reader)
        cut_off = await server.drain(60_000)
        rest = await reader.read()
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        return cut_off, rest, server.counters.connections_open

    assert uvloop.run(scenario()) == (0, b"", 0)


def test_draining_lets_running_requests_finish_and_closes_after_them():
    async def scenario():
        gate = asyncio.get_running_loop().create_future()
        started = asyncio.get_running_loop().create_future()

        async def handler(request):
            started.set_result(None)
            await gate
            return echo(request)

        server = a_server(handler)
        await server.serve(a_socket())
        reader, writer = await asyncio.open_connection("127.0.0.1", server.addresses[0][1])
        writer.write(GET)
        await started
        draining = asyncio.ensure_future(server.drain(60_000))
        await asyncio.sleep(0)
        gate.set_result(None)
        data = await reader.read()
        writer.close()
        return data, await draining

    data, cut_off = uvloop.run(scenario())
    assert answers_in(data)[0].headers["connection"] == "close"
    assert cut_off == 0


def test_draining_cuts_off_what_takes_too_long_and_counts_it():
    async def scenario():
        started = asyncio.get_running_loop().create_future()
        ended = []

        async def handler(request):
            started.set_result(None)
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(True)

        server = a_server(handler)
        await server.serve(a_socket())
        with closing(socket.create_connection(server.addresses[0])) as client:
            client.sendall(GET)
            await started
            cut_off = await server.drain(10)
            await asyncio.sleep(0)
        return cut_off, ended, server.counters.connections_open

    assert uvloop.run(scenario()) == (1, [True], 0)


def test_draining_waits_for_a_stream_and_closes_after_it():
    async def scenario():
        gate = asyncio.get_running_loop().create_future()

        async def pieces():
            yield b"ab"
            await gate
            yield b"c"

        server = a_server(lambda _: Response(200, stream=pieces()))
        await server.serve(a_socket())
        reader, writer = await asyncio.open_connection("127.0.0.1", server.addresses[0][1])
        writer.write(GET)
        head = await reader.readuntil(b"ab\r\n")
        draining = asyncio.ensure_future(server.drain(60_000))
        await asyncio.sleep(0)
        gate.set_result(None)
        rest = await reader.read()
        writer.close()
        return answers_in(head + rest)[0].body, await draining

    assert uvloop.run(scenario()) == (b"abc", 0)


def test_draining_twice_does_no_harm():
    async def scenario():
        server = a_server()
        await server.serve(a_socket())
        return await server.drain(0), await server.drain(0)

    assert uvloop.run(scenario()) == (0, 0)


def test_a_broken_refuse_still_refuses():
    async def scenario():
        server = a_server()
        server._refuse = lambda _: Response(200, [(b"X", b"\r\n")])
        await server.serve(a_socket())
        first = await said(server.addresses[0][1], b"GET /\r\n\r\n")
        server._refuse = lambda _: 1 / 0
        second = await said(server.addresses[0][1], b"GET /\r\n\r\n")
        await server.drain(0)
        return first, second

    first, second = uvloop.run(scenario())
    assert answers_in(first)[0].status == 400
    assert answers_in(second)[0].status == 400


def test_requests_and_connections_leave_nothing_for_the_garbage_collector():
    async def scenario():
        async with serving() as (_, port), a_client() as client:
            for _ in range(3):
                await client.send(a_request(port, "POST", body=b"abc"))
                await said(port, CLOSING)
            gc.collect()
            gc.disable()
            try:
                for _ in range(50):
                    await client.send(a_request(port, "POST", body=b"abc"))
                    await said(port, CLOSING)
                await asyncio.sleep(0.01)
                return gc.collect()
            finally:
                gc.enable()

    assert uvloop.run(scenario()) < 50
