"""Where an API is reached: what its endpoint may be, how it changes, and that gateways learn it at once."""

from __future__ import annotations

import json

import pytest

from gatepost.services.apigateway.model import BadRequestException
from tests.support.rest_apis import Control, with_control

POLICY = '{"Version":"2012-10-17","Statement":[]}'
ENHANCED = "SecurityPolicy_TLS13_1_3_2025_09"


async def a_private_api(control: Control, **params) -> dict:
    endpoint = {"types": ["PRIVATE"], "vpcEndpointIds": ["vpce-1"]}
    return await control.an_api(**{"endpointConfiguration": endpoint, "policy": POLICY, **params})


async def patched(control: Control, api: dict, *patches: tuple[str, str, str]) -> dict:
    operations = [{"op": op, "path": path, "value": value} for op, path, value in patches]
    return await control("UpdateRestApi", restApiId=api["id"], patchOperations=operations)


def test_a_private_api_needs_a_policy_before_it_can_be_deployed(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await a_private_api(control, policy="")
        await control.a_method(api)
        assert api["endpointConfiguration"] == {
            "types": ["PRIVATE"],
            "ipAddressType": "dualstack",
            "vpcEndpointIds": ["vpce-1"],
        }
        with pytest.raises(BadRequestException, match="doesn't have a resource policy attached"):
            await control("CreateDeployment", restApiId=api["id"], stageName="prod")
        await patched(control, api, ("replace", "/policy", POLICY))
        await control("CreateDeployment", restApiId=api["id"], stageName="prod")

    with_control(tmp_path, scenario)


def test_gateways_learn_an_endpoint_at_once_and_forget_one_that_is_as_any_other(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await a_private_api(control)
        held = control.changes.held[api["id"]]
        assert (held["type"], held["vpc_endpoint_ids"]) == ("PRIVATE", ["vpce-1"])
        await patched(control, api, ("add", "/endpointConfiguration/vpcEndpointIds", "vpce-2"))
        assert control.changes.held[api["id"]]["vpc_endpoint_ids"] == ["vpce-1", "vpce-2"]
        changed = await patched(control, api, ("replace", "/endpointConfiguration/types/PRIVATE", "REGIONAL"))
        assert "vpcEndpointIds" not in changed["endpointConfiguration"]
        assert api["id"] not in control.changes.held
        await patched(control, api, ("replace", "/endpointConfiguration/types/REGIONAL", "PRIVATE"))
        told = {each.key: each.value for each in await control.provider.published()}
        assert told[api["id"]]["type"] == "PRIVATE"
        await control("DeleteRestApi", restApiId=api["id"])
        assert api["id"] not in control.changes.held

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("patches", "words"),
    [
        ([("replace", "/endpointConfiguration/types/PRIVATE", "EDGE")], "cannot be changed to an edge-optimized"),
        ([("replace", "/endpointConfiguration/types/EDGE", "REGIONAL")], "it does not exist"),
        ([("replace", "/endpointConfiguration/ipAddressType", "ipv4")], "Only dualstack"),
        ([("remove", "/endpointConfiguration/vpcEndpointIds", "vpce-9")], "Invalid patch value"),
        ([("add", "/endpointConfiguration/vpcEndpointIds", "eni-9")], "Invalid VPC endpoint ID"),
        ([("replace", "/securityPolicy", "SecurityPolicy_TLS13_2025_EDGE")], "is not for PRIVATE"),
        ([("replace", "/securityPolicy", ENHANCED)], "endpointAccessMode is required"),
        ([("replace", "/endpointAccessMode", "STRICT")], "STRICT needs a security policy"),
    ],
)
def test_what_an_endpoint_cannot_be_is_refused(tmp_path, patches, words) -> None:
    async def scenario(control: Control) -> None:
        api = await a_private_api(control)
        with pytest.raises(BadRequestException, match=words):
            await patched(control, api, *patches)

    with_control(tmp_path, scenario)


def test_a_strict_api_keeps_its_endpoint_type_and_a_legacy_policy_unsets_the_mode(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api(
            endpointConfiguration={"types": ["REGIONAL"]}, securityPolicy=ENHANCED, endpointAccessMode="STRICT"
        )
        assert (api["securityPolicy"], api["endpointAccessMode"], api["apiStatus"]) == (ENHANCED, "STRICT", "AVAILABLE")
        assert control.changes.held[api["id"]]["is_strict"] is True
        with pytest.raises(BadRequestException, match="while the endpoint access mode is STRICT"):
            await patched(control, api, ("replace", "/endpointConfiguration/types/REGIONAL", "PRIVATE"))
        with pytest.raises(BadRequestException, match="STRICT needs"):
            await patched(control, api, ("replace", "/securityPolicy", "TLS_1_0"))
        old = await patched(
            control, api, ("replace", "/securityPolicy", "TLS_1_0"), ("replace", "/endpointAccessMode", "")
        )
        assert "endpointAccessMode" not in old
        with pytest.raises(BadRequestException, match="from TLS_1_0 to TLS_1_2"):
            await patched(control, api, ("replace", "/securityPolicy", "TLS_1_2"))

    with_control(tmp_path, scenario)


def test_a_document_says_where_its_api_is_reached(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        document = {
            "swagger": "2.0",
            "info": {"title": "t"},
            "paths": {},
            "x-amazon-apigateway-endpoint-configuration": {"types": ["PRIVATE"], "vpcEndpointIds": ["vpce-1"]},
            "x-amazon-apigateway-security-policy": ENHANCED,
            "x-amazon-apigateway-endpoint-access-mode": "BASIC",
        }
        api = await control("ImportRestApi", body=json.dumps(document).encode())
        assert api["endpointConfiguration"]["vpcEndpointIds"] == ["vpce-1"]
        assert (api["securityPolicy"], api["endpointAccessMode"]) == (ENHANCED, "BASIC")
        assert control.changes.held[api["id"]]["type"] == "PRIVATE"

    with_control(tmp_path, scenario)
