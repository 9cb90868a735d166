"""Server certificates: checked with their keys, which are not kept."""

import asyncio
from pathlib import Path

from gatepost.services.iam.model import SERVER_CERTIFICATE
from tests.support.certificates import a_certificate
from tests.support.identities import an_identity_world


def test_a_certificate_is_uploaded_renamed_tagged_and_deleted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            body, key = (path.read_text() for path in a_certificate(tmp_path))
            given = {"CertificateBody": body, "PrivateKey": key}
            tags = [{"Key": "team", "Value": "a"}]
            named = {"ServerCertificateName": "web"}
            made = await world.do("UploadServerCertificate", **named, **given, Path="/cloudfront/", Tags=tags)
            assert made["Tags"] == tags
            metadata = made["ServerCertificateMetadata"]
            assert metadata["Arn"] == f"arn:aws:iam::{world.root.account_id}:server-certificate/cloudfront/web"
            assert metadata["Expiration"] > metadata["UploadDate"]
            message = await world.refused("EntityAlreadyExists", "UploadServerCertificate", **named, **given)
            assert message == "The Server Certificate with name web already exists."
            assert "PRIVATE KEY" not in str((await world.records.scan(SERVER_CERTIFICATE))[0].value)
            await world.do("UpdateServerCertificate", **named, NewServerCertificateName="site", NewPath="/")
            message = await world.refused("NoSuchEntity", "GetServerCertificate", **named)
            assert message == "The Server Certificate with name web cannot be found."
            named = {"ServerCertificateName": "site"}
            await world.iam.load()
            got = (await world.do("GetServerCertificate", **named))["ServerCertificate"]
            assert (got["CertificateBody"], "CertificateChain" in got, got["Tags"]) == (body, False, tags)
            assert len((await world.do("ListServerCertificates"))["ServerCertificateMetadataList"]) == 1
            assert (await world.do("ListServerCertificates", PathPrefix="/x/"))["ServerCertificateMetadataList"] == []
            await world.do("UntagServerCertificate", **named, TagKeys=["team"])
            await world.do("TagServerCertificate", **named, Tags=[{"Key": "b", "Value": ""}])
            assert (await world.do("ListServerCertificateTags", **named))["Tags"] == [{"Key": "b", "Value": ""}]
            assert (await world.do("GetAccountSummary"))["SummaryMap"]["ServerCertificates"] == 1
            await world.do("DeleteServerCertificate", **named)
            await world.refused("NoSuchEntity", "DeleteServerCertificate", **named)

    asyncio.run(scenario())


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            (tmp_path / "other").mkdir()
            body, key = (path.read_text() for path in a_certificate(tmp_path))
            other, other_key = (path.read_text() for path in a_certificate(tmp_path / "other", "other"))
            upload = {"ServerCertificateName": "web", "CertificateBody": body}
            await world.refused("KeyPairMismatch", "UploadServerCertificate", **upload, PrivateKey=other_key)
            await world.refused("MalformedCertificate", "UploadServerCertificate", **upload, PrivateKey="x")
            await world.refused(
                "MalformedCertificate", "UploadServerCertificate", **upload, PrivateKey=key, CertificateChain=other
            )
            upload["CertificateBody"] = "x"
            await world.refused("MalformedCertificate", "UploadServerCertificate", **upload, PrivateKey=key)

    asyncio.run(scenario())
