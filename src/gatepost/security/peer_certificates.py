"""What is looked at in a server's certificate when its issuer is not: its dates and its names.

AWS's `insecureSkipVerification` skips "verification that the certificate […] is issued by a supported certificate
authority" and "still performs basic certificate validation, which includes checking the certificate's expiration date,
hostname": https://docs.aws.amazon.com/apigateway/latest/api/API_TlsConfig.html
"""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime


def unverified_context() -> ssl.SSLContext:
    """Give a client's context that takes certificates of any issuer: for use with `problem_with` only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def problem_with(certificate: bytes, host: str, now_ms: int) -> str:
    """Say what is wrong with a certificate (DER) of the server `host`; empty when nothing is."""
    from cryptography import x509

    try:
        found = x509.load_der_x509_certificate(certificate)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "the certificate names no host (subjectAltName)"
    except ValueError as error:
        return f"the certificate cannot be read: {error}"
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    if now < found.not_valid_before_utc:
        return f"the certificate is not valid before {found.not_valid_before_utc.isoformat()}"
    if now > found.not_valid_after_utc:
        return f"the certificate has expired at {found.not_valid_after_utc.isoformat()}"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        dns_names = names.get_values_for_type(x509.DNSName)
        return "" if any(_is_named(host, name) for name in dns_names) else f"the certificate is not for {host}"
    return "" if address in names.get_values_for_type(x509.IPAddress) else f"the certificate is not for {host}"


def _is_named(host: str, name: str) -> bool:
    """Compare a host with a certificate's name, in which `*` stands for one whole label, the first (RFC 6125)."""
    host, name = host.lower().rstrip("."), name.lower().rstrip(".")
    if not name.startswith("*."):
        return host == name
    _, dot, rest = host.partition(".")
    return bool(dot) and rest.count(".") >= 1 and rest == name[2:]
