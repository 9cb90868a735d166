"""Parameter Store's operations by the real dispatcher, on real records, under real policies."""

from __future__ import annotations

import asyncio
import json

import pytest

from gatepost.awsapi.dispatch import Dispatcher
from gatepost.security.sealing import Seal
from gatepost.services.ssm.model import PARAMETER
from gatepost.services.ssm.provider import VERSIONS_MAX, SsmProvider
from tests.support.identities import SEAL_KEY, IdentityWorld
from tests.support.policies import ACCOUNT, a_statement
from tests.support.stores import some_records

ARN = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter"


class ParameterWorld(IdentityWorld):
    def __post_init__(self):
        super().__post_init__()
        self.parameters = SsmProvider(self.records, Seal(SEAL_KEY))
        self.dispatcher = Dispatcher(
            (self.iam, self.sts, self.parameters),
            authorization=self.authorizer,
            clock=self.clock,
            account_id=ACCOUNT,
            region="us-east-1",
        )

    async def ssm(self, operation, _as=None, /, **params):
        return await self.do(operation, _as, service="ssm", **params)

    async def no(self, code, operation, _as=None, /, **params):
        return await self.refused(code, operation, _as, service="ssm", **params)

    async def put(self, name="/shop/url", value="one", kind="String", **params):
        return await self.ssm("PutParameter", Name=name, Value=value, Type=kind, **params)

    async def value(self, name="/shop/url", **params):
        return (await self.ssm("GetParameter", Name=name, **params))["Parameter"]["Value"]


def with_parameters(tmp_path, *scenarios):
    async def whole():
        async with some_records(tmp_path) as records:
            for scenario in scenarios:
                world = ParameterWorld(records)
                await world.iam.load()
                await world.parameters.start()
                await scenario(world)

    asyncio.run(whole())


def test_a_parameter_is_put_and_given_by_name_version_and_arn(tmp_path):
    async def scenario(world):
        assert await world.put() == {"Version": 1, "Tier": "Standard"}
        assert (await world.put(value="two", Overwrite=True))["Version"] == 2
        assert await world.value() == await world.value(f"{ARN}/shop/url") == "two"
        given = (await world.ssm("GetParameter", Name="/shop/url:1"))["Parameter"]
        assert (given["Value"], given["Version"], given["Selector"]) == ("one", 1, ":1")
        assert (given["ARN"], given["Type"], given["DataType"]) == (f"{ARN}/shop/url", "String", "text")
        await world.no("ParameterVersionNotFound", "GetParameter", Name="/shop/url:3")
        await world.no("ParameterNotFound", "GetParameter", Name="/shop/nothing")
        await world.no("ParameterAlreadyExists", "PutParameter", Name="/shop/url", Value="x", Type="String")

    async def after_a_restart(world):
        assert await world.value() == "two"

    with_parameters(tmp_path, scenario, after_a_restart)


def test_a_secure_string_is_sealed_and_opened_only_when_asked(tmp_path):
    async def scenario(world):
        await world.put("key", "open-sesame", "SecureString")
        assert await world.value("key", WithDecryption=True) == "open-sesame"
        closed = await world.value("key")
        assert "open-sesame" not in closed
        assert "open-sesame" not in json.dumps([row.value for row in await world.records.scan(PARAMETER)])
        described = (await world.ssm("DescribeParameters"))["Parameters"][0]
        assert (described["KeyId"], described["Type"]) == ("alias/aws/ssm", "SecureString")
        assert "Value" not in described

    with_parameters(tmp_path, scenario)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Name": "a b"}, "ValidationException"),
        ({"Name": "aws/x"}, "AccessDeniedException"),
        ({"Name": "/AWS/x"}, "AccessDeniedException"),
        ({"Name": "ssm-x"}, "ValidationException"),
        ({"Name": "a/b"}, "ValidationException"),
        ({"Name": "/a//b"}, "ValidationException"),
        ({"Name": "/" + "/".join("abcdefghijklmnop")}, "HierarchyLevelLimitExceededException"),
        ({"Value": "x" * 4097}, "ValidationException"),
        ({"Value": "x" * 8193, "Tier": "Advanced"}, "ValidationException"),
        ({"Type": "StringList", "Value": "a,,b"}, "ValidationException"),
        ({"Type": "Binary"}, "ValidationException"),
        ({"AllowedPattern": "^[0-9]+$"}, "ParameterPatternMismatchException"),
        ({"AllowedPattern": "(?=x)"}, "InvalidAllowedPatternException"),
        ({"KeyId": "alias/mine", "Type": "SecureString"}, "InvalidKeyId"),
        ({"KeyId": "alias/aws/ssm"}, "ValidationException"),
        ({"DataType": "aws:ec2:image"}, "ValidationException"),
        ({"DataType": "aws:ssm:integration"}, "ValidationException"),
        ({"DataType": "Text"}, "ValidationException"),
        ({"Policies": '[{"Type":"Expiration"}]'}, "InvalidPolicyAttributeException"),
        ({"Policies": "{}"}, "ValidationException"),
        ({"Overwrite": True, "Tags": [{"Key": "a", "Value": "b"}]}, "ValidationException"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, params, code):
    async def scenario(world):
        await world.no(code, "PutParameter", **({"Name": "/a", "Value": "v", "Type": "String"} | params))
        assert await world.records.scan(PARAMETER) == []

    with_parameters(tmp_path, scenario)


