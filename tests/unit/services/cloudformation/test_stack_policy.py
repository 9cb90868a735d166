"""Stack policies: what they say of updates, and updates that they do not let happen."""

from __future__ import annotations

import json

import pytest

from gatepost.services.cloudformation.model import ValidationError
from gatepost.services.cloudformation.stack_policy import StackPolicy
from tests.unit.services.cloudformation.test_provider import refused, run

ALLOW = {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}


def a_policy(*statements) -> str:
    return json.dumps({"Statement": list(statements)})


def deny(**members):
    return {"Effect": "Deny", "Action": "Update:*", "Principal": "*", "Resource": "LogicalResourceId/Db*"} | members


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([ALLOW], True),
        ([], False),
        ([ALLOW, deny()], False),
        ([ALLOW, deny(Resource="LogicalResourceId/Other")], True),
        ([ALLOW, deny(Action=["Update:Replace", "Update:Delete"])], True),
        ([ALLOW, deny(Resource="*", Condition={"StringEquals": {"ResourceType": ["AWS::Logs::LogGroup"]}})], False),
        ([ALLOW, deny(Resource="*", Condition={"StringLike": {"ResourceType": "AWS::IAM::*"}})], True),
        ([{**ALLOW, "Action": "Update:Modify"}], True),
        ([{key: value for key, value in ALLOW.items() if key != "Action"} | {"NotAction": "Update:Delete"}], True),
        ([{key: value for key, value in ALLOW.items() if key != "Resource"} | {"NotResource": "*"}], False),
    ],
)
def test_an_update_is_allowed_or_not(statements, allowed: bool) -> None:
    objection = StackPolicy(a_policy(*statements)).objection("Update:Modify", "Db1", "AWS::Logs::LogGroup")
    assert (objection == "") is allowed
    assert allowed or objection.startswith("Action denied by stack policy: ")


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "{}", a_policy("x"), a_policy({**ALLOW, "Effect": "Maybe"}), a_policy({**ALLOW, "Principal": "ana"}),
        a_policy({**ALLOW, "Action": "Delete"}), a_policy({**ALLOW, "Resource": "Db"}), a_policy({**ALLOW, "More": 1}),
        a_policy({**ALLOW, "NotAction": "Update:*"}), a_policy({**ALLOW, "Condition": {"Bool": {"ResourceType": "x"}}}),
        a_policy(*[ALLOW] * 300),
    ],
)  # fmt: skip
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="Error validating stack policy: "):
        StackPolicy(text)


def groups(days: int, **more) -> str:
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "db", "RetentionInDays": days}}
    return json.dumps({"Resources": {"Db": group, **more}})


OTHER = {"Other": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "other"}}}


def test_an_update_that_the_policy_denies_is_rolled_back(tmp_path) -> None:
    async def scenario(world):
        policy = a_policy(ALLOW, deny(Action="Update:Modify"), deny(Action="Update:Delete", Resource="*"))
        await world.deploy(groups(7, **OTHER), StackPolicyBody=policy)
        assert await world.cfn("GetStackPolicy", StackName="shop") == {"StackPolicyBody": policy}
        stack = await world.deploy(groups(14, **OTHER))
        assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        words = "Action denied by stack policy: Statement [#2] does not allow [Update:Modify] for resource"
        assert any(words in line for line in await world.events())
        stack = await world.deploy(groups(7))
        assert (stack["StackStatus"], list(await world.resources())) == ("UPDATE_ROLLBACK_COMPLETE", ["Db", "Other"])
        stack = await world.deploy(groups(14), StackPolicyDuringUpdateBody=a_policy(ALLOW))
        assert (stack["StackStatus"], list(await world.resources())) == ("UPDATE_COMPLETE", ["Db"])
        assert await world.cfn("GetStackPolicy", StackName="shop") == {"StackPolicyBody": policy}
        await world.cfn("SetStackPolicy", StackName="shop", StackPolicyBody=a_policy(ALLOW))
        stack = await world.deploy(groups(30))
        assert stack["StackStatus"] == "UPDATE_COMPLETE"

    run(tmp_path, scenario)


def test_a_change_set_is_held_to_the_policy_of_when_it_is_executed(tmp_path) -> None:
    async def scenario(world):
        await world.deploy(groups(7))
        assert await world.cfn("GetStackPolicy", StackName="shop") == {}
        await world.cfn("CreateChangeSet", StackName="shop", ChangeSetName="c", TemplateBody=groups(14))
        hooks = await world.cfn("DescribeChangeSetHooks", StackName="shop", ChangeSetName="c")
        assert (hooks["Hooks"], hooks["Status"], hooks["StackName"]) == ([], "PLANNED", "shop")
        await world.cfn("SetStackPolicy", StackName="shop", StackPolicyBody=a_policy(ALLOW, deny()))
        await world.cfn("ExecuteChangeSet", StackName="shop", ChangeSetName="c")
        assert (await world.settled("shop"))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"StackPolicyBody": "{"}, "ValidationError: Error validating stack policy: it is no JSON"),
        ({"StackPolicyURL": "https://x"}, "ValidationError: Gatepost does not support StackPolicyURL"),
        ({}, "ValidationError: You must specify either StackPolicyBody or StackPolicyURL"),
    ],
)
def test_a_policy_that_cannot_be_is_not_set(tmp_path, params, message: str) -> None:
    async def scenario(world):
        await world.deploy(groups(7))
        assert (await refused(world, "SetStackPolicy", StackName="shop", **params)).startswith(message)

    run(tmp_path, scenario)
