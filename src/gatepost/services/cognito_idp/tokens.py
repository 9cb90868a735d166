"""Id, access and refresh tokens: made, refreshed, revoked.

Id and access tokens are JWTs, each kind signed by a key of its own. Refresh tokens are opaque and sealed: nothing is
stored until one is revoked or replaced. All tokens of one sign-in share `origin_jti`. The last twelve hex digits of a
`jti` are the millisecond it was made in, so that signing out everywhere ends what was made until then, and no more.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from gatepost.kernel.clock import Clock
from gatepost.kernel.ids import request_id as random_uuid
from gatepost.security.sealing import NotSealed
from gatepost.security.session_tokens import Sealing
from gatepost.services.cognito_idp import claims as token_claims
from gatepost.services.cognito_idp.errors import (
    NotAuthorizedException,
    RefreshTokenReuseException,
    UnsupportedOperationException,
    UnsupportedTokenTypeException,
)
from gatepost.services.cognito_idp.groups_store import GroupStore
from gatepost.services.cognito_idp.pool import AppClient, UserPool
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.revocations import Revocations
from gatepost.services.cognito_idp.triggers import Triggers, user_attributes
from gatepost.services.cognito_idp.user import User
from gatepost.services.cognito_idp.users import Users

REFRESH_CHARACTERS_MAX: Final = 4_096
_REFRESH: Final = "user-pool-refresh-token"


@dataclass(frozen=True, slots=True)
class Grant:
    """What tokens are to be made of: who signed in to which client, when, and for what.

    `source` is the pre-token-generation trigger's: `TokenGeneration_Authentication`, `…_HostedAuth`,
    `…_NewPasswordChallenge`, `…_AuthenticateDevice`, `…_RefreshTokens`. `is_hosted`: by the OAuth endpoints (the
    access token says `version` 2, the id token shows what the scopes ask for).
    """

    pool: UserPool
    client: AppClient
    user: User
    source: str = "TokenGeneration_Authentication"
    auth_time_s: int = 0  # 0: now
    origin_jti: str = ""  # empty: a new session
    scopes: Sequence[str] = (token_claims.SELF_SERVICE_SCOPE,)
    nonce: str = ""
    is_hosted: bool = False
    device_key: str = ""
    client_metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What a refresh token says."""

    pool_id: str
    client_id: str
    user_name: str
    sub: str
    jti: str
    origin_jti: str
    auth_time_s: int
    made_at_ms: int
    expires_at_ms: int
    scopes: Sequence[str]
    is_hosted: bool
    device_key: str


