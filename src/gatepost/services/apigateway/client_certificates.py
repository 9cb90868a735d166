"""Client certificates: by which the gateway shows backends who it is. Private keys are sealed and never given out.

Published under `CLIENT_CERTIFICATE`, key `{account}/{region}/{id}`, as `{"certificate_pem": …,
"sealed_private_key": …}`: base64 of the PEM text, sealed for `CERTIFICATE_PURPOSE`.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/getting-started-client-side-ssl-authentication.html
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Final

from gatepost.kernel.ids import random_id
from gatepost.kernel.operations import Call, Change, RecordKey
from gatepost.kernel.ports import Publisher
from gatepost.security.sealing import Seal
from gatepost.services.apigateway.model import (
    CERTIFICATE_PURPOSE,
    CLIENT_CERTIFICATE,
    NO_CERTIFICATE,
    STAGE,
    BadRequestException,
    LimitExceededException,
    NotFoundException,
    Stage,
)
from gatepost.services.apigateway.patches import PatchTable, rule
from gatepost.services.apigateway.records import ApiRecords
from gatepost.services.apigateway.tag_limits import check_tags
from gatepost.storage.base import Records, Write

DAYS: Final = 365
KEY_BITS: Final = 2_048

_DAY_MS: Final = 24 * 3_600 * 1_000


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate and its sealed key."""

    id: str
    certificate_pem: str
    sealed_private_key: str = field(repr=False)
    created_at_ms: int
    expires_at_ms: int
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Give the record's value."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ClientCertificate:
        """Read what `to_json` wrote."""
        return cls(**{name: value[name] for name in cls.__dataclass_fields__ if name in value})

    def to_aws(self) -> dict[str, Any]:
        """Give the shape ClientCertificate."""
        shape: dict[str, Any] = {
            "clientCertificateId": self.id,
            "pemEncodedCertificate": self.certificate_pem,
            "createdDate": self.created_at_ms,
            "expirationDate": self.expires_at_ms,
        }
        if self.description:
            shape["description"] = self.description
        if self.tags:
            shape["tags"] = dict(self.tags)
        return shape


