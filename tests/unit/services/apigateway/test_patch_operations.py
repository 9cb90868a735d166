"""Patch operations, row by row: the paths and ops of this table work and show, and nothing else does.

That the rows are AWS's is the matter of `test_patch_operations_page.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gatepost.services.apigateway.model import BadRequestException
from tests.support.rest_apis import FUNCTION_URI, Control, with_control

OPS = ("add", "replace", "remove", "copy")
POOL = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_Abc123"

ROLE = "arn:aws:iam::000000000000:role/a"
# Operation, path, the ops that are supported, a value, and where the answer shows it ("" for: not as such).
ROWS = [
    ("UpdateAccount", "/cloudwatchRoleArn", "replace", "arn:aws:iam::000000000000:role/logs", "cloudwatchRoleArn"),
    ("UpdateAccount", "/features", "add", "UsagePlans", ""),
    ("UpdateAuthorizer", "/authType", "replace", "mine", "authType"),
    ("UpdateAuthorizer", "/authorizerCredentials", "replace", ROLE, "authorizerCredentials"),
    ("UpdateAuthorizer", "/authorizerResultTtlInSeconds", "replace", "7", "authorizerResultTtlInSeconds"),
    ("UpdateAuthorizer", "/authorizerUri", "replace", FUNCTION_URI.replace("orders", "other"), "authorizerUri"),
    ("UpdateAuthorizer", "/identitySource", "add replace", "method.request.header.B", "identitySource"),
    ("UpdateAuthorizer", "/identityValidationExpression", "replace", "a+", "identityValidationExpression"),
    ("UpdateAuthorizer", "/name", "replace", "other", "name"),
    ("UpdateClientCertificate", "/description", "replace", "d", "description"),
    ("UpdateDeployment", "/description", "replace", "d", "description"),
    ("UpdateDocumentationPart", "/properties", "replace", '{"a":1}', "properties"),
    ("UpdateDocumentationVersion", "/description", "replace", "d", "description"),
    ("UpdateGatewayResponse", "/responseParameters/gatewayresponse.header.A", "add replace remove", "'a'", ""),
    ("UpdateGatewayResponse", "/responseTemplates/application~1json", "add replace remove", "{}", ""),
    ("UpdateGatewayResponse", "/statusCode", "replace", "418", "statusCode"),
    ("UpdateIntegration", "/cacheKeyParameters/method.request.path.id", "add replace remove", "", ""),
    ("UpdateIntegration", "/cacheNamespace", "replace", "n", "cacheNamespace"),
    ("UpdateIntegration", "/connectionId", "replace", "", ""),
    ("UpdateIntegration", "/connectionType", "replace", "INTERNET", "connectionType"),
    ("UpdateIntegration", "/contentHandling", "replace", "CONVERT_TO_TEXT", "contentHandling"),
    ("UpdateIntegration", "/credentials", "replace", "arn:aws:iam::000000000000:role/a", "credentials"),
    ("UpdateIntegration", "/httpMethod", "replace", "PUT", "httpMethod"),
    ("UpdateIntegration", "/passthroughBehavior", "replace", "NEVER", "passthroughBehavior"),
    ("UpdateIntegration", "/requestParameters/integration.request.header.A", "add replace remove", "'a'", ""),
    ("UpdateIntegration", "/requestTemplates/application~1json", "add replace remove", "{}", ""),
    ("UpdateIntegration", "/responseTransferMode", "replace", "BUFFERED", ""),
    ("UpdateIntegration", "/timeoutInMillis", "replace", "70", "timeoutInMillis"),
    ("UpdateIntegration", "/tlsConfig/insecureSkipVerification", "replace", "false", ""),
    ("UpdateIntegration", "/uri", "replace", FUNCTION_URI.replace("orders", "other"), "uri"),
    ("UpdateIntegrationResponse", "/contentHandling", "replace", "CONVERT_TO_TEXT", "contentHandling"),
    ("UpdateIntegrationResponse", "/responseParameters/method.response.header.A", "add replace remove", "'a'", ""),
    ("UpdateIntegrationResponse", "/responseTemplates/application~1json", "add replace remove", "{}", ""),
    ("UpdateIntegrationResponse", "/selectionPattern", "replace", "4..", "selectionPattern"),
    ("UpdateMethod", "/apiKeyRequired", "replace", "true", "apiKeyRequired"),
    ("UpdateMethod", "/authorizationScopes", "add", "s", ""),
    ("UpdateMethod", "/authorizationType", "replace", "AWS_IAM", "authorizationType"),
    ("UpdateMethod", "/authorizerId", "replace", "{users}", "authorizerId"),
    ("UpdateMethod", "/operationName", "replace", "o", "operationName"),
    ("UpdateMethod", "/requestModels/application~1json", "add replace remove", "Empty", ""),
    ("UpdateMethod", "/requestParameters/method.request.header.A", "add replace remove", "true", ""),
    ("UpdateMethod", "/requestValidatorId", "replace", "{validator}", "requestValidatorId"),
    ("UpdateMethodResponse", "/responseModels/application~1json", "add replace remove", "Error", ""),
    ("UpdateMethodResponse", "/responseParameters/method.response.header.A", "add replace remove", "true", ""),
    ("UpdateModel", "/description", "replace", "d", "description"),
    ("UpdateModel", "/schema", "replace", '{"type":"object"}', "schema"),
    ("UpdateRequestValidator", "/name", "replace", "n", "name"),
    ("UpdateRequestValidator", "/validateRequestBody", "replace", "true", "validateRequestBody"),
    ("UpdateRequestValidator", "/validateRequestParameters", "replace", "true", "validateRequestParameters"),
    ("UpdateResource", "/parentId", "replace", "{other}", "parentId"),
    ("UpdateResource", "/pathPart", "replace", "renamed", "pathPart"),
    ("UpdateRestApi", "/apiKeySource", "replace", "AUTHORIZER", "apiKeySource"),
    ("UpdateRestApi", "/binaryMediaTypes/image~1png", "add replace remove", "", ""),
    ("UpdateRestApi", "/description", "add replace remove", "d", "description"),
    ("UpdateRestApi", "/disableExecuteApiEndpoint", "replace", "true", "disableExecuteApiEndpoint"),
    ("UpdateRestApi", "/endpointAccessMode", "replace", "BASIC", ""),
    ("UpdateRestApi", "/endpointConfiguration/ipAddressType", "replace", "dualstack", ""),
    ("UpdateRestApi", "/endpointConfiguration/types/EDGE", "replace", "REGIONAL", ""),
    ("UpdateRestApi", "/minimumCompressionSize", "replace", "5", "minimumCompressionSize"),
    ("UpdateRestApi", "/name", "replace", "n", "name"),
    ("UpdateRestApi", "/policy", "replace", '{"Version":"2012-10-17","Statement":[]}', "policy"),
    ("UpdateRestApi", "/securityPolicy", "replace", "TLS_1_0", ""),
    ("UpdateStage", "/cacheClusterEnabled", "replace", "true", "cacheClusterEnabled"),
    ("UpdateStage", "/cacheClusterSize", "replace", "1.6", "cacheClusterSize"),
    ("UpdateStage", "/canarySettings/deploymentId", "replace", "{deployment}", ""),
    ("UpdateStage", "/canarySettings/percentTraffic", "replace", "1", ""),
    ("UpdateStage", "/canarySettings/stageVariableOverrides", "remove replace", '{"a":"1"}', ""),
    ("UpdateStage", "/canarySettings/stageVariableOverrides/a", "add replace remove", "1", ""),
    ("UpdateStage", "/canarySettings/useStageCache", "replace", "true", ""),
    ("UpdateStage", "/deploymentId", "replace copy", "{deployment}", "deploymentId"),
    ("UpdateStage", "/description", "replace", "d", "description"),
    ("UpdateStage", "/documentationVersion", "replace", "1.0", "documentationVersion"),
    ("UpdateStage", "/tracingEnabled", "replace", "false", ""),
    ("UpdateStage", "/variables", "remove replace copy", '{"a":"1"}', "variables"),
    ("UpdateStage", "/variables/a", "add replace remove", "1", ""),
    ("UpdateStage", "/*/*/metrics/enabled", "replace", "true", ""),
    ("UpdateStage", "/*/*/logging/loglevel", "replace", "OFF", ""),
    ("UpdateStage", "/*/*/logging/dataTrace", "replace", "false", ""),
    ("UpdateStage", "/*/*/throttling/burstLimit", "replace", "-1", ""),
    ("UpdateStage", "/*/*/throttling/rateLimit", "replace", "-1", ""),
    ("UpdateStage", "/~1orders/GET/caching/enabled", "replace", "false", ""),
    ("UpdateStage", "/*/*/caching/ttlInSeconds", "replace", "300", ""),
    ("UpdateStage", "/*/*/caching/dataEncrypted", "replace", "false", ""),
    ("UpdateStage", "/*/*/caching/requireAuthorizationForCacheControl", "replace", "true", ""),
    (
        "UpdateStage",
        "/*/*/caching/unauthorizedCacheControlHeaderStrategy",
        "replace",
        "SUCCEED_WITH_RESPONSE_HEADER",
        "",
    ),
]
# These are removed only where something stands: each has a test of its own.
REMOVED_ELSEWHERE = [
    ("UpdateAccount", "/features"),
    ("UpdateAuthorizer", "/providerARNs"),
    ("UpdateAuthorizer", "/identitySource"),
    ("UpdateMethod", "/authorizationScopes"),
    ("UpdateRestApi", "/endpointConfiguration/vpcEndpointIds"),
    ("UpdateStage", "/accessLogSettings"),
    ("UpdateStage", "/canarySettings"),
]
COPIES = {
    "/deploymentId": "/canarySettings/deploymentId",
    "/variables": "/canarySettings/stageVariableOverrides",
}


async def a_world(control: Control) -> dict[str, Any]:
    """Make one of everything that can be patched; gives the parameters of each operation, and ids for values."""
    api = await control.an_api()
    api_id = {"restApiId": api["id"]}
    users = await control("CreateAuthorizer", **api_id, name="u", type="COGNITO_USER_POOLS", providerARNs=[POOL])
    token = await control("CreateAuthorizer", **api_id, name="t", type="TOKEN", authorizerUri=FUNCTION_URI)
    validator = await control("CreateRequestValidator", **api_id, name="v")
    other = await control.a_path(api, "/other")
    moved = await control.a_path(api, "/orders/moved")
    integration = {
        "type": "AWS",
        "integrationHttpMethod": "POST",
        "uri": FUNCTION_URI,
        "requestParameters": {"integration.request.header.A": "'b'"},
        "requestTemplates": {"application/json": "x"},
        "cacheKeyParameters": ["method.request.path.id"],
    }
    method = await control.a_method(
        api,
        "/orders",
        integration=integration,
        authorizationType="COGNITO_USER_POOLS",
        authorizerId=users["id"],
        requestModels={"application/json": "Empty"},
        requestParameters={"method.request.header.A": False, "method.request.path.id": True},
    )
    answer = {**method, "statusCode": "200"}
    header = "method.response.header.A"
    models = {"application/json": "Empty"}
    await control("PutMethodResponse", **answer, responseParameters={header: False}, responseModels=models)
    templates = {"application/json": "x"}
    mapped = {header: "'b'"}
    await control("PutIntegrationResponse", **answer, responseParameters=mapped, responseTemplates=templates)
    free = {**method, "statusCode": "500"}
    await control("PutMethodResponse", **free, responseParameters={header: False}, responseModels=models)
    declared = {"restApiId": api["id"], "responseType": "THROTTLED"}
    parameters = {"gatewayresponse.header.A": "'b'"}
    await control("PutGatewayResponse", **declared, responseParameters=parameters, responseTemplates=templates)
    await control("UpdateRestApi", **api_id, patchOperations=[{"op": "add", "path": "/binaryMediaTypes/image~1png"}])
    part = await control("CreateDocumentationPart", **api_id, location={"type": "API"}, properties="{}")
    await control("CreateDocumentationVersion", **api_id, documentationVersion="1.0")
    deployment = await control("CreateDeployment", **api_id, stageName="prod", variables={"a": "0"})
    second = await control("CreateDeployment", **api_id)
    canary = [
        {"op": "replace", "path": "/canarySettings/deploymentId", "value": second["id"]},
        {"op": "add", "path": "/canarySettings/stageVariableOverrides/a", "value": "2"},
    ]
    await control("UpdateStage", **api_id, stageName="prod", patchOperations=canary)
    certificate = await control("GenerateClientCertificate")
    await control("CreateModel", **api_id, name="Order", contentType="application/json", schema="{}")
    return {
        "users": users["id"],
        "validator": validator["id"],
        "other": other["id"],
        "deployment": deployment["id"],
        "UpdateAccount": {},
        "UpdateAuthorizer": {**api_id, "authorizerId": token["id"]},
        "UpdateClientCertificate": {"clientCertificateId": certificate["clientCertificateId"]},
        "UpdateDeployment": {**api_id, "deploymentId": deployment["id"]},
        "UpdateDocumentationPart": {**api_id, "documentationPartId": part["id"]},
        "UpdateDocumentationVersion": {**api_id, "documentationVersion": "1.0"},
        "UpdateGatewayResponse": declared,
        "UpdateIntegration": method,
        "UpdateIntegrationResponse": answer,
        "UpdateMethod": method,
        "UpdateMethodResponse": free,
        "UpdateModel": {**api_id, "modelName": "Order"},
        "UpdateRequestValidator": {**api_id, "requestValidatorId": validator["id"]},
        "UpdateResource": {**api_id, "resourceId": moved["id"]},
        "UpdateRestApi": api_id,
        "UpdateStage": {**api_id, "stageName": "prod"},
    }


def in_a_world(tmp_path, scenario: Callable[[Control, dict[str, Any]], Awaitable[None]]) -> None:
    async def run(control: Control) -> None:
        await scenario(control, await a_world(control))

    with_control(tmp_path, run)


def a_patch(world: dict[str, Any], op: str, path: str, value: str) -> dict[str, str]:
    if op == "copy":
        return {"op": op, "path": path, "from": COPIES.get(path, "/name")}
    return {"op": op, "path": path, "value": str(world.get(value.strip("{}"), value)) if value else value}


def test_every_row_of_awss_page_works_and_shows(tmp_path) -> None:
    async def scenario(control: Control, world: dict[str, Any]) -> None:
        for operation, path, ops, value, shown in ROWS:
            for op in ops.split():
                patch = a_patch(world, op, path, value)
                if op == "remove" and operation == "UpdateMethod" and "requestParameters" in path:
                    await control(operation, **world[operation], patchOperations=[{**patch, "op": "add"}])
                answer = await control(operation, **world[operation], patchOperations=[patch])
                if shown and op == "replace":
                    wanted = {"true": True, "false": False, '{"a":"1"}': {"a": "1"}}.get(value, patch["value"])
                    held = answer[shown]
                    assert wanted in ((held, str(held)) if not isinstance(held, list) else held), (path, held)
                if op == "remove" and path.endswith((".A", "/a", "png", "json", ".id")):
                    await control(operation, **world[operation], patchOperations=[{**patch, "op": "add"}])

    in_a_world(tmp_path, scenario)


def test_no_other_op_works_on_any_row(tmp_path) -> None:
    async def scenario(control: Control, world: dict[str, Any]) -> None:
        for operation, path, ops, value, _ in ROWS:
            for op in OPS:
                if op in ops.split() or (op == "remove" and (operation, path) in REMOVED_ELSEWHERE):
                    continue
                patch = a_patch(world, op, path, value)
                with pytest.raises(BadRequestException) as refused:
                    await control(operation, **world[operation], patchOperations=[patch])
                start = f"Invalid patch path  '{path}' specified for op '{op}'. Must be one of: ["
                assert refused.value.message.startswith(start), (operation, path, op)

    in_a_world(tmp_path, scenario)


@pytest.mark.parametrize("path", ["", "/", "name", "/nothing", "/name/", "//name", "/~2", "/" * 5_000, "/name\x00"])
def test_no_other_path_works_in_any_operation(tmp_path, path: str) -> None:
    async def scenario(control: Control, world: dict[str, Any]) -> None:
        for operation in sorted({row[0] for row in ROWS}):
            for op in OPS:
                patch = {"op": op, "path": path, "value": "x", "from": path}
                with pytest.raises(BadRequestException, match="Invalid patch path"):
                    await control(operation, **world[operation], patchOperations=[patch])

    in_a_world(tmp_path, scenario)


@pytest.mark.parametrize("op", ["", "move", "test", "ADD", "delete"])
def test_ops_that_no_resource_supports_are_refused(tmp_path, op: str) -> None:
    async def scenario(control: Control, world: dict[str, Any]) -> None:
        patch = {"op": op, "path": "/name", "value": "x"}
        with pytest.raises(BadRequestException, match="Invalid patch operation specified"):
            await control("UpdateRestApi", **world["UpdateRestApi"], patchOperations=[patch])

    in_a_world(tmp_path, scenario)


def test_patches_of_one_request_are_all_carried_out_or_none(tmp_path) -> None:
    async def scenario(control: Control, world: dict[str, Any]) -> None:
        before = await control("GetStage", **world["UpdateStage"])
        patches = [
            {"op": "replace", "path": "/description", "value": "changed"},
            {"op": "replace", "path": "/deploymentId", "value": "nothing"},
        ]
        with pytest.raises(Exception, match="Invalid Deployment identifier"):
            await control("UpdateStage", **world["UpdateStage"], patchOperations=patches)
        assert await control("GetStage", **world["UpdateStage"]) == before

    in_a_world(tmp_path, scenario)
