"""Private APIs, private domain names and their associations by templates: made, changed in place, deleted."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.templates.test_resource_handlers_domain_names import run

POLICY = """
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: execute-api:/*}]"""
TEMPLATE = f"""
Resources:
  Api:
    Type: AWS::ApiGateway::RestApi
    Properties:
      Name: orders
      EndpointConfiguration: {{Types: [PRIVATE], VpcEndpointIds: [vpce-1]}}
      Policy: {POLICY}
  Get:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Api
      ResourceId: !GetAtt Api.RootResourceId
      HttpMethod: GET
      AuthorizationType: NONE
      Integration: {{Type: MOCK}}
  Deployment: {{Type: AWS::ApiGateway::Deployment, DependsOn: Get, Properties: {{RestApiId: !Ref Api}}}}
  Stage:
    Type: AWS::ApiGateway::Stage
    Properties: {{RestApiId: !Ref Api, DeploymentId: !Ref Deployment, StageName: prod}}
  Beta:
    Type: AWS::ApiGateway::Stage
    Properties: {{RestApiId: !Ref Api, DeploymentId: !Ref Deployment, StageName: beta}}
  Certificate:
    Type: AWS::CertificateManager::Certificate
    Properties: {{DomainName: inside.shop.test, KeyAlgorithm: EC_prime256v1}}
  Domain:
    Type: AWS::ApiGateway::DomainNameV2
    Properties:
      DomainName: inside.shop.test
      CertificateArn: !Ref Certificate
      EndpointConfiguration: {{Types: [PRIVATE]}}
      Policy: {POLICY}
      SecurityPolicy: TLS_1_2
      Tags: [{{Key: team, Value: a}}]
  Mapping:
    Type: AWS::ApiGateway::BasePathMappingV2
    Properties: {{DomainNameArn: !Ref Domain, RestApiId: !Ref Api, Stage: !Ref Stage, BasePath: v1}}
  Access:
    Type: AWS::ApiGateway::DomainNameAccessAssociation
    Properties:
      DomainNameArn: !GetAtt Domain.DomainNameArn
      AccessAssociationSource: vpce-1
      AccessAssociationSourceType: VPCE
Outputs:
  Id: {{Value: !GetAtt Domain.DomainNameId}}
"""


def test_private_names_come_change_and_go(tmp_path):
    changed = (
        TEMPLATE.replace("VpcEndpointIds: [vpce-1]", "VpcEndpointIds: [vpce-2], IpAddressType: dualstack")
        .replace("AccessAssociationSource: vpce-1", "AccessAssociationSource: vpce-2")
        .replace("Stage: !Ref Stage, BasePath", "Stage: !Ref Beta, BasePath")
        .replace("Value: a}", "Value: z}")
        .replace(
            "SecurityPolicy: TLS_1_2", "SecurityPolicy: TLS_1_2\n      RoutingMode: ROUTING_RULE_THEN_BASE_PATH_MAPPING"
        )
    )

    async def work(world):
        stack = await world.deploy(TEMPLATE)
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        domain_id = stack["Outputs"][0]["OutputValue"]
        before = await world.resources()
        named = {"domainName": "inside.shop.test", "domainNameId": domain_id}
        assert (await world.do("apigateway", "GetDomainName", **named))["domainNameArn"] == before["Domain"]
        stack = await world.deploy(changed)
        assert stack["StackStatus"] == "UPDATE_COMPLETE", await world.events()
        after = await world.resources()
        assert {name for name in before if before[name] != after[name]} == {"Access"}
        domain = await world.do("apigateway", "GetDomainName", **named)
        assert domain["tags"]["team"] == "z"
        assert domain["routingMode"] == "ROUTING_RULE_THEN_BASE_PATH_MAPPING"
        mappings = await world.do("apigateway", "GetBasePathMappings", **named)
        assert [(each["basePath"], each["stage"]) for each in mappings["items"]] == [("v1", "beta")]
        (access,) = (await world.do("apigateway", "GetDomainNameAccessAssociations"))["items"]
        assert access["accessAssociationSource"] == "vpce-2"
        api = await world.do("apigateway", "GetRestApi", restApiId=after["Api"])
        assert api["endpointConfiguration"]["vpcEndpointIds"] == ["vpce-2"]
        await world.cfn("DeleteStack", StackName="shop")
        for _ in range(2_000):
            if not (await world.do("apigateway", "GetDomainNames"))["items"]:
                return
            await asyncio.sleep(0.002)
        pytest.fail("the domain name is still there")

    run(tmp_path, work)
