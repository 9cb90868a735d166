"""Models: the JSON schemas that methods name. They bind nobody unless a method has a request validator."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.ids import random_id
from gatepost.kernel.operations import Call
from gatepost.services.apigateway.deployment import ApiModel
from gatepost.services.apigateway.model import (
    BadRequestException,
    ConflictException,
    Definition,
    NotFoundException,
)
from gatepost.services.apigateway.paging import paged
from gatepost.services.apigateway.patches import PatchTable, rule
from gatepost.services.apigateway.records import ApiRecords

SCHEMA_BYTES_MAX: Final = 400 * 1024  # AWS: payload model schema size, 400 KB
DEPTH_MAX: Final = 100  # levels of a schema: a bound of ours
MODELS_MAX: Final = 5_000  # unverified: AWS publishes no limit

_NAME: Final = re.compile(r"[a-zA-Z0-9]+")


class Models:
    """The operations on models."""

    def __init__(self, records: ApiRecords) -> None:
        self._records = records

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Add a model. Raises: NotFoundException, BadRequestException, ConflictException."""
        model = ApiModel(
            id=random_id(6),
            name=params["name"],
            content_type=params["contentType"],
            schema=params.get("schema", ""),
            description=params.get("description", ""),
        )
        check_model(model)

        def change(definition: Definition) -> tuple[Definition, dict[str, Any]]:
            if model.name in definition.models:
                raise ConflictException("Model name already exists for this REST API")
            if len(definition.models) >= MODELS_MAX:
                raise BadRequestException(f"At most {MODELS_MAX} models are allowed in an API")
            return _with_model(definition, model), model.to_aws()

        return await self._records.change_definition(call, params["restApiId"], change)

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a model. Raises: NotFoundException, BadRequestException."""
        definition = (await self._records.definition(call, params["restApiId"])).value
        model = model_of(definition, params["modelName"])
        if params.get("flatten") and model.schema:
            model = replace(model, schema=json.dumps(flattened(definition, params["restApiId"], model)))
        return model.to_aws()

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of an API's models, by name. Raises: NotFoundException, BadRequestException."""
        definition = (await self._records.definition(call, params["restApiId"])).value
        page, position = paged(definition.models, params)
        answer: dict[str, Any] = {"items": [each.to_aws() for each in page]}
        return answer | position

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a model. Raises: NotFoundException, BadRequestException."""

        def change(definition: Definition) -> tuple[Definition, dict[str, Any]]:
            changed = _PATCHES.apply(model_of(definition, params["modelName"]), params)
            check_model(changed)
            return _with_model(definition, changed), changed.to_aws()

        return await self._records.change_definition(call, params["restApiId"], change)

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take a model away that no method names. Raises: NotFoundException, ConflictException."""
        name = params["modelName"]

        def change(definition: Definition) -> tuple[Definition, None]:
            model_of(definition, name)
            if (user := _user_of(definition, name)) is not None:
                raise ConflictException(f"Cannot delete model '{name}', is referenced in method request: {user}")
            kept = {each.name: each for each in definition.models.values() if each.name != name}
            return replace(definition, models=kept), None

        await self._records.change_definition(call, params["restApiId"], change)


def check_model(model: ApiModel) -> None:
    """Check that a model has a name and a schema. Raises: BadRequestException."""
    if not _NAME.fullmatch(model.name):
        raise BadRequestException(f"Model name must be alphanumeric: {model.name}")
    if len(model.schema.encode()) > SCHEMA_BYTES_MAX:
        raise BadRequestException(f"Model schema must have at most {SCHEMA_BYTES_MAX} bytes")
    if not model.schema:
        return
    try:
        schema = json.loads(model.schema)
    except (ValueError, RecursionError):
        raise BadRequestException("Invalid model schema specified. Schema must be valid JSON.") from None
    if not isinstance(schema, dict):
        raise BadRequestException("Invalid model schema specified. Schema must be a JSON object.")
    if not _is_shallow(schema):
        raise BadRequestException(f"Invalid model schema specified. It is nested deeper than {DEPTH_MAX} levels.")


def _is_shallow(schema: Any) -> bool:
    level = [schema]
    for _ in range(DEPTH_MAX):
        below = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [value for values in below for value in values]
        if not level:
            return True
    return False


def flattened(definition: Definition, api_id: str, model: ApiModel) -> dict[str, Any]:
    """Give a model's schema with those of the models that it names, directly or not, under `definitions`.

    Each is there once, so that models that name each other end. A reference to a model that is not there stays.
    """
    base = f"https://apigateway.amazonaws.com/restapis/{api_id}/models/"
    found: dict[str, Any] = {}
    waiting = [model.name]

    def local(value: Any) -> Any:
        if isinstance(value, list):
            return [local(each) for each in value]
        if not isinstance(value, dict):
            return value
        changed = {name: local(each) for name, each in value.items()}
        reference = value.get("$ref")
        if isinstance(reference, str) and reference.startswith(base):
            named = reference.removeprefix(base)
            if named in definition.models:
                waiting.append(named)
                changed["$ref"] = f"#/definitions/{named}"
        return changed

    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            found[name] = local(json.loads(definition.models[name].schema or "{}"))
    top = dict(found.pop(model.name))
    # A model that names itself, or is named by those that it names, is among the definitions too.
    if f"#/definitions/{model.name}" in json.dumps([top, found]):
        found[model.name] = dict(top)
    return top | ({"definitions": {**top.get("definitions", {}), **found}} if found else {})


def _with_model(definition: Definition, model: ApiModel) -> Definition:
    return replace(definition, models={**definition.models, model.name: model})


def model_of(definition: Definition, name: str) -> ApiModel:
    """Give a model by name. Raises: NotFoundException."""
    model = definition.models.get(name)
    if model is None:
        raise NotFoundException(f"Invalid model name specified: {name}")
    return model


def _user_of(definition: Definition, name: str) -> str | None:
    for resource in definition.resources.values():
        for method in resource.methods:
            named = [*method.request_models.values()]
            for response in method.responses:
                named.extend(response.response_models.values())
            if name in named:
                return f"{resource.path} {method.http_method}"
    return None


_PATCHES: Final[PatchTable[ApiModel]] = PatchTable(
    (
        rule("/description", "replace", lambda held, patch: replace(held, description=patch.value)),
        rule("/schema", "replace", lambda held, patch: replace(held, schema=patch.value)),
    )
)
