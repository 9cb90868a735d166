"""The frozen snapshot of a REST API that `CreateDeployment` takes, and the stage settings that go with it.

This is the one thing that crosses from the control plane to the gateway: published under topic
`REST_API_STAGE`, key `{api_id}/{stage_name}`, as `{"deployment": …, "stage": …}`. AWS's field names are in
snake_case; a field with a unit says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

REST_API_STAGE: Final = "rest_api_stage"


@dataclass(frozen=True, slots=True)
class IntegrationResponse:
    """How an integration's answer becomes a method response. An empty `selection_pattern` is the default."""

    status_code: str
    selection_pattern: str = ""
    response_parameters: Mapping[str, str] = field(default_factory=dict)
    response_templates: Mapping[str, str] = field(default_factory=dict)
    content_handling: str = ""


@dataclass(frozen=True, slots=True)
class Integration:
    """What a method calls, as the operator declared it. `type` is AWS's (AWS_PROXY, MOCK, HTTP_PROXY, …)."""

    type: str
    http_method: str = ""
    uri: str = ""
    credentials_arn: str = ""  # AWS: credentials
    connection_type: str = ""
    connection_id: str = ""
    request_parameters: Mapping[str, str] = field(default_factory=dict)
    request_templates: Mapping[str, str] = field(default_factory=dict)
    passthrough_behavior: str = "WHEN_NO_MATCH"
    content_handling: str = ""
    timeout_ms: int = 29_000  # AWS: timeoutInMillis
    cache_namespace: str = ""
    cache_key_parameters: tuple[str, ...] = ()
    is_tls_verification_skipped: bool = False  # AWS: tlsConfig.insecureSkipVerification
    response_transfer_mode: str = "BUFFERED"
    responses: tuple[IntegrationResponse, ...] = ()


@dataclass(frozen=True, slots=True)
class MethodResponse:
    """What a client may get: the headers and models that a status declares."""

    status_code: str
    response_parameters: Mapping[str, bool] = field(default_factory=dict)
    response_models: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Method:
    """A verb (or ANY) on a resource. `integration` None means that the method cannot work."""

    http_method: str
    authorization_type: str = "NONE"
    authorizer_id: str = ""
    authorization_scopes: tuple[str, ...] = ()
    api_key_required: bool = False
    operation_name: str = ""
    request_parameters: Mapping[str, bool] = field(default_factory=dict)
    request_models: Mapping[str, str] = field(default_factory=dict)
    request_validator_id: str = ""
    integration: Integration | None = None
    responses: tuple[MethodResponse, ...] = ()


@dataclass(frozen=True, slots=True)
class Resource:
    """A node of the path tree. `path` is whole: `/orders/{orderId}`, `/{proxy+}`."""

    id: str
    path: str
    methods: tuple[Method, ...] = ()


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """An operator's own answer for one response type (`DEFAULT_4XX`, `ACCESS_DENIED`)."""

    response_type: str
    status_code: str = ""
    response_parameters: Mapping[str, str] = field(default_factory=dict)
    response_templates: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deployment:
    """The frozen API: nothing that is changed later can reach it."""

    id: str
    api_id: str
    api_name: str
    account_id: str
    region: str
    root_resource_id: str
    created_at_ms: int
    description: str = ""
    endpoint_types: tuple[str, ...] = ("EDGE",)
    is_execute_api_endpoint_disabled: bool = False
    api_key_source: str = "HEADER"
    binary_media_types: tuple[str, ...] = ()
    minimum_compression_bytes: int | None = None  # AWS: minimumCompressionSize
    resource_policy: str = ""
    resources: tuple[Resource, ...] = ()
    gateway_responses: tuple[GatewayResponse, ...] = ()


@dataclass(frozen=True, slots=True)
class StageSettings:
    """What a stage adds to its deployment. `method_settings` is by AWS's key, `*/*` or `~1orders/GET`."""

    stage_name: str
    deployment_id: str
    variables: Mapping[str, str] = field(default_factory=dict)
    method_settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    access_log_destination_arn: str = ""
    access_log_format: str = ""
    is_tracing_enabled: bool = False
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
