from __future__ import annotations

import json

import pytest

from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.openapi_schemas import Schemas, schema_text
from tests.support.openapi_bodies import a_document, a_document_3


def test_named_schemas_are_models_in_both_versions() -> None:
    order = {"type": "object"}
    assert Schemas(a_document(definitions={"Order": order})).models == {"Order": order}
    assert Schemas(a_document_3(components={"schemas": {"Order": order}})).models == {"Order": order}


def test_a_schema_without_a_name_gets_the_same_one_every_time() -> None:
    schemas = Schemas(a_document())
    name = schemas.name_of({"type": "string", "maxLength": 5})
    assert name == Schemas(a_document()).name_of({"maxLength": 5, "type": "string"})
    assert name.isalnum()
    assert schemas.models[name] == {"type": "string", "maxLength": 5}


def test_a_reference_gives_the_models_name() -> None:
    schemas = Schemas(a_document(definitions={"Order": {}}))
    assert schemas.name_of({"$ref": "#/definitions/Order"}) == "Order"
    for reference in ("#/definitions/Cart", "https://example.com/Order", "#/parameters/Order"):
        with pytest.raises(BadRequestException, match="Invalid model reference specified"):
            schemas.name_of({"$ref": reference})


def test_references_between_schemas_become_references_between_models() -> None:
    schema = {"items": {"$ref": "#/definitions/Order"}, "anyOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/x"}]}
    base = "https://apigateway.amazonaws.com/restapis/api1/models"
    assert json.loads(schema_text("api1", schema)) == {
        "items": {"$ref": f"{base}/Order"},
        "anyOf": [{"$ref": f"{base}/A"}, {"$ref": "#/x"}],
    }
