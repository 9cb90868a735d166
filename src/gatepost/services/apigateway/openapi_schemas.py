"""The schemas of an OpenAPI document as models: those that have a name, and those that stand where they are used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.ids import stable_id
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.openapi_document import as_object, is_openapi_3

_PREFIXES: Final = ("#/definitions/", "#/components/schemas/")


class Schemas:
    """Gives schemas the names of models. `models` holds the JSON schema of each, in the document's own words."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Take in the document's named schemas. Raises: BadRequestException."""
        if is_openapi_3(document):
            components = as_object(document.get("components"), "components")
            named = as_object(components.get("schemas"), "components.schemas")
        else:
            named = as_object(document.get("definitions"), "definitions")
        self.models: dict[str, dict[str, Any]] = {
            name: as_object(schema, f"schema {name}") for name, schema in named.items()
        }

    def name_of(self, schema: dict[str, Any]) -> str:
        """Give the name of the model for `schema`; one without a name gets one derived from what it says.

        Raises: BadRequestException for a reference that leads nowhere.
        """
        reference = schema.get("$ref")
        if isinstance(reference, str):
            name = _named_by(reference)
            if name not in self.models:
                raise BadRequestException(f"Invalid model reference specified: {reference}")
            return name
        name = f"MODEL{stable_id(json.dumps(schema, sort_keys=True), length=6)}"
        self.models[name] = schema
        return name


def schema_text(api_id: str, schema: Mapping[str, Any]) -> str:
    """Give a model's schema as text, with references to other models as API Gateway has them."""
    return json.dumps(_with_references(api_id, schema), indent=2)


def _with_references(api_id: str, value: Any) -> Any:
    if isinstance(value, dict):
        changed = {name: _with_references(api_id, each) for name, each in value.items()}
        reference = value.get("$ref")
        if isinstance(reference, str) and (name := _named_by(reference)):
            changed["$ref"] = f"https://apigateway.amazonaws.com/restapis/{api_id}/models/{name}"
        return changed
    return [_with_references(api_id, each) for each in value] if isinstance(value, list) else value


def _named_by(reference: str) -> str:
    for prefix in _PREFIXES:
        if reference.startswith(prefix):
            return reference.removeprefix(prefix)
    return ""
