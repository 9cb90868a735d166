from __future__ import annotations

import asyncio
import json

import pytest

from gatepost.services.apigateway.limits import ApiLimits
from gatepost.services.apigateway.model import (
    BadRequestException,
    ConflictException,
    LimitExceededException,
    NotFoundException,
)
from tests.support.rest_apis import NOW_MS, Control, with_control

POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "*"}]})


def replace(path: str, value: str = "") -> dict[str, str]:
    return {"op": "replace", "path": path, "value": value}


def test_a_new_api_has_awss_defaults_a_root_and_two_models(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        assert len(api["id"]) == 10
        assert api == {
            "id": api["id"],
            "name": "orders",
            "createdDate": NOW_MS,
            "apiKeySource": "HEADER",
            "endpointConfiguration": {"types": ["EDGE"], "ipAddressType": "ipv4"},
            "disableExecuteApiEndpoint": False,
            "rootResourceId": api["rootResourceId"],
        }
        assert await control("GetRestApi", restApiId=api["id"]) == api
        resources = await control("GetResources", restApiId=api["id"])
        assert resources == {"items": [{"id": api["rootResourceId"], "path": "/"}]}
        models = await control("GetModels", restApiId=api["id"])
        assert [each["name"] for each in models["items"]] == ["Empty", "Error"]

    with_control(tmp_path, scenario)


def test_everything_that_is_said_of_an_api_is_given_back(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        said = {
            "description": "Orders",
            "version": "7",
            "binaryMediaTypes": ["image/png", "*/*"],
            "apiKeySource": "HEADER",
            "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "dualstack"},
            "policy": POLICY,
            "tags": {"team": "shop"},
            "disableExecuteApiEndpoint": True,
        }
        api = await control.an_api(**said)
        assert {name: api[name] for name in said} == said

    with_control(tmp_path, scenario)


def test_a_tag_pins_the_id_once_for_all_regions(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        assert (await control.an_api(tags={"_custom_id_": "shop-1"}))["id"] == "shop-1"
        for region in ("us-east-1", "eu-west-1"):
            with pytest.raises(ConflictException, match="shop-1 already exists"):
                await control.an_api(tags={"_custom_id_": "shop-1"}, region=region)
        await control("DeleteRestApi", restApiId="shop-1")
        assert (await control.an_api(tags={"_custom_id_": "shop-1"}, region="eu-west-1"))["id"] == "shop-1"

    with_control(tmp_path, scenario)


@pytest.mark.parametrize("pinned", ["", "-a", "a-", "A", "a.b", "a/b", "a" * 64])
def test_a_pinned_id_must_be_a_host_label(tmp_path, pinned: str) -> None:
    async def scenario(control: Control) -> None:
        with pytest.raises(BadRequestException, match="_custom_id_"):
            await control.an_api(tags={"_custom_id_": pinned})

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"name": " "}, "API Name cannot be blank"),
        ({"endpointConfiguration": {"types": ["EDGE", "REGIONAL"]}}, "multiple Endpoint Types"),
        ({"endpointConfiguration": {"types": ["LOCAL"]}}, "Invalid endpoint type LOCAL"),
        ({"endpointConfiguration": {"types": ["PRIVATE"], "ipAddressType": "ipv4"}}, "Only dualstack"),
        ({"endpointConfiguration": {"types": ["PRIVATE"], "vpcEndpointIds": ["eni-1"]}}, "Invalid VPC endpoint ID"),
        ({"endpointConfiguration": {"vpcEndpointIds": ["vpce-1"]}}, "only be specified for PRIVATE"),
        ({"minimumCompressionSize": -1}, "minimum compression size"),
        ({"minimumCompressionSize": 10_485_761}, "minimum compression size"),
        ({"securityPolicy": "SecurityPolicy_TLS13_1_2_PQ_2025_09", "endpointAccessMode": "BASIC"}, "post-quantum"),
        ({"securityPolicy": "SecurityPolicy_TLS13_1_3_FIPS_2025_09", "endpointAccessMode": "BASIC"}, "FIPS 140"),
        ({"securityPolicy": "SecurityPolicy_TLS13_1_3_2025_09", "endpointAccessMode": "BASIC"}, "is not for EDGE"),
        ({"securityPolicy": "SecurityPolicy_TLS13_2025_EDGE"}, "endpointAccessMode is required"),
        ({"endpointAccessMode": "STRICT"}, "endpointAccessMode STRICT"),
        ({"binaryMediaTypes": ["png"]}, "Invalid binary media type specified: png"),
        ({"binaryMediaTypes": [f"a/{i}" for i in range(26)]}, "At most 25"),
        ({"policy": "{"}, "Invalid policy document"),
        ({"policy": "[]"}, "Invalid policy document"),
        ({"policy": "{}"}, "Invalid policy document"),
        ({"policy": POLICY + " " * 8_192}, "Invalid policy document"),
        ({"tags": {"aws:x": "1"}}, "Invalid tag key"),
    ],
)
def test_an_api_that_cannot_be_is_refused(tmp_path, params: dict, words: str) -> None:
    async def scenario(control: Control) -> None:
        with pytest.raises(BadRequestException) as refused:
            await control("CreateRestApi", **{"name": "orders", **params})
        assert words in refused.value.message
        assert (await control("GetRestApis"))["items"] == []

    with_control(tmp_path, scenario)


