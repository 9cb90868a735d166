"""Public keys for SSH and signing certificates: read, told apart, bounded, listed."""

import asyncio
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from tests.support.certificates import a_certificate
from tests.support.identities import an_identity_world

OPEN_SSH = (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
PEM = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_a_key_for_ssh_is_kept_and_given_in_both_encodings(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.do("CreateUser", UserName="ana")
            key = rsa.generate_private_key(65_537, 2_048).public_key()
            line, pem = (key.public_bytes(*form).decode() for form in (OPEN_SSH, PEM))
            told = await world.do("UploadSSHPublicKey", UserName="ana", SSHPublicKeyBody=f"{line} ana@host")
            told = told["SSHPublicKey"]
            assert told["SSHPublicKeyBody"] == f"{line} ana@host"
            assert len(told["Fingerprint"]) == 47
            one = {"UserName": "ana", "SSHPublicKeyId": told["SSHPublicKeyId"]}
            assert (await world.do("GetSSHPublicKey", **one, Encoding="PEM"))["SSHPublicKey"]["SSHPublicKeyBody"] == pem
            assert (await world.do("GetSSHPublicKey", **one, Encoding="SSH"))["SSHPublicKey"][
                "SSHPublicKeyBody"
            ] == line
            await world.refused("DuplicateSSHPublicKey", "UploadSSHPublicKey", UserName="ana", SSHPublicKeyBody=pem)
            await world.do("UpdateSSHPublicKey", **one, Status="Inactive")
            await world.iam.load()
            listed = (await world.do("ListSSHPublicKeys", UserName="ana"))["SSHPublicKeys"]
            assert [(key["SSHPublicKeyId"], key["Status"]) for key in listed] == [(told["SSHPublicKeyId"], "Inactive")]
            assert "SSH public keys" in await world.refused("DeleteConflict", "DeleteUser", UserName="ana")
            await world.do("DeleteSSHPublicKey", **one)
            await world.refused("NoSuchEntity", "DeleteSSHPublicKey", **one)
            await world.do("DeleteUser", UserName="ana")

    asyncio.run(scenario())


def test_what_is_no_rsa_key_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.do("CreateUser", UserName="ana")
            other = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(*OPEN_SSH).decode()
            short = rsa.generate_private_key(65_537, 1_024).public_key().public_bytes(*OPEN_SSH).decode()
            for body in ("ssh-rsa AAAA", "nonsense", other, short):
                await world.refused("InvalidPublicKey", "UploadSSHPublicKey", UserName="ana", SSHPublicKeyBody=body)

    asyncio.run(scenario())


def test_a_signing_certificate_is_kept_once_for_all_users(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user("ana", Path="/")
            await world.do("CreateUser", UserName="ben")
            body = a_certificate(tmp_path)[0].read_text()
            told = (await world.do("UploadSigningCertificate", UserName="ana", CertificateBody=body))["Certificate"]
            assert (told["UserName"], told["CertificateBody"], told["Status"]) == ("ana", body, "Active")
            await world.refused(
                "DuplicateCertificate", "UploadSigningCertificate", UserName="ben", CertificateBody=body
            )
            await world.refused("MalformedCertificate", "UploadSigningCertificate", UserName="ben", CertificateBody="x")
            one = {"UserName": "ana", "CertificateId": told["CertificateId"]}
            await world.do("UpdateSigningCertificate", **one, Status="Inactive")
            assert (await world.do("ListSigningCertificates", UserName="ana"))["Certificates"][0][
                "Status"
            ] == "Inactive"
            await world.refused("AccessDeniedException", "DeleteSigningCertificate", ana, **one)
            await world.do("DeleteSigningCertificate", **one)
            await world.refused("NoSuchEntity", "UpdateSigningCertificate", **one, Status="Active")

    asyncio.run(scenario())
