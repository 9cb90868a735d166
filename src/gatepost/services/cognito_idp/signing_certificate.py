"""The certificate of a pool's signing key, which is for providers of SAML that check requests.

Here no pool asks such providers; the certificate is of the key that signs id tokens, and the same every time.
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_GetSigningCertificate.html
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.operations import Call, operation
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.pools import Pools

VALID_DAYS: Final = 3_650


class SigningCertificateOperations:
    """The operation on a pool's certificate; a part of the provider."""

    _pools: Pools

    @operation("GetSigningCertificate")
    def get_signing_certificate(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give the certificate: DER in base64. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        pem = self._pools.signing_key(pool, is_access=False).pem
        return {"Certificate": base64.b64encode(certificate_of(pool, pem)).decode()}


def certificate_of(pool: UserPool, pem: bytes) -> bytes:
    """Sign the certificate of a pool's own key: from the pool's beginning, for ten years."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, pool.id)])
    start = dt.datetime.fromtimestamp(pool.created_at_ms // 1000, dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(pool.created_at_ms or 1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=VALID_DAYS))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.DER)
