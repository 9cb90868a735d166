"""The operations on identity pools themselves: settings, roles, principal tags, tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.ids import request_id as random_uuid
from gatepost.kernel.operations import Call, operation
from gatepost.kernel.paging import page_token, place_of
from gatepost.services.cognito_identity.errors import (
    InvalidParameterException,
    LimitExceededException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from gatepost.services.cognito_identity.logins import USER_POOL, Logins
from gatepost.services.cognito_identity.model import IdentityPool
from gatepost.services.cognito_identity.store import IdentityStore

Params = Mapping[str, Any]
Answer = dict[str, Any]

POOLS_MAX: Final = 1_000  # https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
TAGS_MAX: Final = 50
RULES_MAX: Final = 25  # "up to 25 rules can be specified per identity provider", API_RulesConfigurationType
CUSTOM_ID_TAG: Final = "_custom_id_"  # ours: pins the id, as for user pools
_REFUSED: Final = {
    "SupportedLoginProviders": "is not supported by Gatepost: use OpenIdConnectProviderARNs",
    "SamlProviderARNs": "SAML is not supported by Gatepost: use CognitoIdentityProviders",
}


class PoolOperations:
    """The operations on identity pools; a part of the provider."""

    _store: IdentityStore
    _logins: Logins

    @operation("CreateIdentityPool")
    async def create_identity_pool(self, call: Call, params: Params) -> Answer:
        """Make a pool. Raises: InvalidParameterException, LimitExceededException, ResourceConflictException."""
        if len(self._store.every(call)) >= POOLS_MAX:
            raise LimitExceededException(f"Limit of {POOLS_MAX} identity pools exceeded.")
        tags = dict(params.get("IdentityPoolTags") or {})
        pool_id = tags.pop(CUSTOM_ID_TAG, "") or f"{call.region}:{random_uuid()}"
        if pool_id.partition(":")[0] != call.region or len(pool_id) > 55:
            raise InvalidParameterException(f"{CUSTOM_ID_TAG} is the region, a colon and a UUID.")
        if self._store.find(pool_id) is not None:
            raise ResourceConflictException(f"IdentityPool '{pool_id}' exists.")
        pool = _configured(IdentityPool(pool_id, call.account_id, call.region, "", takes_guests=False), params, tags)
        self._logins.check_providers(pool)
        await self._store.keep(pool, None)
        return pool.to_aws()

    @operation("UpdateIdentityPool")
    async def update_identity_pool(self, call: Call, params: Params) -> Answer:
        """Set a pool's settings anew. Raises: InvalidParameterException, ResourceNotFoundException."""
        old = self._store.own(call, params["IdentityPoolId"])
        tags = params.get("IdentityPoolTags")
        pool = _configured(old, params, dict(old.tags if tags is None else tags))
        if old.developer_provider and pool.developer_provider != old.developer_provider:
            raise InvalidParameterException("DeveloperProviderName cannot be changed.")
        self._logins.check_providers(pool)
        await self._store.keep(pool, old)
        return pool.to_aws()

    @operation("DescribeIdentityPool")
    def describe_identity_pool(self, call: Call, params: Params) -> Answer:
        """Describe a pool. Raises: ResourceNotFoundException."""
        return self._store.own(call, params["IdentityPoolId"]).to_aws()

    @operation("DeleteIdentityPool")
    async def delete_identity_pool(self, call: Call, params: Params) -> None:
        """Delete a pool with its identities. Raises: ResourceNotFoundException."""
        await self._store.delete(self._store.own(call, params["IdentityPoolId"]))

    @operation("ListIdentityPools")
    def list_identity_pools(self, call: Call, params: Params) -> Answer:
        """Give a page of pools. Raises: InvalidParameterException."""
        count_max: int = params["MaxResults"]
        (after,) = place_of(params.get("NextToken"), InvalidParameterException("Invalid NextToken"), "")
        rest = [pool for pool in self._store.every(call) if pool.id > after]
        chosen = rest[:count_max]
        more = {"NextToken": page_token(chosen[-1].id)} if len(rest) > count_max else {}
        return {
            "IdentityPools": [{"IdentityPoolId": pool.id, "IdentityPoolName": pool.name} for pool in chosen],
            **more,
        }

    # --- roles -------------------------------------------------------------------------------------------------

    @operation("SetIdentityPoolRoles")
    async def set_identity_pool_roles(self, call: Call, params: Params) -> None:
        """Set the pool's roles, and its mappings if they are given. Raises: InvalidParameterException, …NotFound…."""
        old = self._store.own(call, params["IdentityPoolId"])
        mappings = params.get("RoleMappings")
        for name, mapping in (mappings or {}).items():
            _check_mapping(name, mapping)
        for arn in (*params["Roles"].values(), *mapped_roles(mappings or {})):
            if ":role/" not in arn:
                raise InvalidParameterException(f"{arn} is no role's ARN.")
        kept = old.role_mappings if mappings is None else {name: dict(one) for name, one in mappings.items()}
        await self._store.keep(replace(old, roles=dict(params["Roles"]), role_mappings=kept), old)

    @operation("GetIdentityPoolRoles")
    def get_identity_pool_roles(self, call: Call, params: Params) -> Answer:
        """Give the pool's roles and mappings. Raises: ResourceNotFoundException."""
        pool = self._store.own(call, params["IdentityPoolId"])
        told: Answer = {"IdentityPoolId": pool.id, "Roles": dict(pool.roles)}
        if pool.role_mappings:
            told["RoleMappings"] = {name: dict(one) for name, one in pool.role_mappings.items()}
        return told

    # --- principal tags ----------------------------------------------------------------------------------------

    @operation("SetPrincipalTagAttributeMap")
    async def set_principal_tag_attribute_map(self, call: Call, params: Params) -> Answer:
        """Say which claims of a provider's tokens become tags of sessions. Raises: InvalidParameterException."""
        old = self._store.own(call, params["IdentityPoolId"])
        provider = params["IdentityProviderName"]
        if not any(one["ProviderName"] == provider for one in old.user_pool_clients):
            raise InvalidParameterException(f"{provider} is not a provider of this identity pool.")
        tags = dict(params.get("PrincipalTags") or {})
        if params.get("UseDefaults") and tags:
            raise InvalidParameterException("Use either UseDefaults or PrincipalTags.")
        settings = {"UseDefaults": bool(params.get("UseDefaults")), "PrincipalTags": tags}
        await self._store.keep(replace(old, principal_tags={**old.principal_tags, provider: settings}), old)
        return _tag_map(self._store.own(call, old.id), provider)

    @operation("GetPrincipalTagAttributeMap")
    def get_principal_tag_attribute_map(self, call: Call, params: Params) -> Answer:
        """Give which claims become tags. Raises: ResourceNotFoundException."""
        return _tag_map(self._store.own(call, params["IdentityPoolId"]), params["IdentityProviderName"])

    # --- tags --------------------------------------------------------------------------------------------------

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: Params) -> None:
        """Tag a pool. Raises: InvalidParameterException, ResourceNotFoundException."""
        old = self._by_arn(call, params["ResourceArn"])
        await self._store.keep(replace(old, tags=_tags({**old.tags, **params["Tags"]})), old)

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: Params) -> None:
        """Take tags off a pool. Raises: ResourceNotFoundException."""
        old = self._by_arn(call, params["ResourceArn"])
        kept = {key: value for key, value in old.tags.items() if key not in params["TagKeys"]}
        await self._store.keep(replace(old, tags=kept), old)

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, call: Call, params: Params) -> Answer:
        """Give a pool's tags. Raises: ResourceNotFoundException."""
        return {"Tags": dict(self._by_arn(call, params["ResourceArn"]).tags)}

    def _by_arn(self, call: Call, arn: str) -> IdentityPool:
        pool = self._store.own(call, arn.rpartition("/")[2])
        if pool.arn != arn:
            raise ResourceNotFoundException(f"Resource {arn} not found.")
        return pool


