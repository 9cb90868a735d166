"""Aliases: names for versions, with a share for a second one."""

from __future__ import annotations

import json

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.services.lambda_.model import Alias
from tests.support.functions import FORBIDDEN_ROLE, LambdaControl, with_lambda

ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"


async def with_versions(aws: LambdaControl, count: int = 2) -> None:
    await aws.a_function(Publish=True)
    for number in range(2, count + 1):
        await aws("UpdateFunctionConfiguration", FunctionName="orders", Timeout=number)
        await aws("PublishVersion", FunctionName="orders")


def test_an_alias_moves_from_version_to_version(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await with_versions(aws)
        made = await aws("CreateAlias", FunctionName="orders", Name="live", FunctionVersion="1", Description="d")
        seen = await aws("GetFunctionConfiguration", FunctionName="orders", Qualifier="live")
        moved = await aws("UpdateAlias", FunctionName="orders", Name="live", FunctionVersion="2")
        return made, seen, moved, await aws("GetFunctionConfiguration", FunctionName=f"{ARN}:live"), aws.told.held

    made, seen, moved, then, held = with_lambda(tmp_path, scenario)
    assert made | {"RevisionId": ""} == {
        "AliasArn": f"{ARN}:live",
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "d",
        "RevisionId": "",
    }
    assert (moved["FunctionVersion"], moved["Description"]) == ("2", "d")
    assert moved["RevisionId"] != made["RevisionId"]
    assert [(one["FunctionArn"], one["Version"], one["Timeout"]) for one in (seen, then)] == [
        (f"{ARN}:live", "1", 3),
        (f"{ARN}:live", "2", 2),
    ]
    assert held[f"{ARN}:live"]["function_version"] == "2"


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({"FunctionVersion": "9"}, "ResourceNotFoundException", f"{ARN}:9"),
        ({"weights": {"9": 0.1}}, "ResourceNotFoundException", f"{ARN}:9"),
        ({"weights": {"2": 1.5}}, "ValidationException", ""),
        ({"weights": {"1": 0.5}}, "InvalidParameterValueException", "already included in routing"),
        ({"weights": {"2": 0.5, "3": 0.2}}, "InvalidParameterValueException", "cannot be greater than 1"),
        ({"FunctionVersion": "$LATEST", "weights": {"1": 0.5}}, "InvalidParameterValueException", "$LATEST is not"),
        ({"weights": {"3": 0.5}}, "InvalidParameterValueException", "the same execution role"),
        ({"Name": "taken"}, "ResourceConflictException", "Alias already exists"),
        ({"Name": "123"}, "ValidationException", ""),
    ],
)
def test_what_an_alias_cannot_be_is_refused(tmp_path, params, code: str, words: str) -> None:
    async def scenario(aws: LambdaControl):
        await with_versions(aws)
        await aws("UpdateFunctionConfiguration", FunctionName="orders", Role=FORBIDDEN_ROLE.replace("nobody", "other"))
        await aws("PublishVersion", FunctionName="orders")
        await aws("CreateAlias", FunctionName="orders", Name="taken", FunctionVersion="1")
        values = {"Name": "live", "FunctionVersion": "1", **params}
        if (weights := values.pop("weights", None)) is not None:
            values["RoutingConfig"] = {"AdditionalVersionWeights": weights}
        await aws("CreateAlias", FunctionName="orders", **values)

    with pytest.raises(ServiceError) as error:
        with_lambda(tmp_path, scenario)
    assert words in error.value.message
    assert error.value.code == code


def test_weights_are_set_shown_and_taken_away(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await with_versions(aws)
        routing = {"AdditionalVersionWeights": {"2": 0.25}}
        made = await aws("CreateAlias", FunctionName="orders", Name="a", FunctionVersion="1", RoutingConfig=routing)
        kept = await aws("UpdateAlias", FunctionName="orders", Name="a", Description="x")
        with pytest.raises(ServiceError) as stale:
            await aws("UpdateAlias", FunctionName="orders", Name="a", RevisionId=made["RevisionId"])
        empty = {"AdditionalVersionWeights": {}}
        gone = await aws("UpdateAlias", FunctionName="orders", Name="a", RoutingConfig=empty)
        listed = [await aws("ListAliases", FunctionName="orders", FunctionVersion=number) for number in ("1", "2")]
        return made, kept, gone, listed, stale.value.code

    made, kept, gone, listed, code = with_lambda(tmp_path, scenario)
    assert made["RoutingConfig"] == kept["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.25}}
    assert "RoutingConfig" not in gone
    assert [len(one["Aliases"]) for one in listed] == [1, 0]
    assert code == "PreconditionFailedException"


@pytest.mark.parametrize(("chance", "version"), [(0.0, "2"), (0.2499, "2"), (0.25, "1"), (0.9999, "1")])
def test_chance_decides_by_weight(chance: float, version: str) -> None:
    alias = Alias("live", f"{ARN}:live", "1", "r", weights={"2": 0.25})
    assert alias.version_for(chance) == version


def test_versions_and_aliases_have_policies_of_their_own(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await with_versions(aws)
        await aws("CreateAlias", FunctionName="orders", Name="live", FunctionVersion="1")
        for qualifier in ("live", "2"):
            await aws(
                "AddPermission", FunctionName="orders", Qualifier=qualifier, StatementId=qualifier,
                Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
            )  # fmt: skip
        with pytest.raises(ServiceError, match="do not support adding policies for"):
            await aws(
                "AddPermission", FunctionName="orders", Qualifier="$LATEST", StatementId="x", Action="lambda:*",
                Principal="*",
            )  # fmt: skip
        found = [await aws("GetPolicy", FunctionName=f"{ARN}:{qualifier}") for qualifier in ("live", "2")]
        missing = 0
        for name in ("orders", f"{ARN}:1"):
            with pytest.raises(ServiceError):
                await aws("GetPolicy", FunctionName=name)
            missing += 1
        await aws("Invoke", FunctionName=f"{ARN}:live")
        asked = aws.authorization.asked[-1]
        await aws("RemovePermission", FunctionName=f"{ARN}:live", StatementId="live")
        return found, missing, aws.told.held, asked, aws.invoker.invocations[-1].function_arn

    found, missing, held, asked, invoked = with_lambda(tmp_path, scenario)
    assert [json.loads(one["Policy"])["Statement"][0]["Resource"] for one in found] == [f"{ARN}:live", f"{ARN}:2"]
    assert missing == 2
    assert (held[f"{ARN}:live"]["policy"], held[f"{ARN}:2"]["policy"]) == ("", found[1]["Policy"])
    assert (asked.resource, asked.resource_policy) == (f"{ARN}:live", found[0]["Policy"])
    assert invoked == f"{ARN}:live"  # the gateway decides which version runs


def test_an_alias_that_is_not_there(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        await aws("DeleteAlias", FunctionName="orders", Name="live")  # gone already
        await aws("GetAlias", FunctionName="orders", Name="live")

    with pytest.raises(ServiceError) as error:
        with_lambda(tmp_path, scenario)
    assert (error.value.code, error.value.message) == (
        "ResourceNotFoundException",
        f"Cannot find alias arn: {ARN}:live",
    )
