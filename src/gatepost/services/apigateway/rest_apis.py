"""The operations on REST APIs as a whole: create, list, change, delete."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.ids import random_id, stable_id
from gatepost.kernel.operations import Call, Change, RecordKey, pass_role
from gatepost.kernel.ports import Authorization, Publisher
from gatepost.services.apigateway.api_endpoint import (
    address_type_of,
    change_access_mode,
    change_security_policy,
    change_type,
    change_vpc_endpoint,
    check_endpoint,
    endpoint_change,
    endpoint_type_of,
)
from gatepost.services.apigateway.deployment import API_ENDPOINT, REST_API_STAGE, Resource
from gatepost.services.apigateway.documentation_model import DOCUMENTATION, DOCUMENTATION_VERSION
from gatepost.services.apigateway.model import (
    API_ID_OWNER,
    DEFINITION,
    DEPLOYMENT,
    DEPLOYMENT_CONTENT,
    PRINCIPAL,
    REST_API,
    STAGE,
    BadRequestException,
    ConflictException,
    Definition,
    LimitExceededException,
    RestApi,
    default_models,
)
from gatepost.services.apigateway.patches import Patch, PatchTable, boolean, integer, one_of, rule
from gatepost.services.apigateway.records import ApiRecords
from gatepost.services.apigateway.support import check_supported
from gatepost.services.apigateway.tag_limits import check_tags
from gatepost.storage.base import Records, Write

CUSTOM_ID_TAG: Final = "_custom_id_"
COMPRESSION_BYTES_MAX: Final = 10 * 1024 * 1024  # AWS: minimumCompressionSize is 0 to 10485760
BINARY_MEDIA_TYPES_MAX: Final = 25  # unverified
POLICY_BYTES_MAX: Final = 8_192  # the limit for a REST API's resource policy

_CUSTOM_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # it is a label of a host name
_MEDIA_TYPE: Final = re.compile(r"[^\s/]+/[^\s/]+")


class RestApis:
    """The operations on REST APIs."""

    def __init__(self, records: ApiRecords, publisher: Publisher, authorization: Authorization) -> None:
        self._records = records
        self._publisher = publisher
        self._authorization = authorization

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Create an API with nothing but its root, or with the definition of another one.

        Who clones an API hands its roles over to the clone. Raises: BadRequestException, ConflictException,
        LimitExceededException, NotFoundException, AccessDeniedException.
        """
        api = api_from_aws(call, params)
        definition = empty_definition(api)
        if source_id := params.get("cloneFrom"):
            definition = _cloned(api, (await self._records.definition(call, source_id)).value)
            for role_arn in sorted(_roles_of(definition)):
                self._authorization.check(call, pass_role(role_arn, PRINCIPAL))
        await self.add(call, api, definition)
        return api.to_aws()

    async def add(self, call: Call, api: RestApi, definition: Definition, *more: Write) -> None:
        """Store a new API, and what else belongs to it. Raises: ConflictException, LimitExceededException."""
        held = await self._records.all_of(call, REST_API, "")
        same_type = sum(1 for each in held if each.value["endpoint_type"] == api.endpoint_type)
        limits = self._records.limits
        if same_type >= limits.apis_max(api.endpoint_type):
            raise LimitExceededException(
                "Maximum number of APIs has been reached. Please contact AWS if you need additional APIs."
            )
        owner = {"account_id": call.account_id, "region": call.region}
        writes = (
            Write(_owner_key(api.id), owner, 0),
            Write(call.key(REST_API, api.id), api.to_json(), 0),
            Write(call.key(DEFINITION, api.id), definition.to_json(), 0),
            *more,
        )
        try:
            await self._records.store.commit(writes)
        except VersionConflict:
            raise ConflictException(f"A REST API with id {api.id} already exists") from None
        await self.publish_endpoint(None, api)

    async def publish_endpoint(self, before: RestApi | None, api: RestApi) -> None:
        """Tell gateways where an API is reached from now on, when that is not what they know."""
        known = endpoint_change(before) if before is not None else Change(API_ENDPOINT, api.id, None)
        if known != (change := endpoint_change(api)):
            await self._publisher.publish(change)

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give an API's settings. Raises: NotFoundException."""
        return (await self._records.api(call, params["restApiId"])).value.to_aws()

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of the account's APIs, by id. Raises: BadRequestException."""
        page, position = await self._records.page(call, REST_API, params)
        return {"items": [RestApi.from_json(each.value).to_aws() for each in page]} | position

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch an API's settings. Raises: NotFoundException, BadRequestException."""
        api_id = params["restApiId"]

        async def attempt() -> dict[str, Any]:
            held = await self._records.api(call, api_id)
            changed = _PATCHES.apply(held.value, params)
            check_settings(changed)
            await self._records.store.put(held.key, changed.to_json(), expected_version=held.version)
            await self.publish_endpoint(held.value, changed)
            return changed.to_aws()

        return await self._records.changing(call, api_id, attempt)

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete an API with its stages and deployments, and take it from the gateway. Raises: NotFoundException."""
        api_id = params["restApiId"]

        async def attempt() -> None:
            api = await self._records.api(call, api_id)
            definition = await self._records.definition(call, api_id)
            writes = [
                Write(api.key, None, api.version),
                Write(definition.key, None, definition.version),
                Write(_owner_key(api_id), None),
                Write(call.key(DOCUMENTATION, api_id), None),
            ]
            gone = [Change(API_ENDPOINT, api_id, None)] if endpoint_change(api.value).value is not None else []
            for kind in (STAGE, DEPLOYMENT, DEPLOYMENT_CONTENT, DOCUMENTATION_VERSION):
                for record in await self._records.all_of(call, kind, f"{api_id}/"):
                    writes.append(Write(record.key, None, record.version))
                    if kind == STAGE:
                        gone.append(Change(REST_API_STAGE, record.key.id, None))
            await self._records.store.commit(writes)
            if gone:
                await self._publisher.publish(*gone)

        await self._records.changing(call, api_id, attempt)


async def all_endpoint_changes(store: Records) -> list[Change]:
    """Give where the APIs of all accounts and regions are reached that are not public by AWS's defaults."""
    changes = [endpoint_change(RestApi.from_json(record.value)) for record in await store.scan(REST_API)]
    return [change for change in changes if change.value is not None]


