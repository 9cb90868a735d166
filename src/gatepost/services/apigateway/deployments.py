"""Deployments: the frozen snapshots of an API that stages point at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.ids import random_id
from gatepost.kernel.operations import Call
from gatepost.kernel.ports import Publisher
from gatepost.services.apigateway.canaries import canary_from_aws
from gatepost.services.apigateway.deployment import Deployment, StageSettings, deployment_to_json
from gatepost.services.apigateway.integrations import check_integration, check_integration_response_of
from gatepost.services.apigateway.methods import check_method
from gatepost.services.apigateway.model import (
    DEPLOYMENT,
    DEPLOYMENT_CONTENT,
    BadRequestException,
    Definition,
    DeploymentHead,
    NotFoundException,
    RestApi,
    Stage,
)
from gatepost.services.apigateway.patches import PatchTable, rule
from gatepost.services.apigateway.records import ApiRecords, touch
from gatepost.services.apigateway.stages import (
    cache_cluster_from_aws,
    check_stage,
    deployment_ids,
    new_stage,
    stage_change,
)
from gatepost.storage.base import Write


class Deployments:
    """The operations on deployments."""

    def __init__(self, records: ApiRecords, publisher: Publisher) -> None:
        self._records = records
        self._publisher = publisher

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Freeze an API; with `stageName` point that stage at it, new or not, and tell the gateway.

        Raises: NotFoundException, BadRequestException, LimitExceededException, ConflictException.
        """
        api_id = params["restApiId"]
        if params.get("canarySettings") and not params.get("stageName"):
            raise BadRequestException(
                "Invalid deployment content specified.Non null and non empty stageName must be provided for canary "
                "settings."
            )

        async def attempt() -> dict[str, Any]:
            api = await self._records.api(call, api_id)
            definition = (await self._records.definition(call, api_id)).value
            if api.value.endpoint_type == "PRIVATE" and not api.value.policy:
                raise BadRequestException("Private REST API doesn't have a resource policy attached to it")
            check_deployable(definition, self._records.limits.timeout_ms_max(api.value.endpoint_type))
            content = freeze(call, api.value, definition, random_id(6), params.get("description", ""))
            head = DeploymentHead(content.id, api_id, call.now_ms, content.description)
            writes = [
                touch(api, api.value.to_json()),  # an API that is deleted at this moment is missed
                Write(call.key(DEPLOYMENT, f"{api_id}/{content.id}"), head.to_json(), 0),
                Write(call.key(DEPLOYMENT_CONTENT, f"{api_id}/{content.id}"), deployment_to_json(content), 0),
            ]
            change = None
            if stage_name := params.get("stageName"):
                stage, write = await self._staged(call, params, content, stage_name)
                writes.append(write)
                others = [each for each in deployment_ids(stage.settings) if each != content.id]
                known = {each: await self._records.content(call, api_id, each) for each in others}
                known[content.id] = content
                change = stage_change(stage, *(known[each] for each in deployment_ids(stage.settings)))
            await self._records.store.commit(writes)
            if change is not None:
                await self._publisher.publish(change)
            return head.to_aws()

        return await self._records.changing(call, api_id, attempt)

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a deployment; with `embed` apisummary also its methods. Raises: NotFoundException."""
        api_id, deployment_id = params["restApiId"], params["deploymentId"]
        await self._records.api(call, api_id)
        shape = (await self._records.deployment(call, api_id, deployment_id)).value.to_aws()
        if "apisummary" in params.get("embed", ()):
            shape["apiSummary"] = _summary(await self._records.content(call, api_id, deployment_id))
        return shape

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of an API's deployments, by id. Raises: NotFoundException, BadRequestException."""
        api_id = params["restApiId"]
        await self._records.api(call, api_id)
        page, position = await self._records.page(call, DEPLOYMENT, params, prefix=f"{api_id}/")
        return {"items": [DeploymentHead.from_json(each.value).to_aws() for each in page]} | position

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Change a deployment's description, never its content. Raises: NotFoundException, BadRequestException."""
        api_id = params["restApiId"]

        async def attempt() -> dict[str, Any]:
            await self._records.api(call, api_id)
            held = await self._records.deployment(call, api_id, params["deploymentId"])
            changed = _PATCHES.apply(held.value, params)
            await self._records.store.commit((touch(held, changed.to_json()),))
            return changed.to_aws()

        return await self._records.changing(call, api_id, attempt)

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete a deployment that no stage points at. Raises: NotFoundException, BadRequestException."""
        api_id, deployment_id = params["restApiId"], params["deploymentId"]

        async def attempt() -> None:
            await self._records.api(call, api_id)
            held = await self._records.deployment(call, api_id, deployment_id)
            stages = await self._records.stages(call, api_id)
            if any(each.value.settings.deployment_id == deployment_id for each in stages):
                raise BadRequestException("Active stages pointing to this deployment must be moved or deleted")
            if any(deployment_id in deployment_ids(each.value.settings) for each in stages):
                raise BadRequestException(
                    "Active stages with canary settings pointing to this deployment must be moved or deleted"
                )
            content = call.key(DEPLOYMENT_CONTENT, held.key.id)
            await self._records.store.commit((Write(held.key, None, held.version), Write(content, None)))

        await self._records.changing(call, api_id, attempt)

    async def _staged(
        self, call: Call, params: Mapping[str, Any], content: Deployment, stage_name: str
    ) -> tuple[Stage, Write]:
        """Give the stage that points at `content` from now on, with its write."""
        try:
            held = await self._records.stage(call, content.api_id, stage_name)
        except NotFoundException:
            if params.get("canarySettings"):
                raise BadRequestException(
                    f"Canary settings need a stage that is there already: {stage_name} is not"
                ) from None
            settings = StageSettings(
                stage_name=stage_name,
                deployment_id=content.id,
                variables=params.get("variables", {}),
                description=params.get("stageDescription", ""),
                is_tracing_enabled=params.get("tracingEnabled", False),
                **cache_cluster_from_aws(params),
            )
            check_stage(settings)
            stage = Stage(content.api_id, settings, created_at_ms=call.now_ms, updated_at_ms=call.now_ms)
            return stage, await new_stage(self._records, call, stage)
        settings = replace(
            held.value.settings,
            variables={**held.value.settings.variables, **params.get("variables", {})},
            description=params.get("stageDescription", held.value.settings.description),
        )
        if "tracingEnabled" in params:
            settings = replace(settings, is_tracing_enabled=params["tracingEnabled"])
        if "cacheClusterEnabled" in params:
            settings = replace(settings, **cache_cluster_from_aws(params))
        if given := params.get("canarySettings"):  # the stage itself stays where it is
            settings = replace(settings, canary=canary_from_aws(given, content.id))
        else:
            settings = replace(settings, deployment_id=content.id)
        check_stage(settings)
        stage = replace(held.value, settings=settings, updated_at_ms=call.now_ms)
        return stage, touch(held, stage.to_json())


def check_deployable(definition: Definition, timeout_ms_max: int) -> None:
    """Check that everything in an API can work, so that a stage never meets what was refused before.

    Raises: BadRequestException, NotFoundException.
    """
    methods = [method for resource in definition.resources.values() for method in resource.methods]
    if not methods:
        raise BadRequestException("The REST API doesn't contain any methods")
    if any(method.integration is None for method in methods):
        raise BadRequestException("No integration defined for method")
    for method in methods:
        check_method(definition, method)
        if method.integration is not None:
            check_integration(method, method.integration, timeout_ms_max)
            for response in method.integration.responses:
                check_integration_response_of(method, method.integration, response)


def freeze(call: Call, api: RestApi, definition: Definition, deployment_id: str, description: str) -> Deployment:
    """Take the snapshot of an API that stages point at."""
    return Deployment(
        id=deployment_id,
        api_id=api.id,
        api_name=api.name,
        account_id=call.account_id,
        region=call.region,
        root_resource_id=api.root_resource_id,
        created_at_ms=call.now_ms,
        description=description,
        endpoint_types=(api.endpoint_type,),
        is_execute_api_endpoint_disabled=api.is_execute_api_endpoint_disabled,
        api_key_source=api.api_key_source,
        binary_media_types=api.binary_media_types,
        minimum_compression_bytes=api.minimum_compression_bytes,
        resource_policy=api.policy,
        resources=tuple(sorted(definition.resources.values(), key=lambda each: each.path)),
        gateway_responses=tuple(definition.gateway_responses.values()),
        request_validators=tuple(definition.request_validators.values()),
        authorizers=tuple(definition.authorizers.values()),
        models=tuple(definition.models.values()),
    )


def _summary(content: Deployment) -> dict[str, Any]:
    return {
        resource.path: {
            method.http_method: {
                "authorizationType": method.authorization_type,
                "apiKeyRequired": method.api_key_required,
            }
            for method in resource.methods
        }
        for resource in content.resources
        if resource.methods
    }


_PATCHES: Final[PatchTable[DeploymentHead]] = PatchTable(
    (rule("/description", "replace", lambda held, patch: replace(held, description=patch.value)),)
)
