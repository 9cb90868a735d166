"""Logins: what a caller shows to be somebody. Each is a token that is verified before a claim of it is believed.

A login is good when, in this order: its name is a provider of the pool; it is a JWT of that provider's issuer, by a
key that the issuer published, in its time; it is an id token; and its audience is an app client that the pool names
with the provider. Where the pool says ServerSideTokenCheck, the user pool is asked too: the user is there, enabled,
and has not signed out everywhere since.

Sources: https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetId.html ,
https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_CognitoIdentityProvider.html. Words: unverified.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.ports import SignedInUsers, TokenIssuers
from gatepost.security.jwt import BadKey, BadToken, Verifier, unverified_claims, verifying_keys
from gatepost.services.cognito_identity.errors import NotAuthorizedException
from gatepost.services.cognito_identity.model import IdentityPool
from gatepost.services.cognito_identity.tokens import TAGS_CLAIM, IdentityTokens

USER_POOL: Final = re.compile(
    r"cognito-idp\.[a-z0-9-]{1,32}\.amazonaws\.com/([a-z0-9-]{1,32}_[0-9A-Za-z]{1,45})", re.ASCII
)
VERIFIERS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Login:
    """A login that was verified. `client_id` is empty for tokens of the pool's own."""

    provider: str
    user: str
    client_id: str
    claims: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        """Give what an identity is found by."""
        return self.provider, self.user


class Logins:
    """Verifies logins."""

    def __init__(self, issuers: TokenIssuers, users: SignedInUsers, tokens: IdentityTokens, clock: Clock) -> None:
        self._issuers = issuers
        self._users = users
        self._tokens = tokens
        self._clock = clock
        self._verifiers: dict[str, tuple[object, Verifier]] = {}

    async def verified(self, pool: IdentityPool, given: Mapping[str, str]) -> list[Login]:
        """Verify logins of providers, each of them. Raises: NotAuthorizedException."""
        return [await self._user_pool_login(pool, provider, token) for provider, token in sorted(given.items())]

    def own_identity(self, pool: IdentityPool, identity_id: str, token: str) -> list[str]:
        """Verify a token that the pool issued itself for a developer's user; give its `amr`.

        Raises: NotAuthorizedException.
        """
        claims = self._claims(self._tokens.verifier, token)
        amr = claims.get("amr")
        if claims.get("sub") != identity_id or claims.get("aud") != pool.id or not isinstance(amr, list):
            raise NotAuthorizedException("Invalid login token. Token is not for this identity.")
        if "authenticated" not in amr:
            raise NotAuthorizedException("Invalid login token. Token is that of an unauthenticated identity.")
        return [str(one) for one in amr]

    def own_tags(self, token: str) -> dict[str, str]:
        """Give the principal tags of a token that `own_identity` has verified."""
        told = self._claims(self._tokens.verifier, token).get(TAGS_CLAIM, {})
        return {key: values[0] for key, values in told.get("principal_tags", {}).items()}

    def own_seconds_left(self, token: str) -> int:
        """Say how long a token that `own_identity` has verified is good: what comes of it ends with it."""
        return int(self._claims(self._tokens.verifier, token)["exp"]) - self._clock.now_ms() // 1000

    def provider_name(self, pool: IdentityPool, given: str) -> str:
        """Give the name under which the pool knows a provider: clients may name a user pool by its issuer here.

        Amplify takes the token's `iss` without its scheme, which is the provider's name on AWS.
        """
        names = dict.fromkeys(str(one["ProviderName"]) for one in pool.user_pool_clients)
        if given in names or "/" not in given:
            return given
        for name in names:
            jwks = self._issuers.keys(f"https://{name}")
            if jwks is not None and str(jwks["issuer"]).partition("://")[2] == given:
                return name
        return given

    async def _user_pool_login(self, pool: IdentityPool, named: str, token: str) -> Login:
        provider = self.provider_name(pool, named)
        clients = {one["ClientId"]: one for one in pool.user_pool_clients if one["ProviderName"] == provider}
        if not clients:
            raise NotAuthorizedException("Token is not from a supported provider of this identity pool.")
        claims = self._claims(self._verifier(provider, token), token)
        if claims.get("token_use") != "id":
            raise NotAuthorizedException("Invalid login token. Missing a required claim: aud")
        client = clients.get(str(claims.get("aud")))
        if client is None:
            raise NotAuthorizedException("Invalid login token. Incorrect token audience.")
        sub = claims.get("sub")
        if not isinstance(sub, str) or not sub:
            raise NotAuthorizedException("Invalid login token. Missing a required claim: sub")
        if client.get("ServerSideTokenCheck") and not await self._users.is_signed_in(claims):
            raise NotAuthorizedException("Invalid login token. Token is revoked or its user is disabled.")
        return Login(provider, sub, str(claims["aud"]), claims)

    def _verifier(self, provider: str, token: str) -> Verifier:
        jwks = self._issuers.keys(f"https://{provider}")
        if jwks is None:
            raise NotAuthorizedException("Invalid login token. Can't retrieve the provider's keys.")
        try:
            if unverified_claims(token).get("iss") != jwks["issuer"]:
                raise NotAuthorizedException("Invalid login token. Issuer doesn't match providerName")
        except BadToken as bad:
            raise NotAuthorizedException("Invalid login token. Not a valid OpenId Connect identity token.") from bad
        held = self._verifiers.get(provider)
        kids = tuple(sorted(str(key["kid"]) for key in jwks["keys"]))
        if held is not None and held[0] == (jwks["issuer"], kids):
            return held[1]
        try:
            made = Verifier(str(jwks["issuer"]), verifying_keys(jwks), self._clock)
        except BadKey as bad:
            raise NotAuthorizedException("Invalid login token. Couldn't verify signed token.") from bad
        if len(self._verifiers) >= VERIFIERS_MAX:
            del self._verifiers[next(iter(self._verifiers))]
        self._verifiers[provider] = ((jwks["issuer"], kids), made)
        return made

    @staticmethod
    def _claims(verifier: Verifier, token: str) -> Mapping[str, Any]:
        try:
            return verifier.verify(token).claims
        except BadToken as bad:
            words = {
                "expired": "Token expired",
                "malformed": "Not a valid OpenId Connect identity token.",
                "issuer": "Issuer doesn't match providerName",
            }
            said = words.get(bad.reason, "Couldn't verify signed token.")
            raise NotAuthorizedException(f"Invalid login token. {said}", detail=str(bad)) from bad


def amr_of(pool: IdentityPool, logins: list[Login], developer_user: str = "") -> list[str]:
    """Give the `amr` of a token: `unauthenticated`, or `authenticated` with providers and users.

    https://docs.aws.amazon.com/cognito/latest/developerguide/role-trust-and-permissions.html
    """
    found = ["authenticated"] if logins or developer_user else ["unauthenticated"]
    for login in logins:
        found += [login.provider, f"{login.provider}:CognitoSignIn:{login.user}"]
    if developer_user:
        name = pool.developer_provider
        found += [name, f"{name}:{pool.region}:{pool.id}:{developer_user}"]
    return found
