"""API keys and usage plans by templates: made, changed in place, deleted; and what SAM's `Auth.UsagePlan` becomes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from gatepost.templates.ledger_entries.apigateway_usage import entries
from gatepost.templates.resources.apigateway_usage import handlers
from gatepost.templates.specification import Specification
from tests.support.stacks import StackWorld, a_stack_world

TEMPLATE = """
Resources:
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: orders}}
  Get:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Api
      ResourceId: !GetAtt Api.RootResourceId
      HttpMethod: GET
      AuthorizationType: NONE
      ApiKeyRequired: true
      Integration: {Type: MOCK}
  Deployment: {Type: AWS::ApiGateway::Deployment, DependsOn: Get, Properties: {RestApiId: !Ref Api}}
  Stage:
    Type: AWS::ApiGateway::Stage
    Properties: {RestApiId: !Ref Api, DeploymentId: !Ref Deployment, StageName: prod}
  Plan:
    Type: AWS::ApiGateway::UsagePlan
    Properties:
      UsagePlanName: gold
      Description: for partners
      ApiStages:
        - {ApiId: !Ref Api, Stage: !Ref Stage, Throttle: {"//GET": {RateLimit: 1, BurstLimit: 2}}}
      Throttle: {RateLimit: 10, BurstLimit: 20}
      Quota: {Limit: 100, Period: MONTH}
      Tags: [{Key: team, Value: a}]
  Key:
    Type: AWS::ApiGateway::ApiKey
    Properties: {Name: partner, Enabled: true, Value: a-key-of-twenty-characters, CustomerId: c1}
  PlanKey:
    Type: AWS::ApiGateway::UsagePlanKey
    Properties: {KeyId: !Ref Key, KeyType: API_KEY, UsagePlanId: !Ref Plan}
Outputs:
  KeyId: {Value: !GetAtt Key.APIKeyId}
  PlanId: {Value: !GetAtt Plan.Id}
  PlanKeyId: {Value: !Ref PlanKey}
"""

SAM = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Shop:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      Auth:
        ApiKeyRequired: true
        UsagePlan:
          CreateUsagePlan: PER_API
          UsagePlanName: gold
          Quota: {Limit: 5, Period: DAY}
          Throttle: {BurstLimit: 2, RateLimit: 1}
      DefinitionBody:
        openapi: 3.0.1
        info: {title: shop, version: "1"}
        paths:
          /orders:
            get:
              responses: {"200": {description: ok}}
              x-amazon-apigateway-integration:
                type: mock
                requestTemplates: {application/json: '{"statusCode": 200}'}
                responses: {default: {statusCode: "200"}}
"""