def test_a_data_type_is_kept_for_versions_to_come(tmp_path):
    async def scenario(world):
        await world.put(value="ami-12345678", DataType="aws:ec2:image")
        await world.put(value="ami-0123456789abcdef0", Overwrite=True)
        assert (await world.ssm("GetParameter", Name="/shop/url"))["Parameter"]["DataType"] == "aws:ec2:image"
        filters = [{"Key": "DataType", "Values": ["aws:ec2:image"]}]
        (described,) = (await world.ssm("DescribeParameters", ParameterFilters=filters))["Parameters"]
        assert described["DataType"] == "aws:ec2:image"

    with_parameters(tmp_path, scenario)


def test_large_values_need_the_advanced_tier_which_never_goes_down(tmp_path):
    async def scenario(world):
        assert (await world.put(value="x" * 4097, Tier="Intelligent-Tiering"))["Tier"] == "Advanced"
        assert (await world.put(value="x", Overwrite=True))["Tier"] == "Advanced"
        down = {"Name": "/shop/url", "Value": "x", "Overwrite": True, "Tier": "Standard"}
        await world.no("ValidationException", "PutParameter", **down)

    with_parameters(tmp_path, scenario)


def test_a_parameters_type_does_not_change(tmp_path):
    async def scenario(world):
        await world.put()
        put = {"Name": "/shop/url", "Value": "x", "Overwrite": True}
        await world.no("HierarchyTypeMismatchException", "PutParameter", Type="SecureString", **put)
        await world.ssm("PutParameter", **put)

    with_parameters(tmp_path, scenario)


def test_several_are_given_and_deleted_and_missing_ones_named(tmp_path):
    async def scenario(world):
        await world.put("/a")
        await world.put("/b")
        given = await world.ssm("GetParameters", Names=["/a", "/none", "/b:9"])
        assert [one["Name"] for one in given["Parameters"]] == ["/a"]
        assert given["InvalidParameters"] == ["/none", "/b:9"]
        gone = await world.ssm("DeleteParameters", Names=["/a", "/none"])
        assert gone == {"DeletedParameters": ["/a"], "InvalidParameters": ["/none"]}
        await world.ssm("DeleteParameter", Name="/b")
        await world.no("ParameterNotFound", "DeleteParameter", Name="/b")

    with_parameters(tmp_path, scenario)


def test_a_path_gives_what_lies_below_it_in_pages_of_ten(tmp_path):
    async def scenario(world):
        for name in ("/shop/a", "/shop/b", "/shop/deep/c", "/shopping/d", "shop"):
            await world.put(name)

        async def names(**params):
            return [one["Name"] for one in (await world.ssm("GetParametersByPath", **params))["Parameters"]]

        assert await names(Path="/shop") == await names(Path="/shop/") == ["/shop/a", "/shop/b"]
        assert await names(Path="/shop", Recursive=True) == ["/shop/a", "/shop/b", "/shop/deep/c"]
        assert await names(Path="/") == ["shop"]
        assert len(await names(Path="/", Recursive=True)) == 5
        page = await world.ssm("GetParametersByPath", Path="/shop", MaxResults=1)
        assert await names(Path="/shop", MaxResults=1, NextToken=page["NextToken"]) == ["/shop/b"]
        await world.no("ValidationException", "GetParametersByPath", Path="shop")
        await world.no("InvalidNextToken", "GetParametersByPath", Path="/shop", NextToken="x")
        bad = [{"Key": "Name", "Values": ["a"]}]
        await world.no("InvalidFilterKey", "GetParametersByPath", Path="/shop", ParameterFilters=bad)

    with_parameters(tmp_path, scenario)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], ["/a/one", "/a/two/three", "key"]),
        ([{"Key": "Name", "Values": ["key"]}], ["key"]),
        ([{"Key": "Name", "Option": "BeginsWith", "Values": ["/a"]}], ["/a/one", "/a/two/three"]),
        ([{"Key": "Name", "Option": "Contains", "Values": ["two"]}], ["/a/two/three"]),
        ([{"Key": "Type", "Values": ["SecureString"]}], ["key"]),
        ([{"Key": "Path", "Values": ["/a"]}], ["/a/one"]),
        ([{"Key": "Path", "Option": "Recursive", "Values": ["/a"]}], ["/a/one", "/a/two/three"]),
        ([{"Key": "tag:team", "Values": ["shop"]}], ["/a/one"]),
        ([{"Key": "tag:team"}], ["/a/one"]),
    ],
)
def test_descriptions_are_filtered(tmp_path, filters, expected):
    async def scenario(world):
        await world.put("/a/one", Tags=[{"Key": "team", "Value": "shop"}])
        await world.put("/a/two/three")
        await world.put("key", kind="SecureString")
        found = await world.ssm("DescribeParameters", ParameterFilters=filters)
        assert [one["Name"] for one in found["Parameters"]] == expected

    with_parameters(tmp_path, scenario)


