"""Users' public keys for SSH and their signing certificates: read, checked and listed.

On AWS the keys are for CodeCommit, the certificates for services that take requests in SOAP. There is neither here, so
nothing asks for them.

Sources: https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadSSHPublicKey.html,
https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadSigningCertificate.html. Words of
refusals are `unverified`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from gatepost.kernel.ids import UPPER_BASE32, random_id
from gatepost.kernel.operations import Call, operation
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.entities import Entities
from gatepost.services.iam.errors import (
    DuplicateCertificateException,
    DuplicateSSHPublicKeyException,
    InvalidInputException,
    InvalidPublicKeyException,
    LimitExceededException,
    MalformedCertificateException,
    NoSuchEntityException,
)
from gatepost.services.iam.holders import Answer, Params, missing
from gatepost.services.iam.listing import paged
from gatepost.services.iam.model import USER, SigningCertificate, SshPublicKey, User, whole_second
from gatepost.services.iam.users import caller_name

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa

SSH_KEYS_MAX: Final = 5
SIGNING_CERTIFICATES_MAX: Final = 2
KEY_BITS_MIN: Final = 2_048

Credential = TypeVar("Credential", SshPublicKey, SigningCertificate)


class UserCertificateOperations:
    """The operations on users' SSH keys and signing certificates; a part of the provider."""

    _directory: Directory
    _entities: Entities

    def _owner(self, call: Call, params: Params) -> User:
        name = params.get("UserName") or caller_name(call)
        user = self._directory.user(call.account_id, name)
        if user is None:
            raise NoSuchEntityException(missing("user", name))
        return user

    async def _change_owner(self, call: Call, params: Params, change: Callable[[User], User]) -> User:
        name = params.get("UserName") or caller_name(call)
        return await self._entities.change(
            User, USER, call.account_id, name, missing=missing("user", name), change=change
        )

    # Public keys for SSH

    @operation("UploadSSHPublicKey")
    async def upload_ssh_public_key(self, call: Call, params: Params) -> Answer:
        """Keep a user's RSA key. Raises: NoSuchEntity, InvalidPublicKey, DuplicateSSHPublicKey, LimitExceeded."""
        body = params["SSHPublicKeyBody"].strip()
        key = SshPublicKey(
            id="APKA" + random_id(16, UPPER_BASE32),
            body=body,
            fingerprint=_fingerprint(_ssh_text(_public_key(body))),
            status="Active",
            uploaded_at_ms=whole_second(call.now_ms),
        )

        def change(user: User) -> User:
            if any(kept.fingerprint == key.fingerprint for kept in user.ssh_keys):
                raise DuplicateSSHPublicKeyException("The SSH public key is already associated with this user.")
            if len(user.ssh_keys) >= SSH_KEYS_MAX:
                raise LimitExceededException(f"Cannot exceed quota for SSHPublicKeysPerUser: {SSH_KEYS_MAX}")
            return replace(user, ssh_keys=(*user.ssh_keys, key))

        user = await self._change_owner(call, params, change)
        return {"SSHPublicKey": _ssh_to_aws(user, key, key.body)}

    @operation("GetSSHPublicKey")
    def get_ssh_public_key(self, call: Call, params: Params) -> Answer:
        """Give a user's key as SSH's line or as PEM (`Encoding`). Raises: NoSuchEntity."""
        user = self._owner(call, params)
        key = _found(user.ssh_keys, params["SSHPublicKeyId"], "SSH Public Key")
        public = _public_key(key.body)
        return {
            "SSHPublicKey": _ssh_to_aws(user, key, _ssh_text(public) if params["Encoding"] == "SSH" else _pem(public))
        }

    @operation("ListSSHPublicKeys")
    def list_ssh_public_keys(self, call: Call, params: Params) -> Answer:
        """List a user's keys. Raises: NoSuchEntity."""
        user = self._owner(call, params)
        page, rest = paged(sorted(user.ssh_keys, key=lambda key: key.id), params, name_of=lambda key: key.id)
        listed = [
            {
                "UserName": user.name,
                "SSHPublicKeyId": key.id,
                "Status": key.status,
                "UploadDate": key.uploaded_at_ms,
            }
            for key in page
        ]
        return {"SSHPublicKeys": listed, **rest}

    @operation("UpdateSSHPublicKey")
    async def update_ssh_public_key(self, call: Call, params: Params) -> Answer:
        """Make a key active or inactive. Raises: NoSuchEntity, InvalidInput."""
        status = _status(params)

        def change(user: User) -> User:
            gone = _found(user.ssh_keys, params["SSHPublicKeyId"], "SSH Public Key")
            return replace(user, ssh_keys=_with_status(user.ssh_keys, gone, status))

        await self._change_owner(call, params, change)
        return {}

    @operation("DeleteSSHPublicKey")
    async def delete_ssh_public_key(self, call: Call, params: Params) -> Answer:
        """Delete a key. Raises: NoSuchEntity."""

        def change(user: User) -> User:
            gone = _found(user.ssh_keys, params["SSHPublicKeyId"], "SSH Public Key")
            return replace(user, ssh_keys=tuple(key for key in user.ssh_keys if key is not gone))

        await self._change_owner(call, params, change)
        return {}

    # Signing certificates

    @operation("UploadSigningCertificate")
    async def upload_signing_certificate(self, call: Call, params: Params) -> Answer:
        """Keep a certificate. Raises: NoSuchEntity, MalformedCertificate, DuplicateCertificate, LimitExceeded."""
        body = params["CertificateBody"]
        check_certificate(body)
        certificate = SigningCertificate(
            id=random_id(32, UPPER_BASE32), body=body, status="Active", uploaded_at_ms=whole_second(call.now_ms)
        )

        def change(user: User) -> User:
            others = self._directory.every(USER, call.account_id, User)
            if any(kept.body == body for other in others for kept in other.signing_certificates):
                raise DuplicateCertificateException("The certificate already exists.")
            if len(user.signing_certificates) >= SIGNING_CERTIFICATES_MAX:
                raise LimitExceededException(f"Cannot exceed quota for CertificatesPerUser: {SIGNING_CERTIFICATES_MAX}")
            return replace(user, signing_certificates=(*user.signing_certificates, certificate))

        user = await self._change_owner(call, params, change)
        return {"Certificate": _certificate_to_aws(user, certificate)}

    @operation("ListSigningCertificates")
    def list_signing_certificates(self, call: Call, params: Params) -> Answer:
        """List a user's certificates. Raises: NoSuchEntity."""
        user = self._owner(call, params)
        found = sorted(user.signing_certificates, key=lambda one: one.id)
        page, rest = paged(found, params, name_of=lambda one: one.id)
        return {"Certificates": [_certificate_to_aws(user, one) for one in page], **rest}

    @operation("UpdateSigningCertificate")
    async def update_signing_certificate(self, call: Call, params: Params) -> Answer:
        """Make a certificate active or inactive. Raises: NoSuchEntity, InvalidInput."""
        status = _status(params)

        def change(user: User) -> User:
            changed = _found(user.signing_certificates, params["CertificateId"], "Certificate")
            return replace(user, signing_certificates=_with_status(user.signing_certificates, changed, status))

        await self._change_owner(call, params, change)
        return {}

    @operation("DeleteSigningCertificate")
    async def delete_signing_certificate(self, call: Call, params: Params) -> Answer:
        """Delete a certificate. Raises: NoSuchEntity."""

        def change(user: User) -> User:
            gone = _found(user.signing_certificates, params["CertificateId"], "Certificate")
            left = tuple(one for one in user.signing_certificates if one is not gone)
            return replace(user, signing_certificates=left)

        await self._change_owner(call, params, change)
        return {}


