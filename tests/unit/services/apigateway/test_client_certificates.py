from __future__ import annotations

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gatepost.services.apigateway.model import (
    CERTIFICATE_PURPOSE,
    CLIENT_CERTIFICATE,
    BadRequestException,
    NotFoundException,
)
from tests.support.rest_apis import NOW_MS, Control, a_seal, with_control


def test_a_certificate_lives_from_generate_to_delete(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        made = await control("GenerateClientCertificate", description="for payments", tags={"team": "pay"})
        named = {"clientCertificateId": made["clientCertificateId"]}
        certificate = x509.load_pem_x509_certificate(made["pemEncodedCertificate"].encode())
        assert made["createdDate"] == NOW_MS
        assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 365
        assert made["description"] == "for payments"
        assert made["tags"] == {"team": "pay"}
        assert await control("GetClientCertificate", **named) == made
        assert await control("GetClientCertificates") == {"items": [made]}

        (change,) = [each for each in control.changes.told if each.topic == CLIENT_CERTIFICATE]
        assert change.key == f"000000000000/us-east-1/{named['clientCertificateId']}"
        sealed = base64.b64decode(change.value["sealed_private_key"])
        key = load_pem_private_key(a_seal().open(sealed, purpose=CERTIFICATE_PURPOSE), None)
        assert key.public_key() == certificate.public_key()
        assert await control.provider.published() == [change]

        patch = {"op": "replace", "path": "/description", "value": "x"}
        assert (await control("UpdateClientCertificate", **named, patchOperations=[patch]))["description"] == "x"
        arn = f"arn:aws:apigateway:us-east-1::/clientcertificates/{named['clientCertificateId']}"
        await control("TagResource", resourceArn=arn, tags={"a": "b"})
        await control("UntagResource", resourceArn=arn, tagKeys=["team"])
        assert await control("GetTags", resourceArn=arn) == {"tags": {"a": "b"}}
        await control("DeleteClientCertificate", **named)
        assert control.changes.told[-1].value is None
        with pytest.raises(NotFoundException, match="Invalid Client Certificate identifier"):
            await control("GetClientCertificate", **named)

    with_control(tmp_path, scenario)


def test_the_description_alone_can_be_changed(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        made = await control("GenerateClientCertificate")
        patch = {"op": "replace", "path": "/pemEncodedCertificate", "value": "x"}
        with pytest.raises(BadRequestException, match="Invalid patch path"):
            await control(
                "UpdateClientCertificate",
                clientCertificateId=made["clientCertificateId"],
                patchOperations=[patch],
            )

    with_control(tmp_path, scenario)
