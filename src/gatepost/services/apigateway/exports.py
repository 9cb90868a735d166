"""GetExport: a stage's API as an OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import yaml

from gatepost.kernel.clock import iso_8601
from gatepost.kernel.operations import Call
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.openapi_export import EXTENSIONS, ExportedInfo, export_api
from gatepost.services.apigateway.records import ApiRecords

EXPORT_TYPES: Final = ("oas30", "swagger")
JSON: Final = "application/json"
YAML: Final = "application/yaml"


class Exports:
    """The operation that gives OpenAPI documents."""

    def __init__(self, records: ApiRecords) -> None:
        self._records = records

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give the API that a stage points at as a document. Raises: NotFoundException, BadRequestException."""
        api_id, export_type = params["restApiId"], params["exportType"]
        api = (await self._records.api(call, api_id)).value
        stage = (await self._records.stage(call, api_id, params["stageName"])).value
        if export_type not in EXPORT_TYPES:
            raise BadRequestException(f"Invalid export type specified. Must be one of: {', '.join(EXPORT_TYPES)}")
        extensions = _extensions(params.get("parameters", {}))
        content_type = params.get("accepts") or JSON
        if content_type not in (JSON, YAML):
            raise BadRequestException(f"Invalid accept header specified. Must be one of: {JSON}, {YAML}")
        content = await self._records.content(call, api_id, stage.settings.deployment_id)
        documentation = None
        if version := stage.settings.documentation_version:
            documentation = (await self._records.documentation_version(call, api_id, version)).value
        document = export_api(
            content,
            ExportedInfo(stage.settings.stage_name, api.version, api.description, documentation),
            content.models,
            is_3=export_type == "oas30",
            extensions=extensions,
        )
        is_json = content_type == JSON
        text = json.dumps(document, indent=2) if is_json else _to_yaml(document)
        name = f"{export_type}_{iso_8601(call.now_ms)}.{'json' if is_json else 'yaml'}"
        return {
            "contentType": content_type,
            "contentDisposition": f'attachment; filename="{name}"',
            "body": text.encode(),
        }


def _extensions(parameters: Mapping[str, str]) -> tuple[str, ...]:
    unknown = [name for name in parameters if name != "extensions"]
    if unknown:
        raise BadRequestException(f"Gatepost does not support the export parameter {unknown[0]} yet: leave it out")
    asked = tuple(each.strip() for each in parameters.get("extensions", "").split(",") if each.strip())
    for each in asked:
        if each not in EXTENSIONS:
            raise BadRequestException(f"Gatepost does not support the extension {each}: use {', '.join(EXTENSIONS)}")
    return asked


def _to_yaml(document: Mapping[str, Any]) -> str:
    return str(yaml.dump(json.loads(json.dumps(document)), Dumper=yaml.CSafeDumper, sort_keys=False))
