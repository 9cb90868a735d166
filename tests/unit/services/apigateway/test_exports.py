from __future__ import annotations

import json

import pytest
import yaml

from gatepost.services.apigateway.model import BadRequestException, NotFoundException
from tests.support.openapi_bodies import PETSTORE_YAML
from tests.support.rest_apis import Control, with_control


async def a_stage(control: Control) -> dict[str, str]:
    api = await control("ImportRestApi", body=PETSTORE_YAML)
    await control("CreateDeployment", restApiId=api["id"], stageName="prod")
    return {"restApiId": api["id"], "stageName": "prod", "exportType": "oas30"}


def test_a_stage_is_exported_as_json_and_yaml(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_stage(control)
        answer = await control("GetExport", **named, parameters={"extensions": "integrations"})
        assert answer["contentType"] == "application/json"
        assert answer["contentDisposition"].startswith('attachment; filename="oas30_2025-10-09T')
        document = json.loads(answer["body"])
        assert {"Pet", "Pets"} < set(document["components"]["schemas"])
        in_yaml = await control(
            "GetExport", **named, parameters={"extensions": "integrations"}, accepts="application/yaml"
        )
        assert yaml.safe_load(in_yaml["body"]) == document

    with_control(tmp_path, scenario)


def test_an_export_shows_what_is_deployed_and_not_what_is_edited(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_stage(control)
        api = await control("GetRestApi", restApiId=named["restApiId"])
        await control.a_method(api, "/later")
        await control(
            "UpdateModel",
            restApiId=api["id"],
            modelName="Pet",
            patchOperations=[{"op": "replace", "path": "/schema", "value": "{}"}],
        )
        document = json.loads((await control("GetExport", **named))["body"])
        assert "/later" not in document["paths"]
        assert document["components"]["schemas"]["Pet"]["required"] == ["id"]

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"exportType": "raml"}, BadRequestException),
        ({"accepts": "text/html"}, BadRequestException),
        ({"parameters": {"extensions": "postman"}}, BadRequestException),
        ({"parameters": {"depth": "1"}}, BadRequestException),
        ({"stageName": "nothing"}, NotFoundException),
        ({"restApiId": "nothing"}, NotFoundException),
    ],
)
def test_an_export_that_cannot_be_is_refused(tmp_path, params: dict, error: type[Exception]) -> None:
    async def scenario(control: Control) -> None:
        with pytest.raises(error):
            await control("GetExport", **{**await a_stage(control), **params})

    with_control(tmp_path, scenario)