def api_from_aws(call: Call, params: Mapping[str, Any]) -> RestApi:
    """Make a new API of CreateRestApi's parameters. Raises: BadRequestException."""
    endpoint = params.get("endpointConfiguration", {})
    tags = params.get("tags", {})
    check_tags(tags)
    api_id = _new_api_id(tags)
    endpoint_type = endpoint_type_of(endpoint.get("types", ()))
    api = RestApi(
        id=api_id,
        name=params["name"],
        root_resource_id=stable_id(api_id, "/", length=10),
        created_at_ms=call.now_ms,
        description=params.get("description", ""),
        version=params.get("version", ""),
        binary_media_types=media_types(params.get("binaryMediaTypes", ())),
        minimum_compression_bytes=params.get("minimumCompressionSize"),
        api_key_source=params.get("apiKeySource", "HEADER"),
        endpoint_type=endpoint_type,
        ip_address_type=address_type_of(endpoint_type, endpoint.get("ipAddressType", "")),
        vpc_endpoint_ids=tuple(dict.fromkeys(endpoint.get("vpcEndpointIds", ()))),
        security_policy=params.get("securityPolicy", ""),
        access_mode=params.get("endpointAccessMode", ""),
        policy=params.get("policy", ""),
        tags=tags,
        is_execute_api_endpoint_disabled=params.get("disableExecuteApiEndpoint", False),
    )
    check_settings(api)
    return api


def check_settings(api: RestApi) -> None:
    """Check that an API's settings can be what they say. Raises: BadRequestException."""
    if not api.name.strip():
        raise BadRequestException("API Name cannot be blank")
    check_endpoint(api)
    check_supported("apiKeySource", api.api_key_source)
    check_supported("minimumCompressionSize", api.minimum_compression_bytes)
    if api.minimum_compression_bytes is not None and not 0 <= api.minimum_compression_bytes <= COMPRESSION_BYTES_MAX:
        raise BadRequestException(f"Invalid minimum compression size, must be between 0 and {COMPRESSION_BYTES_MAX}")
    if len(api.binary_media_types) > BINARY_MEDIA_TYPES_MAX:
        raise BadRequestException(f"At most {BINARY_MEDIA_TYPES_MAX} binary media types are allowed")
    for each in api.binary_media_types:
        if not _MEDIA_TYPE.fullmatch(each):
            raise BadRequestException(f"Invalid binary media type specified: {each}")
    if api.policy:
        check_policy(api.policy)


