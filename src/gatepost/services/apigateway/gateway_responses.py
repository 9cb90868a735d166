"""Gateway responses: an API's own answers where the gateway itself says no.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.operations import Call
from gatepost.services.apigateway.deployment import GatewayResponse
from gatepost.services.apigateway.mapping import check_gateway_response
from gatepost.services.apigateway.model import BadRequestException, Definition, NotFoundException
from gatepost.services.apigateway.paging import paged
from gatepost.services.apigateway.patches import Patch, PatchTable, rule, set_entry
from gatepost.services.apigateway.records import ApiRecords

# Response type -> AWS's own status; "" where it is that of what went wrong.
DEFAULT_STATUSES: Final[Mapping[str, str]] = {
    "ACCESS_DENIED": "403",
    "API_CONFIGURATION_ERROR": "500",
    "AUTHORIZER_CONFIGURATION_ERROR": "500",
    "AUTHORIZER_FAILURE": "500",
    "BAD_REQUEST_BODY": "400",
    "BAD_REQUEST_PARAMETERS": "400",
    "DEFAULT_4XX": "",
    "DEFAULT_5XX": "",
    "EXPIRED_TOKEN": "403",
    "INTEGRATION_FAILURE": "504",
    "INTEGRATION_TIMEOUT": "504",
    "INVALID_API_KEY": "403",
    "INVALID_SIGNATURE": "403",
    "MISSING_AUTHENTICATION_TOKEN": "403",
    "QUOTA_EXCEEDED": "429",
    "REQUEST_TOO_LARGE": "413",
    "RESOURCE_NOT_FOUND": "404",
    "THROTTLED": "429",
    "UNAUTHORIZED": "401",
    "UNSUPPORTED_MEDIA_TYPE": "415",
    "WAF_FILTERED": "403",
}
_DEFAULT_TEMPLATE: Final = '{"message":$context.error.messageString}'
_STATUS_CODE: Final = re.compile(r"[1-5]\d\d")


class GatewayResponses:
    """The operations on gateway responses."""

    def __init__(self, records: ApiRecords) -> None:
        self._records = records

    async def put(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Declare an API's own answer for a response type. Raises: NotFoundException, BadRequestException."""
        response = gateway_response_from_aws(params["responseType"], params)
        check_response(response)

        def change(definition: Definition) -> tuple[Definition, dict[str, Any]]:
            return with_gateway_response(definition, response), _to_aws(response)

        return await self._records.change_definition(call, params["restApiId"], change)

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give the answer for a response type, AWS's own when none is declared. Raises: NotFoundException."""
        definition = (await self._records.definition(call, params["restApiId"])).value
        return _of(definition, params["responseType"])

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give the answers for all response types. Raises: NotFoundException, BadRequestException."""
        definition = (await self._records.definition(call, params["restApiId"])).value
        page, position = paged({name: _of(definition, name) for name in DEFAULT_STATUSES}, params)
        answer: dict[str, Any] = {"items": page}
        return answer | position

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch the answer for a response type. Raises: NotFoundException, BadRequestException."""
        response_type = params["responseType"]

        def change(definition: Definition) -> tuple[Definition, dict[str, Any]]:
            held = definition.gateway_responses.get(response_type) or GatewayResponse(response_type)
            changed = _PATCHES.apply(held, params)
            check_response(changed)
            return with_gateway_response(definition, changed), _to_aws(changed)

        return await self._records.change_definition(call, params["restApiId"], change)

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Go back to AWS's own answer for a response type. Raises: NotFoundException."""
        response_type = params["responseType"]

        def change(definition: Definition) -> tuple[Definition, None]:
            if response_type not in definition.gateway_responses:
                raise NotFoundException("Gateway response type not defined on api")
            kept = {name: each for name, each in definition.gateway_responses.items() if name != response_type}
            return replace(definition, gateway_responses=kept), None

        await self._records.change_definition(call, params["restApiId"], change)


def gateway_response_from_aws(response_type: str, given: Mapping[str, Any]) -> GatewayResponse:
    """Read a gateway response with AWS's field names."""
    return GatewayResponse(
        response_type=response_type,
        status_code=str(given.get("statusCode") or ""),
        response_parameters=given.get("responseParameters", {}),
        response_templates=given.get("responseTemplates", {}),
    )


def check_response(response: GatewayResponse) -> None:
    """Check that a gateway response can be what it says. Raises: BadRequestException."""
    if response.response_type not in DEFAULT_STATUSES:
        raise BadRequestException(f"Invalid gateway response type specified: {response.response_type}")
    if response.status_code and not _STATUS_CODE.fullmatch(response.status_code):
        raise BadRequestException(f"Invalid gateway response status code specified: {response.status_code}")
    check_gateway_response(response.response_parameters, response.response_templates)


def with_gateway_response(definition: Definition, response: GatewayResponse) -> Definition:
    """Give `definition` with `response` added, or in place of the one for its type."""
    return replace(definition, gateway_responses={**definition.gateway_responses, response.response_type: response})


def _of(definition: Definition, response_type: str) -> dict[str, Any]:
    declared = definition.gateway_responses.get(response_type)
    return _to_aws(declared or GatewayResponse(response_type), is_default=declared is None)


def _to_aws(response: GatewayResponse, *, is_default: bool = False) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "responseType": response.response_type,
        "responseParameters": dict(response.response_parameters),
        "responseTemplates": dict(response.response_templates) or {"application/json": _DEFAULT_TEMPLATE},
        "defaultResponse": is_default,
    }
    status = response.status_code or DEFAULT_STATUSES[response.response_type]
    return shape | ({"statusCode": status} if status else {})


def _parameter(response: GatewayResponse, patch: Patch) -> GatewayResponse:
    return replace(response, response_parameters=set_entry(response.response_parameters, patch, patch.value))


def _template(response: GatewayResponse, patch: Patch) -> GatewayResponse:
    return replace(response, response_templates=set_entry(response.response_templates, patch, patch.value))


_PATCHES: Final[PatchTable[GatewayResponse]] = PatchTable(
    (
        rule("/statusCode", "replace", lambda held, patch: replace(held, status_code=patch.value)),
        rule("/responseParameters/*", "add replace remove", _parameter),
        rule("/responseTemplates/*", "add replace remove", _template),
    )
)
