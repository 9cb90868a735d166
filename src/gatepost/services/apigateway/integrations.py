"""Integrations and integration responses: what a method calls, and how the answer becomes the method's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from gatepost.kernel.arn import parse_arn
from gatepost.kernel.limits import (
    API_GATEWAY_INTEGRATION_TIMEOUT_MS_MAX,
    API_GATEWAY_INTEGRATION_TIMEOUT_MS_MIN,
    API_GATEWAY_STREAM_TIMEOUT_MS_MAX,
)
from gatepost.kernel.operations import Call
from gatepost.services.apigateway.deployment import Integration, IntegrationResponse, Method
from gatepost.services.apigateway.functions import (
    STAGE_VARIABLE,
    check_linear,
    is_function_path,
    is_function_uri,
)
from gatepost.services.apigateway.mapping import (
    check_function_parameters,
    check_integration_request,
    check_integration_response,
)
from gatepost.services.apigateway.methods import HTTP_METHODS, find_response
from gatepost.services.apigateway.model import BadRequestException, Definition, NotFoundException
from gatepost.services.apigateway.patches import Patch, PatchTable, boolean, integer, one_of, rule, set_entry
from gatepost.services.apigateway.records import ApiRecords
from gatepost.services.apigateway.shapes import integration_response_to_aws, integration_to_aws
from gatepost.services.apigateway.support import check_supported, check_template, check_template_size
from gatepost.services.apigateway.tree import method_of, with_method

INTEGRATION_TYPES: Final = ("HTTP", "AWS", "MOCK", "HTTP_PROXY", "AWS_PROXY")
PROXIES: Final = frozenset({"HTTP_PROXY", "AWS_PROXY"})
PASSTHROUGH_BEHAVIORS: Final = ("WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER")
CONTENT_HANDLINGS: Final = ("CONVERT_TO_BINARY", "CONVERT_TO_TEXT")

_STATUS_CODE: Final = re.compile(r"[1-5]\d\d")
_ACTION: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,127}")
_CALLERS_OWN: Final = "arn:aws:iam::*:user/*"  # whoever signs the request
_INVALID_ARN: Final = "Invalid ARN specified in the request"
_INVALID_URL: Final = "Invalid HTTP endpoint specified for URI"

Result = TypeVar("Result")


class Integrations:
    """The operations on integrations and integration responses."""

    def __init__(self, records: ApiRecords) -> None:
        self._records = records

    async def put(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Set a method's integration, in place of the one it has. Raises: NotFoundException, BadRequestException."""
        integration = integration_from_aws(params, params.get("integrationHttpMethod", ""), params["resourceId"])
        timeout_ms_max = await self._timeout_ms_max(call, params)

        def change(method: Method) -> tuple[Method, dict[str, Any]]:
            check_integration(method, integration, timeout_ms_max)
            return replace(method, integration=integration), integration_to_aws(integration)

        return await self._change(call, params, change)

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a method's integration. Raises: NotFoundException."""
        return integration_to_aws(integration_of(await self._method(call, params)))

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a method's integration. Raises: NotFoundException, BadRequestException."""
        timeout_ms_max = await self._timeout_ms_max(call, params)

        def change(method: Method) -> tuple[Method, dict[str, Any]]:
            changed = _INTEGRATION_PATCHES.apply(integration_of(method), params)
            check_integration(method, changed, timeout_ms_max)
            return replace(method, integration=changed), integration_to_aws(changed)

        return await self._change(call, params, change)

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take a method's integration away. Raises: NotFoundException."""

        def change(method: Method) -> tuple[Method, None]:
            integration_of(method)
            return replace(method, integration=None), None

        await self._change(call, params, change)

    async def put_response(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Set an integration response, in place of the one for its status.

        Raises: NotFoundException, BadRequestException.
        """
        response = integration_response_from_aws(params, params["statusCode"])

        def change(method: Method) -> tuple[Method, dict[str, Any]]:
            integration = integration_of(method)
            check_integration_response_of(method, integration, response)
            if find_response(method, response.status_code) is None:  # an import may leave it out
                raise NotFoundException("Invalid Response status code specified")
            changed = _with_response(integration, response)
            return replace(method, integration=changed), integration_response_to_aws(response)

        return await self._change(call, params, change)

    async def get_response(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give an integration response. Raises: NotFoundException."""
        integration = integration_of(await self._method(call, params))
        return integration_response_to_aws(_response_of(integration, params["statusCode"]))

    async def update_response(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch an integration response. Raises: NotFoundException, BadRequestException."""

        def change(method: Method) -> tuple[Method, dict[str, Any]]:
            integration = integration_of(method)
            changed = _RESPONSE_PATCHES.apply(_response_of(integration, params["statusCode"]), params)
            check_integration_response_of(method, integration, changed)
            return (
                replace(method, integration=_with_response(integration, changed)),
                integration_response_to_aws(changed),
            )

        return await self._change(call, params, change)

    async def delete_response(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take an integration response away. Raises: NotFoundException."""

        def change(method: Method) -> tuple[Method, None]:
            integration = integration_of(method)
            _response_of(integration, params["statusCode"])
            kept = tuple(each for each in integration.responses if each.status_code != params["statusCode"])
            return replace(method, integration=replace(integration, responses=kept)), None

        await self._change(call, params, change)

    async def _timeout_ms_max(self, call: Call, params: Mapping[str, Any]) -> int:
        api = (await self._records.api(call, params["restApiId"])).value
        return self._records.limits.timeout_ms_max(api.endpoint_type)

    async def _method(self, call: Call, params: Mapping[str, Any]) -> Method:
        definition = (await self._records.definition(call, params["restApiId"])).value
        return method_of(definition, params["resourceId"], params["httpMethod"])

    async def _change(
        self, call: Call, params: Mapping[str, Any], change: Callable[[Method], tuple[Method, Result]]
    ) -> Result:
        def change_definition(definition: Definition) -> tuple[Definition, Result]:
            changed, result = change(method_of(definition, params["resourceId"], params["httpMethod"]))
            return with_method(definition, params["resourceId"], changed), result

        return await self._records.change_definition(call, params["restApiId"], change_definition)


def integration_from_aws(given: Mapping[str, Any], http_method: str, resource_id: str) -> Integration:
    """Read an integration with AWS's field names; what it does not say gets AWS's default.

    Raises: BadRequestException.
    """
    check_supported("integrationTarget", given.get("integrationTarget"))
    return Integration(
        type=given["type"],
        http_method=http_method,
        uri=given.get("uri", ""),
        credentials_arn=given.get("credentials", ""),
        connection_type=given.get("connectionType", ""),
        connection_id=given.get("connectionId", ""),
        request_parameters=given.get("requestParameters", {}),
        request_templates=given.get("requestTemplates", {}),
        passthrough_behavior=given.get("passthroughBehavior", "WHEN_NO_MATCH"),
        content_handling=given.get("contentHandling", ""),
        timeout_ms=given.get("timeoutInMillis", API_GATEWAY_INTEGRATION_TIMEOUT_MS_MAX),
        cache_namespace=given.get("cacheNamespace", resource_id),
        cache_key_parameters=tuple(given.get("cacheKeyParameters", ())),
        is_tls_verification_skipped=given.get("tlsConfig", {}).get("insecureSkipVerification", False),
        response_transfer_mode=given.get("responseTransferMode", "BUFFERED"),
    )


def integration_response_from_aws(given: Mapping[str, Any], status_code: str) -> IntegrationResponse:
    """Read an integration response with AWS's field names."""
    return IntegrationResponse(
        status_code=status_code,
        selection_pattern=given.get("selectionPattern", ""),
        response_parameters=given.get("responseParameters", {}),
        response_templates=given.get("responseTemplates", {}),
        content_handling=given.get("contentHandling", ""),
    )


def check_integration(method: Method, integration: Integration, timeout_ms_max: int) -> None:
    """Check that an integration can be what it says, in AWS's order as far as it is known (unverified).

    Raises: BadRequestException.
    """
    check_supported("type", integration.type)  # 1. what there is
    check_supported("connectionType", integration.connection_type)
    check_supported(f"responseTransferMode of {integration.type}", integration.response_transfer_mode)
    check_supported(f"contentHandling of {integration.type}", integration.content_handling)
    _check_timeout(integration, timeout_ms_max)  # 2. the settings by themselves
    if integration.passthrough_behavior not in PASSTHROUGH_BEHAVIORS:
        raise BadRequestException(
            f"Invalid passthrough behavior specified. Valid options are {','.join(PASSTHROUGH_BEHAVIORS)}"
        )
    if integration.type != "MOCK":  # 3. where it goes
        if not integration.http_method:
            raise BadRequestException("Enumeration value for HttpMethod must be non-empty")
        if integration.http_method not in HTTP_METHODS:
            raise BadRequestException(f"Invalid HttpMethod specified. Valid options are {','.join(HTTP_METHODS)}")
        check_uri(integration)
    setting = f"tlsConfig.insecureSkipVerification of {integration.type}"
    check_supported(setting, integration.is_tls_verification_skipped)
    check_supported(f"credentials of {integration.type}", integration.credentials_arn)
    if integration.credentials_arn:
        check_credentials(integration.credentials_arn)
    check_integration_request(integration.request_parameters, method.request_parameters)  # 4. the mappings
    if integration.type == "AWS" and is_function_uri(integration.uri):
        check_function_parameters(integration.request_parameters)
    elif integration.type == "AWS" and not integration.credentials_arn:  # AWS answers every request with 500
        check_supported("uri of AWS without credentials", integration.uri)
    if integration.credentials_arn == _CALLERS_OWN and method.authorization_type != "AWS_IAM":
        check_supported("credentials of the caller without AWS_IAM", integration.credentials_arn)
    for content_type, template in integration.request_templates.items():
        check_template_size("requestTemplates", content_type, template)
        if integration.type not in PROXIES:
            check_template("requestTemplates", content_type, template)


def check_integration_response_of(method: Method, integration: Integration, response: IntegrationResponse) -> None:
    """Check that an integration response can be what it says. Raises: BadRequestException."""
    declared = find_response(method, response.status_code)
    check_integration_response(response.response_parameters, declared.response_parameters if declared else {})
    if not _STATUS_CODE.fullmatch(response.status_code):
        raise BadRequestException("Invalid Response status code specified")
    try:
        re.compile(response.selection_pattern)
    except re.error:
        raise BadRequestException("Invalid selection pattern specified") from None
    if integration.type not in PROXIES:
        check_linear("selection pattern", response.selection_pattern)
    for content_type, template in response.response_templates.items():
        check_template_size("responseTemplates", content_type, template)
        if integration.type not in PROXIES:  # a proxy passes the answer on as it is: AWS does not look at these
            check_template("responseTemplates", content_type, template)


def integration_of(method: Method) -> Integration:
    """Give a method's integration. Raises: NotFoundException."""
    if method.integration is None:
        raise NotFoundException("Invalid Integration identifier specified")
    return method.integration


def check_uri(integration: Integration) -> None:
    """Check that an integration's URI leads somewhere that its type can call. Raises: BadRequestException."""
    uri = integration.uri
    if integration.type in ("HTTP", "HTTP_PROXY"):
        _check_url(STAGE_VARIABLE.sub("variable", uri))
        return
    parsed = parse_arn(uri)
    if parsed is None or parsed.service != "apigateway" or not parsed.region:
        raise BadRequestException(_INVALID_ARN)
    if not parsed.resource.startswith(("path/", "action/")):
        raise BadRequestException("AWS ARN for integration must contain path or action")
    if parsed.account_id.rpartition(".")[2] != "lambda":
        if integration.type == "AWS":
            _check_service(parsed.account_id, parsed.resource)
            return
        raise BadRequestException(
            "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations."
        )
    if not is_function_path(parsed.resource):
        raise BadRequestException(_INVALID_ARN)
    is_streamed = integration.response_transfer_mode == "STREAM"
    if parsed.resource.endswith("/response-streaming-invocations") != is_streamed:
        raise BadRequestException(_INVALID_ARN)


def _check_service(service: str, resource: str) -> None:
    """Check that a service's URI names an operation, or a path without a subdomain. Raises: BadRequestException."""
    check_supported("subdomain in the uri of AWS", service.rpartition(".")[0])
    form, _, rest = resource.partition("/")
    if form == "action" and not _ACTION.fullmatch(STAGE_VARIABLE.sub("variable", rest)):
        raise BadRequestException(_INVALID_ARN)


def check_credentials(credentials_arn: str) -> None:
    """Check that an integration's credentials are a role's ARN. Raises: BadRequestException."""
    parsed = parse_arn(credentials_arn)
    if parsed is None or parsed.service != "iam":
        raise BadRequestException(_INVALID_ARN)
    if not parsed.resource.startswith("role/") and credentials_arn != _CALLERS_OWN:
        raise BadRequestException(_INVALID_ARN)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or any(character <= " " for character in url):
        raise BadRequestException(_INVALID_URL)


def _check_timeout(integration: Integration, timeout_ms_max: int) -> None:
    """Check the timeout: 15 minutes at most where the answer is streamed. Raises: BadRequestException."""
    low, high = API_GATEWAY_INTEGRATION_TIMEOUT_MS_MIN, timeout_ms_max
    if integration.response_transfer_mode == "STREAM":
        high = API_GATEWAY_STREAM_TIMEOUT_MS_MAX
    if not low <= integration.timeout_ms <= high:
        raise BadRequestException(f"Timeout should be between {low} ms and {high} ms")


def _with_response(integration: Integration, response: IntegrationResponse) -> Integration:
    others = [each for each in integration.responses if each.status_code != response.status_code]
    return replace(integration, responses=tuple(sorted([*others, response], key=lambda each: each.status_code)))


def _response_of(integration: Integration, status_code: str) -> IntegrationResponse:
    for each in integration.responses:
        if each.status_code == status_code:
            return each
    raise NotFoundException("Invalid Response status code specified")


def _cache_key(integration: Integration, patch: Patch) -> Integration:
    others = tuple(each for each in integration.cache_key_parameters if each != patch.names[0])
    if patch.op == "remove" and len(others) == len(integration.cache_key_parameters):
        raise BadRequestException(f"Invalid patch path  '{patch.path}' specified for op 'remove': it does not exist")
    keys = others if patch.op == "remove" else (*others, patch.names[0])
    return replace(integration, cache_key_parameters=keys)


def _request_template(integration: Integration, patch: Patch) -> Integration:
    return replace(integration, request_templates=set_entry(integration.request_templates, patch, patch.value))


def _request_parameter(integration: Integration, patch: Patch) -> Integration:
    return replace(integration, request_parameters=set_entry(integration.request_parameters, patch, patch.value))


def _response_template(response: IntegrationResponse, patch: Patch) -> IntegrationResponse:
    return replace(response, response_templates=set_entry(response.response_templates, patch, patch.value))


def _response_parameter(response: IntegrationResponse, patch: Patch) -> IntegrationResponse:
    return replace(response, response_parameters=set_entry(response.response_parameters, patch, patch.value))


def _not_of_mock(name: str) -> Callable[[Integration, Patch], Integration]:
    def apply(integration: Integration, patch: Patch) -> Integration:
        if integration.type == "MOCK":
            raise BadRequestException(f"Invalid patch path  '{patch.path}' specified for MOCK integrations")
        changed: Mapping[str, Any] = {name: patch.value}
        return replace(integration, **changed)

    return apply


def _target(integration: Integration, patch: Patch) -> Integration:
    check_supported("integrationTarget", patch.value)
    return integration


def _handling(patch: Patch) -> str:
    return one_of(patch, CONTENT_HANDLINGS) if patch.value else ""


_INTEGRATION_PATCHES: Final[PatchTable[Integration]] = PatchTable(
    (
        rule("/cacheKeyParameters/*", "add replace remove", _cache_key),
        rule("/cacheNamespace", "replace", lambda held, patch: replace(held, cache_namespace=patch.value)),
        rule("/connectionId", "replace", lambda held, patch: replace(held, connection_id=patch.value)),
        rule("/connectionType", "replace", lambda held, patch: replace(held, connection_type=patch.value)),
        rule("/contentHandling", "replace", lambda held, patch: replace(held, content_handling=_handling(patch))),
        rule("/credentials", "replace", lambda held, patch: replace(held, credentials_arn=patch.value)),
        rule("/httpMethod", "replace", _not_of_mock("http_method")),
        rule("/integrationTarget", "replace", _target),
        rule("/passthroughBehavior", "replace", lambda held, patch: replace(held, passthrough_behavior=patch.value)),
        rule("/requestParameters/*", "add replace remove", _request_parameter),
        rule("/requestTemplates/*", "add replace remove", _request_template),
        rule(
            "/responseTransferMode",
            "replace",
            lambda held, patch: replace(held, response_transfer_mode=one_of(patch, ("BUFFERED", "STREAM"))),
        ),
        rule("/timeoutInMillis", "replace", lambda held, patch: replace(held, timeout_ms=integer(patch))),
        rule(
            "/tlsConfig/insecureSkipVerification",
            "replace",
            lambda held, patch: replace(held, is_tls_verification_skipped=boolean(patch)),
        ),
        rule("/uri", "replace", _not_of_mock("uri")),
    )
)
_RESPONSE_PATCHES: Final[PatchTable[IntegrationResponse]] = PatchTable(
    (
        rule("/contentHandling", "replace", lambda held, patch: replace(held, content_handling=_handling(patch))),
        rule("/responseParameters/*", "add replace remove", _response_parameter),
        rule("/responseTemplates/*", "add replace remove", _response_template),
        rule("/selectionPattern", "replace", lambda held, patch: replace(held, selection_pattern=patch.value)),
    )
)
