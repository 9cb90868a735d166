"""The operations on user pools themselves: made, changed, described, deleted, tagged."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.ids import random_id
from gatepost.kernel.operations import Call, operation
from gatepost.kernel.paging import page_token, place_of
from gatepost.services.cognito_idp.domains import Domains
from gatepost.services.cognito_idp.errors import (
    InvalidParameterException,
    LimitExceededException,
    ResourceNotFoundException,
)
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.pool_settings import (
    FIXED,
    checked_tags,
    pool_to_aws,
    settings_from,
    unsupported,
)
from gatepost.services.cognito_idp.pool_things import PoolThings
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.schema import CUSTOM_ATTRIBUTES_MAX, checked_schema, custom_attribute
from gatepost.services.cognito_idp.users import Users

Params = Mapping[str, Any]
Answer = dict[str, Any]

CUSTOM_ID_TAG: Final = "_custom_id_"
POOLS_MAX: Final = 1_000  # https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
SUFFIX_LENGTH: Final = 9
SUFFIX_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_SUFFIX: Final = re.compile(r"[0-9a-zA-Z]{1,45}", re.ASCII)


class PoolOperations:
    """The operations on pools; a part of the provider."""

    _pools: Pools
    _users: Users
    _domains: Domains
    _things: PoolThings
    _clock: Clock

    @operation("CreateUserPool")
    async def create_user_pool(self, call: Call, params: Params) -> Answer:
        """Make a pool with its signing keys.

        Raises: InvalidParameterException, LimitExceededException, FeatureUnavailableInTierException.
        """
        if len(self._pools.every(call.account_id, call.region)) >= POOLS_MAX:
            raise LimitExceededException(f"An account has at most {POOLS_MAX} user pools in a region.")
        custom, required, changes = checked_schema(params.get("Schema") or ())
        tags = checked_tags(params.get("UserPoolTags") or {})
        pool_id = _pool_id(call.region, tags.pop(CUSTOM_ID_TAG, None))
        if self._pools.find(pool_id) is not None:
            raise InvalidParameterException(f"There is a user pool {pool_id} already.")
        pool = UserPool(
            id=pool_id,
            account_id=call.account_id,
            region=call.region,
            name=params["PoolName"],
            settings=settings_from(params),
            created_at_ms=call.now_ms,
            changed_at_ms=call.now_ms,
            custom_attributes=custom,
            required_attributes=required,
            schema_changes=changes,
            tags=tags,
        )
        pool = await asyncio.get_running_loop().run_in_executor(None, self._pools.new_keys, pool)
        await self._pools.keep(pool, None)
        return {"UserPool": await self._told(pool)}

    @operation("DescribeUserPool")
    async def describe_user_pool(self, call: Call, params: Params) -> Answer:
        """Describe a pool. Raises: ResourceNotFoundException."""
        return {"UserPool": await self._told(self._pools.get(call, params["UserPoolId"]))}

    @operation("UpdateUserPool")
    async def update_user_pool(self, call: Call, params: Params) -> Answer:
        """Set a pool's settings anew: what is left out goes back to its default.

        Raises: ResourceNotFoundException, InvalidParameterException.
        """
        pool = self._pools.get(call, params["UserPoolId"])
        fixed = {name: pool.settings[name] for name in (*FIXED, "_Mfa") if name in pool.settings}
        tags = checked_tags(params["UserPoolTags"]) if params.get("UserPoolTags") is not None else pool.tags
        changed = replace(
            pool,
            name=params.get("PoolName") or pool.name,
            settings=settings_from(params, fixed=fixed),
            tags={key: value for key, value in tags.items() if key != CUSTOM_ID_TAG},
            changed_at_ms=call.now_ms,
        )
        await self._pools.keep(changed, pool)
        return {}

    @operation("DeleteUserPool")
    async def delete_user_pool(self, call: Call, params: Params) -> None:
        """Delete a pool with everything in it. Raises: ResourceNotFoundException, InvalidParameterException."""
        pool = self._pools.get(call, params["UserPoolId"])
        if pool.settings.get("DeletionProtection") == "ACTIVE":
            raise InvalidParameterException(
                "The user pool cannot be deleted because deletion protection is activated. "
                "Deletion protection must be inactivated first."
            )
        if self._domains.of_pool(pool):
            raise InvalidParameterException(
                "User pool cannot be deleted. It has a domain configured that should be deleted first."
            )
        await self._pools.delete(pool)
        await self._users.delete_all(pool)
        await self._things.delete_all(pool)

    @operation("ListUserPools")
    def list_user_pools(self, call: Call, params: Params) -> Answer:
        """Give a page of pools by their ids."""
        count_max = params["MaxResults"]
        (after,) = place_of(params.get("NextToken"), InvalidParameterException("Invalid NextToken"), "")
        found = [pool for pool in self._pools.every(call.account_id, call.region) if pool.id > after]
        chosen = found[:count_max]
        listed = [
            {
                "Id": pool.id,
                "Name": pool.name,
                "LambdaConfig": dict(pool.lambda_config),
                "LastModifiedDate": pool.changed_at_ms,
                "CreationDate": pool.created_at_ms,
            }
            for pool in chosen
        ]
        more = {"NextToken": page_token(chosen[-1].id)} if len(found) > count_max else {}
        return {"UserPools": listed, **more}

    @operation("AddCustomAttributes")
    async def add_custom_attributes(self, call: Call, params: Params) -> Answer:
        """Add custom attributes to a pool's schema; they stay for good. Raises: InvalidParameterException."""
        pool = self._pools.get(call, params["UserPoolId"])
        added = [custom_attribute(attribute) for attribute in params["CustomAttributes"]]
        names = [attribute["Name"] for attribute in (*pool.custom_attributes, *added)]
        for name in {name for name in names if names.count(name) > 1}:
            raise InvalidParameterException(f"{name}: Existing attribute already has name {name}.")
        if len(names) > CUSTOM_ATTRIBUTES_MAX:
            raise InvalidParameterException(f"A user pool has at most {CUSTOM_ATTRIBUTES_MAX} custom attributes.")
        await self._pools.keep(
            replace(pool, custom_attributes=[*pool.custom_attributes, *added], changed_at_ms=call.now_ms), pool
        )
        return {}

    @operation("SetUserPoolMfaConfig")
    async def set_user_pool_mfa_config(self, call: Call, params: Params) -> Answer:
        """Set a pool's second factors and passkeys; a factor that is left out is not offered.

        Raises: ResourceNotFoundException, InvalidParameterException.
        """
        pool = self._pools.get(call, params["UserPoolId"])
        given = {
            name: params[name]
            for name in (
                "SmsMfaConfiguration",
                "SoftwareTokenMfaConfiguration",
                "EmailMfaConfiguration",
                "WebAuthnConfiguration",
            )
            if params.get(name) is not None
        }
        mode = params.get("MfaConfiguration") or pool.mfa
        offered = (
            "SmsMfaConfiguration" in given
            or "EmailMfaConfiguration" in given
            or given.get("SoftwareTokenMfaConfiguration", {}).get("Enabled")
        )
        if mode != "OFF" and not offered:
            raise InvalidParameterException("Invalid MFA configuration given: name at least one factor for MFA.")
        if given.get("WebAuthnConfiguration", {}).get("FactorConfiguration", "SINGLE_FACTOR") != "SINGLE_FACTOR":
            raise unsupported("WebAuthnConfiguration.FactorConfiguration", "passkeys are a first factor here")
        settings = {**pool.settings, "_Mfa": given, "MfaConfiguration": mode}
        if sms := given.get("SmsMfaConfiguration", {}).get("SmsConfiguration"):
            settings["SmsConfiguration"] = sms
        changed = replace(pool, settings=settings, changed_at_ms=call.now_ms)
        await self._pools.keep(changed, pool)
        return _mfa_to_aws(changed)

    @operation("GetUserPoolMfaConfig")
    def get_user_pool_mfa_config(self, call: Call, params: Params) -> Answer:
        """Give a pool's second factors. Raises: ResourceNotFoundException."""
        return _mfa_to_aws(self._pools.get(call, params["UserPoolId"]))

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: Params) -> Answer:
        """Add tags to a pool. Raises: ResourceNotFoundException, UserPoolTaggingException."""
        pool = self._by_arn(call, params["ResourceArn"])
        tags = checked_tags({**pool.tags, **params["Tags"]})
        await self._pools.keep(replace(pool, tags=tags), pool)
        return {}

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: Params) -> Answer:
        """Take tags away. Raises: ResourceNotFoundException."""
        pool = self._by_arn(call, params["ResourceArn"])
        kept = {key: value for key, value in pool.tags.items() if key not in params["TagKeys"]}
        await self._pools.keep(replace(pool, tags=kept), pool)
        return {}

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, call: Call, params: Params) -> Answer:
        """Give a pool's tags. Raises: ResourceNotFoundException."""
        return {"Tags": dict(self._by_arn(call, params["ResourceArn"]).tags)}

    def _by_arn(self, call: Call, arn: str) -> UserPool:
        pool = self._pools.get(call, arn.rpartition("/")[2])
        if pool.arn != arn:
            raise ResourceNotFoundException(f"There is no user pool {arn}.")
        return pool

    async def _told(self, pool: UserPool) -> Answer:
        count = await self._users.count(pool)
        return pool_to_aws(pool, count=count, domains=self._domains.of_pool(pool))


def _pool_id(region: str, pinned: str | None) -> str:
    if pinned is None:
        return f"{region}_{random_id(SUFFIX_LENGTH, SUFFIX_ALPHABET)}"
    suffix = pinned.removeprefix(f"{region}_")
    if not _SUFFIX.fullmatch(suffix):
        raise InvalidParameterException(
            f"The tag {CUSTOM_ID_TAG} is {pinned!r}: use {region}_ and 1 to 45 letters and digits"
        )
    return f"{region}_{suffix}"


def _mfa_to_aws(pool: UserPool) -> Answer:
    told = {name: value for name, value in pool.mfa_settings.items() if value}
    if "SmsMfaConfiguration" not in told and pool.settings.get("SmsConfiguration"):
        message = pool.settings.get("SmsAuthenticationMessage")
        told["SmsMfaConfiguration"] = {
            **({"SmsAuthenticationMessage": message} if message else {}),
            "SmsConfiguration": pool.settings["SmsConfiguration"],
        }
    return {**told, "MfaConfiguration": pool.mfa}
