"""The security of an OpenAPI operation as a method's authorization, and security schemes as authorizers.

Schemes that API Gateway acts on are: `x-amazon-apigateway-authtype: awsSigv4` (IAM), those with
`x-amazon-apigateway-authorizer` (an authorizer by the scheme's name), and `apiKey` in the header `x-api-key`. The
override `x-amazon-apigateway-auth` names a type. A scheme that API Gateway would not enforce is refused: a method
that looks guarded and is not is what nobody wants. Security at the root of the document does nothing on AWS.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-authorizer.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from gatepost.services.apigateway.authorizers import COGNITO, authorizer_from_aws, check_authorizer
from gatepost.services.apigateway.deployment import Authorizer
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.openapi_document import Findings, as_list, as_object, as_text, is_openapi_3, resolve
from gatepost.services.apigateway.support import UnsupportedSetting

AUTHORIZER: Final = "x-amazon-apigateway-authorizer"
AUTH_TYPE: Final = "x-amazon-apigateway-authtype"
AUTH: Final = "x-amazon-apigateway-auth"
ROOT_SECURITY_IGNORED: Final = (
    "API Gateway ignores the security of the document as a whole: operations without a security of their own are open "
    "to everybody. Give each operation its own"
)

_SIGNATURE: Final = "awssigv4"
_TYPES: Final[Mapping[str, str]] = {"token": "TOKEN", "request": "REQUEST", "cognito_user_pools": COGNITO}
_TEXTS: Final = ("authorizerUri", "authorizerCredentials", "identitySource", "identityValidationExpression")
_KNOWN: Final = frozenset((*_TEXTS, "type", "authorizerResultTtlInSeconds", "providerARNs"))


@dataclass(frozen=True, slots=True)
class Security:
    """What a method asks for. `authorizer` is the name of a scheme."""

    authorization_type: str = "NONE"
    api_key_required: bool = False
    authorizer: str = ""
    scopes: tuple[str, ...] = ()


def read_security(document: Mapping[str, Any], operation: Mapping[str, Any], findings: Findings) -> Security:
    """Read what an operation asks for; lenient findings pass over schemes that nobody enforces, as AWS does.

    Raises: BadRequestException.
    """
    override = as_object(operation.get(AUTH), AUTH)
    if override:
        return Security(as_text(override.get("type"), f"{AUTH}.type").upper())
    found = Security()
    for requirement in as_list(operation.get("security"), "security"):
        for name, scopes in as_object(requirement, "a security requirement").items():
            given = tuple(as_text(each, "a scope") for each in as_list(scopes, f"scopes of {name}"))
            try:
                found = _with_scheme(found, document, name, given)
            except UnsupportedSetting as error:
                if not findings.is_lenient:
                    raise
                findings.add_note(f"{error.message}. Because of --lenient it guards nothing, as on AWS")
    return found


def has_ignored_security(document: Mapping[str, Any]) -> bool:
    """Say whether a document's own security would have to guard an operation. It does not: see the module."""
    if not document.get("security"):
        return False
    paths = document.get("paths")
    for given in paths.values() if isinstance(paths, dict) else ():
        for verb, operation in given.items() if isinstance(given, dict) else ():
            is_one = isinstance(operation, dict) and verb not in ("options", "parameters") and "responses" in operation
            if is_one and "security" not in operation and AUTH not in operation:
                return True
    return False


def read_authorizers(document: Mapping[str, Any], findings: Findings) -> tuple[Authorizer, ...]:
    """Read the authorizers that a document's security schemes declare, without ids.

    What is wrong with one goes to `findings`. Raises: BadRequestException.
    """
    found = []
    for name, given in schemes_of(document).items():
        scheme = as_object(resolve(document, given), f"security scheme {name}")
        if AUTHORIZER not in scheme:
            continue
        try:
            authorizer = _read_authorizer(name, scheme)
            check_authorizer(authorizer)
        except BadRequestException as error:
            findings.add_error(f"Unable to create authorizer from security definition: '{name}'. {error.message}")
            continue
        found.append(authorizer)
    return tuple(found)