def mapped_roles(mappings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Give the ARNs of roles that rules name."""
    rules = (one.get("RulesConfiguration") or {} for one in mappings.values())
    return [rule["RoleARN"] for one in rules for rule in one.get("Rules", ())]


def _configured(pool: IdentityPool, params: Params, tags: dict[str, str]) -> IdentityPool:
    for name, words in _REFUSED.items():
        if params.get(name):
            raise InvalidParameterException(f"{name}: {words}")
    clients = []
    for given in params.get("CognitoIdentityProviders") or ():
        if not given.get("ProviderName") or not given.get("ClientId"):
            raise InvalidParameterException("CognitoIdentityProviders have each a ProviderName and a ClientId.")
        if USER_POOL.fullmatch(given["ProviderName"]) is None:
            raise InvalidParameterException(
                f"ProviderName {given['ProviderName']}: use cognito-idp.REGION.amazonaws.com/USER_POOL_ID"
            )
        clients.append({"ServerSideTokenCheck": False, **given})
    return replace(
        pool,
        name=params["IdentityPoolName"],
        takes_guests=params["AllowUnauthenticatedIdentities"],
        allows_classic_flow=bool(params.get("AllowClassicFlow")),
        developer_provider=params.get("DeveloperProviderName") or "",
        user_pool_clients=tuple(clients),
        oidc_providers=tuple(dict.fromkeys(params.get("OpenIdConnectProviderARNs") or ())),
        tags=_tags(tags),
    )


def _tags(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > TAGS_MAX:
        raise InvalidParameterException(f"An identity pool has at most {TAGS_MAX} tags.")
    return tags


def _check_mapping(name: str, mapping: Mapping[str, Any]) -> None:
    provider, colon, client = name.rpartition(":")
    if not colon or not client or USER_POOL.fullmatch(provider) is None:
        raise InvalidParameterException(
            f"Role mapping {name}: use cognito-idp.REGION.amazonaws.com/USER_POOL_ID:CLIENT_ID"
        )
    if "AmbiguousRoleResolution" not in mapping:
        raise InvalidParameterException("AmbiguousRoleResolution is required for role mappings.")
    rules = (mapping.get("RulesConfiguration") or {}).get("Rules") or ()
    if mapping["Type"] == "Rules" and not 1 <= len(rules) <= RULES_MAX:
        raise InvalidParameterException(f"A role mapping of type Rules has 1 to {RULES_MAX} rules.")
    if mapping["Type"] == "Token" and rules:
        raise InvalidParameterException("A role mapping of type Token has no rules.")


def _tag_map(pool: IdentityPool, provider: str) -> Answer:
    settings = pool.principal_tags.get(provider, {"UseDefaults": False, "PrincipalTags": {}})
    return {
        "IdentityPoolId": pool.id,
        "IdentityProviderName": provider,
        "UseDefaults": settings["UseDefaults"],
        "PrincipalTags": dict(pool.tag_claims(provider)),
    }
