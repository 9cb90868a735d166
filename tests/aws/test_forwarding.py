"""Services that the operator sends elsewhere: checked here, signed anew, answered from there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import pytest

from gatepost.awsapi.forwarding import Forwarder, parse_forwarded
from gatepost.kernel.clock import SystemClock
from gatepost.kernel.errors import SettingsError
from gatepost.kernel.ports import Credentials
from gatepost.security.sigv4 import SignatureVerifier, joined_headers
from gatepost.wire.client import Client
from gatepost.wire.messages import Request, Response
from tests.support.aws_endpoints import an_endpoint, listening
from tests.support.toys import SECRET, a_provider

THEIR_SECRET = "their/secret"
CONFIG = botocore.config.Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, connect_timeout=5)


class ObjectStore:
    """Holds objects, and answers only to signatures with its own key."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[Request] = []

    def body_bytes_max(self, request: Request) -> int:
        return 64 * 1024 * 1024

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        headers = joined_headers(request.headers)
        verifier = SignatureVerifier()
        claim = verifier.read(headers, request.query, now_ms=SystemClock().now_ms())
        assert claim.access_key_id == "THEIRKEY"
        verifier.verify(
            claim,
            THEIR_SECRET,
            method=request.method,
            path=request.path,
            query=request.query,
            headers=headers,
            body=request.body,
        )
        if request.method == "PUT":
            self.objects[request.path] = request.body
            return Response(200, [(b"ETag", b'"e"')])
        content = self.objects.get(request.path, b"")
        return Response(200 if content else 404, [(b"Content-Type", b"text/plain")], content)


@pytest.fixture(scope="module")
def store() -> ObjectStore:
    return ObjectStore()


@pytest.fixture(scope="module")
def url(store: ObjectStore) -> Iterator[str]:
    with listening(store) as upstream:
        service = parse_forwarded("s3", upstream.replace("http://", "http://THEIRKEY:their%2Fsecret@"))
        nobody = parse_forwarded("sqs", "http://127.0.0.1:9", credentials=Credentials("k", "s"))
        client = Client(clock=SystemClock())
        forwarder = Forwarder([service, nobody], client=client)
        endpoint = an_endpoint(a_provider("logs", DescribeLogGroups=lambda call, params: {}), forwarder=forwarder)
        with listening(endpoint, close=client.close) as url:
            yield url


def a_boto3_client(url: str, service: str = "s3", **options: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id=options.get("key", "AKIATESTADMIN"),
        aws_secret_access_key=options.get("secret", SECRET),
        config=CONFIG,
    )


def test_objects_go_there_and_come_back(url: str, store: ObjectStore) -> None:
    client = a_boto3_client(url)
    client.put_object(Bucket="photos", Key="a b/ü+c.txt", Body=b"content", Metadata={"by": "me"})
    assert client.get_object(Bucket="photos", Key="a b/ü+c.txt")["Body"].read() == b"content"
    assert client.head_object(Bucket="photos", Key="a b/ü+c.txt")["ContentLength"] == 7
    assert b"x-amz-meta-by" in joined_headers(store.requests[0].headers)


def test_large_objects_go_there(url: str, store: ObjectStore) -> None:
    a_boto3_client(url).put_object(Bucket="photos", Key="large", Body=bytes(20 * 1024 * 1024))
    assert len(store.objects["/photos/large"]) == 20 * 1024 * 1024


def test_a_presigned_url_is_checked_here_and_signed_anew(url: str, store: ObjectStore) -> None:
    import urllib.request

    client = a_boto3_client(url)
    client.put_object(Bucket="photos", Key="p", Body=b"content")
    options = {"Params": {"Bucket": "photos", "Key": "p"}, "ExpiresIn": 60}
    config = botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"})
    signer = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="AKIATESTADMIN",
        aws_secret_access_key=SECRET,
        config=config,
    )
    with urllib.request.urlopen(signer.generate_presigned_url("get_object", **options)) as answer:
        assert answer.read() == b"content"
    assert b"AKIATESTADMIN" not in store.requests[-1].target.encode()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"secret": "wrong"}, "SignatureDoesNotMatch"),
        ({"key": "AKIANOBODY"}, "InvalidClientTokenId"),
        ({"key": "AKIATESTSTRANGER"}, "AccessDenied"),
    ],
)
def test_nobody_gets_there_without_our_consent(url: str, store: ObjectStore, options: Any, code: str) -> None:
    count = len(store.requests)
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        a_boto3_client(url, **options).get_object(Bucket="photos", Key="a")
    assert caught.value.response["Error"]["Code"] == code
    assert len(store.requests) == count


