"""What happens to the properties of AWS::ApiGateway types.

What API Gateway's operations do not do yet stands in `services/apigateway/support.py`; it is read here, so that
the ledger and the operations say the same.
"""

from __future__ import annotations

from typing import Final

from gatepost.security.tls_contexts import POLICIES
from gatepost.services.apigateway.openapi_gaps import openapi_gaps
from gatepost.services.apigateway.support import ANY, UNSUPPORTED
from gatepost.templates.ledger import ENFORCED, Entry, TypeEntry, approximated, inert, one_of, refused

_CACHE_CLUSTER_SIZE: Final = approximated(
    "a gateway keeps at most 512 MiB of cached answers, all its stages together; Valkey, what its maxmemory allows",
    exact=("0.5",),
)


def supported(setting: str) -> Entry:
    """Give the entry of a property by what API Gateway's operations do with its setting."""
    values = {value: instead for (name, value), instead in UNSUPPORTED.items() if name == setting}
    if ANY in values:
        return refused(f"API Gateway's {setting} is not supported yet: {values[ANY]}")
    if values:
        return Entry("enforced", refused_values=values)
    return ENFORCED


def entries() -> list[TypeEntry]:
    """Give the entries of this service."""
    return [
        TypeEntry(
            "AWS::ApiGateway::Account", ENFORCED, {"CloudWatchRoleArn": inert("the gateway writes its own logs")}
        ),
        _authorizer(),
        TypeEntry("AWS::ApiGateway::ClientCertificate", ENFORCED, {"Description": ENFORCED, "Tags": ENFORCED}),
        TypeEntry(
            "AWS::ApiGateway::DocumentationPart",
            ENFORCED,
            {"Location": ENFORCED, "Properties": ENFORCED, "RestApiId": ENFORCED},
        ),
        TypeEntry(
            "AWS::ApiGateway::DocumentationVersion",
            ENFORCED,
            {"Description": ENFORCED, "DocumentationVersion": ENFORCED, "RestApiId": ENFORCED},
        ),
        _deployment(),
        TypeEntry(
            "AWS::ApiGateway::GatewayResponse",
            ENFORCED,
            {
                "ResponseParameters": ENFORCED,
                "ResponseTemplates": ENFORCED,
                "ResponseType": ENFORCED,
                "RestApiId": ENFORCED,
                "StatusCode": ENFORCED,
            },
        ),
        _method(),
        TypeEntry(
            "AWS::ApiGateway::Model",
            ENFORCED,
            {
                "ContentType": ENFORCED,
                "Description": ENFORCED,
                "Name": ENFORCED,
                "RestApiId": ENFORCED,
                "Schema": ENFORCED,
            },
        ),
        TypeEntry(
            "AWS::ApiGateway::RequestValidator",
            ENFORCED,
            {
                "Name": ENFORCED,
                "RestApiId": ENFORCED,
                "ValidateRequestBody": ENFORCED,
                "ValidateRequestParameters": ENFORCED,
            },
        ),
        TypeEntry(
            "AWS::ApiGateway::Resource",
            ENFORCED,
            {"ParentId": ENFORCED, "PathPart": ENFORCED, "RestApiId": ENFORCED},
        ),
        _rest_api(),
        _stage(),
    ]


def _authorizer() -> TypeEntry:
    names = (
        "AuthorizerCredentials",
        "AuthorizerResultTtlInSeconds",
        "AuthorizerUri",
        "IdentitySource",
        "IdentityValidationExpression",
        "Name",
        "ProviderARNs",
        "RestApiId",
        "Type",
    )
    entries = dict.fromkeys(names, ENFORCED) | {"AuthType": inert("a word of your own, for imports and exports")}
    return TypeEntry("AWS::ApiGateway::Authorizer", ENFORCED, entries)


def _rest_api() -> TypeEntry:
    return TypeEntry(
        "AWS::ApiGateway::RestApi",
        ENFORCED,
        {
            "ApiKeySourceType": supported("apiKeySource"),
            "BinaryMediaTypes": ENFORCED,
            "Body": ENFORCED,
            "BodyS3Location": ENFORCED,
            "BodyS3Location/ETag": refused("uploaded files are found by their content: remove it"),
            "BodyS3Location/Version": refused("uploaded files have no versions: remove it"),
            "CloneFrom": ENFORCED,
            "Description": ENFORCED,
            "DisableExecuteApiEndpoint": ENFORCED,
            "EndpointAccessMode": ENFORCED,
            "EndpointConfiguration": ENFORCED,
            "EndpointConfiguration/IpAddressType": inert("the listeners' addresses are the operator's choice"),
            "EndpointConfiguration/Types": ENFORCED,
            "EndpointConfiguration/VpcEndpointIds": approximated(
                "the endpoint is of use where --vpc-endpoint names it, or it is the default one"
            ),
            "FailOnWarnings": ENFORCED,
            "MinimumCompressionSize": supported("minimumCompressionSize"),
            "Mode": ENFORCED,
            "Name": ENFORCED,
            "Parameters": ENFORCED,
            "Policy": ENFORCED,
            "SecurityPolicy": one_of(*sorted(POLICIES), otherwise=f"use {', '.join(sorted(POLICIES))}"),
            "Tags": ENFORCED,
            "Version": ENFORCED,
        },
        inside={"Body": openapi_gaps},
    )


