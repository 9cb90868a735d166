"""Parameters of templates whose values stand in Parameter Store."""

from __future__ import annotations

import asyncio
import json

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.templates.parameters import STORED_TYPES, stored_names, typed_values
from tests.support.stacks import a_stack_world

VALUE = "AWS::SSM::Parameter::Value<String>"
LIST = "AWS::SSM::Parameter::Value<List<String>>"


def with_world(tmp_path, scenario):
    async def whole():
        async with a_stack_world(tmp_path) as world:
            await scenario(world)

    asyncio.run(whole())


def a_template(kind=VALUE, value=None):
    out = {"Type": "String", "Name": "/out", "Value": value or {"Ref": "Url"}}
    return json.dumps(
        {
            "Parameters": {"Url": {"Type": kind, "Default": "/shop/url"}},
            "Conditions": {"IsOne": {"Fn::Equals": [{"Ref": "Url"}, "one"]}},
            "Resources": {"Out": {"Type": "AWS::SSM::Parameter", "Properties": out}},
            "Outputs": {"IsOne": {"Condition": "IsOne", "Value": "yes"}} if kind == VALUE else {},
        }
    )


async def out(world):
    return (await world.do("ssm", "GetParameter", Name="/out"))["Parameter"]["Value"]


def test_the_value_that_is_named_is_used_shown_and_looked_up_again_with_each_update(tmp_path):
    async def scenario(world):
        await world.do("ssm", "PutParameter", Name="/shop/url", Value="one", Type="String")
        stack = await world.deploy(a_template())
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        assert await out(world) == "one"
        assert stack["Parameters"] == [{"ParameterKey": "Url", "ParameterValue": "/shop/url", "ResolvedValue": "one"}]
        assert stack["Outputs"][0]["OutputValue"] == "yes"  # conditions see the value
        await world.do("ssm", "PutParameter", Name="/shop/url", Value="two", Overwrite=True)
        await world.deploy(a_template())
        assert await out(world) == "two"
        await world.deploy(a_template(), Parameters=[{"ParameterKey": "Url", "ParameterValue": "/shop/url:1"}])
        assert await out(world) == "one"

    with_world(tmp_path, scenario)


def test_a_list_is_a_list(tmp_path):
    async def scenario(world):
        await world.do("ssm", "PutParameter", Name="/shop/url", Value="a,b", Type="StringList")
        await world.deploy(a_template(LIST, {"Fn::Join": ["+", {"Ref": "Url"}]}))
        assert await out(world) == "a+b"

    with_world(tmp_path, scenario)


@pytest.mark.parametrize("kind", ["", "SecureString"])
def test_what_is_not_there_or_sealed_is_refused_before_anything_is_made(tmp_path, kind):
    async def scenario(world):
        if kind:
            await world.do("ssm", "PutParameter", Name="/shop/url", Value="x", Type=kind)
        with pytest.raises(ServiceError, match="no plain parameter /shop/url"):
            await world.deploy(a_template())

    with_world(tmp_path, scenario)


def test_types_are_those_of_what_is_stored():
    declared = {"A": {"Type": VALUE}, "B": {"Type": LIST}, "C": {"Type": "String"}}
    texts = {"A": "/a", "B": "/b", "C": "c"}
    assert stored_names(declared, texts) == {"A": "/a", "B": "/b"}
    assert typed_values(declared, texts, {"A": "1", "B": "1, 2"}) == {"A": "1", "B": ["1", "2"], "C": "c"}
    assert set(STORED_TYPES.values()) == {"String", "List<String>", "CommaDelimitedList"}
