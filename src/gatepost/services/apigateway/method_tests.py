"""TestInvokeMethod: a method of an API as it stands, run by a gateway with a made-up request.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-test-method.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.limits import API_GATEWAY_BODY_BYTES_MAX
from gatepost.kernel.operations import Call
from gatepost.kernel.ports import MethodTest, MethodTests
from gatepost.services.apigateway.deployment import deployment_to_json
from gatepost.services.apigateway.deployments import freeze
from gatepost.services.apigateway.integrations import check_integration
from gatepost.services.apigateway.methods import check_method
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.records import ApiRecords
from gatepost.services.apigateway.stages import check_variables
from gatepost.services.apigateway.tree import method_of, resource_of

HEADERS_MAX: Final = 200
PATH_CHARACTERS_MAX: Final = 10_240


class MethodInvocations:
    """The operation that tests methods. `tests` is None where no gateway can be asked."""

    def __init__(self, records: ApiRecords, tests: MethodTests | None) -> None:
        self._records = records
        self._tests = tests

    async def run(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Run a method and give its answer with its log. Nothing guards it: whoever may call this may call the method.

        Raises: NotFoundException, BadRequestException, ServiceUnavailable without a gateway.
        """
        api_id = params["restApiId"]
        api = (await self._records.api(call, api_id)).value
        definition = (await self._records.definition(call, api_id)).value
        resource = resource_of(definition, params["resourceId"])
        method = method_of(definition, params["resourceId"], params["httpMethod"])
        if certificate_id := params.get("clientCertificateId", ""):
            await self._records.check_client_certificate(call, certificate_id)
        if method.integration is None:
            raise BadRequestException("No integration defined for method")
        check_method(definition, method)
        check_integration(method, method.integration, self._records.limits.timeout_ms_max(api.endpoint_type))
        variables = params.get("stageVariables", {})
        check_variables(variables)
        headers = given_headers(params)
        path = params.get("pathWithQueryString", "")
        if len(path) > PATH_CHARACTERS_MAX or any(character <= " " for character in path):
            raise BadRequestException("Invalid pathWithQueryString specified")
        body = params.get("body", "")
        if len(body.encode()) > API_GATEWAY_BODY_BYTES_MAX:
            raise BadRequestException(f"The body must have at most {API_GATEWAY_BODY_BYTES_MAX} bytes")
        if self._tests is None:
            raise ServiceUnavailable("No gateway is there that could run the method")
        frozen = freeze(call, api, definition, "test", "")
        only = replace(frozen, resources=(replace(resource, methods=(method,)),))
        result = await self._tests.test(
            MethodTest(
                deployment=deployment_to_json(only),
                resource_path=resource.path,
                http_method=method.http_method,
                path_with_query=path,
                headers=headers,
                body=body,
                stage_variables=variables,
                client_certificate_id=certificate_id,
            )
        )
        several: dict[str, list[str]] = {}
        for name, value in result.headers:
            several.setdefault(name, []).append(value)
        return {
            "status": result.status,
            "body": result.body,
            "headers": {name: values[-1] for name, values in several.items()},
            "multiValueHeaders": several,
            "log": result.log,
            "latency": result.latency_ms,
        }


def given_headers(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Give the made-up headers; a name in `multiValueHeaders` hides the one in `headers`.

    Raises: BadRequestException.
    """
    several: Mapping[str, list[str]] = params.get("multiValueHeaders", {})
    named = {name.lower() for name in several}
    headers = [(name, value) for name, value in params.get("headers", {}).items() if name.lower() not in named]
    headers += [(name, value) for name, values in several.items() for value in values]
    if len(headers) > HEADERS_MAX:
        raise BadRequestException(f"At most {HEADERS_MAX} headers are allowed")
    for name, value in headers:
        if not name or any(ord(each) < 33 or ord(each) > 126 or each == ":" for each in name):
            raise BadRequestException(f"Invalid header name specified: {name!r}")
        if any(each in "\r\n\0" for each in value):
            raise BadRequestException(f"Invalid value of header {name} specified")
    return headers
