"""GetModelTemplate: a mapping template that renders an input of a model's form, field by field.

Source: https://docs.aws.amazon.com/apigateway/latest/api/API_GetModelTemplate.html
AWS does not document the text: it is the form of its own examples (`#set($inputRoot = $input.path('$'))`, `#foreach`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.operations import Call
from gatepost.services.apigateway.model import BadRequestException, Definition
from gatepost.services.apigateway.models import model_of
from gatepost.services.apigateway.records import ApiRecords

DEPTH_MAX: Final = 20
LINES_MAX: Final = 5_000

_REFERENCE: Final = "https://apigateway.amazonaws.com/restapis/"


class ModelTemplates:
    """The operation that makes templates of models."""

    def __init__(self, records: ApiRecords) -> None:
        self._records = records

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a template for a model. Raises: NotFoundException, BadRequestException."""
        definition = (await self._records.definition(call, params["restApiId"])).value
        model = model_of(definition, params["modelName"])
        try:
            schema = json.loads(model.schema or "{}")
        except ValueError:
            raise BadRequestException(f"The schema of model {model.name} is no JSON") from None
        return {"value": model_template(definition, schema)}


def model_template(definition: Definition, schema: Mapping[str, Any]) -> str:
    """Write the template for a schema. Raises: BadRequestException when it would grow beyond `LINES_MAX` lines."""
    lines = ["#set($inputRoot = $input.path('$'))"]
    _Writer(definition, lines).write(schema, "$inputRoot", 0, "", ())
    return "\n".join(lines) + "\n"


class _Writer:
    def __init__(self, definition: Definition, lines: list[str]) -> None:
        self._definition = definition
        self._lines = lines
        self._loops = 0

    def write(self, schema: Any, value: str, depth: int, prefix: str, seen: tuple[str, ...]) -> None:
        """Write what renders `value` by `schema`, the first line after `prefix`."""
        if len(self._lines) > LINES_MAX:
            raise BadRequestException(f"The template would have more than {LINES_MAX} lines")
        schema, seen, is_open = self._resolved(schema, seen)
        kind = schema.get("type")
        pad = "  " * depth
        properties = schema.get("properties")
        if not is_open or depth > DEPTH_MAX:
            self._lines.append(f"{prefix}{{ }}")
        elif isinstance(properties, dict) and properties:
            self._lines.append(f"{prefix}{{")
            for number, (name, each) in enumerate(properties.items()):
                start = f"{pad}  {json.dumps(name)} : "
                self.write(each, f"{value}.{name}", depth + 1, start, seen)
                if number < len(properties) - 1:
                    self._lines[-1] += ","
            self._lines.append(f"{pad}}}")
        elif kind == "array":
            self._loops += 1
            item = "$elem" if self._loops == 1 else f"$elem{self._loops}"
            self._lines.append(f"{prefix}[")
            self._lines.append(f"#foreach({item} in {value})")
            self.write(schema.get("items", {}), item, depth + 1, f"{pad}  ", seen)
            self._lines[-1] += "#if($foreach.hasNext),#end"
            self._lines.extend(("#end", f"{pad}]"))
        elif kind == "object":
            self._lines.append(f"{prefix}{{ }}")
        elif kind in ("integer", "number", "boolean"):
            self._lines.append(f"{prefix}{value}")
        else:
            self._lines.append(f'{prefix}"{value}"')

    def _resolved(self, schema: Any, seen: tuple[str, ...]) -> tuple[Mapping[str, Any], tuple[str, ...], bool]:
        """Follow a reference to another model; False where it leads in a circle or nowhere."""
        if not isinstance(schema, dict):
            return {}, seen, True
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema, seen, True
        name = reference.rpartition("/")[2]
        model = self._definition.models.get(name) if reference.startswith(_REFERENCE) else None
        if model is None or name in seen:
            return {}, seen, False
        try:
            loaded = json.loads(model.schema or "{}")
        except ValueError:
            return {}, seen, False
        return (loaded if isinstance(loaded, dict) else {}), (*seen, name), True
