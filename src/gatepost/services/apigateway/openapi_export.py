"""A deployed API as an OpenAPI document: what `openapi_import` reads gives the same API again.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-export-api.html
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from gatepost.kernel.clock import iso_8601
from gatepost.kernel.limits import API_GATEWAY_INTEGRATION_TIMEOUT_MS_MAX
from gatepost.services.apigateway.deployment import ApiModel, Deployment, Integration, Method, MethodResponse
from gatepost.services.apigateway.openapi_methods import ANY_METHOD, INTEGRATION
from gatepost.services.apigateway.shapes import integration_response_to_aws, integration_to_aws

EXTENSIONS: Final = ("integrations", "apigateway", "authorizers")

_PREFIX: Final = "x-amazon-apigateway-"
_PLACES: Final = {
    "querystring": "query",
    "multivaluequerystring": "query",
    "header": "header",
    "multivalueheader": "header",
    "path": "path",
}
_SIGNATURE: Final = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    f"{_PREFIX}authtype": "awsSigv4",
}
_STRING: Final = {"type": "string"}


def export_api(
    content: Deployment,
    stage_name: str,
    models: Iterable[ApiModel],
    *,
    version: str,
    is_3: bool,
    extensions: Collection[str],
) -> dict[str, Any]:
    """Write a deployment down as OpenAPI 3.0 (`is_3`) or Swagger 2.0, with the extensions that are asked for."""
    return _Exporter(content, is_3=is_3, extensions=extensions).document(stage_name, models, version)


class _Exporter:
    def __init__(self, content: Deployment, *, is_3: bool, extensions: Collection[str]) -> None:
        self._content = content
        self._is_3 = is_3
        self._has_all = "apigateway" in extensions
        self._has_integrations = self._has_all or "integrations" in extensions
        self._has_security = self._has_all or "authorizers" in extensions
        self._schemas = "#/components/schemas/" if is_3 else "#/definitions/"

    def document(self, stage_name: str, models: Iterable[ApiModel], version: str) -> dict[str, Any]:
        content = self._content
        info = {"title": content.api_name, "version": version or iso_8601(content.created_at_ms)}
        host = f"{content.api_id}.execute-api.{content.region}.amazonaws.com"
        paths = {
            resource.path: {
                ANY_METHOD if each.http_method == "ANY" else each.http_method.lower(): self._operation(
                    resource.id, each
                )
                for each in resource.methods
            }
            for resource in content.resources
            if resource.methods
        }
        schemas = {each.name: self._schema(each) for each in models}
        document: dict[str, Any]
        if self._is_3:
            server = {"url": f"https://{host}/{{basePath}}", "variables": {"basePath": {"default": stage_name}}}
            document = {"openapi": "3.0.1", "info": info, "servers": [server], "paths": paths}
            document["components"] = {"schemas": schemas, **self._security_schemes("securitySchemes")}
        else:
            document = {"swagger": "2.0", "info": info, "host": host, "basePath": f"/{stage_name}"}
            document |= {"schemes": ["https"], "paths": paths, "definitions": schemas}
            document |= self._security_schemes("securityDefinitions")
        return document | (self._settings() if self._has_all else {})

    def _settings(self) -> dict[str, Any]:
        content = self._content
        settings: dict[str, Any] = {}
        if content.binary_media_types:
            settings[f"{_PREFIX}binary-media-types"] = list(content.binary_media_types)
        if content.resource_policy:
            settings[f"{_PREFIX}policy"] = json.loads(content.resource_policy)
        if content.gateway_responses:
            settings[f"{_PREFIX}gateway-responses"] = {
                each.response_type: {
                    **({"statusCode": each.status_code} if each.status_code else {}),
                    "responseParameters": dict(each.response_parameters),
                    "responseTemplates": dict(each.response_templates),
                }
                for each in content.gateway_responses
            }
        return settings

    def _security_schemes(self, field: str) -> dict[str, Any]:
        methods = [method for resource in self._content.resources for method in resource.methods]
        has_signature = any(each.authorization_type == "AWS_IAM" for each in methods)
        return {field: {"sigv4": dict(_SIGNATURE)}} if has_signature and self._has_security else {}

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
        if method.authorization_type == "AWS_IAM" and self._has_security:
            operation["security"] = [{"sigv4": []}]
        if method.integration is not None and self._has_integrations:
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
