"""Stages: named pointers from an API to a deployment, what they add to it, and how the gateway is told."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.arn import parse_arn
from gatepost.kernel.operations import Call, Change, RecordKey
from gatepost.kernel.ports import Publisher
from gatepost.services.apigateway.canaries import CANARY_PATCHES, canary_from_aws
from gatepost.services.apigateway.deployment import (
    REST_API_STAGE,
    CanarySettings,
    Deployment,
    StageSettings,
    deployment_from_json,
    deployment_to_json,
    stage_to_json,
)
from gatepost.services.apigateway.model import (
    DEPLOYMENT_CONTENT,
    STAGE,
    BadRequestException,
    ConflictException,
    LimitExceededException,
    Stage,
)
from gatepost.services.apigateway.patches import Patch, PatchTable, boolean, one_of, rule, set_entry, text_map
from gatepost.services.apigateway.records import ApiRecords, touch
from gatepost.services.apigateway.stage_settings import METHOD_SETTING_PATCHES
from gatepost.services.apigateway.support import check_supported
from gatepost.services.apigateway.tag_limits import check_tags
from gatepost.storage.base import Records, Write

log = logging.getLogger(__name__)

STAGE_NAME_CHARACTERS_MAX: Final = 128
VARIABLE_NAME_CHARACTERS_MAX: Final = 64
VARIABLE_VALUE_CHARACTERS_MAX: Final = 512
VARIABLES_MAX: Final = 100

_REQUEST_ID: Final = re.compile(r"\$\{?context\.(?:requestId|extendedRequestId)\b")
_STAGE_NAME: Final = re.compile(r"[a-zA-Z0-9_-]+")
_VARIABLE_NAME: Final = re.compile(r"[a-zA-Z0-9_]+")
_VARIABLE_VALUE: Final = re.compile(r"[A-Za-z0-9\-._~:/?#&=,]*")
CACHE_SIZES: Final = ("0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237")
CACHE_SIZE_DEFAULT: Final = "0.5"


class Stages:
    """The operations on stages."""

    def __init__(self, records: ApiRecords, publisher: Publisher) -> None:
        self._records = records
        self._publisher = publisher

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Point a new stage at a deployment and tell the gateway.

        Raises: NotFoundException, BadRequestException, ConflictException, LimitExceededException.
        """
        api_id = params["restApiId"]
        check_tags(params.get("tags", {}))
        settings = StageSettings(
            stage_name=params["stageName"],
            deployment_id=params["deploymentId"],
            variables=params.get("variables", {}),
            is_tracing_enabled=params.get("tracingEnabled", False),
            description=params.get("description", ""),
            tags=params.get("tags", {}),
            canary=_canary_from_aws(params),
            documentation_version=params.get("documentationVersion", ""),
            **cache_cluster_from_aws(params),
        )
        check_stage(settings)

        async def attempt() -> dict[str, Any]:
            await self._records.api(call, api_id)
            touches = await self._pointed_at(call, api_id, settings)
            stage = Stage(api_id, settings, created_at_ms=call.now_ms, updated_at_ms=call.now_ms)
            write = await new_stage(self._records, call, stage)
            change = stage_change(stage, *await contents_of(self._records, call, stage))
            await self._records.store.commit((*touches, write))
            await self._publisher.publish(change)
            return stage.to_aws()

        return await self._records.changing(call, api_id, attempt)

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a stage. Raises: NotFoundException."""
        await self._records.api(call, params["restApiId"])
        return (await self._records.stage(call, params["restApiId"], params["stageName"])).value.to_aws()

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give an API's stages, of one deployment when it is named. Raises: NotFoundException."""
        await self._records.api(call, params["restApiId"])
        stages = [each.value for each in await self._records.stages(call, params["restApiId"])]
        wanted = params.get("deploymentId")
        return {"item": [each.to_aws() for each in stages if wanted in (None, each.settings.deployment_id)]}

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a stage and tell the gateway. Raises: NotFoundException, BadRequestException."""
        api_id = params["restApiId"]

        async def attempt() -> dict[str, Any]:
            await self._records.api(call, api_id)
            held = await self._records.stage(call, api_id, params["stageName"])
            settings = _PATCHES.apply(held.value.settings, params)
            check_stage(settings)
            touches = await self._pointed_at(call, api_id, settings)
            stage = replace(held.value, settings=settings, updated_at_ms=call.now_ms)
            change = stage_change(stage, *await contents_of(self._records, call, stage))
            await self._records.store.commit((*touches, touch(held, stage.to_json())))
            await self._publisher.publish(change)
            return stage.to_aws()

        return await self._records.changing(call, api_id, attempt)

    async def flush(self, call: Call, params: Mapping[str, Any], counter: str) -> None:
        """Make void what was cached for a stage, and tell the gateway: `counter` is the setting that counts flushes.

        Raises: NotFoundException.
        """
        api_id = params["restApiId"]

        async def attempt() -> None:
            await self._records.api(call, api_id)
            held = await self._records.stage(call, api_id, params["stageName"])
            flushed: Any = {counter: getattr(held.value.settings, counter) + 1}
            stage = replace(held.value, settings=replace(held.value.settings, **flushed))
            change = stage_change(stage, *await contents_of(self._records, call, stage))
            await self._records.store.commit((touch(held, stage.to_json()),))
            await self._publisher.publish(change)

        await self._records.changing(call, api_id, attempt)

    async def _pointed_at(self, call: Call, api_id: str, settings: StageSettings) -> tuple[Write, ...]:
        """Check what a stage names, and give writes that keep it: what is deleted at this moment is missed.

        Raises: NotFoundException, BadRequestException.
        """
        if settings.client_certificate_id:
            await self._records.check_client_certificate(call, settings.client_certificate_id)
        if settings.documentation_version:
            await self._records.documentation_version(call, api_id, settings.documentation_version)
        ids = dict.fromkeys(deployment_ids(settings))
        heads = [await self._records.deployment(call, api_id, deployment_id) for deployment_id in ids]
        return tuple(touch(head, head.value.to_json()) for head in heads)

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete a stage and take it from the gateway. Raises: NotFoundException."""
        api_id = params["restApiId"]

        async def attempt() -> None:
            await self._records.api(call, api_id)
            held = await self._records.stage(call, api_id, params["stageName"])
            await self._records.store.delete(held.key, expected_version=held.version)
            await self._publisher.publish(Change(REST_API_STAGE, held.key.id, None))

        await self._records.changing(call, api_id, attempt)


