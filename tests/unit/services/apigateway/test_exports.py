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


def test_the_stages_documentation_is_exported_with_it(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api(description="our shop")
        await control.a_method(api, "/orders", requestParameters={"method.request.querystring.page": False})
        place = {"path": "/orders", "method": "GET"}
        for location, said in (
            ({"type": "API"}, {"info": {"description": "All orders"}}),
            ({"type": "METHOD", **place}, {"summary": "List"}),
            ({"type": "QUERY_PARAMETER", **place, "name": "page"}, {"description": "from 1"}),
        ):
            await control(
                "CreateDocumentationPart", restApiId=api["id"], location=location, properties=json.dumps(said)
            )
        await control("CreateDeployment", restApiId=api["id"], stageName="prod")
        named = {"restApiId": api["id"], "stageName": "prod", "exportType": "oas30"}
        before = json.loads((await control("GetExport", **named))["body"])
        assert before["info"]["description"] == "our shop"
        await control("CreateDocumentationVersion", restApiId=api["id"], documentationVersion="1.0", stageName="prod")
        answer = await control("GetExport", **named, parameters={"extensions": "documentation"})
        document = json.loads(answer["body"])
        assert document["info"]["description"] == "All orders"
        assert document["paths"]["/orders"]["get"]["summary"] == "List"
        assert document["paths"]["/orders"]["get"]["parameters"][0]["description"] == "from 1"
        extension = document["x-amazon-apigateway-documentation"]
        assert extension["version"] == "1.0"
        assert len(extension["documentationParts"]) == 3

    with_control(tmp_path, scenario)
