from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gatepost.services.apigateway.deployment import deployment_from_json, stage_from_json
from gatepost.services.apigateway.deployments import check_deployable
from gatepost.services.apigateway.model import (
    BadRequestException,
    Definition,
    LimitExceededException,
    NotFoundException,
)
from tests.support.rest_apis import FUNCTION_URI, NOW_MS, Control, a_call, with_control


async def a_deployed_api(control: Control, **params) -> tuple[str, str]:
    api = await control.an_api()
    await control.a_method(api, "/orders")
    deployment = await control("CreateDeployment", restApiId=api["id"], **params)
    return api["id"], deployment["id"]


def test_a_deployment_is_given_and_summarised(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id, deployment_id = await a_deployed_api(control, description="first")
        named = {"restApiId": api_id, "deploymentId": deployment_id}
        head = {"id": deployment_id, "createdDate": NOW_MS, "description": "first"}
        assert await control("GetDeployment", **named) == head
        assert await control("GetDeployment", **named, embed=["apisummary"]) == {
            **head,
            "apiSummary": {"/orders": {"GET": {"authorizationType": "NONE", "apiKeyRequired": False}}},
        }

    with_control(tmp_path, scenario)


def test_an_api_without_methods_cannot_be_deployed(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        with pytest.raises(BadRequestException, match="The REST API doesn't contain any methods"):
            await control("CreateDeployment", restApiId=api["id"])

    with_control(tmp_path, scenario)


def test_a_method_without_integration_cannot_be_deployed(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        await control.a_method(api, "/a")
        named = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"}
        await control("PutMethod", **named, authorizationType="NONE")
        with pytest.raises(BadRequestException, match="No integration defined for method"):
            await control("CreateDeployment", restApiId=api["id"], stageName="prod")
        with pytest.raises(NotFoundException):
            await control("GetStage", restApiId=api["id"], stageName="prod")

    with_control(tmp_path, scenario)


def test_what_cannot_be_enforced_does_not_pass_even_when_it_is_in_the_store(tmp_path) -> None:
    async def scenario(control: Control) -> Definition:
        api = await control.an_api()
        await control.a_method(api, "/")
        held = await control.provider._rest_apis._records.definition(a_call("GetResources"), api["id"])
        return held.value

    definition = with_control(tmp_path, scenario)
    check_deployable(definition, 29_000)
    (root,) = definition.resources.values()
    for changed in (
        replace(root.methods[0], authorization_type="JWT"),
        replace(
            root.methods[0],
            integration=replace(root.methods[0].integration, type="MOCK", content_handling="CONVERT_TO_TEXT"),
        ),
    ):
        with pytest.raises(BadRequestException, match=r"Gatepost does not support|Invalid authorization type"):
            check_deployable(replace(definition, resources={root.id: replace(root, methods=(changed,))}), 29_000)


def test_a_deployment_holds_the_whole_api_as_it_was(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api(binaryMediaTypes=["image/png"], endpointConfiguration={"types": ["REGIONAL"]})
        lambda_proxy = {"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": FUNCTION_URI}
        named = await control.a_method(api, "/orders/{id}", "POST", lambda_proxy, authorizationType="AWS_IAM")
        await control("PutGatewayResponse", restApiId=api["id"], responseType="THROTTLED", statusCode="503")
        deployed = await control(
            "CreateDeployment", restApiId=api["id"], stageName="prod", description="d", variables={"a": "1"}
        )
        await control("DeleteMethod", **named)

        told = control.changes.held[f"{api['id']}/prod"]
        deployment, stage = deployment_from_json(told["deployment"]), stage_from_json(told["stage"])
        assert (deployment.id, deployment.api_id, deployment.api_name) == (deployed["id"], api["id"], "orders")
        assert (deployment.account_id, deployment.region) == ("000000000000", "us-east-1")
        assert deployment.endpoint_types == ("REGIONAL",)
        assert deployment.binary_media_types == ("image/png",)
        assert deployment.root_resource_id == api["rootResourceId"]
        assert deployment.created_at_ms == NOW_MS
        assert [each.path for each in deployment.resources] == ["/", "/orders", "/orders/{id}"]
        (method,) = deployment.resources[2].methods
        assert (method.http_method, method.authorization_type) == ("POST", "AWS_IAM")
        assert method.integration.uri == FUNCTION_URI
        assert deployment.gateway_responses[0].status_code == "503"
        assert (stage.stage_name, stage.deployment_id, stage.variables) == ("prod", deployed["id"], {"a": "1"})

    with_control(tmp_path, scenario)


def test_without_a_stage_nothing_is_told_to_the_gateway(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        await a_deployed_api(control)
        assert control.changes.told == []
        assert await control.provider.published() == []

    with_control(tmp_path, scenario)


def test_deploying_to_a_stage_that_is_there_moves_it_and_keeps_the_rest(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id, _ = await a_deployed_api(
            control, stageName="prod", stageDescription="live", variables={"a": "1", "b": "1"}
        )
        second = await control("CreateDeployment", restApiId=api_id, stageName="prod", variables={"b": "2"})
        stage = await control("GetStage", restApiId=api_id, stageName="prod")
        assert stage["deploymentId"] == second["id"]
        assert stage["description"] == "live"
        assert stage["variables"] == {"a": "1", "b": "2"}
        assert control.changes.held[f"{api_id}/prod"]["deployment"]["id"] == second["id"]

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"stageName": "a b"}, "Stage name only allows"),
        ({"stageName": "prod", "variables": {"a b": "1"}}, "Invalid stage variable name"),
        ({"stageName": "prod", "cacheClusterEnabled": True, "cacheClusterSize": "1"}, "Invalid cache cluster size"),
        ({"canarySettings": {"percentTraffic": 1.0}}, "stageName must be provided for canary settings"),
        ({"stageName": "prod", "canarySettings": {"percentTraffic": 1.0}}, "need a stage that is there already"),
    ],
)
def test_a_deployment_that_cannot_be_leaves_nothing_behind(tmp_path, params: dict, words: str) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        await control.a_method(api)
        with pytest.raises(BadRequestException, match=words):
            await control("CreateDeployment", restApiId=api["id"], **params)
        assert (await control("GetDeployments", restApiId=api["id"]))["items"] == []
        assert (await control("GetStages", restApiId=api["id"]))["item"] == []

    with_control(tmp_path, scenario)


def test_an_eleventh_stage_is_refused_with_its_deployment(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id, _ = await a_deployed_api(control)
        for index in range(10):
            await control("CreateDeployment", restApiId=api_id, stageName=f"s{index}")
        with pytest.raises(LimitExceededException):
            await control("CreateDeployment", restApiId=api_id, stageName="s10")
        await control("CreateDeployment", restApiId=api_id, stageName="s9")

    with_control(tmp_path, scenario)


def test_deployments_are_listed_in_pages_of_one_api(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        await a_deployed_api(control)
        api_id, first_id = await a_deployed_api(control)
        ids = {first_id} | {(await control("CreateDeployment", restApiId=api_id))["id"] for _ in range(3)}
        first = await control("GetDeployments", restApiId=api_id, limit=3)
        second = await control("GetDeployments", restApiId=api_id, limit=3, position=first["position"])
        assert [len(first["items"]), len(second["items"])] == [3, 1]
        assert {each["id"] for each in (*first["items"], *second["items"])} == ids
        assert "position" not in second

    with_control(tmp_path, scenario)


def test_only_the_description_can_be_changed(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id, deployment_id = await a_deployed_api(control)
        named = {"restApiId": api_id, "deploymentId": deployment_id}
        patch = {"op": "replace", "path": "/description", "value": "second"}
        assert (await control("UpdateDeployment", **named, patchOperations=[patch]))["description"] == "second"
        with pytest.raises(BadRequestException, match="Invalid patch path"):
            await control("UpdateDeployment", **named, patchOperations=[{**patch, "path": "/id"}])

    with_control(tmp_path, scenario)


def test_a_deployment_with_a_stage_cannot_be_deleted(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id, deployment_id = await a_deployed_api(control, stageName="prod")
        named = {"restApiId": api_id, "deploymentId": deployment_id}
        with pytest.raises(BadRequestException) as refused:
            await control("DeleteDeployment", **named)
        assert refused.value.message == "Active stages pointing to this deployment must be moved or deleted"
        await control("DeleteStage", restApiId=api_id, stageName="prod")
        await control("DeleteDeployment", **named)
        for operation in ("GetDeployment", "DeleteDeployment", "UpdateDeployment"):
            with pytest.raises(NotFoundException, match="Invalid Deployment identifier specified"):
                await control(operation, **named)

    with_control(tmp_path, scenario)


def test_a_stage_never_outlives_its_deployment(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id, deployment_id = await a_deployed_api(control)
        named = {"restApiId": api_id, "deploymentId": deployment_id}
        await asyncio.gather(
            control("DeleteDeployment", **named),
            control("CreateStage", **named, stageName="prod"),
            return_exceptions=True,
        )
        for stage in (await control("GetStages", restApiId=api_id))["item"]:
            await control("GetDeployment", restApiId=api_id, deploymentId=stage["deploymentId"])

    with_control(tmp_path, scenario)
