"""The operations on resources, the nodes of an API's path tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.operations import Call
from gatepost.services.apigateway.model import Definition
from gatepost.services.apigateway.paging import paged
from gatepost.services.apigateway.patches import Patch, PatchTable, rule
from gatepost.services.apigateway.records import ApiRecords
from gatepost.services.apigateway.shapes import resource_to_aws
from gatepost.services.apigateway.tree import (
    add_resource,
    delete_resource,
    last_part,
    move_resource,
    parent_path,
    resource_of,
)


class Resources:
    """The operations on resources."""

    def __init__(self, records: ApiRecords) -> None:
        self._records = records

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Hang a resource under its parent. Raises: NotFoundException, BadRequestException, ConflictException."""
        api_id = params["restApiId"]

        def change(definition: Definition) -> tuple[Definition, dict[str, Any]]:
            parent = resource_of(definition, params["parentId"])
            changed, resource = add_resource(
                definition,
                api_id,
                parent,
                params["pathPart"],
                resources_max=self._records.limits.resources_per_api,
            )
            return changed, resource_to_aws(changed, resource)

        return await self._records.change_definition(call, api_id, change)

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give one resource; with `embed` methods also what its methods consist of. Raises: NotFoundException."""
        definition = (await self._records.definition(call, params["restApiId"])).value
        resource = resource_of(definition, params["resourceId"])
        return resource_to_aws(definition, resource, with_methods=_embeds_methods(params))

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give the resources, by id. Raises: NotFoundException, BadRequestException."""
        definition = (await self._records.definition(call, params["restApiId"])).value
        with_methods = _embeds_methods(params)
        by_id = {each.id: each for each in definition.resources.values()}
        page, position = paged(by_id, params)
        answer: dict[str, Any] = {
            "items": [resource_to_aws(definition, each, with_methods=with_methods) for each in page]
        }
        return answer | position

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Rename a resource or hang it elsewhere; what is below it moves along.

        Raises: NotFoundException, BadRequestException, ConflictException.
        """
        api_id, resource_id = params["restApiId"], params["resourceId"]

        def change(definition: Definition) -> tuple[Definition, dict[str, Any]]:
            resource_of(definition, resource_id)
            changed, _ = _PATCHES.apply((definition, resource_id), params)
            return changed, resource_to_aws(changed, changed.resources[resource_id])

        return await self._records.change_definition(call, api_id, change)

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take a resource away with everything below it. Raises: NotFoundException, BadRequestException."""
        api_id, resource_id = params["restApiId"], params["resourceId"]

        def change(definition: Definition) -> tuple[Definition, None]:
            return delete_resource(definition, resource_of(definition, resource_id)), None

        await self._records.change_definition(call, api_id, change)


def _rename(state: tuple[Definition, str], patch: Patch) -> tuple[Definition, str]:
    definition, resource_id = state
    resource = definition.resources[resource_id]
    above = parent_path(resource.path)
    parent = next((each for each in definition.resources.values() if each.path == above), resource)
    return move_resource(definition, resource, parent, patch.value), resource_id


def _hang_elsewhere(state: tuple[Definition, str], patch: Patch) -> tuple[Definition, str]:
    definition, resource_id = state
    resource = definition.resources[resource_id]
    parent = resource_of(definition, patch.value)
    return move_resource(definition, resource, parent, last_part(resource.path)), resource_id


_PATCHES: Final = PatchTable((rule("/pathPart", "replace", _rename), rule("/parentId", "replace", _hang_elsewhere)))


def _embeds_methods(params: Mapping[str, Any]) -> bool:
    return "methods" in params.get("embed", ())
