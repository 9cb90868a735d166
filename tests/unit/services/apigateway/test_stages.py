from __future__ import annotations

import pytest

from gatepost.services.apigateway.model import (
    BadRequestException,
    ConflictException,
    LimitExceededException,
    NotFoundException,
)
from tests.support.rest_apis import NOW_MS, Control, with_control


async def a_stage(control: Control, **params) -> dict:
    api = await control.an_api()
    await control.a_method(api)
    deployment = await control("CreateDeployment", restApiId=api["id"])
    stage = {"restApiId": api["id"], "stageName": "prod"}
    await control("CreateStage", **stage, deploymentId=deployment["id"], **params)
    return stage


def replace(path: str, value: str) -> dict:
    return {"op": "replace", "path": path, "value": value}


def test_a_stage_is_given_back_and_told_to_the_gateway(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        said = {"description": "live", "variables": {"a": "https://example.com/x?y=1,2"}, "tags": {"team": "shop"}}
        named = await a_stage(control, **said)
        stage = await control("GetStage", **named)
        assert stage == {
            **said,
            "stageName": "prod",
            "deploymentId": stage["deploymentId"],
            "cacheClusterEnabled": False,
            "cacheClusterStatus": "NOT_AVAILABLE",
            "methodSettings": {},
            "tracingEnabled": False,
            "createdDate": NOW_MS,
            "lastUpdatedDate": NOW_MS,
        }
        told = control.changes.held[f"{named['restApiId']}/prod"]
        assert told["stage"]["variables"] == said["variables"]
        assert told["deployment"]["id"] == stage["deploymentId"]

    with_control(tmp_path, scenario)


def test_what_is_published_on_start_is_what_was_told(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        for _ in range(3):
            await a_stage(control)
        published = {each.key: each.value for each in await control.provider.published()}
        assert published == control.changes.held
        assert len(published) == 3

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"stageName": "a/b"}, "Stage name only allows a-zA-Z0-9_-"),
        ({"stageName": ""}, "Stage name only allows"),
        ({"stageName": "a" * 129}, "at most 128"),
        ({"variables": {"": "1"}}, "Invalid stage variable name"),
        ({"variables": {"a" * 65: "1"}}, "Invalid stage variable name"),
        ({"variables": {"a": "b\n"}}, "Invalid stage variable value"),
        ({"variables": {"a": "b" * 513}}, "Invalid stage variable value"),
        ({"variables": {f"v{i}": "" for i in range(101)}}, "At most 100"),
        ({"cacheClusterEnabled": True, "cacheClusterSize": "0.7"}, "Invalid cache cluster size"),
        ({"canarySettings": {"percentTraffic": 100.1}}, "Invalid canary percent traffic 100.1"),
        ({"canarySettings": {"percentTraffic": -0.1}}, "Invalid canary percent traffic -0.1"),
        ({"canarySettings": {"stageVariableOverrides": {"a b": "1"}}}, "Invalid stage variable name"),
        ({"tags": {"": "x"}}, "Invalid tag key"),
    ],
)
def test_a_stage_that_cannot_be_is_refused(tmp_path, params: dict, words: str) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        await control.a_method(api)
        deployment = await control("CreateDeployment", restApiId=api["id"])
        with pytest.raises(BadRequestException, match=words):
            await control(
                "CreateStage",
                **{"restApiId": api["id"], "stageName": "prod", "deploymentId": deployment["id"], **params},
            )
        assert control.changes.told == []

    with_control(tmp_path, scenario)


