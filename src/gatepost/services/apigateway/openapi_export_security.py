"""The guards of a deployed API in an OpenAPI document: security schemes, requirements of methods, validators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.services.apigateway.authorizers import COGNITO, DEFAULT_IDENTITY_SOURCE, TTL_S_DEFAULT
from gatepost.services.apigateway.deployment import Authorizer, Deployment, Method, RequestValidator
from gatepost.services.apigateway.openapi_security import AUTH_TYPE, AUTHORIZER

_HEADER: Final = "method.request.header."
_SIGNATURE: Final = {"type": "apiKey", "name": "Authorization", "in": "header", AUTH_TYPE: "awsSigv4"}
_KEY: Final = {"type": "apiKey", "name": "x-api-key", "in": "header"}


class ExportedSecurity:
    """The security schemes of one deployment, and what each method asks for."""

    def __init__(self, content: Deployment) -> None:
        methods = [method for resource in content.resources for method in resource.methods]
        self._authorizers = {each.id: each for each in content.authorizers}
        taken = {each.name for each in content.authorizers}
        self._signature = _free("sigv4", taken)
        self._key = _free("api_key", taken)
        self._has_signature = any(each.authorization_type == "AWS_IAM" for each in methods)
        self._has_key = any(each.api_key_required for each in methods)

    def schemes(self, *, has_all: bool) -> dict[str, Any]:
        """Give the schemes by name; without `has_all` only API keys, which are no extension of Amazon's."""
        schemes: dict[str, Any] = {self._key: dict(_KEY)} if self._has_key else {}
        if not has_all:
            return schemes
        if self._has_signature:
            schemes[self._signature] = dict(_SIGNATURE)
        return schemes | {each.name: _scheme(each) for each in self._authorizers.values()}

    def of_method(self, method: Method, *, has_all: bool) -> list[dict[str, list[str]]]:
        """Give what a method asks for, as `security`."""
        asked: list[dict[str, list[str]]] = []
        authorizer = self._authorizers.get(method.authorizer_id)
        if has_all and method.authorization_type == "AWS_IAM":
            asked.append({self._signature: []})
        elif has_all and authorizer is not None and method.authorization_type in ("CUSTOM", COGNITO):
            asked.append({authorizer.name: list(method.authorization_scopes)})
        if method.api_key_required:
            asked.append({self._key: []})
        return asked


def request_validators(content: Deployment) -> Mapping[str, tuple[str, RequestValidator]]:
    """Give validators by id, each with a name that no other one has: a document knows them by name."""
    found: dict[str, tuple[str, RequestValidator]] = {}
    taken: set[str] = set()
    for each in content.request_validators:
        name = _free(each.name or each.id, taken)
        taken.add(name)
        found[each.id] = (name, each)
    return found


def _scheme(authorizer: Authorizer) -> dict[str, Any]:
    source = authorizer.identity_source or DEFAULT_IDENTITY_SOURCE
    is_request = authorizer.type == "REQUEST"
    extension: dict[str, Any] = {"type": authorizer.type.lower()}
    optional = (
        ("providerARNs", list(authorizer.provider_arns)),
        ("authorizerUri", authorizer.uri),
        ("authorizerCredentials", authorizer.credentials_arn),
        ("identitySource", authorizer.identity_source if is_request else ""),
        ("identityValidationExpression", authorizer.identity_validation_expression),
    )
    extension.update((name, value) for name, value in optional if value)
    if authorizer.type != COGNITO or authorizer.result_ttl_s != TTL_S_DEFAULT:
        extension["authorizerResultTtlInSeconds"] = authorizer.result_ttl_s
    return {
        "type": "apiKey",
        "name": "Unused" if is_request else source.removeprefix(_HEADER),
        "in": "header",
        AUTH_TYPE: authorizer.auth_type,
        AUTHORIZER: extension,
    }


def _free(name: str, taken: set[str]) -> str:
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate
