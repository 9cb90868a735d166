"""Layers: published, listed, shared, and kept by the functions that use them."""

from __future__ import annotations

import json

import pytest

from gatepost.kernel.errors import ServiceError
from tests.support.functions import LambdaControl, a_zip, with_lambda

LAYER = "arn:aws:lambda:us-east-1:000000000000:layer:tools"


async def publish(aws: LambdaControl, name: str = "tools", content: str = "A = 1", **params):
    package = a_zip({"python/tools.py": content})
    return await aws("PublishLayerVersion", LayerName=name, Content={"ZipFile": package}, **params)


async def code_of(step) -> str:
    with pytest.raises(ServiceError) as error:
        await step
    return f"{error.value.code}: {error.value.message}"


def test_versions_are_numbered_described_and_listed(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        one = await publish(aws, Description="first", CompatibleRuntimes=["python3.12"], LicenseInfo="MIT")
        two = await publish(aws, content="A = 2", CompatibleArchitectures=["arm64"])
        await publish(aws, "other")
        got = [
            await aws("GetLayerVersion", LayerName=LAYER, VersionNumber=1),
            await aws("GetLayerVersionByArn", Arn=f"{LAYER}:2"),
        ]
        return one, two, got, await aws("ListLayerVersions", LayerName="tools"), await aws("ListLayers")

    one, two, got, versions, layers = with_lambda(tmp_path, scenario)
    assert [one, two] == got
    assert (one["LayerArn"], one["LayerVersionArn"], one["Version"]) == (LAYER, f"{LAYER}:1", 1)
    assert (one["Description"], one["LicenseInfo"], one["CompatibleRuntimes"]) == ("first", "MIT", ["python3.12"])
    assert one["CreatedDate"] == "2025-10-09T08:53:20.000+0000"
    assert one["Content"]["CodeSize"] > 0
    assert two["CompatibleArchitectures"] == ["arm64"]
    assert [each["Version"] for each in versions["LayerVersions"]] == [2, 1]
    assert [(each["LayerName"], each["LatestMatchingVersion"]["Version"]) for each in layers["Layers"]] == [
        ("other", 1),
        ("tools", 2),
    ]


def test_lists_are_narrowed_and_come_in_pages(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        for number in range(3):
            await publish(aws, CompatibleRuntimes=["python3.12"] if number else ["python3.11"])
        first = await aws("ListLayerVersions", LayerName="tools", MaxItems=2)
        rest = await aws("ListLayerVersions", LayerName="tools", MaxItems=2, Marker=first["NextMarker"])
        old = await aws("ListLayers", CompatibleRuntime="python3.11")
        none = await aws("ListLayers", CompatibleArchitecture="arm64")
        return first, rest, old, none

    first, rest, old, none = with_lambda(tmp_path, scenario)
    assert [[one["Version"] for one in each["LayerVersions"]] for each in (first, rest)] == [[3, 2], [1]]
    assert old["Layers"][0]["LatestMatchingVersion"]["Version"] == 1
    assert none == {"Layers": []}


def test_a_number_is_never_used_again_and_functions_keep_what_they_have(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await publish(aws)
        made = await aws.a_function(Layers=[f"{LAYER}:1"])
        await aws("DeleteLayerVersion", LayerName="tools", VersionNumber=1)
        await aws("DeleteLayerVersion", LayerName="tools", VersionNumber=1)  # gone already
        again = await publish(aws)
        missing = await code_of(aws("GetLayerVersion", LayerName="tools", VersionNumber=1))
        held = await aws("GetFunctionConfiguration", FunctionName="orders")
        changed = await aws("UpdateFunctionConfiguration", FunctionName="orders", Layers=[])
        return made, again, missing, held, changed

    made, again, missing, held, changed = with_lambda(tmp_path, scenario)
    assert made["Layers"] == held["Layers"] == [{"Arn": f"{LAYER}:1", "CodeSize": made["Layers"][0]["CodeSize"]}]
    assert again["Version"] == 2
    assert missing.startswith("ResourceNotFoundException")
    assert "Layers" not in changed


def test_what_a_function_cannot_have_is_refused(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        arns = [(await publish(aws, f"layer-{number}"))["LayerVersionArn"] for number in range(6)]
        second = (await publish(aws, "layer-0"))["LayerVersionArn"]
        return [
            await code_of(aws.a_function(Layers=layers))
            for layers in (arns, [arns[0], second], ["arn:aws:lambda:us-east-1:000000000000:layer:x:1"])
        ]

    many, twice, missing = with_lambda(tmp_path, scenario)
    assert many == "InvalidParameterValueException: Cannot reference more than 5 layers."
    assert "Two different versions of the same layer" in twice
    assert missing.endswith("layer:x:1 does not exist.")


def test_code_and_layers_have_250_mb_together(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        big = a_zip({"python/big": bytes(140 * 1024 * 1024)})
        for name in ("a", "b"):
            await aws("PublishLayerVersion", LayerName=name, Content={"ZipFile": big})
        prefix = LAYER.removesuffix("tools")
        await aws.a_function("fits", Layers=[f"{prefix}a:1"])
        found = [await code_of(aws.a_function(Layers=[f"{prefix}a:1", f"{prefix}b:1"]))]
        code = {"ZipFile": a_zip({"data": bytes(130 * 1024 * 1024)})}
        found.append(await code_of(aws("UpdateFunctionCode", FunctionName="fits", **code)))
        layers = [f"{prefix}a:1", f"{prefix}b:1"]
        found.append(await code_of(aws("UpdateFunctionConfiguration", FunctionName="fits", Layers=layers)))
        return found

    for refused in with_lambda(tmp_path, scenario):
        assert "exceeds the maximum allowed size of 262144000 bytes" in refused


def test_a_version_is_shared_by_its_policy(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await publish(aws)
        name = {"LayerName": "tools", "VersionNumber": 1}
        grant = {**name, "StatementId": "all", "Action": "lambda:GetLayerVersion", "Principal": "*"}
        refused = [await code_of(aws("GetLayerVersionPolicy", **name))]
        added = await aws("AddLayerVersionPermission", **grant, OrganizationId="o-abcdefghij")
        refused.append(await code_of(aws("AddLayerVersionPermission", **grant)))
        refused.append(await code_of(aws("RemoveLayerVersionPermission", **name, StatementId="all", RevisionId="x")))
        policy = await aws("GetLayerVersionPolicy", **name)
        await aws.a_function(Layers=[f"{LAYER}:1"])
        asked = aws.authorization.asked[-1]
        await aws("RemoveLayerVersionPermission", **name, StatementId="all")
        refused.append(await code_of(aws("RemoveLayerVersionPermission", **name, StatementId="all")))
        return refused, added, policy, asked

    refused, added, policy, asked = with_lambda(tmp_path, scenario)
    assert [one.partition(":")[0] for one in refused] == [
        "ResourceNotFoundException",
        "ResourceConflictException",
        "PreconditionFailedException",
        "ResourceNotFoundException",
    ]
    statement = json.loads(added["Statement"])
    assert statement == {
        "Sid": "all",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:GetLayerVersion",
        "Resource": f"{LAYER}:1",
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}},
    }
    assert json.loads(policy["Policy"])["Statement"] == [statement]
    assert (asked.action, asked.resource) == ("lambda:GetLayerVersion", f"{LAYER}:1")
    assert asked.resource_policy == policy["Policy"]


def test_calls_say_which_layer_they_touch(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await publish(aws)
        await aws("GetLayerVersion", LayerName=LAYER, VersionNumber=1)
        await aws("GetLayerVersionByArn", Arn=f"{LAYER}:1")
        await aws("ListLayers")
        await aws("DeleteLayerVersion", LayerName="tools", VersionNumber=1)
        return [(one.action, one.resource) for one in aws.authorization.asked]

    assert with_lambda(tmp_path, scenario) == [
        ("lambda:PublishLayerVersion", LAYER),
        ("lambda:GetLayerVersion", f"{LAYER}:1"),
        ("lambda:GetLayerVersion", f"{LAYER}:1"),
        ("lambda:ListLayers", "*"),
        ("lambda:DeleteLayerVersion", f"{LAYER}:1"),
    ]


def test_policies_see_layers_auth_types_and_functions_as_conditions(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await publish(aws)
        await aws.a_function(Layers=[f"{LAYER}:1"])
        made = next(one for one in aws.authorization.asked if one.action == "lambda:CreateFunction")
        await aws("CreateFunctionUrlConfig", FunctionName="orders", AuthType="NONE")
        url = aws.authorization.asked[-1]
        with pytest.raises(ServiceError):
            await aws("CreateEventSourceMapping", FunctionName="orders:live", EventSourceArn="arn:aws:sqs:us-east-1::q")
        return made.context, url.context, aws.authorization.asked[-1]

    made, url, mapping = with_lambda(tmp_path, scenario)
    assert made["lambda:layer"] == (f"{LAYER}:1",)
    assert url["lambda:functionurlauthtype"] == "NONE"
    assert mapping.action == "lambda:CreateEventSourceMapping"
    assert mapping.context == {"lambda:functionarn": "arn:aws:lambda:us-east-1:000000000000:function:orders:live"}