def check_certificate(body: str) -> None:
    """Refuse what is no single X.509 certificate in PEM. Raises: MalformedCertificateException."""
    from gatepost.security.certificates import BadCertificate, read_certificates

    try:
        read_certificates(body.encode(), what="The certificate", count_max=1)
    except BadCertificate as error:
        raise MalformedCertificateException("Unable to parse certificate.", detail=str(error)) from error


def _found(kept: tuple[Credential, ...], credential_id: str, word: str) -> Credential:
    for one in kept:
        if one.id == credential_id:
            return one
    raise NoSuchEntityException(f"The {word} with id {credential_id} cannot be found.")


def _with_status(kept: tuple[Credential, ...], changed: Credential, status: str) -> tuple[Credential, ...]:
    return tuple(replace(one, status=status) if one is changed else one for one in kept)


def _status(params: Params) -> str:
    status: str = params["Status"]
    if status not in ("Active", "Inactive"):
        raise InvalidInputException(f"Status must be Active or Inactive, not {status}")
    return status


def _public_key(body: str) -> rsa.RSAPublicKey:
    """Read an RSA key from SSH's line or from PEM. Raises: InvalidPublicKeyException."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    read = serialization.load_ssh_public_key if body.startswith("ssh-") else serialization.load_pem_public_key
    try:
        key = read(body.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidPublicKeyException("The public key is malformed or otherwise invalid.") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise InvalidPublicKeyException(f"The public key must be RSA with at least {KEY_BITS_MIN} bits.")
    return key


def _ssh_text(key: rsa.RSAPublicKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _pem(key: rsa.RSAPublicKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _fingerprint(ssh_text: str) -> str:
    """Give the MD5 of the key as SSH writes it, in pairs: what `ssh-keygen -l -E md5` shows."""
    import base64

    blob = base64.b64decode(ssh_text.split()[1])
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def _ssh_to_aws(user: User, key: SshPublicKey, body: str) -> dict[str, object]:
    return {
        "UserName": user.name,
        "SSHPublicKeyId": key.id,
        "Fingerprint": key.fingerprint,
        "SSHPublicKeyBody": body,
        "Status": key.status,
        "UploadDate": key.uploaded_at_ms,
    }


def _certificate_to_aws(user: User, certificate: SigningCertificate) -> dict[str, object]:
    return {
        "UserName": user.name,
        "CertificateId": certificate.id,
        "CertificateBody": certificate.body,
        "Status": certificate.status,
        "UploadDate": certificate.uploaded_at_ms,
    }
