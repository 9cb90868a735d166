"""TLS contexts: what a server offers its clients, from a certificate, a security policy and a trust store.

Policies by AWS's names, with the ciphers of
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-security-policies-list.html that OpenSSL has.
Policies of edge endpoints end in `_EDGE`; TLS_1_0 is for both kinds.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

ALPN: Final = ("h2", "http/1.1")
_GCM: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384"
)
_CBC: Final = "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384"
_CHACHA: Final = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
_RSA: Final = "AES128-GCM-SHA256:AES128-SHA256:AES256-GCM-SHA384:AES256-SHA256"
_OLD: Final = (
    "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:AES128-SHA:AES256-SHA"
)


@dataclass(frozen=True, slots=True)
class SecurityPolicy:
    """The oldest protocol version that is spoken, and the ciphers of TLS 1.2 and below."""

    name: str
    oldest: ssl.TLSVersion
    ciphers: str
    is_enhanced: bool = False


# SECLEVEL=0 because OpenSSL counts the SHA-1 signatures of TLS 1.0 and 1.1 among what it refuses otherwise.
POLICIES: Final = {
    policy.name: policy
    for policy in (
        SecurityPolicy("TLS_1_0", ssl.TLSVersion.TLSv1, f"{_GCM}:{_CBC}:{_RSA}:{_OLD}:@SECLEVEL=0"),
        SecurityPolicy("TLS_1_2", ssl.TLSVersion.TLSv1_2, f"{_GCM}:{_CBC}:{_RSA}"),
        SecurityPolicy("SecurityPolicy_TLS13_1_2_2021_06", ssl.TLSVersion.TLSv1_2, f"{_GCM}:{_CBC}", is_enhanced=True),
        SecurityPolicy("SecurityPolicy_TLS13_1_3_2025_09", ssl.TLSVersion.TLSv1_3, _GCM, is_enhanced=True),
        SecurityPolicy("SecurityPolicy_TLS13_2025_EDGE", ssl.TLSVersion.TLSv1_3, _GCM, is_enhanced=True),
        SecurityPolicy(
            "SecurityPolicy_TLS12_PFS_2025_EDGE", ssl.TLSVersion.TLSv1_2, f"{_GCM}:{_CHACHA}", is_enhanced=True
        ),
        SecurityPolicy(
            "SecurityPolicy_TLS12_2018_EDGE", ssl.TLSVersion.TLSv1_2, f"{_GCM}:{_CHACHA}:{_CBC}", is_enhanced=True
        ),
    )
}
EDGE_POLICIES: Final = frozenset(name for name in POLICIES if name.endswith("_EDGE"))
DEFAULT_POLICY: Final = "TLS_1_2"


class BadContext(Exception):
    """OpenSSL does not take a certificate, key or trust store."""


def unsupported_policy(name: str) -> str:
    """Say why a security policy cannot be enforced here, "" when it can be."""
    if name not in POLICIES:
        if "PQ" in name:
            return f"{name} needs post-quantum key exchange, which this OpenSSL ({ssl.OPENSSL_VERSION}) does not have"
        if "FIPS" in name:
            return f"{name} needs a module that is validated by FIPS 140, which this OpenSSL is not"
        return f"{name} is not supported by Gatepost: use {', '.join(sorted(POLICIES))}"
    if name == "TLS_1_0" and not (ssl.HAS_TLSv1 and ssl.HAS_TLSv1_1):
        return f"TLS_1_0 needs TLS 1.0, which this OpenSSL ({ssl.OPENSSL_VERSION}) was built without: use TLS_1_2"
    return ""


def server_context(
    policy_name: str, certificates_pem: str, private_key_pem: bytes, *, trust_store_pem: str = ""
) -> ssl.SSLContext:
    """Make a context. With a trust store every client has to show a certificate that leads to one of its roots.

    Session tickets are OpenSSL's, under a key that each context has of its own: a session never outlives the
    certificate, policy or trust store that it began under, and never crosses to another name. Raises: BadContext.
    """
    policy = POLICIES[policy_name]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = policy.oldest
    context.set_ciphers(policy.ciphers)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(list(ALPN))
    try:
        with _briefly_in_a_file(certificates_pem.encode() + private_key_pem) as path:
            context.load_cert_chain(path)
        if trust_store_pem:
            context.load_verify_locations(cadata=trust_store_pem)
            context.verify_mode = ssl.CERT_REQUIRED
            # Any certificate of the trust store is an anchor, as on AWS, not only those that signed themselves.
            context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
            context.num_tickets = 0  # a certificate is looked at on each connection, not once in a session's life
            context.options |= ssl.OP_NO_TICKET
    except (ssl.SSLError, ValueError, OSError) as error:
        raise BadContext(str(error)) from error
    return context


def client_context(certificate_pem: str, private_key_pem: bytes) -> ssl.SSLContext:
    """Give a context for connections to servers, verified against the system's authorities, with a certificate of ours.

    Raises: BadContext.
    """
    context = ssl.create_default_context()
    try:
        with _briefly_in_a_file(certificate_pem.encode() + private_key_pem) as path:
            context.load_cert_chain(path)
    except (ssl.SSLError, ValueError) as error:
        raise BadContext(f"OpenSSL does not take the certificate: {error}") from error
    return context


@contextmanager
def _briefly_in_a_file(content: bytes) -> Iterator[str]:
    """Keep `content` where OpenSSL can read it: in memory on Linux, else in a file of mode 0600 that is deleted."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name
