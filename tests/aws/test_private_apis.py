"""Private APIs and private domain names by boto3 on a running platform, asked at the private port."""

from __future__ import annotations

import http.client
import json
import ssl
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from gatepost.gateway.vpc_endpoints import DEFAULT

VPC_ENDPOINT, VPC = DEFAULT.split("=")


def a_policy(vpc_endpoint_id=VPC_ENDPOINT):
    everything = {"Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
    condition = {"StringNotEquals": {"aws:SourceVpce": vpc_endpoint_id}}
    statements = [{"Effect": "Allow", **everything}, {"Effect": "Deny", **everything, "Condition": condition}]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def an_api(platform, **params):
    aws = platform.client("apigateway")
    endpoint = {"types": ["PRIVATE"], "vpcEndpointIds": [VPC_ENDPOINT]}
    made = aws.create_rest_api(name="private", endpointConfiguration=endpoint, policy=a_policy(), **params)
    place = {"restApiId": made["id"], "resourceId": made["rootResourceId"], "httpMethod": "GET"}
    aws.put_method(**place, authorizationType="NONE")
    aws.put_integration(**place, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    aws.put_method_response(**place, statusCode="200")
    shown = {"application/json": "$context.identity.vpceId $context.identity.vpcId"}
    aws.put_integration_response(**place, statusCode="200", responseTemplates=shown)
    aws.create_deployment(restApiId=made["id"], stageName="prod")
    return made["id"]


def ask(platform, door, path, host, *, version=None, **headers):
    address = json.loads((platform.data / "endpoints.json").read_text())[door]
    with closing(http.client.HTTPConnection("127.0.0.1", urlsplit(address).port, timeout=10)) as connection:
        connection.connect()
        if version is not None:
            context = ssl.create_default_context(cafile=str(platform.data / "tls" / "ca.pem"))
            context.minimum_version = context.maximum_version = version
            context.set_ciphers("ALL:@SECLEVEL=0")
            connection.sock = context.wrap_socket(connection.sock, server_hostname=host)
        connection.request("GET", path, headers={"Host": host, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


THROUGH = (200, f"{VPC_ENDPOINT} {VPC}")
FORBIDDEN = (403, '{"message":"Forbidden"}')


def test_a_private_api_answers_at_the_private_port_only(platform):
    api_id = an_api(platform)
    host = f"{api_id}.execute-api.us-east-1.localhost"
    assert ask(platform, "private", "/prod", host) == THROUGH
    assert ask(platform, "private", "/prod", host, version=ssl.TLSVersion.TLSv1_3) == THROUGH
    assert ask(platform, "private", "/prod", f"{api_id}-{VPC_ENDPOINT}.execute-api.us-east-1.amazonaws.com") == THROUGH
    of_endpoint = f"{VPC_ENDPOINT}.execute-api.us-east-1.vpce.amazonaws.com"
    assert ask(platform, "private", "/prod", of_endpoint, **{"x-apigw-api-id": api_id}) == THROUGH
    assert ask(platform, "public", "/prod", host) == FORBIDDEN
    aws = platform.client("apigateway")
    patch = [{"op": "replace", "path": "/policy", "value": a_policy("vpce-2")}]
    aws.update_rest_api(restApiId=api_id, patchOperations=patch)
    aws.create_deployment(restApiId=api_id, stageName="prod")
    status, body = ask(platform, "private", "/prod", host)
    assert (status, "explicit deny" in body) == (403, True)


def test_a_private_domain_name_needs_its_association(platform):
    aws = platform.client("apigateway")
    api_id, name = an_api(platform), "inside.localhost"
    certificate = platform.client("acm").request_certificate(DomainName=name)["CertificateArn"]
    endpoint = {"types": ["PRIVATE"]}
    made = aws.create_domain_name(
        domainName=name, certificateArn=certificate, endpointConfiguration=endpoint, policy=a_policy()
    )
    named = {"domainName": name, "domainNameId": made["domainNameId"]}
    aws.create_base_path_mapping(**named, restApiId=api_id, stage="prod", basePath="v1")
    assert ask(platform, "private", "/v1", name) == FORBIDDEN
    association = aws.create_domain_name_access_association(
        domainNameArn=made["domainNameArn"],
        accessAssociationSourceType="VPCE",
        accessAssociationSource=VPC_ENDPOINT,
    )
    assert ask(platform, "private", "/v1", name) == THROUGH
    assert ask(platform, "private", "/v1", name, version=ssl.TLSVersion.TLSv1_2) == THROUGH
    assert ask(platform, "public", "/v1", name) == FORBIDDEN
    arn = association["domainNameAccessAssociationArn"]
    assert [each["domainNameAccessAssociationArn"] for each in _associations(aws)] == [arn]
    aws.delete_domain_name_access_association(domainNameAccessAssociationArn=arn)
    assert ask(platform, "private", "/v1", name) == FORBIDDEN
    aws.delete_domain_name(**named)
    with pytest.raises(ClientError, match="Invalid domain name identifier"):
        aws.get_domain_name(**named)


def _associations(aws):
    return aws.get_domain_name_access_associations()["items"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_apis_security_policy_is_kept_by_the_listeners(platform):
    api_id = an_api(platform, securityPolicy="SecurityPolicy_TLS13_1_3_2025_09", endpointAccessMode="STRICT")
    host = f"{api_id}.execute-api.us-east-1.localhost"
    assert ask(platform, "private", "/prod", host, version=ssl.TLSVersion.TLSv1_3) == THROUGH
    with pytest.raises(ssl.SSLError):
        ask(platform, "private", "/prod", host, version=ssl.TLSVersion.TLSv1_2)
    aws = platform.client("apigateway")
    regional = aws.create_rest_api(name="old", endpointConfiguration={"types": ["REGIONAL"]}, securityPolicy="TLS_1_0")[
        "id"
    ]
    old = f"{regional}.execute-api.us-east-1.localhost"
    assert (
        ask(platform, "tls", "/prod", old, version=ssl.TLSVersion.TLSv1_1) == FORBIDDEN
    )  # that is: after the handshake
    with pytest.raises(ssl.SSLError):
        ask(platform, "tls", "/prod", "other.execute-api.us-east-1.localhost", version=ssl.TLSVersion.TLSv1_1)
