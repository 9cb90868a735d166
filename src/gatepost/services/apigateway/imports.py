"""ImportRestApi and PutRestApi: APIs from OpenAPI documents, all of it or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from gatepost.kernel.ids import random_id, stable_id
from gatepost.kernel.operations import Call, pass_role
from gatepost.kernel.ports import Authorization
from gatepost.services.apigateway.access import update_policy
from gatepost.services.apigateway.api_endpoint import address_type_of, endpoint_type_of
from gatepost.services.apigateway.deployment import Resource
from gatepost.services.apigateway.documentation_model import DOCUMENTATION, Documentation
from gatepost.services.apigateway.documentation_parts import documentation_write, put_parts
from gatepost.services.apigateway.model import PRINCIPAL, BadRequestException, Definition, RestApi
from gatepost.services.apigateway.openapi_document import Findings, parse_document
from gatepost.services.apigateway.openapi_import import BASE_PATH_MODES, ImportedApi, put_into, read_api
from gatepost.services.apigateway.records import ApiRecords, touch
from gatepost.services.apigateway.rest_apis import RestApis, check_settings, media_types
from gatepost.storage.base import Write

INLINE_BYTES_MAX: Final = 256 * 1024  # a larger document is read in a thread: 1 MB of YAML takes 0.2 s

# What the map `parameters` holds beside them are the operation's own query parameters.
_OWN_PARAMETERS: Final = ("mode", "failonwarnings")


@dataclass(frozen=True, slots=True)
class _Options:
    base_path_mode: str
    endpoint_types: tuple[str, ...]
    ignores_documentation: bool


class Imports:
    """The operations that take OpenAPI documents."""

    def __init__(
        self, records: ApiRecords, rest_apis: RestApis, authorization: Authorization, *, is_lenient: bool = False
    ) -> None:
        self._is_lenient = is_lenient
        self._records = records
        self._rest_apis = rest_apis
        self._authorization = authorization

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Create an API from a document. Raises: BadRequestException, LimitExceededException."""
        options = _options(params)
        findings = Findings(is_lenient=self._is_lenient)
        imported = await _read(params["body"], options, findings, is_lenient=self._is_lenient)
        if not imported.name:
            raise BadRequestException("Invalid OpenAPI input: info.title is missing")
        api_id = random_id(10)
        self._check_access(call, imported, "")
        root = Resource(stable_id(api_id, "/", length=10), "/")
        new = RestApi(
            id=api_id,
            name=imported.name,
            root_resource_id=root.id,
            created_at_ms=call.now_ms,
            endpoint_type=(endpoint_type := endpoint_type_of(options.endpoint_types or imported.endpoint_types)),
            ip_address_type=address_type_of(endpoint_type, ""),
        )
        api = _with_settings(new, imported, overwrites=True)
        check_settings(api)
        empty = Definition(resources={root.id: root})
        definition = put_into(
            api_id,
            empty,
            imported,
            findings,
            overwrites=True,
            endpoint_type=api.endpoint_type,
            limits=self._records.limits,
        )
        findings.check(fails_on_warnings=params.get("failOnWarnings", False))
        documented = await self._documented(call, api_id, imported, options, overwrites=True)
        await self._rest_apis.add(call, api, definition, *documented)
        return _answer(api, findings)

    async def put(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Overwrite an API by a document, or merge it in. Stages and endpoint type stay as they are.

        Raises: NotFoundException, BadRequestException, LimitExceededException, ConflictException.
        """
        api_id = params["restApiId"]
        overwrites = params.get("mode", "merge") == "overwrite"
        await self._records.api(call, api_id)
        options = _options(params)
        read_findings = Findings(is_lenient=self._is_lenient)
        imported = await _read(params["body"], options, read_findings, is_lenient=self._is_lenient)
        self._check_access(call, imported, api_id)

        async def attempt() -> dict[str, Any]:
            findings = read_findings.copy()
            held_api = await self._records.api(call, api_id)
            asked = options.endpoint_types or imported.endpoint_types
            if asked and asked != (held_api.value.endpoint_type,):
                findings.add_warning("An import does not change the endpoint type of an API: use UpdateRestApi")
            held = await self._records.definition(call, api_id)
            api = _with_settings(held_api.value, imported, overwrites=overwrites)
            check_settings(api)
            definition = put_into(
                api_id,
                held.value,
                imported,
                findings,
                overwrites=overwrites,
                endpoint_type=api.endpoint_type,
                limits=self._records.limits,
            )
            findings.check(fails_on_warnings=params.get("failOnWarnings", False))
            documented = await self._documented(call, api_id, imported, options, overwrites=overwrites)
            writes = (touch(held_api, api.to_json()), touch(held, definition.to_json()), *documented)
            await self._records.store.commit(writes)
            await self._rest_apis.publish_endpoint(held_api.value, api)
            return _answer(api, findings)

        return await self._records.changing(call, api_id, attempt)

    async def _documented(
        self, call: Call, api_id: str, imported: ImportedApi, options: _Options, *, overwrites: bool
    ) -> tuple[Write, ...]:
        """Give the write of what a document says about the API, if it is not to be ignored."""
        if options.ignores_documentation:
            return ()
        held = await self._records.store.get(call.key(DOCUMENTATION, api_id))
        if not imported.documentation and (held is None or not overwrites):
            return ()

        def change(held: Documentation) -> tuple[Documentation, None]:
            return put_parts(api_id, Documentation() if overwrites else held, imported.documentation)[0], None

        return ((await documentation_write(self._records, call, api_id, change))[0],)

    def _check_access(self, call: Call, imported: ImportedApi, api_id: str) -> None:
        """Let only those set a resource policy or hand a role over who may. Raises: AccessDeniedException."""
        if imported.policy:
            self._authorization.check(call, update_policy(call, api_id))
        roles = {
            method.integration.credentials_arn
            for methods in imported.paths.values()
            for method in methods
            if method.integration is not None and method.integration.credentials_arn
        }
        roles |= {each.credentials_arn for each in imported.authorizers if each.credentials_arn}
        for role_arn in sorted(roles):
            self._authorization.check(call, pass_role(role_arn, PRINCIPAL))


async def _read(body: bytes, options: _Options, findings: Findings, *, is_lenient: bool) -> ImportedApi:
    parse = partial(parse_document, body, is_lenient=is_lenient)
    if len(body) <= INLINE_BYTES_MAX:
        document = parse()
    else:
        document = await asyncio.get_running_loop().run_in_executor(None, parse)
    if str(document.get("openapi", "")).startswith("3.1"):
        findings.add_warning("OpenAPI 3.1 is read as 3.0, because of --lenient: AWS refuses it")
    return read_api(document, options.base_path_mode, findings)


def _options(params: Mapping[str, Any]) -> _Options:
    """Read the custom query parameters. Raises: BadRequestException for one that does not exist."""
    given = {name.lower(): value for name, value in params.get("parameters", {}).items()}
    base_path_mode = given.pop("basepath", "ignore")
    if base_path_mode not in BASE_PATH_MODES:
        raise BadRequestException(f"Invalid basepath mode {base_path_mode}: use one of {', '.join(BASE_PATH_MODES)}")
    endpoint_types = tuple(each.strip() for each in given.pop("endpointconfigurationtypes", "").split(",") if each)
    for each in endpoint_types:
        if each not in ("EDGE", "REGIONAL", "PRIVATE"):
            raise BadRequestException(f"Invalid endpoint type {each}: use one of EDGE, REGIONAL, PRIVATE")
    ignored = given.pop("ignore", "")
    if ignored not in ("", "documentation"):
        raise BadRequestException("Invalid value of the parameter ignore: use documentation")
    for name in _OWN_PARAMETERS:
        given.pop(name, None)
    if given:
        raise BadRequestException(
            f"Gatepost does not support the import parameter {next(iter(given))} yet: leave it out"
        )
    return _Options(base_path_mode, endpoint_types, bool(ignored))


def _with_settings(api: RestApi, imported: ImportedApi, *, overwrites: bool) -> RestApi:
    """Give `api` with the document's settings.

    Overwriting also takes away what the document does not say, but for the resource policy: an API must not
    be opened to everybody by a document that is silent (unverified).
    """
    said: dict[str, Any] = {
        "description": imported.description,
        "version": imported.version,
        "api_key_source": imported.api_key_source or ("HEADER" if overwrites else ""),
        "binary_media_types": media_types(imported.binary_media_types),
    }
    changes: dict[str, Any] = {name: value for name, value in said.items() if value or overwrites}
    if imported.minimum_compression_bytes is not None or overwrites:
        changes["minimum_compression_bytes"] = imported.minimum_compression_bytes
    if imported.is_execute_api_endpoint_disabled is not None:
        changes["is_execute_api_endpoint_disabled"] = imported.is_execute_api_endpoint_disabled
    if imported.vpc_endpoint_ids:
        changes["vpc_endpoint_ids"] = tuple(dict.fromkeys(imported.vpc_endpoint_ids))
    if imported.security_policy:  # what a document does not say of TLS stays as it is
        changes |= {"security_policy": imported.security_policy, "access_mode": imported.access_mode}
    return replace(api, name=imported.name or api.name, policy=imported.policy or api.policy, **changes)


def _answer(api: RestApi, findings: Findings) -> dict[str, Any]:
    return api.to_aws() | ({"warnings": findings.told} if findings.told else {})
