"""Nested stacks judged before their parent begins."""
# ruff: noqa: E501 - templates are wide

import asyncio

import pytest

from gatepost.kernel.errors import ServiceError
from tests.support.stacks import a_stack_world

GROUP = "Resources:\n  G:\n    Type: AWS::Logs::LogGroup\n    Properties: {LogGroupName: !Ref Name}\n"
CHILD = (
    "Parameters: {Name: {Type: String, AllowedPattern: '[a-z]+'}}\n"
    + GROUP
    + "Outputs: {Arn: {Value: !GetAtt G.Arn}}\n"
)


def parent(sha256, parameters="{Name: one}", more=""):
    url = f"https://gatepost-assets.s3.amazonaws.com/{sha256}/child.yaml"
    return (
        "Resources:\n"
        "  Other: {Type: AWS::Logs::LogGroup}\n"
        f"  Child: {{Type: AWS::CloudFormation::Stack, Properties: {{TemplateURL: '{url}', Parameters: {parameters}}}}}\n{more}"
    )


def refusal(tmp_path, child, **options):
    async def scenario():
        async with a_stack_world(tmp_path) as world:
            sha256 = await world.assets.put(child.encode())
            template = parent(sha256, **options)
            try:
                await world.cfn("CreateStack", StackName="shop", TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
            except ServiceError as fault:
                assert (await world.cfn("DescribeStacks"))["Stacks"] == []
                return fault.message
            await world.settled("shop")
            return ""

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "LogGroupName:",
            "LogGroupNam:",
            "child.yaml:5: Resources/G/Properties/LogGroupNam: AWS::Logs::LogGroup has no property",
        ),
        (
            "!Ref Name",
            "!Ref Nope",
            "child.yaml:5: Resources/G/Properties/LogGroupName/Ref: Unresolved resource dependencies [Nope]",
        ),
        ("AWS::Logs::LogGroup", "AWS::S3::Bucket", "child.yaml:4: Resources/G/Type: AWS::S3::Bucket is not here yet"),
        ("[a-z]+", "[0-9]+", "child.yaml:1: Parameters/Name: Parameter 'Name' must match pattern [0-9]+"),
        ("Parameters: {Name", "Parameters: {Other: {Type: String}, Name", "Parameters: [Other] must have values"),
    ],
)
def test_what_a_nested_template_refuses_is_refused_before_anything_is_made(tmp_path, old, new, reason):
    assert reason in refusal(tmp_path, CHILD.replace(old, new))


def test_values_that_are_known_later_are_not_judged_now(tmp_path):
    assert refusal(tmp_path, CHILD.replace("[a-z]+", ".+"), parameters="{Name: !Ref Other}") == ""
    conditional = CHILD.replace("[a-z]+", ".+") + "Conditions: {C: !Equals [!Ref Name, x]}\n"
    assert refusal(tmp_path / "two", conditional, parameters="{Name: !GetAtt Other.Arn}") == ""


def test_an_output_that_the_nested_template_lacks_is_refused(tmp_path):
    more = "  Use: {Type: AWS::IAM::Group, Properties: {GroupName: !GetAtt Child.Outputs.Nope}}\n"
    assert "the nested stack has no Outputs.Nope; it has Outputs.Arn" in refusal(tmp_path, CHILD, more=more)


def test_a_template_that_was_not_uploaded_is_refused(tmp_path):
    async def scenario():
        async with a_stack_world(tmp_path) as world:
            for url in ("https://example.com/child.yaml", f"s3://gatepost-assets/{'0' * 64}"):
                template = (
                    f"Resources: {{C: {{Type: AWS::CloudFormation::Stack, Properties: {{TemplateURL: '{url}'}}}}}}\n"
                )
                with pytest.raises(ServiceError, match="is no uploaded template"):
                    await world.cfn("CreateStack", StackName="shop", TemplateBody=template)

    asyncio.run(scenario())