async def new_stage(records: ApiRecords, call: Call, stage: Stage) -> Write:
    """Give the write that creates `stage`. Raises: ConflictException, LimitExceededException."""
    key = call.key(STAGE, f"{stage.api_id}/{stage.settings.stage_name}")
    names = {each.key.id for each in await records.stages(call, stage.api_id)}
    if key.id in names:
        raise ConflictException("Stage already exists")
    if len(names) >= records.limits.stages_per_api:
        raise LimitExceededException(
            "Maximum number of stages for this API has been reached. Please contact AWS if you need additional stages."
        )
    return Write(key, stage.to_json(), 0)


def check_stage(settings: StageSettings) -> None:
    """Check a stage's name and variables. Raises: BadRequestException."""
    if not _STAGE_NAME.fullmatch(settings.stage_name):
        raise BadRequestException("Stage name only allows a-zA-Z0-9_-")
    if len(settings.stage_name) > STAGE_NAME_CHARACTERS_MAX:
        raise BadRequestException(f"Stage name must have at most {STAGE_NAME_CHARACTERS_MAX} characters")
    if settings.is_cache_cluster_enabled and settings.cache_cluster_size not in CACHE_SIZES:
        raise BadRequestException(f"Invalid cache cluster size specified. Must be one of: [{', '.join(CACHE_SIZES)}]")
    check_variables(settings.variables)
    if settings.canary is not None:
        check_variables(settings.canary.stage_variable_overrides)


def check_variables(variables: Mapping[str, str]) -> None:
    """Check stage variables, or what a canary puts over them. Raises: BadRequestException."""
    if len(variables) > VARIABLES_MAX:
        raise BadRequestException(f"At most {VARIABLES_MAX} stage variables are allowed")
    for name, value in variables.items():
        if not _VARIABLE_NAME.fullmatch(name) or len(name) > VARIABLE_NAME_CHARACTERS_MAX:
            raise BadRequestException(f"Invalid stage variable name: {name}. Please use alphanumerics and underscores.")
        if not _VARIABLE_VALUE.fullmatch(value) or len(value) > VARIABLE_VALUE_CHARACTERS_MAX:
            raise BadRequestException(
                f"Invalid stage variable value: {value}. Please use values with alphanumeric characters and the "
                "symbols ' ', -', '.', '_', ':', '/', '?', '&', '=', and ','."
            )


def stage_change(stage: Stage, content: Deployment, canary: Deployment | None = None) -> Change:
    """Give what the gateway should hold of a stage from now on."""
    key = f"{stage.api_id}/{stage.settings.stage_name}"
    value = {"deployment": deployment_to_json(content), "stage": stage_to_json(stage.settings)}
    if canary is not None:
        value["canary"] = deployment_to_json(canary)
    return Change(REST_API_STAGE, key, value)


async def all_stage_changes(store: Records) -> list[Change]:
    """Give what the gateway should hold of every stage, of all accounts and regions."""
    changes = []
    contents: dict[RecordKey, Deployment] = {}
    for record in await store.scan(STAGE):
        stage = Stage.from_json(record.value)
        found = []
        for deployment_id in deployment_ids(stage.settings):
            key = record.key._replace(kind=DEPLOYMENT_CONTENT, id=f"{stage.api_id}/{deployment_id}")
            if key not in contents and (content := await store.get(key)) is not None:
                contents[key] = deployment_from_json(content.value)
            found.append(contents.get(key))
        if found[0] is None or None in found:
            log.error("stage without its deployment", extra={"stage": record.key.id})
            continue
        changes.append(stage_change(stage, found[0], *found[1:]))
    return changes


