"""The connections to one server: bounded, handed on in order, freed whatever happens."""

import asyncio

import pytest
import uvloop

from gatepost.kernel.clock import SystemClock
from gatepost.kernel.tasks import Tasks
from gatepost.wire.addresses import Addresses
from gatepost.wire.messages import Response
from gatepost.wire.outgoing import ClientLimits, OutgoingRequest, PoolExhausted
from gatepost.wire.pool import Pool
from tests.support.wire import a_client, a_request, serving, upstream
from tests.unit.wire.test_client import OK, read_request, says


def fails(_pool, _connection, sent, error):
    sent.promise.fail(error)


def test_the_number_of_connections_is_bounded_and_requests_wait():
    open_now = []
    most = []

    async def handler(request):
        open_now.append(1)
        most.append(len(open_now))
        await asyncio.sleep(0.002)
        open_now.pop()
        return Response(200)

    async def scenario():
        async with serving(handler) as (server, port), a_client(connections_per_origin_max=3) as client:
            answers = await asyncio.gather(*(client.send(a_request(port)) for _ in range(20)))
            return len(answers), server.counters.connections

    assert uvloop.run(scenario()) == (20, 3)
    assert max(most) == 3


def test_the_line_is_bounded_and_so_is_the_wait():
    async def scenario():
        limits = {"connections_per_origin_max": 1, "waiting_per_origin_max": 2, "waiting_ms": 20}
        async with upstream(says()) as port, a_client(**limits) as client:
            sends = [client.send(a_request(port, read_ms=100)) for _ in range(4)]
            return [type(each).__name__ for each in await asyncio.gather(*sends, return_exceptions=True)]

    assert uvloop.run(scenario()) == ["UpstreamTimedOut", "PoolExhausted", "PoolExhausted", "PoolExhausted"]


def test_a_connection_that_fails_lets_the_next_in_line_open_one():
    async def scenario():
        seen = []

        async def speak(reader, writer):
            seen.append(await read_request(reader))
            if len(seen) > 1:
                writer.write(OK)
                await says(OK)(reader, writer)

        async with upstream(speak) as port, a_client(connections_per_origin_max=1) as client:
            sends = [client.send(a_request(port, "POST")) for _ in range(3)]
            return [type(each).__name__ for each in await asyncio.gather(*sends, return_exceptions=True)]

    assert uvloop.run(scenario()) == ["UpstreamClosed", "IncomingResponse", "IncomingResponse"]


def test_a_request_that_is_given_up_ends_its_connection_and_frees_its_place():
    async def scenario():
        async with upstream(says()) as port, a_client(connections_per_origin_max=1) as client:
            first = asyncio.ensure_future(client.send(a_request(port)))
            waiting = asyncio.ensure_future(client.send(a_request(port)))
            third = asyncio.ensure_future(client.send(a_request(port, read_ms=30)))
            await asyncio.sleep(0.01)
            waiting.cancel()
            first.cancel()
            results = await asyncio.gather(first, waiting, third, return_exceptions=True)
            return [type(each).__name__ for each in results]

    assert uvloop.run(scenario()) == ["CancelledError", "CancelledError", "UpstreamTimedOut"]


def test_the_number_of_servers_is_bounded_and_unused_ones_are_forgotten():
    async def scenario():
        async with upstream(says(OK, closes=True)) as port, a_client(origins_max=1) as client:
            await client.send(a_request(port))
            await asyncio.sleep(0.01)
            await client.send(OutgoingRequest("GET", "localhost", port, "/"))
        async with upstream(says(OK)) as port, a_client(origins_max=1) as client:
            await client.send(a_request(port))
            await client.send(OutgoingRequest("GET", "localhost", port, "/"))

    with pytest.raises(PoolExhausted):
        uvloop.run(scenario())


def test_a_pool_is_empty_when_its_last_connection_has_ended():
    async def scenario():
        tasks = Tasks("test")
        addresses = Addresses(clock=SystemClock(), keep_ms=1, allow=None)
        async with serving() as (_, port):
            pool = Pool(
                "127.0.0.1",
                port,
                tls=None,
                limits=ClientLimits(),
                addresses=addresses,
                tasks=tasks,
                when_failed=fails,
            )
            before = pool.is_empty
            connection = await pool.wait()
            during = pool.is_empty, pool.take()
            connection.abort()
            return before, during, pool.is_empty

    assert uvloop.run(scenario()) == (True, (False, None), True)


def with_one_connection(scenario):
    async def run():
        addresses = Addresses(clock=SystemClock(), keep_ms=1, allow=None)
        limits = ClientLimits(connections_per_origin_max=1)
        async with serving() as (_, port):
            tasks = Tasks("test")
            pool = Pool("127.0.0.1", port, tls=None, limits=limits, addresses=addresses, tasks=tasks, when_failed=fails)
            connection = await pool.wait()
            result = await scenario(pool, connection)
            connection.abort()
            return result

    return uvloop.run(run())


def test_a_connection_given_to_who_has_just_gone_is_not_lost():
    async def scenario(pool, connection):
        waiting = asyncio.ensure_future(pool.wait())
        await asyncio.sleep(0)
        pool.freed(connection)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return pool.take() is connection

    assert with_one_connection(scenario)


def test_who_has_gone_is_passed_over():
    async def scenario(pool, connection):
        gone, next_one = asyncio.ensure_future(pool.wait()), asyncio.ensure_future(pool.wait())
        await asyncio.sleep(0)
        pool._waiters[0].cancel()
        pool.freed(connection)
        await asyncio.gather(gone, return_exceptions=True)
        return await next_one is connection

    assert with_one_connection(scenario)
