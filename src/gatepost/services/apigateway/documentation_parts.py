"""The operations on documentation parts.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-documenting-api.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from gatepost.kernel.ids import random_id, stable_id
from gatepost.kernel.operations import Call
from gatepost.services.apigateway.documentation_model import (
    DOCUMENTATION,
    Documentation,
    DocumentationPart,
    Location,
    check_properties,
    location_from_aws,
)
from gatepost.services.apigateway.model import ConflictException, Definition, NotFoundException
from gatepost.services.apigateway.openapi_document import Findings, parse_json_or_yaml
from gatepost.services.apigateway.openapi_documentation import declared_parts
from gatepost.services.apigateway.paging import paged
from gatepost.services.apigateway.patches import PatchTable, rule
from gatepost.services.apigateway.records import ApiRecords, touch
from gatepost.storage.base import Write

NOT_FOUND: Final = "Invalid Documentation part identifier specified"

Result = TypeVar("Result")


class DocumentationParts:
    """The operations on documentation parts."""

    def __init__(self, records: ApiRecords) -> None:
        self._records = records

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Say something about an entity. Raises: NotFoundException, BadRequestException, ConflictException."""
        location = location_from_aws(params["location"])
        check_properties(params["properties"])
        part = DocumentationPart(random_id(6), location, params["properties"])

        def change(held: Documentation) -> tuple[Documentation, dict[str, Any]]:
            if held.at(location) is not None:
                raise ConflictException(f"Documentation part already exists for the specified location: {location}.")
            return held.with_part(part), part.to_aws()

        return await self._change(call, params["restApiId"], change)

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a part. Raises: NotFoundException."""
        held = await self.documentation(call, params["restApiId"])
        return _part_of(held, params["documentationPartId"]).to_aws()

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of parts by type, name, path and whether anything is said.

        Raises: NotFoundException, BadRequestException.
        """
        held = await self.documentation(call, params["restApiId"])
        if params.get("locationStatus") == "UNDOCUMENTED":
            definition = (await self._records.definition(call, params["restApiId"])).value
            said = {part.location for part in held.parts.values()}
            silent = {str(each): {"location": each.to_aws()} for each in _entities(definition) if each not in said}
            found: Mapping[str, dict[str, Any]] = silent
        else:
            found = {part.id: part.to_aws() for part in held.parts.values()}
        page, position = paged({key: each for key, each in found.items() if _matches(each["location"], params)}, params)
        answer: dict[str, Any] = {"items": page}
        return answer | position

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Say something else about an entity. Raises: NotFoundException, BadRequestException."""

        def change(held: Documentation) -> tuple[Documentation, dict[str, Any]]:
            part = PATCHES.apply(_part_of(held, params["documentationPartId"]), params)
            check_properties(part.properties)
            return held.with_part(part), part.to_aws()

        return await self._change(call, params["restApiId"], change)

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take a part away; versions keep it. Raises: NotFoundException."""
        part_id = params["documentationPartId"]

        def change(held: Documentation) -> tuple[Documentation, None]:
            _part_of(held, part_id)
            return Documentation({key: each for key, each in held.parts.items() if key != part_id}), None

        await self._change(call, params["restApiId"], change)

    async def import_parts(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Take in `{"documentationParts": […]}` or an OpenAPI document's extension; others stay when merging.

        Raises: NotFoundException, BadRequestException, LimitExceededException.
        """
        api_id = params["restApiId"]
        findings = Findings()
        given = declared_parts(parse_json_or_yaml(params["body"]), findings)
        findings.check(fails_on_warnings=params.get("failOnWarnings", False))
        overwrites = params.get("mode", "merge") == "overwrite"

        def change(held: Documentation) -> tuple[Documentation, dict[str, Any]]:
            changed, ids = put_parts(api_id, Documentation() if overwrites else held, given)
            answer: dict[str, Any] = {"ids": ids}
            return changed, answer | ({"warnings": findings.warnings} if findings.warnings else {})

        return await self._change(call, api_id, change)

    async def documentation(self, call: Call, api_id: str) -> Documentation:
        """Give all that is said about an API. Raises: NotFoundException."""
        await self._records.api(call, api_id)
        record = await self._records.store.get(call.key(DOCUMENTATION, api_id))
        return Documentation.from_json(record.value) if record else Documentation()

    async def _change(
        self, call: Call, api_id: str, change: Callable[[Documentation], tuple[Documentation, Result]]
    ) -> Result:
        async def attempt() -> Result:
            api = await self._records.api(call, api_id)
            write, result = await documentation_write(self._records, call, api_id, change)
            await self._records.store.commit((touch(api, api.value.to_json()), write))
            return result

        return await self._records.changing(call, api_id, attempt)


async def documentation_write(
    records: ApiRecords, call: Call, api_id: str, change: Callable[[Documentation], tuple[Documentation, Result]]
) -> tuple[Write, Result]:
    """Give the write of an API's documentation as `change` makes it. Raises: what `change` raises."""
    key = call.key(DOCUMENTATION, api_id)
    record = await records.store.get(key)
    changed, result = change(Documentation.from_json(record.value) if record else Documentation())
    return Write(key, changed.to_json(), record.version if record else 0), result


def put_parts(
    api_id: str, held: Documentation, given: Iterable[tuple[Location, str]]
) -> tuple[Documentation, list[str]]:
    """Put parts over what is said about the same entities; give their ids too. Raises: LimitExceededException."""
    parts = dict(held.parts)
    by_location = {each.location: each.id for each in parts.values()}
    ids = []
    for location, properties in given:
        part_id = by_location.get(location) or _free_id(api_id, location, parts)
        by_location[location] = part_id
        parts[part_id] = DocumentationPart(part_id, location, properties)
        ids.append(part_id)
    if not parts:
        return Documentation(), []
    *others, last = parts.values()
    return Documentation({each.id: each for each in others}).with_part(last), list(dict.fromkeys(ids))


def _free_id(api_id: str, location: Location, parts: Mapping[str, DocumentationPart]) -> str:
    salt = 0
    while (candidate := stable_id(api_id, "documentation", str(location), str(salt), length=6)) in parts:
        salt += 1
    return candidate


def _part_of(documentation: Documentation, part_id: str) -> DocumentationPart:
    part = documentation.parts.get(part_id)
    if part is None:
        raise NotFoundException(NOT_FOUND)
    return part


def _matches(location: Mapping[str, str], params: Mapping[str, Any]) -> bool:
    wanted = (("type", "type"), ("nameQuery", "name"), ("path", "path"))
    return all(params.get(asked) in (None, location.get(name)) for asked, name in wanted)


def _entities(definition: Definition) -> Iterable[Location]:
    """Give the entities of an API that can be documented."""
    yield Location("API")
    for name in definition.models:
        yield Location("MODEL", name=name)
    for authorizer in definition.authorizers.values():
        yield Location("AUTHORIZER", name=authorizer.name)
    places = {"path": "PATH_PARAMETER", "header": "REQUEST_HEADER"}
    for resource in definition.resources.values():
        yield Location("RESOURCE", resource.path)
        for method in resource.methods:
            verb = method.http_method
            yield Location("METHOD", resource.path, verb)
            for expression in method.request_parameters:
                _, _, place, name = expression.split(".", 3)
                yield Location(places.get(place, "QUERY_PARAMETER"), resource.path, verb, name=name)
            for name in dict.fromkeys(method.request_models.values()):
                yield Location("REQUEST_BODY", resource.path, verb, name=name)
            for response in method.responses:
                yield Location("RESPONSE", resource.path, verb, response.status_code)
                for expression in response.response_parameters:
                    name = expression.split(".", 3)[3]
                    yield Location("RESPONSE_HEADER", resource.path, verb, response.status_code, name)
                if response.response_models:
                    yield Location("RESPONSE_BODY", resource.path, verb, response.status_code)


PATCHES: Final[PatchTable[DocumentationPart]] = PatchTable(
    (rule("/properties", "replace", lambda held, patch: replace(held, properties=patch.value)),)
)
