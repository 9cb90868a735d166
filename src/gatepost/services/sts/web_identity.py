"""AssumeRoleWithWebIdentity: credentials of a role for whoever holds a token of an issuer that it trusts.

The request is not signed. In order: the token's form and issuer; a provider of that issuer in the role's account;
signature and times; the audience, which has to be one of the provider's client ids; the role's trust policy, which sees
the provider as Federated principal and the condition keys `{provider}:aud`, `{provider}:sub` and `{provider}:amr`. The
session's own policies see these keys as well. Tags in the token need the trust policy's leave for sts:TagSession.

Identity pools (`cognito-identity.amazonaws.com`) are a provider in every account, whose audiences are pools' ids.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html. Words: unverified.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import AccessDeniedException, ServiceUnavailable
from gatepost.kernel.operations import Call, tag_context
from gatepost.kernel.ports import IssuersElsewhere, TokenIssuers
from gatepost.languages.iam_policy import CompiledPolicies, PolicyError
from gatepost.languages.iam_policy_evaluation import Policies, Question, decide
from gatepost.languages.iam_policy_patterns import KeyValue
from gatepost.languages.iam_policy_principals import Subject
from gatepost.security.jwt import BadKey, BadToken, Verifier, header_of, segments, unverified_claims, verifying_keys
from gatepost.services.sts.errors import (
    ExpiredTokenException,
    IDPCommunicationErrorException,
    InvalidIdentityTokenException,
)
from gatepost.services.sts.roles import AssumableRole

ACTION: Final = "sts:AssumeRoleWithWebIdentity"
TAG_ACTION: Final = "sts:TagSession"
IDENTITY_POOLS: Final = "cognito-identity.amazonaws.com"
"""The provider of identity pools' tokens: every account has it, and trust policies name the pool as `aud`."""
TAGS_CLAIM: Final = "https://aws.amazon.com/tags"
TAGS_MAX: Final = 50
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


@dataclass(frozen=True, slots=True)
class _IdentityPools:
    """The built-in provider."""

    arn: str = IDENTITY_POOLS
    name: str = IDENTITY_POOLS
    url: str = f"https://{IDENTITY_POOLS}"
    client_ids: tuple[str, ...] = ()


class WebIdentities:
    """Verifies tokens, and asks trust policies about them."""

    def __init__(
        self,
        providers: OidcProviders,
        issuers: TokenIssuers,
        clock: Clock,
        elsewhere: IssuersElsewhere | None = None,
    ) -> None:
        """Take where providers are found, and issuers' keys; without `elsewhere` those of the platform only."""
        self._providers = providers
        self._issuers = issuers
        self._elsewhere = elsewhere
        self._clock = clock
        self._compiled = CompiledPolicies(256)

    async def verify(self, role: AssumableRole, token: str) -> tuple[OidcProviderFacts, Mapping[str, Any]]:
        """Give the provider and the claims of a token.

        Raises: InvalidIdentityToken, ExpiredTokenException, IDPCommunicationError.
        """
        try:
            issuer = str(unverified_claims(token).get("iss", ""))
        except BadToken as bad:
            raise InvalidIdentityTokenException("The token that was passed is not a valid JWT.") from bad
        found = self._provider_of(role.account_id, issuer) or await self._elsewhere_of(role.account_id, issuer, token)
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
        if provider.name != IDENTITY_POOLS and audience_of(claims) not in provider.client_ids:
            raise InvalidIdentityTokenException("Incorrect token audience")
        if not isinstance(claims.get("sub"), str):
            raise InvalidIdentityTokenException("The token has no sub")
        return provider, claims

    def _provider_of(self, account_id: str, issuer: str) -> tuple[OidcProviderFacts, Mapping[str, Any]] | None:
        """Find an account's provider whose user pool issues tokens as `issuer`, with the pool's keys."""
        pools = _IdentityPools()
        if issuer == pools.url:
            jwks = self._issuers.keys(issuer)
            return (pools, jwks) if jwks is not None else None
        for provider in self._providers.oidc_providers(account_id):
            jwks = self._issuers.keys(provider.url)
            if jwks is not None and jwks["issuer"] == issuer:
                return provider, jwks
        return None

    async def _elsewhere_of(
        self, account_id: str, issuer: str, token: str
    ) -> tuple[OidcProviderFacts, Mapping[str, Any]] | None:
        """Find an account's provider that is an issuer elsewhere, with its keys. Raises: IDPCommunicationError."""
        for provider in self._providers.oidc_providers(account_id) if self._elsewhere is not None else ():
            if provider.url.rstrip("/") != issuer.rstrip("/") or self._issuers.keys(provider.url) is not None:
                continue
            try:
                kid = str(header_of(segments(token)[0])["kid"])
                assert self._elsewhere is not None
                return provider, {**await self._elsewhere.keys(provider.url, kid), "issuer": issuer}
            except BadToken as bad:
                raise InvalidIdentityTokenException("The token that was passed is not a valid JWT.") from bad
            except ServiceUnavailable as error:
                raise IDPCommunicationErrorException(
                    "Couldn't retrieve verification key from your identity provider, please reference "
                    "AssumeRoleWithWebIdentity documentation for requirements",
                    detail=error.message,
                ) from error
        return None

    def check_trust(
        self, call: Call, role: AssumableRole, provider: OidcProviderFacts, claims: Mapping[str, Any], session_name: str
    ) -> None:
        """Ask the role's trust policy. Raises: AccessDenied, InvalidIdentityToken."""
        tags, transitive = tags_of(claims)
        keys: dict[str, KeyValue] = {
            **dict(provider_keys(provider, claims)),
            "aws:federatedprovider": provider.arn,
            "aws:sourceip": call.source_ip,
            "aws:securetransport": "true" if call.is_tls else "false",
            "sts:rolesessionname": session_name,
            **tag_context(tags),
        }
        if transitive:
            keys["sts:transitivetagkeys"] = transitive
        subject = Subject("web-identity", role.account_id, provider.arn, service=provider.arn)
        try:
            trust = self._compiled.get(role.trust_policy, "trust")
        except PolicyError as error:
            raise AccessDeniedException(REFUSED) from error
        for action in (ACTION, TAG_ACTION) if tags else (ACTION,):
            question = Question(subject, action, role.arn, role.account_id, keys)
            if not decide(question, Policies(resource=trust, is_trust=True)).is_allowed:
                raise AccessDeniedException(f"Not authorized to perform {action}")


