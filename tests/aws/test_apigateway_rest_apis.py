"""boto3 against API Gateway's REST APIs: as AWS documents it, signed, serialized and read back by botocore."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gatepost.services.apigateway.provider import ApiGateway
from tests.support.aws_accounts import AwsAccount, an_aws_account
from tests.support.openapi_bodies import PETSTORE_YAML, a_document, a_sam_body, bytes_of
from tests.support.rest_apis import FUNCTION_URI


@pytest.fixture
def account(tmp_path: Path) -> Iterator[AwsAccount]:
    def provider(world: Any) -> ApiGateway:
        return ApiGateway(world.records, world.heard, world.authorizer, world.seal)

    with an_aws_account(tmp_path, provider) as made:
        yield made


@pytest.fixture
def apigateway(account: AwsAccount) -> Any:
    return account.client("apigateway")


def failure(call: Any, **params: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def without_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def a_lambda_api(apigateway: Any) -> tuple[str, str]:
    """The steps of AWS's tutorial: API, resource, method, integration; gives the ids of API and resource."""
    api_id = apigateway.create_rest_api(name="LambdaSimpleProxy", endpointConfiguration={"types": ["REGIONAL"]})["id"]
    (root,) = apigateway.get_resources(restApiId=api_id)["items"]
    resource_id = apigateway.create_resource(restApiId=api_id, parentId=root["id"], pathPart="helloworld")["id"]
    named = {"restApiId": api_id, "resourceId": resource_id, "httpMethod": "ANY"}
    apigateway.put_method(**named, authorizationType="NONE")
    apigateway.put_integration(**named, type="AWS_PROXY", integrationHttpMethod="POST", uri=FUNCTION_URI)
    return api_id, resource_id


def test_an_api_is_built_and_deployed_by_hand(apigateway: Any) -> None:
    api_id, resource_id = a_lambda_api(apigateway)
    deployment = apigateway.create_deployment(restApiId=api_id, stageName="prod", variables={"a": "1"})
    assert deployment["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert abs((datetime.now(UTC) - deployment["createdDate"]).total_seconds()) < 60
    stage = apigateway.get_stage(restApiId=api_id, stageName="prod")
    assert (stage["deploymentId"], stage["variables"]) == (deployment["id"], {"a": "1"})
    (found,) = apigateway.get_stages(restApiId=api_id)["item"]
    assert without_metadata(stage) == found
    method = apigateway.get_method(restApiId=api_id, resourceId=resource_id, httpMethod="ANY")
    assert method["methodIntegration"]["uri"] == FUNCTION_URI
    assert method["methodIntegration"]["httpMethod"] == "POST"


def test_a_mock_with_cors_is_built_by_hand(apigateway: Any) -> None:
    api = apigateway.create_rest_api(name="cors")
    named = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "OPTIONS"}
    header = "method.response.header.Access-Control-Allow-Origin"
    apigateway.put_method(**named, authorizationType="NONE")
    apigateway.put_method_response(**named, statusCode="200", responseParameters={header: False})
    apigateway.put_integration(**named, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    apigateway.put_integration_response(**named, statusCode="200", responseParameters={header: "'*'"})
    apigateway.create_deployment(restApiId=api["id"], stageName="prod")
    response = apigateway.get_integration_response(**named, statusCode="200")
    assert without_metadata(response) == {"statusCode": "200", "responseParameters": {header: "'*'"}}


def test_errors_have_awss_codes_statuses_and_words(apigateway: Any) -> None:
    api_id, resource_id = a_lambda_api(apigateway)
    assert failure(apigateway.get_rest_api, restApiId="nothing") == (
        "NotFoundException",
        404,
        "Invalid API identifier specified 111122223333:nothing",
    )
    root_id = apigateway.get_rest_api(restApiId=api_id)["rootResourceId"]
    assert failure(apigateway.create_resource, restApiId=api_id, parentId=root_id, pathPart="helloworld") == (
        "ConflictException",
        409,
        "Another resource with the same parent already has this name: helloworld",
    )
    named = {"restApiId": api_id, "resourceId": resource_id, "httpMethod": "ANY"}
    assert failure(apigateway.put_integration, **named, type="AWS_PROXY", integrationHttpMethod="POST", uri="x") == (
        "BadRequestException",
        400,
        "Invalid ARN specified in the request",
    )
    assert failure(apigateway.create_stage, restApiId=api_id, stageName="x", deploymentId="y")[0] == "NotFoundException"


def test_lists_come_in_pages_that_boto3_walks(apigateway: Any) -> None:
    ids = {apigateway.create_rest_api(name=f"api {i}")["id"] for i in range(4)}
    pages = apigateway.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 3})
    found = [each["id"] for page in pages for each in page["items"]]
    assert set(found) == ids
    assert len(found) == 4