def test_the_longest_names_and_values_are_taken(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_stage(control, variables={"a" * 64: "b" * 512})
        deployment_id = (await control("GetStage", **named))["deploymentId"]
        await control("CreateStage", **{**named, "stageName": "a" * 128}, deploymentId=deployment_id)

    with_control(tmp_path, scenario)


def test_a_stage_needs_its_api_and_deployment(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        with pytest.raises(NotFoundException, match="Invalid API identifier specified 000000000000:nothing"):
            await control("CreateStage", restApiId="nothing", stageName="prod", deploymentId="x")
        api = await control.an_api()
        with pytest.raises(NotFoundException, match="Invalid Deployment identifier specified"):
            await control("CreateStage", restApiId=api["id"], stageName="prod", deploymentId="x")

    with_control(tmp_path, scenario)


def test_a_stage_cannot_be_there_twice_and_no_api_has_eleven(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_stage(control)
        deployment_id = (await control("GetStage", **named))["deploymentId"]
        with pytest.raises(ConflictException, match="Stage already exists"):
            await control("CreateStage", **named, deploymentId=deployment_id)
        for index in range(9):
            await control("CreateStage", **{**named, "stageName": f"s{index}"}, deploymentId=deployment_id)
        with pytest.raises(LimitExceededException, match="Maximum number of stages"):
            await control("CreateStage", **{**named, "stageName": "s9"}, deploymentId=deployment_id)

    with_control(tmp_path, scenario)


def test_stages_are_listed_for_one_deployment_or_all(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_stage(control)
        api_id = named["restApiId"]
        other = await control("CreateDeployment", restApiId=api_id, stageName="beta")
        listed = await control("GetStages", restApiId=api_id)
        assert [each["stageName"] for each in listed["item"]] == ["beta", "prod"]
        listed = await control("GetStages", restApiId=api_id, deploymentId=other["id"])
        assert [each["stageName"] for each in listed["item"]] == ["beta"]

    with_control(tmp_path, scenario)


def test_a_stage_is_patched_and_the_gateway_is_told(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_stage(control, variables={"old": "1"})
        other = await control("CreateDeployment", restApiId=named["restApiId"])
        changed = await control(
            "UpdateStage",
            **named,
            patchOperations=[
                replace("/deploymentId", other["id"]),
                replace("/description", "new"),
                replace("/variables/new", "2"),
                {"op": "remove", "path": "/variables/old"},
                replace("/tracingEnabled", "false"),
                replace("/accessLogSettings/destinationArn", "arn:aws:logs:us-east-1:000000000000:log-group:x"),
                replace("/accessLogSettings/format", "$context.requestId $context.status"),
                replace("/cacheClusterEnabled", "false"),
                {"op": "remove", "path": "/accessLogSettings"},
                replace("/*/*/metrics/enabled", "true"),
            ],
        )
        assert (changed["deploymentId"], changed["description"]) == (other["id"], "new")
        assert changed["variables"] == {"new": "2"}
        assert changed["methodSettings"]["*/*"]["metricsEnabled"] is True
        told = control.changes.held[f"{named['restApiId']}/prod"]
        assert told["deployment"]["id"] == other["id"]
        assert told["stage"]["variables"] == {"new": "2"}

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    "patch",
    [
        replace("/tracingEnabled", "yes"),
        replace("/cacheClusterEnabled", "yes"),
        replace("/cacheClusterSize", "5"),
        replace("/clientCertificateId", "c"),
        replace("/accessLogSettings/destinationArn", "arn:aws:firehose:us-east-1:0:deliverystream/amazon-apigateway-x"),
        replace("/accessLogSettings/destinationArn", "arn:aws:s3:::bucket"),
        replace("/accessLogSettings/format", "$context.requestIdentity"),
        replace("/canarySettings/percentTraffic", "101"),
        replace("/canarySettings/percentTraffic", "nan"),
        replace("/canarySettings/percentTraffic", "much"),
        {"op": "remove", "path": "/canarySettings"},
        {"op": "copy", "path": "/deploymentId", "from": "/canarySettings/deploymentId"},
        {"op": "copy", "path": "/deploymentId", "from": "/description"},
        {"op": "copy", "path": "/variables", "from": "/canarySettings/stageVariableOverrides"},
        replace("/stageName", "other"),
        replace("/variables/a b", "1"),
        {"op": "remove", "path": "/variables/nothing"},
    ],
)
def test_a_patch_that_cannot_be_changes_nothing(tmp_path, patch: dict) -> None:
    async def scenario(control: Control) -> None:
        named = await a_stage(control)
        before, told = await control("GetStage", **named), len(control.changes.told)
        with pytest.raises(BadRequestException):
            await control("UpdateStage", **named, patchOperations=[replace("/description", "x"), patch])
        assert await control("GetStage", **named) == before
        assert len(control.changes.told) == told

    with_control(tmp_path, scenario)


def test_a_stage_cannot_be_pointed_at_nothing(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_stage(control)
        with pytest.raises(NotFoundException, match="Invalid Deployment identifier specified"):
            await control("UpdateStage", **named, patchOperations=[replace("/deploymentId", "nothing")])

    with_control(tmp_path, scenario)


def test_a_deleted_stage_is_gone_from_the_gateway(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_stage(control)
        await control("DeleteStage", **named)
        assert control.changes.held == {}
        for operation in ("GetStage", "DeleteStage", "UpdateStage"):
            with pytest.raises(NotFoundException, match="Invalid stage identifier specified"):
                await control(operation, **named)

    with_control(tmp_path, scenario)
