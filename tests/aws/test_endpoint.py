"""boto3 reaches operations of every protocol through the real server: results, errors, streams, large bodies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.exceptions
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gatepost.awsapi.own_routes import OwnRoute
from gatepost.kernel.errors import ServiceError
from gatepost.wire.messages import Response
from tests.support.aws_endpoints import CONFIG, an_endpoint, listening
from tests.support.toys import SECRET, SESSION_TOKEN, a_provider

AT_MS = 1_760_000_000_123
AT = dt.datetime.fromtimestamp(AT_MS / 1000, dt.UTC)


class ConditionalCheckFailedException(ServiceError):
    code = "ConditionalCheckFailedException"
    status = 400


class NoSuchEntityException(ServiceError):
    code = "NoSuchEntity"
    status = 404


def put_item(call: Any, params: Any) -> Any:
    assert params["Item"] == {"id": {"B": "AQ=="}}
    raise ConditionalCheckFailedException("The conditional request failed", members={"Item": {"id": {"B": b"\x01"}}})


async def get_item(call: Any, params: Any) -> Any:
    return {"Item": params["Key"]}


def get_user(call: Any, params: Any) -> Any:
    raise NoSuchEntityException(f"The user with name {params['UserName']} cannot be found.")


def update_function_code(call: Any, params: Any) -> Any:
    return {"CodeSize": len(params["ZipFile"]), "LastModified": call.principal.arn}


def put_metric_data(call: Any, params: Any) -> None:
    assert params["MetricData"][0]["Timestamp"] == AT_MS
    assert len(params["MetricData"]) == 500


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    endpoint = an_endpoint(
        a_provider("dynamodb", wire_json=("GetItem", "PutItem"), PutItem=put_item, GetItem=get_item),
        a_provider(
            "iam",
            GetUser=get_user,
            ListUsers=lambda call, params: {
                "Users": [
                    {"UserName": params.get("Marker", "a"), "UserId": "A", "Path": "/", "Arn": "arn:aws:iam::0:user/a"}
                    | {"CreateDate": AT_MS}
                ],
                "IsTruncated": "Marker" not in params,
                "Marker": "b" if "Marker" not in params else None,
            },
        ),
        a_provider("sts", GetCallerIdentity=lambda call, params: {"Arn": call.principal.arn}),
        a_provider(
            "lambda",
            Invoke=lambda call, params: {"StatusCode": 200, "Payload": params["Payload"], "ExecutedVersion": "$LATEST"},
            UpdateFunctionCode=update_function_code,
        ),
        a_provider(
            "apigateway",
            GetRestApis=lambda call, params: {"items": [{"id": "abc", "createdDate": AT_MS}], "position": None},
            ImportRestApi=lambda call, params: {"id": "abc", "name": params["body"].decode()},
        ),
        a_provider(
            "cloudwatch",
            PutMetricData=put_metric_data,
            GetMetricStatistics=lambda call, params: {"Datapoints": [{"Timestamp": params["StartTime"], "Sum": 1.5}]},
        ),
        routes=[OwnRoute("GET", "/_gatepost/health", lambda request, call: Response(200, [], b"{}"), None)],
    )
    with listening(endpoint) as url:
        yield url


def a_boto3_client(url: str, service: str, *, key: str = "AKIATESTADMIN", secret: str = SECRET, **options: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=CONFIG,
        **options,
    )


def test_json_results_and_errors_reach_boto3(url: str) -> None:
    client = a_boto3_client(url, "dynamodb")
    assert client.get_item(TableName="t", Key={"id": {"B": b"\x00\xff"}})["Item"] == {"id": {"B": b"\x00\xff"}}
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as caught:
        client.put_item(TableName="t", Item={"id": {"B": b"\x01"}})
    assert caught.value.response["Item"] == {"id": {"B": b"\x01"}}
    assert caught.value.response["Error"]["Message"] == "The conditional request failed"


def test_query_results_page_and_errors_reach_boto3(url: str) -> None:
    client = a_boto3_client(url, "iam")
    users = [user for page in client.get_paginator("list_users").paginate() for user in page["Users"]]
    assert [user["UserName"] for user in users] == ["a", "b"]
    assert users[0]["CreateDate"].astimezone(dt.UTC) == AT
    with pytest.raises(client.exceptions.NoSuchEntityException, match="name bob cannot"):
        client.get_user(UserName="bob")


def test_rest_results_and_payloads_reach_boto3(url: str) -> None:
    client = a_boto3_client(url, "lambda")
    answer = client.invoke(
        FunctionName="arn:aws:lambda:eu-west-1:000000000000:function:f", Payload=b'{"a": "\xc3\xa9"}'
    )
    assert (answer["StatusCode"], answer["Payload"].read()) == (200, b'{"a": "\xc3\xa9"}')
    client = a_boto3_client(url, "apigateway")
    assert client.get_rest_apis()["items"][0]["createdDate"].astimezone(dt.UTC).microsecond == 123_000
    assert client.import_rest_api(body=b"openapi", parameters={"ignore": "x"})["name"] == "openapi"


def test_a_zip_of_fifty_megabytes_is_taken(url: str) -> None:
    client = a_boto3_client(url, "lambda")
    assert client.update_function_code(FunctionName="f", ZipFile=bytes(50 * 1024 * 1024))["CodeSize"] == 52_428_800


def test_a_large_body_of_a_stranger_is_not(url: str) -> None:
    client = a_boto3_client(url, "lambda", key="AKIANOBODY")
    with pytest.raises((botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError)) as caught:
        client.update_function_code(FunctionName="f", ZipFile=bytes(20 * 1024 * 1024))
    if isinstance(caught.value, botocore.exceptions.ClientError):
        assert caught.value.response["Error"]["Code"] == "RequestEntityTooLargeException"


def test_cbor_results_errors_and_packed_bodies_reach_boto3(url: str) -> None:
    client = a_boto3_client(url, "cloudwatch")
    client.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.5, "Timestamp": AT}] * 500)
    points = client.get_metric_statistics(Namespace="n", MetricName="m", StartTime=AT, EndTime=AT, Period=60)
    assert points["Datapoints"][0]["Timestamp"].astimezone(dt.UTC) == AT
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        client.get_metric_statistics(Namespace="", MetricName="m", StartTime=AT, EndTime=AT, Period=60)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("dynamodb", "list_tables", "UnrecognizedClientException"),
        ("iam", "list_users", "InvalidClientTokenId"),
        ("lambda", "list_functions", "UnrecognizedClientException"),
        ("cloudwatch", "describe_alarms", "UnrecognizedClientException"),
    ],
)
def test_an_unknown_key_is_told_in_every_protocol(url: str, service: str, operation: str, code: str) -> None:
    client = a_boto3_client(url, service, key="AKIANOBODY")
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        getattr(client, operation)()
    assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("dynamodb", "list_tables"),
        ("iam", "list_roles"),
        ("lambda", "list_functions"),
        ("cloudwatch", "list_dashboards"),
        ("s3", "list_buckets"),
        ("sqs", "list_queues"),
        ("sns", "list_topics"),
    ],
)
def test_what_we_lack_is_told_in_every_protocol(url: str, service: str, operation: str) -> None:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        getattr(a_boto3_client(url, service), operation)()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert "Gatepost does not have" in caught.value.response["Error"]["Message"]


def test_temporary_credentials_and_presigned_urls_get_in(url: str) -> None:
    client = a_boto3_client(url, "sts", key="ASIATESTSESSION", aws_session_token=SESSION_TOKEN)
    assert client.get_caller_identity()["Arn"].endswith(":user/administrator")
    request = AWSRequest("GET", f"{url}/", params={"Action": "GetCallerIdentity", "Version": "2011-06-15"})
    SigV4QueryAuth(Credentials("ASIATESTSESSION", SECRET, SESSION_TOKEN), "sts", "eu-west-1", expires=60).add_auth(
        request
    )
    import urllib.request

    with urllib.request.urlopen(request.prepare().url) as answer:
        assert b":user/administrator</Arn>" in answer.read()
