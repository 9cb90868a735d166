"""Trust stores: where they may lie, and what is said of their certificates."""

import asyncio

import pytest

from gatepost.security.certificates import pem_of
from gatepost.services.apigateway.domain_trust import read_trust_store
from gatepost.services.apigateway.model import BadRequestException
from gatepost.storage.assets import FileAssets
from tests.support.tls import NOW_MS, a_client_certificate, an_authority


def kept(folder, content):
    assets = FileAssets(folder)
    return assets, f"s3://gatepost-assets/{asyncio.run(assets.put(content))}"


def test_a_trust_store_of_several_certificates_is_read(tmp_path):
    text = pem_of(an_authority().certificate, an_authority().certificate)
    assets, uri = kept(tmp_path, text.encode())
    assert read_trust_store(assets, uri, "", NOW_MS) == (text, ())
    assert read_trust_store(assets, f"{uri}/truststore.pem", "", NOW_MS)[0] == text


def test_an_expired_certificate_is_warned_of(tmp_path):
    old = a_client_certificate(None, now_ms=NOW_MS - 90 * 86_400_000)
    assets, uri = kept(tmp_path, old.certificate.encode())
    assert read_trust_store(assets, uri, "", NOW_MS)[1] == ("Certificate CN=client.shop.test has expired",)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"nonsense", "Invalid truststore"), (b"x" * (1024 * 1024 + 1), "more than"), (b"", "Invalid truststore")],
)
def test_what_is_no_trust_store_is_refused(tmp_path, content, words):
    assets, uri = kept(tmp_path, content)
    with pytest.raises(BadRequestException, match=words):
        read_trust_store(assets, uri, "", NOW_MS)


def test_other_places_and_versions_are_refused(tmp_path):
    assets, uri = kept(tmp_path, pem_of(an_authority().certificate).encode())
    for place in ("s3://bucket/key", "/etc/passwd", "s3://gatepost-assets/../../etc/passwd", "file:///etc/passwd"):
        with pytest.raises(BadRequestException, match="Invalid truststoreUri"):
            read_trust_store(assets, place, "", NOW_MS)
    with pytest.raises(BadRequestException, match="truststoreVersion"):
        read_trust_store(assets, uri, "v1", NOW_MS)
    with pytest.raises(BadRequestException, match="no such file"):
        read_trust_store(None, uri, "", NOW_MS)
