from __future__ import annotations

import json

import pytest

from gatepost.services.apigateway.deployments import freeze
from gatepost.services.apigateway.model import Definition, RestApi
from gatepost.services.apigateway.openapi_document import Findings, parse_document
from gatepost.services.apigateway.openapi_export import export_api
from gatepost.services.apigateway.openapi_import import put_into, read_api
from tests.support.openapi_bodies import PETSTORE_YAML, a_sam_body, bytes_of
from tests.support.rest_apis import a_call
from tests.unit.services.apigateway.test_openapi_import import EMPTY

API = RestApi("api1", "shop", "root", 0, binary_media_types=("image/png",), policy='{"Statement": []}')


def imported(document: dict) -> Definition:
    findings = Findings()
    definition = put_into("api1", EMPTY, read_api(document, "ignore", findings), findings, overwrites=True)
    assert not findings.errors
    return definition


def exported(definition: Definition, *extensions: str, is_3: bool = True) -> dict:
    content = freeze(a_call("CreateDeployment"), API, definition, "d1", "")
    models = definition.models.values()
    return export_api(content, "prod", models, version="", is_3=is_3, extensions=extensions)


@pytest.mark.parametrize(
    ("body", "is_3"),
    [(PETSTORE_YAML, True), (PETSTORE_YAML, False), (bytes_of(a_sam_body()), True), (bytes_of(a_sam_body()), False)],
)
def test_what_is_exported_with_its_extensions_imports_as_the_same_api(body: bytes, is_3: bool) -> None:
    definition = imported(parse_document(body))
    document = json.loads(json.dumps(exported(definition, "apigateway", is_3=is_3)))
    assert imported(document) == definition


def test_a_plain_export_names_nothing_of_amazons() -> None:
    document = exported(imported(a_sam_body()))
    assert "x-amazon-apigateway-integration" not in json.dumps(document)
    assert document["servers"] == [
        {
            "url": "https://api1.execute-api.us-east-1.amazonaws.com/{basePath}",
            "variables": {"basePath": {"default": "prod"}},
        }
    ]
    swagger = exported(imported(a_sam_body()), is_3=False)
    assert (swagger["host"], swagger["basePath"]) == ("api1.execute-api.us-east-1.amazonaws.com", "/prod")
    assert swagger["info"] == {"title": "shop", "version": "2025-10-09T08:53:20.000Z"}


def test_integrations_alone_are_exported_on_demand() -> None:
    document = exported(imported(a_sam_body()), "integrations")
    get = document["paths"]["/orders/{id}"]["get"]
    assert get["x-amazon-apigateway-integration"]["type"] == "aws_proxy"
    assert "security" not in get
    assert "x-amazon-apigateway-binary-media-types" not in document


def test_the_settings_of_the_api_are_exported_with_everything() -> None:
    document = exported(imported(a_sam_body()), "apigateway")
    assert document["x-amazon-apigateway-binary-media-types"] == ["image/png"]
    assert document["x-amazon-apigateway-policy"] == {"Statement": []}
    assert set(document["x-amazon-apigateway-gateway-responses"]) == {"DEFAULT_4XX"}
    assert document["components"]["securitySchemes"]["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"
