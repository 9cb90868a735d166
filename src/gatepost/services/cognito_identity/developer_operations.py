"""The operations for users whom the operator's own backend signs in (developer-authenticated identities).

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/developer-authenticated-identities.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.ids import request_id as random_uuid
from gatepost.kernel.operations import Call, operation
from gatepost.kernel.paging import page_token, place_of
from gatepost.services.cognito_identity.errors import (
    DeveloperUserAlreadyRegisteredException,
    InvalidParameterException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from gatepost.services.cognito_identity.logins import Logins, amr_of
from gatepost.services.cognito_identity.model import IdentityPool, IdentityRecord
from gatepost.services.cognito_identity.store import IdentityStore
from gatepost.services.cognito_identity.tokens import IdentityTokens

Params = Mapping[str, Any]
Answer = dict[str, Any]
Held = tuple[IdentityRecord, int]

TOKEN_DURATION_S: Final = 900
IDENTIFIERS_MAX: Final = 20  # of one identity, API_MergeDeveloperIdentities


class DeveloperOperations:
    """The operations on developers' users; a part of the provider."""

    _store: IdentityStore
    _tokens: IdentityTokens
    _logins: Logins

    @operation("GetOpenIdTokenForDeveloperIdentity")
    async def get_open_id_token_for_developer_identity(self, call: Call, params: Params) -> Answer:
        """Give a token for the operator's own user; a new one gets an identity, or is linked to the one named.

        Raises: DeveloperUserAlreadyRegistered…, InvalidParameter…, NotAuthorized…, ResourceNotFoundException.
        """
        pool = self._store.own(call, params["IdentityPoolId"])
        given = dict(params["Logins"])
        user = given.pop(pool.developer_provider, "") if pool.developer_provider else ""
        if not user:
            raise InvalidParameterException("Please provide a login of the pool's developer provider.")
        logins = await self._logins.verified(pool, given)
        keys = [(pool.developer_provider, user), *(login.key for login in logins)]
        held = await self._identity_of(call, pool, keys, params.get("IdentityId", ""))
        token = await self._tokens.issue(
            pool,
            held.id,
            amr_of(pool, logins, user),
            duration_s=params.get("TokenDuration", TOKEN_DURATION_S),
            tags=params.get("PrincipalTags"),
        )
        return {"IdentityId": held.id, "Token": token}

    async def _identity_of(
        self, call: Call, pool: IdentityPool, keys: list[tuple[str, str]], wanted: str
    ) -> IdentityRecord:
        ids = {found for key in keys if (found := await self._store.by_login(pool, key))}
        if len(ids) > 1:
            raise ResourceConflictException("Logins belong to different identities.")
        if ids and wanted and wanted not in ids:
            raise DeveloperUserAlreadyRegisteredException("The developer user is registered with another identity.")
        identity_id = wanted or (ids.pop() if ids else "")
        if not identity_id:
            new = IdentityRecord(f"{pool.region}:{random_uuid()}", pool.id, call.now_ms, call.now_ms, tuple(keys))
            return await self._store.change(pool, new, None)
        record, version = await self._held(pool, identity_id)
        added = tuple(key for key in keys if key not in record.logins)
        if not added:
            return record
        changed = replace(record, logins=(*record.logins, *added), changed_at_ms=call.now_ms)
        return await self._store.change(pool, changed, (record, version))

    @operation("LookupDeveloperIdentity")
    async def lookup_developer_identity(self, call: Call, params: Params) -> Answer:
        """Give the identity of a developer's user, or the users of an identity.

        Raises: InvalidParameterException, ResourceConflictException, ResourceNotFoundException.
        """
        pool = self._store.own(call, params["IdentityPoolId"])
        user, identity_id = params.get("DeveloperUserIdentifier", ""), params.get("IdentityId", "")
        if not user and not identity_id:
            raise InvalidParameterException("Name an IdentityId or a DeveloperUserIdentifier.")
        found = await self._store.by_login(pool, (pool.developer_provider, user)) if user else identity_id
        if not found:
            raise ResourceNotFoundException("Developer user not found.")
        if identity_id and found != identity_id:
            raise ResourceConflictException("The developer user belongs to another identity.")
        record, _ = await self._held(pool, found)
        users = sorted(one for provider, one in record.logins if provider == pool.developer_provider)
        (after,) = place_of(params.get("NextToken"), InvalidParameterException("Invalid NextToken"), "")
        rest = [one for one in users if one > after]
        count_max = params.get("MaxResults") or 60
        more = {"NextToken": page_token(rest[count_max - 1])} if len(rest) > count_max else {}
        return {"IdentityId": found, "DeveloperUserIdentifierList": rest[:count_max], **more}

    @operation("MergeDeveloperIdentities")
    async def merge_developer_identities(self, call: Call, params: Params) -> Answer:
        """Make one identity of two: the source's users go to the destination's.

        Raises: InvalidParameterException, ResourceConflictException, ResourceNotFoundException.
        """
        pool = self._of_provider(call, params)
        source = await self._of_user(pool, params["SourceUserIdentifier"])
        kept = await self._of_user(pool, params["DestinationUserIdentifier"])
        if source[0].id == kept[0].id:
            raise InvalidParameterException("Both users belong to one identity already.")
        logins = tuple(dict.fromkeys((*kept[0].logins, *source[0].logins)))
        if sum(provider == pool.developer_provider for provider, _ in logins) > IDENTIFIERS_MAX:
            raise InvalidParameterException(f"An identity has at most {IDENTIFIERS_MAX} developer users.")
        merged = replace(kept[0], logins=logins, changed_at_ms=call.now_ms)
        await self._store.merge(pool, kept, merged, source)
        return {"IdentityId": merged.id}

    @operation("UnlinkDeveloperIdentity")
    async def unlink_developer_identity(self, call: Call, params: Params) -> None:
        """Take a developer's user from an identity. Raises: ResourceConflict…, ResourceNotFoundException."""
        pool = self._of_provider(call, params)
        record, version = await self._held(pool, params["IdentityId"])
        key = (pool.developer_provider, params["DeveloperUserIdentifier"])
        if key not in record.logins:
            raise ResourceNotFoundException("Developer user not found.")
        kept = tuple(login for login in record.logins if login != key)
        await self._store.change(pool, replace(record, logins=kept, changed_at_ms=call.now_ms), (record, version))

    def _of_provider(self, call: Call, params: Params) -> IdentityPool:
        pool = self._store.own(call, params["IdentityPoolId"])
        if not pool.developer_provider or params["DeveloperProviderName"] != pool.developer_provider:
            raise InvalidParameterException("DeveloperProviderName is not that of the identity pool.")
        return pool

    async def _of_user(self, pool: IdentityPool, user: str) -> Held:
        found = await self._store.by_login(pool, (pool.developer_provider, user))
        if not found:
            raise ResourceNotFoundException(f"Developer user {user} not found.")
        return await self._held(pool, found)

    async def _held(self, pool: IdentityPool, identity_id: str) -> Held:
        held = await self._store.identity(pool, identity_id)
        if held is None:
            raise ResourceNotFoundException(f"Identity '{identity_id}' not found.")
        return held
