"""What API Gateway's control plane keeps of REST APIs, and the exceptions that its operations raise.

An API is two records, so that listing APIs does not load their trees and an import is one write: its
settings (`RestApi`) and its definition (resources with methods, models, gateway responses). A deployment
is two records as well: its head, which lists, and its frozen content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from gatepost.kernel.errors import ServiceError
from gatepost.services.apigateway.deployment import (
    ApiModel,
    Authorizer,
    CanarySettings,
    GatewayResponse,
    RequestValidator,
    Resource,
    StageSettings,
    authorizer_from_json,
    authorizer_to_json,
    gateway_response_from_json,
    gateway_response_to_json,
    model_from_json,
    request_validator_from_json,
    request_validator_to_json,
    resource_from_json,
    resource_to_json,
    stage_from_json,
    stage_to_json,
)

REST_API: Final = "apigateway.rest_api"
DEFINITION: Final = "apigateway.definition"
DEPLOYMENT: Final = "apigateway.deployment"
DEPLOYMENT_CONTENT: Final = "apigateway.deployment_content"
STAGE: Final = "apigateway.stage"
ACCOUNT: Final = "apigateway.account"
NO_CERTIFICATE: Final = "Invalid Client Certificate identifier specified"
CLIENT_CERTIFICATE: Final = "apigateway_client_certificate"  # a topic as well
CERTIFICATE_PURPOSE: Final = "apigateway-client-certificate"  # what its private key is sealed for
API_ID_OWNER: Final = "apigateway.api_id_owner"

PRINCIPAL: Final = "apigateway.amazonaws.com"  # to whom roles are handed, and who invokes functions

EMPTY_SCHEMA: Final = (
    '{\n  "$schema": "http://json-schema.org/draft-04/schema#",\n  "title" : "Empty Schema",\n  "type" : "object"\n}'
)
ERROR_SCHEMA: Final = (
    '{\n  "$schema" : "http://json-schema.org/draft-04/schema#",\n  "title" : "Error Schema",\n  "type" : "object",\n'
    '  "properties" : {\n    "message" : { "type" : "string" }\n  }\n}'
)


class BadRequestException(ServiceError):
    """The request says something that cannot be."""

    code = "BadRequestException"
    status = 400


class NotFoundException(ServiceError):
    """There is no such thing."""

    code = "NotFoundException"
    status = 404


class ConflictException(ServiceError):
    """Something with that name is there already, or two callers changed the same thing."""

    code = "ConflictException"
    status = 409


class LimitExceededException(ServiceError):
    """The account or the API holds as many as it may."""

    code = "LimitExceededException"
    status = 429


class TooManyRequestsException(ServiceError):
    """The caller is too fast."""

    code = "TooManyRequestsException"
    status = 429


class UnauthorizedException(ServiceError):
    """The caller is not known."""

    code = "UnauthorizedException"
    status = 401


@dataclass(frozen=True, slots=True)
class RestApi:
    """An API's settings. What the gateway acts on takes effect with the next deployment, as on AWS."""

    id: str
    name: str
    root_resource_id: str
    created_at_ms: int
    description: str = ""
    version: str = ""
    binary_media_types: tuple[str, ...] = ()
    minimum_compression_bytes: int | None = None  # AWS: minimumCompressionSize
    api_key_source: str = "HEADER"
    endpoint_type: str = "EDGE"  # AWS: endpointConfiguration.types, which holds exactly one
    ip_address_type: str = "ipv4"
    vpc_endpoint_ids: tuple[str, ...] = ()  # of PRIVATE APIs: those with a host name of their own for the API
    security_policy: str = ""  # "": not declared
    access_mode: str = ""  # AWS: endpointAccessMode
    policy: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    is_execute_api_endpoint_disabled: bool = False  # AWS: disableExecuteApiEndpoint

    def to_json(self) -> dict[str, Any]:
        """Give the record's value."""
        value = {each.name: getattr(self, each.name) for each in fields(self)}
        value["binary_media_types"] = list(self.binary_media_types)
        value["vpc_endpoint_ids"] = list(self.vpc_endpoint_ids)
        value["tags"] = dict(self.tags)
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RestApi:
        """Read what `to_json` wrote."""
        known = _known(cls, value)
        known["binary_media_types"] = tuple(value.get("binary_media_types", ()))
        known["vpc_endpoint_ids"] = tuple(value.get("vpc_endpoint_ids", ()))
        return cls(**known)

    def to_aws(self) -> dict[str, Any]:
        """Give the shape RestApi. Settings without a value are left out, as on AWS."""
        shape: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "createdDate": self.created_at_ms,
            "apiKeySource": self.api_key_source,
            "endpointConfiguration": self._endpoint_to_aws(),
            "disableExecuteApiEndpoint": self.is_execute_api_endpoint_disabled,
            "rootResourceId": self.root_resource_id,
        }
        _with(shape, "description", self.description)
        _with(shape, "version", self.version)
        _with(shape, "policy", self.policy)
        _with(shape, "binaryMediaTypes", list(self.binary_media_types))
        _with(shape, "tags", dict(self.tags))
        if self.minimum_compression_bytes is not None:
            shape["minimumCompressionSize"] = self.minimum_compression_bytes
        if self.security_policy:
            shape |= {"securityPolicy": self.security_policy, "apiStatus": "AVAILABLE"}
        _with(shape, "endpointAccessMode", self.access_mode)
        return shape

    def _endpoint_to_aws(self) -> dict[str, Any]:
        shape: dict[str, Any] = {"types": [self.endpoint_type], "ipAddressType": self.ip_address_type}
        _with(shape, "vpcEndpointIds", list(self.vpc_endpoint_ids))
        return shape