def test_the_default_security_policy_may_be_named(tmp_path) -> None:
    with_control(tmp_path, lambda control: control.an_api(securityPolicy="TLS_1_0", endpointAccessMode="BASIC"))


def test_apis_are_listed_in_pages_per_region(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        made = sorted([(await control.an_api(f"api {i}"))["id"] for i in range(5)])
        await control.an_api(region="eu-west-1")
        first = await control("GetRestApis", limit=3)
        second = await control("GetRestApis", limit=3, position=first["position"])
        assert [each["id"] for each in (*first["items"], *second["items"])] == made
        assert "position" not in second

    with_control(tmp_path, scenario)


def test_an_account_has_at_most_so_many_apis_of_a_type(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        control.provider.records.limits = ApiLimits(edge_apis=2, regional_apis=1)
        for _ in range(2):
            await control.an_api()
        with pytest.raises(LimitExceededException):
            await control.an_api()
        await control.an_api(endpointConfiguration={"types": ["REGIONAL"]})

    with_control(tmp_path, scenario)


def test_settings_are_patched(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api(binaryMediaTypes=["image/png"])
        changed = await control(
            "UpdateRestApi",
            restApiId=api["id"],
            patchOperations=[
                replace("/name", "new"),
                replace("/description", "about"),
                replace("/apiKeySource", "HEADER"),
                replace("/endpointConfiguration/types/EDGE", "REGIONAL"),
                replace("/endpointConfiguration/ipAddressType", "dualstack"),
                replace("/policy", POLICY),
                replace("/disableExecuteApiEndpoint", "true"),
                {"op": "add", "path": "/binaryMediaTypes/image~1jpeg"},
                replace("/binaryMediaTypes/image~1png", "application/octet-stream"),
            ],
        )
        expected = {
            "name": "new",
            "description": "about",
            "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "dualstack"},
            "policy": POLICY,
            "disableExecuteApiEndpoint": True,
            "binaryMediaTypes": ["image/jpeg", "application/octet-stream"],
        }
        assert changed == {**api, **expected}
        assert await control("GetRestApi", restApiId=api["id"]) == changed

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    "patch",
    [
        replace("/id", "x"),
        replace("/name", ""),
        replace("/minimumCompressionSize", "-5"),
        replace("/minimumCompressionSize", "x"),
        replace("/apiKeySource", "COOKIE"),
        replace("/endpointConfiguration/types/REGIONAL", "EDGE"),
        replace("/endpointConfiguration/types/EDGE", "LOCAL"),
        replace("/policy", "no"),
        replace("/disableExecuteApiEndpoint", "maybe"),
        {"op": "remove", "path": "/binaryMediaTypes/image~1png"},
        {"op": "add", "path": "/name", "value": "x"},
    ],
)
def test_a_patch_that_cannot_be_changes_nothing(tmp_path, patch: dict) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        with pytest.raises(BadRequestException):
            await control("UpdateRestApi", restApiId=api["id"], patchOperations=[replace("/description", "x"), patch])
        assert await control("GetRestApi", restApiId=api["id"]) == api

    with_control(tmp_path, scenario)


def test_a_policy_is_taken_away_by_an_empty_one(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api(policy=POLICY)
        assert "policy" not in await control("UpdateRestApi", restApiId=api["id"], patchOperations=[replace("/policy")])

    with_control(tmp_path, scenario)


def test_deleting_takes_stages_deployments_and_the_gateways_copy_along(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api, other = await control.an_api(), await control.an_api()
        for each in (api, other):
            await control.a_method(each)
            await control("CreateDeployment", restApiId=each["id"], stageName="prod")
        await control("DeleteRestApi", restApiId=api["id"])
        assert set(control.changes.held) == {f"{other['id']}/prod"}
        assert [each.key for each in await control.provider.published()] == [f"{other['id']}/prod"]
        for operation, more in (
            ("GetRestApi", {}),
            ("DeleteRestApi", {}),
            ("GetResources", {}),
            ("GetStage", {"stageName": "prod"}),
            ("GetDeployments", {}),
            ("CreateDeployment", {}),
            ("UpdateRestApi", {}),
        ):
            with pytest.raises(NotFoundException) as missing:
                await control(operation, restApiId=api["id"], **more)
            assert missing.value.message == f"Invalid API identifier specified 000000000000:{api['id']}"

    with_control(tmp_path, scenario)


def test_a_clone_has_the_same_tree_and_lives_on_its_own(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        source = await control.an_api()
        await control.a_method(source, "/orders/{id}")
        clone = await control.an_api("copy", cloneFrom=source["id"])
        await control("DeleteRestApi", restApiId=source["id"])
        items = (await control("GetResources", restApiId=clone["id"], embed=["methods"]))["items"]
        assert sorted(each["path"] for each in items) == ["/", "/orders", "/orders/{id}"]
        assert next(each for each in items if each["path"] == "/")["id"] == clone["rootResourceId"]
        await control("CreateDeployment", restApiId=clone["id"], stageName="prod")
        with pytest.raises(NotFoundException):
            await control.an_api(cloneFrom="nothing")

    with_control(tmp_path, scenario)


def test_who_clones_an_api_passes_its_roles_on(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        source = await control.an_api()
        root = {"restApiId": source["id"], "resourceId": source["rootResourceId"], "httpMethod": "GET"}
        await control("PutMethod", **root, authorizationType="NONE")
        await control(
            "PutIntegration",
            **root,
            type="AWS",
            integrationHttpMethod="POST",
            uri="arn:aws:apigateway:us-east-1:dynamodb:action/ListTables",
            credentials="arn:aws:iam::000000000000:role/tables",
        )
        control.authorization.asked.clear()
        await control.an_api("copy", cloneFrom=source["id"])
        assert ("iam:PassRole", "arn:aws:iam::000000000000:role/tables") in [
            (each.action, each.resource) for each in control.authorization.asked
        ]

    with_control(tmp_path, scenario)


def test_changes_at_the_same_time_are_all_kept(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        root = api["rootResourceId"]
        await asyncio.gather(
            *(control("CreateResource", restApiId=api["id"], parentId=root, pathPart=f"p{i}") for i in range(20)),
            *(
                control("UpdateRestApi", restApiId=api["id"], patchOperations=[replace("/description", str(i))])
                for i in range(5)
            ),
        )
        assert len((await control("GetResources", restApiId=api["id"], limit=500))["items"]) == 21

    with_control(tmp_path, scenario)
