"""Trust stores of mutual TLS: where they are read from, and what is wrong with their certificates.

There is no S3 here: a trust store is an asset that was uploaded, `s3://gatepost-assets/SHA256`.
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from gatepost.kernel.ports import Assets
from gatepost.security.certificates import BadCertificate, facts_of, read_certificates
from gatepost.services.apigateway.model import BadRequestException

BYTES_MAX: Final = 1024 * 1024
CERTIFICATES_MAX: Final = 1_000
_URI: Final = re.compile(r"s3://gatepost-assets/([0-9a-f]{64})(?:/[^/]{1,255})?")


def read_trust_store(assets: Assets | None, uri: str, version: str, now_ms: int) -> tuple[str, tuple[str, ...]]:
    """Give a trust store's PEM and what is to be said of its certificates. Raises: BadRequestException."""
    if version:
        raise BadRequestException("Gatepost does not support truststoreVersion yet: uploaded files have no versions")
    match = _URI.fullmatch(uri)
    if match is None:
        raise BadRequestException(
            f"Invalid truststoreUri {uri}: upload the file to Gatepost and use s3://gatepost-assets/SHA256"
        )
    path = assets.path(match[1]) if assets is not None else None
    if path is None:
        raise BadRequestException(f"Invalid truststoreUri {uri}: there is no such file")
    if path.stat().st_size > BYTES_MAX:
        raise BadRequestException(f"The truststore has more than {BYTES_MAX} bytes")
    content = path.read_bytes()
    try:
        certificates = read_certificates(content, what="The truststore", count_max=CERTIFICATES_MAX)
        facts = [facts_of(each) for each in certificates]
        text = content.decode("ascii")
    except (BadCertificate, UnicodeDecodeError) as error:
        raise BadRequestException(f"Invalid truststore: {error}") from error
    return text, _warnings([(each.subject, each.not_after_ms, each.signature_algorithm) for each in facts], now_ms)


def _warnings(certificates: Sequence[tuple[str, int, str]], now_ms: int) -> tuple[str, ...]:
    """Say which certificates prove nothing. unverified: AWS's words."""
    found = []
    for subject, ends_ms, algorithm in certificates:
        if ends_ms <= now_ms:
            found.append(f"Certificate {subject} has expired")
        if algorithm.startswith(("MD5", "SHA1")):
            found.append(f"Certificate {subject} is signed with {algorithm}, which is not accepted")
    return tuple(found)