@dataclass(frozen=True, slots=True)
class Definition:
    """What an API consists of: one record, so that every change of it is atomic."""

    resources: Mapping[str, Resource]  # by id
    models: Mapping[str, ApiModel] = field(default_factory=dict)  # by name
    gateway_responses: Mapping[str, GatewayResponse] = field(default_factory=dict)  # by response type
    request_validators: Mapping[str, RequestValidator] = field(default_factory=dict)  # by id
    authorizers: Mapping[str, Authorizer] = field(default_factory=dict)  # by id

    def to_json(self) -> dict[str, Any]:
        """Give the record's value."""
        return {
            "resources": [resource_to_json(each) for each in self.resources.values()],
            "models": [each.to_json() for each in self.models.values()],
            "gateway_responses": [gateway_response_to_json(each) for each in self.gateway_responses.values()],
            "request_validators": [request_validator_to_json(each) for each in self.request_validators.values()],
            "authorizers": [authorizer_to_json(each) for each in self.authorizers.values()],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Definition:
        """Read what `to_json` wrote."""
        resources = [resource_from_json(each) for each in value["resources"]]
        models = [model_from_json(each) for each in value.get("models", ())]
        responses = [gateway_response_from_json(each) for each in value.get("gateway_responses", ())]
        validators = [request_validator_from_json(each) for each in value.get("request_validators", ())]
        authorizers = [authorizer_from_json(each) for each in value.get("authorizers", ())]
        return cls(
            resources={each.id: each for each in resources},
            models={each.name: each for each in models},
            gateway_responses={each.response_type: each for each in responses},
            request_validators={each.id: each for each in validators},
            authorizers={each.id: each for each in authorizers},
        )


@dataclass(frozen=True, slots=True)
class DeploymentHead:
    """A deployment as lists show it."""

    id: str
    api_id: str
    created_at_ms: int
    description: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the record's value."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DeploymentHead:
        """Read what `to_json` wrote."""
        return cls(**_known(cls, value))

    def to_aws(self) -> dict[str, Any]:
        """Give the shape Deployment without its summary."""
        shape: dict[str, Any] = {"id": self.id, "createdDate": self.created_at_ms}
        _with(shape, "description", self.description)
        return shape


@dataclass(frozen=True, slots=True)
class Stage:
    """A named pointer from an API to a deployment, with what the gateway needs of it in `settings`."""

    api_id: str
    settings: StageSettings
    created_at_ms: int
    updated_at_ms: int

    def to_json(self) -> dict[str, Any]:
        """Give the record's value."""
        return {
            "api_id": self.api_id,
            "settings": stage_to_json(self.settings),
            "created_at_ms": self.created_at_ms,
            "updated_at_ms": self.updated_at_ms,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Stage:
        """Read what `to_json` wrote."""
        return cls(**{**_known(cls, value), "settings": stage_from_json(value["settings"])})

    def to_aws(self) -> dict[str, Any]:
        """Give the shape Stage."""
        settings = self.settings
        shape: dict[str, Any] = {
            "deploymentId": settings.deployment_id,
            "stageName": settings.stage_name,
            "cacheClusterEnabled": settings.is_cache_cluster_enabled,
            "cacheClusterStatus": "AVAILABLE" if settings.is_cache_cluster_enabled else "NOT_AVAILABLE",
            "methodSettings": {key: dict(each) for key, each in settings.method_settings.items()},
            "tracingEnabled": settings.is_tracing_enabled,
            "createdDate": self.created_at_ms,
            "lastUpdatedDate": self.updated_at_ms,
        }
        _with(shape, "description", settings.description)
        _with(shape, "variables", dict(settings.variables))
        _with(shape, "tags", dict(settings.tags))
        access_log: dict[str, Any] = {}
        _with(access_log, "destinationArn", settings.access_log_destination_arn)
        _with(access_log, "format", settings.access_log_format)
        _with(shape, "accessLogSettings", access_log)
        _with(shape, "cacheClusterSize", settings.cache_cluster_size)
        _with(shape, "clientCertificateId", settings.client_certificate_id)
        _with(shape, "documentationVersion", settings.documentation_version)
        if settings.canary is not None:
            shape["canarySettings"] = canary_to_aws(settings.canary)
        return shape


def canary_to_aws(canary: CanarySettings) -> dict[str, Any]:
    """Give the shape CanarySettings."""
    shape: dict[str, Any] = {
        "deploymentId": canary.deployment_id,
        "percentTraffic": canary.percent_traffic,
        "useStageCache": canary.uses_stage_cache,
    }
    if canary.stage_variable_overrides:
        shape["stageVariableOverrides"] = dict(canary.stage_variable_overrides)
    return shape


def default_models(id_of: Callable[[str], str]) -> dict[str, ApiModel]:
    """Give the models that every new API has: Empty and Error."""
    empty = ApiModel(id_of("Empty"), "Empty", "application/json", EMPTY_SCHEMA, "This is a default empty schema model")
    error = ApiModel(id_of("Error"), "Error", "application/json", ERROR_SCHEMA, "This is a default error schema model")
    return {"Empty": empty, "Error": error}


def _with(shape: dict[str, Any], name: str, value: Any) -> None:
    if value:
        shape[name] = value


def _known(kind: type[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value[name] for name in kind.__dataclass_fields__ if name in value}