class ClientCertificates:
    """The operations on client certificates."""

    def __init__(self, records: ApiRecords, publisher: Publisher, seal: Seal) -> None:
        self._records = records
        self._publisher = publisher
        self._seal = seal

    async def generate(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Make a key and a certificate that is good for 365 days. Raises: BadRequestException, LimitExceededException.

        The key is made in a thread: it takes 50 to 300 ms.
        """
        tags = params.get("tags", {})
        check_tags(tags)
        held = await self._records.all_of(call, CLIENT_CERTIFICATE, "")
        if len(held) >= self._records.limits.client_certificates:
            raise LimitExceededException(
                "Maximum number of Client Certificates has been reached. Please contact AWS if you need additional "
                "Client Certificates."
            )
        expires_at_ms = call.now_ms + DAYS * _DAY_MS
        loop = asyncio.get_running_loop()
        certificate_pem, key_pem = await loop.run_in_executor(None, make_certificate, call.now_ms, expires_at_ms)
        sealed = self._seal.seal(key_pem, purpose=CERTIFICATE_PURPOSE)
        certificate = ClientCertificate(
            id=random_id(6),
            certificate_pem=certificate_pem,
            sealed_private_key=base64.b64encode(sealed).decode(),
            created_at_ms=call.now_ms,
            expires_at_ms=expires_at_ms,
            description=params.get("description", ""),
            tags=tags,
        )
        key = call.key(CLIENT_CERTIFICATE, certificate.id)
        await self._records.store.put(key, certificate.to_json(), expected_version=0)
        await self._publisher.publish(_change(key, certificate))
        return certificate.to_aws()

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a certificate without its key. Raises: NotFoundException."""
        return (await self._held(call, params["clientCertificateId"]))[1].to_aws()

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of certificates, by id. Raises: BadRequestException."""
        page, position = await self._records.page(call, CLIENT_CERTIFICATE, params)
        return {"items": [ClientCertificate.from_json(each.value).to_aws() for each in page]} | position

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Change a certificate's description. Raises: NotFoundException, BadRequestException, ConflictException."""
        return (await self._change(call, params["clientCertificateId"], params)).to_aws()

    async def tags(self, call: Call, certificate_id: str) -> dict[str, str]:
        """Give a certificate's tags. Raises: NotFoundException."""
        return dict((await self._held(call, certificate_id))[1].tags)

    async def tag(self, call: Call, certificate_id: str, tags: Mapping[str, str]) -> None:
        """Set a certificate's tags to `tags`. Raises: NotFoundException, BadRequestException, ConflictException."""
        check_tags(tags)
        await self._change(call, certificate_id, {}, tags=dict(tags))

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete a certificate that no stage names. Raises: NotFoundException, BadRequestException."""
        certificate_id = params["clientCertificateId"]

        async def attempt() -> None:
            version, _ = await self._held(call, certificate_id)
            stages = [Stage.from_json(each.value) for each in await self._records.all_of(call, STAGE, "")]
            users = [each for each in stages if each.settings.client_certificate_id == certificate_id]
            if users:
                named = ", ".join(f"{each.api_id}:{each.settings.stage_name}" for each in users[:20])
                raise BadRequestException(f"Client certificate {certificate_id} is in use by these stages: {named}")
            key = call.key(CLIENT_CERTIFICATE, certificate_id)
            await self._records.store.commit((Write(key, None, version),))
            await self._publisher.publish(Change(CLIENT_CERTIFICATE, _published_key(key), None))

        await self._records.changing(call, certificate_id, attempt)

    async def _change(
        self, call: Call, certificate_id: str, params: Mapping[str, Any], **changes: Any
    ) -> ClientCertificate:
        async def attempt() -> ClientCertificate:
            version, certificate = await self._held(call, certificate_id)
            changed = replace(PATCHES.apply(certificate, params), **changes)
            key = call.key(CLIENT_CERTIFICATE, certificate_id)
            await self._records.store.put(key, changed.to_json(), expected_version=version)
            return changed

        return await self._records.changing(call, certificate_id, attempt)

    async def _held(self, call: Call, certificate_id: str) -> tuple[int, ClientCertificate]:
        record = await self._records.store.get(call.key(CLIENT_CERTIFICATE, certificate_id))
        if record is None:
            raise NotFoundException(NO_CERTIFICATE)
        return record.version, ClientCertificate.from_json(record.value)


async def all_certificate_changes(store: Records) -> list[Change]:
    """Give what the gateway should hold of every certificate."""
    return [_change(each.key, ClientCertificate.from_json(each.value)) for each in await store.scan(CLIENT_CERTIFICATE)]


def _change(key: RecordKey, certificate: ClientCertificate) -> Change:
    value = {
        "certificate_pem": certificate.certificate_pem,
        "sealed_private_key": certificate.sealed_private_key,
    }
    return Change(CLIENT_CERTIFICATE, _published_key(key), value)


def _published_key(key: RecordKey) -> str:
    return f"{key.account_id}/{key.region}/{key.id}"


def make_certificate(from_ms: int, until_ms: int) -> tuple[str, bytes]:
    """Make an RSA key and a certificate signed with it; give both as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = rsa.generate_private_key(public_exponent=65_537, key_size=KEY_BITS)
    attributes = ((NameOID.COMMON_NAME, "ApiGateway"), (NameOID.ORGANIZATION_NAME, "Gatepost"))
    name = x509.Name([x509.NameAttribute(oid, text) for oid, text in attributes])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(from_ms // 1_000, UTC))
        .not_valid_after(datetime.fromtimestamp(until_ms // 1_000, UTC))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem, private


PATCHES: Final[PatchTable[ClientCertificate]] = PatchTable(
    (rule("/description", "replace", lambda held, patch: replace(held, description=patch.value)),)
)
