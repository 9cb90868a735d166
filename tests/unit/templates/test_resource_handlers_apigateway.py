"""AWS::ApiGateway types by API Gateway's real operations: made, changed in place, deleted; SAM's Api with its guards."""
# ruff: noqa: E501 - templates are wide

import pytest

from gatepost.templates.ledger_entries import apigateway as apigateway_entries
from gatepost.templates.resources import apigateway, apigateway_documentation, apigateway_guards, apigateway_stages
from tests.support.rest_apis import FUNCTION_URI
from tests.unit.templates.test_resource_handlers import goes_through, run

POOL = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_Abc123"

EVERYTHING = f"""
Resources:
  Api: {{Type: AWS::ApiGateway::RestApi, Properties: {{Name: shop}}}}
  Users:
    Type: AWS::ApiGateway::Authorizer
    Properties:
      RestApiId: !Ref Api
      Name: users
      Type: COGNITO_USER_POOLS
      ProviderARNs: [{POOL}]
      IdentitySource: method.request.header.X-Token
  Checks: {{Type: AWS::ApiGateway::RequestValidator, Properties: {{RestApiId: !Ref Api, Name: body, ValidateRequestBody: true}}}}
  Orders: {{Type: AWS::ApiGateway::Resource, Properties: {{RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: orders}}}}
  Post:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Api
      ResourceId: !Ref Orders
      HttpMethod: POST
      ApiKeyRequired: true
      AuthorizationType: COGNITO_USER_POOLS
      AuthorizerId: !Ref Users
      AuthorizationScopes: [orders/write]
      RequestValidatorId: !Ref Checks
      RequestModels: {{application/json: Empty}}
      Integration: {{Type: MOCK}}
  About:
    Type: AWS::ApiGateway::DocumentationPart
    Properties:
      RestApiId: !Ref Api
      Location: {{Type: METHOD, Path: /orders, Method: POST}}
      Properties: '{{"summary":"Order"}}'
  V1: {{Type: AWS::ApiGateway::DocumentationVersion, DependsOn: About, Properties: {{RestApiId: !Ref Api, DocumentationVersion: "1.0", Description: first}}}}
  Shown: {{Type: AWS::ApiGateway::ClientCertificate, Properties: {{Description: ours, Tags: [{{Key: team, Value: pay}}]}}}}
  Made: {{Type: AWS::ApiGateway::Deployment, DependsOn: Post, Properties: {{RestApiId: !Ref Api}}}}
  Other: {{Type: AWS::ApiGateway::Deployment, DependsOn: Post, Properties: {{RestApiId: !Ref Api}}}}
  Prod:
    Type: AWS::ApiGateway::Stage
    Properties:
      RestApiId: !Ref Api
      StageName: prod
      DeploymentId: !Ref Made
      DocumentationVersion: !Ref V1
      CacheClusterEnabled: true
      CacheClusterSize: "1.6"
      Variables: {{v: one}}
      CanarySetting: {{DeploymentId: !Ref Other, PercentTraffic: 10, StageVariableOverrides: {{v: two}}, UseStageCache: true}}
      MethodSettings: [{{ResourcePath: /orders, HttpMethod: POST, ThrottlingBurstLimit: 5, ThrottlingRateLimit: 2.5}}]
"""


