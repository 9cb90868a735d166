"""CloudFormation through boto3 and the aws command against a running platform."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.support.nodes import RUNTIME, needs_node
from tests.support.platform import ask

TABLE = """
Parameters: {Name: {Type: String}}
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Ref Name
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
Outputs: {Arn: {Value: !GetAtt Table.Arn}}
"""


def settled(cloudformation, name):
    """Wait until a stack is there; say why when it is not."""
    try:
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    except WaiterError:
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        pytest.fail("\n".join(f"{e['LogicalResourceId']} {e.get('ResourceStatusReason', '')}" for e in events))


def test_a_stack_lives_its_life(platform):
    cloudformation = platform.client("cloudformation")
    parameters = [{"ParameterKey": "Name", "ParameterValue": "cfn-life"}]
    stack_id = cloudformation.create_stack(StackName="life", TemplateBody=TABLE, Parameters=parameters)["StackId"]
    cloudformation.get_waiter("stack_create_complete").wait(StackName="life", WaiterConfig={"Delay": 1})
    stack = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
    assert stack["Outputs"][0]["OutputValue"].endswith(":table/cfn-life")
    assert stack["CreationTime"].tzinfo is not None
    platform.client("dynamodb").put_item(TableName="cfn-life", Item={"id": {"S": "1"}})
    with pytest.raises(ClientError) as caught:
        cloudformation.update_stack(StackName="life", UsePreviousTemplate=True, Parameters=parameters)
    assert caught.value.response["Error"] == {
        "Type": "Sender",
        "Code": "ValidationError",
        "Message": "No updates are to be performed.",
    }
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName="life")
    statuses = [event["ResourceStatus"] for page in pages for event in page["StackEvents"]]
    assert statuses[0] == "CREATE_COMPLETE"
    cloudformation.delete_stack(StackName="life")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack_id, WaiterConfig={"Delay": 1})
    with pytest.raises(ClientError, match="Stack with id life does not exist"):
        cloudformation.describe_stacks(StackName="life")


def test_a_change_set_is_made_as_tools_make_it(platform):
    cloudformation = platform.client("cloudformation")
    made = cloudformation.create_change_set(
        StackName="review",
        ChangeSetName="samcli-deploy1",
        ChangeSetType="CREATE",
        TemplateBody=TABLE,
        Parameters=[{"ParameterKey": "Name", "ParameterValue": "cfn-review"}],
    )
    cloudformation.get_waiter("change_set_create_complete").wait(ChangeSetName=made["Id"])
    described = cloudformation.describe_change_set(ChangeSetName=made["Id"])
    assert described["Changes"][0]["ResourceChange"]["Action"] == "Add"
    cloudformation.execute_change_set(ChangeSetName=made["Id"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName="review", WaiterConfig={"Delay": 1})
    listed = cloudformation.list_stack_resources(StackName="review")["StackResourceSummaries"]
    assert [resource["PhysicalResourceId"] for resource in listed] == ["cfn-review"]


def test_a_refusal_names_line_and_path(platform):
    cloudformation = platform.client("cloudformation")
    template = TABLE.replace("BillingMode", "BilingMode") + "Description: x\n"
    with pytest.raises(ClientError) as caught:
        cloudformation.create_stack(
            StackName="wrong", TemplateBody=template, Parameters=[{"ParameterKey": "Name", "ParameterValue": "wrong"}]
        )
    message = caught.value.response["Error"]["Message"]
    assert "template:8: Resources/Table/Properties/BilingMode" in message
    assert "did you mean BillingMode?" in message


SAM = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      InlineCode: |
        def handler(event, context):
            return {"statusCode": 200, "body": "hello " + event["pathParameters"]["name"]}
      Events:
        Get: {Type: Api, Properties: {Path: "/hello/{name}", Method: get}}
Outputs: {Api: {Value: !Ref ServerlessRestApi}}
"""


def test_the_aws_command_deploys_a_sam_template_that_answers(platform, tmp_path):
    template = tmp_path / "template.yaml"
    template.write_text(SAM)
    command = [str(Path(sys.executable).parent / "aws"), "cloudformation"]
    options = {"env": platform.environment(), "capture_output": True, "text": True, "check": False, "timeout": 60}
    deploy = [*command, "deploy", "--template-file", str(template), "--stack-name", "hello"]
    refused = subprocess.run(deploy, **options)
    assert "Requires capabilities : [CAPABILITY_IAM]" in refused.stderr
    done = subprocess.run([*deploy, "--capabilities", "CAPABILITY_IAM"], **options)
    assert "Successfully created/updated stack - hello" in done.stdout, done.stderr
    described = subprocess.run([*command, "describe-stacks", "--stack-name", "hello"], **options)
    api_id = json.loads(described.stdout)["Stacks"][0]["Outputs"][0]["OutputValue"]
    answer = ask("GET", platform.stage_url(api_id, "Prod") + "/hello/ada")
    assert (answer.status, answer.body) == (200, b"hello ada")


CUSTOM = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]
  Maker:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code:
        ZipFile: |
          import cfnresponse
          def handler(event, context):
              size = int(event["ResourceProperties"]["Size"])
              cfnresponse.send(event, context, cfnresponse.SUCCESS, {"Double": str(size * 2)}, "thing")
  Thing: {Type: Custom::Thing, Properties: {ServiceToken: !GetAtt Maker.Arn, Size: 21}}
Outputs: {Double: {Value: !GetAtt Thing.Double}}
"""


def test_a_custom_resource_answers_from_its_worker(platform):
    cloudformation = platform.client("cloudformation")
    cloudformation.create_stack(StackName="custom", TemplateBody=CUSTOM, Capabilities=["CAPABILITY_IAM"])
    settled(cloudformation, "custom")
    assert cloudformation.describe_stacks(StackName="custom")["Stacks"][0]["Outputs"][0]["OutputValue"] == "42"


NODE = """
          const response = require('cfn-response');
          exports.handler = (event, context) => {
            const size = Number(event.ResourceProperties.Size);
            response.send(event, context, response.SUCCESS, { Double: String(size * 2) }, 'thing');
          };
"""
ASYNC_NODE = """
          const response = require('cfn-response');
          exports.handler = async (event, context) => {
            const status = event.RequestType === 'Delete' ? response.SUCCESS : response.FAILED;
            await response.send(event, context, status, {}, 'thing');
          };
"""


def in_node(code: str) -> str:
    """Give the template of a custom resource with another function, in Node.js."""
    start, end = CUSTOM.index("          import cfnresponse"), CUSTOM.index("  Thing:")
    return (CUSTOM[:start] + code.lstrip("\n") + CUSTOM[end:]).replace("python3.11", RUNTIME)


@needs_node
def test_a_custom_resource_answers_from_inline_node(platform):
    cloudformation = platform.client("cloudformation")
    cloudformation.create_stack(StackName="node", TemplateBody=in_node(NODE), Capabilities=["CAPABILITY_IAM"])
    settled(cloudformation, "node")
    assert cloudformation.describe_stacks(StackName="node")["Stacks"][0]["Outputs"][0]["OutputValue"] == "42"


@needs_node
def test_a_custom_resource_fails_as_inline_node_says(platform):
    cloudformation = platform.client("cloudformation")
    cloudformation.create_stack(StackName="no", TemplateBody=in_node(ASYNC_NODE), Capabilities=["CAPABILITY_IAM"])
    with pytest.raises(pytest.fail.Exception, match=r"Thing Received response status .FAILED. from custom resource"):
        settled(cloudformation, "no")