def run(tmp_path: Path, scenario: Callable[[StackWorld], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with a_stack_world(tmp_path) as world:
            await scenario(world)

    asyncio.run(whole())


async def the_plan(world: StackWorld) -> dict[str, Any]:
    plans = (await world.do("apigateway", "GetUsagePlans"))["items"]
    assert len(plans) == 1
    return plans[0]


def test_keys_and_plans_are_made_changed_in_place_and_deleted(tmp_path: Path) -> None:
    async def scenario(world: StackWorld) -> None:
        stack = await world.deploy(TEMPLATE)
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        ids = await world.resources()
        plan = await the_plan(world)
        assert plan["id"] == ids["Plan"]
        assert plan["throttle"] == {"rateLimit": 10.0, "burstLimit": 20}
        assert plan["quota"] == {"limit": 100, "offset": 0, "period": "MONTH"}
        stage = {"apiId": ids["Api"], "stage": "prod", "throttle": {"//GET": {"rateLimit": 1.0, "burstLimit": 2}}}
        assert plan["apiStages"] == [stage]
        key = await world.do("apigateway", "GetApiKey", apiKey=ids["Key"], includeValue=True)
        assert (key["name"], key["value"], key["enabled"]) == ("partner", "a-key-of-twenty-characters", True)
        assert ids["PlanKey"] == f"{ids['Key']}:{ids['Plan']}"

        changed = (
            TEMPLATE.replace("RateLimit: 10,", "RateLimit: 11.5,")
            .replace("{Limit: 100, Period: MONTH}", "{Limit: 50, Period: WEEK, Offset: 2}")
            .replace(', Throttle: {"//GET": {RateLimit: 1, BurstLimit: 2}}', "")
            .replace("Enabled: true", "Enabled: false")
            .replace("for partners", "for all")
            .replace("Value: a}]", "Value: b}]")
        )
        stack = await world.deploy(changed)
        assert stack["StackStatus"] == "UPDATE_COMPLETE", await world.events()
        assert await world.resources() == ids
        plan = await the_plan(world)
        assert plan["throttle"] == {"rateLimit": 11.5, "burstLimit": 20}
        assert plan["quota"] == {"limit": 50, "offset": 2, "period": "WEEK"}
        assert plan["apiStages"] == [{"apiId": ids["Api"], "stage": "prod"}]
        assert (plan["description"], plan["tags"]["team"]) == ("for all", "b")
        assert (await world.do("apigateway", "GetApiKey", apiKey=ids["Key"]))["enabled"] is False

        without = changed.replace("      Throttle: {RateLimit: 11.5, BurstLimit: 20}\n", "").replace(
            "      Quota: {Limit: 50, Period: WEEK, Offset: 2}\n", ""
        )
        await world.deploy(without)
        plan = await the_plan(world)
        assert "quota" not in plan
        assert "throttle" not in plan

        await world.cfn("DeleteStack", StackName="shop")
        gone = await world.settled(stack["StackId"])
        assert gone["StackStatus"] == "DELETE_COMPLETE", await world.events(stack["StackId"])
        assert (await world.do("apigateway", "GetUsagePlans"))["items"] == []
        assert (await world.do("apigateway", "GetApiKeys"))["items"] == []

    run(tmp_path, scenario)


def test_sams_usage_plan_becomes_a_plan_with_a_key_and_methods_that_require_it(tmp_path: Path) -> None:
    async def scenario(world: StackWorld) -> None:
        stack = await world.deploy(SAM)
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        plan = await the_plan(world)
        assert plan["quota"] == {"limit": 5, "offset": 0, "period": "DAY"}
        members = (await world.do("apigateway", "GetUsagePlanKeys", usagePlanId=plan["id"]))["items"]
        assert len(members) == 1
        api_id = plan["apiStages"][0]["apiId"]
        resources = (await world.do("apigateway", "GetResources", restApiId=api_id, embed=["methods"]))["items"]
        methods = {each["path"]: each.get("resourceMethods", {}) for each in resources}
        assert methods["/orders"]["GET"]["apiKeyRequired"] is True

    run(tmp_path, scenario)


def test_a_stages_extensions_are_declared_beside_it_or_beside_its_sam_api(tmp_path: Path) -> None:
    extension = (
        "Metadata: {Gatepost: {%s: {RateLimitHeaders: true, AddressThrottle: {RateLimit: 5, BurstLimit: 10}}}}\n"
    )
    wanted = {"gatepost:address-throttle": "5/10", "gatepost:rate-limit-headers": "true"}

    async def scenario(world: StackWorld) -> None:
        for name, logical_id, template in (("plain", "Stage", TEMPLATE), ("sam", "Shop", SAM)):
            stack = await world.deploy(extension % logical_id + template, name=name)
            assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events(name)
            plan = (await world.do("apigateway", "GetUsagePlans"))["items"][-1]
            stage = await world.do("apigateway", "GetStage", restApiId=plan["apiStages"][0]["apiId"], stageName="prod")
            assert wanted.items() <= stage["tags"].items()
            await world.deploy(template + "\n# without\n", name=name, Tags=[{"Key": "again", "Value": "1"}])
            stage = await world.do("apigateway", "GetStage", restApiId=plan["apiStages"][0]["apiId"], stageName="prod")
            assert not wanted.items() & stage["tags"].items()
            await world.cfn("DeleteStack", StackName=name)
            await world.settled(stack["StackId"])

    run(tmp_path, scenario)


def test_the_ledger_speaks_for_every_property_of_every_type_that_is_handled() -> None:
    specification = Specification.load()
    assert {entry.type for entry in entries()} == set(handlers())
    for entry in entries():
        described = specification.find(entry.type)
        assert described is not None
        assert {name for name in entry.properties if "/" not in name} == set(described.properties)
