from __future__ import annotations

import pytest

from gatepost.services.apigateway.deployment import deployment_from_json, stage_from_json
from gatepost.services.apigateway.model import BadRequestException, NotFoundException
from tests.support.rest_apis import Control, with_control


async def two_deployments(control: Control) -> tuple[str, str, str]:
    """Give an API and two of its deployments; stage `prod` points at the first."""
    api = await control.an_api()
    await control.a_method(api)
    first = await control("CreateDeployment", restApiId=api["id"], stageName="prod", variables={"v": "1", "w": "1"})
    await control.a_method(api, "/new")
    second = await control("CreateDeployment", restApiId=api["id"])
    return api["id"], first["id"], second["id"]


def held(control: Control, api_id: str):
    value = control.changes.held[f"{api_id}/prod"]
    canary = deployment_from_json(value["canary"]).id if "canary" in value else None
    return deployment_from_json(value["deployment"]).id, canary, stage_from_json(value["stage"])


def test_a_deployment_with_canary_settings_leaves_the_stage_where_it_is(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id, first, _ = await two_deployments(control)
        canary = await control(
            "CreateDeployment",
            restApiId=api_id,
            stageName="prod",
            canarySettings={"percentTraffic": 10.5, "stageVariableOverrides": {"v": "2"}, "useStageCache": True},
        )
        stage = await control("GetStage", restApiId=api_id, stageName="prod")
        assert stage["deploymentId"] == first
        assert stage["canarySettings"] == {
            "deploymentId": canary["id"],
            "percentTraffic": 10.5,
            "stageVariableOverrides": {"v": "2"},
            "useStageCache": True,
        }
        assert held(control, api_id)[:2] == (first, canary["id"])
        published = {each.key: each.value for each in await control.provider.published()}
        assert published == control.changes.held

    with_control(tmp_path, scenario)


def test_a_stage_gets_a_canary_changes_promotes_and_loses_it(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id, first, second = await two_deployments(control)

        async def patched(*operations: tuple[str, str, str]) -> dict:
            patches = [
                {"op": op, "path": path, ("from" if op == "copy" else "value"): value} for op, path, value in operations
            ]
            return await control("UpdateStage", restApiId=api_id, stageName="prod", patchOperations=patches)

        stage = await patched(("replace", "/canarySettings/percentTraffic", "25"))
        assert stage["canarySettings"] == {"deploymentId": first, "percentTraffic": 25.0, "useStageCache": False}
        stage = await patched(
            ("replace", "/canarySettings/deploymentId", second),
            ("replace", "/canarySettings/stageVariableOverrides/v", "2"),
            ("replace", "/canarySettings/useStageCache", "true"),
        )
        assert stage["canarySettings"]["stageVariableOverrides"] == {"v": "2"}
        assert held(control, api_id)[:2] == (first, second)
        stage = await patched(
            ("replace", "/canarySettings/percentTraffic", "0.0"),
            ("copy", "/variables", "/canarySettings/stageVariableOverrides"),
            ("copy", "/deploymentId", "/canarySettings/deploymentId"),
        )
        assert (stage["deploymentId"], stage["variables"]) == (second, {"v": "2", "w": "1"})
        assert (await patched(("remove", "/canarySettings/stageVariableOverrides/v", "")))["canarySettings"] == {
            "deploymentId": second,
            "percentTraffic": 0.0,
            "useStageCache": True,
        }
        assert "canarySettings" not in await patched(("remove", "/canarySettings", ""))
        assert held(control, api_id)[:2] == (second, None)

    with_control(tmp_path, scenario)


def test_a_new_stage_may_have_a_canary_of_a_deployment_that_exists(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id, first, second = await two_deployments(control)
        stage = {"restApiId": api_id, "stageName": "beta", "deploymentId": first}
        made = await control("CreateStage", **stage, canarySettings={"percentTraffic": 1.0, "deploymentId": second})
        assert made["canarySettings"] == {"deploymentId": second, "percentTraffic": 1.0, "useStageCache": False}
        with pytest.raises(NotFoundException, match="Invalid Deployment identifier"):
            await control("CreateStage", **{**stage, "stageName": "c"}, canarySettings={"deploymentId": "nothing"})

    with_control(tmp_path, scenario)


def test_a_canarys_deployment_cannot_be_deleted(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id, _, second = await two_deployments(control)
        patch = {"op": "replace", "path": "/canarySettings/deploymentId", "value": second}
        await control("UpdateStage", restApiId=api_id, stageName="prod", patchOperations=[patch])
        with pytest.raises(BadRequestException, match="canary settings pointing to this deployment"):
            await control("DeleteDeployment", restApiId=api_id, deploymentId=second)

    with_control(tmp_path, scenario)


def test_a_cache_cluster_is_kept_and_flushes_are_counted(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id, _, _ = await two_deployments(control)
        named = {"restApiId": api_id, "stageName": "prod"}
        patch = {"op": "replace", "path": "/cacheClusterEnabled", "value": "true"}
        stage = await control("UpdateStage", **named, patchOperations=[patch])
        shown = {key: value for key, value in stage.items() if key.startswith("cache")}
        assert shown == {
            "cacheClusterEnabled": True,
            "cacheClusterSize": "0.5",
            "cacheClusterStatus": "AVAILABLE",
        }
        await control("FlushStageCache", **named)
        await control("FlushStageAuthorizersCache", **named)
        await control("FlushStageCache", **named)
        settings = held(control, api_id)[2]
        assert (settings.cache_flushes, settings.authorizer_cache_flushes) == (2, 1)
        with pytest.raises(NotFoundException):
            await control("FlushStageCache", restApiId=api_id, stageName="nothing")

    with_control(tmp_path, scenario)
