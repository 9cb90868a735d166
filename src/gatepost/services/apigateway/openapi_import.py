"""An OpenAPI document as an API: settings, models, gateway responses, and methods by path; then put into a tree.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

from gatepost.kernel.ids import stable_id
from gatepost.services.apigateway.authorizers import with_authorizer
from gatepost.services.apigateway.deployment import (
    ApiModel,
    Authorizer,
    GatewayResponse,
    Integration,
    Method,
    RequestValidator,
    Resource,
)
from gatepost.services.apigateway.gateway_responses import check_response, gateway_response_from_aws
from gatepost.services.apigateway.integrations import check_integration, check_integration_response_of
from gatepost.services.apigateway.limits import AWS_LIMITS, ApiLimits
from gatepost.services.apigateway.methods import check_method, check_method_response
from gatepost.services.apigateway.model import BadRequestException, ConflictException, Definition
from gatepost.services.apigateway.models import check_model
from gatepost.services.apigateway.openapi_document import (
    Findings,
    as_list,
    as_object,
    as_text,
    as_texts,
    check_extensions,
    is_openapi_3,
)
from gatepost.services.apigateway.openapi_documentation import Part, read_documentation
from gatepost.services.apigateway.openapi_methods import MethodReader
from gatepost.services.apigateway.openapi_schemas import Schemas, schema_text
from gatepost.services.apigateway.openapi_security import ROOT_SECURITY_IGNORED, has_ignored_security, read_authorizers
from gatepost.services.apigateway.openapi_validators import VALIDATOR, VALIDATORS, read_validators
from gatepost.services.apigateway.request_validators import check_validator, with_validator
from gatepost.services.apigateway.tree import add_resource, join_path, with_method

BASE_PATH_MODES: Final = ("ignore", "prepend", "split")

_PREFIX: Final = "x-amazon-apigateway-"
# What HTTP APIs have, and means nothing here nor on AWS: passed over with a warning.
_OF_HTTP_APIS: Final = ("importexport-version", "tag-value")
EXTENSIONS: Final = (
    VALIDATOR,
    VALIDATORS,
    *(
        f"{_PREFIX}{name}"
        for name in (
            "api-key-source",
            "binary-media-types",
            "documentation",
            "endpoint-access-mode",
            "endpoint-configuration",
            "gateway-responses",
            "integrations",
            "minimum-compression-size",
            "policy",
            "security-policy",
            *_OF_HTTP_APIS,
        )
    ),
)


@dataclass(frozen=True, slots=True)
class ImportedApi:
    """What a document says. None and empty: it does not say."""

    name: str
    description: str = ""
    version: str = ""
    api_key_source: str = ""
    binary_media_types: tuple[str, ...] = ()
    minimum_compression_bytes: int | None = None
    policy: str = ""
    endpoint_types: tuple[str, ...] = ()
    vpc_endpoint_ids: tuple[str, ...] = ()
    security_policy: str = ""
    access_mode: str = ""
    is_execute_api_endpoint_disabled: bool | None = None
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    gateway_responses: tuple[GatewayResponse, ...] = ()
    request_validators: tuple[RequestValidator, ...] = ()  # without ids, as are authorizers: methods name them by name
    authorizers: tuple[Authorizer, ...] = ()
    paths: Mapping[str, tuple[Method, ...]] = field(default_factory=dict)
    documentation: tuple[Part, ...] = ()


def read_api(document: Mapping[str, Any], base_path_mode: str, findings: Findings) -> ImportedApi:
    """Read a document. What is wrong with one path or one response goes to `findings`.

    Raises: BadRequestException for what makes the document as a whole unreadable.
    """
    check_extensions(document, EXTENSIONS, "the document")
    if has_ignored_security(document):
        findings.add_note(ROOT_SECURITY_IGNORED)
    for name in _OF_HTTP_APIS:
        if f"{_PREFIX}{name}" in document:
            findings.add_warning(f"Extension {_PREFIX}{name} is of HTTP APIs and was ignored")
    info = as_object(document.get("info"), "info")
    endpoint = _endpoint_configuration(document)
    schemas = Schemas(document)
    base_path = _base_path(document, base_path_mode)
    reader = MethodReader(document, schemas, findings)
    paths: dict[str, tuple[Method, ...]] = {base_path: ()} if base_path else {}
    for path, item in as_object(document.get("paths"), "paths").items():
        if not path.startswith("x-"):
            whole = (base_path or "/") if path == "/" else f"{base_path}{path}"
            paths[whole] = tuple(reader.read_path(path, item))
    compression = document.get(f"{_PREFIX}minimum-compression-size")
    policy = as_object(document.get(f"{_PREFIX}policy"), f"{_PREFIX}policy")
    is_disabled = endpoint.get("disableExecuteApiEndpoint")
    return ImportedApi(
        name=as_text(info.get("title"), "info.title"),
        description=as_text(info.get("description"), "info.description"),
        version=as_text(info.get("version"), "info.version"),
        api_key_source=as_text(document.get(f"{_PREFIX}api-key-source"), "api-key-source").upper(),
        binary_media_types=tuple(
            as_text(each, "binary-media-types")
            for each in as_list(document.get(f"{_PREFIX}binary-media-types"), "binary-media-types")
        ),
        minimum_compression_bytes=compression if isinstance(compression, int) else None,
        policy=json.dumps(policy) if policy else "",
        endpoint_types=tuple(as_text(each, "types") for each in as_list(endpoint.get("types"), "types")),
        vpc_endpoint_ids=tuple(
            as_text(each, "vpcEndpointIds") for each in as_list(endpoint.get("vpcEndpointIds"), "vpcEndpointIds")
        ),
        security_policy=as_text(document.get(f"{_PREFIX}security-policy"), "security-policy"),
        access_mode=as_text(document.get(f"{_PREFIX}endpoint-access-mode"), "endpoint-access-mode"),
        is_execute_api_endpoint_disabled=None if is_disabled is None else str(is_disabled).lower() == "true",
        models=schemas.models,
        gateway_responses=_gateway_responses(document, findings),
        request_validators=read_validators(document),
        authorizers=read_authorizers(document, findings),
        documentation=read_documentation(document, findings),
        paths=paths,
    )


def put_into(
    api_id: str,
    before: Definition,
    imported: ImportedApi,
    findings: Findings,
    *,
    overwrites: bool,
    endpoint_type: str = "EDGE",
    limits: ApiLimits = AWS_LIMITS,
) -> Definition:
    """Put what a document says into an API: instead of what is there, or over what has the same name.

    Resources keep their ids by path. What does not fit goes to `findings`. Raises: LimitExceededException.
    """
    builder = _Builder(api_id, before, findings, overwrites=overwrites, endpoint_type=endpoint_type, limits=limits)
    for name, schema in imported.models.items():
        builder.add_model(name, schema)
    for validator in imported.request_validators:
        builder.add_validator(validator)
    for authorizer in imported.authorizers:
        builder.add_authorizer(authorizer)
    for path, methods in imported.paths.items():
        resource = builder.add_path(path)
        for method in methods:
            if resource is not None:
                builder.add_method(resource, method)
    responses = {each.response_type: each for each in imported.gateway_responses}
    after = builder.definition
    return replace(after, gateway_responses={**after.gateway_responses, **responses})


class _Builder:
    """A definition that grows."""

    def __init__(
        self,
        api_id: str,
        before: Definition,
        findings: Findings,
        *,
        overwrites: bool,
        endpoint_type: str,
        limits: ApiLimits,
    ) -> None:
        self._limits = limits
        self._timeout_ms_max = limits.timeout_ms_max(endpoint_type)
        self._known_ids = {each.path: each.id for each in before.resources.values()}
        self._validator_ids = {each.name: each.id for each in before.request_validators.values()}
        self._authorizer_ids = {each.name: each.id for each in before.authorizers.values()}
        self.definition = before
        if overwrites:
            root = Resource(self._known_ids["/"], "/")
            self.definition = Definition(resources={root.id: root})
        self._api_id = api_id
        self._findings = findings
        self._ids = {each.path: each.id for each in self.definition.resources.values()}

    def add_model(self, name: str, schema: Mapping[str, Any]) -> None:
        held = self.definition.models.get(name)
        model = ApiModel(
            id=held.id if held else stable_id(self._api_id, "model", name, length=6),
            name=name,
            content_type="application/json",
            schema=schema_text(self._api_id, schema),
            description=schema["description"] if isinstance(schema.get("description"), str) else "",
        )
        try:
            check_model(model)
        except BadRequestException as error:
            self._findings.add_error(f"Unable to create model for '{name}': {error.message}")
            return
        self.definition = replace(self.definition, models={**self.definition.models, name: model})

    def add_validator(self, validator: RequestValidator) -> None:
        """Add a validator; one of its name that was there before gives it its id."""
        new_id = stable_id(self._api_id, "validator", validator.name, length=6)
        validator = replace(validator, id=self._validator_ids.setdefault(validator.name, new_id))
        try:
            check_validator(validator)
            self.definition = with_validator(self.definition, validator)
        except BadRequestException as error:
            self._findings.add_error(f"Unable to create request validator '{validator.name}': {error.message}")

    def add_authorizer(self, authorizer: Authorizer) -> None:
        """Add an authorizer; one of its name that was there before gives it its id."""
        new_id = stable_id(self._api_id, "authorizer", authorizer.name, length=6)
        authorizer = replace(authorizer, id=self._authorizer_ids.setdefault(authorizer.name, new_id))
        try:
            self.definition = with_authorizer(self.definition, authorizer, self._limits.authorizers_per_api)
        except BadRequestException as error:
            self._findings.add_error(f"Unable to create authorizer '{authorizer.name}': {error.message}")

    def add_path(self, path: str) -> str | None:
        """Give the id of the resource at `path`, made with all that leads to it, or None when it cannot be."""
        if not path.startswith("/"):
            self._findings.add_error(f"Unable to create resource at path '{path}': it does not start with /")
            return None
        here = "/"
        for part in path[1:].split("/") if path != "/" else ():
            below = join_path(here, part)
            if below not in self._ids and not self._add_resource(here, part, below):
                return None
            here = below
        return self._ids[here]

    def _add_resource(self, above: str, part: str, path: str) -> bool:
        parent = self.definition.resources[self._ids[above]]
        try:
            self.definition, resource = add_resource(
                self.definition,
                self._api_id,
                parent,
                part,
                resources_max=self._limits.resources_per_api,
                known_ids=self._known_ids,
            )
        except (BadRequestException, ConflictException) as error:
            self._findings.add_error(f"Unable to create resource at path '{path}': {error.message}")
            return False
        self._ids[path] = resource.id
        return True

    def add_method(self, resource_id: str, method: Method) -> None:
        path, verb = self.definition.resources[resource_id].path, method.http_method
        where = f"'{verb}' for resource at path '{path}'"
        integration = method.integration
        if integration is not None and not integration.cache_namespace:
            integration = replace(integration, cache_namespace=resource_id)
        method = replace(
            method,
            integration=integration,
            request_validator_id=self._validator_ids.get(method.request_validator_id, ""),
            authorizer_id=self._authorizer_ids.get(method.authorizer_id, ""),
        )
        try:
            check_method(self.definition, replace(method, integration=None))
            for response in method.responses:
                check_method_response(self.definition, response)
        except BadRequestException as error:
            self._findings.add_error(f"Unable to put method '{verb}' on resource at path '{path}': {error.message}")
            return
        if integration is not None and not self._can_integrate(method, integration, where):
            return
        self.definition = with_method(self.definition, resource_id, method)

    def _can_integrate(self, method: Method, integration: Integration, where: str) -> bool:
        try:
            check_integration(method, integration, self._timeout_ms_max)
        except BadRequestException as error:
            self._findings.add_error(f"Unable to put integration on {where}: {error.message}")
            return False
        try:
            for response in integration.responses:
                check_integration_response_of(method, integration, response)
        except BadRequestException as error:
            self._findings.add_error(f"Unable to put integration response on {where}: {error.message}")
            return False
        return True


def _base_path(document: Mapping[str, Any], mode: str) -> str:
    if mode == "ignore":
        return ""
    given = _declared_base_path(document).strip("/")
    parts = [part for part in given.split("/") if part]
    if mode == "split":
        parts = parts[1:]
    return "".join(f"/{part}" for part in parts)


def _declared_base_path(document: Mapping[str, Any]) -> str:
    if not is_openapi_3(document):
        return as_text(document.get("basePath"), "basePath")
    servers = [as_object(each, "a server") for each in as_list(document.get("servers"), "servers")]
    for server in servers:
        variable = as_object(as_object(server.get("variables"), "variables").get("basePath"), "basePath")
        if variable:
            return as_text(variable.get("default"), "basePath.default")
    return urlsplit(as_text(servers[0].get("url"), "url")).path if servers else ""


def _endpoint_configuration(document: Mapping[str, Any]) -> dict[str, Any]:
    name = f"{_PREFIX}endpoint-configuration"
    found = dict(as_object(document.get(name), name))
    if is_openapi_3(document):
        for server in as_list(document.get("servers"), "servers"):
            given = as_object(server, "a server")
            check_extensions(given, (name,), "a server")
            found |= as_object(given.get(name), name)
    return found


def _gateway_responses(document: Mapping[str, Any], findings: Findings) -> tuple[GatewayResponse, ...]:
    name = f"{_PREFIX}gateway-responses"
    responses = []
    for response_type, each in as_object(document.get(name), name).items():
        given = as_object(each, f"gateway response {response_type}")
        response = gateway_response_from_aws(
            response_type,
            {
                "statusCode": as_text(given.get("statusCode"), "statusCode"),
                "responseParameters": as_texts(given.get("responseParameters"), "responseParameters"),
                "responseTemplates": as_texts(given.get("responseTemplates"), "responseTemplates"),
            },
        )
        try:
            check_response(response)
        except BadRequestException as error:
            findings.add_error(f"Unable to put gateway response '{response_type}': {error.message}")
        responses.append(response)
    return tuple(responses)