def test_guards_documentation_and_canaries_are_made_changed_and_deleted(tmp_path):
    async def scenario(world):
        changed = (
            EVERYTHING.replace("Name: users", "Name: people")
            .replace("us-east-1_Abc123", "us-east-1_Def456")
            .replace("ValidateRequestBody: true", "ValidateRequestParameters: true")
            .replace("orders/write", "orders/all")
            .replace('"summary":"Order"', '"summary":"Buy"')
            .replace("Description: first", "Description: one")
            .replace(
                "Description: ours, Tags: [{Key: team, Value: pay}]", "Description: theirs, Tags: [{Key: a, Value: b}]"
            )
            .replace("PercentTraffic: 10, StageVariableOverrides: {v: two}, ", "PercentTraffic: 20, ")
            .replace('CacheClusterSize: "1.6"', 'CacheClusterSize: "6.1"')
            .replace("ThrottlingBurstLimit: 5, ", "")
        )
        without_canary = (
            changed[: changed.index("      CanarySetting")] + changed[changed.index("      MethodSettings") :]
        )
        steps = goes_through(world, EVERYTHING, changed, without_canary)
        await anext(steps)
        made = await world.resources()
        named = {"restApiId": made["Api"]}

        async def shown():
            place = {**named, "resourceId": made["Orders"], "httpMethod": "POST"}
            return (
                await world.do("apigateway", "GetAuthorizer", **named, authorizerId=made["Users"]),
                await world.do("apigateway", "GetRequestValidator", **named, requestValidatorId=made["Checks"]),
                await world.do("apigateway", "GetMethod", **place),
                await world.do("apigateway", "GetStage", **named, stageName="prod"),
                await world.do("apigateway", "GetClientCertificate", clientCertificateId=made["Shown"]),
                await world.do("apigateway", "GetDocumentationVersion", **named, documentationVersion="1.0"),
                await world.do("apigateway", "GetDocumentationPart", **named, documentationPartId=made["About"]),
            )

        authorizer, validator, method, stage, certificate, version, part = await shown()
        assert (authorizer["name"], authorizer["providerARNs"]) == ("users", [POOL])
        assert (validator["validateRequestBody"], validator["validateRequestParameters"]) == (True, False)
        assert (method["authorizerId"], method["requestValidatorId"]) == (made["Users"], made["Checks"])
        assert (method["authorizationScopes"], method["apiKeyRequired"]) == (["orders/write"], True)
        assert stage["canarySettings"] == {
            "deploymentId": made["Other"],
            "percentTraffic": 10.0,
            "stageVariableOverrides": {"v": "two"},
            "useStageCache": True,
        }
        assert (stage["cacheClusterSize"], stage["documentationVersion"]) == ("1.6", "1.0")
        assert stage["methodSettings"]["~1orders/POST"]["throttlingBurstLimit"] == 5
        assert (certificate["description"], certificate["tags"]["team"]) == ("ours", "pay")
        assert (version["description"], part["properties"]) == ("first", '{"summary":"Order"}')

        await anext(steps)
        assert await world.resources() == made
        authorizer, validator, method, stage, certificate, version, part = await shown()
        assert (authorizer["name"], authorizer["providerARNs"]) == ("people", [POOL.replace("Abc123", "Def456")])
        assert (validator["validateRequestBody"], validator["validateRequestParameters"]) == (False, True)
        assert method["authorizationScopes"] == ["orders/all"]
        assert stage["canarySettings"] == {
            "deploymentId": made["Other"],
            "percentTraffic": 20.0,
            "useStageCache": True,
        }
        assert stage["cacheClusterSize"] == "6.1"
        assert stage["methodSettings"]["~1orders/POST"]["throttlingBurstLimit"] == -1
        assert (certificate["description"], certificate["tags"].get("team"), certificate["tags"]["a"]) == (
            "theirs",
            None,
            "b",
        )
        assert (version["description"], part["properties"]) == ("one", '{"summary":"Buy"}')

        await anext(steps)
        assert "canarySettings" not in (await shown())[3]
        with pytest.raises(StopAsyncIteration):
            await anext(steps)
        assert (await world.do("apigateway", "GetRestApis"))["items"] == []
        assert (await world.do("apigateway", "GetClientCertificates"))["items"] == []

    run(tmp_path, scenario)


CANARY = """
Resources:
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: shop}}
  Get: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !GetAtt Api.RootResourceId, HttpMethod: GET, AuthorizationType: NONE, Integration: {Type: MOCK}}}
  First:
    Type: AWS::ApiGateway::Deployment
    DependsOn: Get
    Properties: {RestApiId: !Ref Api, StageName: prod, StageDescription: {Variables: {v: one}}}
  Second:
    Type: AWS::ApiGateway::Deployment
    DependsOn: First
    Properties:
      RestApiId: !Ref Api
      StageName: prod
      DeploymentCanarySettings: {PercentTraffic: 50, StageVariableOverrides: {v: two}}
"""


def test_a_deployment_with_canary_settings_is_a_canary_of_its_stage(tmp_path):
    async def scenario(world):
        steps = goes_through(world, CANARY)
        await anext(steps)
        made = await world.resources()
        stage = await world.do("apigateway", "GetStage", restApiId=made["Api"], stageName="prod")
        assert stage["deploymentId"] == made["First"]
        assert stage["canarySettings"]["deploymentId"] == made["Second"]
        assert stage["canarySettings"]["percentTraffic"] == 50.0

    run(tmp_path, scenario)


