"""`x-amazon-apigateway-integration`: what an OpenAPI operation calls.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-integration.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.services.apigateway.deployment import Integration, IntegrationResponse
from gatepost.services.apigateway.integrations import (
    INTEGRATION_TYPES,
    integration_from_aws,
    integration_response_from_aws,
)
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.openapi_document import as_list, as_object, as_text, as_texts, resolve

_TEXTS: Final = ("cacheNamespace", "connectionId", "credentials", "uri", "integrationTarget")
_ENUMERATIONS: Final = ("type", "connectionType", "contentHandling", "passthroughBehavior", "responseTransferMode")
_MAPS: Final = ("requestParameters", "requestTemplates")
_OTHERS: Final = (
    "cacheKeyParameters",
    "httpMethod",
    "payloadFormatVersion",
    "responses",
    "timeoutInMillis",
    "tlsConfig",
)
_KNOWN: Final = frozenset((*_TEXTS, *_ENUMERATIONS, *_MAPS, *_OTHERS))
_RESPONSE_KNOWN: Final = frozenset(("statusCode", "responseParameters", "responseTemplates", "contentHandling"))


def read_integration(document: Mapping[str, Any], given: Any) -> Integration:
    """Read the extension of an operation. `cache_namespace` stays empty where it is not given.

    Raises: BadRequestException.
    """
    extension = as_object(resolve(document, given), "x-amazon-apigateway-integration")
    _check_known(extension, _KNOWN, "x-amazon-apigateway-integration")
    fields: dict[str, Any] = {name: as_text(extension[name], name) for name in _TEXTS if extension.get(name)}
    fields |= {name: as_text(extension[name], name).upper() for name in _ENUMERATIONS if extension.get(name)}
    fields |= {name: as_texts(extension[name], name) for name in _MAPS if extension.get(name)}
    if fields.get("type") not in INTEGRATION_TYPES:
        raise BadRequestException(f"Invalid integration type specified: {extension.get('type')}")
    if str(extension.get("payloadFormatVersion", "1.0")) not in ("1.0", "1"):
        raise BadRequestException(
            f"payloadFormatVersion {extension['payloadFormatVersion']} is not supported for REST APIs: use 1.0"
        )
    fields["cacheKeyParameters"] = [
        as_text(each, "cacheKeyParameters")
        for each in as_list(extension.get("cacheKeyParameters"), "cacheKeyParameters")
    ]
    if extension.get("timeoutInMillis") is not None:
        fields["timeoutInMillis"] = _whole_number(extension["timeoutInMillis"])
    fields["tlsConfig"] = {"insecureSkipVerification": _skips_verification(extension.get("tlsConfig"))}
    http_method = as_text(extension.get("httpMethod"), "httpMethod").upper()
    integration = integration_from_aws(fields, http_method, "")
    return replace(integration, responses=_read_responses(extension.get("responses")))


def _read_responses(given: Any) -> tuple[IntegrationResponse, ...]:
    by_status: dict[str, IntegrationResponse] = {}
    for pattern, each in as_object(given, "integration responses").items():
        what = f"integration response {pattern}"
        response = as_object(each, what)
        _check_known(response, _RESPONSE_KNOWN, what)
        status_code = as_text(response.get("statusCode"), f"statusCode of {what}")
        if status_code in by_status:
            raise BadRequestException(f"More than one integration response has the status code {status_code}")
        by_status[status_code] = integration_response_from_aws(
            {
                "selectionPattern": "" if pattern == "default" else pattern,
                "responseParameters": as_texts(response.get("responseParameters"), "responseParameters"),
                "responseTemplates": as_texts(response.get("responseTemplates"), "responseTemplates"),
                "contentHandling": as_text(response.get("contentHandling"), "contentHandling").upper(),
            },
            status_code,
        )
    return tuple(by_status[status_code] for status_code in sorted(by_status))


def _check_known(given: Mapping[str, Any], known: frozenset[str], what: str) -> None:
    for name in given:
        if name not in known and not (name.startswith("x-") and not name.startswith("x-amazon-")):
            raise BadRequestException(f"Unknown property {name} of {what}")


def _whole_number(value: Any) -> int:
    try:
        return int(as_text(value, "timeoutInMillis"))
    except ValueError:
        raise BadRequestException("Invalid OpenAPI input: timeoutInMillis is not a whole number") from None


def _skips_verification(given: Any) -> bool:
    config = as_object(given, "tlsConfig")
    _check_known(config, frozenset(("insecureSkipVerification", "serverNameToVerify")), "tlsConfig")
    if "serverNameToVerify" in config:
        raise BadRequestException("tlsConfig.serverNameToVerify is not supported for REST APIs")
    return str(config.get("insecureSkipVerification", False)).lower() == "true"