def deployment_ids(settings: StageSettings) -> tuple[str, ...]:
    """Give the deployments that a stage points at: its own, and that of its canary if it has one."""
    canary = settings.canary
    return (settings.deployment_id,) if canary is None else (settings.deployment_id, canary.deployment_id)


async def contents_of(records: ApiRecords, call: Call, stage: Stage) -> list[Deployment]:
    """Give the frozen content of each deployment that a stage points at. Raises: NotFoundException."""
    return [await records.content(call, stage.api_id, each) for each in deployment_ids(stage.settings)]


def cache_cluster_from_aws(params: Mapping[str, Any]) -> dict[str, Any]:
    """Read the cache cluster that CreateStage and CreateDeployment ask for."""
    is_enabled = params.get("cacheClusterEnabled", False)
    size = params.get("cacheClusterSize", CACHE_SIZE_DEFAULT if is_enabled else "")
    return {"is_cache_cluster_enabled": is_enabled, "cache_cluster_size": size}


def _canary_from_aws(params: Mapping[str, Any]) -> CanarySettings | None:
    given = params.get("canarySettings")
    return canary_from_aws(given, given.get("deploymentId") or params["deploymentId"]) if given else None


def _variable(settings: StageSettings, patch: Patch) -> StageSettings:
    return replace(settings, variables=set_entry(settings.variables, patch, patch.value))


def _tracing(settings: StageSettings, patch: Patch) -> StageSettings:
    return replace(settings, is_tracing_enabled=boolean(patch))


def _all_method_settings(settings: StageSettings, patch: Patch) -> StageSettings:
    check_supported("methodSettings as a whole", patch.value or patch.path)
    return settings


def _cache_cluster(settings: StageSettings, patch: Patch) -> StageSettings:
    size = settings.cache_cluster_size or CACHE_SIZE_DEFAULT
    return replace(settings, is_cache_cluster_enabled=boolean(patch), cache_cluster_size=size)


def _certificate(settings: StageSettings, patch: Patch) -> StageSettings:
    return replace(settings, client_certificate_id=patch.value)


def _access_log(settings: StageSettings, patch: Patch) -> StageSettings:
    if patch.op == "remove":
        keeps = patch.path.rpartition("/")[2]
        return replace(
            settings,
            access_log_destination_arn=settings.access_log_destination_arn if keeps == "format" else "",
            access_log_format=settings.access_log_format if keeps == "destinationArn" else "",
        )
    if patch.path.endswith("/format"):
        if not _REQUEST_ID.search(patch.value):  # AWS: "Access log format must have at least …"
            raise BadRequestException(
                "Access log format must be single line, new line character is allowed only at end of the format, and "
                "must contain at least $context.requestId or $context.extendedRequestId"
            )
        return replace(settings, access_log_format=patch.value)
    parsed = parse_arn(patch.value)
    if parsed is not None and parsed.service == "firehose":
        check_supported("accessLogSettings.destinationArn of Firehose", patch.value)
    if parsed is None or parsed.service != "logs" or not parsed.resource.startswith("log-group:"):
        raise BadRequestException(f"Invalid ARN specified in the request. ARNs must start with 'arn:': {patch.value}")
    return replace(settings, access_log_destination_arn=patch.value)


_PATCHES: Final[PatchTable[StageSettings]] = PatchTable(
    (
        rule("/deploymentId", "replace", lambda held, patch: replace(held, deployment_id=patch.value)),
        rule("/description", "replace", lambda held, patch: replace(held, description=patch.value)),
        rule("/variables", "replace", lambda held, patch: replace(held, variables=text_map(patch))),
        rule("/variables", "remove", lambda held, _patch: replace(held, variables={})),
        rule("/variables/*", "add replace remove", _variable),
        rule("/tracingEnabled", "replace", _tracing),
        rule("/methodSettings", "replace", _all_method_settings),
        rule("/accessLogSettings/destinationArn", "add replace remove", _access_log),
        rule("/accessLogSettings/format", "add replace remove", _access_log),
        rule("/accessLogSettings", "remove", _access_log),
        rule("/cacheClusterEnabled", "replace", _cache_cluster),
        rule(
            "/cacheClusterSize",
            "replace",
            lambda held, patch: replace(held, cache_cluster_size=one_of(patch, CACHE_SIZES)),
        ),
        rule("/clientCertificateId", "replace", _certificate),
        rule(
            "/documentationVersion",
            "replace",
            lambda held, patch: replace(held, documentation_version=patch.value),
        ),
        *CANARY_PATCHES,
        *METHOD_SETTING_PATCHES,
    )
)