def _read_authorizer(name: str, scheme: Mapping[str, Any]) -> Authorizer:
    extension = as_object(scheme[AUTHORIZER], AUTHORIZER)
    for field in extension:
        if field not in _KNOWN and not (field.startswith("x-") and not field.startswith("x-amazon-")):
            raise BadRequestException(f"Unknown property {field} of {AUTHORIZER}")
    kind = as_text(extension.get("type"), f"{AUTHORIZER}.type").lower()
    if kind not in _TYPES:
        raise BadRequestException(f"Invalid authorizer type specified: {extension.get('type')}")
    fields: dict[str, Any] = {each: as_text(extension.get(each), each) for each in _TEXTS}
    header = as_text(scheme.get("name"), "name")
    if not fields["identitySource"] and kind != "request" and header and scheme.get("in") == "header":
        fields["identitySource"] = f"method.request.header.{header}"
    if (ttl_s := extension.get("authorizerResultTtlInSeconds")) is not None:
        fields["authorizerResultTtlInSeconds"] = _seconds(ttl_s)
    providers = [as_text(each, "providerARNs") for each in as_list(extension.get("providerARNs"), "providerARNs")]
    auth_type = as_text(scheme.get(AUTH_TYPE), AUTH_TYPE)
    return authorizer_from_aws(
        {**fields, "name": name, "type": _TYPES[kind], "authType": auth_type, "providerARNs": providers}, ""
    )


def _with_scheme(found: Security, document: Mapping[str, Any], name: str, scopes: tuple[str, ...]) -> Security:
    schemes = schemes_of(document)
    if name == "NONE" and name not in schemes:  # SAM's way to say that a default does not count here
        return found
    if name not in schemes:
        raise BadRequestException(f"Unable to find security scheme {name}")
    scheme = as_object(resolve(document, schemes[name]), f"security scheme {name}")
    auth_type = as_text(scheme.get(AUTH_TYPE), AUTH_TYPE).lower()
    if AUTHORIZER in scheme:
        kind = as_text(as_object(scheme[AUTHORIZER], AUTHORIZER).get("type"), f"{AUTHORIZER}.type").lower()
        is_cognito = kind == "cognito_user_pools"
        asked = COGNITO if is_cognito else "CUSTOM"
        return _authorized(found, asked, authorizer=name, scopes=scopes if is_cognito else ())
    if auth_type == _SIGNATURE:
        return _authorized(found, "AWS_IAM")
    if auth_type:
        raise BadRequestException(f"Security scheme {name} declares no authorizer of a type that exists")
    where = (scheme.get("type"), scheme.get("in"), str(scheme.get("name")).lower())
    if where == ("apiKey", "header", "x-api-key"):
        return replace(found, api_key_required=True)
    raise UnsupportedSetting(
        f"API Gateway does not enforce the security scheme {name} of type {scheme.get('type')}: leave it out, or use "
        f"{AUTHORIZER} or {AUTH_TYPE} awsSigv4"
    )


def _authorized(
    found: Security, authorization_type: str, *, authorizer: str = "", scopes: tuple[str, ...] = ()
) -> Security:
    """Give `found` with an authorization type, which a method has one of. Raises: BadRequestException."""
    changed = replace(found, authorization_type=authorization_type, authorizer=authorizer, scopes=scopes)
    if found.authorization_type not in ("NONE", authorization_type) or found.authorizer not in ("", authorizer):
        raise BadRequestException("A method has one authorizer: more than one security scheme asks for one")
    return changed


def _seconds(value: Any) -> int:
    try:
        return int(as_text(value, "authorizerResultTtlInSeconds"))
    except ValueError:
        raise BadRequestException("Invalid OpenAPI input: authorizerResultTtlInSeconds is not a whole number") from None


def schemes_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Give a document's security schemes by name. Raises: BadRequestException."""
    if is_openapi_3(document):
        components = as_object(document.get("components"), "components")
        return as_object(components.get("securitySchemes"), "components.securitySchemes")
    return as_object(document.get("securityDefinitions"), "securityDefinitions")
