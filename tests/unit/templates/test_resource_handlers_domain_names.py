"""Domain names, mappings, routing rules and certificates by templates: made, changed in place, deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gatepost.templates.ledger_entries.domain_names import entries
from gatepost.templates.resources import certificates, domain_names, private_domain_names
from tests.support.stacks import StackWorld, a_stack_world

API = """
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: orders}}
  Get:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Api
      ResourceId: !GetAtt Api.RootResourceId
      HttpMethod: GET
      AuthorizationType: NONE
      Integration: {Type: MOCK}
  Deployment: {Type: AWS::ApiGateway::Deployment, DependsOn: Get, Properties: {RestApiId: !Ref Api}}
  Stage:
    Type: AWS::ApiGateway::Stage
    Properties: {RestApiId: !Ref Api, DeploymentId: !Ref Deployment, StageName: prod}
  Beta:
    Type: AWS::ApiGateway::Stage
    Properties: {RestApiId: !Ref Api, DeploymentId: !Ref Deployment, StageName: beta}
"""
TEMPLATE = f"""
Resources:{API}
  Certificate:
    Type: AWS::CertificateManager::Certificate
    Properties:
      DomainName: api.shop.test
      SubjectAlternativeNames: ["*.shop.test"]
      ValidationMethod: DNS
      KeyAlgorithm: EC_prime256v1
      DomainValidationOptions: [{{DomainName: api.shop.test, HostedZoneId: !Ref Zone}}]
      Tags: [{{Key: team, Value: a}}]
  Domain:
    Type: AWS::ApiGateway::DomainName
    Properties:
      DomainName: api.shop.test
      RegionalCertificateArn: !Ref Certificate
      EndpointConfiguration: {{Types: [REGIONAL]}}
      SecurityPolicy: TLS_1_2
      RoutingMode: ROUTING_RULE_THEN_BASE_PATH_MAPPING
      Tags: [{{Key: team, Value: a}}, {{Key: old, Value: b}}]
  Mapping:
    Type: AWS::ApiGateway::BasePathMapping
    Properties: {{DomainName: !Ref Domain, RestApiId: !Ref Api, Stage: !Ref Stage, BasePath: orders}}
  Deep:
    Type: AWS::ApiGatewayV2::ApiMapping
    Properties: {{DomainName: !Ref Domain, ApiId: !Ref Api, Stage: !Ref Stage, ApiMappingKey: orders/v1}}
  Rule:
    Type: AWS::ApiGatewayV2::RoutingRule
    Properties:
      DomainNameArn: !GetAtt Domain.DomainNameArn
      Priority: 10
      Conditions: [{{MatchHeaders: {{AnyOf: [{{Header: x-version, ValueGlob: beta}}]}}}}]
      Actions: [{{InvokeApi: {{ApiId: !Ref Api, Stage: !Ref Beta, StripBasePath: true}}}}]
  Second:
    Type: AWS::ApiGatewayV2::DomainName
    Properties:
      DomainName: two.shop.test
      DomainNameConfigurations: [{{CertificateArn: !Ref Certificate, EndpointType: REGIONAL}}]
      Tags: {{team: a, old: b}}
  Zone: {{Type: AWS::Route53::HostedZone, Properties: {{Name: shop.test}}}}
  Record:
    Type: AWS::Route53::RecordSet
    Properties:
      HostedZoneId: !Ref Zone
      Name: api.shop.test
      Type: A
      AliasTarget: {{DNSName: !GetAtt Domain.RegionalDomainName, HostedZoneId: !GetAtt Domain.RegionalHostedZoneId}}
Outputs:
  Target: {{Value: !GetAtt Domain.RegionalDomainName}}
  Servers: {{Value: !Join [",", !GetAtt Zone.NameServers]}}
  Record: {{Value: !Ref Record}}
  RuleId: {{Value: !GetAtt Rule.RoutingRuleId}}
