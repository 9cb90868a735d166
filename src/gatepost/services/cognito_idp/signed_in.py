"""Who an access token speaks for: the users' own operations begin here.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatepost.security.jwt import BadToken, unverified_claims
from gatepost.services.cognito_idp.claims import SELF_SERVICE_SCOPE
from gatepost.services.cognito_idp.errors import NotAuthorizedException
from gatepost.services.cognito_idp.pool import AppClient, UserPool
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.revocations import Revocations
from gatepost.services.cognito_idp.tokens import made_at_ms
from gatepost.services.cognito_idp.user import User
from gatepost.services.cognito_idp.users import Users


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user with the pool and the client that the access token came by."""

    pool: UserPool
    client: AppClient
    user: User
    claims: Mapping[str, Any]

    @property
    def device_key(self) -> str:
        """Give the key of the device that the user signed in on, if it is known."""
        return str(self.claims.get("device_key", ""))


class AccessTokens:
    """Verifies access tokens of all pools, revocations included."""

    def __init__(self, pools: Pools, users: Users, revocations: Revocations) -> None:
        self._pools = pools
        self._users = users
        self._revocations = revocations

    async def read(self, token: str, *, scope: str = SELF_SERVICE_SCOPE) -> SignedIn:
        """Give who an access token speaks for, when it has `scope`. Raises: NotAuthorizedException."""
        pool, claims = self._verified(token)
        client = self._pools.client(str(claims.get("client_id", "")))
        if claims.get("token_use") != "access" or client is None or client.pool_id != pool.id:
            raise NotAuthorizedException("Invalid Access Token")
        if made_at_ms(claims) < client.created_at_ms:  # of a client of the same name, which was deleted
            raise NotAuthorizedException("Invalid Access Token")
        held = await self._users.by_name(pool, str(claims.get("username", "")))
        if held is None or held.user.sub != claims.get("sub"):
            raise NotAuthorizedException("Invalid Access Token")
        origin_jti = claims.get("origin_jti", "")
        is_revoked = bool(origin_jti) and self._revocations.is_revoked(pool, str(origin_jti))
        if is_revoked or made_at_ms(claims) <= held.user.signed_out_at_ms:
            raise NotAuthorizedException("Access Token has been revoked")
        if not held.user.is_enabled:
            raise NotAuthorizedException("User is disabled.")
        if scope and scope not in str(claims.get("scope", "")).split(" "):
            raise NotAuthorizedException("Access Token does not have required scopes")
        return SignedIn(pool, client, held.user, claims)

    async def is_signed_in(self, claims: Mapping[str, Any]) -> bool:
        """Say whether a verified token's user is there, enabled, and has not been signed out since."""
        pool = self._pools.by_issuer(str(claims.get("iss", "")))
        name = str(claims.get("cognito:username", claims.get("username", "")))
        held = await self._users.by_name(pool, name) if pool is not None else None
        if pool is None or held is None or held.user.sub != claims.get("sub") or not held.user.is_enabled:
            return False
        origin_jti = claims.get("origin_jti", "")
        is_revoked = bool(origin_jti) and self._revocations.is_revoked(pool, str(origin_jti))
        return not is_revoked and made_at_ms(claims) > held.user.signed_out_at_ms

    def _verified(self, token: str) -> tuple[UserPool, Mapping[str, Any]]:
        try:
            pool = self._pools.by_issuer(str(unverified_claims(token).get("iss", "")))
            if pool is None:
                raise NotAuthorizedException("Invalid Access Token")
            return pool, self._pools.verifier(pool).verify(token).claims
        except BadToken as error:
            words = "Access Token has expired" if error.reason == "expired" else "Invalid Access Token"
            raise NotAuthorizedException(words, detail=str(error)) from error
