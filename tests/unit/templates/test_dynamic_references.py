"""Dynamic references: their forms, and that no value stays where a stack keeps things."""

from __future__ import annotations

import asyncio
import json

import pytest

from gatepost.templates.dynamic_references import BadReference, Reference, check_references, parse_reference
from tests.support.stacks import a_stack_world

ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop-AbCdEf"
TOKEN = "0" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssm:/shop/url", Reference("ssm", "/shop/url")),
        ("ssm:/shop/url:3", Reference("ssm", "/shop/url", version="3")),
        ("ssm-secure:key:1", Reference("ssm-secure", "key", version="1")),
        ("secretsmanager:shop", Reference("secretsmanager", "shop")),
        ("secretsmanager:shop:SecretString", Reference("secretsmanager", "shop")),
        ("secretsmanager:shop:SecretString:user", Reference("secretsmanager", "shop", "user")),
        (
            "secretsmanager:shop:SecretString:user:AWSPREVIOUS",
            Reference("secretsmanager", "shop", "user", "AWSPREVIOUS"),
        ),
        ("secretsmanager:shop:SecretString:user::v1", Reference("secretsmanager", "shop", "user", "", "v1")),
        (f"secretsmanager:{ARN}:SecretString:user", Reference("secretsmanager", ARN, "user")),
        (f"secretsmanager:{ARN}", Reference("secretsmanager", ARN)),
    ],
)
def test_references_are_taken_apart(text, expected):
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssm:",
        "ssm:/a:latest",
        "s3:bucket",
        "secretsmanager:",
        "secretsmanager:shop:SecretBinary",
        "secretsmanager:shop:SecretString:k:AWSCURRENT:v1",
        "secretsmanager:shop:SecretString:k:::more",
    ],
)
def test_what_means_nothing_is_refused(text):
    with pytest.raises(BadReference):
        parse_reference(text)


@pytest.mark.parametrize(
    ("text", "path", "wrong"),
    [
        ("plain", ("A",), ""),
        ("{{resolve:ssm:/a}} and {{resolve:secretsmanager:b}}", ("A",), ""),
        ("{{resolve:secretsmanager:${Secret}:SecretString:password}}", ("A",), ""),
        ("{{resolve:ssm:/a}", ("A",), "ends with"),
        ("{{resolve:nothing:/a}}", ("A",), "use secretsmanager, ssm or ssm-secure"),
        ("{{resolve:ssm-secure:/a}}", ("Resources", "T", "Properties", "TableName"), "LoginProfile.Password"),
        ("{{resolve:ssm-secure:/a}}", ("Resources", "U", "Properties", "LoginProfile", "Password"), ""),
    ],
)
def test_texts_of_templates_are_checked_when_they_are_compiled(text, path, wrong):
    found = check_references(text, path)
    assert (wrong in found) if wrong else not found


def a_template(**resources):
    return json.dumps({"Resources": resources})


def a_parameter(value, **more):
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": "/out", "Value": value, **more}}


def with_world(tmp_path, scenario):
    async def whole():
        async with a_stack_world(tmp_path) as world:
            await scenario(world)

    asyncio.run(whole())


async def value_of(world, name="/out"):
    return (await world.do("ssm", "GetParameter", Name=name))["Parameter"]["Value"]


def everything_kept(tmp_path):
    return b"".join(path.read_bytes() for path in tmp_path.rglob("records.db*"))


def test_secrets_and_parameters_are_put_in_when_a_resource_is_made_and_kept_nowhere(tmp_path):
    async def scenario(world):
        secret = json.dumps({"user": "ana", "password": "open-sesame-42"})
        await world.do("secretsmanager", "CreateSecret", Name="shop", SecretString=secret, ClientRequestToken=TOKEN)
        await world.do("ssm", "PutParameter", Name="/host", Value="db.example", Type="String")
        group = "{{resolve:ssm:/host:1}}-{{resolve:secretsmanager:shop:SecretString:password}}"
        template = a_template(Group={"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": group}})
        stack = await world.deploy(template)
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        groups = (await world.do("logs", "DescribeLogGroups"))["logGroups"]
        assert [one["logGroupName"] for one in groups] == ["db.example-open-sesame-42"]
        told = json.dumps([await world.events(), (await world.cfn("GetTemplate", StackName="shop"))], default=str)
        assert "open-sesame-42" not in told

    with_world(tmp_path, scenario)