def check_policy(policy: str) -> None:
    """Check that a resource policy has a policy's form. Raises: BadRequestException."""
    refused = BadRequestException(
        "Invalid policy document. Please check the policy syntax and ensure that Principals are valid."
    )
    if len(policy.encode()) > POLICY_BYTES_MAX:
        raise refused
    try:
        document = json.loads(policy)
    except (ValueError, RecursionError):
        raise refused from None
    if not isinstance(document, dict) or not isinstance(document.get("Statement"), list | dict):
        raise refused


def media_types(given: Iterable[str]) -> tuple[str, ...]:
    """Give binary media types as they are meant: CloudFormation writes `image~1png`."""
    return tuple(dict.fromkeys(each.replace("~1", "/") for each in given))


def empty_definition(api: RestApi) -> Definition:
    """Give what a new API consists of: the root and the models Empty and Error."""
    root = Resource(id=api.root_resource_id, path="/")
    models = default_models(lambda name: stable_id(api.id, "model", name, length=6))
    return Definition(resources={root.id: root}, models=models)


def _cloned(api: RestApi, source: Definition) -> Definition:
    resources = {}
    for each in source.resources.values():
        new_id = api.root_resource_id if each.path == "/" else stable_id(api.id, each.path, length=6)
        resources[new_id] = replace(each, id=new_id)
    return replace(source, resources=resources)


def _roles_of(definition: Definition) -> set[str]:
    """Give the roles that integrations and authorizers call as."""
    integrations = (method.integration for each in definition.resources.values() for method in each.methods)
    found = {each.credentials_arn for each in integrations if each is not None}
    return (found | {each.credentials_arn for each in definition.authorizers.values()}) - {""}


def _new_api_id(tags: Mapping[str, str]) -> str:
    pinned = tags.get(CUSTOM_ID_TAG)
    if pinned is None:
        return random_id(10)
    if not _CUSTOM_ID.fullmatch(pinned):
        raise BadRequestException(
            f"The tag {CUSTOM_ID_TAG} is {pinned!r}: use 1 to 63 of a-z, 0-9 and, between them, hyphens"
        )
    return pinned


def _owner_key(api_id: str) -> RecordKey:
    """Give the key under which an id is taken, once for all accounts and regions: hosts are named by it."""
    return RecordKey(API_ID_OWNER, "", "", api_id)


def _media_type(api: RestApi, patch: Patch) -> RestApi:
    types = [each for each in api.binary_media_types if each != patch.names[0]]
    if patch.op != "remove":
        types.append(patch.value or patch.names[0])
    elif len(types) == len(api.binary_media_types):
        raise BadRequestException(f"Invalid patch path  '{patch.path}' specified for op 'remove': it does not exist")
    return replace(api, binary_media_types=tuple(dict.fromkeys(types)))


def _compression(api: RestApi, patch: Patch) -> RestApi:
    return replace(api, minimum_compression_bytes=integer(patch) if patch.value else None)


_PATCHES: Final[PatchTable[RestApi]] = PatchTable(
    (
        rule("/name", "replace", lambda held, patch: replace(held, name=patch.value)),
        rule("/description", "add replace", lambda held, patch: replace(held, description=patch.value)),
        rule("/description", "remove", lambda held, _patch: replace(held, description="")),
        rule(
            "/apiKeySource",
            "replace",
            lambda held, patch: replace(held, api_key_source=one_of(patch, ("HEADER", "AUTHORIZER"))),
        ),
        rule("/minimumCompressionSize", "replace", _compression),
        rule("/binaryMediaTypes/*", "add replace remove", _media_type),
        rule("/endpointConfiguration/types/*", "replace", change_type),
        rule(
            "/endpointConfiguration/ipAddressType",
            "replace",
            lambda held, patch: replace(held, ip_address_type=one_of(patch, ("ipv4", "dualstack"))),
        ),
        rule("/endpointConfiguration/vpcEndpointIds", "add remove", change_vpc_endpoint),
        rule("/endpointAccessMode", "replace", change_access_mode),
        rule("/securityPolicy", "replace", change_security_policy),
        rule("/policy", "replace", lambda held, patch: replace(held, policy=patch.value)),
        rule(
            "/disableExecuteApiEndpoint",
            "replace",
            lambda held, patch: replace(held, is_execute_api_endpoint_disabled=boolean(patch)),
        ),
    )
)
