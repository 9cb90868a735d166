from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.services.apigateway.deployment import deployment_from_json, deployment_to_json
from gatepost.services.apigateway.deployments import freeze
from gatepost.services.apigateway.documentation_model import Documentation, DocumentationVersion
from gatepost.services.apigateway.documentation_parts import put_parts
from gatepost.services.apigateway.model import Definition, RestApi
from gatepost.services.apigateway.openapi_document import Findings, parse_document
from gatepost.services.apigateway.openapi_export import ExportedInfo, export_api
from gatepost.services.apigateway.openapi_import import ImportedApi, put_into, read_api
from tests.support.openapi_bodies import PETSTORE_YAML, a_sam_body, bytes_of
from tests.support.openapi_strategies import documents
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
    return export_api(content, ExportedInfo("prod"), models, is_3=is_3, extensions=extensions)


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


def read(document: dict) -> tuple[Definition, dict[str, str], ImportedApi]:
    """Give the definition, what is said by location, and the settings that a document makes."""
    findings = Findings()
    api = read_api(document, "ignore", findings)
    definition = put_into("api1", EMPTY, api, findings, overwrites=True)
    assert not findings.errors
    return definition, {str(location): said for location, said in api.documentation}, api


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(documents(), st.booleans(), st.sampled_from(["HEADER", "AUTHORIZER"]), st.none() | st.integers(0, 10))
def test_importing_an_export_gives_the_same_api(document: dict, is_3: bool, source: str, bytes_min: int | None) -> None:
    definition, said, first = read(document)
    settings_of = RestApi(
        "api1",
        "shop",
        "root",
        0,
        binary_media_types=first.binary_media_types,
        api_key_source=source,
        minimum_compression_bytes=bytes_min,
    )
    content = freeze(a_call("CreateDeployment"), settings_of, definition, "d1", "")
    content = deployment_from_json(json.loads(json.dumps(deployment_to_json(content))))
    parts = put_parts("api1", Documentation(), first.documentation)[0].parts
    info = ExportedInfo("prod", "1", "", DocumentationVersion("1", 0, "", tuple(parts.values())))
    exported_document = export_api(content, info, content.models, is_3=is_3, extensions=("apigateway",))
    again, said_again, second = read(json.loads(json.dumps(exported_document)))
    assert again == definition
    assert {key: json.loads(each) for key, each in said_again.items()} == {
        key: json.loads(each) for key, each in said.items()
    }
    assert second.binary_media_types == first.binary_media_types
    assert second.minimum_compression_bytes == bytes_min
    assert (second.api_key_source or "HEADER") == source


def test_only_the_extensions_that_are_asked_for_are_exported() -> None:
    definition = imported(
        {
            **a_sam_body(),
            "x-amazon-apigateway-request-validators": {"all": {"validateRequestBody": True}},
        }
    )
    for asked, present in (
        ("validators", "x-amazon-apigateway-request-validators"),
        ("gatewayresponses", "x-amazon-apigateway-gateway-responses"),
        ("authorizers", "x-amazon-apigateway-authtype"),
        ("integrations", "x-amazon-apigateway-integration"),
    ):
        text = json.dumps(exported(definition, asked))
        assert present in text
        others = {
            "x-amazon-apigateway-request-validators",
            "x-amazon-apigateway-gateway-responses",
            "x-amazon-apigateway-authtype",
            "x-amazon-apigateway-integration",
        } - {present}
        assert not [each for each in others if f'"{each}"' in text]
