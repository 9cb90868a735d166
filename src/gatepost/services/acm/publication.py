"""What the gateway gets of a certificate. Apart from `model`, so that the gateway need not load X.509 for it."""

from __future__ import annotations

from typing import Final

from gatepost.kernel.operations import Change

TLS_CERTIFICATE: Final = "tls_certificate"  # topic; key: ARN, or DEFAULT
DEFAULT: Final = "default"  # what a client gets who names no domain, or one that we do not have
KEY_PURPOSE: Final = "certificate-key"


def tls_certificate(key: str, certificates: str, sealed_key: str) -> Change:
    """Give the change that puts a certificate into effect: PEM, leaf first, and the sealed key in base64."""
    return Change(TLS_CERTIFICATE, key, {"certificates": certificates, "sealed_key": sealed_key})
