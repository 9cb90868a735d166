"""Trust stores: where they may lie, who may name them, and what is said of their certificates."""

import asyncio

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.stored_objects import ObjectTooLarge
from gatepost.security.certificates import pem_of
from gatepost.services.apigateway.domain_trust import TrustStores, parse_trust_store
from gatepost.services.apigateway.model import BadRequestException
from gatepost.storage.assets import FileAssets
from tests.support.rest_apis import GrantsAllBut, a_call
from tests.support.tls import NOW_MS, a_client_certificate, an_authority

CALL = a_call("CreateDomainName", region="eu-west-1")


class Objects:
    """An S3 with objects by bucket, key and version."""

    def __init__(self, objects=()):
        self.objects = dict(objects)
        self.regions = set()

    async def read(self, bucket, key, version, *, region, bytes_max):
        self.regions.add(region)
        content = self.objects.get((bucket, key, version))
        if content is not None and len(content) > bytes_max:
            raise ObjectTooLarge
        return content


def kept(folder, content):
    assets = FileAssets(folder)
    return assets, f"s3://gatepost-assets/{asyncio.run(assets.put(content))}"


def read(uri, version="", *, assets=None, objects=None, authorization=None):
    stores = TrustStores(assets, authorization or GrantsAllBut(), objects)
    return asyncio.run(stores.read(CALL, uri, version))


def test_a_trust_store_of_several_certificates_is_read(tmp_path):
    text = pem_of(an_authority().certificate, an_authority().certificate)
    assets, uri = kept(tmp_path, text.encode())
    assert read(uri, assets=assets) == (text, ())
    assert read(f"{uri}/truststore.pem", assets=assets)[0] == text


def test_an_expired_certificate_is_warned_of():
    old = a_client_certificate(None, now_ms=NOW_MS - 90 * 86_400_000)
    warnings = parse_trust_store(old.certificate.encode(), NOW_MS)[1]
    assert warnings == ("Certificate CN=client.shop.test has expired",)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"nonsense", "Invalid truststore"), (b"x" * (1024 * 1024 + 1), "more than"), (b"", "Invalid truststore")],
)
def test_what_is_no_trust_store_is_refused(tmp_path, content, words):
    assets, uri = kept(tmp_path, content)
    with pytest.raises(BadRequestException, match=words):
        read(uri, assets=assets)
    with pytest.raises(BadRequestException, match=words):
        read("s3://bucket/key", objects=Objects({("bucket", "key", ""): content}))


def test_other_places_are_refused(tmp_path):
    assets, uri = kept(tmp_path, pem_of(an_authority().certificate).encode())
    objects = Objects()
    places = ("s3://b/key", "s3://bucket", "s3://bucket/", "/etc/passwd", "s3://gatepost-assets/../../etc/passwd")
    for place in (*places, "file:///etc/passwd", "s3://Bucket/key", "s3://bucket/../other/key", "s3://bucket/./key"):
        with pytest.raises(BadRequestException, match="Invalid truststoreUri"):
            read(place, assets=assets, objects=objects)
    assert not objects.regions
    with pytest.raises(BadRequestException, match="uploaded files have no versions"):
        read(uri, "v1", assets=assets)
    with pytest.raises(BadRequestException, match="no such file"):
        read(uri)
    with pytest.raises(BadRequestException, match="--service s3=URL"):
        read("s3://bucket/key")


def test_an_object_is_read_in_its_version_by_those_who_may():
    text = pem_of(an_authority().certificate)
    objects = Objects({("bucket", "a/b c.pem", ""): text.encode(), ("bucket", "a/b c.pem", "v2"): text.encode()})
    granted = GrantsAllBut()
    assert read("s3://bucket/a/b c.pem", objects=objects, authorization=granted)[0] == text
    assert read("s3://bucket/a/b c.pem", "v2", objects=objects, authorization=granted)[0] == text
    arn = "arn:aws:s3:::bucket/a/b c.pem"
    asked = [(access.action, access.resource) for access in granted.asked]
    assert asked == [("s3:GetObject", arn), ("s3:GetObjectVersion", arn)]
    assert objects.regions == {"eu-west-1"}
    with pytest.raises(BadRequestException, match="there is no such object"):
        read("s3://bucket/a/b c.pem", "v3", objects=objects)


def test_an_object_that_the_caller_may_not_read_is_not_asked_for():
    objects = Objects()
    with pytest.raises(ServiceError, match="s3:GetObject"):
        read("s3://bucket/key", objects=objects, authorization=GrantsAllBut("s3:GetObject"))
    assert not objects.regions
