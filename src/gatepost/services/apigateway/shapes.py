"""Resources, methods and integrations in AWS's shapes, as the operations answer them."""

from __future__ import annotations

from typing import Any

from gatepost.services.apigateway.deployment import Integration, IntegrationResponse, Method, MethodResponse, Resource
from gatepost.services.apigateway.model import Definition
from gatepost.services.apigateway.tree import last_part, parent_path


def resource_to_aws(definition: Definition, resource: Resource, *, with_methods: bool = False) -> dict[str, Any]:
    """Give the shape Resource. Without `with_methods` it only names the verbs, as AWS does."""
    shape: dict[str, Any] = {"id": resource.id, "path": resource.path}
    if resource.path != "/":
        above = parent_path(resource.path)
        shape["parentId"] = next(each.id for each in definition.resources.values() if each.path == above)
        shape["pathPart"] = last_part(resource.path)
    if resource.methods:
        shape["resourceMethods"] = {
            each.http_method: method_to_aws(each) if with_methods else {} for each in resource.methods
        }
    return shape


def method_to_aws(method: Method) -> dict[str, Any]:
    """Give the shape Method."""
    shape: dict[str, Any] = {
        "httpMethod": method.http_method,
        "authorizationType": method.authorization_type,
        "apiKeyRequired": method.api_key_required,
    }
    if method.authorizer_id:
        shape["authorizerId"] = method.authorizer_id
    if method.authorization_scopes:
        shape["authorizationScopes"] = list(method.authorization_scopes)
    if method.request_validator_id:
        shape["requestValidatorId"] = method.request_validator_id
    if method.operation_name:
        shape["operationName"] = method.operation_name
    if method.request_parameters:
        shape["requestParameters"] = dict(method.request_parameters)
    if method.request_models:
        shape["requestModels"] = dict(method.request_models)
    if method.responses:
        shape["methodResponses"] = {each.status_code: method_response_to_aws(each) for each in method.responses}
    if method.integration is not None:
        shape["methodIntegration"] = integration_to_aws(method.integration)
    return shape


def method_response_to_aws(response: MethodResponse) -> dict[str, Any]:
    """Give the shape MethodResponse."""
    shape: dict[str, Any] = {"statusCode": response.status_code}
    if response.response_parameters:
        shape["responseParameters"] = dict(response.response_parameters)
    if response.response_models:
        shape["responseModels"] = dict(response.response_models)
    return shape


def integration_to_aws(integration: Integration) -> dict[str, Any]:
    """Give the shape Integration."""
    shape: dict[str, Any] = {
        "type": integration.type,
        "passthroughBehavior": integration.passthrough_behavior,
        "timeoutInMillis": integration.timeout_ms,
        "cacheNamespace": integration.cache_namespace,
        "cacheKeyParameters": list(integration.cache_key_parameters),
    }
    optional = (
        ("httpMethod", integration.http_method),
        ("uri", integration.uri),
        ("connectionType", integration.connection_type),
        ("connectionId", integration.connection_id),
        ("credentials", integration.credentials_arn),
        ("requestParameters", dict(integration.request_parameters)),
        ("requestTemplates", dict(integration.request_templates)),
        ("contentHandling", integration.content_handling),
    )
    shape.update((name, value) for name, value in optional if value)
    if integration.response_transfer_mode != "BUFFERED":
        shape["responseTransferMode"] = integration.response_transfer_mode
    if integration.is_tls_verification_skipped:
        shape["tlsConfig"] = {"insecureSkipVerification": True}
    if integration.responses:
        shape["integrationResponses"] = {
            each.status_code: integration_response_to_aws(each) for each in integration.responses
        }
    return shape


def integration_response_to_aws(response: IntegrationResponse) -> dict[str, Any]:
    """Give the shape IntegrationResponse."""
    shape: dict[str, Any] = {"statusCode": response.status_code}
    optional = (
        ("selectionPattern", response.selection_pattern),
        ("responseParameters", dict(response.response_parameters)),
        ("responseTemplates", dict(response.response_templates)),
        ("contentHandling", response.content_handling),
    )
    shape.update((name, value) for name, value in optional if value)
    return shape
