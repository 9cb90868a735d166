"""AWS::ApiGateway::Deployment and Stage by API Gateway's operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.templates.resources.apigateway import patch, pointer
from gatepost.templates.resources.base import Outcome, ResourceHandler, Work
from gatepost.templates.resources.changes import Unnamed, present, tag_changes, tag_map, unless_gone

# Member of MethodSettings -> path of its patch below /{resource}/{verb}.
_METHOD_SETTINGS: Final = {
    "CacheDataEncrypted": "caching/dataEncrypted",
    "CacheTtlInSeconds": "caching/ttlInSeconds",
    "CachingEnabled": "caching/enabled",
    "DataTraceEnabled": "logging/dataTrace",
    "LoggingLevel": "logging/loglevel",
    "MetricsEnabled": "metrics/enabled",
    "ThrottlingBurstLimit": "throttling/burstLimit",
    "ThrottlingRateLimit": "throttling/rateLimit",
}


class Deployment(Unnamed):
    """AWS::ApiGateway::Deployment: a snapshot. It never changes; a new logical id makes a new one."""

    def replacing(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
        """Give the stage's properties: the stage that a deployment makes is made once."""
        return tuple(key for key in ("StageName", "StageDescription") if before.get(key) != after.get(key))

    async def create(self, work: Work) -> Outcome:
        """Freeze the API as it stands, and make or move the stage that is named."""
        properties = work.properties
        stage = properties.get("StageDescription") or {}
        made = await work.invoke(
            "apigateway",
            "CreateDeployment",
            present(
                restApiId=properties["RestApiId"],
                description=properties.get("Description"),
                stageName=properties.get("StageName"),
                stageDescription=stage.get("Description"),
                variables=stage.get("Variables"),
                cacheClusterEnabled=stage.get("CacheClusterEnabled"),
                cacheClusterSize=stage.get("CacheClusterSize"),
                tracingEnabled=stage.get("TracingEnabled"),
                canarySettings=_canary(properties.get("DeploymentCanarySettings")),
            ),
        )
        await work.made(made["id"])
        if properties.get("StageName"):
            operations = stage_patches({}, stage)
            if "DocumentationVersion" in stage:
                operations.append(patch("replace", "/documentationVersion", stage["DocumentationVersion"]))
            everywhere = {key: stage[key] for key in _METHOD_SETTINGS if key in stage}
            if everywhere:
                operations.extend(_method_setting_patches({"ResourcePath": "/*", "HttpMethod": "*", **everywhere}))
            if operations:
                place = {"restApiId": properties["RestApiId"], "stageName": properties["StageName"]}
                await work.invoke("apigateway", "UpdateStage", {**place, "patchOperations": operations})
        return Outcome(made["id"], {"DeploymentId": made["id"]})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change the description."""
        if work.changed("Description"):
            operations = [patch("replace", "/description", work.properties.get("Description", ""))]
            parameters = {"restApiId": work.properties["RestApiId"], "deploymentId": physical_id}
            await work.invoke("apigateway", "UpdateDeployment", {**parameters, "patchOperations": operations})
        return Outcome(physical_id, {"DeploymentId": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the snapshot, after the stage that it made unless that one points elsewhere by now."""
        api_id = work.properties["RestApiId"]
        stage_name = work.properties.get("StageName")
        if stage_name:
            place = {"restApiId": api_id, "stageName": stage_name}
            stages: list[dict[str, Any]] = []

            async def look() -> None:
                stages.append(await work.invoke("apigateway", "GetStage", place))

            if await unless_gone(look()) and stages[0].get("deploymentId") == physical_id:
                await unless_gone(work.invoke("apigateway", "DeleteStage", place))
        parameters = {"restApiId": api_id, "deploymentId": physical_id}
        await unless_gone(work.invoke("apigateway", "DeleteDeployment", parameters))