def provider_keys(
    provider: OidcProviderFacts, claims: Mapping[str, Any]
) -> tuple[tuple[str, str | tuple[str, ...]], ...]:
    """Give the condition keys that a provider's token fills: audience, subject, and `amr` where it has one."""
    prefix = provider.name.lower()
    found: list[tuple[str, str | tuple[str, ...]]] = [
        (f"{prefix}:aud", audience_of(claims)),
        (f"{prefix}:sub", str(claims["sub"])),
    ]
    amr = claims.get("amr")
    if isinstance(amr, list) and all(isinstance(one, str) for one in amr):
        found.append((f"{prefix}:amr", tuple(amr)))
    return tuple(found)


def audience_of(claims: Mapping[str, Any]) -> str:
    """Give whom a token is for, its `aud`. Access tokens of user pools have none: APIs that get them become nobody.

    Of several it is `azp`, the party that the token was made for; several without one are nobody.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
    """
    audience = claims.get("aud", "")
    if isinstance(audience, list) and audience and all(isinstance(one, str) for one in audience):
        party = audience[0] if len(audience) == 1 else claims.get("azp", "")
        return party if isinstance(party, str) else ""
    return audience if isinstance(audience, str) else ""


def tags_of(claims: Mapping[str, Any]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Give the session tags in a token, and which of them go on in chains.

    Raises: InvalidIdentityToken when they are not as AWS has them.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_adding-assume-role-idp
    """
    told = claims.get(TAGS_CLAIM)
    if told is None:
        return (), ()
    refusal = InvalidIdentityTokenException(f"The claim {TAGS_CLAIM} is not valid")
    tags = told.get("principal_tags", {}) if isinstance(told, dict) else None
    transitive = told.get("transitive_tag_keys", []) if isinstance(told, dict) else None
    if not isinstance(tags, dict) or not isinstance(transitive, list) or len(tags) > TAGS_MAX:
        raise refusal
    found = []
    for key, values in tags.items():
        if not isinstance(values, list) or len(values) != 1 or not isinstance(values[0], str):
            raise refusal
        if not 0 < len(key) <= 128 or len(values[0]) > 256:
            raise refusal
        found.append((key, values[0]))
    if len({key.lower() for key, _ in found}) != len(found) or any(key not in tags for key in transitive):
        raise refusal
    return tuple(found), tuple(transitive)
