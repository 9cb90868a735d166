"""A user pool's record: its settings as AWS spells them, with the questions that others ask of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

POOL: Final = "user-pool"  # kinds of records
CLIENT: Final = "user-pool-client"
USER: Final = "user-pool-user"
ALIAS: Final = "user-pool-alias"
GROUP: Final = "user-pool-group"
MEMBER: Final = "user-pool-member"
RESOURCE_SERVER: Final = "user-pool-resource-server"
DOMAIN: Final = "user-pool-domain"
IDENTITY_PROVIDER: Final = "user-pool-identity-provider"
IMPORT_JOB: Final = "user-pool-import-job"
REVOCATION: Final = "user-pool-revocation"

SEPARATOR: Final = "\x1f"  # in ids of records, between names that may hold any printable character

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

PASSWORD_POLICY: Final[Mapping[str, Any]] = {  # of a pool that says nothing
    "MinimumLength": 8,
    "RequireUppercase": True,
    "RequireLowercase": True,
    "RequireNumbers": True,
    "RequireSymbols": True,
    "TemporaryPasswordValidityDays": 7,
}
RECOVERY: Final = (  # of a pool that says nothing: what AWS calls legacy behaviour, phone first
    {"Name": "verified_phone_number", "Priority": 1},
    {"Name": "verified_email", "Priority": 2},
)


@dataclass(frozen=True, slots=True)
class UserPool:
    """A pool. `settings` are members of AWS's UserPoolType; `sealed_keys` hold the private signing keys."""

    id: str
    account_id: str
    region: str
    name: str
    settings: Mapping[str, Any]
    created_at_ms: int
    changed_at_ms: int
    custom_attributes: Sequence[Mapping[str, Any]] = ()  # members of SchemaAttributeType, with their prefix
    required_attributes: Sequence[str] = ()
    schema_changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of standard attributes
    tags: Mapping[str, str] = field(default_factory=dict)
    jwks: Sequence[Mapping[str, str]] = ()  # public: of id tokens, of access tokens
    sealed_keys: Sequence[str] = field(default=(), repr=False)  # base64, in the same order

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:cognito-idp:{self.region}:{self.account_id}:userpool/{self.id}"

    @property
    def short_name(self) -> str:
        """What follows the underscore in the id: SRP calls it the pool's name."""
        return self.id.partition("_")[2]

    @property
    def secret(self) -> bytes:
        """Give bytes that nobody outside knows, the same for as long as the pool keeps its signing keys."""
        return hashlib.sha256(f"{self.id}\x00{self.sealed_keys[0]}".encode()).digest()

    @property
    def password_policy(self) -> Mapping[str, Any]:
        """Give the policy for passwords."""
        found: Mapping[str, Any] = self.settings.get("Policies", {}).get("PasswordPolicy", PASSWORD_POLICY)
        return found

    @property
    def first_factors(self) -> Sequence[str]:
        """Give the factors that USER_AUTH may begin with."""
        policy = self.settings.get("Policies", {}).get("SignInPolicy", {})
        found: Sequence[str] = policy.get("AllowedFirstAuthFactors", ("PASSWORD",))
        return found

    @property
    def lambda_config(self) -> Mapping[str, Any]:
        """Give the triggers."""
        found: Mapping[str, Any] = self.settings.get("LambdaConfig", {})
        return found

    @property
    def alias_attributes(self) -> Sequence[str]:
        """Give the attributes that a user who has a user name may sign in with too."""
        found: Sequence[str] = self.settings.get("AliasAttributes", ())
        return found

    @property
    def username_attributes(self) -> Sequence[str]:
        """Give the attributes that stand for the user name: the name itself is then made up."""
        found: Sequence[str] = self.settings.get("UsernameAttributes", ())
        return found

    @property
    def auto_verified(self) -> Sequence[str]:
        """Give the attributes that are verified by a code at the sign-up."""
        found: Sequence[str] = self.settings.get("AutoVerifiedAttributes", ())
        return found

    @property
    def is_case_sensitive(self) -> bool:
        """Say whether `Ann` and `ann` are two users."""
        return bool(self.settings.get("UsernameConfiguration", {}).get("CaseSensitive", True))

    @property
    def mfa(self) -> str:
        """Give OFF, ON or OPTIONAL."""
        return str(self.settings.get("MfaConfiguration", "OFF"))

    @property
    def recovery(self) -> Sequence[str]:
        """Give the ways to a new password, best first."""
        ways = self.settings.get("AccountRecoverySetting", {}).get("RecoveryMechanisms") or RECOVERY
        return [way["Name"] for way in sorted(ways, key=lambda way: way["Priority"])]

    @property
    def admin_create_user_config(self) -> Mapping[str, Any]:
        """Give the settings for users that administrators make."""
        found: Mapping[str, Any] = self.settings.get("AdminCreateUserConfig", {})
        return found

    @property
    def temporary_password_days(self) -> int:
        """Give how long a temporary password lasts; the older setting counts where the newer one is missing."""
        days = self.password_policy.get("TemporaryPasswordValidityDays")
        return int(days or self.admin_create_user_config.get("UnusedAccountValidityDays") or 7)

    @property
    def device_configuration(self) -> Mapping[str, Any] | None:
        """Give the settings for devices, or None when they are not tracked."""
        found: Mapping[str, Any] | None = self.settings.get("DeviceConfiguration")
        return found or None

    @property
    def mfa_settings(self) -> Mapping[str, Any]:
        """Give the factors as SetUserPoolMfaConfig set them."""
        found: Mapping[str, Any] = self.settings.get("_Mfa", {})
        return found

    @property
    def second_factors(self) -> frozenset[str]:
        """Give the second factors that the pool offers: SMS_MFA, SOFTWARE_TOKEN_MFA, EMAIL_OTP."""
        found = set()
        if self.settings.get("SmsConfiguration") or "SmsMfaConfiguration" in self.mfa_settings:
            found.add("SMS_MFA")
        if self.mfa_settings.get("SoftwareTokenMfaConfiguration", {}).get("Enabled"):
            found.add("SOFTWARE_TOKEN_MFA")
        if "EmailMfaConfiguration" in self.mfa_settings:
            found.add("EMAIL_OTP")
        return frozenset(found)

    def canonical(self, name: str) -> str:
        """Give a user name or an alias as it is compared."""
        return name if self.is_case_sensitive else name.lower()

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store."""
        return {name: getattr(self, name) for name in _POOL_FIELDS}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> UserPool:
        """Read what `to_json` gave."""
        return cls(**value)


_POOL_FIELDS: Final = (
    "id",
    "account_id",
    "region",
    "name",
    "settings",
    "created_at_ms",
    "changed_at_ms",
    "custom_attributes",
    "required_attributes",
    "schema_changes",
    "tags",
    "jwks",
    "sealed_keys",
)

_UNIT_S: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}


@dataclass(frozen=True, slots=True)
class AppClient:
    """An app client of a pool. `settings` are members of AWS's UserPoolClientType; the secret is sealed."""

    id: str
    pool_id: str
    name: str
    settings: Mapping[str, Any]
    created_at_ms: int
    changed_at_ms: int
    sealed_secret: str = field(default="", repr=False)

    @property
    def has_secret(self) -> bool:
        """Say whether its requests must prove to know a secret."""
        return bool(self.sealed_secret)

    @property
    def flows(self) -> frozenset[str]:
        """Give the flows that it may use, by their newer names."""
        given = self.settings.get("ExplicitAuthFlows") or (
            "ALLOW_REFRESH_TOKEN_AUTH",
            "ALLOW_USER_SRP_AUTH",
            "ALLOW_CUSTOM_AUTH",
        )
        return frozenset(flow for name in given for flow in _FLOWS.get(name, (name,)))

    @property
    def hides_users(self) -> bool:
        """Say whether its answers hide which users exist (PreventUserExistenceErrors)."""
        return self.settings.get("PreventUserExistenceErrors") == "ENABLED"

    @property
    def revokes_tokens(self) -> bool:
        """Say whether its tokens can be revoked: they carry `origin_jti` and `jti` then."""
        return bool(self.settings.get("EnableTokenRevocation", True))

    @property
    def rotates_refresh_tokens(self) -> bool:
        """Say whether each refresh gives a new refresh token."""
        return bool(self.settings.get("RefreshTokenRotation", {}).get("Feature") == "ENABLED")

    @property
    def rotation_grace_s(self) -> int:
        """Give for how long a replaced refresh token may be used again."""
        return int(self.settings.get("RefreshTokenRotation", {}).get("RetryGracePeriodSeconds", 0))

    @property
    def session_ms(self) -> int:
        """Give how long a challenge may be answered (AuthSessionValidity, 3 to 15 minutes)."""
        return int(self.settings.get("AuthSessionValidity", 3)) * MINUTE_MS

    def validity_s(self, kind: str) -> int:
        """Give how long an `AccessToken`, `IdToken` or `RefreshToken` lasts, in seconds."""
        amount, unit = (30, "days") if kind == "RefreshToken" else (1, "hours")
        unit = self.settings.get("TokenValidityUnits", {}).get(kind, unit)
        amount = self.settings.get(f"{kind}Validity") or amount
        return int(amount) * _UNIT_S[unit]

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store."""
        return {name: getattr(self, name) for name in _CLIENT_FIELDS}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> AppClient:
        """Read what `to_json` gave."""
        return cls(**value)


_CLIENT_FIELDS: Final = ("id", "pool_id", "name", "settings", "created_at_ms", "changed_at_ms", "sealed_secret")
_FLOWS: Final = {  # the older names
    "ADMIN_NO_SRP_AUTH": ("ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"),
    "CUSTOM_AUTH_FLOW_ONLY": ("ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"),
    "USER_PASSWORD_AUTH": ("ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"),
}
