"""boto3 against the rest of API Gateway's control plane: guards, documentation, certificates, canaries, tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509

from gatepost.services.apigateway.provider import ApiGateway
from tests.support.aws_accounts import AwsAccount, an_aws_account
from tests.support.platform import RunningPlatform, ask
from tests.support.rest_apis import FUNCTION_URI

POOL = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_Abc123"


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


def status(answer: dict[str, Any]) -> int:
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])


def without_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def a_mock_api(apigateway: Any, **method: Any) -> dict[str, str]:
    api = apigateway.create_rest_api(name="shop")
    named = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"}
    apigateway.put_method(**named, **{"authorizationType": "NONE", **method})
    apigateway.put_method_response(**named, statusCode="200")
    apigateway.put_integration(**named, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    template = '{"v": "$stageVariables.v", "q": "$input.params(\'q\')"}'
    apigateway.put_integration_response(**named, statusCode="200", responseTemplates={"application/json": template})
    return named


def test_request_validators(apigateway: Any) -> None:
    api_id = apigateway.create_rest_api(name="shop")["id"]
    made = apigateway.create_request_validator(restApiId=api_id, name="all", validateRequestBody=True)
    assert status(made) == 201
    named = {"restApiId": api_id, "requestValidatorId": made["id"]}
    assert apigateway.get_request_validator(**named)["validateRequestParameters"] is False
    patch = {"op": "replace", "path": "/validateRequestParameters", "value": "true"}
    changed = apigateway.update_request_validator(**named, patchOperations=[patch])
    assert (changed["validateRequestBody"], changed["validateRequestParameters"]) == (True, True)
    (listed,) = apigateway.get_request_validators(restApiId=api_id)["items"]
    assert listed["name"] == "all"
    assert status(apigateway.delete_request_validator(**named)) == 202
    assert failure(apigateway.get_request_validator, **named) == (
        "NotFoundException",
        404,
        "Invalid Request Validator identifier specified",
    )


def test_authorizers(apigateway: Any) -> None:
    named = a_mock_api(apigateway)
    api_id = named["restApiId"]
    made = apigateway.create_authorizer(restApiId=api_id, name="users", type="COGNITO_USER_POOLS", providerARNs=[POOL])
    assert status(made) == 201
    assert failure(apigateway.create_authorizer, restApiId=api_id, name="x", type="TOKEN", authorizerUri="lambda")[
        :2
    ] == ("BadRequestException", 400)
    patches = [
        {"op": "replace", "path": "/authorizationType", "value": "COGNITO_USER_POOLS"},
        {"op": "replace", "path": "/authorizerId", "value": made["id"]},
        {"op": "add", "path": "/authorizationScopes", "value": "orders/read"},
    ]
    method = apigateway.update_method(**named, patchOperations=patches)
    assert (method["authorizerId"], method["authorizationScopes"]) == (made["id"], ["orders/read"])
    code, http_status, _ = failure(apigateway.delete_authorizer, restApiId=api_id, authorizerId=made["id"])
    assert (code, http_status) == ("ConflictException", 409)
    token = apigateway.create_authorizer(
        restApiId=api_id,
        name="token",
        type="TOKEN",
        authorizerUri=FUNCTION_URI,
        identitySource="method.request.header.Auth",
    )
    assert token["authorizerResultTtlInSeconds"] == 300
    names = {each["name"] for each in apigateway.get_authorizers(restApiId=api_id)["items"]}
    assert names == {"users", "token"}
    assert status(apigateway.delete_authorizer(restApiId=api_id, authorizerId=token["id"])) == 202
    assert failure(apigateway.get_authorizer, restApiId=api_id, authorizerId=token["id"])[0] == "NotFoundException"


def test_documentation(apigateway: Any) -> None:
    api_id = a_mock_api(apigateway)["restApiId"]
    apigateway.create_deployment(restApiId=api_id, stageName="prod")
    part = apigateway.create_documentation_part(
        restApiId=api_id, location={"type": "METHOD", "path": "/", "method": "GET"}, properties='{"summary":"Home"}'
    )
    assert status(part) == 201
    parts = {"documentationParts": [{"location": {"type": "API"}, "properties": {"info": {"description": "All"}}}]}
    imported = apigateway.import_documentation_parts(restApiId=api_id, body=json.dumps(parts).encode())
    assert len(imported["ids"]) == 1
    found = apigateway.get_documentation_parts(restApiId=api_id, type="API")["items"]
    assert json.loads(found[0]["properties"]) == {"info": {"description": "All"}}
    version = apigateway.create_documentation_version(restApiId=api_id, documentationVersion="1.0", stageName="prod")
    assert status(version) == 201
    assert apigateway.get_stage(restApiId=api_id, stageName="prod")["documentationVersion"] == "1.0"
    document = json.loads(
        apigateway.get_export(
            restApiId=api_id, stageName="prod", exportType="oas30", parameters={"extensions": "documentation"}
        )["body"].read()
    )
    assert document["paths"]["/"]["get"]["summary"] == "Home"
    assert failure(apigateway.delete_documentation_version, restApiId=api_id, documentationVersion="1.0")[1] == 400
    assert status(apigateway.delete_documentation_part(restApiId=api_id, documentationPartId=part["id"])) == 202


def test_client_certificates_and_their_tags(apigateway: Any) -> None:
    made = apigateway.generate_client_certificate(description="ours", tags={"team": "pay"})
    assert status(made) == 201
    x509.load_pem_x509_certificate(made["pemEncodedCertificate"].encode())
    arn = f"arn:aws:apigateway:us-east-1::/clientcertificates/{made['clientCertificateId']}"
    apigateway.tag_resource(resourceArn=arn, tags={"a": "b"})
    assert apigateway.get_tags(resourceArn=arn)["tags"] == {"team": "pay", "a": "b"}
    pages = apigateway.get_paginator("get_client_certificates").paginate()
    assert [each["clientCertificateId"] for page in pages for each in page["items"]] == [made["clientCertificateId"]]
    assert status(apigateway.delete_client_certificate(clientCertificateId=made["clientCertificateId"])) == 202


def test_a_canary_is_made_and_promoted(apigateway: Any) -> None:
    api_id = a_mock_api(apigateway)["restApiId"]
    first = apigateway.create_deployment(restApiId=api_id, stageName="prod", variables={"v": "one"})["id"]
    second = apigateway.create_deployment(
        restApiId=api_id,
        stageName="prod",
        canarySettings={"percentTraffic": 10.5, "useStageCache": False, "stageVariableOverrides": {"v": "two"}},
    )["id"]
    stage = apigateway.get_stage(restApiId=api_id, stageName="prod")
    assert (stage["deploymentId"], stage["canarySettings"]["deploymentId"]) == (first, second)
    patches = [
        {"op": "copy", "from": "/canarySettings/stageVariableOverrides", "path": "/variables"},
        {"op": "copy", "from": "/canarySettings/deploymentId", "path": "/deploymentId"},
        {"op": "remove", "path": "/canarySettings"},
    ]
    stage = apigateway.update_stage(restApiId=api_id, stageName="prod", patchOperations=patches)
    assert (stage["deploymentId"], stage["variables"]) == (second, {"v": "two"})
    assert "canarySettings" not in stage


def test_caches_are_flushed(apigateway: Any) -> None:
    api_id = a_mock_api(apigateway)["restApiId"]
    apigateway.create_deployment(restApiId=api_id, stageName="prod", cacheClusterEnabled=True, cacheClusterSize="1.6")
    stage = apigateway.get_stage(restApiId=api_id, stageName="prod")
    assert (stage["cacheClusterEnabled"], stage["cacheClusterSize"]) == (True, "1.6")
    assert status(apigateway.flush_stage_cache(restApiId=api_id, stageName="prod")) == 202
    assert status(apigateway.flush_stage_authorizers_cache(restApiId=api_id, stageName="prod")) == 202
    assert failure(apigateway.flush_stage_cache, restApiId=api_id, stageName="no")[0] == "NotFoundException"


def test_templates_of_models_and_kinds_of_client_code(apigateway: Any) -> None:
    api_id = a_mock_api(apigateway)["restApiId"]
    apigateway.create_deployment(restApiId=api_id, stageName="prod")
    assert "$inputRoot" in apigateway.get_model_template(restApiId=api_id, modelName="Error")["value"]
    assert "javascript" in [each["id"] for each in apigateway.get_sdk_types()["items"]]
    code, http_status, message = failure(apigateway.get_sdk, restApiId=api_id, stageName="prod", sdkType="javascript")
    assert (code, http_status) == ("BadRequestException", 400)
    assert "GetExport" in message


@pytest.mark.parametrize("exported", ["oas30", "swagger"])
def test_an_export_imported_again_is_the_same_api(apigateway: Any, exported: str) -> None:
    api_id = apigateway.create_rest_api(name="shop", apiKeySource="AUTHORIZER", minimumCompressionSize=100)["id"]
    root = apigateway.get_resources(restApiId=api_id)["items"][0]["id"]
    users = apigateway.create_authorizer(
        restApiId=api_id,
        name="users",
        type="COGNITO_USER_POOLS",
        providerARNs=[POOL],
        identitySource="method.request.header.Token",
    )
    validator = apigateway.create_request_validator(restApiId=api_id, name="body", validateRequestBody=True)
    orders = apigateway.create_resource(restApiId=api_id, parentId=root, pathPart="orders")["id"]
    named = {"restApiId": api_id, "resourceId": orders, "httpMethod": "POST"}
    apigateway.put_method(
        **named,
        authorizationType="COGNITO_USER_POOLS",
        authorizerId=users["id"],
        authorizationScopes=["orders/write"],
        apiKeyRequired=True,
        requestValidatorId=validator["id"],
        requestModels={"application/json": "Empty"},
        requestParameters={"method.request.header.X-Shop": True},
    )
    apigateway.put_integration(**named, type="AWS_PROXY", integrationHttpMethod="POST", uri=FUNCTION_URI)
    apigateway.put_gateway_response(restApiId=api_id, responseType="UNAUTHORIZED", statusCode="499")
    apigateway.create_deployment(restApiId=api_id, stageName="prod")
    body = apigateway.get_export(
        restApiId=api_id, stageName="prod", exportType=exported, parameters={"extensions": "apigateway"}
    )["body"].read()
    again = apigateway.import_rest_api(body=body)

    def shown(rest_api_id: str) -> dict[str, Any]:
        names = {each["id"]: each["name"] for each in apigateway.get_authorizers(restApiId=rest_api_id)["items"]}
        names |= {
            each["id"]: each["name"] for each in apigateway.get_request_validators(restApiId=rest_api_id)["items"]
        }
        methods = {}
        for resource in apigateway.get_resources(restApiId=rest_api_id, embed=["methods"])["items"]:
            for verb, method in resource.get("resourceMethods", {}).items():
                text = json.dumps(method, sort_keys=True).replace(resource["id"], "RESOURCE")
                for each_id, name in names.items():
                    text = text.replace(each_id, name)
                methods[resource["path"], verb] = text
        return methods

    assert shown(again["id"]) == shown(api_id)
    assert (again["apiKeySource"], again["minimumCompressionSize"]) == ("AUTHORIZER", 100)
    response = apigateway.get_gateway_response(restApiId=again["id"], responseType="UNAUTHORIZED")
    assert (response["statusCode"], response["defaultResponse"]) == ("499", False)


def test_security_that_aws_ignores_is_told(apigateway: Any) -> None:
    document = {
        "openapi": "3.0.1",
        "info": {"title": "open"},
        "security": [{"key": []}],
        "components": {"securitySchemes": {"key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}},
        "paths": {"/a": {"get": {"responses": {}, "x-amazon-apigateway-integration": {"type": "mock"}}}},
    }
    body = json.dumps(document).encode()
    made = apigateway.import_rest_api(body=body)
    assert "ignores the security of the document as a whole" in made["warnings"][0]
    resource = next(each for each in apigateway.get_resources(restApiId=made["id"])["items"] if each["path"] == "/a")
    method = apigateway.get_method(restApiId=made["id"], resourceId=resource["id"], httpMethod="GET")
    assert method["apiKeyRequired"] is False
    apigateway.import_rest_api(body=body, failOnWarnings=True)  # AWS says nothing, so nothing fails


def test_the_account(apigateway: Any) -> None:
    account = apigateway.get_account()
    assert account["throttleSettings"] == {"burstLimit": 5000, "rateLimit": 10000.0}
    assert account["features"] == ["UsagePlans"]
    patch = {"op": "replace", "path": "/cloudwatchRoleArn", "value": "arn:aws:iam::111122223333:role/logs"}
    assert apigateway.update_account(patchOperations=[patch])["cloudwatchRoleArn"].endswith("role/logs")
    code, http_status, _ = failure(
        apigateway.update_account, patchOperations=[{"op": "replace", "path": "/throttleSettings", "value": "1"}]
    )
    assert (code, http_status) == ("BadRequestException", 400)


def test_pages_go_on_where_they_ended_and_limits_are_bounded(apigateway: Any) -> None:
    api_id = apigateway.create_rest_api(name="shop")["id"]
    for number in range(7):
        apigateway.create_request_validator(restApiId=api_id, name=f"v{number}")
    first = apigateway.get_request_validators(restApiId=api_id, limit=3)
    assert len(first["items"]) == 3
    rest = apigateway.get_request_validators(restApiId=api_id, limit=500, position=first["position"])
    assert len(rest["items"]) == 4
    assert "position" not in rest
    assert failure(apigateway.get_request_validators, restApiId=api_id, limit=0)[0] == "BadRequestException"
    assert failure(apigateway.get_request_validators, restApiId=api_id, position="%%%")[0] == "BadRequestException"


def test_a_method_is_tested_by_the_gateway(platform: RunningPlatform) -> None:
    apigateway = platform.client("apigateway")
    named = a_mock_api(apigateway, apiKeyRequired=True)
    answer = apigateway.test_invoke_method(
        **named, pathWithQueryString="/?q=5", stageVariables={"v": "one"}, headers={"Accept": "application/json"}
    )
    assert (answer["status"], json.loads(answer["body"])) == (200, {"v": "one", "q": "5"})
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["log"].startswith("Execution log for request ")
    assert answer["latency"] >= 0


def test_a_rollback_to_an_older_deployment_reaches_clients(platform: RunningPlatform) -> None:
    apigateway = platform.client("apigateway")
    named = a_mock_api(apigateway)
    api_id = named["restApiId"]
    first = apigateway.create_deployment(restApiId=api_id, stageName="prod", variables={"v": "one"})["id"]
    url = platform.stage_url(api_id, "prod") + "/"
    assert json.loads(ask("GET", url).body)["v"] == "one"
    patch = {"op": "replace", "path": "/responseTemplates/application~1json", "value": '{"new": true}'}
    apigateway.update_integration_response(**named, statusCode="200", patchOperations=[patch])
    apigateway.create_deployment(restApiId=api_id, stageName="prod")
    assert json.loads(ask("GET", url).body) == {"new": True}
    patch = {"op": "replace", "path": "/deploymentId", "value": first}
    apigateway.update_stage(restApiId=api_id, stageName="prod", patchOperations=[patch])
    assert json.loads(ask("GET", url).body)["v"] == "one"
