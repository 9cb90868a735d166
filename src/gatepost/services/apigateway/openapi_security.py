"""The security of an OpenAPI operation as a method's authorization.

AWS's own schemes count: `x-amazon-apigateway-authtype: awsSigv4`, which SAM writes for AWS_IAM, and the
override `x-amazon-apigateway-auth`. A scheme that API Gateway would not enforce is refused: a method that
looks guarded and is not is what nobody wants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.openapi_document import as_list, as_object, as_text, is_openapi_3, resolve
from gatepost.services.apigateway.support import check_supported

_SIGNATURE: Final = "awssigv4"


@dataclass(frozen=True, slots=True)
class Security:
    """What a method asks for."""

    authorization_type: str = "NONE"
    api_key_required: bool = False


def read_security(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Security:
    """Read what an operation, or else the whole document, asks for. Raises: BadRequestException."""
    override = as_object(operation.get("x-amazon-apigateway-auth"), "x-amazon-apigateway-auth")
    if override:
        return Security(as_text(override.get("type"), "x-amazon-apigateway-auth.type").upper())
    asked = as_list(operation.get("security", document.get("security")), "security")
    found = Security()
    for requirement in asked:
        for name in as_object(requirement, "a security requirement"):
            found = _with_scheme(found, document, name)
    return found


def check_schemes(document: Mapping[str, Any]) -> None:
    """Refuse schemes that declare an authorizer. Raises: BadRequestException."""
    for name, given in schemes_of(document).items():
        check_scheme(document, name, given)


def check_scheme(document: Mapping[str, Any], name: str, given: Any) -> None:
    """Refuse a scheme that declares an authorizer. Raises: BadRequestException."""
    scheme = as_object(resolve(document, given), f"security scheme {name}")
    if "x-amazon-apigateway-authorizer" in scheme:
        _refuse_authorizer(name, scheme)


def _with_scheme(found: Security, document: Mapping[str, Any], name: str) -> Security:
    schemes = schemes_of(document)
    if name == "NONE" and name not in schemes:  # SAM's way to say that a default does not count here
        return found
    if name not in schemes:
        raise BadRequestException(f"Unable to find security scheme {name}")
    scheme = as_object(resolve(document, schemes[name]), f"security scheme {name}")
    auth_type = as_text(scheme.get("x-amazon-apigateway-authtype"), "x-amazon-apigateway-authtype").lower()
    if auth_type == _SIGNATURE:
        return Security("AWS_IAM", found.api_key_required)
    if auth_type or "x-amazon-apigateway-authorizer" in scheme:
        _refuse_authorizer(name, scheme)
    where = (scheme.get("type"), scheme.get("in"), str(scheme.get("name")).lower())
    if where == ("apiKey", "header", "x-api-key"):
        check_supported("apiKeyRequired", True)
        return Security(found.authorization_type, api_key_required=True)
    raise BadRequestException(
        f"API Gateway does not enforce the security scheme {name} of type {scheme.get('type')}: leave it out, or use "
        "x-amazon-apigateway-authtype awsSigv4"
    )


def _refuse_authorizer(name: str, scheme: Mapping[str, Any]) -> None:
    auth_type = as_text(scheme.get("x-amazon-apigateway-authtype"), "x-amazon-apigateway-authtype").lower()
    check_supported("authorizationType", "COGNITO_USER_POOLS" if auth_type == "cognito_user_pools" else "CUSTOM")
    raise BadRequestException(f"Security scheme {name} declares no authorizer of a type that exists")


def schemes_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Give a document's security schemes by name. Raises: BadRequestException."""
    if is_openapi_3(document):
        components = as_object(document.get("components"), "components")
        return as_object(components.get("securitySchemes"), "components.securitySchemes")
    return as_object(document.get("securityDefinitions"), "securityDefinitions")
