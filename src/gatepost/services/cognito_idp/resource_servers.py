"""The operations on resource servers (their scopes are what OAuth clients ask for) and on identity providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.operations import Call, operation
from gatepost.services.cognito_idp.errors import (
    DuplicateProviderException,
    InvalidParameterException,
    ResourceNotFoundException,
    UnsupportedIdentityProviderException,
)
from gatepost.services.cognito_idp.pool import IDENTITY_PROVIDER, RESOURCE_SERVER, UserPool
from gatepost.services.cognito_idp.pool_settings import unsupported
from gatepost.services.cognito_idp.pool_things import COUNT_MAX, PoolThings
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.schema import schema_of

Params = Mapping[str, Any]
Answer = dict[str, Any]

SCOPES_MAX: Final = 100
_REQUIRED_DETAILS: Final = ("client_id", "attributes_request_method", "oidc_issuer", "authorize_scopes")
_DETAILS: Final = frozenset(
    {
        *_REQUIRED_DETAILS,
        "client_secret",
        "authorize_url",
        "token_url",
        "attributes_url",
        "jwks_uri",
        "attributes_url_add_attributes",
    }
)


class ResourceServerOperations:
    """The operations on resource servers; a part of the provider."""

    _pools: Pools
    _things: PoolThings

    @operation("CreateResourceServer")
    async def create_resource_server(self, call: Call, params: Params) -> Answer:
        """Name an API and its scopes. Raises: InvalidParameterException, ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        value = _server(params)
        try:
            await self._things.put(RESOURCE_SERVER, pool, params["Identifier"], value, version=0)
        except VersionConflict as conflict:
            raise InvalidParameterException(
                f"{params['Identifier']} already exists in user pool {pool.id}."
            ) from conflict
        return {"ResourceServer": _server_to_aws(pool, value)}

    @operation("UpdateResourceServer")
    async def update_resource_server(self, call: Call, params: Params) -> Answer:
        """Set name and scopes anew. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        await self._thing(RESOURCE_SERVER, pool, params["Identifier"], "Resource server")
        value = _server(params)
        await self._things.put(RESOURCE_SERVER, pool, params["Identifier"], value, version=None)
        return {"ResourceServer": _server_to_aws(pool, value)}

    @operation("DescribeResourceServer")
    async def describe_resource_server(self, call: Call, params: Params) -> Answer:
        """Describe a resource server. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        value = await self._thing(RESOURCE_SERVER, pool, params["Identifier"], "Resource server")
        return {"ResourceServer": _server_to_aws(pool, value)}

    @operation("DeleteResourceServer")
    async def delete_resource_server(self, call: Call, params: Params) -> None:
        """Delete a resource server. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        await self._thing(RESOURCE_SERVER, pool, params["Identifier"], "Resource server")
        await self._things.delete(RESOURCE_SERVER, pool, params["Identifier"])

    @operation("ListResourceServers")
    async def list_resource_servers(self, call: Call, params: Params) -> Answer:
        """Give a page of a pool's resource servers. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        found, more = await self._things.page(RESOURCE_SERVER, pool, params)
        return {"ResourceServers": [_server_to_aws(pool, value) for value in found], **more}

    # --- identity providers ------------------------------------------------------------------------------------

    @operation("CreateIdentityProvider")
    async def create_identity_provider(self, call: Call, params: Params) -> Answer:
        """Name an OpenID Connect provider; others are refused.

        Raises: DuplicateProviderException, InvalidParameterException, UnsupportedIdentityProviderException.
        """
        pool = self._pools.get(call, params["UserPoolId"])
        kind = params["ProviderType"]
        if kind != "OIDC":
            raise UnsupportedIdentityProviderException(
                f"ProviderType {kind} is not supported by Gatepost: use OIDC, which {kind} may speak as well"
            )
        value = {
            "name": params["ProviderName"],
            "type": kind,
            "details": _details(params["ProviderDetails"]),
            **_provider_settings(pool, params),
            "created_at_ms": call.now_ms,
            "changed_at_ms": call.now_ms,
        }
        await self._check_identifiers(pool, value)
        try:
            await self._things.put(IDENTITY_PROVIDER, pool, params["ProviderName"], value, version=0)
        except VersionConflict as conflict:
            words = f"A provider with the name {params['ProviderName']} already exists in this user pool."
            raise DuplicateProviderException(words) from conflict
        return {"IdentityProvider": _provider_to_aws(pool, value)}

    @operation("UpdateIdentityProvider")
    async def update_identity_provider(self, call: Call, params: Params) -> Answer:
        """Change a provider: what is left out stays. Raises: ResourceNotFoundException, InvalidParameterException."""
        pool = self._pools.get(call, params["UserPoolId"])
        value = await self._thing(IDENTITY_PROVIDER, pool, params["ProviderName"], "Identity provider")
        changed = {**value, **_provider_settings(pool, params, held=value), "changed_at_ms": call.now_ms}
        if params.get("ProviderDetails"):
            changed["details"] = _details(params["ProviderDetails"])
        await self._check_identifiers(pool, changed)
        await self._things.put(IDENTITY_PROVIDER, pool, params["ProviderName"], changed, version=None)
        return {"IdentityProvider": _provider_to_aws(pool, changed)}

    @operation("DescribeIdentityProvider")
    async def describe_identity_provider(self, call: Call, params: Params) -> Answer:
        """Describe a provider. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        value = await self._thing(IDENTITY_PROVIDER, pool, params["ProviderName"], "Identity provider")
        return {"IdentityProvider": _provider_to_aws(pool, value)}

    @operation("GetIdentityProviderByIdentifier")
    async def get_identity_provider_by_identifier(self, call: Call, params: Params) -> Answer:
        """Find a provider by one of its identifiers (a domain of e-mail addresses). Raises: ResourceNotFound…."""
        pool = self._pools.get(call, params["UserPoolId"])
        for value in await self._things.every(IDENTITY_PROVIDER, pool):
            if params["IdpIdentifier"] in value["identifiers"]:
                return {"IdentityProvider": _provider_to_aws(pool, value)}
        raise ResourceNotFoundException(f"Identity provider {params['IdpIdentifier']} does not exist.")

    @operation("ListIdentityProviders")
    async def list_identity_providers(self, call: Call, params: Params) -> Answer:
        """Give a page of a pool's providers. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        found, more = await self._things.page(IDENTITY_PROVIDER, pool, params)
        listed = [
            {
                "ProviderName": value["name"],
                "ProviderType": value["type"],
                "LastModifiedDate": value["changed_at_ms"],
                "CreationDate": value["created_at_ms"],
            }
            for value in found
        ]
        return {"Providers": listed, **more}

    @operation("DeleteIdentityProvider")
    async def delete_identity_provider(self, call: Call, params: Params) -> None:
        """Delete a provider. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        await self._thing(IDENTITY_PROVIDER, pool, params["ProviderName"], "Identity provider")
        await self._things.delete(IDENTITY_PROVIDER, pool, params["ProviderName"])

    async def _thing(self, kind: str, pool: UserPool, name: str, word: str) -> dict[str, Any]:
        record = await self._things.get(kind, pool, name)
        if record is None:
            raise ResourceNotFoundException(f"{word} {name} does not exist.")
        return record.value

    async def _check_identifiers(self, pool: UserPool, value: Mapping[str, Any]) -> None:
        others = await self._things.every(IDENTITY_PROVIDER, pool)
        if len(others) >= COUNT_MAX:
            raise InvalidParameterException(f"A user pool has at most {COUNT_MAX} identity providers.")
        taken = {one for other in others if other["name"] != value["name"] for one in other["identifiers"]}
        for identifier in value["identifiers"]:
            if identifier in taken:
                raise DuplicateProviderException(f"The identifier {identifier} belongs to another provider.")


def _server(params: Params) -> dict[str, Any]:
    scopes = [dict(scope) for scope in params.get("Scopes") or ()]
    names = [scope["ScopeName"] for scope in scopes]
    if len(names) != len(set(names)) or len(names) > SCOPES_MAX:
        raise InvalidParameterException(f"Scopes have each a name of its own, and are at most {SCOPES_MAX}.")
    return {"identifier": params["Identifier"], "name": params["Name"], "scopes": scopes}


def _server_to_aws(pool: UserPool, value: Mapping[str, Any]) -> Answer:
    return {
        "UserPoolId": pool.id,
        "Identifier": value["identifier"],
        "Name": value["name"],
        "Scopes": list(value["scopes"]),
    }


def _provider_settings(pool: UserPool, params: Params, held: Mapping[str, Any] | None = None) -> dict[str, Any]:
    if params.get("AcrMapping"):
        raise unsupported("AcrMapping", "tokens carry no acr here: leave it out")
    mapping = params.get("AttributeMapping")
    mapping = dict(mapping) if mapping is not None else (held or {}).get("mapping", {})
    schema = schema_of(pool)
    for name in mapping:
        if name not in schema and name != "username":
            raise InvalidParameterException(f"Attribute mapping names {name}, which the user pool does not have.")
    identifiers = params.get("IdpIdentifiers")
    return {
        "mapping": mapping,
        "identifiers": list(identifiers) if identifiers is not None else (held or {}).get("identifiers", []),
    }


def _details(given: Mapping[str, str]) -> dict[str, str]:
    missing = [name for name in _REQUIRED_DETAILS if not given.get(name)]
    if missing:
        raise InvalidParameterException(f"ProviderDetails need {', '.join(missing)}.")
    unknown = sorted(set(given) - _DETAILS)
    if unknown:
        raise InvalidParameterException(f"ProviderDetails do not have {', '.join(unknown)}.")
    if given["attributes_request_method"] not in ("GET", "POST"):
        raise InvalidParameterException("attributes_request_method is GET or POST.")
    for name in ("oidc_issuer", "authorize_url", "token_url", "attributes_url", "jwks_uri"):
        parts = urlsplit(given.get(name, "https://x"))
        is_local = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1")
        if not (parts.scheme == "https" or is_local) or not parts.hostname:
            raise InvalidParameterException(f"{name} must be an https address (http only for localhost).")
    return dict(given)


def _provider_to_aws(pool: UserPool, value: Mapping[str, Any]) -> Answer:
    return {
        "UserPoolId": pool.id,
        "ProviderName": value["name"],
        "ProviderType": value["type"],
        "ProviderDetails": dict(value["details"]),
        "AttributeMapping": dict(value["mapping"]),
        "IdpIdentifiers": list(value["identifiers"]),
        "LastModifiedDate": value["changed_at_ms"],
        "CreationDate": value["created_at_ms"],
    }
