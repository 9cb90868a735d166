"""The endpoints that apps call themselves: `/oauth2/token`, `/oauth2/revoke`, `/oauth2/userInfo`.

Pages of every origin may call them: they know a caller by a secret, a code or a token, never by a cookie.

Sources: https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html , revocation-endpoint.html,
userinfo-endpoint.html. Errors are RFC 6749's, section 5.2, all with status 400, as Cognito answers (`invalid_client`
too).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError
from gatepost.services.cognito_idp import claims as token_claims
from gatepost.services.cognito_idp.client_operations import STANDARD_SCOPES
from gatepost.services.cognito_idp.errors import (
    NotAuthorizedException,
    UnsupportedOperationException,
    UnsupportedTokenTypeException,
)
from gatepost.services.cognito_idp.hosted.answers import OAuthRefusal, done, tokens
from gatepost.services.cognito_idp.hosted.authorization_codes import AuthorizationCodes, CodeGrant, verifies
from gatepost.services.cognito_idp.hosted.client_proofs import proven_client
from gatepost.services.cognito_idp.hosted.paces import AddressPace
from gatepost.services.cognito_idp.hosted.visits import Visit
from gatepost.services.cognito_idp.pool import AppClient
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.revocations import Revocations
from gatepost.services.cognito_idp.signed_in import AccessTokens
from gatepost.services.cognito_idp.tokens import Grant, Tokens
from gatepost.services.cognito_idp.users import Users
from gatepost.wire.messages import Response

WRONG_PROOFS_PER_MINUTE_MAX: Final = 100
METADATA_CHARACTERS_MAX: Final = 8_192
_MEMBERS: Final = {
    "IdToken": "id_token",
    "AccessToken": "access_token",
    "RefreshToken": "refresh_token",
    "ExpiresIn": "expires_in",
    "TokenType": "token_type",
}


def told(result: Mapping[str, Any]) -> dict[str, Any]:
    """Give AWS's AuthenticationResult as OAuth names its members."""
    return {name: result[member] for member, name in _MEMBERS.items() if member in result}


