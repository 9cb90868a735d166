"""The engine's smaller parts, each by itself."""

import asyncio
from datetime import date

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.services.apigateway.support import UNSUPPORTED
from gatepost.services.cloudformation.engine import StackEngine
from gatepost.services.cloudformation.model import Incarnation
from gatepost.services.lambda_.configuration import REFUSED
from gatepost.templates.acceptance import Acceptance
from gatepost.templates.capabilities import capabilities_of
from gatepost.templates.checking import LocalFiles, acceptance_beside, check_template
from gatepost.templates.doomed import Doomed
from gatepost.templates.execution import Failed, failure_reason
from gatepost.templates.ledger_entries import apigateway as apigateway_entries
from gatepost.templates.ledger_entries import lambda_ as lambda_entries
from gatepost.templates.ledger_entries import logs as logs_entries
from gatepost.templates.problems import TemplateRefused
from gatepost.templates.progress import INITIATED, REPLACING
from gatepost.templates.references import Declared
from gatepost.templates.registry import template_compiler
from gatepost.templates.resources.apigateway import patch, pointer
from gatepost.templates.resources.base import ResourceFailure
from gatepost.templates.resources.changes import added_and_gone, json_text, present, tag_changes, unless_gone
from gatepost.templates.resources.logs import handlers as log_handlers
from gatepost.templates.rules import broken_rules
from gatepost.templates.source_json import parse_json
from gatepost.templates.specification import Specification
from gatepost.templates.stack_operation import secrets_of
from gatepost.templates.stack_tags import ACCEPT_TAG, FILE_TAG, nested_tags, own_tags, resource_tags
from gatepost.templates.stacks import Stacks
from gatepost.templates.transforms import INCLUDE, LANGUAGE_EXTENSIONS, SERVERLESS
from tests.support.templates import CACHE, a_template, compiled, refusals


class Gone(ServiceError):
    code = "ResourceNotFoundException"
    status = 404


@pytest.mark.parametrize(
    ("types", "is_named", "capabilities"),
    [
        ([], False, ()),
        (["AWS::IAM::Role"], False, ("CAPABILITY_IAM",)),
        (["AWS::IAM::Role"], True, ("CAPABILITY_NAMED_IAM",)),
    ],
)
def test_iam_types_need_to_be_acknowledged(types, is_named, capabilities):
    assert capabilities_of(types, is_named=is_named)[0] == capabilities


def test_a_deletion_of_what_is_gone_has_succeeded():
    async def gone():
        raise Gone("gone")

    async def stuck():
        raise ServiceError("stuck")

    async def fine():
        return {}

    assert asyncio.run(unless_gone(gone())) is False
    assert asyncio.run(unless_gone(fine())) is True
    with pytest.raises(ServiceError, match="stuck"):
        asyncio.run(unless_gone(stuck()))


def test_differences_of_tags_and_lists():
    old = {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}
    new = {"Tags": [{"Key": "b", "Value": "3"}, {"Key": "c", "Value": "4"}]}
    assert tag_changes(old, new) == ({"b": "3", "c": "4"}, ["a"])
    assert added_and_gone(["a", "b"], ["b", "c"]) == (["c"], ["a"])
    assert present(a=None, b=0, c="") == {"b": 0, "c": ""}
    assert (json_text({"a": 1}), json_text("{}")) == ('{"a":1}', "{}")


def test_patches_are_texts_with_escaped_paths():
    assert patch("replace", f"/x/{pointer('a/b~c')}", True) == {"op": "replace", "path": "/x/a~1b~0c", "value": "true"}
    assert patch("remove", "/x") == {"op": "remove", "path": "/x"}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (
            Gone("not there"),
            'Resource handler returned message: "not there" (HandlerErrorCode: ResourceNotFoundException)',
        ),
        (ResourceFailure("no room"), "no room"),
        (Failed("[A]"), "[A]"),
        (KeyError("secret detail"), "Internal Failure"),  # a bug's text is for our log
    ],
)
def test_a_failure_has_a_reason_that_may_be_shown(fault, reason):
    assert failure_reason(fault) == reason


def test_events_use_cloudformations_words():
    assert INITIATED == "Resource creation Initiated"
    assert REPLACING.startswith("Requested update requires the creation of a new physical resource")


def test_a_doomed_resource_knows_what_it_was_made_of():
    doomed = Doomed("Group", "AWS::Logs::LogGroup", Incarnation("g", 0, {"LogGroupName": "g"}))
    assert doomed.incarnation.properties == {"LogGroupName": "g"}


def test_secrets_are_the_values_of_noecho_parameters():
    template = (
        "Parameters:\n"
        "  A: {Type: String, NoEcho: true, Default: secret}\n"
        "  B: {Type: String, NoEcho: true, Default: x}\n"
        "  C: {Type: String, Default: public}\n"
        "Resources: {G: {Type: AWS::IAM::Group}}\n"
    )
    assert secrets_of(compiled(template)) == ("secret",)


def test_own_tags_stay_with_the_stack():
    tags = {"team": "x", **own_tags(file="t.yaml", accept_sha256="a" * 64, is_lenient=True)}
    assert resource_tags(tags) == {"team": "x"}
    assert nested_tags(tags, file="child.yaml")[FILE_TAG] == "child.yaml"
    assert nested_tags(tags, file="child.yaml")[ACCEPT_TAG] == "a" * 64
    assert len(own_tags(file="x" * 999)[FILE_TAG]) == 256