def test_a_reference_in_an_apis_body_is_put_in_as_text(tmp_path):
    async def scenario(world):
        secret = 'a "quoted" key'
        await world.do("secretsmanager", "CreateSecret", Name="pay", SecretString=secret, ClientRequestToken=TOKEN)
        integration = {
            "type": "http",
            "httpMethod": "GET",
            "uri": "https://pay.example",
            "requestParameters": {"integration.request.header.Key": "'{{resolve:secretsmanager:pay}}'"},
        }
        method = {"x-amazon-apigateway-integration": integration, "responses": {}}
        body = {"openapi": "3.0.1", "info": {"title": "pay", "version": "1"}, "paths": {"/": {"get": method}}}
        stack = await world.deploy(a_template(Api={"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": body}}))
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        (api,) = (await world.do("apigateway", "GetRestApis"))["items"]
        (root,) = (await world.do("apigateway", "GetResources", restApiId=api["id"]))["items"]
        names = {"restApiId": api["id"], "resourceId": root["id"], "httpMethod": "GET"}
        made = await world.do("apigateway", "GetIntegration", **names)
        assert made["requestParameters"] == {"integration.request.header.Key": f"'{secret}'"}
        template = await world.cfn("GetTemplate", StackName=stack["StackName"], TemplateStage="Processed")
        assert "quoted" not in str(template)

    with_world(tmp_path, scenario)


def test_an_unchanged_reference_is_no_change_though_its_value_is_another(tmp_path):
    async def scenario(world):
        await world.do("ssm", "PutParameter", Name="/in", Value="one", Type="String")
        await world.deploy(a_template(Out=a_parameter("{{resolve:ssm:/in}}")))
        assert await value_of(world) == "one"
        await world.do("ssm", "PutParameter", Name="/in", Value="two", Overwrite=True)
        await world.deploy(a_template(Out=a_parameter("{{resolve:ssm:/in}}"), Other=a_parameter("x", Name="/other")))
        assert await value_of(world) == "one"
        await world.deploy(a_template(Out=a_parameter("{{resolve:ssm:/in:2}}")))
        assert await value_of(world) == "two"

    with_world(tmp_path, scenario)


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("{{resolve:ssm:/none}}", "not found"),
        ("{{resolve:ssm:/sealed}}", "use resolve:ssm-secure"),
        ("{{resolve:secretsmanager:none}}", "can't find the specified secret"),
        ("{{resolve:secretsmanager:shop:SecretString:none}}", "JSONKey none"),
        ("{{resolve:secretsmanager:shop:SecretString:a:AWSPENDING}}", "staging label"),
    ],
)
def test_a_reference_without_a_value_fails_its_resource(tmp_path, reference, reason):
    async def scenario(world):
        await world.do("ssm", "PutParameter", Name="/sealed", Value="v", Type="SecureString")
        await world.do("secretsmanager", "CreateSecret", Name="shop", SecretString="{}", ClientRequestToken=TOKEN)
        stack = await world.deploy(a_template(Out=a_parameter(reference)))
        assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
        assert reason in " ".join(await world.events())

    with_world(tmp_path, scenario)


def test_a_value_in_an_errors_text_is_masked(tmp_path):
    async def scenario(world):
        await world.do(
            "secretsmanager", "CreateSecret", Name="shop", SecretString="bad name 42!", ClientRequestToken=TOKEN
        )
        group = {"LogGroupName": "{{resolve:secretsmanager:shop}}"}
        stack = await world.deploy(a_template(Group={"Type": "AWS::Logs::LogGroup", "Properties": group}))
        assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
        events = " ".join(await world.events())
        assert "bad name 42!" not in events
        assert "bad name 42!" not in stack.get("StackStatusReason", "")

    with_world(tmp_path, scenario)
    assert b"bad name 42!" not in everything_kept(tmp_path)
