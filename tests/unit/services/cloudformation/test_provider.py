"""CloudFormation's operations: AWS's messages, states and guards."""
# ruff: noqa: E501 - templates are wide

import asyncio
import json

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Call
from gatepost.services.cloudformation.access import access_of
from gatepost.services.cloudformation.model import ValidationError
from gatepost.services.cloudformation.shapes import events_page
from tests.support.stacks import ROOT, a_stack_world

GROUP = "Resources:\n  Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: one}}\n"
ROLE = "Resources:\n  Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {AWS: '*'}, Action: sts:AssumeRole}]}}}\n"
PARAMETERS = """
Parameters:
  Name: {Type: String, Default: one, Description: a name, AllowedValues: [one, two]}
  Secret: {Type: String, NoEcho: true}
Resources:
  Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref Name, Tags: [{Key: secret, Value: !Ref Secret}]}}
"""


def run(tmp_path, scenario):
    async def whole():
        async with a_stack_world(tmp_path) as world:
            return await scenario(world)

    return asyncio.run(whole())


async def refused(world, operation, **params):
    with pytest.raises(ServiceError) as caught:
        await world.cfn(operation, **params)
    return f"{caught.value.code}: {caught.value.message}"


@pytest.mark.parametrize(
    ("operation", "params", "message"),
    [
        ("DescribeStacks", {"StackName": "nope"}, "ValidationError: Stack with id nope does not exist"),
        ("DescribeStackEvents", {"StackName": "nope"}, "ValidationError: Stack [nope] does not exist"),
        ("GetTemplate", {"StackName": "nope"}, "ValidationError: Stack [nope] does not exist"),
        (
            "UpdateStack",
            {"StackName": "nope", "TemplateBody": GROUP},
            "ValidationError: Stack [nope] does not exist",
        ),
        ("CreateStack", {"StackName": "1x", "TemplateBody": GROUP}, "ValidationError: 1 validation error detected"),
        ("CreateStack", {"StackName": "x"}, "ValidationError: Either Template URL or Template Body must be specified."),
        (
            "CreateStack",
            {"StackName": "x", "TemplateURL": "https://s3.amazonaws.com/b/k"},
            "ValidationError: TemplateURL",
        ),
        (
            "CreateStack",
            {"StackName": "x", "TemplateBody": ROLE},
            "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_IAM]",
        ),
        (
            "CreateStack",
            {"StackName": "x", "TemplateBody": "{"},
            "ValidationError: Template format error: JSON not well-formed. (line 1, column 2)",
        ),
        (
            "DescribeStackResource",
            {"StackName": "nope", "LogicalResourceId": "G"},
            "ValidationError: Stack 'nope' does not exist",
        ),
        (
            "CreateStack",
            {"StackName": "x", "TemplateBody": GROUP, "Parameters": [{"ParameterKey": "A", "ParameterValue": "b"}]},
            "Parameters: [A] do not exist in the template",
        ),
        (
            "CreateStack",
            {"StackName": "x", "TemplateBody": GROUP, "StackPolicyURL": "https://x"},
            "Gatepost does not support StackPolicyURL",
        ),
        (
            "CreateStack",
            {"StackName": "x", "TemplateBody": GROUP, "NotificationARNs": ["arn"]},
            "Gatepost does not support NotificationARNs",
        ),
        (
            "CreateStack",
            {"StackName": "x", "TemplateBody": GROUP, "DisableRollback": True, "OnFailure": "DELETE"},
            "either DisableRollback or OnFailure",
        ),
        (
            "CreateStack",
            {"StackName": "x", "TemplateBody": GROUP, "Tags": [{"Key": "aws:x", "Value": "y"}]},
            "aws: prefixed tag key",
        ),
        (
            "CreateChangeSet",
            {"StackName": "nope", "ChangeSetName": "c", "TemplateBody": GROUP},
            "ValidationError: Stack [nope] does not exist",
        ),
        (
            "CreateChangeSet",
            {"StackName": "x", "ChangeSetName": "c", "ChangeSetType": "IMPORT", "TemplateBody": GROUP},
            "does not support the change set type IMPORT",
        ),
        ("DescribeChangeSet", {"ChangeSetName": "c"}, "StackName must be specified"),
        ("CancelUpdateStack", {"StackName": "nope"}, "Stack with id nope does not exist"),
        ("ListImports", {"ExportName": "nope"}, "Export 'nope' is not imported by any stack."),
        ("SetStackPolicy", {"StackName": "x"}, "Stack with id x does not exist"),
        ("DetectStackDrift", {"StackName": "x"}, "NotImplemented"),
        ("CreateStackSet", {"StackSetName": "x"}, "NotImplemented"),
        ("ListStacks", {"NextToken": "x"}, "Invalid NextToken"),
        ("GetTemplateSummary", {"TemplateBody": GROUP, "CallAs": "DELEGATED_ADMIN"}, "does not support CallAs"),
        (
            "GetTemplateSummary",
            {"TemplateBody": GROUP, "TemplateSummaryConfig": {"TreatUnrecognizedResourceTypesAsWarnings": True}},
            "does not support TreatUnrecognizedResourceTypesAsWarnings",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_aws_words(tmp_path, operation, params, message):
    async def scenario(world):
        assert message in await refused(world, operation, **params)

    run(tmp_path, scenario)


@pytest.mark.parametrize("params", [{"ForceRollback": True}, {"ResourcesToSkip": ["Group"]}])
def test_a_rollback_skips_nothing(tmp_path, params):
    async def scenario(world):
        await world.cfn("CreateStack", StackName="x", TemplateBody=GROUP)
        said = await refused(world, "ContinueUpdateRollback", StackName="x", **params)
        assert f"does not support {next(iter(params))}: repair the resource" in said

    run(tmp_path, scenario)


def test_a_name_is_taken_once_unless_the_request_is_the_same(tmp_path):
    async def scenario(world):
        await world.deploy(GROUP, ClientRequestToken="t1")
        with_token = await world.cfn("CreateStack", StackName="shop", TemplateBody=GROUP, ClientRequestToken="t1")
        assert with_token["StackId"] == (await world.cfn("DescribeStacks"))["Stacks"][0]["StackId"]
        message = await refused(world, "CreateStack", StackName="shop", TemplateBody=GROUP)
        assert message == "AlreadyExistsException: Stack [shop] already exists"

    run(tmp_path, scenario)


def test_parameters_are_shown_kept_and_hidden(tmp_path):
    async def scenario(world):
        given = [{"ParameterKey": "Secret", "ParameterValue": "s3cret"}]
        stack = await world.deploy(PARAMETERS, Parameters=given)
        assert stack["Parameters"] == [
            {"ParameterKey": "Name", "ParameterValue": "one"},
            {"ParameterKey": "Secret", "ParameterValue": "****"},
        ]
        kept = [{"ParameterKey": "Secret", "UsePreviousValue": True}, {"ParameterKey": "Name", "ParameterValue": "two"}]
        await world.cfn("UpdateStack", StackName="shop", UsePreviousTemplate=True, Parameters=kept)
        assert (await world.settled("shop"))["Parameters"][0]["ParameterValue"] == "two"
        bad = [
            {"ParameterKey": "Name", "ParameterValue": "three"},
            {"ParameterKey": "Secret", "UsePreviousValue": True},
        ]
        message = await refused(world, "UpdateStack", StackName="shop", UsePreviousTemplate=True, Parameters=bad)
        assert "Parameter 'Name' must be one of AllowedValues" in message
        assert "s3cret" not in json.dumps(await world.cfn("DescribeStackEvents", StackName="shop"))

    run(tmp_path, scenario)


def test_a_template_is_summarized_and_given_back(tmp_path):
    async def scenario(world):
        summary = await world.cfn("GetTemplateSummary", TemplateBody=PARAMETERS)
        assert summary["ResourceTypes"] == ["AWS::Logs::LogGroup"]
        assert summary["Parameters"][0] == {
            "ParameterKey": "Name",
            "ParameterType": "String",
            "NoEcho": False,
            "DefaultValue": "one",
            "Description": "a name",
            "ParameterConstraints": {"AllowedValues": ["one", "two"]},
        }
        validated = await world.cfn("ValidateTemplate", TemplateBody=ROLE)
        assert validated["Capabilities"] == ["CAPABILITY_IAM"]
        await world.deploy(GROUP)
        assert (await world.cfn("GetTemplate", StackName="shop"))["TemplateBody"] == GROUP
        processed = await world.cfn("GetTemplate", StackName="shop", TemplateStage="Processed")
        assert json.loads(processed["TemplateBody"])["Resources"]["Group"]["Type"] == "AWS::Logs::LogGroup"

    run(tmp_path, scenario)


def test_a_change_set_is_reviewed_and_executed(tmp_path):
    async def scenario(world):
        made = await world.cfn(
            "CreateChangeSet", StackName="shop", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=GROUP
        )
        assert (await world.cfn("DescribeStacks", StackName="shop"))["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS"
        described = await world.cfn("DescribeChangeSet", ChangeSetName=made["Id"])
        assert (described["Status"], described["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
        assert described["Changes"][0]["ResourceChange"]["Action"] == "Add"
        await world.cfn("ExecuteChangeSet", ChangeSetName="first", StackName="shop")
        stack = await world.settled("shop")
        assert (stack["StackStatus"], stack["ChangeSetId"]) == ("CREATE_COMPLETE", made["Id"])
        message = await refused(world, "ExecuteChangeSet", ChangeSetName=made["Id"])
        assert message.startswith("InvalidChangeSetStatus: ")
        same = await world.cfn("CreateChangeSet", StackName="shop", ChangeSetName="same", TemplateBody=GROUP)
        described = await world.cfn("DescribeChangeSet", ChangeSetName=same["Id"])
        assert (described["Status"], described["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
        assert described["StatusReason"].startswith("The submitted information didn't contain changes.")
        summaries = (await world.cfn("ListChangeSets", StackName="shop"))["Summaries"]
        assert [summary["ChangeSetName"] for summary in summaries] == ["first", "same"]
        await world.cfn("DeleteChangeSet", ChangeSetName=same["Id"])
        message = await refused(world, "DescribeChangeSet", ChangeSetName="same", StackName="shop")
        assert message == "ChangeSetNotFound: ChangeSet [same] does not exist"
        await world.cfn(
            "CreateChangeSet", StackName="shop", ChangeSetName="next", TemplateBody=GROUP.replace("one", "two")
        )
        await world.cfn("ExecuteChangeSet", ChangeSetName="next", StackName="shop")
        assert (await world.settled("shop"))["StackStatus"] == "UPDATE_COMPLETE"

    run(tmp_path, scenario)


def test_a_change_set_of_a_new_stack_leaves_nothing_behind_when_it_is_thrown_away(tmp_path):
    async def scenario(world):
        made = await world.cfn(
            "CreateChangeSet", StackName="shop", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=GROUP
        )
        await world.cfn("DeleteChangeSet", ChangeSetName=made["Id"])
        await world.cfn("DeleteStack", StackName="shop")
        assert (await world.cfn("DescribeStacks"))["Stacks"] == []
        refusal = {"StackName": "shop", "ChangeSetName": "d", "ChangeSetType": "CREATE", "TemplateBody": "{}"}
        await refused(world, "CreateChangeSet", **refusal)
        assert (await world.cfn("DescribeStacks"))["Stacks"] == []

    run(tmp_path, scenario)


def test_a_protected_stack_is_not_deleted(tmp_path):
    async def scenario(world):
        await world.deploy(GROUP, EnableTerminationProtection=True)
        message = await refused(world, "DeleteStack", StackName="shop")
        assert message == "ValidationError: Stack [shop] cannot be deleted while TerminationProtection is enabled"
        await world.cfn("UpdateTerminationProtection", StackName="shop", EnableTerminationProtection=False)
        await world.cfn("DeleteStack", StackName="shop")

    run(tmp_path, scenario)


def test_a_deleted_stack_is_found_by_its_id_only_and_its_name_is_free(tmp_path):
    async def scenario(world):
        first = (await world.deploy(GROUP))["StackId"]
        await world.cfn("DeleteStack", StackName="shop")
        assert (await world.settled(first))["StackStatus"] == "DELETE_COMPLETE"
        assert "does not exist" in await refused(world, "DescribeStacks", StackName="shop")
        second = (await world.deploy(GROUP))["StackId"]
        assert second != first
        statuses = [stack["StackStatus"] for stack in (await world.cfn("ListStacks"))["StackSummaries"]]
        assert sorted(statuses) == ["CREATE_COMPLETE", "DELETE_COMPLETE"]
        only = await world.cfn("ListStacks", StackStatusFilter=["DELETE_COMPLETE"])
        assert [stack["StackId"] for stack in only["StackSummaries"]] == [first]
        await world.cfn("DeleteStack", StackName="never-was")  # as on AWS, this is fine

    run(tmp_path, scenario)


def test_a_deletion_that_fails_can_leave_resources_behind(tmp_path):
    async def scenario(world):
        stack_id = (await world.deploy(GROUP))["StackId"]
        message = await refused(world, "DeleteStack", StackName="shop", RetainResources=["Group"])
        assert "RetainResources works only for stacks in DELETE_FAILED" in message

        def stuck(service, operation, params):
            if operation == "DeleteLogGroup":
                raise ServiceError("stuck")

        world.before_call = stuck
        await world.cfn("DeleteStack", StackName="shop")
        stack = await world.settled(stack_id)
        assert stack["StackStatus"] == "DELETE_FAILED"
        assert stack["StackStatusReason"].startswith("The following resource(s) failed to delete: [Group].")
        await world.cfn("DeleteStack", StackName="shop", RetainResources=["Group"])
        assert (await world.settled(stack_id))["StackStatus"] == "DELETE_COMPLETE"
        assert len((await world.do("logs", "DescribeLogGroups"))["logGroups"]) == 1

    run(tmp_path, scenario)


def test_resources_are_described_by_stack_and_by_physical_id(tmp_path):
    async def scenario(world):
        await world.deploy(GROUP)
        by_id = await world.cfn("DescribeStackResources", PhysicalResourceId="one")
        assert by_id["StackResources"][0]["LogicalResourceId"] == "Group"
        one = await world.cfn("DescribeStackResource", StackName="shop", LogicalResourceId="Group")
        assert one["StackResourceDetail"]["ResourceStatus"] == "CREATE_COMPLETE"
        listed = await world.cfn("ListStackResources", StackName="shop")
        assert [item["PhysicalResourceId"] for item in listed["StackResourceSummaries"]] == ["one"]
        assert "does not exist for stack shop" in await refused(
            world, "DescribeStackResource", StackName="shop", LogicalResourceId="Nope"
        )

    run(tmp_path, scenario)


def test_long_histories_come_in_pages(tmp_path):
    async def scenario(world):
        for days in (1, 3, 5, 7) * 8:
            await world.deploy(GROUP.replace("LogGroupName: one", f"LogGroupName: one, RetentionInDays: {days}"))
        first = await world.cfn("DescribeStackEvents", StackName="shop")
        second = await world.cfn("DescribeStackEvents", StackName="shop", NextToken=first["NextToken"])
        assert len(first["StackEvents"]) == 100
        ids = [event["EventId"] for event in (*first["StackEvents"], *second["StackEvents"])]
        assert len(set(ids)) == len(ids)

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("operation", "params", "resource"),
    [
        ("CreateStack", {"StackName": "a"}, "arn:aws:cloudformation:us-east-1:000000000000:stack/a/*"),
        ("DescribeStacks", {}, "*"),
        ("ValidateTemplate", {"TemplateBody": "x"}, "*"),
        (
            "DeleteStack",
            {"StackName": "arn:aws:cloudformation:us-east-1:000000000000:stack/a/b"},
            "arn:aws:cloudformation:us-east-1:000000000000:stack/a/b",
        ),
    ],
)
def test_a_policy_can_name_the_stack(operation, params, resource):
    call = Call("cloudformation", operation, "000000000000", "us-east-1", ROOT, "r", 0)
    (access,) = access_of(call, params)
    assert (access.action, access.resource) == (f"cloudformation:{operation}", resource)


def test_a_stack_role_must_be_passed():
    call = Call("cloudformation", "CreateStack", "000000000000", "us-east-1", ROOT, "r", 0)
    accesses = access_of(call, {"StackName": "a", "RoleARN": "arn:aws:iam::000000000000:role/r"})
    assert [access.action for access in accesses] == ["cloudformation:CreateStack", "iam:PassRole"]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a: b: c", "Template format error: YAML not well-formed. (line 1, column 5)"),
        ("{}", "Template format error: At least one Resources member must be defined."),
        ("[]", "Template format error: unsupported structure."),
        (
            '{"Foo": {}, "Resources": {"G": {"Type": "AWS::Logs::LogGroup"}}}',
            "Invalid template property or properties [Foo]",
        ),
        (
            '{"AWSTemplateFormatVersion": "2011-01-01", "Resources": {"G": {"Type": "AWS::Logs::LogGroup"}}}',
            "Template format error: 2011-01-01 is not a supported value for AWSTemplateFormatVersion.",
        ),
        (
            '{"Resources": {"G": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": {"Ref": "X"}}}}}',
            "Template format error: Unresolved resource dependencies [X] in the Resources block of the template",
        ),
    ],
)
def test_a_template_that_is_none_is_refused_in_aws_words(tmp_path, template: str, message: str):
    async def scenario(world):
        validated = await refused(world, "ValidateTemplate", TemplateBody=template)
        created = await refused(world, "CreateStack", StackName="x", TemplateBody=template)
        assert (validated, created) == (f"ValidationError: {message}", f"ValidationError: {message}")

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("parameters", "given", "message"),
    [
        ({"A": {"Type": "String"}, "B": {"Type": "String"}}, {}, "Parameters: [A, B] must have values"),
        ({}, {"X": "1"}, "Parameters: [X] do not exist in the template"),
        ({"A": {"Type": "String", "AllowedPattern": "[a-z]+"}}, {"A": "1"}, "Parameter 'A' must match pattern [a-z]+"),
        ({"A": {"Type": "Number"}}, {"A": "x"}, "Parameter 'A' must be a number."),
    ],
)
def test_a_parameter_that_may_not_be_is_refused_in_aws_words(tmp_path, parameters, given, message: str):
    async def scenario(world):
        template = json.dumps({"Parameters": parameters, "Resources": {"G": {"Type": "AWS::Logs::LogGroup"}}})
        listed = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
        found = await refused(world, "CreateStack", StackName="x", TemplateBody=template, Parameters=listed)
        assert found == f"ValidationError: {message}"

    run(tmp_path, scenario)


def test_a_type_that_nobody_has_is_refused_in_aws_words(tmp_path):
    async def scenario(world):
        template = json.dumps({"Resources": {"G": {"Type": "AWS::Nobody::Has"}}})
        found = await refused(world, "CreateStack", StackName="x", TemplateBody=template)
        assert found == "ValidationError: Template format error: Unrecognized resource types: [AWS::Nobody::Has]"

    run(tmp_path, scenario)


def test_events_that_come_between_two_pages_shift_nothing():
    events = [{"EventId": f"e{number}"} for number in range(250, 0, -1)]
    first, more = events_page(events, {})
    newer = [{"EventId": f"e{number}"} for number in range(260, 250, -1)] + events
    second, more = events_page(newer, more)
    third, end = events_page(newer, more)
    assert [*first, *second, *third] == events
    assert end == {}
    with pytest.raises(ValidationError, match="Invalid NextToken"):
        events_page(events, {"NextToken": "e999"})
