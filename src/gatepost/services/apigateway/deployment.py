"""The frozen snapshot of a REST API that `CreateDeployment` takes, and the stage settings that go with it.

This is the one thing that crosses from the control plane to the gateway: published under topic
`REST_API_STAGE`, key `{api_id}/{stage_name}`, as `{"deployment": …, "stage": …}`, with the deployment of the
stage's canary, if it has one, as `"canary"`. AWS's field names are in snake_case; a field with a unit says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any, Final

REST_API_STAGE: Final = "rest_api_stage"
API_ENDPOINT: Final = "api_endpoint"


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
class RequestValidator:
    """Which parts of a request are checked against what its method declares. Methods name it by id."""

    id: str
    name: str
    validates_body: bool = False  # AWS: validateRequestBody
    validates_parameters: bool = False  # AWS: validateRequestParameters


@dataclass(frozen=True, slots=True)
class Authorizer:
    """Who says who calls. `type` is AWS's: TOKEN, REQUEST or COGNITO_USER_POOLS. Methods name it by id.

    `identity_source` is AWS's text: one or (REQUEST) several expressions, divided by commas.
    """

    id: str
    name: str
    type: str
    provider_arns: tuple[str, ...] = ()  # of user pools
    auth_type: str = ""  # a customer's own word, which only imports and exports use
    uri: str = ""  # AWS: authorizerUri
    credentials_arn: str = ""  # AWS: authorizerCredentials
    identity_source: str = ""
    identity_validation_expression: str = ""
    result_ttl_s: int = 300  # AWS: authorizerResultTtlInSeconds; 0 switches caching off


@dataclass(frozen=True, slots=True)
class ApiModel:
    """A JSON schema that an API's methods name. It is enforced only where a method has a request validator.

    `schema` is its text; in it `$ref` names other models: `https://apigateway.amazonaws.com/restapis/{id}/models/{name}`.
    """

    id: str
    name: str
    content_type: str
    schema: str = ""
    description: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the value inside the definition's record."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def to_aws(self) -> dict[str, Any]:
        """Give the shape Model."""
        shape: dict[str, Any] = {"id": self.id, "name": self.name, "contentType": self.content_type}
        if self.description:
            shape["description"] = self.description
        if self.schema:
            shape["schema"] = self.schema
        return shape


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
    request_validators: tuple[RequestValidator, ...] = ()
    authorizers: tuple[Authorizer, ...] = ()
    models: tuple[ApiModel, ...] = ()


@dataclass(frozen=True, slots=True)
class CanarySettings:
    """A part of a stage's traffic goes to another deployment, with stage variables of its own."""

    deployment_id: str
    percent_traffic: float = 0.0  # 0 to 100
    stage_variable_overrides: Mapping[str, str] = field(default_factory=dict)
    uses_stage_cache: bool = False  # AWS: useStageCache


@dataclass(frozen=True, slots=True)
class StageSettings:
    """What a stage adds to its deployment.

    `method_settings` is by AWS's key, `*/*` or `~1orders/GET`, with AWS's names and JSON values:
    `throttlingRateLimit`, `loggingLevel`, `cachingEnabled` and so on (`stage_settings.DEFAULTS`).
    """

    stage_name: str
    deployment_id: str
    variables: Mapping[str, str] = field(default_factory=dict)
    method_settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    access_log_destination_arn: str = ""
    access_log_format: str = ""
    is_tracing_enabled: bool = False
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    canary: CanarySettings | None = None
    is_cache_cluster_enabled: bool = False
    cache_cluster_size: str = ""  # GB, AWS's texts: 0.5 to 237
    client_certificate_id: str = ""
    documentation_version: str = ""
    cache_flushes: int = 0  # FlushStageCache counts it up: what was cached under another count is void
    authorizer_cache_flushes: int = 0  # the same for FlushStageAuthorizersCache


def deployment_to_json(deployment: Deployment) -> dict[str, Any]:
    """Give `deployment` as JSON values. What holds its default is left out: defaults are part of the format."""
    return _to_json(deployment)


