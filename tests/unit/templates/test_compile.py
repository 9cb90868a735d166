"""From text to a template that can be deployed: everything that can be refused is refused here."""

from itertools import pairwise

import pytest

from tests.support.templates import Texts, compiled, refusals

TABLE = """
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
"""


def of(**resources):
    return "Resources:\n" + "".join(f"  {name}:{text}" for name, text in resources.items())


def role(arn="'*'", **more):
    extra = "".join(f"\n    {key}: {value}" for key, value in more.items())
    return f"""
    Type: AWS::IAM::Role{extra}
    Properties:
      AssumeRolePolicyDocument: {{Statement: []}}
      Policies: [{{PolicyName: p, PolicyDocument: {{Statement: [{{Effect: Allow, Action: "*", Resource: {arn}}}]}}}}]
"""


def test_resources_come_after_what_they_depend_on():
    template = of(
        Role=role("!GetAtt Table.Arn"), Table=TABLE, Other=role("!Sub '${Role}'", DependsOn="Last"), Last=TABLE
    )
    result = compiled(template)
    assert result.order == ("Table", "Last", "Role", "Other")
    assert result.needs()["Other"] == {"Role", "Last"}


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (
            of(A=role("!GetAtt B.Arn"), B=role("!GetAtt A.Arn")),
            "template.yaml:2: Resources/A: Circular dependency between resources: [A, B]",
        ),
        (of(A=role(DependsOn="B"), B=role(DependsOn="A")), "Circular dependency between resources: [A, B]"),
        (of(A=role("!GetAtt A.Arn")), "Circular dependency between resources: [A]"),
        (of(A=role("!GetAtt Nope.Arn")), "Unresolved resource dependencies [Nope] in the Resources block"),
        (of(A=role("!Sub '${Nope}'")), "Unresolved resource dependencies [Nope]"),
        (
            of(A=role("!Ref Nope")),
            "template.yaml:6: Resources/A/Properties/Policies/0/PolicyDocument/Statement/0/Resource/Ref",
        ),
        (of(A=role(DependsOn="Nope")), "Unresolved resource dependencies [Nope]"),
        (of(A=role(Condition="Nope")), "there is no condition Nope"),
        (
            of(Table=TABLE, A=role("!GetAtt Table.Nope")),
            "AWS::DynamoDB::Table has no attribute Nope; it has Arn, StreamArn",
        ),
        (
            of(A=role()) + "Outputs: {O: {Value: !Ref Nope}}\n",
            "Unresolved resource dependencies [Nope] in the Outputs block",
        ),
        (of(A=role()) + "Outputs: {O: {Valeu: x}}\n", "'Valeu' is no attribute of an output: did you mean Value?"),
        (of(A=role()) + "Outptus: {}\n", "'Outptus' is no section of a template: did you mean Outputs?"),
        (of(A=role()) + "Globals: {}\n", "Globals needs `Transform: AWS::Serverless-2016-10-31`"),
        (of(A=role()) + "Transform: MyMacro\n", "the macro MyMacro cannot run here"),
        (of(A=role()) + "AWSTemplateFormatVersion: 2011-01-01\n", "2010-09-09 is the only one"),
        (of(A=role(DependOn="B")), "'DependOn' is no attribute of a resource: did you mean DependsOn?"),
        (of(**{"A-b": role()}), "'A-b' is no resource name"),
        ("Resources: {}\n", "At least one Resources member must be defined."),
        ("Resources: {A: {Properties: {}}}\n", "resource A has no Type"),
        ("Resources: {A: {Type: AWS::IAM::Role, Properties: []}}\n", "Properties takes a mapping"),
        ("- a\n", "a template is a mapping with Resources"),
        (of(A=role(DeletionPolicy="Snapshot")), "Snapshot needs a resource that has snapshots"),
        (
            of(A=role(DeletionPolicy="Keep")),
            "DeletionPolicy is 'Keep': use one of Delete, Retain, RetainExceptOnCreate",
        ),
        (of(A=role(DeletionPolicy="!Ref AWS::Region")), "needs `Transform: AWS::LanguageExtensions`"),
        (of(A=role(CreationPolicy="{ResourceSignal: {Count: 1}}")), "CreationPolicy waits for signals"),
        (of(A=role(UpdatePolicy="{}")), "UpdatePolicy needs CodeDeploy"),
        (of(A=role()) + "Conditions: {C: !Equals [1]}\n", "Fn::Equals takes a list of 2 arguments"),
        (
            of(A=role()) + "Mappings: {M: {a: {b: 1}}}\nConditions: {C: !Equals [!FindInMap [M, x, y], 1]}\n",
            "Unable to get mapping for M::x::y",
        ),
    ],
)
def test_a_template_that_cannot_work_is_refused(template, reason):
    assert reason in "\n".join(refusals(template))


def test_all_faults_are_told_at_once_in_the_order_of_their_lines():
    template = of(
        A=role("!GetAtt Table.Nope"),
        B="\n    Type: AWS::S3::Bucket\n",
        Table=TABLE.replace("BillingMode", "BilingMode"),
    )
    lines = refusals(template)
    assert [line.split(":")[1] for line in lines] == ["6", "8", "12"]
    assert "did you mean BillingMode?" in lines[2]


