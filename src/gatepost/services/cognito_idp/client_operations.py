"""The operations on app clients: made, changed, described, deleted, and what their settings may say.

Source: https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from gatepost.kernel.ids import LOWER_ALPHANUMERIC, random_id, stable_id
from gatepost.kernel.operations import Call, operation
from gatepost.kernel.paging import page_token, place_of
from gatepost.services.cognito_idp.errors import (
    InvalidOAuthFlowException,
    InvalidParameterException,
    LimitExceededException,
    ScopeDoesNotExistException,
)
from gatepost.services.cognito_idp.pool import DAY_MS, IDENTITY_PROVIDER, RESOURCE_SERVER, AppClient, UserPool
from gatepost.services.cognito_idp.pool_settings import unsupported
from gatepost.services.cognito_idp.pool_things import PoolThings
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.schema import schema_of

Params = Mapping[str, Any]
Answer = dict[str, Any]

CLIENTS_MAX: Final = 1_000
ID_LENGTH: Final = 26
SECRET_LENGTH: Final = 51
TOKEN_MS_MIN: Final = 5 * 60 * 1000
REFRESH_MS_MIN: Final = 60 * 60 * 1000
REFRESH_MS_MAX: Final = 3_650 * DAY_MS
STANDARD_SCOPES: Final = ("openid", "email", "phone", "profile", "aws.cognito.signin.user.admin")
OWN_PROVIDER: Final = "COGNITO"
SETTINGS: Final = (
    "RefreshTokenValidity",
    "AccessTokenValidity",
    "IdTokenValidity",
    "TokenValidityUnits",
    "ReadAttributes",
    "WriteAttributes",
    "ExplicitAuthFlows",
    "SupportedIdentityProviders",
    "CallbackURLs",
    "LogoutURLs",
    "DefaultRedirectURI",
    "AllowedOAuthFlows",
    "AllowedOAuthScopes",
    "AllowedOAuthFlowsUserPoolClient",
    "PreventUserExistenceErrors",
    "EnableTokenRevocation",
    "AuthSessionValidity",
    "RefreshTokenRotation",
)
_WITHOUT_PREFIX: Final = frozenset({"ADMIN_NO_SRP_AUTH", "CUSTOM_AUTH_FLOW_ONLY", "USER_PASSWORD_AUTH"})
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class ClientOperations:
    """The operations on app clients; a part of the provider."""

    _pools: Pools
    _things: PoolThings

    @operation("CreateUserPoolClient")
    async def create_user_pool_client(self, call: Call, params: Params) -> Answer:
        """Make an app client, with a secret when it is asked for.

        Raises: ResourceNotFoundException, InvalidParameterException, LimitExceededException,
        ScopeDoesNotExistException, InvalidOAuthFlowException.
        """
        pool = self._pools.get(call, params["UserPoolId"])
        if len(self._pools.clients_of(pool)) >= CLIENTS_MAX:
            raise LimitExceededException(f"A user pool has at most {CLIENTS_MAX} app clients.")
        secret = params.get("ClientSecret") or ""
        if params.get("GenerateSecret"):
            if secret:
                raise InvalidParameterException("GenerateSecret and ClientSecret cannot be given together.")
            secret = random_id(SECRET_LENGTH, LOWER_ALPHANUMERIC)
        settings = await self._checked(pool, params, has_secret=bool(secret))
        client_id = self._new_id(pool, params["ClientName"])
        client = AppClient(
            id=client_id,
            pool_id=pool.id,
            name=params["ClientName"],
            settings=settings,
            created_at_ms=call.now_ms,
            changed_at_ms=call.now_ms,
            sealed_secret=self._pools.seal_secret(client_id, secret) if secret else "",
        )
        await self._pools.keep_client(pool, client, None)
        return {"UserPoolClient": self._client_to_aws(client)}

    @operation("UpdateUserPoolClient")
    async def update_user_pool_client(self, call: Call, params: Params) -> Answer:
        """Set a client's settings anew: what is left out goes back to its default. Raises: as CreateUserPoolClient."""
        pool = self._pools.get(call, params["UserPoolId"])
        client = self._pools.client_of(pool, params["ClientId"])
        changed = replace(
            client,
            name=params.get("ClientName") or client.name,
            settings=await self._checked(pool, params, has_secret=client.has_secret),
            changed_at_ms=call.now_ms,
        )
        await self._pools.keep_client(pool, changed, client)
        return {"UserPoolClient": self._client_to_aws(changed)}

    @operation("DescribeUserPoolClient")
    def describe_user_pool_client(self, call: Call, params: Params) -> Answer:
        """Describe a client, its secret included. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        return {"UserPoolClient": self._client_to_aws(self._pools.client_of(pool, params["ClientId"]))}

    @operation("DeleteUserPoolClient")
    async def delete_user_pool_client(self, call: Call, params: Params) -> None:
        """Delete a client: its tokens cannot be refreshed any more. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        await self._pools.delete_client(pool, self._pools.client_of(pool, params["ClientId"]))

    @operation("ListUserPoolClients")
    def list_user_pool_clients(self, call: Call, params: Params) -> Answer:
        """Give a page of a pool's clients by their ids. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        if params.get("ClientType"):
            raise unsupported("ClientType", "there is one type of client: leave it out")
        count_max = params.get("MaxResults") or 60
        (after,) = place_of(params.get("NextToken"), InvalidParameterException("Invalid NextToken"), "")
        found = [client for client in self._pools.clients_of(pool) if client.id > after]
        chosen = found[:count_max]
        listed = [{"ClientId": one.id, "UserPoolId": pool.id, "ClientName": one.name} for one in chosen]
        more = {"NextToken": page_token(chosen[-1].id)} if len(found) > count_max else {}
        return {"UserPoolClients": listed, **more}

    def _new_id(self, pool: UserPool, name: str) -> str:
        """Derive an id of pool and name, so that a stack's client keeps it; a second one of the name gets another."""
        for number in range(CLIENTS_MAX + 1):
            found = stable_id(pool.id, "client", name, str(number), length=ID_LENGTH)
            if self._pools.client(found) is None:
                return found
        raise LimitExceededException(f"A user pool has at most {CLIENTS_MAX} app clients.")

    async def _checked(self, pool: UserPool, params: Params, *, has_secret: bool) -> dict[str, Any]:
        if params.get("AnalyticsConfiguration"):
            raise unsupported("AnalyticsConfiguration", "there is no Pinpoint: leave it out")
        if params.get("EnablePropagateAdditionalUserContextData"):
            raise unsupported("EnablePropagateAdditionalUserContextData", "no risk is assessed here: leave it out")
        settings = {name: params[name] for name in SETTINGS if params.get(name) is not None}
        settings.setdefault("EnableTokenRevocation", True)
        settings.setdefault("AuthSessionValidity", 3)
        settings.setdefault("RefreshTokenValidity", 30)
        settings.setdefault("AllowedOAuthFlowsUserPoolClient", False)
        settings["PreventUserExistenceErrors"] = settings.get("PreventUserExistenceErrors") or "LEGACY"
        if not settings["RefreshTokenValidity"]:
            settings["RefreshTokenValidity"] = 30
        _check_flows(settings)
        _check_validity(settings)
        _check_attributes(pool, settings)
        _check_urls(settings)
        await self._check_oauth(pool, settings, has_secret=has_secret)
        return settings

    async def _check_oauth(self, pool: UserPool, settings: Mapping[str, Any], *, has_secret: bool) -> None:
        flows = settings.get("AllowedOAuthFlows") or ()
        scopes = settings.get("AllowedOAuthScopes") or ()
        if flows and not scopes:
            raise InvalidParameterException(
                "AllowedOAuthFlows and AllowedOAuthScopes are required if user pool client is allowed to use OAuth "
                "flows."
            )
        if "client_credentials" in flows:
            if len(flows) > 1:
                raise InvalidOAuthFlowException(
                    "client_credentials flow can not be selected along with code flow or implicit flow."
                )
            if not has_secret:
                raise InvalidOAuthFlowException(
                    "client_credentials flow can not be selected if client does not have a client secret."
                )
        known = set(STANDARD_SCOPES)
        for server in await self._things.every(RESOURCE_SERVER, pool):
            known |= {f"{server['identifier']}/{scope['ScopeName']}" for scope in server["scopes"]}
        unknown = [scope for scope in scopes if scope not in known]
        if unknown:
            raise ScopeDoesNotExistException(f"Invalid scope requested: {', '.join(unknown)}")
        if "client_credentials" in flows and set(scopes) & set(STANDARD_SCOPES):
            raise InvalidOAuthFlowException("client_credentials can only be used with custom scopes.")
        providers = {OWN_PROVIDER, *(one["name"] for one in await self._things.every(IDENTITY_PROVIDER, pool))}
        missing = [name for name in settings.get("SupportedIdentityProviders") or () if name not in providers]
        if missing:
            raise InvalidParameterException(
                f"The provider {', '.join(missing)} does not exist for User Pool {pool.id}."
            )

    def _client_to_aws(self, client: AppClient) -> Answer:
        told = {
            "TokenValidityUnits": {},
            "EnablePropagateAdditionalUserContextData": False,
            **client.settings,
            "UserPoolId": client.pool_id,
            "ClientName": client.name,
            "ClientId": client.id,
            "LastModifiedDate": client.changed_at_ms,
            "CreationDate": client.created_at_ms,
        }
        if client.has_secret:
            told["ClientSecret"] = self._pools.secret_of(client)
        return told