def test_labels_name_versions_and_move(tmp_path):
    async def scenario(world):
        await world.put(value="one")
        await world.put(value="two", Overwrite=True)
        label = {"Name": "/shop/url", "Labels": ["prod", "aws-x", "1x"]}
        answer = await world.ssm("LabelParameterVersion", ParameterVersion=1, **label)
        assert answer == {"InvalidLabels": ["aws-x", "1x"], "ParameterVersion": 1}
        assert await world.value("/shop/url:prod") == "one"
        await world.ssm("LabelParameterVersion", **label)
        assert await world.value("/shop/url:prod") == "two"
        history = (await world.ssm("GetParameterHistory", Name="/shop/url"))["Parameters"]
        assert [(one["Value"], one["Labels"]) for one in history] == [("one", []), ("two", ["prod"])]
        many = [f"l{n}" for n in range(10)]
        await world.no("ParameterVersionLabelLimitExceeded", "LabelParameterVersion", Name="/shop/url", Labels=many)
        gone = await world.ssm("UnlabelParameterVersion", Name="/shop/url", ParameterVersion=2, Labels=["prod", "x"])
        assert gone == {"RemovedLabels": ["prod"], "InvalidLabels": ["x"]}

    with_parameters(tmp_path, scenario)


def test_a_hundred_versions_are_kept_and_one_with_a_label_is_not_dropped(tmp_path):
    async def scenario(world):
        for number in range(VERSIONS_MAX):
            await world.put(value=str(number), Overwrite=True)
        await world.put(value="more", Overwrite=True)
        await world.no("ParameterVersionNotFound", "GetParameter", Name="/shop/url:1")
        await world.ssm("LabelParameterVersion", Name="/shop/url", ParameterVersion=2, Labels=["keep"])
        over = {"Name": "/shop/url", "Value": "x", "Overwrite": True}
        await world.no("ParameterMaxVersionLimitExceeded", "PutParameter", **over)

    with_parameters(tmp_path, scenario)


def test_tags_are_set_and_taken_away(tmp_path):
    async def scenario(world):
        await world.put()
        on = {"ResourceType": "Parameter", "ResourceId": "/shop/url"}
        await world.ssm("AddTagsToResource", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}], **on)
        await world.ssm("RemoveTagsFromResource", TagKeys=["a"], **on)
        assert (await world.ssm("ListTagsForResource", **on))["TagList"] == [{"Key": "b", "Value": "2"}]
        await world.no("InvalidResourceId", "ListTagsForResource", ResourceType="Parameter", ResourceId="/none")
        await world.no("InvalidResourceType", "ListTagsForResource", ResourceType="Document", ResourceId="d")

    with_parameters(tmp_path, scenario)


def test_policies_are_asked_for_each_parameter_by_its_arn(tmp_path):
    async def scenario(world):
        await world.put("/shop/url")
        await world.put("/bank/url")
        ana = await world.a_user()
        await world.allow_user("ana", a_statement(action="ssm:Get*", resource=f"{ARN}/shop*"))
        assert (await world.ssm("GetParameter", ana, Name="/shop/url"))["Parameter"]["Value"] == "one"
        await world.no("AccessDeniedException", "GetParameter", ana, Name="/bank/url")
        await world.no("AccessDeniedException", "GetParameter", ana, Name=f"{ARN}/bank/url:1")
        await world.no("AccessDeniedException", "GetParameters", ana, Names=["/shop/url", "/bank/url"])
        assert await world.ssm("GetParametersByPath", ana, Path="/shop/")
        await world.no("AccessDeniedException", "GetParametersByPath", ana, Path="/", Recursive=True)

    with_parameters(tmp_path, scenario)
