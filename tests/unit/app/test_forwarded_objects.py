"""Objects from an S3 of the operator's, over real HTTP, signed with the key that was given."""

from __future__ import annotations

import asyncio

import pytest

from gatepost.app.forwarded_objects import ForwardedObjects
from gatepost.awsapi.forwarding import parse_forwarded
from gatepost.kernel.clock import SystemClock
from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.ports import Credentials
from gatepost.kernel.stored_objects import ObjectTooLarge
from gatepost.wire.client import Client
from gatepost.wire.messages import Response
from tests.support.aws_endpoints import listening
from tests.unit.app.test_deliveries import Elsewhere


def read(elsewhere: Elsewhere, key: str = "a/b c.pem", version: str = "") -> bytes | None:
    with listening(elsewhere) as url:
        return read_from(url, key, version)


def read_from(url: str, key: str, version: str = "") -> bytes | None:
    async def scenario() -> bytes | None:
        client = Client(clock=SystemClock())
        service = parse_forwarded("s3", url, credentials=Credentials("KEY", "secret"))
        objects = ForwardedObjects(service, client=client, clock=SystemClock())
        try:
            return await objects.read("bucket", key, version, region="eu-west-1", bytes_max=100)
        finally:
            await client.close()

    return asyncio.run(scenario())


def test_an_object_is_read_by_a_signed_request() -> None:
    elsewhere = Elsewhere()
    elsewhere.answers = [Response(200, [], b"content"), Response(200, [], b"older")]
    assert read(elsewhere) == b"content"
    assert read(elsewhere, version="v+1/2") == b"older"
    assert [(each.method, each.path, each.query) for each in elsewhere.requests] == [
        ("GET", "/bucket/a/b%20c.pem", ""),
        ("GET", "/bucket/a/b%20c.pem", "versionId=v%2B1%2F2"),
    ]
    assert b"/eu-west-1/s3/aws4_request" in elsewhere.header(b"authorization")[0]


@pytest.mark.parametrize("status", [400, 403, 404])
def test_what_the_endpoint_does_not_show_is_none(status: int) -> None:
    elsewhere = Elsewhere()
    elsewhere.answers = [Response(status, [], b"<Error/>")]
    assert read(elsewhere) is None


def test_too_large_objects_and_faults_of_the_endpoint_are_told_apart() -> None:
    elsewhere = Elsewhere()
    elsewhere.answers = [Response(200, [], b"x" * 101)]
    with pytest.raises(ObjectTooLarge):
        read(elsewhere)
    for status in (301, 500, 206):
        elsewhere.answers = [Response(status, [], b"")]
        with pytest.raises(ServiceUnavailable, match="did not give"):
            read(elsewhere)
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        read_from("http://127.0.0.1:9", "key")
