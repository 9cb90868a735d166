"""A deployed API as an OpenAPI document: what `openapi_import` reads gives the same API again.

What no export carries, on AWS neither: parameters of several values (they become single ones), whether a response's
header is required, content types of models, two integration responses of one pattern.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-export-api.html
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatepost.kernel.clock import iso_8601
from gatepost.kernel.limits import API_GATEWAY_INTEGRATION_TIMEOUT_MS_MAX
from gatepost.services.apigateway.deployment import ApiModel, Deployment, Integration, Method, MethodResponse
from gatepost.services.apigateway.documentation_model import DocumentationVersion
from gatepost.services.apigateway.openapi_export_documentation import document_with_words, documentation_extension
from gatepost.services.apigateway.openapi_export_security import ExportedSecurity, request_validators
from gatepost.services.apigateway.openapi_methods import ANY_METHOD, INTEGRATION
from gatepost.services.apigateway.openapi_validators import VALIDATOR, VALIDATORS
from gatepost.services.apigateway.shapes import integration_response_to_aws, integration_to_aws
from gatepost.services.apigateway.tree import parent_path

EXTENSIONS: Final = (
    "integrations",
    "apigateway",
    "authorizers",
    "documentation",
    "validators",
    "gatewayresponses",
)

_PREFIX: Final = "x-amazon-apigateway-"
_PLACES: Final = {
    "querystring": "query",
    "multivaluequerystring": "query",
    "header": "header",
    "multivalueheader": "header",
    "path": "path",
}
_STRING: Final = {"type": "string"}


@dataclass(frozen=True, slots=True)
class ExportedInfo:
    """What an export says beside the deployment: of the API as it stands, and of the stage."""

    stage_name: str
    version: str = ""
    description: str = ""
    documentation: DocumentationVersion | None = None


def export_api(
    content: Deployment,
    info: ExportedInfo,
    models: Iterable[ApiModel],
    *,
    is_3: bool,
    extensions: Collection[str],
) -> dict[str, Any]:
    """Write a deployment down as OpenAPI 3.0 (`is_3`) or Swagger 2.0, with the extensions that are asked for."""
    document = _Exporter(content, is_3=is_3, extensions=extensions).document(info, models)
    return document_with_words(document, info.documentation) if info.documentation is not None else document


class _Exporter:
    def __init__(self, content: Deployment, *, is_3: bool, extensions: Collection[str]) -> None:
        self._content = content
        self._is_3 = is_3
        self._asked = frozenset(EXTENSIONS if "apigateway" in extensions else extensions)
        self._schemas = "#/components/schemas/" if is_3 else "#/definitions/"
        self._security = ExportedSecurity(content)
        self._validators = request_validators(content)

    def document(self, about: ExportedInfo, models: Iterable[ApiModel]) -> dict[str, Any]:
        content = self._content
        info = {"title": content.api_name, "version": about.version or iso_8601(content.created_at_ms)}
        if about.description:
            info["description"] = about.description
        host = f"{content.api_id}.execute-api.{content.region}.amazonaws.com"
        paths = self._paths()
        schemas = {each.name: self._schema(each) for each in models}
        schemes = self._security.schemes(has_all="authorizers" in self._asked)
        document: dict[str, Any]
        if self._is_3:
            variables = {"basePath": {"default": about.stage_name}}
            server = {"url": f"https://{host}/{{basePath}}", "variables": variables}
            document = {"openapi": "3.0.1", "info": info, "servers": [server], "paths": paths}
            document["components"] = {"schemas": schemas} | ({"securitySchemes": schemes} if schemes else {})
        else:
            document = {"swagger": "2.0", "info": info, "host": host, "basePath": f"/{about.stage_name}"}
            document |= {"schemes": ["https"], "paths": paths, "definitions": schemas}
            document |= {"securityDefinitions": schemes} if schemes else {}
        if about.documentation is not None and "documentation" in self._asked:
            document |= documentation_extension(about.documentation)
        return document | self._settings()

    def _paths(self) -> dict[str, Any]:
        """Give every path with methods, and those without that nothing stands below: the others are implied."""
        parents = {parent_path(resource.path) for resource in self._content.resources}
        return {
            resource.path: {
                ANY_METHOD if each.http_method == "ANY" else each.http_method.lower(): self._operation(
                    resource.id, each
                )
                for each in resource.methods
            }
            for resource in self._content.resources
            if resource.methods or (resource.path != "/" and resource.path not in parents)
        }

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        if "apigateway" in self._asked:
            settings |= _api_settings(self._content)
        if "validators" in self._asked and self._validators:
            settings[VALIDATORS] = {
                name: {
                    "validateRequestParameters": each.validates_parameters,
                    "validateRequestBody": each.validates_body,
                }
                for name, each in self._validators.values()
            }
        if "gatewayresponses" in self._asked and self._content.gateway_responses:
            settings[f"{_PREFIX}gateway-responses"] = {
                each.response_type: {
                    **({"statusCode": each.status_code} if each.status_code else {}),
                    "responseParameters": dict(each.response_parameters),
                    "responseTemplates": dict(each.response_templates),
                }
                for each in self._content.gateway_responses
            }
        return settings

    def _schema(self, model: ApiModel) -> Any:
        base = f"https://apigateway.amazonaws.com/restapis/{self._content.api_id}/models/"
        schema = json.loads(model.schema) if model.schema else {}
        return _with_references(schema, base, self._schemas)

    def _operation(self, resource_id: str, method: Method) -> dict[str, Any]:
        operation: dict[str, Any] = {"operationId": method.operation_name} if method.operation_name else {}
        parameters = [
            self._parameter(name, is_needed=is_needed) for name, is_needed in method.request_parameters.items()
        ]
        if self._is_3:
            if method.request_models:
                operation["requestBody"] = {"content": self._content_of(method.request_models), "required": True}
        else:
            operation |= _media_types(method)
            parameters += [
                {"in": "body", "name": name, "required": True, "schema": {"$ref": f"{self._schemas}{name}"}}
                for name in list(method.request_models.values())[:1]  # Swagger 2.0 has one body
            ]
        if parameters:
            operation["parameters"] = parameters
        operation["responses"] = {each.status_code: self._response(each) for each in method.responses}
        security = self._security.of_method(method, has_all="authorizers" in self._asked)
        if security:
            operation["security"] = security
        if method.request_validator_id in self._validators and "validators" in self._asked:
            operation[VALIDATOR] = self._validators[method.request_validator_id][0]
        if method.integration is not None and "integrations" in self._asked:
            operation[INTEGRATION] = _integration(resource_id, method.integration)
        return operation

    def _parameter(self, expression: str, *, is_needed: bool) -> dict[str, Any]:
        _, _, place, name = expression.split(".", 3)
        parameter: dict[str, Any] = {"name": name, "in": _PLACES[place], "required": is_needed or place == "path"}
        return parameter | ({"schema": dict(_STRING)} if self._is_3 else _STRING)

    def _response(self, response: MethodResponse) -> dict[str, Any]:
        shape: dict[str, Any] = {"description": f"{response.status_code} response"}
        if response.response_parameters:
            names = [name.split(".", 3)[3] for name in response.response_parameters]
            shape["headers"] = {name: {"schema": dict(_STRING)} if self._is_3 else dict(_STRING) for name in names}
        if response.response_models and self._is_3:
            shape["content"] = self._content_of(response.response_models)
        elif response.response_models:
            name = next(iter(response.response_models.values()))
            shape["schema"] = {"$ref": f"{self._schemas}{name}"}
        return shape

    def _content_of(self, models: Mapping[str, str]) -> dict[str, Any]:
        return {media_type: {"schema": {"$ref": f"{self._schemas}{name}"}} for media_type, name in models.items()}


def _api_settings(content: Deployment) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if content.binary_media_types:
        settings[f"{_PREFIX}binary-media-types"] = list(content.binary_media_types)
    if content.resource_policy:
        settings[f"{_PREFIX}policy"] = json.loads(content.resource_policy)
    if content.api_key_source != "HEADER":
        settings[f"{_PREFIX}api-key-source"] = content.api_key_source
    if content.minimum_compression_bytes is not None:
        settings[f"{_PREFIX}minimum-compression-size"] = content.minimum_compression_bytes
    if content.is_execute_api_endpoint_disabled:
        settings[f"{_PREFIX}endpoint-configuration"] = {"disableExecuteApiEndpoint": True}
    return settings


def _media_types(method: Method) -> dict[str, Any]:
    produced = dict.fromkeys(media_type for each in method.responses for media_type in each.response_models)
    found = {"consumes": list(method.request_models), "produces": list(produced)}
    return {name: types for name, types in found.items() if types}


def _integration(resource_id: str, integration: Integration) -> dict[str, Any]:
    shape = integration_to_aws(integration)
    shape.pop("integrationResponses", None)
    shape["type"] = integration.type.lower()
    shape["passthroughBehavior"] = integration.passthrough_behavior.lower()
    if integration.cache_namespace == resource_id:
        del shape["cacheNamespace"]
    if not integration.cache_key_parameters:
        del shape["cacheKeyParameters"]
    if integration.timeout_ms == API_GATEWAY_INTEGRATION_TIMEOUT_MS_MAX:
        del shape["timeoutInMillis"]
    if integration.responses:
        shape["responses"] = {}
    for each in integration.responses:
        response = integration_response_to_aws(each)
        shape["responses"][response.pop("selectionPattern", "") or "default"] = response
    return shape


def _with_references(value: Any, base: str, schemas: str) -> Any:
    if isinstance(value, dict):
        return {
            name: f"{schemas}{each.removeprefix(base)}"
            if name == "$ref" and isinstance(each, str) and each.startswith(base)
            else _with_references(each, base, schemas)
            for name, each in value.items()
        }
    return [_with_references(each, base, schemas) for each in value] if isinstance(value, list) else value