class Stage(Unnamed):
    """AWS::ApiGateway::Stage."""

    name_property = "StageName"

    async def create(self, work: Work) -> Outcome:
        """Make the stage, then patch what CreateStage does not take."""
        properties = work.properties
        name = properties.get("StageName") or work.stable()
        await work.initiated(name)
        await work.invoke(
            "apigateway",
            "CreateStage",
            present(
                restApiId=properties["RestApiId"],
                stageName=name,
                deploymentId=properties.get("DeploymentId"),
                description=properties.get("Description"),
                variables=properties.get("Variables"),
                tracingEnabled=properties.get("TracingEnabled"),
                cacheClusterEnabled=properties.get("CacheClusterEnabled"),
                cacheClusterSize=properties.get("CacheClusterSize"),
                documentationVersion=properties.get("DocumentationVersion"),
                tags=tag_map(properties) or None,
            ),
        )
        await work.made(name)
        await self._patch(work, name, stage_patches({}, properties))
        return Outcome(name)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Move the stage to its deployment and patch its settings, beginning at what stands."""
        place = {"restApiId": work.properties["RestApiId"], "stageName": physical_id}
        standing = await work.invoke("apigateway", "GetStage", place)
        operations = []
        for key, path, default in (
            ("DeploymentId", "/deploymentId", ""),
            ("Description", "/description", ""),
            ("TracingEnabled", "/tracingEnabled", False),
            ("CacheClusterEnabled", "/cacheClusterEnabled", False),
            ("CacheClusterSize", "/cacheClusterSize", "0.5"),
            ("DocumentationVersion", "/documentationVersion", ""),
        ):
            if work.changed(key):
                operations.append(patch("replace", path, work.properties.get(key, default)))
        old, new = standing.get("variables") or {}, work.properties.get("Variables") or {}
        operations.extend(patch("remove", f"/variables/{pointer(key)}") for key in old if key not in new)
        operations.extend(
            patch("replace", f"/variables/{pointer(key)}", value) for key, value in new.items() if old.get(key) != value
        )
        keys = frozenset(standing.get("methodSettings") or {})
        operations.extend(stage_patches(work.before, work.properties, standing=keys))
        await self._patch(work, physical_id, operations)
        await self._tag(work, physical_id)
        return Outcome(physical_id)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the stage."""
        parameters = {"restApiId": work.properties["RestApiId"], "stageName": physical_id}
        await unless_gone(work.invoke("apigateway", "DeleteStage", parameters))

    async def _patch(self, work: Work, name: str, operations: list[dict[str, str]]) -> None:
        if operations:
            parameters = {"restApiId": work.properties["RestApiId"], "stageName": name}
            await work.invoke("apigateway", "UpdateStage", {**parameters, "patchOperations": operations})

    async def _tag(self, work: Work, name: str) -> None:
        added, gone = tag_changes(work.before, work.properties)
        arn = f"arn:aws:apigateway:{work.region}::/restapis/{work.properties['RestApiId']}/stages/{name}"
        if added:
            await work.invoke("apigateway", "TagResource", {"resourceArn": arn, "tags": added})
        if gone:
            await work.invoke("apigateway", "UntagResource", {"resourceArn": arn, "tagKeys": gone})


def stage_patches(
    before: Mapping[str, Any], after: Mapping[str, Any], *, standing: frozenset[str] | None = None
) -> list[dict[str, str]]:
    """Give the patches for access log and method settings; `standing` are the keys that can be removed."""
    operations = []
    if before.get("AccessLogSetting") != after.get("AccessLogSetting"):
        setting = after.get("AccessLogSetting")
        if not setting:
            operations.append(patch("remove", "/accessLogSettings"))
        else:
            for key, path in (("DestinationArn", "destinationArn"), ("Format", "format")):
                if key in setting:
                    operations.append(patch("replace", f"/accessLogSettings/{path}", setting[key]))
    if before.get("ClientCertificateId") != after.get("ClientCertificateId"):
        operations.append(patch("replace", "/clientCertificateId", after.get("ClientCertificateId", "")))
    operations.extend(_canary_patches(before.get("CanarySetting"), after.get("CanarySetting")))
    old = {_setting_key(setting): setting for setting in before.get("MethodSettings", [])}
    new = {_setting_key(setting): setting for setting in after.get("MethodSettings", [])}
    gone = [key for key in old if old[key] != new.get(key) and (standing is None or key in standing)]
    operations.extend(patch("remove", f"/{key}") for key in gone)
    for key, setting in new.items():
        if old.get(key) != setting:
            operations.extend(_method_setting_patches(setting))
    return operations


def _canary(declared: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Give a deployment's canary settings with the operation's names."""
    if not declared:
        return None
    return present(
        percentTraffic=declared.get("PercentTraffic"),
        stageVariableOverrides=declared.get("StageVariableOverrides"),
        useStageCache=declared.get("UseStageCache"),
    )


def _canary_patches(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """Give the patches for a stage's canary: the old one goes, the new one is made anew."""
    if before == after:
        return []
    operations = [patch("remove", "/canarySettings")] if before else []
    if after:
        operations.append(patch("replace", "/canarySettings/percentTraffic", after.get("PercentTraffic", 0)))
        if "DeploymentId" in after:
            operations.append(patch("replace", "/canarySettings/deploymentId", after["DeploymentId"]))
        if "UseStageCache" in after:
            operations.append(patch("replace", "/canarySettings/useStageCache", after["UseStageCache"]))
        for name, value in after.get("StageVariableOverrides", {}).items():
            path = f"/canarySettings/stageVariableOverrides/{pointer(name)}"
            operations.append(patch("replace", path, value))
    return operations


def _setting_key(setting: Mapping[str, Any]) -> str:
    """Give the key of a method's settings as a patch path: `~1orders/GET`, `*/*`.

    In a template the resource's path is written with its slashes (`/orders`) or escaped (`/~1orders`).
    """
    path = str(setting.get("ResourcePath", "/*"))
    verb = str(setting.get("HttpMethod", "*"))
    if path in ("/*", "*"):
        return f"*/{verb}"
    if "~1" in path:
        return f"{path.removeprefix('/')}/{verb}"
    return f"{pointer(path)}/{verb}"


def _method_setting_patches(setting: Mapping[str, Any]) -> list[dict[str, str]]:
    key = _setting_key(setting)
    return [
        patch("replace", f"/{key}/{path}", setting[member])
        for member, path in _METHOD_SETTINGS.items()
        if member in setting
    ]


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of deployments and stages by type."""
    return {"AWS::ApiGateway::Deployment": Deployment(), "AWS::ApiGateway::Stage": Stage()}
