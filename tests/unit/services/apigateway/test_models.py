from __future__ import annotations

import json

import pytest

from gatepost.services.apigateway.model import BadRequestException, ConflictException, NotFoundException
from gatepost.services.apigateway.models import SCHEMA_BYTES_MAX
from tests.support.rest_apis import Control, with_control

ORDER = {"name": "Order", "contentType": "application/json", "schema": '{"type": "object"}', "description": "An order"}


def test_models_live_their_life(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        made = await control("CreateModel", restApiId=api_id, **ORDER)
        assert {name: made[name] for name in ORDER} == ORDER
        named = {"restApiId": api_id, "modelName": "Order"}
        assert await control("GetModel", **named) == made
        changed = await control(
            "UpdateModel",
            **named,
            patchOperations=[
                {"op": "replace", "path": "/schema", "value": "{}"},
                {"op": "replace", "path": "/description", "value": "Any"},
            ],
        )
        assert changed == {**made, "schema": "{}", "description": "Any"}
        listed = await control("GetModels", restApiId=api_id, limit=2)
        assert [each["name"] for each in listed["items"]] == ["Empty", "Error"]
        listed = await control("GetModels", restApiId=api_id, position=listed["position"])
        assert listed == {"items": [changed]}
        await control("DeleteModel", **named)
        for operation in ("GetModel", "UpdateModel", "DeleteModel"):
            with pytest.raises(NotFoundException, match="Invalid model name specified: Order"):
                await control(operation, **named)

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"name": "an order"}, "Model name must be alphanumeric: an order"),
        ({"schema": "{"}, "Invalid model schema specified"),
        ({"schema": "[]"}, "Invalid model schema specified"),
        ({"schema": '{"x": "' + "a" * SCHEMA_BYTES_MAX + '"}'}, "at most"),
        ({"schema": "[" * 100_000}, "Invalid model schema specified"),
    ],
)
def test_a_model_that_cannot_be_is_refused(tmp_path, params: dict, words: str) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        with pytest.raises(BadRequestException, match=words):
            await control("CreateModel", restApiId=api_id, **{**ORDER, **params})

    with_control(tmp_path, scenario)


def test_a_schema_is_flattened_with_all_that_it_names(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        base = f"https://apigateway.amazonaws.com/restapis/{api_id}/models/"
        schemas = {
            "Order": {"type": "object", "properties": {"lines": {"items": {"$ref": f"{base}Line"}}}},
            "Line": {"properties": {"order": {"$ref": f"{base}Order"}, "gone": {"$ref": f"{base}Gone"}}},
        }
        for name, schema in schemas.items():
            made = {"restApiId": api_id, "name": name, "contentType": "application/json"}
            await control("CreateModel", **made, schema=json.dumps(schema))
        order = {"type": "object", "properties": {"lines": {"items": {"$ref": "#/definitions/Line"}}}}
        line = {"properties": {"order": {"$ref": "#/definitions/Order"}, "gone": {"$ref": f"{base}Gone"}}}
        flat = await control("GetModel", restApiId=api_id, modelName="Order", flatten=True)
        assert json.loads(flat["schema"]) == order | {"definitions": {"Line": line, "Order": order}}
        plain = await control("GetModel", restApiId=api_id, modelName="Order", flatten=False)
        assert json.loads(plain["schema"]) == schemas["Order"]
        empty = await control("GetModel", restApiId=api_id, modelName="Empty", flatten=True)
        assert "definitions" not in json.loads(empty["schema"])

    with_control(tmp_path, scenario)


def test_a_name_cannot_be_there_twice(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        with pytest.raises(ConflictException, match="Model name already exists"):
            await control("CreateModel", restApiId=api_id, **{**ORDER, "name": "Empty"})

    with_control(tmp_path, scenario)


def test_a_model_that_a_method_names_stays(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        await control.a_method(api, "/orders", requestModels={"application/json": "Empty"})
        named = await control.a_method(api, "/carts")
        await control("PutMethodResponse", **named, statusCode="400", responseModels={"application/json": "Error"})
        for name, user in (("Empty", "/orders GET"), ("Error", "/carts GET")):
            with pytest.raises(ConflictException, match=f"is referenced in method request: {user}"):
                await control("DeleteModel", restApiId=api["id"], modelName=name)

    with_control(tmp_path, scenario)


def test_a_schema_is_nested_100_levels_deep_at_most(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()

        async def made(name: str, levels: int) -> None:
            schema = '{"not":' * levels + "{}" + "}" * levels
            named = {"restApiId": api["id"], "name": name, "contentType": "application/json"}
            await control("CreateModel", **named, schema=schema)

        for levels in (100, 400, 900, 20_000):
            with pytest.raises(BadRequestException, match=r"nested deeper than 100|must be valid JSON"):
                await made("Deep", levels)
        await made("Shallow", 99)
        assert (await control("GetModel", restApiId=api["id"], modelName="Shallow", flatten=True))["schema"]
        await control("GetModelTemplate", restApiId=api["id"], modelName="Shallow")
        await control.a_method(api)
        await control("CreateDeployment", restApiId=api["id"], stageName="prod")
        await control("GetExport", restApiId=api["id"], stageName="prod", exportType="oas30")

    with_control(tmp_path, scenario)
