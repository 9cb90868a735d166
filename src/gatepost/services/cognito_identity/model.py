"""The records of identity pools: a pool with its roles and mappings, an identity with its logins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

POOL: Final = "identity-pool"  # kinds of records
IDENTITY: Final = "identity-pool-identity"
LOGIN: Final = "identity-pool-login"  # which identity a login belongs to
KEY: Final = "identity-pool-key"  # what the tokens of all pools are signed with, sealed

SEPARATOR: Final = "\x1f"  # in ids of records, between names that may hold any printable character
PROVIDER: Final = "cognito-identity.amazonaws.com"  # the issuer's name in tokens, logins and trust policies
ISSUER: Final = f"https://{PROVIDER}"
DEFAULT_PRINCIPAL_TAGS: Final[Mapping[str, str]] = {"client": "aud", "username": "sub"}


@dataclass(frozen=True, slots=True)
class IdentityPool:
    """A pool. Members of AWS's shapes are kept as AWS spells them."""

    id: str
    account_id: str
    region: str
    name: str
    takes_guests: bool  # AWS: AllowUnauthenticatedIdentities
    allows_classic_flow: bool = False
    developer_provider: str = ""
    user_pool_clients: tuple[Mapping[str, Any], ...] = ()  # AWS: CognitoIdentityProviders
    oidc_providers: tuple[str, ...] = ()  # AWS: OpenIdConnectProviderARNs
    tags: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)  # by `authenticated`, `unauthenticated`
    role_mappings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by provider:client
    principal_tags: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by provider

    @property
    def arn(self) -> str:
        """Give the pool's ARN."""
        return f"arn:aws:cognito-identity:{self.region}:{self.account_id}:identitypool/{self.id}"

    def tag_claims(self, provider: str) -> Mapping[str, str]:
        """Give which claims of a provider's tokens become which tags of the session."""
        settings = self.principal_tags.get(provider, {})
        if settings.get("UseDefaults"):
            return DEFAULT_PRINCIPAL_TAGS
        found: Mapping[str, str] = settings.get("PrincipalTags", {})
        return found

    def to_json(self) -> dict[str, Any]:
        """Give the record's value."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> IdentityPool:
        """Read what `to_json` gave."""
        told = {name: tuple(value.get(name, ())) for name in ("user_pool_clients", "oidc_providers")}
        return cls(**{**value, **told})

    def to_aws(self) -> dict[str, Any]:
        """Give AWS's shape IdentityPool."""
        told: dict[str, Any] = {
            "IdentityPoolId": self.id,
            "IdentityPoolName": self.name,
            "AllowUnauthenticatedIdentities": self.takes_guests,
            "AllowClassicFlow": self.allows_classic_flow,
            "IdentityPoolTags": dict(self.tags),
        }
        if self.developer_provider:
            told["DeveloperProviderName"] = self.developer_provider
        if self.user_pool_clients:
            told["CognitoIdentityProviders"] = [dict(one) for one in self.user_pool_clients]
        if self.oidc_providers:
            told["OpenIdConnectProviderARNs"] = list(self.oidc_providers)
        return told


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """An identity. `logins` hold (provider, the user's id there); without any it is a guest's."""

    id: str
    pool_id: str
    created_at_ms: int
    changed_at_ms: int
    logins: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give the record's value."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> IdentityRecord:
        """Read what `to_json` gave."""
        return cls(**{**value, "logins": tuple((provider, user) for provider, user in value["logins"])})

    def to_aws(self) -> dict[str, Any]:
        """Give AWS's shape IdentityDescription."""
        told: dict[str, Any] = {
            "IdentityId": self.id,
            "CreationDate": self.created_at_ms,
            "LastModifiedDate": self.changed_at_ms,
        }
        if self.logins:
            told["Logins"] = list(dict.fromkeys(provider for provider, _ in self.logins))
        return told
