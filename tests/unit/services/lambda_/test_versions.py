"""Published versions: fixed, numbered, made only when something is new."""

from __future__ import annotations

import pytest

from gatepost.kernel.errors import ServiceError
from tests.support.functions import LambdaControl, a_zip, with_lambda

ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"


async def code_of(step) -> str:
    with pytest.raises(ServiceError) as error:
        await step
    return f"{error.value.code}: {error.value.message}"


def test_a_version_stays_what_it_was(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function(Timeout=4, Description="first")
        one = await aws("PublishVersion", FunctionName="orders")
        await aws("UpdateFunctionConfiguration", FunctionName="orders", Timeout=5)
        two = await aws("PublishVersion", FunctionName="orders", Description="second")
        found = [await aws("GetFunctionConfiguration", FunctionName=f"{ARN}:{number}") for number in "12"]
        return one, two, found, await aws("ListVersionsByFunction", FunctionName="orders"), aws.told.held

    one, two, found, listed, held = with_lambda(tmp_path, scenario)
    assert [one, two] == found
    assert [(each["Version"], each["FunctionArn"], each["Timeout"]) for each in found] == [
        ("1", f"{ARN}:1", 4),
        ("2", f"{ARN}:2", 5),
    ]
    assert [each["Description"] for each in found] == ["first", "second"]
    assert [each["FunctionArn"] for each in listed["Versions"]] == [f"{ARN}:$LATEST", f"{ARN}:1", f"{ARN}:2"]
    assert held[f"{ARN}:1"]["timeout_s"] == 4  # the gateway holds versions beside the function


def test_nothing_new_makes_no_version(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function(Publish=True)
        await aws("AddPermission", FunctionName="orders", StatementId="s", Action="lambda:*", Principal="*")
        await aws("TagResource", Resource=ARN, Tags={"a": "b"})
        same = await aws("PublishVersion", FunctionName="orders")
        code = a_zip({"app.py": "def handler(event, context): return 2"})
        new = await aws("UpdateFunctionCode", FunctionName="orders", ZipFile=code, Publish=True)
        await aws("DeleteFunction", FunctionName="orders", Qualifier="2")
        again = await aws("PublishVersion", FunctionName="orders")
        return same, new, again

    same, new, again = with_lambda(tmp_path, scenario)
    assert [one["Version"] for one in (same, new, again)] == ["1", "2", "3"]  # a number is never used again


def test_a_version_is_published_only_of_what_the_caller_has_seen(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        made = await aws.a_function()
        wrong = [
            await code_of(aws("PublishVersion", FunctionName="orders", CodeSha256="A" * 43 + "=")),
            await code_of(aws("PublishVersion", FunctionName="orders", RevisionId="other")),
            await code_of(aws("PublishVersion", FunctionName="lost")),
        ]
        right = await aws(
            "PublishVersion", FunctionName="orders", CodeSha256=made["CodeSha256"], RevisionId=made["RevisionId"]
        )
        return wrong, right

    wrong, right = with_lambda(tmp_path, scenario)
    assert wrong[0].startswith("InvalidParameterValueException: CodeSHA256 (AAA")
    assert [one.partition(":")[0] for one in wrong[1:]] == ["PreconditionFailedException", "ResourceNotFoundException"]
    assert right["Version"] == "1"


def test_a_version_goes_alone_unless_an_alias_names_it(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function(Publish=True)
        await aws("CreateAlias", FunctionName="orders", Name="live", FunctionVersion="1")
        refused = [
            await code_of(aws("DeleteFunction", FunctionName="orders", Qualifier=name))
            for name in ("1", "$LATEST", "live", "7")
        ]
        await aws("DeleteAlias", FunctionName="orders", Name="live")
        await aws("DeleteFunction", FunctionName="orders", Qualifier="1")
        gone = await code_of(aws("GetFunction", FunctionName="orders", Qualifier="1"))
        return refused, gone, await aws("GetFunction", FunctionName="orders")

    refused, gone, _ = with_lambda(tmp_path, scenario)
    assert refused[0].endswith("because the following aliases reference it: [live]")
    assert refused[1].endswith("$LATEST version cannot be deleted without deleting the function.")
    assert [one.partition(":")[0] for one in (*refused[2:], gone)] == [
        "InvalidParameterValueException",
        "ResourceNotFoundException",
        "ResourceNotFoundException",
    ]


def test_everything_goes_with_its_function_and_comes_back_after_a_restart(tmp_path) -> None:
    async def make(aws: LambdaControl):
        for name in ("orders", "orders-2"):
            await aws.a_function(name, Publish=True)
            await aws("CreateAlias", FunctionName=name, Name="live", FunctionVersion="1")

    async def delete(aws: LambdaControl):
        alias = await aws("GetAlias", FunctionName="orders", Name="live")
        await aws("DeleteFunction", FunctionName="orders")
        await aws.a_function("orders")
        listed = await aws("ListFunctions", FunctionVersion="ALL")
        return alias, await aws("ListAliases", FunctionName="orders"), listed, await aws.provider.published()

    with_lambda(tmp_path, make)
    alias, aliases, listed, published = with_lambda(tmp_path, delete)
    assert alias["FunctionVersion"] == "1"
    assert aliases == {"Aliases": []}
    other = f"{ARN}-2"
    assert [one["FunctionArn"] for one in listed["Functions"]] == [f"{ARN}:$LATEST", f"{other}:$LATEST", f"{other}:1"]
    assert sorted(change.key for change in published) == sorted([ARN, other, f"{other}:1", f"{other}:live"])


def test_lists_come_in_pages(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        for number in range(1, 12):
            await aws("UpdateFunctionConfiguration", FunctionName="orders", Timeout=number)
            await aws("PublishVersion", FunctionName="orders")
        found, marker = [], {}
        while True:
            page = await aws("ListVersionsByFunction", FunctionName="orders", MaxItems=5, **marker)
            found.append([one["Version"] for one in page["Versions"]])
            if "NextMarker" not in page:
                return found
            marker = {"Marker": page["NextMarker"]}

    pages = with_lambda(tmp_path, scenario)
    assert pages == [["$LATEST", "1", "2", "3", "4"], ["5", "6", "7", "8", "9"], ["10", "11"]]
