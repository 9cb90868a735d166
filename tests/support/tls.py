"""TLS for tests: authorities, certificates of every kind, contexts, and clients that handshake by hand."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from gatepost.security.certificates import LocalAuthority, PrivateKey, key_pem, pem_of
from gatepost.security.tls_contexts import server_context
from gatepost.wire.tls import TlsTerms

NOW_MS = int(dt.datetime.now(dt.UTC).timestamp() * 1000)  # handshakes look at the real clock


@dataclass(frozen=True)
class Pair:
    """A certificate with its chain, and its key, as PEM."""

    certificate: str
    chain: str
    key: bytes

    def in_files(self, folder: Path, name: str) -> tuple[str, str]:
        """Write both down; give the paths."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_text(self.certificate + self.chain)
        key.write_bytes(self.key)
        return str(certificate), str(key)


def an_authority(*names: str, now_ms: int = NOW_MS) -> LocalAuthority:
    return LocalAuthority.make(names, now_ms)


def issued(authority: LocalAuthority, *names: str, now_ms: int = NOW_MS) -> Pair:
    certificate, key = authority.issue(names, now_ms)
    return Pair(pem_of(certificate), pem_of(authority.certificate), key_pem(key))


def a_client_certificate(
    authority: LocalAuthority | None,
    name: str = "client.shop.test",
    *,
    now_ms: int = NOW_MS,
    days: int = 30,
    purpose: x509.ObjectIdentifier | None = None,
) -> Pair:
    """Make a client's certificate; without an authority it has signed itself. `purpose` is its only extended use."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = dt.datetime.fromtimestamp(now_ms // 1000, dt.UTC) - dt.timedelta(hours=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.certificate.subject if authority else subject)
        .public_key(key.public_key())
        .serial_number(0xA1B2C3)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    signer: PrivateKey = authority.key if authority else key
    return Pair(pem_of(builder.sign(signer, hashes.SHA256())), "", key_pem(key))


def terms_for(pair: Pair, name: str = "", *, policy: str = "TLS_1_2", trust_store: str = "") -> TlsTerms:
    context = server_context(policy, pair.certificate + pair.chain, pair.key, trust_store_pem=trust_store)
    return TlsTerms(context, name)


def a_trusting_context(
    authority: LocalAuthority,
    *,
    oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    alpn: tuple[str, ...] = (),
) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=pem_of(authority.certificate))
    context.minimum_version = oldest
    context.maximum_version = newest
    if oldest < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


async def exchange(
    port: int, context: ssl.SSLContext, *, server_name: str = "api.shop.test", host: str = "", path: str = "/"
) -> tuple[bytes, ssl.SSLObject]:
    """Send one GET over TLS and give all that came, and the TLS object."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=server_name)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host or server_name}\r\nConnection: close\r\n\r\n".encode())
    data = await reader.read()
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    writer.close()
    return data, tls
