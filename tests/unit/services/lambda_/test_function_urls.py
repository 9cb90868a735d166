"""Function URLs by operations."""

from __future__ import annotations

import pytest

from gatepost.kernel.errors import ServiceError
from tests.support.functions import LambdaControl, with_lambda

ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"


async def refusal(step) -> str:
    with pytest.raises(ServiceError) as error:
        await step
    return f"{error.value.code}: {error.value.message}"


def test_a_function_and_each_alias_have_an_address_of_their_own(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function(Publish=True)
        await aws("CreateAlias", FunctionName="orders", Name="live", FunctionVersion="1")
        one = await aws("CreateFunctionUrlConfig", FunctionName="orders", AuthType="NONE")
        two = await aws("CreateFunctionUrlConfig", FunctionName="orders", Qualifier="live", AuthType="AWS_IAM")
        listed = await aws("ListFunctionUrlConfigs", FunctionName="orders")
        held = {key: value["url_id"] for key, value in aws.told.held.items() if "url_id" in value}
        return one, two, listed, held

    one, two, listed, held = with_lambda(tmp_path, scenario)
    assert (one["FunctionArn"], two["FunctionArn"]) == (ARN, f"{ARN}:live")
    assert [each["FunctionUrl"] for each in listed["FunctionUrlConfigs"]] == [one["FunctionUrl"], two["FunctionUrl"]]
    assert one["FunctionUrl"] == f"http://{held[ARN]}.lambda-url.us-east-1.localhost:8080/"
    assert len(set(held.values())) == 2
    assert all(len(url_id) == 32 for url_id in held.values())
    assert (one["InvokeMode"], one["CreationTime"]) == ("BUFFERED", "2025-10-09T08:53:20.000Z")


def test_an_address_is_changed_and_taken_away(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        name = {"FunctionName": "orders"}
        cors = {"AllowOrigins": ["https://shop.example"], "MaxAge": 60}
        await aws("CreateFunctionUrlConfig", **name, AuthType="NONE", Cors=cors)
        again = await refusal(aws("CreateFunctionUrlConfig", **name, AuthType="NONE"))
        kept = await aws("UpdateFunctionUrlConfig", **name, AuthType="AWS_IAM")
        bare = await aws("UpdateFunctionUrlConfig", **name, Cors={})
        got = await aws("GetFunctionUrlConfig", **name)
        await aws("DeleteFunctionUrlConfig", **name)
        return cors, again, kept, bare, got, await refusal(aws("GetFunctionUrlConfig", **name))

    cors, again, kept, bare, got, gone = with_lambda(tmp_path, scenario)
    assert again.startswith("ResourceConflictException: Failed to create function url config")
    assert (kept["AuthType"], kept["Cors"]) == ("AWS_IAM", cors)
    assert "Cors" not in bare
    assert got == bare
    assert gone.startswith("ResourceNotFoundException")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"FunctionName": f"{ARN}:1"}, "failed to satisfy constraint"),
        ({"InvokeMode": "STREAM"}, "BUFFERED"),
        ({"Cors": {"AllowOrigins": ["*"], "AllowCredentials": True}}, "name the origins"),
    ],
)
def test_what_an_address_cannot_be_is_refused(tmp_path, params, words: str) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function(Publish=True)
        return await refusal(aws("CreateFunctionUrlConfig", **{"FunctionName": "orders", "AuthType": "NONE", **params}))

    assert words in with_lambda(tmp_path, scenario)
