"""TLS on a listener, by real handshakes: names, versions, client certificates, reloads, slow and noisy clients."""

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager

import pytest
import uvloop
from cryptography.x509.oid import ExtendedKeyUsageOID

from gatepost.kernel.clock import SystemClock
from gatepost.wire.messages import Response
from tests.support.tls import (
    a_client_certificate,
    a_trusting_context,
    an_authority,
    exchange,
    issued,
    terms_for,
)
from tests.support.wire import a_server, answers_in

AUTHORITY = an_authority("shop.test")


def tell(request):
    tls = request.peer.tls
    return Response(200, [], f"{tls.server_name} {tls.domain_name} {tls.client_certificate is not None}".encode())


def tell_path(request):
    return Response(200, [], request.path.encode())


@asynccontextmanager
async def serving(find, handler=tell, **limits):
    server = a_server(handler, clock=SystemClock(), **limits)
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    await server.serve(sock, tls=find)
    try:
        yield server, server.addresses[0][1]
    finally:
        await server.drain(100)


def named(**policies):
    """Give terms for names below shop.test, each with a policy; others get none."""
    found = {
        name.replace("_", "."): terms_for(
            issued(AUTHORITY, name.replace("_", ".")), name.replace("_", "."), policy=policy
        )
        for name, policy in policies.items()
    }
    return found.get


def test_each_name_has_its_own_certificate_and_is_told():
    async def scenario():
        async with serving(named(a_shop_test="TLS_1_2", b_shop_test="TLS_1_2")) as (server, port):
            first = await exchange(port, a_trusting_context(AUTHORITY), server_name="a.shop.test")
            second = await exchange(port, a_trusting_context(AUTHORITY), server_name="b.shop.test")
            return [answers_in(data)[0].body for data, _ in (first, second)], server.counters.connections

    assert uvloop.run(scenario()) == ([b"a.shop.test a.shop.test False", b"b.shop.test b.shop.test False"], 2)


def test_a_name_without_terms_is_refused():
    async def scenario():
        async with serving(named(a_shop_test="TLS_1_2")) as (server, port):
            with pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
                await exchange(port, a_trusting_context(AUTHORITY), server_name="c.shop.test")
            return server.counters.handshakes_failed

    assert uvloop.run(scenario()) == 1


VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