def deployment_from_json(value: Mapping[str, Any]) -> Deployment:
    """Read what `deployment_to_json` wrote; missing fields get their default, unknown ones are passed over."""
    known = _known(Deployment, value)
    known["endpoint_types"] = tuple(value.get("endpoint_types", ("EDGE",)))
    known["binary_media_types"] = tuple(value.get("binary_media_types", ()))
    known["resources"] = tuple(resource_from_json(each) for each in value.get("resources", ()))
    known["gateway_responses"] = tuple(gateway_response_from_json(each) for each in value.get("gateway_responses", ()))
    known["request_validators"] = tuple(
        request_validator_from_json(each) for each in value.get("request_validators", ())
    )
    known["authorizers"] = tuple(authorizer_from_json(each) for each in value.get("authorizers", ()))
    known["models"] = tuple(model_from_json(each) for each in value.get("models", ()))
    return Deployment(**known)


def stage_to_json(stage: StageSettings) -> dict[str, Any]:
    """Give `stage` as JSON values, without the fields that hold their default."""
    return _to_json(stage)


def stage_from_json(value: Mapping[str, Any]) -> StageSettings:
    """Read what `stage_to_json` wrote."""
    known = _known(StageSettings, value)
    if (canary := value.get("canary")) is not None:
        known["canary"] = CanarySettings(**_known(CanarySettings, canary))
    return StageSettings(**known)


def resource_to_json(resource: Resource) -> dict[str, Any]:
    """Give one resource with its methods as JSON values, without the fields that hold their default."""
    return _to_json(resource)


def resource_from_json(value: Mapping[str, Any]) -> Resource:
    """Read what `resource_to_json` wrote."""
    known = _known(Resource, value)
    known["methods"] = tuple(_method_from_json(each) for each in value.get("methods", ()))
    return Resource(**known)


def gateway_response_to_json(response: GatewayResponse) -> dict[str, Any]:
    """Give one gateway response as JSON values, without the fields that hold their default."""
    return _to_json(response)


def gateway_response_from_json(value: Mapping[str, Any]) -> GatewayResponse:
    """Read what `gateway_response_to_json` wrote."""
    return GatewayResponse(**_known(GatewayResponse, value))


def request_validator_to_json(validator: RequestValidator) -> dict[str, Any]:
    """Give one request validator as JSON values, without the fields that hold their default."""
    return _to_json(validator)


def request_validator_from_json(value: Mapping[str, Any]) -> RequestValidator:
    """Read what `request_validator_to_json` wrote."""
    return RequestValidator(**_known(RequestValidator, value))


def authorizer_to_json(authorizer: Authorizer) -> dict[str, Any]:
    """Give one authorizer as JSON values, without the fields that hold their default."""
    return _to_json(authorizer)


def authorizer_from_json(value: Mapping[str, Any]) -> Authorizer:
    """Read what `authorizer_to_json` wrote."""
    known = _known(Authorizer, value)
    known["provider_arns"] = tuple(value.get("provider_arns", ()))
    return Authorizer(**known)


def model_from_json(value: Mapping[str, Any]) -> ApiModel:
    """Read what `ApiModel.to_json` or a deployment's JSON holds."""
    return ApiModel(**_known(ApiModel, value))


def _method_from_json(value: Mapping[str, Any]) -> Method:
    known = _known(Method, value)
    known["authorization_scopes"] = tuple(value.get("authorization_scopes", ()))
    known["responses"] = tuple(MethodResponse(**_known(MethodResponse, each)) for each in value.get("responses", ()))
    if (integration := value.get("integration")) is not None:
        known["integration"] = _integration_from_json(integration)
    return Method(**known)


def _integration_from_json(value: Mapping[str, Any]) -> Integration:
    known = _known(Integration, value)
    known["cache_key_parameters"] = tuple(value.get("cache_key_parameters", ()))
    known["responses"] = tuple(
        IntegrationResponse(**_known(IntegrationResponse, each)) for each in value.get("responses", ())
    )
    return Integration(**known)


def _known(kind: type[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """Give those of `value` that `kind` has a field for."""
    return {name: value[name] for name in kind.__dataclass_fields__ if name in value}


def _to_json(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in fields(value):
        held = getattr(value, each.name)
        if held == each.default or (each.default_factory is not MISSING and not held):
            continue
        found[each.name] = _json_value(held)
    return found


def _json_value(held: Any) -> Any:
    if isinstance(held, tuple):
        return [_json_value(each) for each in held]
    if isinstance(held, Mapping):
        return {name: _json_value(each) for name, each in held.items()}
    return _to_json(held) if is_dataclass(held) else held