def test_an_endpoint_that_is_gone_is_unavailable(url: str) -> None:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        a_boto3_client(url, "sqs").list_queues()
    assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"


def test_other_services_stay_here(url: str) -> None:
    assert a_boto3_client(url, "logs").describe_log_groups()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_service_that_we_have_cannot_be_forwarded() -> None:
    service = parse_forwarded("logs", "http://k:s@127.0.0.1:1")
    forwarder = Forwarder([service], client=Client(clock=SystemClock()))
    with pytest.raises(ValueError, match="Gatepost has logs itself"):
        an_endpoint(a_provider("logs"), forwarder=forwarder)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://k:s%2F@minio:9000", ("minio", 9000, False, "", "s/")),
        ("https://k:s@minio/base/", ("minio", 443, True, "/base", "s")),
        ("http://k:s@[::1]:9000", ("::1", 9000, False, "", "s")),
    ],
)
def test_an_endpoint_is_read_from_its_url(text: str, expected: Any) -> None:
    read = parse_forwarded("s3", text)
    assert (read.host, read.port, read.is_tls, read.base_path, read.credentials.secret_access_key) == expected
    assert "s/" not in repr(read)


@pytest.mark.parametrize(
    "text",
    ["minio:9000", "ftp://k:s@h", "http://k:s@", "http://h:9000", "http://k@h", "http://k:s@h:x", "http://k:s@h?a=b"],
)
def test_an_endpoint_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--service s3"):
        parse_forwarded("s3", text)


FORM = (b"content-type", b"application/x-www-form-urlencoded")


@pytest.mark.parametrize(
    ("service", "method", "target", "headers", "body", "action"),
    [
        ("sqs", "POST", "/", [(b"x-amz-target", b"AmazonSQS.SendMessage")], b"{}", "sqs:SendMessage"),
        ("sqs", "POST", "/1/queue", [FORM], b"Action=SendMessage", "sqs:SendMessage"),
        ("sqs", "GET", "/1/queue?Action=SendMessage", [], b"", "sqs:SendMessage"),
        # what says something that the endpoint may not read, or reads otherwise, says nothing
        ("s3", "DELETE", "/photos/a", [(b"x-amz-target", b"x.GetObject")], b"", "s3:*"),
        ("s3", "POST", "/", [(b"x-amz-target", b"x.GetObject")], b"", "s3:*"),
        ("s3", "PUT", "/photos/a?Action=GetObject", [], b"", "s3:*"),
        ("s3", "PUT", "/photos/a", [FORM], b"Action=GetObject", "s3:*"),
        ("eks", "DELETE", "/clusters/a", [(b"x-amz-target", b"x.ListClusters")], b"", "eks:*"),
        ("eks", "POST", "/clusters?Action=ListClusters", [], b"{}", "eks:*"),
        ("sqs", "POST", "/?Action=DeleteQueue", [(b"x-amz-target", b"AmazonSQS.SendMessage")], b"", "sqs:*"),
        ("sqs", "POST", "/", [(b"x-amz-target", b"x.SendMessage"), FORM], b"Action=DeleteQueue", "sqs:*"),
        ("sqs", "POST", "/?Action=DeleteQueue", [FORM], b"Action=SendMessage", "sqs:*"),
        ("sqs", "POST", "/?%41ction=DeleteQueue", [FORM], b"Action=SendMessage", "sqs:*"),
        ("sqs", "POST", "/", [FORM], b"Action=SendMessage&Action=DeleteQueue", "sqs:*"),
        ("sqs", "POST", "/", [FORM], b"a=1;Action=DeleteQueue&Action=SendMessage", "sqs:*"),
        ("sqs", "DELETE", "/", [(b"x-amz-target", b"AmazonSQS.SendMessage")], b"{}", "sqs:*"),
        ("sqs", "POST", "/", [(b"x-amz-target", b"AmazonSQS.*")], b"{}", "sqs:*"),
        ("sqs", "POST", "/", [(b"x-amz-target", b"AmazonSQS.Send?")], b"{}", "sqs:*"),
    ],
)
def test_iam_is_asked_for_what_the_endpoint_will_do(
    service: str, method: str, target: str, headers: Any, body: bytes, action: str
) -> None:
    forwarder = Forwarder([parse_forwarded(service, "http://k:s@127.0.0.1:9")], client=Client(clock=SystemClock()))
    request = Request(method, target, headers, body)
    assert forwarder.access(request, dict(headers), service).action == action