SAM = f"""
Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      Cors: {{AllowOrigin: "'*'", AllowMethods: "'GET'"}}
      Models: {{Order: {{type: object, required: [sku], properties: {{sku: {{type: string}}}}}}}}
      MethodSettings: [{{ResourcePath: "/*", HttpMethod: "*", ThrottlingBurstLimit: 7}}]
      CanarySetting: {{PercentTraffic: 5}}
      GatewayResponses: {{UNAUTHORIZED: {{StatusCode: 499}}}}
      Auth:
        DefaultAuthorizer: People
        AddDefaultAuthorizerToCorsPreflight: false
        Authorizers:
          People: {{UserPoolArn: {POOL}}}
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      InlineCode: "def handler(event, context): return {{'statusCode': 200}}"
      Events:
        Post:
          Type: Api
          Properties:
            RestApiId: !Ref Api
            Path: /orders
            Method: post
            RequestModel: {{Model: Order, ValidateBody: true, Required: true}}
            RequestParameters: [method.request.header.X-Shop]
        Open: {{Type: Api, Properties: {{RestApiId: !Ref Api, Path: /open, Method: get, Auth: {{Authorizer: NONE, ApiKeyRequired: true}}}}}}
"""


def test_sams_properties_flow_through_to_the_api(tmp_path):
    async def scenario(world):
        steps = goes_through(world, SAM, Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])
        await anext(steps)
        api_id = (await world.resources())["Api"]
        page = await world.do("apigateway", "GetResources", restApiId=api_id, embed=["methods"])
        methods = {
            (each["path"], verb): method
            for each in page["items"]
            for verb, method in each.get("resourceMethods", {}).items()
        }
        (authorizer,) = (await world.do("apigateway", "GetAuthorizers", restApiId=api_id))["items"]
        assert (authorizer["type"], authorizer["providerARNs"]) == ("COGNITO_USER_POOLS", [POOL])
        post, opened = methods["/orders", "POST"], methods["/open", "GET"]
        assert (post["authorizationType"], post["authorizerId"]) == ("COGNITO_USER_POOLS", authorizer["id"])
        assert post["requestModels"] == {"application/json": "order"}
        assert "method.request.header.X-Shop" in post["requestParameters"]
        validator = await world.do(
            "apigateway", "GetRequestValidator", restApiId=api_id, requestValidatorId=post["requestValidatorId"]
        )
        assert validator["validateRequestBody"] is True
        assert (opened["authorizationType"], opened["apiKeyRequired"]) == ("NONE", True)
        assert methods["/orders", "OPTIONS"]["authorizationType"] == "NONE"
        stage = await world.do("apigateway", "GetStage", restApiId=api_id, stageName="prod")
        assert stage["canarySettings"]["percentTraffic"] == 5.0
        assert stage["methodSettings"]["*/*"]["throttlingBurstLimit"] == 7
        response = await world.do("apigateway", "GetGatewayResponse", restApiId=api_id, responseType="UNAUTHORIZED")
        assert response["statusCode"] == "499"

    run(tmp_path, scenario)


def test_an_authorizer_changes_its_type_in_place(tmp_path):
    template = """
Resources:
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: shop}}
  Guard: {Type: AWS::ApiGateway::Authorizer, Properties: {RestApiId: !Ref Api, Name: guard, %s}}
"""
    cognito = f"Type: COGNITO_USER_POOLS, ProviderARNs: [{POOL}], IdentitySource: method.request.header.A"
    token = f"Type: TOKEN, AuthorizerUri: '{FUNCTION_URI}', IdentitySource: method.request.header.A"

    async def scenario(world):
        steps = goes_through(world, template % cognito, template % token)
        await anext(steps)
        await anext(steps)
        made = await world.resources()
        guard = await world.do("apigateway", "GetAuthorizer", restApiId=made["Api"], authorizerId=made["Guard"])
        assert (guard["type"], guard["authorizerUri"]) == ("TOKEN", FUNCTION_URI)
        assert "providerARNs" not in guard

    run(tmp_path, scenario)


def test_every_type_that_is_made_is_in_the_ledger():
    made = {
        **apigateway.handlers(),
        **apigateway_documentation.handlers(),
        **apigateway_guards.handlers(),
        **apigateway_stages.handlers(),
    }
    assert set(made) == {entry.type for entry in apigateway_entries.entries()}