class TokenEndpoint:
    """Gives tokens for codes, refresh tokens and clients' own credentials; takes them back; says whose they are."""

    def __init__(
        self,
        pools: Pools,
        users: Users,
        tokens: Tokens,
        access_tokens: AccessTokens,
        revocations: Revocations,
        codes: AuthorizationCodes,
        clock: Clock,
    ) -> None:
        self._pools = pools
        self._users = users
        self._tokens = tokens
        self._access_tokens = access_tokens
        self._revocations = revocations
        self._codes = codes
        self._pace = AddressPace(clock, count_max=WRONG_PROOFS_PER_MINUTE_MAX)
        self._clock = clock

    async def token(self, visit: Visit) -> Response:
        """Answer `POST /oauth2/token`. Raises: OAuthRefusal."""
        _only_post(visit)
        grant_type = visit.form.get("grant_type", "")
        if not grant_type:
            raise OAuthRefusal("invalid_request", "grant_type is missing")
        client = proven_client(self._pools, visit, self._pace)
        try:
            match grant_type:
                case "authorization_code":
                    return tokens(await self._for_code(visit, client))
                case "refresh_token":
                    return tokens(await self._for_refresh_token(visit, client))
                case "client_credentials":
                    return tokens(await self._for_itself(visit, client))
        except ServiceError as error:  # a trigger refuses, or does not work
            raise OAuthRefusal("invalid_grant", error.message) from error
        raise OAuthRefusal("unsupported_grant_type")

    # --- codes -------------------------------------------------------------------------------------------------

    async def _for_code(self, visit: Visit, client: AppClient) -> dict[str, Any]:
        _check_flow(client, "code")
        code, redirect_uri = visit.form.get("code", ""), visit.form.get("redirect_uri", "")
        if not code:
            raise OAuthRefusal("invalid_request", "code is missing")
        grant = self._codes.take(code)
        if grant is None:
            raise OAuthRefusal("invalid_grant")
        if grant.is_used:
            await self._revoke(visit, client, grant)
            raise OAuthRefusal("invalid_grant")
        if grant.client_id != client.id or grant.redirect_uri != redirect_uri:
            raise OAuthRefusal("invalid_grant")
        if not verifies(grant.code_challenge, visit.form.get("code_verifier", "")):
            raise OAuthRefusal("invalid_grant")
        held = await self._users.by_name(visit.pool, grant.user_name)
        if held is None or held.user.sub != grant.sub or not held.user.is_enabled:
            raise OAuthRefusal("invalid_grant")
        result = await self._tokens.issue(
            Grant(
                visit.pool,
                client,
                held.user,
                source="TokenGeneration_HostedAuth",
                auth_time_s=grant.auth_time_s,
                origin_jti=grant.origin_jti,
                scopes=grant.scopes,
                nonce=grant.nonce,
                is_hosted=True,
            )
        )
        if self._revocations.is_revoked(visit.pool, grant.origin_jti):  # the code came again in the meantime
            raise OAuthRefusal("invalid_grant")
        return told(result)

    async def _revoke(self, visit: Visit, client: AppClient, grant: CodeGrant) -> None:
        """Revoke what came of a code that comes for the second time: one of the two who had it is a thief."""
        ends_ms = self._clock.now_ms() + client.validity_s("RefreshToken") * 1000
        await self._revocations.revoke_session(visit.pool, grant.origin_jti, expires_at_ms=ends_ms)

    # --- the others --------------------------------------------------------------------------------------------

    async def _for_refresh_token(self, visit: Visit, client: AppClient) -> dict[str, Any]:
        text = visit.form.get("refresh_token", "")
        if not text:
            raise OAuthRefusal("invalid_request", "refresh_token is missing")
        token = self._tokens.read_refresh_token(text)
        if token is None or token.pool_id != visit.pool.id:
            raise OAuthRefusal("invalid_grant")
        asked = visit.form.get("scope", "").split()
        if any(scope not in token.scopes for scope in asked):
            raise OAuthRefusal("invalid_scope")
        if asked and set(asked) != set(token.scopes):
            raise OAuthRefusal("invalid_scope", "scopes are not narrowed at a refresh: leave scope out")
        try:
            return told(await self._tokens.refresh(text, client))
        except NotAuthorizedException as error:
            raise OAuthRefusal("invalid_grant") from error

    async def _for_itself(self, visit: Visit, client: AppClient) -> dict[str, Any]:
        _check_flow(client, "client_credentials")
        if not client.has_secret:
            raise OAuthRefusal("unauthorized_client")
        allowed = [one for one in client.settings.get("AllowedOAuthScopes") or () if one not in STANDARD_SCOPES]
        scopes = list(dict.fromkeys(visit.form.get("scope", "").split())) or allowed
        if any(scope not in allowed for scope in scopes):
            raise OAuthRefusal("invalid_scope")
        metadata = _metadata(visit.form.get("aws_client_metadata", ""))
        return told(await self._tokens.issue_to_client(visit.pool, client, scopes, metadata))

    async def revoke(self, visit: Visit) -> Response:
        """Answer `POST /oauth2/revoke`: a refresh token, and what came of it. Raises: OAuthRefusal."""
        _only_post(visit)
        text = visit.form.get("token", "")
        if not text:
            raise OAuthRefusal("invalid_request", "token is missing")
        client = proven_client(self._pools, visit, self._pace)
        try:
            await self._tokens.revoke(text, client)
        except UnsupportedTokenTypeException as error:
            raise OAuthRefusal("unsupported_token_type") from error
        except UnsupportedOperationException as error:
            raise OAuthRefusal("invalid_request", error.message) from error
        return done()

    async def user_info(self, visit: Visit) -> Response:
        """Answer `/oauth2/userInfo` by an access token that has the scope `openid`. Raises: OAuthRefusal."""
        kind, _, token = visit.authorization.partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise OAuthRefusal("invalid_request", "Bad OAuth2 request at UserInfo Endpoint")
        try:
            who = await self._access_tokens.read(token.strip(), scope="")
        except NotAuthorizedException as error:
            words = "Access token is expired, disabled, or deleted, or the user has globally signed out."
            raise OAuthRefusal("invalid_token", words, status=401) from error
        scopes = str(who.claims.get("scope", "")).split(" ")
        if who.pool.id != visit.pool.id or "openid" not in scopes:
            raise OAuthRefusal("invalid_token", "The access token is not one of this endpoint's.", status=401)
        narrowed = scopes if set(scopes) & {"email", "phone", "profile"} else None
        shown = token_claims.profile_claims(who.client, who.user, narrowed)
        content = {name: who.user.attributes[name] for name in shown}
        if who.user.identities:
            content["identities"] = json.dumps([dict(one) for one in who.user.identities], separators=(",", ":"))
        return tokens({"sub": who.user.sub, **content, "username": who.user.name})


def _only_post(visit: Visit) -> None:
    if visit.method != "POST":
        raise OAuthRefusal("invalid_request", "use POST", status=405)


def _check_flow(client: AppClient, flow: str) -> None:
    settings = client.settings
    if not settings.get("AllowedOAuthFlowsUserPoolClient") or flow not in (settings.get("AllowedOAuthFlows") or ()):
        raise OAuthRefusal("unauthorized_client")


def _metadata(text: str) -> dict[str, str]:
    """Read `aws_client_metadata`, a JSON object of texts for the pre-token-generation trigger. Raises: OAuthRefusal."""
    if not text:
        return {}
    try:
        found = json.loads(text) if len(text) <= METADATA_CHARACTERS_MAX else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or any(not isinstance(value, str) for value in found.values()):
        raise OAuthRefusal("invalid_request", "aws_client_metadata is a JSON object of texts")
    return found
