"""Server certificates: uploaded with their key, checked, listed. Domains are served with ACM's certificates instead.

The private key has to be the certificate's; it is not kept, since nothing here serves with it.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadServerCertificate.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from gatepost.kernel.ids import UPPER_BASE32, random_id
from gatepost.kernel.operations import Call, operation
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.entities import Entities
from gatepost.services.iam.errors import (
    KeyPairMismatchException,
    LimitExceededException,
    MalformedCertificateException,
    NoSuchEntityException,
)
from gatepost.services.iam.holders import Answer, Params
from gatepost.services.iam.listing import list_tags, new_tags, paged, tagged, untagged
from gatepost.services.iam.model import SERVER_CERTIFICATE, ServerCertificate, tags_to_aws, whole_second

SERVER_CERTIFICATES_MAX: Final = 20


class ServerCertificateOperations:
    """The operations on server certificates; a part of the provider."""

    _directory: Directory
    _entities: Entities

    def _certificate(self, call: Call, name: str) -> ServerCertificate:
        stored = self._directory.stored(SERVER_CERTIFICATE, call.account_id, name)
        if stored is None or not isinstance(stored.entity, ServerCertificate):
            raise NoSuchEntityException(_missing(name))
        return stored.entity

    async def _change_certificate(
        self, call: Call, params: Params, change: Callable[[ServerCertificate], ServerCertificate]
    ) -> Answer:
        name = params["ServerCertificateName"]
        await self._entities.change(
            ServerCertificate, SERVER_CERTIFICATE, call.account_id, name, missing=_missing(name), change=change
        )
        return {}

    @operation("UploadServerCertificate")
    async def upload_server_certificate(self, call: Call, params: Params) -> Answer:
        """Keep a certificate. Raises: EntityAlreadyExists, MalformedCertificate, KeyPairMismatch, LimitExceeded."""
        name, body, chain = (
            params["ServerCertificateName"],
            params["CertificateBody"],
            params.get("CertificateChain", ""),
        )
        certificate = ServerCertificate(
            account_id=call.account_id,
            name=name,
            path=params.get("Path", "/"),
            id="ASCA" + random_id(17, UPPER_BASE32),
            created_at_ms=whole_second(call.now_ms),
            expires_at_ms=_checked(body, chain, params["PrivateKey"]),
            body=body,
            chain=chain,
            tags=new_tags(params.get("Tags", ())),
        )

        def check() -> None:
            count = len(self._directory.every(SERVER_CERTIFICATE, call.account_id, ServerCertificate))
            if count >= SERVER_CERTIFICATES_MAX:
                raise LimitExceededException(
                    f"Cannot exceed quota for ServerCertificatesPerAccount: {SERVER_CERTIFICATES_MAX}"
                )

        exists = f"The Server Certificate with name {name} already exists."
        await self._entities.create(certificate, exists=exists, check=check)
        return {"ServerCertificateMetadata": certificate.to_aws(), **tags_to_aws(certificate.tags)}

    @operation("GetServerCertificate")
    def get_server_certificate(self, call: Call, params: Params) -> Answer:
        """Give a certificate with its chain, never its key. Raises: NoSuchEntity."""
        certificate = self._certificate(call, params["ServerCertificateName"])
        chain = {"CertificateChain": certificate.chain} if certificate.chain else {}
        return {
            "ServerCertificate": {
                "ServerCertificateMetadata": certificate.to_aws(),
                "CertificateBody": certificate.body,
                **chain,
                **tags_to_aws(certificate.tags),
            }
        }

    @operation("ListServerCertificates")
    def list_server_certificates(self, call: Call, params: Params) -> Answer:
        """List certificates under a path."""
        prefix = params.get("PathPrefix", "/")
        every = self._directory.every(SERVER_CERTIFICATE, call.account_id, ServerCertificate)
        found = [one for one in every if one.path.startswith(prefix)]
        page, rest = paged(found, params, name_of=lambda one: one.name.lower())
        return {"ServerCertificateMetadataList": [one.to_aws() for one in page], **rest}

    @operation("UpdateServerCertificate")
    async def update_server_certificate(self, call: Call, params: Params) -> Answer:
        """Rename or move a certificate. Raises: NoSuchEntity, EntityAlreadyExists."""

        def change(one: ServerCertificate) -> ServerCertificate:
            name = params.get("NewServerCertificateName", one.name)
            return replace(one, name=name, path=params.get("NewPath", one.path))

        return await self._change_certificate(call, params, change)

    @operation("DeleteServerCertificate")
    async def delete_server_certificate(self, call: Call, params: Params) -> Answer:
        """Delete a certificate. Raises: NoSuchEntity."""
        name = params["ServerCertificateName"]
        await self._entities.delete(
            ServerCertificate,
            SERVER_CERTIFICATE,
            call.account_id,
            name,
            missing=_missing(name),
            check=lambda _: None,
        )
        return {}

    @operation("TagServerCertificate")
    async def tag_server_certificate(self, call: Call, params: Params) -> Answer:
        """Add or replace tags. Raises: NoSuchEntity, InvalidInput, LimitExceeded."""
        return await self._change_certificate(
            call, params, lambda one: replace(one, tags=tagged(one.tags, params["Tags"]))
        )

    @operation("UntagServerCertificate")
    async def untag_server_certificate(self, call: Call, params: Params) -> Answer:
        """Take tags away. Raises: NoSuchEntity."""
        return await self._change_certificate(
            call, params, lambda one: replace(one, tags=untagged(one.tags, params["TagKeys"]))
        )

    @operation("ListServerCertificateTags")
    def list_server_certificate_tags(self, call: Call, params: Params) -> Answer:
        """List a certificate's tags. Raises: NoSuchEntity."""
        return list_tags(self._certificate(call, params["ServerCertificateName"]).tags, params)


def _missing(name: str) -> str:
    return f"The Server Certificate with name {name} cannot be found."


def _checked(body: str, chain: str, private_key: str) -> int:
    """Check that the three belong together; give when the certificate ends.

    Raises: MalformedCertificateException, KeyPairMismatchException.
    """
    from gatepost.security.certificates import (
        BadCertificate,
        check_chain,
        check_key_pair,
        facts_of,
        read_certificates,
        read_private_key,
    )

    try:
        certificate = read_certificates(body.encode(), what="The certificate", count_max=1)[0]
        key = read_private_key(private_key.encode())
        if chain:
            check_chain(certificate, read_certificates(chain.encode(), what="The chain"))
        ends_at_ms = facts_of(certificate).not_after_ms
    except BadCertificate as error:
        raise MalformedCertificateException(str(error)) from error
    try:
        check_key_pair(certificate, key)
    except BadCertificate as error:
        raise KeyPairMismatchException("Certificate and Private Key do not match.", detail=str(error)) from error
    return ends_at_ms
