"""AssumeRoleWithWebIdentity: credentials of a role for whoever holds a token of a user pool that the account trusts.

The request is not signed. In order: the token's form and issuer; a provider of that issuer in the role's account;
signature and times; the audience, which has to be one of the provider's client ids; the role's trust policy, which sees
the provider as Federated principal and the condition keys `{provider}:aud`, `{provider}:sub` and `{provider}:amr`.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html. Words: unverified.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Call
from gatepost.kernel.ports import TokenIssuers
from gatepost.languages.iam_policy import CompiledPolicies, PolicyError
from gatepost.languages.iam_policy_evaluation import Policies, Question, decide
from gatepost.languages.iam_policy_patterns import KeyValue
from gatepost.languages.iam_policy_principals import Subject
from gatepost.security.jwt import BadKey, BadToken, Verifier, unverified_claims, verifying_keys
from gatepost.services.sts.errors import ExpiredTokenException, InvalidIdentityTokenException
from gatepost.services.sts.roles import AssumableRole

ACTION: Final = "sts:AssumeRoleWithWebIdentity"
REFUSED: Final = f"Not authorized to perform {ACTION}"


class OidcProviderFacts(Protocol):
    """What is asked of a provider (`services.iam.model.OidcProvider`)."""

    @property
    def arn(self) -> str:
        """Give its ARN."""
        ...

    @property
    def name(self) -> str:
        """Give its URL without scheme, as condition keys begin."""
        ...

    @property
    def url(self) -> str:
        """Give its URL."""
        ...

    @property
    def client_ids(self) -> tuple[str, ...]:
        """Give the audiences that are taken."""
        ...


class OidcProviders(Protocol):
    """Finds providers (`services.iam.directory.Directory`)."""

    def oidc_providers(self, account_id: str) -> Sequence[OidcProviderFacts]:
        """Give an account's providers."""
        ...


class WebIdentities:
    """Verifies tokens, and asks trust policies about them."""

    def __init__(self, providers: OidcProviders, issuers: TokenIssuers, clock: Clock) -> None:
        self._providers = providers
        self._issuers = issuers
        self._clock = clock
        self._compiled = CompiledPolicies(256)

    def verify(self, role: AssumableRole, token: str) -> tuple[OidcProviderFacts, Mapping[str, Any]]:
        """Give the provider and the claims of a token. Raises: InvalidIdentityToken, ExpiredTokenException."""
        try:
            issuer = str(unverified_claims(token).get("iss", ""))
        except BadToken as bad:
            raise InvalidIdentityTokenException("The token that was passed is not a valid JWT.") from bad
        found = self._provider_of(role.account_id, issuer)
        if found is None:
            raise InvalidIdentityTokenException(f"No OpenIDConnect provider found in your account for {issuer[:256]}")
        provider, jwks = found
        try:
            claims = Verifier(str(jwks["issuer"]), verifying_keys(jwks), self._clock, kept_max=1).verify(token).claims
        except BadToken as bad:
            if bad.reason == "expired":
                raise ExpiredTokenException("Token expired: the token's exp is over") from bad
            raise InvalidIdentityTokenException("Couldn't verify the token's signature, issuer or times.") from bad
        except BadKey as bad:
            raise InvalidIdentityTokenException("The issuer has no keys that can be used.") from bad
        if audience_of(claims) not in provider.client_ids:
            raise InvalidIdentityTokenException("Incorrect token audience")
        if not isinstance(claims.get("sub"), str):
            raise InvalidIdentityTokenException("The token has no sub")
        return provider, claims

    def _provider_of(self, account_id: str, issuer: str) -> tuple[OidcProviderFacts, Mapping[str, Any]] | None:
        """Find an account's provider whose user pool issues tokens as `issuer`, with the pool's keys."""
        for provider in self._providers.oidc_providers(account_id):
            jwks = self._issuers.keys(provider.url)
            if jwks is not None and jwks["issuer"] == issuer:
                return provider, jwks
        return None

    def check_trust(
        self, call: Call, role: AssumableRole, provider: OidcProviderFacts, claims: Mapping[str, Any], session_name: str
    ) -> None:
        """Ask the role's trust policy. Raises: AccessDenied."""
        prefix = provider.name.lower()
        keys: dict[str, KeyValue] = {
            f"{prefix}:aud": audience_of(claims),
            f"{prefix}:sub": str(claims["sub"]),
            "aws:federatedprovider": provider.arn,
            "aws:sourceip": call.source_ip,
            "aws:securetransport": "true" if call.is_tls else "false",
            "sts:rolesessionname": session_name,
        }
        amr = claims.get("amr")
        if isinstance(amr, list) and all(isinstance(one, str) for one in amr):
            keys[f"{prefix}:amr"] = tuple(amr)
        subject = Subject("web-identity", role.account_id, provider.arn, service=provider.arn)
        question = Question(subject, ACTION, role.arn, role.account_id, keys)
        try:
            trust = self._compiled.get(role.trust_policy, "trust")
        except PolicyError as error:
            raise AccessDeniedException(REFUSED) from error
        if not decide(question, Policies(resource=trust, is_trust=True)).is_allowed:
            raise AccessDeniedException(REFUSED)


def audience_of(claims: Mapping[str, Any]) -> str:
    """Give whom a token is for: `aud`, or `client_id` where an access token has that."""
    audience = claims.get("aud", claims.get("client_id", ""))
    return audience if isinstance(audience, str) else ""
