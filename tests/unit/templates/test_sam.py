"""SAM through AWS's own translator, in a process of its own."""

import json
import subprocess
import sys

import pytest

from gatepost.templates import sam as sam_module
from gatepost.templates.registry import template_compiler
from tests.support.templates import compiled, refusals

HEAD = "Transform: AWS::Serverless-2016-10-31\n"
TEMPLATE = (
    HEAD
    + """
Parameters:
  Stage: {Type: String, Default: prod}
Globals:
  Function: {Runtime: python3.11, Timeout: 5}
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties: {StageName: !Ref Stage, Cors: "'*'"}
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      InlineCode: "x = 1"
      Policies: [AWSLambdaExecute, {DynamoDBReadPolicy: {TableName: !Ref Table}}]
      Events:
        Get: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /orders, Method: get}}
  Table:
    Type: AWS::Serverless::SimpleTable
"""
)


def test_sam_types_become_cloudformations_own():
    result = compiled(TEMPLATE)
    types = {name: resource.declaration.type for name, resource in result.resources.items()}
    deployment = next(name for name in types if name.startswith("ApiDeployment"))
    assert types == {
        "Api": "AWS::ApiGateway::RestApi",
        deployment: "AWS::ApiGateway::Deployment",
        "ApiStage": "AWS::ApiGateway::Stage",
        "Fn": "AWS::Lambda::Function",
        "FnRole": "AWS::IAM::Role",
        "FnGetPermissionStage": "AWS::Lambda::Permission",
        "Table": "AWS::DynamoDB::Table",
    }
    assert len(deployment) == len("ApiDeployment") + 10  # SAM hashes the definition


def test_the_deployment_gets_a_new_logical_id_when_the_api_changes_and_only_then():
    def deployment(text):
        return next(name for name in compiled(text).resources if name.startswith("ApiDeployment"))

    assert deployment(TEMPLATE) == deployment(TEMPLATE.replace("Timeout: 5", "Timeout: 6"))
    assert deployment(TEMPLATE) != deployment(TEMPLATE.replace("/orders", "/carts"))


def test_parameters_reach_the_translator():
    result = compiled(TEMPLATE, given={"Stage": "test"})
    assert result.resources["ApiStage"].properties["StageName"] == "test"


def test_managed_policies_are_found_without_a_network():
    role = compiled(TEMPLATE).resources["FnRole"].properties
    assert "arn:aws:iam::aws:policy/AWSLambdaExecute" in role["ManagedPolicyArns"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "Handler: index.handler",
            "Handlr: index.handler",
            "template.yaml:14: Resources/Fn/Properties/Handlr: AWS::Serverless::Function has no property Handlr",
        ),
        ("Timeout: 5", "Timeot: 5", "template.yaml:6: Globals/Function/Timeot: 'Globals' section is invalid. 'Timeot'"),
        ("Path: /orders, ", "", "template.yaml:18: Resources/Fn/Properties/Events/Get"),
        ("Type: Api, ", "Type: Nope, ", "template.yaml:18: Resources/Fn/Properties/Events/Get"),
        ("DynamoDBReadPolicy", "NopePolicy", "template.yaml:16: Resources/Fn/Properties/Policies"),
        ("AWS::Serverless::SimpleTable", "AWS::Serverless::Nope", "AWS::Serverless::Nope"),
    ],
)
def test_what_the_translator_refuses_is_told_with_the_authors_line(old, new, reason):
    assert reason in "\n".join(refusals(TEMPLATE.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("InlineCode:", "VpcConfig: {SubnetIds: [subnet-1], SecurityGroupIds: [sg-1]}\n      InlineCode:", 15),
        ("InlineCode:", "CodeSigningConfigArn: arn:aws:x\n      InlineCode:", 15),
    ],
)
def test_what_the_ledger_refuses_of_generated_resources_names_the_authors_line(old, new, line):
    found = refusals(TEMPLATE.replace(old, new))
    assert found
    assert all(f"template.yaml:{line}: Resources/" in each for each in found)


def test_a_translation_is_kept_and_found_again(tmp_path, monkeypatch):
    compiler = template_compiler(tmp_path)
    first = compiled(TEMPLATE, compiler=compiler)

    async def never(*_):
        raise AssertionError("the translator ran twice")

    monkeypatch.setattr(sam_module.SamTranslator, "_run", never)
    assert list(compiled(TEMPLATE, compiler=compiler).resources) == list(first.resources)
    with pytest.raises(AssertionError):
        compiled(TEMPLATE, compiler=compiler, given={"Stage": "other"})


def test_a_broken_cache_is_no_cache(tmp_path):
    compiler = template_compiler(tmp_path)
    compiled(TEMPLATE, compiler=compiler)
    for file in (tmp_path / "sam").iterdir():
        file.write_text("{")
    assert "Fn" in compiled(TEMPLATE, compiler=compiler).resources


def test_the_translator_stays_out_of_this_process():
    code = (
        "import gatepost.templates.registry, sys; "
        "print([m for m in sys.modules if m.split('.')[0] in ('samtranslator', 'boto3', 'botocore')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_process_speaks_json_on_both_ends():
    job = {
        "template": {"Resources": {"T": {"Type": "AWS::Serverless::SimpleTable"}}},
        "parameters": {},
        "region": "eu-west-1",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "gatepost.templates.sam_process"],
        input=json.dumps(job).encode(),
        capture_output=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "AWS_DEFAULT_REGION": "eu-west-1"},
    )
    answer = json.loads(done.stdout)
    assert answer["template"]["Resources"]["T"]["Type"] == "AWS::DynamoDB::Table"
    assert answer["origins"] == {"T": "T"}


def test_a_translator_that_was_ended_is_said_to_have_been(tmp_path, monkeypatch):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))
    [told] = refusals(TEMPLATE, compiler=template_compiler(tmp_path))
    assert "needed more time than it is given, or there was no memory left: try again" in told