@pytest.mark.parametrize(
    ("policy", "accepted"),
    [
        ("TLS_1_0", {"1.0", "1.1", "1.2", "1.3"}),
        ("TLS_1_2", {"1.2", "1.3"}),
        ("SecurityPolicy_TLS13_1_2_2021_06", {"1.2", "1.3"}),
        ("SecurityPolicy_TLS13_1_3_2025_09", {"1.3"}),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_a_policy_refuses_older_versions(policy, accepted):
    async def scenario():
        spoken = set()
        async with serving(named(api_shop_test=policy)) as (_, port):
            for name, version in VERSIONS.items():
                try:
                    _, tls = await exchange(port, a_trusting_context(AUTHORITY, oldest=version, newest=version))
                except (ssl.SSLError, ConnectionResetError):
                    continue
                assert tls.version() == {"1.0": "TLSv1"}.get(name, f"TLSv{name}")
                spoken.add(name)
        return spoken

    assert uvloop.run(scenario()) == accepted


def test_a_weak_cipher_is_refused():
    async def scenario():
        async with serving(named(api_shop_test="TLS_1_2")) as (_, port):
            context = a_trusting_context(AUTHORITY, newest=ssl.TLSVersion.TLSv1_2)
            context.set_ciphers("ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
            with pytest.raises(ssl.SSLError):
                await exchange(port, context)

    uvloop.run(scenario())


def test_sessions_are_resumed():
    async def scenario():
        async with serving(named(api_shop_test="TLS_1_2")) as (_, port):
            context = a_trusting_context(AUTHORITY, newest=ssl.TLSVersion.TLSv1_2)

            def twice():
                session, reused = None, []
                for _ in range(2):
                    raw = socket.create_connection(("127.0.0.1", port))
                    with context.wrap_socket(raw, server_hostname="api.shop.test", session=session) as tls:
                        tls.sendall(b"GET / HTTP/1.1\r\nHost: api.shop.test\r\n\r\n")
                        tls.recv(1000)
                        session = tls.session
                        reused.append(tls.session_reused)
                return reused

            return await asyncio.get_running_loop().run_in_executor(None, twice)

    assert uvloop.run(scenario()) == [False, True]


# -- client certificates


def asking(authority):
    from gatepost.security.certificates import pem_of

    terms = terms_for(issued(AUTHORITY, "api.shop.test"), "api.shop.test", trust_store=pem_of(authority.certificate))
    return lambda name: terms


def with_certificate(tmp_path, pair, newest=ssl.TLSVersion.TLSv1_3):
    context = a_trusting_context(AUTHORITY, newest=newest)
    context.load_cert_chain(*pair.in_files(tmp_path, "client"))
    return context


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_of_the_trust_store_is_shown_to_the_handler(tmp_path, newest):
    clients = an_authority("shop.test")

    async def scenario():
        async with serving(asking(clients)) as (_, port):
            return await exchange(port, with_certificate(tmp_path, a_client_certificate(clients), newest))

    data, _ = uvloop.run(scenario())
    assert answers_in(data)[0].body == b"api.shop.test api.shop.test True"


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kind", ["none", "other", "self-signed", "expired", "for-servers"])
def test_any_other_client_is_refused_in_the_handshake(tmp_path, newest, kind):
    clients = an_authority("shop.test")
    from tests.support.tls import NOW_MS

    pairs = {
        "other": lambda: a_client_certificate(an_authority("shop.test")),
        "self-signed": lambda: a_client_certificate(None),
        "for-servers": lambda: a_client_certificate(clients, purpose=ExtendedKeyUsageOID.SERVER_AUTH),
        "expired": lambda: a_client_certificate(clients, now_ms=NOW_MS - 90 * 86_400_000),
    }
    served = []

    async def scenario():
        async with serving(asking(clients), lambda request: served.append(request) or Response(200)) as (server, port):
            context = a_trusting_context(AUTHORITY, newest=newest)
            if kind != "none":
                context = with_certificate(tmp_path, pairs[kind](), newest)
            try:
                data, _ = await exchange(port, context)
            except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
                data = b""
            return data, server.counters.handshakes_failed

    data, failed = uvloop.run(scenario())
    assert data == b""
    assert served == []
    assert failed == 1


# -- reloads, noise, limits


def test_a_new_certificate_serves_new_connections_and_leaves_old_ones_alone():
    current = [terms_for(issued(AUTHORITY, "api.shop.test"))]

    async def scenario():
        async with serving(lambda name: current[0]) as (_, port):
            context = a_trusting_context(AUTHORITY)
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname="api.shop.test"
            )
            old = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            serials = set()
            for _ in range(20):
                current[0] = terms_for(issued(AUTHORITY, "api.shop.test"))
                writer.write(b"GET / HTTP/1.1\r\nHost: api.shop.test\r\n\r\n")
                assert (await reader.readuntil(b"False")).startswith(b"HTTP/1.1 200")
                _, tls = await exchange(port, context)
                serials.add(tls.getpeercert(binary_form=True))
            writer.close()
            return old, serials

    old, serials = uvloop.run(scenario())
    assert len(serials) == 20
    assert old not in serials


async def raw(port, data):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = await reader.read()
    writer.close()
    return answer


def test_plain_http_is_told_that_this_is_tls():
    async def scenario():
        async with serving(named(api_shop_test="TLS_1_2")) as (_, port):
            return await raw(port, b"GET / HTTP/1.1\r\nHost: api.shop.test\r\n\r\n"), await raw(
                port, b"\x00\x01\x02\x03\x04"
            )

    told, noise = uvloop.run(scenario())
    assert answers_in(told)[0].body == b"This port speaks TLS: use an https URL"
    assert noise == b"\x15\x03\x01\x00\x02\x02\x28"


@pytest.mark.parametrize("part", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"])
def test_a_handshake_that_does_not_end_is_ended(part):
    async def scenario():
        async with serving(named(api_shop_test="TLS_1_2"), head_ms=60) as (server, port):
            try:
                assert await raw(port, part) == b""
            except ConnectionResetError:
                pass
            return server.counters.connections_open, server.counters.handshakes_failed

    assert uvloop.run(scenario()) == (0, 1)


def test_connections_count_from_the_first_byte_of_the_handshake():
    async def scenario():
        async with serving(named(api_shop_test="TLS_1_2"), connections_max=2) as (_, port):
            waiting = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            data, _ = await exchange(port, a_trusting_context(AUTHORITY))
            for reader, _ in waiting:  # they make room for one that says more
                assert await reader.read() == b""
            for _, writer in waiting:
                writer.close()
            return data

    assert answers_in(uvloop.run(scenario()))[0].status == 200


def test_a_large_body_goes_both_ways_and_a_slow_reader_gets_all_of_it():
    size = 3_000_000

    async def scenario():
        async with serving(named(api_shop_test="TLS_1_2"), lambda request: Response(200, [], request.body)) as (
            _,
            port,
        ):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=a_trusting_context(AUTHORITY), server_hostname="api.shop.test"
            )
            writer.write(b"POST / HTTP/1.1\r\nHost: api.shop.test\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
            await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(size)
            writer.close()
            return body

    assert uvloop.run(scenario()) == b"x" * size


def test_pipelined_requests_are_answered_in_order():
    async def scenario():
        async with serving(
            named(api_shop_test="TLS_1_2"), lambda request: Response(200, [], request.path.encode())
        ) as (_, port):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=a_trusting_context(AUTHORITY), server_hostname="api.shop.test"
            )
            count = 200
            for number in range(count):
                last = b"Connection: close\r\n" if number == count - 1 else b""
                writer.write(b"GET /%d HTTP/1.1\r\nHost: api.shop.test\r\n%b\r\n" % (number, last))
            data = await reader.read()
            writer.close()
            return [answer.body for answer in answers_in(data)]

    assert uvloop.run(scenario()) == [b"/%d" % number for number in range(200)]


def test_renegotiation_is_refused():
    """OpenSSL's command line asks for one when it reads the letter R."""
    import subprocess

    async def scenario():
        async with serving(named(api_shop_test="TLS_1_2")) as (_, port):
            process = await asyncio.create_subprocess_exec(
                "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "api.shop.test", "-tls1_2",
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            output = b""
            while b"Verify return code" not in output:
                output += await process.stdout.readline()
            process.stdin.write(b"R\n")
            await process.stdin.drain()
            rest = await asyncio.wait_for(process.stdout.read(), 10)
            await process.wait()
            return rest

    assert b"no renegotiation" in uvloop.run(scenario())


def test_a_listener_for_either_takes_plain_http_as_well():
    async def scenario():
        server = a_server(lambda request: Response(200, [], str(request.is_tls).encode()), clock=SystemClock())
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setblocking(False)
        await server.serve(sock, tls_or_plain=named(a_shop_test="TLS_1_2"))
        try:
            port = server.addresses[0][1]
            over_tls, _ = await exchange(port, a_trusting_context(AUTHORITY), server_name="a.shop.test")
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
            for piece in (head[:1], head[1:20], head[20:] + b"x", b"y"):
                writer.write(piece)
                await asyncio.sleep(0.01)
            plain = await reader.read()
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x00nonsense\r\n\r\n")
            noise = await reader.read()
            writer.close()
            counted = server.counters
            return [answers_in(data)[0] for data in (over_tls, plain, noise)], counted.connections, server._connections
        finally:
            await server.drain(100)

    answers, connections, left = uvloop.run(scenario())
    assert [(each.status, each.body) for each in answers[:2]] == [(200, b"True"), (200, b"False")]
    assert answers[2].status == 400
    assert connections == 3
    assert len(left) == 0
