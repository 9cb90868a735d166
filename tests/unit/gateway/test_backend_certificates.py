from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gatepost.gateway.backend_certificates import BackendCertificates
from gatepost.kernel.clock import SystemClock
from gatepost.services.apigateway.client_certificates import make_certificate
from gatepost.services.apigateway.model import CERTIFICATE_PURPOSE
from gatepost.wire.client import Client
from gatepost.wire.outgoing import ConnectFailed, OutgoingRequest, UpstreamError
from tests.support.certificates import a_certificate
from tests.support.rest_apis import a_seal

KEY = "000000000000/us-east-1/c1"
DAY_MS = 86_400_000


def a_published(seal=None) -> dict[str, str]:
    now_ms = SystemClock().now_ms()
    certificate_pem, private_key = make_certificate(now_ms - DAY_MS, now_ms + DAY_MS)
    sealed = (seal or a_seal()).seal(private_key, purpose=CERTIFICATE_PURPOSE)
    return {"certificate_pem": certificate_pem, "sealed_private_key": base64.b64encode(sealed).decode()}


@asynccontextmanager
async def a_backend(tmp_path: Path, trusted_pem: str) -> AsyncIterator[tuple[int, Path]]:
    """A TLS server that answers only to whoever shows `trusted_pem`; gives its port and its own certificate."""
    certificate, key = a_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=trusted_pem)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], certificate


def the_certificates(certificate: Path) -> BackendCertificates:
    def make_client(context: ssl.SSLContext) -> Client:
        context.load_verify_locations(cafile=str(certificate))
        return Client(clock=SystemClock(), tls=context)

    return BackendCertificates(a_seal(), make_client)


def a_request(port: int) -> OutgoingRequest:
    return OutgoingRequest("GET", "127.0.0.1", port, "/", is_tls=True)


def test_a_backend_that_demands_the_certificate_gets_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        published = a_published()
        async with a_backend(tmp_path, published["certificate_pem"]) as (port, certificate):
            certificates = the_certificates(certificate)
            certificates.take(KEY, published)
            plain = Client(clock=SystemClock(), tls=ssl.create_default_context(cafile=str(certificate)))
            with pytest.raises(UpstreamError):
                await plain.send(a_request(port))
            sender = certificates.sender("000000000000", "us-east-1", "c1", plain)
            response = await sender.send(a_request(port))
            assert response.status == 200
            certificates.take(KEY, a_published())  # another one, which the backend does not know
            with pytest.raises(UpstreamError):
                await sender.send(a_request(port))
            await certificates.close()
            await plain.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "published",
    [
        None,
        {},
        {"certificate_pem": "x", "sealed_private_key": "!"},
        {"certificate_pem": "x", "sealed_private_key": base64.b64encode(b"x" * 100).decode()},
        {
            "certificate_pem": "no certificate",
            "sealed_private_key": base64.b64encode(a_seal().seal(b"no key", purpose=CERTIFICATE_PURPOSE)).decode(),
        },
    ],
)
def test_without_its_certificate_nothing_is_sent(tmp_path: Path, published: dict[str, str] | None) -> None:
    async def scenario() -> None:
        good = a_published()
        async with a_backend(tmp_path, good["certificate_pem"]) as (port, certificate):
            certificates = the_certificates(certificate)
            certificates.take(KEY, good)
            certificates.take(KEY, published)
            plain = Client(clock=SystemClock())
            sender = certificates.sender("000000000000", "us-east-1", "c1", plain)
            with pytest.raises(ConnectFailed, match="client certificate"):
                await sender.send(a_request(port))
            assert sender.prepare([(b"A", b"b")]) == plain.prepare([(b"A", b"b")])
            await plain.close()

    asyncio.run(scenario())