@pytest.mark.parametrize(
    ("assertion", "holds"),
    [
        ("{'Fn::EachMemberIn': [[a], [a, b]]}", True),
        ("{'Fn::EachMemberIn': [[a, c], [a, b]]}", False),
        ("{'Fn::EachMemberEquals': [[a, a], a]}", True),
        ("{'Fn::EachMemberEquals': [[a, b], a]}", False),
        ("{'Fn::Not': [{'Fn::Contains': [[1, 2], 3]}]}", True),
        ("{'Fn::And': [{'Fn::Equals': [1, 1]}, {'Fn::Equals': [1, 2]}]}", False),
        ("{'Fn::Or': [{'Fn::Equals': [1, 1]}, {'Fn::Equals': [1, 2]}]}", True),
    ],
)
def test_rule_functions_decide(assertion, holds):
    template = a_template(f"Resources: {{G: {{Type: T}}}}\nRules: {{R: {{Assertions: [{{Assert: {assertion}}}]}}}}\n")
    from gatepost.templates.intrinsics import Scope

    assert (broken_rules(template, Scope(parameters={}, pseudo={})) == []) is holds


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("{Assertions: [{Assert: {'Fn::RefAll': 'AWS::EC2::VPC::Id'}}]}", "looks resources up that are not here"),
        ("{Assertions: x}", "a rule needs a list of Assertions"),
        ("{Assertions: [x]}", "an assertion is a mapping with Assert"),
        ("{Asertions: []}", "'Asertions' is no attribute of a rule"),
    ],
)
def test_a_broken_rule_is_refused(rule, reason):
    assert reason in refusals(f"Resources: {{G: {{Type: AWS::IAM::Group}}}}\nRules: {{R: {rule}}}\n")[0]


def test_transforms_run_in_aws_order():
    template = f"Transform: [{SERVERLESS}, {LANGUAGE_EXTENSIONS}]\nResources: {{G: {{Type: AWS::IAM::Group}}}}\n"
    assert f"list {LANGUAGE_EXTENSIONS} before {SERVERLESS}" in refusals(template)[0]
    assert INCLUDE in refusals("Transform: Mine\nResources: {G: {Type: AWS::IAM::Group}}\n")[0]


def test_json_is_read_with_places():
    made = parse_json('{"a": [1, "x"]}', file="t", node=lambda *parts: parts, depth_max=5)
    value, line, column, end_line, end_column, keys = made
    assert (line, column, end_line, end_column, tuple(keys["a"])) == (1, 1, 1, 16, (1, 2))
    assert [item[0] for item in value["a"][0]] == [1, "x"]


def test_what_is_declared_waits_and_what_is_not_is_none():
    template = a_template("Resources: {T: {Type: AWS::DynamoDB::Table}}\n")
    declared = Declared(template.resources, Specification.load())
    assert declared.ref("T").waits_for == {("T", "")}
    assert declared.attribute("T", "Arn").form == {"Fn::GetAtt": ["T", "Arn"]}
    assert declared.ref("Nope") is None
    with pytest.raises(LookupError, match="has no attribute Nope"):
        declared.attribute("T", "Nope")


def test_the_ledger_says_what_the_operations_say():
    assert apigateway_entries.supported("integrationTarget").status == "refused"
    assert ("integrationTarget", "*") in UNSUPPORTED
    assert lambda_entries.supported("VpcConfig").sentence == REFUSED["VpcConfig"]
    assert lambda_entries.supported("Description").status == "enforced"
    assert {entry.type for entry in logs_entries.entries()} == set(log_handlers())


def test_the_engine_has_everything_that_the_operations_ask_for():
    wanted = {name for name in vars(StackEngine) if not name.startswith("_")}
    assert wanted <= set(dir(Stacks))


def test_a_template_is_judged_without_a_platform(tmp_path):
    (tmp_path / "gatepost.accept").write_text("Fn VpcConfig 2099-01-01 tested on AWS\n")
    included = tmp_path / "more.yaml"
    included.write_text("Description: theirs\nAssumeRolePolicyDocument: {Statement: []}\n")
    acceptance = acceptance_beside(tmp_path / "template.yaml", Acceptance(), today=date(2026, 11, 24))
    template = f"""
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Fn::Transform: {{Name: AWS::Include, Parameters: {{Location: "s3://gatepost-assets/{"a" * 64}"}}}}
  Fn:
    Type: AWS::Lambda::Function
    Properties:
      {{Runtime: python3.11, Handler: a.b, Role: !GetAtt Role.Arn, Code: {{ZipFile: x}}, VpcConfig: {{SubnetIds: [l]}}}}
"""

    def check(text):
        return asyncio.run(
            check_template(
                template_compiler(CACHE),
                text,
                file="template.yaml",
                parameters={},
                account_id="000000000000",
                region="us-east-1",
                stack_name="shop",
                files={"a" * 64: included},
                acceptance=acceptance,
            )
        )

    result = check(template)
    assert result.resources["Role"].properties["Description"] == "theirs"
    assert any("VpcConfig" in warning for warning in result.warnings())
    with pytest.raises(TemplateRefused, match="FileSystemConfigs"):
        check(template.replace("VpcConfig: {SubnetIds: [l]}", "FileSystemConfigs: [{Arn: x, LocalMountPath: /mnt/x}]"))
    assert LocalFiles({}).read("s3://gatepost-assets/x") is None
