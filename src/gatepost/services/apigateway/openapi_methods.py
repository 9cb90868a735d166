"""The operations of an OpenAPI document as methods: parameters, bodies, responses, security, integration."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gatepost.services.apigateway.deployment import Method, MethodResponse
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.openapi_document import (
    Findings,
    as_list,
    as_object,
    as_text,
    check_extensions,
    is_openapi_3,
    resolve,
)
from gatepost.services.apigateway.openapi_integration import read_integration
from gatepost.services.apigateway.openapi_schemas import Schemas
from gatepost.services.apigateway.openapi_security import read_security
from gatepost.services.apigateway.openapi_validators import VALIDATOR, validator_name

ANY_METHOD: Final = "x-amazon-apigateway-any-method"
INTEGRATION: Final = "x-amazon-apigateway-integration"

_VERBS: Final = ("get", "put", "post", "delete", "options", "head", "patch")
_BESIDE_VERBS: Final = ("parameters", "summary", "description", "servers", "$ref")
EXTENSIONS: Final = (INTEGRATION, VALIDATOR, "x-amazon-apigateway-auth", "x-amazon-apigateway-documentation")
_PLACES: Final = {"query": "querystring", "header": "header", "path": "path"}
_STATUS_CODE: Final = re.compile(r"[1-5]\d\d")


class MethodReader:
    """Reads the methods of one document."""

    def __init__(self, document: Mapping[str, Any], schemas: Schemas, findings: Findings) -> None:
        self._document = document
        self._schemas = schemas
        self._findings = findings
        self._is_3 = is_openapi_3(document)

    def read_path(self, path: str, given: Any) -> Iterator[Method]:
        """Give the methods of one path. What is wrong with one of them goes to the findings."""
        item = as_object(resolve(self._document, given), f"path {path}")
        self._note_ignored(item, ("servers",))
        check_extensions(item, (ANY_METHOD, "x-amazon-apigateway-documentation"), f"path {path}")
        for name, operation in item.items():
            verb = "ANY" if name == ANY_METHOD else name.upper()
            if name not in _VERBS and name != ANY_METHOD:
                if name not in _BESIDE_VERBS and not name.startswith("x-"):
                    self._findings.add_error(f"Invalid HttpMethod specified: '{name}' for resource at path '{path}'")
                continue
            try:
                yield self._read(verb, as_object(operation, f"{name} of path {path}"), item)
            except BadRequestException as error:
                self._findings.add_error(f"Unable to put method '{verb}' on resource at path '{path}': {error.message}")

    def _read(self, verb: str, operation: dict[str, Any], item: Mapping[str, Any]) -> Method:
        check_extensions(operation, EXTENSIONS, "an operation")
        self._note_ignored(operation, ("callbacks", "servers", "schemes"))
        parameters = self._parameters(operation, item)
        security = read_security(self._document, operation, self._findings)
        integration = None
        if INTEGRATION in operation:
            integration = read_integration(self._document, operation[INTEGRATION])
        return Method(
            http_method=verb,
            authorization_type=security.authorization_type,
            authorizer_id=security.authorizer,  # its name, until it has an id
            authorization_scopes=security.scopes,
            api_key_required=security.api_key_required,
            request_validator_id=validator_name(self._document, operation),  # likewise
            operation_name=as_text(operation.get("operationId"), "operationId"),
            request_parameters=self._request_parameters(parameters),
            request_models=self._request_models(operation, parameters),
            responses=self._responses(operation),
            integration=integration,
        )

    def _note_ignored(self, holder: Mapping[str, Any], names: tuple[str, ...]) -> None:
        for name in names:
            if holder.get(name):
                self._findings.add_note(f"API Gateway ignores {name} of paths, operations and responses")

    def _parameters(self, operation: Mapping[str, Any], item: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Give the operation's parameters and those of its path that it does not replace."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for holder in (item, operation):
            for each in as_list(holder.get("parameters"), "parameters"):
                parameter = as_object(resolve(self._document, each), "a parameter")
                name = as_text(parameter.get("name"), "a parameter's name")
                found[as_text(parameter.get("in"), f"in of parameter {name}"), name] = parameter
        return list(found.values())

    def _request_parameters(self, parameters: list[dict[str, Any]]) -> dict[str, bool]:
        found: dict[str, bool] = {}
        for parameter in parameters:
            place, name = parameter.get("in"), parameter.get("name")
            if place in _PLACES:
                found[f"method.request.{_PLACES[place]}.{name}"] = parameter.get("required") is True
            elif place != "body":
                self._findings.add_warning(f"Parameter '{name}' in '{place}' is not supported and was ignored")
        return found

    def _request_models(self, operation: Mapping[str, Any], parameters: list[dict[str, Any]]) -> dict[str, str]:
        if self._is_3:
            body = as_object(resolve(self._document, operation.get("requestBody")), "requestBody")
            return self._models_of_content(body)
        models: dict[str, str] = {}
        for parameter in parameters:
            schema = as_object(parameter.get("schema"), "schema")
            if parameter.get("in") == "body" and schema:
                name = self._schemas.name_of(schema)
                models.update((media_type, name) for media_type in self._media_types(operation, "consumes"))
        return models

    def _responses(self, operation: Mapping[str, Any]) -> tuple[MethodResponse, ...]:
        found: dict[str, MethodResponse] = {}
        for status_code, each in as_object(operation.get("responses"), "responses").items():
            if status_code == "default" or status_code.startswith("x-"):
                continue  # a method response has a status: AWS leaves the default out as well (unverified)
            if not _STATUS_CODE.fullmatch(status_code):
                self._findings.add_warning(f"Response '{status_code}' is not supported and was ignored")
                continue
            response = as_object(resolve(self._document, each), f"response {status_code}")
            self._note_ignored(response, ("links",))
            headers = as_object(response.get("headers"), f"headers of response {status_code}")
            found[status_code] = MethodResponse(
                status_code=status_code,
                response_parameters={f"method.response.header.{name}": False for name in headers},
                response_models=self._response_models(operation, response),
            )
        return tuple(found[status_code] for status_code in sorted(found))

    def _response_models(self, operation: Mapping[str, Any], response: Mapping[str, Any]) -> dict[str, str]:
        if self._is_3:
            return self._models_of_content(response)
        schema = as_object(response.get("schema"), "schema")
        if not schema:
            return {}
        name = self._schemas.name_of(schema)
        return dict.fromkeys(self._media_types(operation, "produces"), name)

    def _models_of_content(self, holder: Mapping[str, Any]) -> dict[str, str]:
        models: dict[str, str] = {}
        for media_type, each in as_object(holder.get("content"), "content").items():
            schema = as_object(as_object(each, f"content {media_type}").get("schema"), "schema")
            if schema:
                models[media_type] = self._schemas.name_of(schema)
        return models

    def _media_types(self, operation: Mapping[str, Any], field: str) -> list[str]:
        given = as_list(operation.get(field, self._document.get(field)), field)
        return [as_text(each, field) for each in given] or ["application/json"]