def _check_flows(settings: Mapping[str, Any]) -> None:
    flows = settings.get("ExplicitAuthFlows") or ()
    older = [flow for flow in flows if flow in _WITHOUT_PREFIX]
    if older and len(older) < len(flows):
        raise InvalidParameterException(
            "ADMIN_NO_SRP_AUTH, CUSTOM_AUTH_FLOW_ONLY and USER_PASSWORD_AUTH cannot be used along with flows that "
            "begin with ALLOW_."
        )
    for flow in flows:
        if flow.startswith("ALLOW_TOKEN_EXCHANGE"):
            raise unsupported(flow, "tokens are not exchanged here: leave it out")
    if settings.get("RefreshTokenRotation", {}).get("Feature") == "ENABLED" and "ALLOW_REFRESH_TOKEN_AUTH" in flows:
        raise InvalidParameterException(
            "ALLOW_REFRESH_TOKEN_AUTH cannot be used with refresh token rotation: use GetTokensFromRefreshToken."
        )


def _check_validity(settings: Mapping[str, Any]) -> None:
    client = AppClient("", "", "", settings, 0, 0)
    for token in ("AccessToken", "IdToken"):
        if not TOKEN_MS_MIN <= client.validity_s(token) * 1000 <= DAY_MS:
            raise InvalidParameterException(f"Invalid range for token validity. {token} lasts 5 minutes to 1 day.")
    refresh_ms = client.validity_s("RefreshToken") * 1000
    if not REFRESH_MS_MIN <= refresh_ms <= REFRESH_MS_MAX:
        raise InvalidParameterException("Invalid range for token validity. RefreshToken lasts 60 minutes to 3650 days.")
    if refresh_ms < max(client.validity_s(token) for token in ("AccessToken", "IdToken")) * 1000:
        raise InvalidParameterException("Refresh token validity must be no less than that of access and id tokens.")