def _method() -> TypeEntry:
    return TypeEntry(
        "AWS::ApiGateway::Method",
        ENFORCED,
        {
            "ApiKeyRequired": supported("apiKeyRequired"),
            "AuthorizationScopes": supported("authorizationScopes"),
            "AuthorizationType": supported("authorizationType"),
            "AuthorizerId": supported("authorizerId"),
            "HttpMethod": ENFORCED,
            "Integration": ENFORCED,
            "Integration/CacheKeyParameters": supported("cachingEnabled"),
            "Integration/ConnectionId": refused("there are no VPC links: remove it"),
            "Integration/ConnectionType": supported("connectionType"),
            "Integration/Credentials": supported("credentials"),
            "Integration/IntegrationTarget": supported("integrationTarget"),
            "Integration/ResponseTransferMode": supported("responseTransferMode"),
            "Integration/Type": supported("type"),
            "MethodResponses": ENFORCED,
            "OperationName": ENFORCED,
            "RequestModels": ENFORCED,
            "RequestParameters": ENFORCED,
            "RequestValidatorId": supported("requestValidatorId"),
            "ResourceId": ENFORCED,
            "RestApiId": ENFORCED,
        },
    )


def _settings(prefix: str) -> dict[str, Entry]:
    names = {
        "CacheDataEncrypted": "cacheDataEncrypted",
        "CacheTtlInSeconds": "cacheTtlInSeconds",
        "CachingEnabled": "cachingEnabled",
        "DataTraceEnabled": "dataTraceEnabled",
        "LoggingLevel": "loggingLevel",
        "ThrottlingBurstLimit": "throttlingBurstLimit",
        "ThrottlingRateLimit": "throttlingRateLimit",
    }
    found = {f"{prefix}{member}": supported(setting) for member, setting in names.items()}
    found[f"{prefix}MetricsEnabled"] = ENFORCED
    return found


def _stage() -> TypeEntry:
    return TypeEntry(
        "AWS::ApiGateway::Stage",
        ENFORCED,
        {
            "AccessLogSetting": supported("accessLogSettings"),
            "CacheClusterEnabled": supported("cacheClusterEnabled"),
            "CacheClusterSize": _CACHE_CLUSTER_SIZE,
            "CanarySetting": supported("canarySettings"),
            "ClientCertificateId": ENFORCED,
            "DeploymentId": ENFORCED,
            "Description": ENFORCED,
            "DocumentationVersion": supported("documentationVersion"),
            "MethodSettings": ENFORCED,
            **_settings("MethodSettings/"),
            "RestApiId": ENFORCED,
            "StageName": ENFORCED,
            "Tags": ENFORCED,
            "TracingEnabled": supported("tracingEnabled"),
            "Variables": ENFORCED,
        },
    )


def _deployment() -> TypeEntry:
    return TypeEntry(
        "AWS::ApiGateway::Deployment",
        ENFORCED,
        {
            "DeploymentCanarySettings": supported("canarySettings"),
            "Description": ENFORCED,
            "RestApiId": ENFORCED,
            "StageDescription": ENFORCED,
            "StageDescription/AccessLogSetting": supported("accessLogSettings"),
            "StageDescription/CacheClusterEnabled": supported("cacheClusterEnabled"),
            "StageDescription/CacheClusterSize": _CACHE_CLUSTER_SIZE,
            "StageDescription/CanarySetting": supported("canarySettings"),
            "StageDescription/ClientCertificateId": ENFORCED,
            "StageDescription/DocumentationVersion": supported("documentationVersion"),
            "StageDescription/Tags": refused(
                "a deployment's stage takes no tags here: declare an AWS::ApiGateway::Stage"
            ),
            "StageDescription/TracingEnabled": supported("tracingEnabled"),
            **_settings("StageDescription/"),
            **_settings("StageDescription/MethodSettings/"),
            "StageName": ENFORCED,
        },
    )