class Tokens:
    """Makes tokens."""

    def __init__(
        self,
        pools: Pools,
        users: Users,
        groups: GroupStore,
        triggers: Triggers,
        revocations: Revocations,
        *,
        seal: Sealing,
        clock: Clock,
    ) -> None:
        self._pools = pools
        self._users = users
        self._groups = groups
        self._triggers = triggers
        self._revocations = revocations
        self._seal = seal
        self._clock = clock

    # --- making ------------------------------------------------------------------------------------------------

    async def issue(self, grant: Grant) -> dict[str, Any]:
        """Make the tokens of a sign-in: AWS's AuthenticationResult. Raises: what the trigger raises."""
        grant = self._begun(grant)
        result = await self._signed(grant)
        result["RefreshToken"] = self._refresh_token(
            grant, expires_at_ms=self._clock.now_ms() + grant.client.validity_s("RefreshToken") * 1000
        )
        return result

    async def issue_to_client(
        self, pool: UserPool, client: AppClient, scopes: Sequence[str], client_metadata: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Make the access token of a client that acts for itself (client_credentials). `scopes` are checked already."""
        now_s = self._clock.now_ms() // 1000
        told: Mapping[str, Any] = {}
        if pool.lambda_config.get("PreTokenGenerationConfig", {}).get("LambdaVersion") == "V3_0":
            answer = await self._triggers.fire(
                pool,
                "PreTokenGeneration",
                "TokenGeneration_ClientCredentials",
                user_name=client.id,
                client_id=client.id,
                request={
                    "userAttributes": {},
                    "groupConfiguration": {},
                    "scopes": list(scopes),
                    "clientMetadata": dict(client_metadata or {}),
                },
                response={"claimsAndScopeOverrideDetails": None},
            )
            told = (answer.get("claimsAndScopeOverrideDetails") or {}).get("accessTokenGeneration") or {}
        claims = {
            "sub": client.id,
            "token_use": "access",
            "scope": " ".join(token_claims.with_scopes(scopes, told)),
            "auth_time": now_s,
            "iss": self._pools.issuer(pool),
            "exp": now_s + client.validity_s("AccessToken"),
            "iat": now_s,
            "version": 2,
            "jti": self._new_jti(),
            "client_id": client.id,
        }
        claims = token_claims.with_claims(claims, told, reserved=token_claims.ACCESS_RESERVED, texts_only=False)
        return {
            "AccessToken": self._pools.signing_key(pool, is_access=True).sign(claims),
            "ExpiresIn": client.validity_s("AccessToken"),
            "TokenType": "Bearer",
        }

    def _begun(self, grant: Grant) -> Grant:
        return replace(
            grant,
            auth_time_s=grant.auth_time_s or self._clock.now_ms() // 1000,
            origin_jti=grant.origin_jti or self._new_jti(),
        )

    async def _signed(self, grant: Grant) -> dict[str, Any]:
        pool, client, user = grant.pool, grant.client, grant.user
        groups = await self._groups.of(pool, user.groups)
        in_groups = token_claims.group_claims(groups)
        told = await self._overrides(grant, in_groups)
        shared = self._shared_claims(grant)
        now_s = shared["iat"]
        access = {
            **shared,
            "client_id": client.id,
            "token_use": "access",
            "scope": "",
            "exp": now_s + client.validity_s("AccessToken"),
            "username": user.name,
        }
        if groups:
            access["cognito:groups"] = in_groups["cognito:groups"]
        if grant.is_hosted:
            access["version"] = 2
        if grant.device_key:
            access["device_key"] = grant.device_key
        access, scopes = _overridden_access(access, grant.scopes, told)
        access["scope"] = " ".join(scopes)
        access_token = self._pools.signing_key(pool, is_access=True).sign(self._own_jti(client, access))
        result = {"AccessToken": access_token, "ExpiresIn": client.validity_s("AccessToken"), "TokenType": "Bearer"}
        if not grant.is_hosted or "openid" in grant.scopes:
            narrowed = grant.scopes if grant.is_hosted and set(grant.scopes) & {"email", "phone", "profile"} else None
            id_claims = {
                **token_claims.profile_claims(client, user, narrowed),
                **in_groups,
                **shared,
                "cognito:username": user.name,
                "aud": client.id,
                "token_use": "id",
                "exp": now_s + client.validity_s("IdToken"),
            }
            if user.identities:
                id_claims["identities"] = [dict(one) for one in user.identities]
            if grant.is_hosted:
                id_claims["at_hash"] = _at_hash(access_token)
            if grant.nonce:
                id_claims["nonce"] = grant.nonce
            id_claims = _overridden_id(id_claims, told)
            result["IdToken"] = self._pools.signing_key(pool, is_access=False).sign(self._own_jti(client, id_claims))
        return result

    def _shared_claims(self, grant: Grant) -> dict[str, Any]:
        now_s = self._clock.now_ms() // 1000
        claims: dict[str, Any] = {"sub": grant.user.sub, "iss": self._pools.issuer(grant.pool)}
        if grant.client.revokes_tokens:
            claims["origin_jti"] = grant.origin_jti
        return {**claims, "event_id": random_uuid(), "auth_time": grant.auth_time_s, "iat": now_s}

    def _own_jti(self, client: AppClient, claims: dict[str, Any]) -> dict[str, Any]:
        return {**claims, "jti": self._new_jti()} if client.revokes_tokens else claims

    async def _overrides(self, grant: Grant, in_groups: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """Ask the trigger; gives the version of its answer (V1 or later) and its details."""
        version = grant.pool.lambda_config.get("PreTokenGenerationConfig", {}).get("LambdaVersion", "V1_0")
        request: dict[str, Any] = {
            "userAttributes": user_attributes(grant.user),
            "groupConfiguration": {
                "groupsToOverride": in_groups.get("cognito:groups", []),
                "iamRolesToOverride": in_groups.get("cognito:roles", []),
                "preferredRole": in_groups.get("cognito:preferred_role"),
            },
        }
        member = "claimsOverrideDetails" if version == "V1_0" else "claimsAndScopeOverrideDetails"
        if version != "V1_0":
            request["scopes"] = list(grant.scopes)
        if grant.client_metadata:
            request["clientMetadata"] = dict(grant.client_metadata)
        answer = await self._triggers.fire(
            grant.pool,
            "PreTokenGeneration",
            grant.source,
            user_name=grant.user.name,
            client_id=grant.client.id,
            request=request,
            response={member: None},
        )
        told = answer.get(member)
        return version, told if isinstance(told, Mapping) else {}

    def _refresh_token(self, grant: Grant, *, expires_at_ms: int) -> str:
        content = {
            "pool_id": grant.pool.id,
            "client_id": grant.client.id,
            "user_name": grant.user.name,
            "sub": grant.user.sub,
            "jti": self._new_jti(),
            "origin_jti": grant.origin_jti,
            "auth_time_s": grant.auth_time_s,
            "made_at_ms": self._clock.now_ms(),
            "expires_at_ms": expires_at_ms,
            "scopes": list(grant.scopes),
            "is_hosted": grant.is_hosted,
            "device_key": grant.device_key,
        }
        return base64.urlsafe_b64encode(self._seal.seal(orjson.dumps(content), purpose=_REFRESH)).decode().rstrip("=")

    def _new_jti(self) -> str:
        return f"{random_uuid()[:24]}{self._clock.now_ms() & 0xFFFFFFFFFFFF:012x}"

    # --- refreshing --------------------------------------------------------------------------------------------

    def read_refresh_token(self, text: str) -> RefreshToken | None:
        """Give what a refresh token says, or None when it is not one of ours."""
        if not text or len(text) > REFRESH_CHARACTERS_MAX or "=" in text:
            return None
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            return RefreshToken(**orjson.loads(self._seal.open(sealed, purpose=_REFRESH)))
        except (NotSealed, ValueError, binascii.Error, TypeError):
            return None

    async def check_refresh_token(self, text: str, client: AppClient) -> tuple[RefreshToken, UserPool, User]:
        """Give what a refresh token of this client stands for. Raises: NotAuthorizedException, RefreshTokenReuse…."""
        token = self.read_refresh_token(text)
        if token is None or token.client_id != client.id or token.made_at_ms < client.created_at_ms:
            raise NotAuthorizedException("Invalid Refresh Token")
        pool = self._pools.find(token.pool_id)
        if pool is None:
            raise NotAuthorizedException("Invalid Refresh Token")
        now_ms = self._clock.now_ms()
        if token.expires_at_ms <= now_ms:
            raise NotAuthorizedException("Refresh Token has expired")
        held = await self._users.by_name(pool, token.user_name)
        if held is None or held.user.sub != token.sub:
            raise NotAuthorizedException("Invalid Refresh Token")
        if not held.user.is_enabled:
            raise NotAuthorizedException("User is disabled.")
        is_revoked = self._revocations.is_revoked(pool, token.origin_jti)
        if is_revoked or token.made_at_ms <= held.user.signed_out_at_ms:
            raise NotAuthorizedException("Refresh Token has been revoked")
        self._check_rotation(token, pool, client)
        return token, pool, held.user

    def _check_rotation(self, token: RefreshToken, pool: UserPool, client: AppClient) -> None:
        replaced_at_ms = self._revocations.replaced_at_ms(pool, token.jti)
        if replaced_at_ms is not None and self._clock.now_ms() >= replaced_at_ms + client.rotation_grace_s * 1000:
            raise RefreshTokenReuseException("Refresh Token has been invalidated by rotation")

    async def refresh(
        self, text: str, client: AppClient, *, device_key: str = "", client_metadata: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Make new tokens of a refresh token: AWS's AuthenticationResult, with a new refresh token where they rotate.

        Raises: NotAuthorizedException, RefreshTokenReuseException, and what the trigger raises.
        """
        token, pool, user = await self.check_refresh_token(text, client)
        if token.device_key and token.device_key != device_key:
            raise NotAuthorizedException("Invalid Refresh Token")  # it was given to a device, and is good there only
        if token.device_key and user.device(token.device_key) is None:
            raise NotAuthorizedException("Device does not exist.")
        grant = Grant(
            pool,
            client,
            user,
            source="TokenGeneration_RefreshTokens",
            auth_time_s=token.auth_time_s,
            origin_jti=token.origin_jti,
            scopes=token.scopes,
            is_hosted=token.is_hosted,
            device_key=token.device_key,
            client_metadata=client_metadata or {},
        )
        result = await self._signed(grant)
        if client.rotates_refresh_tokens:
            self._check_rotation(token, pool, client)  # it may have been used again while the trigger was asked
            await self._revocations.replace_refresh_token(pool, token.jti, expires_at_ms=token.expires_at_ms)
            result["RefreshToken"] = self._refresh_token(grant, expires_at_ms=token.expires_at_ms)
        return result

    # --- revoking ----------------------------------------------------------------------------------------------

    async def revoke(self, text: str, client: AppClient) -> None:
        """Revoke a refresh token with all access tokens that came of it; one that has expired is fine.

        Raises: UnsupportedTokenTypeException, UnauthorizedException, UnsupportedOperationException.
        """
        token = self.read_refresh_token(text)
        if token is None:
            raise UnsupportedTokenTypeException("Unsupported token type")
        if not client.revokes_tokens:
            raise UnsupportedOperationException("Token revocation is not enabled for this client")
        pool = self._pools.find(token.pool_id)
        if token.client_id != client.id or pool is None:
            return  # a client learns nothing of other clients' tokens
        expires_at_ms = max(token.expires_at_ms, self._clock.now_ms() + client.validity_s("AccessToken") * 1000)
        await self._revocations.revoke_session(pool, token.origin_jti, expires_at_ms=expires_at_ms)

    async def sign_out_everywhere(self, pool: UserPool, user_name: str) -> None:
        """End every token that a user has. Raises: UserNotFoundException."""
        now_ms = self._clock.now_ms()
        user = await self._users.change(pool, user_name, lambda user: replace(user, signed_out_at_ms=now_ms))
        await self._revocations.sign_out(pool, user.sub)

    async def forget(self, pool: UserPool, sub: str) -> None:
        """Tell the gateway that a user is gone."""
        await self._revocations.sign_out(pool, sub)


def made_at_ms(claims: Mapping[str, Any]) -> int:
    """Give when a token was made, by its `jti`; without one by the end of the second that `iat` names."""
    jti = claims.get("jti")
    try:
        return int(str(jti)[-12:], 16) if jti else int(claims["iat"]) * 1000 + 999
    except ValueError:
        return int(claims["iat"]) * 1000


def _at_hash(access_token: str) -> str:
    digest = hashlib.sha256(access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def _overridden_access(
    claims: dict[str, Any], scopes: Sequence[str], told: tuple[str, Mapping[str, Any]]
) -> tuple[dict[str, Any], list[str]]:
    version, details = told
    override = details.get("groupOverrideDetails")
    if isinstance(override, Mapping) and "groupsToOverride" in override:
        only_groups = {"groupsToOverride": override["groupsToOverride"]}
        claims = token_claims.with_group_override(claims, only_groups)
    if version == "V1_0":
        return claims, list(scopes)
    generation = details.get("accessTokenGeneration")
    claims = token_claims.with_claims(claims, generation, reserved=token_claims.ACCESS_RESERVED, texts_only=False)
    return claims, token_claims.with_scopes(scopes, generation)


def _overridden_id(claims: dict[str, Any], told: tuple[str, Mapping[str, Any]]) -> dict[str, Any]:
    version, details = told
    claims = token_claims.with_group_override(claims, details.get("groupOverrideDetails"))
    generation = details if version == "V1_0" else details.get("idTokenGeneration")
    return token_claims.with_claims(
        claims, generation, reserved=token_claims.ID_RESERVED | {"aud"}, texts_only=version == "V1_0"
    )