def test_a_condition_that_does_not_hold_takes_its_resource_away():
    template = (
        "Parameters: {Stage: {Type: String, Default: dev}}\nConditions: {Prod: !Equals [!Ref Stage, prod]}\n"
        + of(A=role(), B=role(Condition="Prod"))
    )
    assert list(compiled(template).resources) == ["A"]
    assert list(compiled(template, given={"Stage": "prod"}).resources) == ["A", "B"]
    referring = template + "Outputs: {O: {Value: !Ref B}}\n"
    assert "Ref B: there is no parameter or resource of that name" in "\n".join(refusals(referring))
    assert refusals(referring, given={"Stage": "prod"}) == []


def test_values_get_the_types_that_aws_wants():
    template = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {Statement: []}, MaxSessionDuration: "7200", RoleName: 123}
"""
    properties = compiled(template).resources["Role"].properties
    assert (properties["MaxSessionDuration"], properties["RoleName"]) == (7200, "123")


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        (
            "{MaxSessionDuration: soon, AssumeRolePolicyDocument: {}}",
            "MaxSessionDuration takes a whole number, not 'soon'",
        ),
        (
            "{ManagedPolicyArns: arn, AssumeRolePolicyDocument: {}}",
            "ManagedPolicyArns takes a list, not the text 'arn'",
        ),
        ("{Description: [a], AssumeRolePolicyDocument: {}}", "Description takes text, not a list"),
        ("{Description: x}", "AWS::IAM::Role needs AssumeRolePolicyDocument"),
        ("{Policies: [{PolicyName: p}], AssumeRolePolicyDocument: {}}", "Policies/0 needs PolicyDocument"),
        ("{Policies: [p], AssumeRolePolicyDocument: {}}", "Policies/0 takes a mapping"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(properties, reason):
    assert reason in "\n".join(refusals(f"Resources: {{Role: {{Type: AWS::IAM::Role, Properties: {properties}}}}}\n"))


@pytest.mark.parametrize(
    ("properties", "capability"),
    [("", "CAPABILITY_IAM"), ("RoleName: mine", "CAPABILITY_NAMED_IAM")],
)
def test_iam_resources_need_a_capability(properties, capability):
    template = f"""
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {{Statement: []}}
      {properties}
"""
    result = compiled(template)
    assert result.capabilities == (capability,)
    assert result.capabilities_reason == "The following resource(s) require capabilities: [AWS::IAM::Role]"


def test_rules_are_asserted():
    template = (
        "Parameters: {Stage: {Type: String, Default: dev}, Size: {Type: Number, Default: 9}}\n"
        "Rules:\n"
        "  Sizes:\n"
        "    RuleCondition: !Equals [!Ref Stage, prod]\n"
        "    Assertions:\n"
        "      - {Assert: {'Fn::Contains': [[1, 2], !Ref Size]}, AssertDescription: prod is small}\n" + of(A=role())
    )
    assert refusals(template) == []
    assert "rule Sizes: prod is small" in refusals(template, given={"Stage": "prod"})[0]
    assert refusals(template, given={"Stage": "prod", "Size": "2"}) == []


def test_an_include_brings_a_file_in():
    template = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Description: own
      Fn::Transform: {Name: AWS::Include, Parameters: {Location: trust.yaml}}
"""
    files = Texts(**{"trust.yaml": "AssumeRolePolicyDocument: {Statement: []}\nDescription: theirs\n"})
    properties = compiled(template, files=files).resources["Role"].properties
    assert properties == {"AssumeRolePolicyDocument": {"Statement": []}, "Description": "own"}
    assert "there is no file trust.yaml" in refusals(template)[0]


def test_an_include_at_the_top_adds_sections():
    template = "Transform: {Name: AWS::Include, Parameters: {Location: more.yaml}}\n" + of(A=role())
    files = Texts(**{"more.yaml": "Outputs: {O: {Value: x}}\nResources: {B: {Type: AWS::CDK::Metadata}}\n"})
    result = compiled(template, files=files)
    assert set(result.resources) == {"A", "B"}
    assert set(result.template.outputs) == {"O"}


def test_a_file_that_includes_itself_is_refused():
    text = "Fn::Transform: {Name: AWS::Include, Parameters: {Location: x}}\n"
    template = "Resources:\n  A:\n    Type: AWS::CDK::Metadata\n    Properties:\n      " + text
    assert "include each other more than 10 deep" in refusals(template, files=Texts(x=text))[0]


def test_files_that_include_each_other_several_times_are_refused_before_they_have_grown():
    include = "Fn::Transform: {{Name: AWS::Include, Parameters: {{Location: {}}}}}"
    names = [f"level{number}" for number in range(9)]
    texts = {
        name: "\n".join(f"k{key}: {{{include.format(below)}}}" for key in range(30)) for name, below in pairwise(names)
    }
    template = of(A=role()) + f"Metadata:\n  {include.format('level0')}\n"
    assert "at most 200 files" in refusals(template, files=Texts(**texts, level8="x: y\n"))[0]
    large = Texts(x=f"x: {'y' * 600_000}\n")
    template = of(A=role()) + f"Metadata:\n  A: {{{include.format('x')}}}\n  B: {{{include.format('x')}}}\n"
    assert "1048576 bytes" in refusals(template, files=large)[0]


def test_imports_are_found():
    template = of(A=role()) + "Outputs: {O: {Value: !ImportValue url}}\n"
    assert compiled(template, exports={"url": "https://x"}).imports == ("url",)
    assert "No export named url found" in refusals(template)[0]
