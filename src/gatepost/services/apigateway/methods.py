"""Methods and method responses: what a verb on a resource asks of its callers and promises them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from gatepost.kernel.operations import Call
from gatepost.services.apigateway.authorizers import check_authorization
from gatepost.services.apigateway.deployment import Method, MethodResponse
from gatepost.services.apigateway.mapping import (
    check_integration_request,
    check_method_parameters,
    check_response_parameters,
)
from gatepost.services.apigateway.model import BadRequestException, ConflictException, Definition, NotFoundException
from gatepost.services.apigateway.patches import Patch, PatchTable, boolean, rule, set_entry
from gatepost.services.apigateway.records import ApiRecords
from gatepost.services.apigateway.request_validators import NOT_FOUND as NO_VALIDATOR
from gatepost.services.apigateway.shapes import method_response_to_aws, method_to_aws
from gatepost.services.apigateway.support import check_supported
from gatepost.services.apigateway.tree import find_method, method_of, resource_of, with_method, without_method

HTTP_METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "ANY")
AUTHORIZATION_TYPES: Final = ("NONE", "AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS")

Result = TypeVar("Result")


class Methods:
    """The operations on methods and method responses."""

    def __init__(self, records: ApiRecords) -> None:
        self._records = records

    async def put(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Add a method. Raises: NotFoundException, BadRequestException, ConflictException."""
        method = Method(
            http_method=params["httpMethod"],
            authorization_type=params["authorizationType"],
            authorizer_id=params.get("authorizerId", ""),
            authorization_scopes=tuple(params.get("authorizationScopes", ())),
            api_key_required=params.get("apiKeyRequired", False),
            operation_name=params.get("operationName", ""),
            request_parameters=params.get("requestParameters", {}),
            request_models=params.get("requestModels", {}),
            request_validator_id=params.get("requestValidatorId", ""),
        )

        def change(definition: Definition) -> tuple[Definition, dict[str, Any]]:
            if find_method(resource_of(definition, params["resourceId"]), method.http_method) is not None:
                raise ConflictException("Method already exists for this resource")
            check_method(definition, method)
            return with_method(definition, params["resourceId"], method), method_to_aws(method)

        return await self._records.change_definition(call, params["restApiId"], change)

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a method with its integration and responses. Raises: NotFoundException."""
        definition = (await self._records.definition(call, params["restApiId"])).value
        return method_to_aws(method_of(definition, params["resourceId"], params["httpMethod"]))

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a method. Raises: NotFoundException, BadRequestException."""

        def change(definition: Definition, method: Method) -> tuple[Method, dict[str, Any]]:
            changed = _METHOD_PATCHES.apply(method, params)
            check_method(definition, changed)
            return changed, method_to_aws(changed)

        return await self._change(call, params, change)

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take a method away. Raises: NotFoundException."""

        def change(definition: Definition) -> tuple[Definition, None]:
            return without_method(definition, params["resourceId"], params["httpMethod"]), None

        await self._records.change_definition(call, params["restApiId"], change)

    async def put_response(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Declare a response of a method. Raises: NotFoundException, BadRequestException, ConflictException."""
        response = MethodResponse(
            status_code=params["statusCode"],
            response_parameters=params.get("responseParameters", {}),
            response_models=params.get("responseModels", {}),
        )

        def change(definition: Definition, method: Method) -> tuple[Method, dict[str, Any]]:
            if find_response(method, response.status_code) is not None:
                raise ConflictException("Response already exists for this resource")
            check_method_response(definition, response)
            return with_response(method, response), method_response_to_aws(response)

        return await self._change(call, params, change)

    async def get_response(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a declared response. Raises: NotFoundException."""
        definition = (await self._records.definition(call, params["restApiId"])).value
        method = method_of(definition, params["resourceId"], params["httpMethod"])
        return method_response_to_aws(response_of(method, params["statusCode"]))

    async def update_response(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a declared response. Raises: NotFoundException, BadRequestException."""

        def change(definition: Definition, method: Method) -> tuple[Method, dict[str, Any]]:
            changed = _RESPONSE_PATCHES.apply(response_of(method, params["statusCode"]), params)
            check_method_response(definition, changed)
            return with_response(method, changed), method_response_to_aws(changed)

        return await self._change(call, params, change)

    async def delete_response(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take a declared response away. Raises: NotFoundException."""

        def change(_: Definition, method: Method) -> tuple[Method, None]:
            response_of(method, params["statusCode"])
            kept = tuple(each for each in method.responses if each.status_code != params["statusCode"])
            return replace(method, responses=kept), None

        await self._change(call, params, change)

    async def _change(
        self, call: Call, params: Mapping[str, Any], change: Callable[[Definition, Method], tuple[Method, Result]]
    ) -> Result:
        def change_definition(definition: Definition) -> tuple[Definition, Result]:
            method = method_of(definition, params["resourceId"], params["httpMethod"])
            changed, result = change(definition, method)
            return with_method(definition, params["resourceId"], changed), result

        return await self._records.change_definition(call, params["restApiId"], change_definition)


def check_method(definition: Definition, method: Method) -> None:
    """Check that a method can be what it says. Raises: BadRequestException."""
    if method.http_method not in HTTP_METHODS:
        raise BadRequestException(f"Invalid HttpMethod specified. Valid options are {','.join(HTTP_METHODS)}")
    if method.authorization_type not in AUTHORIZATION_TYPES:
        raise BadRequestException(
            f"Invalid authorization type specified. Valid options are {','.join(AUTHORIZATION_TYPES)}"
        )
    check_supported("authorizationType", method.authorization_type)
    check_authorization(definition, method)
    if method.request_validator_id and method.request_validator_id not in definition.request_validators:
        raise BadRequestException(NO_VALIDATOR)
    check_method_parameters(method.request_parameters)
    _check_models(definition, method.request_models)
    if method.integration is not None:
        check_integration_request(method.integration.request_parameters, method.request_parameters)


def check_method_response(definition: Definition, response: MethodResponse) -> None:
    """Check that a method response can be what it says. Raises: BadRequestException."""
    check_response_parameters(response.response_parameters)
    _check_models(definition, response.response_models)


def find_response(method: Method, status_code: str) -> MethodResponse | None:
    """Give the response that a method declares for a status, or None."""
    return next((each for each in method.responses if each.status_code == status_code), None)


def response_of(method: Method, status_code: str) -> MethodResponse:
    """Give the response that a method declares for a status. Raises: NotFoundException."""
    response = find_response(method, status_code)
    if response is None:
        raise NotFoundException("Invalid Response status code specified")
    return response


def with_response(method: Method, response: MethodResponse) -> Method:
    """Give `method` with `response` added, or in place of the one for its status."""
    others = [each for each in method.responses if each.status_code != response.status_code]
    return replace(method, responses=tuple(sorted([*others, response], key=lambda each: each.status_code)))


def _check_models(definition: Definition, models: Mapping[str, str]) -> None:
    for name in models.values():
        if name not in definition.models:
            raise BadRequestException(f"Invalid model identifier specified: {name}")


def _request_parameter(method: Method, patch: Patch) -> Method:
    value = False if patch.op == "remove" or not patch.value else boolean(patch)
    return replace(method, request_parameters=set_entry(method.request_parameters, patch, value))


def _request_model(method: Method, patch: Patch) -> Method:
    return replace(method, request_models=set_entry(method.request_models, patch, patch.value))


def _authorization_type(method: Method, patch: Patch) -> Method:
    """Set the type; scopes that mean nothing to it go (unverified)."""
    scopes = method.authorization_scopes if patch.value == "COGNITO_USER_POOLS" else ()
    return replace(method, authorization_type=patch.value, authorization_scopes=scopes)


def _scope(method: Method, patch: Patch) -> Method:
    others = tuple(each for each in method.authorization_scopes if each != patch.value)
    if patch.op == "remove":
        if len(others) == len(method.authorization_scopes):
            raise BadRequestException(f"Invalid patch value  '{patch.value}' specified for path '{patch.path}'")
        return replace(method, authorization_scopes=others)
    return replace(method, authorization_scopes=(*others, patch.value))


def _response_parameter(response: MethodResponse, patch: Patch) -> MethodResponse:
    value = False if patch.op == "remove" or not patch.value else boolean(patch)
    return replace(response, response_parameters=set_entry(response.response_parameters, patch, value))


def _response_model(response: MethodResponse, patch: Patch) -> MethodResponse:
    return replace(response, response_models=set_entry(response.response_models, patch, patch.value))


_METHOD_PATCHES: Final[PatchTable[Method]] = PatchTable(
    (
        rule("/authorizationType", "replace", _authorization_type),
        rule("/authorizerId", "replace", lambda held, patch: replace(held, authorizer_id=patch.value)),
        rule("/authorizationScopes", "add remove", _scope),
        rule("/apiKeyRequired", "replace", lambda held, patch: replace(held, api_key_required=boolean(patch))),
        rule("/operationName", "replace", lambda held, patch: replace(held, operation_name=patch.value)),
        rule("/requestValidatorId", "replace", lambda held, patch: replace(held, request_validator_id=patch.value)),
        rule("/requestParameters/*", "add replace remove", _request_parameter),
        rule("/requestModels/*", "add replace remove", _request_model),
    )
)
_RESPONSE_PATCHES: Final[PatchTable[MethodResponse]] = PatchTable(
    (
        rule("/responseParameters/*", "add replace remove", _response_parameter),
        rule("/responseModels/*", "add replace remove", _response_model),
    )
)
