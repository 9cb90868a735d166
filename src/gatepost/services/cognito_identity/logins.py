"""Logins: what a caller shows to be somebody. Each is a token that is verified before a claim of it is believed.

A login is good when, in this order: its name is a provider of the pool; it is a JWT of that provider's issuer, by a
key that the issuer published, in its time; it is an id token; and its audience is an app client that the pool names
with the provider. A provider is a user pool, or an OpenID Connect provider of the account's in IAM: its URL's host and
path are its name then, and its clients are the audiences that are taken. Where the pool says ServerSideTokenCheck, the
user pool is asked too: the user is there, enabled, and has not signed out everywhere since.

Sources: https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetId.html ,
https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_CognitoIdentityProvider.html. Words: unverified.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.ports import IssuersElsewhere, SignedInUsers, TokenIssuers
from gatepost.security.jwt import (
    BadKey,
    BadToken,
    Verifier,
    header_of,
    segments,
    unverified_claims,
    verifying_keys,
)
from gatepost.services.cognito_identity.errors import (
    ExternalServiceException,
    InvalidParameterException,
    NotAuthorizedException,
)
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


class OidcProviderFacts(Protocol):
    """What is asked of an OpenID Connect provider (`services.iam.model.OidcProvider`)."""

    @property
    def name(self) -> str:
        """Give its URL without scheme."""
        ...

    @property
    def url(self) -> str:
        """Give its URL."""
        ...

    @property
    def client_ids(self) -> tuple[str, ...]:
        """Give the audiences that are taken."""
        ...

    @property
    def account_id(self) -> str:
        """Give whose it is."""
        ...


class OidcProviders(Protocol):
    """Finds providers (`services.iam.directory.Directory`)."""

    def oidc_provider(self, arn: str) -> OidcProviderFacts | None:
        """Give the provider of an ARN."""
        ...


class Logins:
    """Verifies logins."""

    def __init__(
        self,
        issuers: TokenIssuers,
        users: SignedInUsers,
        tokens: IdentityTokens,
        clock: Clock,
        oidc: OidcProviders,
        elsewhere: IssuersElsewhere,
    ) -> None:
        self._oidc = oidc
        self._elsewhere = elsewhere
        self._issuers = issuers
        self._users = users
        self._tokens = tokens
        self._clock = clock
        self._verifiers: dict[str, tuple[object, Verifier]] = {}

    async def verified(self, pool: IdentityPool, given: Mapping[str, str]) -> list[Login]:
        """Verify logins of providers, each of them. Raises: NotAuthorizedException."""
        return [await self._verified(pool, provider, token) for provider, token in sorted(given.items())]

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

    def check_providers(self, pool: IdentityPool) -> None:
        """Check that the OpenID Connect providers of a pool are the account's. Raises: InvalidParameterException."""
        for arn in pool.oidc_providers:
            provider = self._oidc.oidc_provider(arn)
            if provider is None or provider.account_id != pool.account_id:
                raise InvalidParameterException(f"There is no OpenID Connect provider {arn} in this account.")

    async def _oidc_login(self, pool: IdentityPool, named: str, token: str) -> Login | None:
        """Verify a token of an OpenID Connect provider; None: the pool has none of that name."""
        providers = (self._oidc.oidc_provider(arn) for arn in pool.oidc_providers)
        provider = next((one for one in providers if one is not None and one.name == named), None)
        if provider is None:
            return None
        try:
            issuer, kid = str(unverified_claims(token).get("iss")), str(header_of(segments(token)[0])["kid"])
            if issuer.rstrip("/") != provider.url.rstrip("/"):
                raise NotAuthorizedException("Invalid login token. Issuer doesn't match providerName")
            keys = self._issuers.keys(provider.url) or await self._elsewhere.keys(provider.url, kid)
            verifier = Verifier(issuer, verifying_keys(keys), self._clock, kept_max=1)
        except BadToken as bad:
            raise NotAuthorizedException("Invalid login token. Not a valid OpenId Connect identity token.") from bad
        except (BadKey, ServiceUnavailable) as error:
            raise ExternalServiceException(f"{named} does not give its keys.", detail=str(error)) from error
        claims = self._claims(verifier, token)
        audience = claims.get("aud")
        if isinstance(audience, list) and len(audience) == 1:
            audience = audience[0]
        if audience not in provider.client_ids:
            raise NotAuthorizedException("Invalid login token. Incorrect token audience.")
        sub = claims.get("sub")
        if not isinstance(sub, str) or not sub:
            raise NotAuthorizedException("Invalid login token. Missing a required claim: sub")
        return Login(named, sub, str(audience), claims)

    async def _verified(self, pool: IdentityPool, named: str, token: str) -> Login:
        return await self._oidc_login(pool, named, token) or await self._user_pool_login(pool, named, token)

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
        how = "CognitoSignIn" if USER_POOL.fullmatch(login.provider) else "OIDC"  # the latter is unverified
        found += [login.provider, f"{login.provider}:{how}:{login.user}"]
    if developer_user:
        name = pool.developer_provider
        found += [name, f"{name}:{pool.region}:{pool.id}:{developer_user}"]
    return found
