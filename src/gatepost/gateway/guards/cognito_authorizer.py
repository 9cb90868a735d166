"""Authorizers of type COGNITO_USER_POOLS: a token of one of the named user pools says who calls.

A method without scopes takes id tokens, one with scopes takes access tokens that have one of them. The token comes in
the header that the authorizer names, with or without `Bearer`. `identityValidationExpression` is matched against the
token's audience: `aud` of an id token, `client_id` of an access token.

| what is wrong | the client gets |
|---|---|
| no token, one that proves nothing or was revoked, one of the wrong kind or without a scope | 401 Unauthorized |
| it has expired | 401 "The incoming token has expired" |
| none of the authorizer's pools exists | 500 AUTHORIZER_CONFIGURATION_ERROR |

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-integrate-with-cognito.html ("If the
OAuth Scopes option isn't specified, API Gateway treats the supplied token as an identity token […]. Otherwise, API
Gateway treats the supplied token as an access token and verifies the access scopes"),
https://repost.aws/knowledge-center/api-gateway-cognito-401-unauthorized. Unverified: how claims become texts (times as
`Tue Nov 24 09:09:21 UTC 2026`, lists divided by commas), and that revoked tokens are refused before they expire.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from gatepost.gateway.authorizer_result import AUTHORIZER, AuthorizerResult, claim_text
from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.guards.authorizer_identity import compile_token_source, compile_validation
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.responses import AUTHORIZER_CONFIGURATION_ERROR, UNAUTHORIZED, Refusal
from gatepost.gateway.route import StageFacts
from gatepost.gateway.user_pools import PoolMissing, UserPools, VerifiedToken
from gatepost.security.jwt import BadToken
from gatepost.services.apigateway.deployment import Authorizer

TOKENS_MAX: Final = 4_096
"""Remembered tokens of one authorizer; the one that was verified first goes first."""
EXPIRED: Final = "The incoming token has expired"
_BEARER: Final = "bearer "
_TIMES: Final = frozenset({"exp", "iat"})


class KnownToken:
    """A token that was verified, and what is told of it. `scopes` is None of an id token."""

    __slots__ = ("expires_at_ms", "result", "scopes", "verified")

    def __init__(self, verified: VerifiedToken, scopes: frozenset[str] | None, result: AuthorizerResult) -> None:
        self.verified = verified
        self.scopes = scopes
        self.result = result
        self.expires_at_ms = verified.token.expires_at_s * 1000


class CognitoAuthorizer:
    """One authorizer of one stage."""

    def __init__(self, declared: Authorizer, stage: StageFacts, pools: UserPools) -> None:
        """Compile what is declared. Raises: MappingError when it cannot work."""
        if not declared.provider_arns:
            raise MappingError(f"authorizer {declared.name} names no user pool")
        self.id = declared.id
        self.name = declared.name
        self._pools = pools
        self._arns = declared.provider_arns
        self._source = compile_token_source(declared.identity_source, stage)
        self._is_audience: Callable[[str], bool] | None = compile_validation(declared.identity_validation_expression)
        self._known: dict[str, KnownToken] = {}

    def authenticate(self, exchange: Exchange) -> KnownToken:
        """Find and verify the request's token; a connection that repeats its header lines repeats its token.

        Raises: Refusal.
        """
        block = exchange.request.block
        if block is not None and block.known is not None:
            seen = block.known.get(self)
            if isinstance(seen, KnownToken) and self._is_good(seen, exchange):
                return seen
        known = self._find(exchange)
        if block is not None:
            block.remember(self, known)
        return known

    def _is_good(self, known: KnownToken, exchange: Exchange) -> bool:
        return exchange.time_ms < known.expires_at_ms and self._pools.is_current(known.verified)

    def _find(self, exchange: Exchange) -> KnownToken:
        token = self._source(exchange)
        if not token:
            raise Refusal(UNAUTHORIZED, detail="the token is missing or empty")
        if token[: len(_BEARER)].lower() == _BEARER:
            token = token[len(_BEARER) :].strip()
        known = self._known.get(token)
        if known is not None:
            if self._is_good(known, exchange):
                return known
            del self._known[token]
        return self._verify(token)

    def _verify(self, token: str) -> KnownToken:
        try:
            verified = self._pools.verify(self._arns, token)
        except BadToken as bad:
            message = EXPIRED if bad.reason == "expired" else None
            raise Refusal(UNAUTHORIZED, message=message, detail=f"{bad.reason}: {bad}") from None
        except PoolMissing as missing:
            raise Refusal(AUTHORIZER_CONFIGURATION_ERROR, detail=str(missing)) from missing
        if not self._pools.is_current(verified):
            raise Refusal(UNAUTHORIZED, detail="the token was revoked")
        claims = verified.token.claims
        scopes = _scopes(claims)
        audience = claims.get("aud" if scopes is None else "client_id")
        if self._is_audience is not None and not (isinstance(audience, str) and self._is_audience(audience)):
            raise Refusal(UNAUTHORIZED, detail="the audience does not match identityValidationExpression")
        known = KnownToken(verified, scopes, AuthorizerResult(self.id, claims=claim_texts(claims)))
        if len(self._known) >= TOKENS_MAX:
            del self._known[next(iter(self._known))]
        self._known[token] = known
        return known

    def __repr__(self) -> str:
        return f"COGNITO_USER_POOLS {self.name}, {', '.join(self._arns)}"


def _scopes(claims: Mapping[str, Any]) -> frozenset[str] | None:
    """Give an access token's scopes; None: an id token. Raises: Refusal for any other token."""
    use = claims.get("token_use")
    if use == "id":
        return None
    if use != "access":
        raise Refusal(UNAUTHORIZED, detail="the token is neither an id nor an access token")
    scope = claims.get("scope", "")
    return frozenset(scope.split()) if isinstance(scope, str) else frozenset()


