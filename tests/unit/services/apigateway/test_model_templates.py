from __future__ import annotations

import json

import pytest

from gatepost.languages.json_path import JsonPaths
from gatepost.languages.vtl_api_gateway import compile_mapping_template
from gatepost.services.apigateway.deployment import ApiModel
from gatepost.services.apigateway.model import BadRequestException, Definition, NotFoundException
from gatepost.services.apigateway.model_templates import LINES_MAX, model_template
from tests.support.rest_apis import Control, with_control

ORDER = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "count": {"type": "integer"},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
        "customer": {"$ref": "https://apigateway.amazonaws.com/restapis/a/models/Customer"},
    },
}
CUSTOMER = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "order": {"$ref": "https://apigateway.amazonaws.com/restapis/a/models/Order"},
        "friend": {"$ref": "https://apigateway.amazonaws.com/restapis/a/models/Customer"},
    },
}


def a_definition() -> Definition:
    models = {"Order": ORDER, "Customer": CUSTOMER}
    return Definition(
        {}, {name: ApiModel(name, name, "application/json", json.dumps(each)) for name, each in models.items()}
    )


def test_a_template_takes_every_field_from_its_place() -> None:
    template = model_template(Definition({}), {"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}})
    assert template == ('#set($inputRoot = $input.path(\'$\'))\n{\n  "a" : $inputRoot.a,\n  "b" : "$inputRoot.b"\n}\n')


def test_models_that_name_each_other_end() -> None:
    template = model_template(a_definition(), ORDER)
    assert '"name" : "$inputRoot.customer.name"' in template
    assert "#foreach($elem in $inputRoot.lines)" in template
    compile_mapping_template(template, paths=JsonPaths())


def test_a_schema_that_explodes_is_refused() -> None:
    schema: dict = {"type": "string"}
    for _ in range(14):
        schema = {"type": "object", "properties": {"a": schema, "b": schema}}
    with pytest.raises(BadRequestException, match=f"more than {LINES_MAX} lines"):
        model_template(Definition({}), schema)


def test_the_operation_gives_the_template_of_a_model(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        answer = await control("GetModelTemplate", restApiId=api_id, modelName="Error")
        assert '"message" : "$inputRoot.message"' in answer["value"]
        with pytest.raises(NotFoundException):
            await control("GetModelTemplate", restApiId=api_id, modelName="Nothing")

    with_control(tmp_path, scenario)
