from __future__ import annotations

import json

import pytest

from gatepost.services.apigateway.model import BadRequestException, ConflictException, NotFoundException
from tests.support.rest_apis import Control, with_control

SAID = '{"description": "All about orders"}'


def test_a_part_lives_from_create_to_delete(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        location = {"type": "METHOD", "path": "/orders", "method": "GET"}
        made = await control("CreateDocumentationPart", restApiId=api_id, location=location, properties=SAID)
        named = {"restApiId": api_id, "documentationPartId": made["id"]}
        assert made == {"id": made["id"], "location": location, "properties": SAID}
        assert await control("GetDocumentationPart", **named) == made
        with pytest.raises(ConflictException, match="type 'METHOD', path '/orders', method 'GET'"):
            await control("CreateDocumentationPart", restApiId=api_id, location=location, properties="{}")
        patch = {"op": "replace", "path": "/properties", "value": '{"summary":"s"}'}
        changed = await control("UpdateDocumentationPart", **named, patchOperations=[patch])
        assert changed == made | {"properties": '{"summary":"s"}'}
        await control("DeleteDocumentationPart", **named)
        with pytest.raises(NotFoundException, match="Invalid Documentation part identifier"):
            await control("GetDocumentationPart", **named)

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "API"}, {"type": "API"}),
        ({"type": "RESOURCE"}, {"type": "RESOURCE", "path": "/"}),
        ({"type": "METHOD"}, {"type": "METHOD", "path": "/", "method": "*"}),
        ({"type": "RESPONSE"}, {"type": "RESPONSE", "path": "/", "method": "*", "statusCode": "*"}),
        ({"type": "MODEL", "name": "Order"}, {"type": "MODEL", "name": "Order"}),
    ],
)
def test_what_a_location_does_not_say_gets_awss_default(tmp_path, given: dict, expected: dict) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        made = await control("CreateDocumentationPart", restApiId=api_id, location=given, properties=SAID)
        assert made["location"] == expected

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("location", "properties"),
    [
        ({"type": "API", "path": "/"}, SAID),
        ({"type": "MODEL"}, SAID),
        ({"type": "AUTHORIZER", "name": "a", "method": "GET"}, SAID),
        ({"type": "SHOE"}, SAID),
        ({"type": "API"}, "no"),
        ({"type": "API"}, "[]"),
        ({"type": "API"}, "[" * 100_000),
        ({"type": "API"}, json.dumps({"a": "x" * 65_536})),
    ],
)
def test_a_part_that_cannot_be_is_refused(tmp_path, location: dict, properties: str) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        with pytest.raises(BadRequestException):
            await control("CreateDocumentationPart", restApiId=api_id, location=location, properties=properties)

    with_control(tmp_path, scenario)


def test_parts_are_found_by_type_name_path_and_silence(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        await control.a_method(api, "/orders", requestParameters={"method.request.querystring.page": False})
        for location in (
            {"type": "API"},
            {"type": "METHOD", "path": "/orders", "method": "GET"},
            {"type": "MODEL", "name": "Empty"},
        ):
            await control("CreateDocumentationPart", restApiId=api["id"], location=location, properties=SAID)

        async def found(**filters) -> list[str]:
            page = await control("GetDocumentationParts", restApiId=api["id"], **filters)
            return sorted(each["location"]["type"] for each in page["items"])

        assert await found() == ["API", "METHOD", "MODEL"]
        assert await found(type="METHOD") == ["METHOD"]
        assert await found(nameQuery="Empty") == ["MODEL"]
        assert await found(path="/orders") == ["METHOD"]
        silent = await found(locationStatus="UNDOCUMENTED")
        assert silent == ["MODEL", "QUERY_PARAMETER", "RESOURCE", "RESOURCE"]

    with_control(tmp_path, scenario)


def test_parts_are_imported_merged_or_instead(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        await control("CreateDocumentationPart", restApiId=api_id, location={"type": "API"}, properties=SAID)
        parts = [
            {"location": {"type": "API"}, "properties": {"info": {"description": "new"}}},
            {"location": {"type": "RESOURCE", "path": "/a"}, "properties": '{"description":"a"}'},
        ]
        for body in (
            {"documentationParts": parts},
            {"openapi": "3.0.1", "x-amazon-apigateway-documentation": {"documentationParts": parts}},
        ):
            made = await control("ImportDocumentationParts", restApiId=api_id, body=json.dumps(body).encode())
            assert len(made["ids"]) == 2
            page = await control("GetDocumentationParts", restApiId=api_id)
            said = {each["location"]["type"]: each["properties"] for each in page["items"]}
            assert said == {"API": '{"info":{"description":"new"}}', "RESOURCE": '{"description":"a"}'}
        body = json.dumps({"documentationParts": parts[1:]}).encode()
        await control("ImportDocumentationParts", restApiId=api_id, body=body, mode="overwrite")
        page = await control("GetDocumentationParts", restApiId=api_id)
        assert [each["location"]["type"] for each in page["items"]] == ["RESOURCE"]
        bad = json.dumps({"documentationParts": [*parts, {"location": {"type": "SHOE"}, "properties": {}}]}).encode()
        with pytest.raises(BadRequestException, match="Unable to create documentation part 2"):
            await control("ImportDocumentationParts", restApiId=api_id, body=bad)

    with_control(tmp_path, scenario)


def test_a_version_keeps_what_was_said_when_it_was_made(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        api_id = api["id"]
        await control.a_method(api)
        await control("CreateDeployment", restApiId=api_id, stageName="prod")
        part = await control("CreateDocumentationPart", restApiId=api_id, location={"type": "API"}, properties=SAID)
        named = {"restApiId": api_id, "documentationVersion": "1.0"}
        made = await control("CreateDocumentationVersion", **named, stageName="prod", description="first")
        assert (made["version"], made["description"]) == ("1.0", "first")
        stage = await control("GetStage", restApiId=api_id, stageName="prod")
        assert stage["documentationVersion"] == "1.0"
        await control("DeleteDocumentationPart", restApiId=api_id, documentationPartId=part["id"])
        assert await control("GetDocumentationVersion", **named) == made
        assert await control("GetDocumentationVersions", restApiId=api_id) == {"items": [made]}
        patch = {"op": "replace", "path": "/description", "value": "x"}
        changed = await control("UpdateDocumentationVersion", **named, patchOperations=[patch])
        assert changed == made | {"description": "x"}
        with pytest.raises(ConflictException):
            await control("CreateDocumentationVersion", **named)
        with pytest.raises(BadRequestException, match="Active stages"):
            await control("DeleteDocumentationVersion", **named)
        patch = {"op": "replace", "path": "/documentationVersion", "value": ""}
        await control("UpdateStage", restApiId=api_id, stageName="prod", patchOperations=[patch])
        await control("DeleteDocumentationVersion", **named)
        with pytest.raises(NotFoundException):
            await control("GetDocumentationVersion", **named)
        patch = {"op": "replace", "path": "/documentationVersion", "value": "1.0"}
        with pytest.raises(NotFoundException):
            await control("UpdateStage", restApiId=api_id, stageName="prod", patchOperations=[patch])

    with_control(tmp_path, scenario)
