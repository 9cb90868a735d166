"""What each operation touches, for IAM: API Gateway's actions are HTTP verbs and its resources are paths.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-iam-policy-examples.html
The condition keys `apigateway:Request/…` and `apigateway:Resource/…` are not given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from gatepost.kernel.operations import Access, Call, pass_role, tag_context
from gatepost.services.apigateway.document_operations import DOCUMENT_PATHS
from gatepost.services.apigateway.domain_operations import DOMAIN_PATHS
from gatepost.services.apigateway.model import PRINCIPAL
from gatepost.services.apigateway.usage_operations import USAGE_PATHS

_API: Final = "/restapis/{restApiId}"
_RESOURCE: Final = f"{_API}/resources/{{resourceId}}"
_METHOD: Final = f"{_RESOURCE}/methods/{{httpMethod}}"
_METHOD_RESPONSE: Final = f"{_METHOD}/responses/{{statusCode}}"
_INTEGRATION: Final = f"{_METHOD}/integration"
_INTEGRATION_RESPONSE: Final = f"{_INTEGRATION}/responses/{{statusCode}}"
_DEPLOYMENTS: Final = f"{_API}/deployments"
_DEPLOYMENT: Final = f"{_DEPLOYMENTS}/{{deploymentId}}"
_STAGES: Final = f"{_API}/stages"
_STAGE: Final = f"{_STAGES}/{{stageName}}"
_MODELS: Final = f"{_API}/models"
_MODEL: Final = f"{_MODELS}/{{modelName}}"
_GATEWAY_RESPONSES: Final = f"{_API}/gatewayresponses"
_GATEWAY_RESPONSE: Final = f"{_GATEWAY_RESPONSES}/{{responseType}}"
_VALIDATORS: Final = f"{_API}/requestvalidators"
_VALIDATOR: Final = f"{_VALIDATORS}/{{requestValidatorId}}"
_AUTHORIZERS: Final = f"{_API}/authorizers"
_AUTHORIZER: Final = f"{_AUTHORIZERS}/{{authorizerId}}"
_TAGS: Final = "/tags/{resourceArn}"

# The service model's HTTP method and URI of each operation; a test compares them.
PATHS: Final[Mapping[str, tuple[str, str]]] = {
    "CreateAuthorizer": ("POST", _AUTHORIZERS),
    "DeleteAuthorizer": ("DELETE", _AUTHORIZER),
    "GetAuthorizer": ("GET", _AUTHORIZER),
    "GetAuthorizers": ("GET", _AUTHORIZERS),
    "UpdateAuthorizer": ("PATCH", _AUTHORIZER),
    "CreateRequestValidator": ("POST", _VALIDATORS),
    "DeleteRequestValidator": ("DELETE", _VALIDATOR),
    "GetRequestValidator": ("GET", _VALIDATOR),
    "GetRequestValidators": ("GET", _VALIDATORS),
    "UpdateRequestValidator": ("PATCH", _VALIDATOR),
    "CreateDeployment": ("POST", _DEPLOYMENTS),
    "CreateModel": ("POST", _MODELS),
    "CreateResource": ("POST", f"{_API}/resources/{{parentId}}"),
    "CreateRestApi": ("POST", "/restapis"),
    "CreateStage": ("POST", _STAGES),
    "DeleteDeployment": ("DELETE", _DEPLOYMENT),
    "DeleteGatewayResponse": ("DELETE", _GATEWAY_RESPONSE),
    "DeleteIntegration": ("DELETE", _INTEGRATION),
    "DeleteIntegrationResponse": ("DELETE", _INTEGRATION_RESPONSE),
    "DeleteMethod": ("DELETE", _METHOD),
    "DeleteMethodResponse": ("DELETE", _METHOD_RESPONSE),
    "DeleteModel": ("DELETE", _MODEL),
    "DeleteResource": ("DELETE", _RESOURCE),
    "DeleteRestApi": ("DELETE", _API),
    "DeleteStage": ("DELETE", _STAGE),
    "GetAccount": ("GET", "/account"),
    "GetDeployment": ("GET", _DEPLOYMENT),
    "GetDeployments": ("GET", _DEPLOYMENTS),
    "GetExport": ("GET", f"{_STAGE}/exports/{{exportType}}"),
    "GetGatewayResponse": ("GET", _GATEWAY_RESPONSE),
    "GetGatewayResponses": ("GET", _GATEWAY_RESPONSES),
    "GetIntegration": ("GET", _INTEGRATION),
    "GetIntegrationResponse": ("GET", _INTEGRATION_RESPONSE),
    "GetMethod": ("GET", _METHOD),
    "GetMethodResponse": ("GET", _METHOD_RESPONSE),
    "GetModel": ("GET", _MODEL),
    "GetModels": ("GET", _MODELS),
    "GetResource": ("GET", _RESOURCE),
    "GetResources": ("GET", f"{_API}/resources"),
    "GetRestApi": ("GET", _API),
    "GetRestApis": ("GET", "/restapis"),
    "GetStage": ("GET", _STAGE),
    "GetStages": ("GET", _STAGES),
    "GetTags": ("GET", _TAGS),
    "ImportRestApi": ("POST", "/restapis"),
    "PutGatewayResponse": ("PUT", _GATEWAY_RESPONSE),
    "PutIntegration": ("PUT", _INTEGRATION),
    "PutIntegrationResponse": ("PUT", _INTEGRATION_RESPONSE),
    "PutMethod": ("PUT", _METHOD),
    "PutMethodResponse": ("PUT", _METHOD_RESPONSE),
    "PutRestApi": ("PUT", _API),
    "TagResource": ("PUT", _TAGS),
    "UntagResource": ("DELETE", _TAGS),
    "UpdateAccount": ("PATCH", "/account"),
    "UpdateDeployment": ("PATCH", _DEPLOYMENT),
    "UpdateGatewayResponse": ("PATCH", _GATEWAY_RESPONSE),
    "UpdateIntegration": ("PATCH", _INTEGRATION),
    "UpdateIntegrationResponse": ("PATCH", _INTEGRATION_RESPONSE),
    "UpdateMethod": ("PATCH", _METHOD),
    "UpdateMethodResponse": ("PATCH", _METHOD_RESPONSE),
    "UpdateModel": ("PATCH", _MODEL),
    "UpdateResource": ("PATCH", _RESOURCE),
    "UpdateRestApi": ("PATCH", _API),
    "UpdateStage": ("PATCH", _STAGE),
    **DOCUMENT_PATHS,
    **DOMAIN_PATHS,
    **USAGE_PATHS,
}


# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html
_DOMAIN_POLICY: Final = "apigateway:UpdateDomainNamePolicy"
_ASSOCIATING: Final = {
    "CreateDomainNameAccessAssociation": "apigateway:CreateAccessAssociation",
    "RejectDomainNameAccessAssociation": "apigateway:RejectAccessAssociation",
}


def access_of(call: Call, params: Mapping[str, Any]) -> Sequence[Access]:
    """Say what a call does: its verb on its path, and with a role's ARN that the role is passed on."""
    verb, template = PATHS[call.operation]
    path = template.format_map(
        {name: quote(value, safe="") for name, value in params.items() if isinstance(value, str)}
    )
    resource = f"arn:aws:apigateway:{call.region}::{path}"
    if (domain_id := params.get("domainNameId", "")) and path.startswith("/domainnames/"):
        name, _, below = path.removeprefix("/domainnames/").partition("/")
        private = f"/domainnames/{name}+{quote(domain_id, safe='')}{f'/{below}' if below else ''}"
        resource = f"arn:aws:apigateway:{call.region}:{call.account_id}:{private}"
    context = tag_context(params.get("tags", {}).items(), params.get("tagKeys", ()))
    touched = [Access(f"apigateway:{verb}", resource, context)]
    if isinstance(source := params.get("cloneFrom"), str):  # unverified: that AWS asks; a clone shows all of its source
        touched.append(
            Access("apigateway:GET", f"arn:aws:apigateway:{call.region}::/restapis/{quote(source, safe='')}")
        )
    if _names_policy(params):
        of_domain = call.operation in ("CreateDomainName", "UpdateDomainName")
        touched.append(Access(_DOMAIN_POLICY if of_domain else "apigateway:UpdateRestApiPolicy", resource))
    if (action := _ASSOCIATING.get(call.operation)) is not None:
        touched.append(Access(action, params["domainNameArn"]))
    touched.extend(pass_role(role_arn, PRINCIPAL) for role_arn in _role_arns(params))
    return touched


def update_policy(call: Call, api_id: str) -> Access:
    """Say that an API's resource policy is set."""
    path = f"/restapis/{api_id}" if api_id else "/restapis"
    return Access("apigateway:UpdateRestApiPolicy", f"arn:aws:apigateway:{call.region}::{path}")


def _role_arns(params: Mapping[str, Any]) -> list[str]:
    found = [params[name] for name in ("credentials", "authorizerCredentials") if params.get(name)]
    found.extend(
        patch["value"]
        for patch in params.get("patchOperations", ())
        if patch.get("path") in ("/credentials", "/authorizerCredentials", "/cloudwatchRoleArn") and patch.get("value")
    )
    return found


def _names_policy(params: Mapping[str, Any]) -> bool:
    return bool(params.get("policy")) or any(
        each.get("path") == "/policy" for each in params.get("patchOperations", ())
    )
