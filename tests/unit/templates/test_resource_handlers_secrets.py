"""AWS::SecretsManager and AWS::SSM types: made, changed and deleted by stacks over real services."""

from __future__ import annotations

import asyncio
import json

from gatepost.templates.ledger_entries import secretsmanager as secret_entries
from gatepost.templates.ledger_entries import ssm as parameter_entries
from gatepost.templates.resources import secretsmanager, ssm
from tests.support.functions import a_zip
from tests.support.stacks import ACCOUNT, a_stack_world


def with_world(tmp_path, scenario):
    async def whole():
        async with a_stack_world(tmp_path) as world:
            await scenario(world)

    asyncio.run(whole())


def a_template(outputs=None, **resources):
    shown = {name: {"Value": value} for name, value in (outputs or {}).items()}
    return json.dumps({"Resources": resources, **({"Outputs": shown} if shown else {})})


def a_secret(**properties):
    return {"Type": "AWS::SecretsManager::Secret", "Properties": properties}


GENERATED = {
    "GenerateSecretString": {
        "SecretStringTemplate": '{"username": "ana"}',
        "GenerateStringKey": "password",
        "PasswordLength": 20,
        "ExcludePunctuation": True,
    }
}


async def value_of(world, secret):
    return (await world.do("secretsmanager", "GetSecretValue", SecretId=secret))["SecretString"]


def test_every_type_that_is_made_stands_in_the_ledger():
    listed = {entry.type for entry in (*secret_entries.entries(), *parameter_entries.entries())}
    assert listed == {*secretsmanager.handlers(), *ssm.handlers()}


def test_a_generated_secret_keeps_its_value_until_its_rules_change(tmp_path):
    async def scenario(world):
        template = a_template({"Arn": {"Ref": "Key"}}, Key=a_secret(Name="shop/key", **GENERATED))
        stack = await world.deploy(template)
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        arn = stack["Outputs"][0]["OutputValue"]
        assert arn.startswith(f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:shop/key-")
        first = json.loads(await value_of(world, "shop/key"))
        assert (first["username"], len(first["password"])) == ("ana", 20)
        assert first["password"] not in json.dumps(await world.events())
        changed = {**GENERATED, "Description": "new", "Tags": [{"Key": "a", "Value": "1"}]}
        await world.deploy(a_template(Key=a_secret(Name="shop/key", **changed)))
        assert json.loads(await value_of(world, arn)) == first
        described = await world.do("secretsmanager", "DescribeSecret", SecretId=arn)
        assert described["Description"] == "new"
        assert {"Key": "a", "Value": "1"} in described["Tags"]
        longer = {"GenerateSecretString": {**GENERATED["GenerateSecretString"], "PasswordLength": 30}}
        await world.deploy(a_template(Key=a_secret(Name="shop/key", **longer)))
        assert len(json.loads(await value_of(world, arn))["password"]) == 30

    with_world(tmp_path, scenario)


def test_secrets_go_with_their_stack_and_can_be_made_again(tmp_path):
    async def scenario(world):
        template = a_template(Key=a_secret(Name="shop/key", SecretString="sesame"))
        for _ in range(2):
            stack = await world.deploy(template)
            assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
            assert await value_of(world, "shop/key") == "sesame"
            await world.cfn("DeleteStack", StackName="shop")
            assert (await world.settled(stack["StackId"]))["StackStatus"] == "DELETE_COMPLETE"

    with_world(tmp_path, scenario)


async def a_rotator(world) -> str:
    """Make a function that lets Secrets Manager in; give its ARN."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = await world.do("iam", "CreateRole", RoleName="rotator", AssumeRolePolicyDocument=document)
    made = await world.do(
        "lambda",
        "CreateFunction",
        FunctionName="rotator",
        Runtime="python3.11",
        Handler="app.handler",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": a_zip({"app.py": "def handler(event, context): pass"})},
    )
    await world.do(
        "lambda",
        "AddPermission",
        FunctionName="rotator",
        StatementId="secrets",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
    )
    return made["FunctionArn"]


def test_policies_and_rotation_belong_to_their_secret(tmp_path):
    async def scenario(world):
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:DeleteSecret", "Resource": "*"}
            ],
        }
        function = await a_rotator(world)
        resources = {
            "Key": a_secret(Name="shop/key", SecretString="sesame"),
            "Guard": {
                "Type": "AWS::SecretsManager::ResourcePolicy",
                "Properties": {"SecretId": {"Ref": "Key"}, "ResourcePolicy": policy},
            },
            "Rotation": {
                "Type": "AWS::SecretsManager::RotationSchedule",
                "Properties": {
                    "SecretId": {"Ref": "Key"},
                    "RotationLambdaARN": function,
                    "RotationRules": {"AutomaticallyAfterDays": 30},
                    "RotateImmediatelyOnUpdate": False,
                },
            },
        }
        stack = await world.deploy(a_template(**resources))
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        described = await world.do("secretsmanager", "DescribeSecret", SecretId="shop/key")
        assert (described["RotationEnabled"], described["RotationLambdaARN"]) == (True, function)
        held = await world.do("secretsmanager", "GetResourcePolicy", SecretId="shop/key")
        assert json.loads(held["ResourcePolicy"]) == policy
        await world.cfn("DeleteStack", StackName="shop")
        assert (await world.settled(stack["StackId"]))["StackStatus"] == "DELETE_COMPLETE"

    with_world(tmp_path, scenario)


def test_parameters_are_made_changed_and_deleted(tmp_path):
    async def scenario(world):
        def parameter(value, **tags):
            properties = {"Name": "/shop/url", "Type": "String", "Value": value, "Tags": tags}
            return {"Type": "AWS::SSM::Parameter", "Properties": properties}

        outputs = {"Name": {"Ref": "Url"}, "Value": {"Fn::GetAtt": ["Url", "Value"]}}
        stack = await world.deploy(a_template(outputs, Url=parameter("one", team="shop")))
        shown = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        assert shown == {"Name": "/shop/url", "Value": "one"}
        await world.deploy(a_template(outputs, Url=parameter("two", cost="1")))
        given = (await world.do("ssm", "GetParameter", Name="/shop/url"))["Parameter"]
        assert (given["Value"], given["Version"]) == ("two", 2)
        tags = await world.do("ssm", "ListTagsForResource", ResourceType="Parameter", ResourceId="/shop/url")
        assert {"Key": "cost", "Value": "1"} in tags["TagList"]
        await world.cfn("DeleteStack", StackName="shop")
        await world.settled(stack["StackId"])
        assert (await world.do("ssm", "DescribeParameters"))["Parameters"] == []

    with_world(tmp_path, scenario)
