"""What the client's certificate says of it, for `$context.identity.clientCert` and events: mutual TLS.

The handshake has checked the certificate already. It is taken apart once per connection, when somebody asks.
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

from __future__ import annotations

import ssl
from typing import Any, Final

from gatepost.wire.messages import Request

_TIME: Final = "%b %d %H:%M:%S %Y GMT"


class ClientCertificate:
    """A client's certificate in AWS's words: PEM, names from the general to the particular, times as OpenSSL's."""

    __slots__ = ("issuer_dn", "not_after", "not_before", "pem", "serial_number", "subject_dn")

    def __init__(self, der: bytes) -> None:
        from cryptography import x509

        from gatepost.security.certificates import distinguished_name, serial_text

        found = x509.load_der_x509_certificate(der)
        self.pem = ssl.DER_cert_to_PEM_cert(der)
        self.subject_dn = distinguished_name(found.subject)
        self.issuer_dn = distinguished_name(found.issuer)
        self.serial_number = serial_text(found.serial_number)
        self.not_before = found.not_valid_before_utc.strftime(_TIME)
        self.not_after = found.not_valid_after_utc.strftime(_TIME)

    def to_event(self) -> dict[str, Any]:
        """Give it as events carry it."""
        return {
            "clientCertPem": self.pem,
            "subjectDN": self.subject_dn,
            "issuerDN": self.issuer_dn,
            "serialNumber": self.serial_number,
            "validity": {"notBefore": self.not_before, "notAfter": self.not_after},
        }


def client_certificate(request: Request) -> ClientCertificate | None:
    """Give the certificate of a request's client, or None when its handshake asked for none."""
    tls = request.peer.tls
    if tls is None or tls.client_certificate is None:
        return None
    known: ClientCertificate | None = tls.client
    if known is None:
        known = tls.client = ClientCertificate(tls.client_certificate)
    return known