def test_a_stage_is_patched_with_escaped_paths(apigateway: Any) -> None:
    api_id, _ = a_lambda_api(apigateway)
    apigateway.create_deployment(restApiId=api_id, stageName="prod")
    stage = apigateway.update_stage(
        restApiId=api_id,
        stageName="prod",
        patchOperations=[
            {"op": "replace", "path": "/~1helloworld/ANY/metrics/enabled", "value": "true"},
            {"op": "replace", "path": "/variables/host", "value": "example.com"},
        ],
    )
    assert stage["methodSettings"]["~1helloworld/ANY"]["metricsEnabled"] is True
    assert stage["variables"] == {"host": "example.com"}
    code, status, message = failure(
        apigateway.update_stage,
        restApiId=api_id,
        stageName="prod",
        patchOperations=[{"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "much"}],
    )
    assert (code, status) == ("BadRequestException", 400)
    assert message == "Invalid patch value  'much' specified for path '/*/*/throttling/rateLimit'"


def test_documents_are_imported_overwritten_and_merged(apigateway: Any) -> None:
    api = apigateway.import_rest_api(body=PETSTORE_YAML, parameters={"endpointConfigurationTypes": "REGIONAL"})
    assert api["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert api["endpointConfiguration"]["types"] == ["REGIONAL"]
    assert api["warnings"]
    changed = apigateway.put_rest_api(restApiId=api["id"], mode="overwrite", body=bytes_of(a_sam_body()))
    assert changed["name"] == "shop"
    items = apigateway.get_resources(restApiId=api["id"], embed=["methods"], limit=500)["items"]
    assert sorted(each["path"] for each in items) == ["/", "/files", "/files/{proxy+}", "/orders", "/orders/{id}"]
    apigateway.create_deployment(restApiId=api["id"], stageName="prod")
    code, _, message = failure(apigateway.import_rest_api, body=bytes_of(a_document({"/a b": {}})), failOnWarnings=True)
    assert code == "BadRequestException"
    assert message.startswith("Errors found during import:\n\tUnable to create resource at path '/a b'")


def test_tags_go_by_arn(apigateway: Any) -> None:
    api = apigateway.create_rest_api(name="tagged", tags={"team": "shop"})
    arn = f"arn:aws:apigateway:us-east-1::/restapis/{api['id']}"
    apigateway.tag_resource(resourceArn=arn, tags={"stage": "beta"})
    apigateway.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert apigateway.get_tags(resourceArn=arn)["tags"] == {"stage": "beta"}


def a_user(account: AwsAccount, *statements: dict[str, Any]) -> Any:
    iam = account.client("iam")
    iam.create_user(UserName="ana")
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    iam.put_user_policy(UserName="ana", PolicyName="p", PolicyDocument=json.dumps(document))
    return account.client("apigateway", iam.create_access_key(UserName="ana")["AccessKey"])


def test_iam_knows_verbs_on_paths(account: AwsAccount, apigateway: Any) -> None:
    mine, _ = a_lambda_api(apigateway)
    other, _ = a_lambda_api(apigateway)
    base = "arn:aws:apigateway:us-east-1::/restapis"
    ana = a_user(
        account,
        {"Effect": "Allow", "Action": "apigateway:GET", "Resource": f"{base}/{mine}/*"},
        {"Effect": "Allow", "Action": "apigateway:POST", "Resource": f"{base}/{mine}/deployments"},
    )
    assert ana.get_resources(restApiId=mine)["items"]
    ana.create_deployment(restApiId=mine)
    for call, params in (
        (ana.get_resources, {"restApiId": other}),
        (ana.create_deployment, {"restApiId": other}),
        (ana.get_rest_apis, {}),
        (ana.delete_rest_api, {"restApiId": mine}),
        (ana.create_rest_api, {"name": "new"}),
    ):
        code, status, _ = failure(call, **params)
        assert (code, status) == ("AccessDeniedException", 403)


def test_a_policy_in_a_document_needs_update_rest_api_policy(account: AwsAccount, apigateway: Any) -> None:
    body = bytes_of(a_document(**{"x-amazon-apigateway-policy": {"Version": "2012-10-17", "Statement": []}}))
    ana = a_user(account, {"Effect": "Allow", "Action": "apigateway:POST", "Resource": "*"})
    code, _, message = failure(ana.import_rest_api, body=body)
    assert code == "AccessDeniedException"
    assert "apigateway:UpdateRestApiPolicy" in message
    assert apigateway.import_rest_api(body=body)["policy"]


def test_an_operation_that_is_missing_says_so(apigateway: Any) -> None:
    code, status, message = failure(
        apigateway.create_vpc_link,
        name="a",
        targetArns=["arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/a/b"],
    )
    assert (code, status) == ("NotImplemented", 501)
    assert "CreateVpcLink" in message


def test_a_stage_is_exported_and_imported_again(apigateway: Any) -> None:
    api_id = apigateway.import_rest_api(body=bytes_of(a_sam_body()))["id"]
    apigateway.create_deployment(restApiId=api_id, stageName="prod")
    export = apigateway.get_export(
        restApiId=api_id, stageName="prod", exportType="oas30", parameters={"extensions": "apigateway"}
    )
    assert export["contentType"] == "application/json"
    assert "oas30" in export["contentDisposition"]
    copy_id = apigateway.import_rest_api(body=export["body"].read())["id"]
    pages = [apigateway.get_resources(restApiId=each, limit=500)["items"] for each in (api_id, copy_id)]
    assert next(sorted(each["path"] for each in items) for items in pages) == sorted(each["path"] for each in pages[1])