def _check_attributes(pool: UserPool, settings: Mapping[str, Any]) -> None:
    schema = schema_of(pool)
    for member in ("ReadAttributes", "WriteAttributes"):
        for name in settings.get(member) or ():
            if name not in schema or name == "sub":
                raise InvalidParameterException(
                    f"Invalid {member[:-10].lower()} attributes specified while creating a client"
                )
    written = settings.get("WriteAttributes")
    missing = [name for name in pool.required_attributes if written and name not in written]
    if missing:
        raise InvalidParameterException(f"Required attributes must be writable: {', '.join(missing)}")


def _check_urls(settings: Mapping[str, Any]) -> None:
    """Check redirect addresses: absolute, without a fragment, by https but for this machine's own and apps' schemes."""
    callbacks = settings.get("CallbackURLs") or ()
    for member in ("CallbackURLs", "LogoutURLs"):
        for url in settings.get(member) or ():
            parts = urlsplit(url)
            is_open = parts.scheme == "http" and (parts.hostname or "") not in _LOCAL
            if not parts.scheme or "#" in url or is_open or (parts.scheme in ("http", "https") and not parts.netloc):
                raise InvalidParameterException(
                    f"{url} cannot be a redirect URI: use an absolute address without a fragment, by https (http only "
                    "for localhost) or by an app's own scheme"
                )
            if parts.scheme in ("javascript", "data", "vbscript", "file"):
                raise InvalidParameterException(f"{url} cannot be a redirect URI.")
    default = settings.get("DefaultRedirectURI")
    if default and default not in callbacks:
        raise InvalidParameterException("DefaultRedirectURI must be one of CallbackURLs.")
    redirecting = {"code", "implicit"} & set(settings.get("AllowedOAuthFlows") or ())
    if settings["AllowedOAuthFlowsUserPoolClient"] and redirecting and not callbacks:
        raise InvalidParameterException("CallbackURLs are required for the code and implicit flows.")