"""


def run(tmp_path: Path, work: Callable[[StackWorld], Awaitable[Any]]) -> Any:
    async def scenario() -> Any:
        async with a_stack_world(tmp_path) as world:
            return await work(world)

    return asyncio.run(scenario())


def test_everything_is_made_changed_in_place_and_deleted(tmp_path):
    changed = (
        TEMPLATE.replace("SecurityPolicy: TLS_1_2", "SecurityPolicy: TLS_1_0")
        .replace("RestApiId: !Ref Api, Stage: !Ref Stage, BasePath", "RestApiId: !Ref Api, Stage: !Ref Beta, BasePath")
        .replace("orders/v1", "orders/v2")
        .replace("Priority: 10", "Priority: 20")
        .replace("{Key: old, Value: b}", "{Key: new, Value: c}")
        .replace("team: a, old: b", "team: z")
        .replace("Tags: [{Key: team, Value: a}]", "Tags: [{Key: team, Value: z}]")
    )

    async def work(world):
        stack = await world.deploy(TEMPLATE)
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
        before = await world.resources()
        stack = await world.deploy(changed)
        assert stack["StackStatus"] == "UPDATE_COMPLETE", await world.events()
        after = await world.resources()
        domain = await world.do("apigateway", "GetDomainName", domainName="api.shop.test")
        mappings = await world.do("apigateway", "GetBasePathMappings", domainName="api.shop.test")
        rules = await world.do("apigatewayv2", "ListRoutingRules", DomainName="api.shop.test")
        second = await world.do("apigatewayv2", "GetDomainName", DomainName="two.shop.test")
        tags = await world.do("acm", "ListTagsForCertificate", CertificateArn=after["Certificate"])
        await world.cfn("DeleteStack", StackName="shop")
        for _ in range(2_000):
            if not (await world.do("apigateway", "GetDomainNames"))["items"]:
                break
            await asyncio.sleep(0.002)
        left = await world.do("apigateway", "GetDomainNames")
        return outputs, before, after, domain, mappings, rules, second, tags, left

    outputs, before, after, domain, mappings, rules, second, tags, left = run(tmp_path, work)
    assert outputs["Target"].endswith(".execute-api.us-east-1.amazonaws.com")
    assert outputs["Record"] == "api.shop.test"
    assert len(outputs["Servers"].split(",")) == 4
    assert before == after
    assert domain["securityPolicy"] == "TLS_1_0"
    assert {"team", "new"} <= set(domain["tags"])
    assert "old" not in domain["tags"]
    assert {(each["basePath"], each["stage"]) for each in mappings["items"]} == {
        ("orders", "beta"),
        ("orders/v2", "prod"),
    }
    assert rules["RoutingRules"][0]["Priority"] == 20
    assert second["Tags"]["team"] == "z"
    assert "old" not in second["Tags"]
    assert {"Key": "team", "Value": "z"} in tags["Tags"]
    assert left["items"] == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("KeyAlgorithm: EC_prime256v1", "KeyAlgorithm: RSA_4096", "use EC_prime256v1"),
        ("SecurityPolicy: TLS_1_2", "SecurityPolicy: SecurityPolicy_TLS13_1_3_FIPS_2025_09", "SecurityPolicy"),
        (
            "SecurityPolicy: TLS_1_2",
            "SecurityPolicy: TLS_1_2\n      MutualTlsAuthentication: {TruststoreUri: s3://bucket/key}",
            "s3://gatepost-assets",
        ),
    ],
)
def test_what_cannot_be_enforced_is_refused_before_anything_is_made(tmp_path, before, after, words):
    async def work(world):
        made = await world.cfn(
            "CreateChangeSet",
            StackName="shop",
            ChangeSetName="plan",
            ChangeSetType="CREATE",
            TemplateBody=TEMPLATE.replace(before, after),
        )
        return (await world.cfn("DescribeChangeSet", ChangeSetName=made["Id"]))["StatusReason"]

    from gatepost.kernel.errors import ServiceError

    try:
        reason = run(tmp_path, work)
    except ServiceError as fault:
        reason = fault.message
    assert words in reason


def test_a_certificate_beyond_the_local_authority_fails_with_the_way_out(tmp_path):
    template = """
Resources:
  Certificate:
    Type: AWS::CertificateManager::Certificate
    Properties: {DomainName: api.example.com, KeyAlgorithm: EC_prime256v1}
"""

    async def work(world):
        stack = await world.deploy(template)
        return stack["StackStatus"], await world.events()

    status, events = run(tmp_path, work)
    assert status == "ROLLBACK_COMPLETE"
    assert any("--tls-name" in line for line in events)


SAM = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Certificate:
    Type: AWS::CertificateManager::Certificate
    Properties: {DomainName: sam.shop.test, KeyAlgorithm: EC_prime256v1}
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      EndpointConfiguration: {Type: REGIONAL}
      Domain:
        DomainName: sam.shop.test
        CertificateArn: !Ref Certificate
        EndpointConfiguration: REGIONAL
        BasePath: [/, v1]
        Route53: {HostedZoneName: shop.test.}
      DefinitionBody:
        openapi: 3.0.1
        info: {title: sam, version: "1"}
        paths:
          /:
            get:
              responses: {}
              x-amazon-apigateway-integration: {type: mock}
"""


def test_sams_domain_becomes_a_domain_name_with_its_mappings(tmp_path):
    async def work(world):
        stack = await world.deploy(SAM)
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        return await world.do("apigateway", "GetBasePathMappings", domainName="sam.shop.test")

    mappings = run(tmp_path, work)
    assert {each["basePath"] for each in mappings["items"]} == {"(none)", "v1"}


def test_what_is_made_has_its_entries_and_what_is_refused_says_what_would_work():
    made = {**domain_names.handlers(), **private_domain_names.handlers(), **certificates.handlers()}
    statuses = {entry.type: entry.entry for entry in entries()}
    assert {name for name, entry in statuses.items() if entry.status != "refused"} == set(made)
    assert all("INTERNET" in e.sentence for e in statuses.values() if e.status == "refused")