def claim_texts(claims: Mapping[str, Any]) -> dict[str, str]:
    """Give claims as `$context.authorizer.claims` has them."""
    return {name: _claim_text(name, value) for name, value in claims.items()}


def _claim_text(name: str, value: Any) -> str:
    if name in _TIMES and isinstance(value, int | float):
        return f"{datetime.fromtimestamp(value, UTC):%a %b %d %H:%M:%S UTC %Y}"
    if isinstance(value, list):
        return ",".join(claim_text(each) for each in value)
    return claim_text(value)


class CognitoAuthorizerGuard:
    """Refuse a caller without a token of the method's kind; write its claims."""

    needs: ClassVar[Facts] = NO_FACTS
    writes: ClassVar[Facts] = frozenset({AUTHORIZER})

    def __init__(self, authorizer: CognitoAuthorizer, scopes: tuple[str, ...]) -> None:
        self._authorizer = authorizer
        self._scopes = frozenset(scopes)

    def check(self, exchange: Exchange) -> None:
        """Verify the token. Raises: Refusal."""
        known = self._authorizer.authenticate(exchange)
        if self._scopes:
            if known.scopes is None:
                raise Refusal(UNAUTHORIZED, detail="the method has scopes: it takes access tokens, not id tokens")
            if self._scopes.isdisjoint(known.scopes):
                raise Refusal(
                    UNAUTHORIZED, detail=f"the token has none of the scopes {', '.join(sorted(self._scopes))}"
                )
        elif known.scopes is not None:
            raise Refusal(UNAUTHORIZED, detail="the method has no scopes: it takes id tokens, not access tokens")
        exchange.write(AUTHORIZER, known.result)
        exchange.decide(self, known.result)

    def __repr__(self) -> str:
        scopes = f", scopes {' '.join(sorted(self._scopes))}" if self._scopes else ""
        return f"CognitoAuthorizerGuard({self._authorizer!r}{scopes})"
