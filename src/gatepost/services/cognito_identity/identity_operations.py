"""The operations on identities: anyone gets one by logins, or as a guest, and with it tokens or credentials.

The basic flow is GetId, GetOpenIdToken and AssumeRoleWithWebIdentity, if the pool allows it. The enhanced flow is
GetId and GetCredentialsForIdentity, which does here the very same: it signs a token and assumes the pool's role with
it, so that the role's trust policy decides in both flows.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flow.html. Words of errors are what
people report: unverified.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.ids import request_id as random_uuid
from gatepost.kernel.operations import Call, Principal, operation
from gatepost.kernel.paging import page_token, place_of
from gatepost.kernel.ports import Operations
from gatepost.services.cognito_identity.errors import (
    InvalidIdentityPoolConfigurationException,
    InvalidParameterException,
    NotAuthorizedException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from gatepost.services.cognito_identity.logins import Login, Logins, amr_of
from gatepost.services.cognito_identity.model import PROVIDER, IdentityPool, IdentityRecord
from gatepost.services.cognito_identity.role_choice import UNCONFIGURED, role_of
from gatepost.services.cognito_identity.store import IdentityStore
from gatepost.services.cognito_identity.tokens import IdentityTokens

Params = Mapping[str, Any]
Answer = dict[str, Any]

TOKEN_DURATION_S: Final = 600
CREDENTIALS_DURATION_S: Final = 3_600
TAG_VALUE_CHARACTERS_MAX: Final = 256
GUESTS_REFUSED: Final = "Unauthenticated access is not supported for this identity pool."
# Guests in the enhanced flow reach these services at most, whatever their role allows. The table of
# https://docs.aws.amazon.com/cognito/latest/developerguide/iam-roles.html (`unverified`: as far as it names services
# that exist here or elsewhere by --service).
GUEST_POLICY: Final = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [
                    f"{service}:*"
                    for service in (
                        "cloudwatch",
                        "cognito-identity",
                        "cognito-idp",
                        "dynamodb",
                        "execute-api",
                        "firehose",
                        "iot",
                        "kinesis",
                        "lambda",
                        "logs",
                        "s3",
                        "ses",
                        "sns",
                        "sqs",
                    )
                ],
                "Resource": "*",
            }
        ],
    },
    separators=(",", ":"),
)


class IdentityOperations:
    """The operations on identities; a part of the provider."""

    _store: IdentityStore
    _tokens: IdentityTokens
    _logins: Logins
    _operations: Operations

    @operation("GetId")
    async def get_id(self, call: Call, params: Params) -> Answer:
        """Give the identity of the logins, or a new guest's. Raises: NotAuthorized…, ResourceConflict…, …NotFound…."""
        pool = self._store.pool(params["IdentityPoolId"])
        if params.get("AccountId", pool.account_id) != pool.account_id:
            raise NotAuthorizedException("The identity pool does not belong to this account.")
        logins = await self._logins.verified(pool, params.get("Logins") or {})
        if not logins and not pool.takes_guests:
            raise NotAuthorizedException(GUESTS_REFUSED)
        found = await self._of_logins(pool, logins)
        if found is None:
            new = IdentityRecord(f"{pool.region}:{random_uuid()}", pool.id, call.now_ms, call.now_ms)
            new = replace(new, logins=tuple(login.key for login in logins))
            return {"IdentityId": (await self._store.change(pool, new, None)).id}
        return {"IdentityId": (await self._linked(pool, found, logins, call)).id}

    @operation("GetOpenIdToken")
    async def get_open_id_token(self, call: Call, params: Params) -> Answer:
        """Give a token to assume a role with, for ten minutes. Raises: NotAuthorized…, InvalidParameter…."""
        pool, identity, _ = await self._store.anywhere(params["IdentityId"])
        if not pool.allows_classic_flow:
            raise InvalidParameterException("Basic (classic) flow is not enabled, please use enhanced flow.")
        logins, amr, tags = await self._proven(call, pool, identity, params.get("Logins") or {})
        del logins
        own = (params.get("Logins") or {}).get(PROVIDER)
        duration_s = TOKEN_DURATION_S if own is None else min(TOKEN_DURATION_S, self._logins.own_seconds_left(own))
        token = await self._tokens.issue(pool, identity.id, amr, duration_s=duration_s, tags=tags)
        return {"IdentityId": identity.id, "Token": token}

    @operation("GetCredentialsForIdentity")
    async def get_credentials_for_identity(self, call: Call, params: Params) -> Answer:
        """Give credentials of the pool's role for an identity, for an hour.

        Raises: NotAuthorized…, InvalidIdentityPoolConfiguration…, InvalidParameter…, ResourceNotFoundException.
        """
        pool, identity, _ = await self._store.anywhere(params["IdentityId"])
        logins, amr, tags = await self._proven(call, pool, identity, params.get("Logins") or {})
        is_guest = amr == ["unauthenticated"]
        role = role_of(pool, logins, is_guest=is_guest, custom_role=params.get("CustomRoleArn", ""))
        token = await self._tokens.issue(pool, identity.id, amr, duration_s=TOKEN_DURATION_S, tags=tags)
        asked = {
            "RoleArn": role,
            "RoleSessionName": "CognitoIdentityCredentials",
            "WebIdentityToken": token,
            "DurationSeconds": CREDENTIALS_DURATION_S,
        }
        if is_guest:
            asked["Policy"] = GUEST_POLICY
        nobody = Principal("anonymous", pool.account_id, "", "anonymous")
        try:
            made = await self._operations.invoke(nobody, "sts", "AssumeRoleWithWebIdentity", asked, region=pool.region)
        except AccessDeniedException as refused:
            raise InvalidIdentityPoolConfigurationException(UNCONFIGURED, detail=refused.message) from refused
        told = made["Credentials"]
        credentials = {
            "AccessKeyId": told["AccessKeyId"],
            "SecretKey": told["SecretAccessKey"],
            "SessionToken": told["SessionToken"],
            "Expiration": told["Expiration"],
        }
        return {"IdentityId": identity.id, "Credentials": credentials}

    @operation("UnlinkIdentity")
    async def unlink_identity(self, call: Call, params: Params) -> None:
        """Take logins from an identity, for who shows one of them. Raises: NotAuthorized…, ResourceNotFound…."""
        pool, identity, version = await self._store.anywhere(params["IdentityId"])
        logins = await self._logins.verified(pool, params["Logins"])
        if not any(login.key in identity.logins for login in logins):
            raise NotAuthorizedException(_no_match())
        providers = {self._logins.provider_name(pool, name) for name in params["LoginsToRemove"]}
        gone = {login.key for login in logins if login.provider in providers}
        gone |= {key for key in identity.logins if key[0] in providers}
        kept = tuple(key for key in identity.logins if key not in gone)
        changed = replace(identity, logins=kept, changed_at_ms=call.now_ms)
        await self._store.change(pool, changed, (identity, version))

    # --- for operators -----------------------------------------------------------------------------------------

    @operation("DescribeIdentity")
    async def describe_identity(self, call: Call, params: Params) -> Answer:
        """Describe an identity. Raises: ResourceNotFoundException."""
        return (await self._store.anywhere(params["IdentityId"], call))[1].to_aws()

    @operation("ListIdentities")
    async def list_identities(self, call: Call, params: Params) -> Answer:
        """Give a page of a pool's identities; none is ever disabled, so HideDisabled hides none.

        Raises: InvalidParameterException, ResourceNotFoundException.
        """
        pool = self._store.own(call, params["IdentityPoolId"])
        (after,) = place_of(params.get("NextToken"), InvalidParameterException("Invalid NextToken"), "")
        count_max: int = params["MaxResults"]
        found = await self._store.page(pool, after=after, count_max=count_max + 1)
        chosen = found[:count_max]
        more = {"NextToken": page_token(chosen[-1].id)} if len(found) > count_max else {}
        return {"IdentityPoolId": pool.id, "Identities": [one.to_aws() for one in chosen], **more}

    @operation("DeleteIdentities")
    async def delete_identities(self, call: Call, params: Params) -> Answer:
        """Delete identities; what is not there is done already."""
        for identity_id in params["IdentityIdsToDelete"]:
            try:
                pool, identity, _ = await self._store.anywhere(identity_id, call)
            except ResourceNotFoundException:
                continue
            await self._store.delete_identity(pool, identity)
        return {"UnprocessedIdentityIds": []}

    # --- who it is ---------------------------------------------------------------------------------------------

    async def _of_logins(self, pool: IdentityPool, logins: Sequence[Login]) -> IdentityRecord | None:
        ids = {found for login in logins if (found := await self._store.by_login(pool, login.key))}
        if len(ids) > 1:
            raise ResourceConflictException("Logins belong to different identities.")
        held = await self._store.identity(pool, ids.pop()) if ids else None
        return held[0] if held else None

    async def _linked(
        self, pool: IdentityPool, identity: IdentityRecord, logins: Sequence[Login], call: Call
    ) -> IdentityRecord:
        """Give the identity with those logins added that it does not have. Raises: ResourceConflictException."""
        added = tuple(login.key for login in logins if login.key not in identity.logins)
        if not added:
            return identity
        held = await self._store.identity(pool, identity.id)
        if held is None:
            raise ResourceNotFoundException(f"Identity '{identity.id}' not found.")
        changed = replace(held[0], logins=(*held[0].logins, *added), changed_at_ms=call.now_ms)
        return await self._store.change(pool, changed, held)

    async def _proven(
        self, call: Call, pool: IdentityPool, identity: IdentityRecord, given: Mapping[str, str]
    ) -> tuple[list[Login], list[str], dict[str, str]]:
        """Give what proves that the caller may speak for an identity: logins, `amr`, and the session's tags.

        Raises: NotAuthorizedException, ResourceConflictException.
        """
        if PROVIDER in given:
            if len(given) > 1:
                raise InvalidParameterException(f"A login of {PROVIDER} stands alone.")
            amr = self._logins.own_identity(pool, identity.id, given[PROVIDER])
            return [], amr, self._logins.own_tags(given[PROVIDER])
        logins = await self._logins.verified(pool, given)
        if not logins:
            if identity.logins:
                raise NotAuthorizedException(f"Access to Identity '{identity.id}' is forbidden.")
            if not pool.takes_guests:
                raise NotAuthorizedException(GUESTS_REFUSED)
            return [], amr_of(pool, []), {}
        if identity.logins and not any(login.key in identity.logins for login in logins):
            raise NotAuthorizedException(_no_match())
        owner = await self._of_logins(pool, logins)
        if owner is not None and owner.id != identity.id:
            raise ResourceConflictException("Login is already linked to another account.")
        await self._linked(pool, identity, logins, call)
        return logins, amr_of(pool, logins), _session_tags(pool, logins)


def _session_tags(pool: IdentityPool, logins: Sequence[Login]) -> dict[str, str]:
    found: dict[str, str] = {}
    for login in logins:
        for tag, claim in pool.tag_claims(login.provider).items():
            value = login.claims.get(claim)
            if isinstance(value, str) and 0 < len(value) <= TAG_VALUE_CHARACTERS_MAX:
                found[tag] = value
    return found


def _no_match() -> str:
    return "Logins don't match. Please include at least one valid login for this identity or identity pool."
