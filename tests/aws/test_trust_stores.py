"""Trust stores of mutual TLS in an S3 of the operator's: read by those who may, exchanged by their version."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from gatepost.security.certificates import pem_of
from gatepost.wire.messages import Request, Response
from tests.aws.test_custom_domains import a_certificate, an_api, over_tls, trusting
from tests.support.aws_endpoints import listening
from tests.support.platform import RunningPlatform, start_platform
from tests.support.tls import a_client_certificate, an_authority

NAME = "mtls.shop.localhost"
KEY = "trusted/clients.pem"
URI = f"s3://shop-trust/{KEY}"
OLD, NEW = an_authority("shop.test"), an_authority("shop.test")


class VersionedStore:
    """An S3 that has one object in two versions."""

    versions = {"versionId=1": OLD, "versionId=2": NEW, "": NEW}

    def body_bytes_max(self, request: Request) -> int:
        return 1024

    def __call__(self, request: Request) -> Response:
        authority = self.versions.get(request.query)
        if request.path != f"/shop-trust/{KEY}" or authority is None:
            return Response(404, [], b"<Error><Code>NoSuchKey</Code></Error>")
        return Response(200, [], pem_of(authority.certificate).encode())


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    with listening(VersionedStore()) as url:
        endpoint = url.replace("http://", "http://KEY:secret@")
        running = start_platform(tmp_path_factory.mktemp("trust") / "data", "--service", f"s3={endpoint}")
        try:
            yield running
        finally:
            running.stop()


def lets_in(platform: RunningPlatform, files: tuple[str, str]) -> bool:
    context = trusting(platform)
    context.load_cert_chain(*files)
    try:
        return over_tls(platform, NAME, "/hello", context=context)[0] == 200
    except (ssl.SSLError, ConnectionResetError, IndexError):
        return False


def test_the_version_of_the_trust_store_says_who_is_let_in(platform, tmp_path) -> None:
    aws = platform.client("apigateway")
    clients = [a_client_certificate(each).in_files(tmp_path, f"client-{n}") for n, each in enumerate((OLD, NEW))]
    params = {
        "domainName": NAME,
        "regionalCertificateArn": a_certificate(platform, NAME),
        "endpointConfiguration": {"types": ["REGIONAL"]},
    }
    with pytest.raises(ClientError, match="there is no such object"):
        aws.create_domain_name(**params, mutualTlsAuthentication={"truststoreUri": "s3://shop-trust/other.pem"})
    made = aws.create_domain_name(**params, mutualTlsAuthentication={"truststoreUri": URI, "truststoreVersion": "1"})
    assert made["mutualTlsAuthentication"] == {"truststoreUri": URI, "truststoreVersion": "1"}
    aws.create_base_path_mapping(domainName=NAME, restApiId=an_api(platform, "guarded"), stage="prod")
    assert [lets_in(platform, each) for each in clients] == [True, False]

    patch = {"op": "replace", "path": "/mutualTlsAuthentication/truststoreVersion", "value": "2"}
    with pytest.raises(ClientError, match="there is no such object"):
        aws.update_domain_name(domainName=NAME, patchOperations=[{**patch, "value": "3"}])
    assert [lets_in(platform, each) for each in clients] == [True, False]
    aws.update_domain_name(domainName=NAME, patchOperations=[patch])
    assert [lets_in(platform, each) for each in clients] == [False, True]

    v2 = platform.client("apigatewayv2")
    v2.update_domain_name(DomainName=NAME, MutualTlsAuthentication={"TruststoreUri": URI, "TruststoreVersion": "1"})
    assert [lets_in(platform, each) for each in clients] == [True, False]
    aws.delete_domain_name(domainName=NAME)


def test_whoever_names_a_trust_store_must_be_allowed_to_read_it(platform) -> None:
    iam = platform.client("iam")
    iam.create_user(UserName="deployer")
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    names = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    aws = platform.client("apigateway", **names)

    def allow(*statements: tuple[str, str]) -> None:
        document = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in statements]
        policy = json.dumps({"Version": "2012-10-17", "Statement": document})
        iam.put_user_policy(UserName="deployer", PolicyName="its", PolicyDocument=policy)

    params = {
        "domainName": "theirs.shop.localhost",
        "regionalCertificateArn": a_certificate(platform, "theirs.shop.localhost"),
        "endpointConfiguration": {"types": ["REGIONAL"]},
        "mutualTlsAuthentication": {"truststoreUri": URI, "truststoreVersion": "2"},
    }
    allow(("apigateway:*", "*"), ("s3:GetObject", "*"))
    with pytest.raises(ClientError, match="s3:GetObjectVersion on resource"):
        aws.create_domain_name(**params)
    allow(("apigateway:*", "*"), ("s3:GetObjectVersion", f"arn:aws:s3:::shop-trust/{KEY}"))
    aws.create_domain_name(**params)
    aws.delete_domain_name(domainName="theirs.shop.localhost")
