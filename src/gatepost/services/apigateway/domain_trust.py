"""Trust stores of mutual TLS: where they are read from, and what is wrong with their certificates.

A trust store is an asset that was uploaded, `s3://gatepost-assets/SHA256`, or an object of the S3 that the operator
named. Whoever names an object must be allowed to read it. It is read when it is named, and not again before the next
update that names it or its version.
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from gatepost.kernel.operations import Access, Call
from gatepost.kernel.ports import Assets, Authorization
from gatepost.kernel.stored_objects import ObjectTooLarge, StoredObjects
from gatepost.security.certificates import BadCertificate, facts_of, read_certificates
from gatepost.services.apigateway.model import BadRequestException

BYTES_MAX: Final = 1024 * 1024
CERTIFICATES_MAX: Final = 1_000
_TOO_LARGE: Final = f"The truststore has more than {BYTES_MAX} bytes"
KEY_BYTES_MAX: Final = 1_024
VERSION_LENGTH_MAX: Final = 1_024
_ASSETS: Final = "s3://gatepost-assets/"
_ASSET: Final = re.compile(rf"{_ASSETS}([0-9a-f]{{64}})(?:/[^/]{{1,255}})?")
_OBJECT: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.+)")

TrustStore = tuple[str, tuple[str, ...]]  # PEM, and what is to be said of its certificates


class TrustStores:
    """Reads trust stores for whoever names them."""

    def __init__(self, assets: Assets | None, authorization: Authorization, objects: StoredObjects | None) -> None:
        self._assets = assets
        self._authorization = authorization
        self._objects = objects

    async def read(self, call: Call, uri: str, version: str) -> TrustStore:
        """Give a trust store's PEM and what is to be said of its certificates.

        Raises: BadRequestException, AccessDeniedException, ServiceUnavailable.
        """
        if uri.startswith(_ASSETS):
            return parse_trust_store(self._asset(uri, version), call.now_ms)
        match = _OBJECT.fullmatch(uri)
        if match is None:
            raise BadRequestException(f"Invalid truststoreUri {uri}: use s3://bucket-name/key-name")
        if self._objects is None:
            raise BadRequestException(
                f"Invalid truststoreUri {uri}: there is no S3 here. Name one with --service s3=URL, "
                "or upload the file to Gatepost and use s3://gatepost-assets/SHA256"
            )
        bucket, key = match[1], match[2]
        if len(key.encode()) > KEY_BYTES_MAX or not {".", ".."}.isdisjoint(key.split("/")):
            raise BadRequestException(f"Invalid truststoreUri {uri}: the key is not one that can be read")
        if len(version) > VERSION_LENGTH_MAX:
            raise BadRequestException("Invalid truststoreVersion")
        action = "s3:GetObjectVersion" if version else "s3:GetObject"
        self._authorization.check(call, Access(action, f"arn:aws:s3:::{bucket}/{key}"))
        try:
            content = await self._objects.read(bucket, key, version, region=call.region, bytes_max=BYTES_MAX)
        except ObjectTooLarge as error:
            raise BadRequestException(_TOO_LARGE) from error
        if content is None:
            raise BadRequestException(f"Invalid truststoreUri {uri}: there is no such object, or it cannot be read")
        return parse_trust_store(content, call.now_ms)

    def _asset(self, uri: str, version: str) -> bytes:
        if version:
            raise BadRequestException("truststoreVersion: uploaded files have no versions")
        match = _ASSET.fullmatch(uri)
        if match is None:
            raise BadRequestException(f"Invalid truststoreUri {uri}: use s3://gatepost-assets/SHA256")
        path = self._assets.path(match[1]) if self._assets is not None else None
        if path is None:
            raise BadRequestException(f"Invalid truststoreUri {uri}: there is no such file")
        with path.open("rb") as file:
            return file.read(BYTES_MAX + 1)


def parse_trust_store(content: bytes, now_ms: int) -> TrustStore:
    """Check a trust store. Raises: BadRequestException."""
    if len(content) > BYTES_MAX:
        raise BadRequestException(_TOO_LARGE)
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
