"""From an operation's parameters to what a stack is to be."""

import asyncio

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.services.cloudformation.change_sets import NO_CHANGES
from gatepost.services.cloudformation.engine import Prepared
from gatepost.services.cloudformation.model import Stack
from gatepost.services.cloudformation.requests import (
    check_capabilities,
    parameters_of,
    refuse_unsupported,
    tags_of,
    template_sha256,
)
from gatepost.services.cloudformation.stack_start import check_stack_name, check_updatable, stack_event

PREVIOUS = Stack(
    id="arn:aws:cloudformation:us-east-1:000000000000:stack/shop/0-1",
    name="shop",
    status="CREATE_COMPLETE",
    created_at_ms=0,
    request={"parameters": {"A": "old"}, "tags": {"team": "x"}, "template_sha256": "a" * 64},
)


class Folder:
    """Assets that were put."""

    def __init__(self):
        self.contents = []

    async def put(self, content):
        self.contents.append(content)
        return "b" * 64

    def path(self, sha256):
        return "here" if sha256 == "b" * 64 else None


def prepared(capabilities=(), transforms=()):
    return Prepared((), (), capabilities, "", transforms, "", is_unchanged=False)


@pytest.mark.parametrize(
    ("needed", "given", "transforms", "is_reviewed", "missing"),
    [
        ((), (), (), False, ""),
        (("CAPABILITY_IAM",), (), (), False, "[CAPABILITY_IAM]"),
        (("CAPABILITY_IAM",), ("CAPABILITY_NAMED_IAM",), (), False, ""),
        (("CAPABILITY_NAMED_IAM",), ("CAPABILITY_IAM",), (), False, "[CAPABILITY_NAMED_IAM]"),
        ((), (), ("AWS::Include",), False, "[CAPABILITY_AUTO_EXPAND]"),
        ((), (), ("AWS::Include",), True, ""),  # a change set is a review
    ],
)
def test_capabilities_must_be_acknowledged(needed, given, transforms, is_reviewed, missing):
    def check():
        check_capabilities(prepared(needed, transforms), given, is_reviewed=is_reviewed)

    if missing:
        with pytest.raises(ServiceError) as caught:
            check()
        assert caught.value.message == f"Requires capabilities : {missing}"
    else:
        check()


def test_previous_values_are_kept_where_they_are_asked_for():
    asked = {
        "Parameters": [{"ParameterKey": "A", "UsePreviousValue": True}, {"ParameterKey": "B", "ParameterValue": "n"}]
    }
    assert parameters_of(asked, PREVIOUS, frozenset()) == {"A": "old", "B": "n"}


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ([{"ParameterKey": "N", "UsePreviousValue": True}], "N has no previous value"),
        (
            [{"ParameterKey": "A", "UsePreviousValue": True, "ParameterValue": "x"}],
            "Cannot specify usePreviousValue as true",
        ),
        ([{"ParameterKey": "A", "ParameterValue": "x"}, {"ParameterKey": "A", "ParameterValue": "y"}], "given twice"),
    ],
)
def test_parameters_that_contradict_themselves_are_refused(parameters, reason):
    with pytest.raises(ServiceError) as caught:
        parameters_of({"Parameters": parameters}, PREVIOUS, frozenset())
    assert reason in caught.value.message


def test_tags_stay_unless_they_are_given():
    assert tags_of({}, PREVIOUS) == {"team": "x"}
    assert tags_of({"Tags": []}, PREVIOUS) == {}
    with pytest.raises(ServiceError, match="at most 50"):
        tags_of({"Tags": [{"Key": str(index), "Value": ""} for index in range(51)]}, None)


@pytest.mark.parametrize(
    "params", [{"DeploymentMode": "STANDARD"}, {"RollbackConfiguration": {}}, {"ResourceTypes": []}]
)
def test_what_says_nothing_is_taken(params):
    refuse_unsupported(params)


@pytest.mark.parametrize(
    "params",
    [
        {"RollbackConfiguration": {"RollbackTriggers": [{"Arn": "x", "Type": "y"}]}},
        {"ResourceTypes": ["AWS::*"]},
        {"DeletionMode": "FORCE_DELETE_STACK"},
        {"ImportExistingResources": True},
    ],
)
def test_what_would_be_ignored_is_refused(params):
    with pytest.raises(ServiceError, match="does not support"):
        refuse_unsupported(params)


def test_a_template_comes_as_text_as_upload_or_from_before():
    folder = Folder()

    def sha256(**params):
        return asyncio.run(template_sha256(params, folder, PREVIOUS))

    assert sha256(TemplateBody="x") == "b" * 64
    assert sha256(TemplateURL=f"https://gatepost-assets.s3.amazonaws.com/{'b' * 64}/t.yaml") == "b" * 64
    assert sha256(UsePreviousTemplate=True) == "a" * 64
    for params in ({}, {"TemplateBody": "x", "TemplateURL": "y"}, {"UsePreviousTemplate": True, "TemplateBody": "x"}):
        with pytest.raises(ServiceError):
            sha256(**params)
    with pytest.raises(ServiceError, match="is no uploaded template"):
        sha256(TemplateURL=f"s3://gatepost-assets/{'c' * 64}")
    with pytest.raises(ServiceError, match="may not exceed"):
        sha256(TemplateBody="x" * (1024 * 1024 + 1))


def test_only_a_settled_stack_is_updated():
    check_updatable(PREVIOUS)
    with pytest.raises(ServiceError, match="can not be updated"):
        check_updatable(Stack(PREVIOUS.id, "shop", "ROLLBACK_COMPLETE", 0))
    with pytest.raises(ServiceError, match="does not exist"):
        check_updatable(Stack(PREVIOUS.id, "shop", "REVIEW_IN_PROGRESS", 0))


@pytest.mark.parametrize("name", ["", "1a", "a_b", "a" * 129, "-a"])
def test_a_stack_name_is_letters_digits_and_dashes(name):
    with pytest.raises(ServiceError, match="validation error"):
        check_stack_name(name)


def test_a_stacks_event_names_the_stack():
    event = stack_event(PREVIOUS, 3, 5)
    assert (event["LogicalResourceId"], event["PhysicalResourceId"], event["Timestamp"]) == ("shop", PREVIOUS.id, 5)
    assert NO_CHANGES.startswith("The submitted information didn't contain changes.")
