"""The operations on documentation versions: frozen sets of parts that stages and exports name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.limits import API_GATEWAY_DOCUMENTATION_VERSIONS_PER_API_MAX
from gatepost.kernel.operations import Call
from gatepost.kernel.ports import Publisher
from gatepost.services.apigateway.documentation_model import DOCUMENTATION_VERSION, DocumentationVersion
from gatepost.services.apigateway.documentation_parts import DocumentationParts
from gatepost.services.apigateway.model import BadRequestException, ConflictException, LimitExceededException
from gatepost.services.apigateway.patches import PatchTable, rule
from gatepost.services.apigateway.records import ApiRecords, touch
from gatepost.services.apigateway.stages import contents_of, stage_change
from gatepost.storage.base import Write

_VERSION: Final = re.compile(r"[^\s/]{1,64}")  # unverified


class DocumentationVersions:
    """The operations on documentation versions."""

    def __init__(self, records: ApiRecords, parts: DocumentationParts, publisher: Publisher) -> None:
        self._records = records
        self._parts = parts
        self._publisher = publisher

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Freeze what is said about an API; with `stageName` the stage names it from now on.

        Raises: NotFoundException, BadRequestException, ConflictException, LimitExceededException.
        """
        api_id, name = params["restApiId"], params["documentationVersion"]
        if not _VERSION.fullmatch(name):
            raise BadRequestException("Invalid documentation version: use 1 to 64 characters, no spaces or slashes")

        async def attempt() -> dict[str, Any]:
            api = await self._records.api(call, api_id)
            parts = tuple((await self._parts.documentation(call, api_id)).parts.values())
            version = DocumentationVersion(name, call.now_ms, params.get("description", ""), parts)
            writes = [touch(api, api.value.to_json()), await self._new(call, api_id, version)]
            change = None
            if stage_name := params.get("stageName"):
                held = await self._records.stage(call, api_id, stage_name)
                settings = replace(held.value.settings, documentation_version=name)
                stage = replace(held.value, settings=settings, updated_at_ms=call.now_ms)
                change = stage_change(stage, *await contents_of(self._records, call, stage))
                writes.append(touch(held, stage.to_json()))
            await self._records.store.commit(writes)
            if change is not None:
                await self._publisher.publish(change)
            return version.to_aws()

        return await self._records.changing(call, api_id, attempt)

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a version. Raises: NotFoundException."""
        api_id = params["restApiId"]
        await self._records.api(call, api_id)
        held = await self._records.documentation_version(call, api_id, params["documentationVersion"])
        return held.value.to_aws()

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of an API's versions, by name. Raises: NotFoundException, BadRequestException."""
        api_id = params["restApiId"]
        await self._records.api(call, api_id)
        page, position = await self._records.page(call, DOCUMENTATION_VERSION, params, prefix=f"{api_id}/")
        return {"items": [DocumentationVersion.from_json(each.value).to_aws() for each in page]} | position

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Change a version's description, never its parts. Raises: NotFoundException, BadRequestException."""
        api_id = params["restApiId"]

        async def attempt() -> dict[str, Any]:
            await self._records.api(call, api_id)
            held = await self._records.documentation_version(call, api_id, params["documentationVersion"])
            changed = PATCHES.apply(held.value, params)
            await self._records.store.commit((touch(held, changed.to_json()),))
            return changed.to_aws()

        return await self._records.changing(call, api_id, attempt)

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete a version that no stage names. Raises: NotFoundException, BadRequestException."""
        api_id, name = params["restApiId"], params["documentationVersion"]

        async def attempt() -> None:
            await self._records.api(call, api_id)
            held = await self._records.documentation_version(call, api_id, name)
            stages = await self._records.stages(call, api_id)
            if any(each.value.settings.documentation_version == name for each in stages):
                raise BadRequestException(
                    "Active stages pointing to this documentation version must be moved or deleted"
                )
            await self._records.store.commit((Write(held.key, None, held.version),))

        await self._records.changing(call, api_id, attempt)

    async def _new(self, call: Call, api_id: str, version: DocumentationVersion) -> Write:
        key = call.key(DOCUMENTATION_VERSION, f"{api_id}/{version.version}")
        names = {each.key.id for each in await self._records.all_of(call, DOCUMENTATION_VERSION, f"{api_id}/")}
        if key.id in names:
            raise ConflictException("Documentation version already exists")
        if len(names) >= API_GATEWAY_DOCUMENTATION_VERSIONS_PER_API_MAX:
            raise LimitExceededException(
                "Maximum number of Documentation Versions for this API has been reached. Please contact AWS if you "
                "need additional Documentation Versions."
            )
        return Write(key, version.to_json(), 0)


PATCHES: Final[PatchTable[DocumentationVersion]] = PatchTable(
    (rule("/description", "replace", lambda held, patch: replace(held, description=patch.value)),)
)
