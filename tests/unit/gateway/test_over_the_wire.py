"""The gateway behind the real server: answers that wait are driven without tasks."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from gatepost.gateway.plan import CLIENT_GONE
from gatepost.gateway.server import refuse
from gatepost.gateway.upstreams import AddressPolicy
from gatepost.kernel.clock import SystemClock
from gatepost.services.apigateway.deployment import Integration, Method
from gatepost.wire.client import Client
from gatepost.wire.limits import ListenerLimits
from gatepost.wire.outgoing import OutgoingRequest
from gatepost.wire.server import Server
from tests.support.gateways import API, LAMBDA, MOCK, TestGateway, until

HOST = (b"Host", f"{API}.execute-api.us-east-1.localhost".encode())


@asynccontextmanager
async def serving(gateway, *, limits=None):
    server = Server(
        gateway.door, limits=limits or ListenerLimits(), refuse=refuse, clock=SystemClock(), needs_tasks=False
    )
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    await server.serve(sock)
    client = Client(clock=SystemClock())

    async def send(method, target, headers=(), body=b""):
        port = server.addresses[0][1]
        return await client.send(OutgoingRequest(method, "127.0.0.1", port, target, [HOST, *headers], body))

    try:
        yield send, server
    finally:
        await client.close()
        await server.drain(100)
        await gateway.tasks.close()


def test_every_integration_answers_through_the_server():
    async def scenario():
        upstream = await asyncio.start_server(answer_once, "127.0.0.1", 0)
        port = upstream.sockets[0].getsockname()[1]
        client = Client(clock=SystemClock(), allow_address=AddressPolicy())
        gateway = TestGateway(upstreams=client, clock=SystemClock())
        proxy = Integration("HTTP_PROXY", http_method="ANY", uri=f"http://127.0.0.1:{port}/x")
        slow = Integration("AWS_PROXY", http_method="POST", uri=LAMBDA.uri, timeout_ms=50)
        gateway.deploy(
            {
                "/mock": (Method("GET", integration=MOCK),),
                "/function": (Method("POST", integration=LAMBDA),),
                "/slow": (Method("GET", integration=slow),),
                "/upstream": (Method("GET", integration=proxy),),
            }
        )
        async with serving(gateway) as (send, server):
            answers = await asyncio.gather(
                send("GET", "/prod/mock"),
                send("POST", "/prod/function", body=b"{}"),
                send("GET", "/prod/upstream"),
                send("GET", "/prod/none"),
            )
            gateway.functions.gate = asyncio.Event()
            answers.append(await send("GET", "/prod/slow"))
            gateway.functions.gate.set()
            failures = server.counters.failures
        await client.close()
        upstream.close()
        await upstream.wait_closed()
        return [(each.status, each.body) for each in answers], failures

    answers, failures = asyncio.run(scenario())
    assert answers == [
        (200, b'{"hello":"world"}'),
        (200, b"ok"),
        (200, b"up"),
        (403, b'{"message":"Missing Authentication Token"}'),
        (504, b'{"message": "Endpoint request timed out"}'),
    ]
    assert failures == 0


async def answer_once(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup")
    await writer.drain()
    writer.close()


def test_a_client_that_leaves_is_logged_and_its_function_goes_on():
    async def scenario():
        gateway = TestGateway(clock=SystemClock())
        functions = gateway.functions
        functions.gate = asyncio.Event()
        gateway.deploy({"/function": (Method("GET", integration=LAMBDA),)})

        def has_logged():
            gateway.request_log.flush()
            return gateway.lines

        async with serving(gateway) as (_, server):
            _reader, writer = await asyncio.open_connection(*server.addresses[0])
            writer.write(b"GET /prod/function HTTP/1.1\r\n%b: %b\r\n\r\n" % HOST)
            await until(lambda: functions.invocations)
            writer.transport.abort()
            await until(has_logged)
            assert functions.ended == 0
            functions.gate.set()
            await until(lambda: functions.ended == 1)
            return gateway.lines

    (line,) = asyncio.run(scenario())
    assert f'"status":{CLIENT_GONE}'.encode() in line


@pytest.mark.parametrize(
    ("headers", "body", "status", "message"),
    [
        ([], b"x" * 2_000, 413, b'{"message":"Request Too Long"}'),
        ([(b"X-Large", b"x" * 12_000)], b"", 431, b'{"message":"Bad Request"}'),
    ],
)
def test_what_the_wire_refuses_is_answered_as_api_gateway_does(headers, body, status, message):
    async def scenario():
        gateway = TestGateway(clock=SystemClock())
        async with serving(gateway, limits=ListenerLimits(body_bytes_max=1_000)) as (send, _):
            answer = await send("POST", "/prod/function", headers, body)
            return answer.status, answer.body

    assert asyncio.run(scenario()) == (status, message)
