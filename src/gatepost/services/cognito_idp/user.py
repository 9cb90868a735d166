"""A user's record: attributes, state and groups in the open, everything that opens a door sealed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from gatepost.services.cognito_idp.pool import UserPool

UNCONFIRMED: Final = "UNCONFIRMED"
CONFIRMED: Final = "CONFIRMED"
FORCE_CHANGE_PASSWORD: Final = "FORCE_CHANGE_PASSWORD"  # noqa: S105 a state
RESET_REQUIRED: Final = "RESET_REQUIRED"
EXTERNAL_PROVIDER: Final = "EXTERNAL_PROVIDER"

VERIFIABLE: Final = ("email", "phone_number")


@dataclass(frozen=True, slots=True)
class Code:
    """A code that was sent to a user. `pending` is the value that an attribute gets once the code comes back."""

    text: str = field(repr=False)
    expires_at_ms: int
    attribute: str = ""  # where it was sent to: email, phone_number
    pending: str = ""
    wrong_count: int = 0


@dataclass(frozen=True, slots=True)
class Secrets:
    """What is sealed in a user's record."""

    password_hash: str = field(default="", repr=False)
    srp_salt: str = field(default="", repr=False)  # hex
    srp_verifier: str = field(default="", repr=False)  # hex
    history: Sequence[str] = field(default=(), repr=False)  # older hashes, newest first
    totp_secret: str = field(default="", repr=False)  # base32; of an authenticator app that was verified
    pending_totp: str = field(default="", repr=False)  # of an app that has yet to be verified
    totp_name: str = ""  # how the user calls that app's device
    totp_last: int = 0  # the time step of the last code that was used: none is used twice
    codes: Mapping[str, Code] = field(default_factory=dict)  # by purpose
    device_verifiers: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)  # key -> salt, verifier

    def to_json(self) -> dict[str, Any]:
        """Give JSON values, to be sealed."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Secrets:
        """Read what `to_json` gave."""
        codes = {purpose: Code(**code) for purpose, code in value.get("codes", {}).items()}
        return cls(**{**value, "codes": codes})


@dataclass(frozen=True, slots=True)
class User:
    """One user of a pool. `attributes` has `sub` among them; values are texts, as in Cognito."""

    pool_id: str
    name: str
    attributes: Mapping[str, str]
    status: str
    created_at_ms: int
    changed_at_ms: int
    is_enabled: bool = True
    groups: Sequence[str] = ()
    second_factors: Sequence[str] = ()  # chosen: SMS_MFA, SOFTWARE_TOKEN_MFA, EMAIL_OTP
    preferred_factor: str = ""
    devices: Sequence[Mapping[str, Any]] = ()
    passkeys: Sequence[Mapping[str, Any]] = ()
    identities: Sequence[Mapping[str, Any]] = ()  # of other identity providers, as the id token lists them
    signed_out_at_ms: int = 0  # tokens made until then are worth nothing
    temporary_until_ms: int = 0  # when an administrator's temporary password ends; 0: it is not temporary
    secrets: Secrets = field(default_factory=Secrets)

    @property
    def sub(self) -> str:
        """Give the id that never changes and is never used again."""
        return self.attributes["sub"]

    def is_verified(self, attribute: str) -> bool:
        """Say whether the user has an e-mail address or a phone number that was verified."""
        return bool(self.attributes.get(attribute)) and self.attributes.get(f"{attribute}_verified") == "true"

    def with_attributes(self, changes: Mapping[str, str], *, now_ms: int) -> User:
        """Give the user with these attributes; an empty value takes one away."""
        merged = {**self.attributes, **changes}
        return replace(
            self, attributes={name: value for name, value in merged.items() if value != ""}, changed_at_ms=now_ms
        )

    def with_secrets(self, **changes: Any) -> User:
        """Give the user with other secrets."""
        return replace(self, secrets=replace(self.secrets, **changes))

    def without_code(self, purpose: str) -> User:
        """Give the user without the code for a purpose."""
        return self.with_secrets(codes={name: code for name, code in self.secrets.codes.items() if name != purpose})

    def with_code(self, purpose: str, code: Code) -> User:
        """Give the user with a code, which replaces an earlier one for the same purpose."""
        return self.with_secrets(codes={**self.secrets.codes, purpose: code})

    def device(self, key: str) -> Mapping[str, Any] | None:
        """Give a device by its key."""
        return next((device for device in self.devices if device["key"] == key), None)

    def has_password(self) -> bool:
        """Say whether a password was ever set."""
        return bool(self.secrets.password_hash)

    def usable_factors(self, pool: UserPool) -> list[str]:
        """Give the second factors that the user has set up and the pool offers."""
        offered = pool.second_factors
        return [factor for factor in self.second_factors if factor in offered]

    def to_json(self, sealed: str) -> dict[str, Any]:
        """Give JSON values for the store, with the secrets as they were sealed."""
        return {**{name: getattr(self, name) for name in _FIELDS}, "sealed": sealed}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], secrets: Secrets) -> User:
        """Read what `to_json` gave."""
        return cls(**{name: value[name] for name in _FIELDS}, secrets=secrets)


_FIELDS: Final = (
    "pool_id",
    "name",
    "attributes",
    "status",
    "created_at_ms",
    "changed_at_ms",
    "is_enabled",
    "groups",
    "second_factors",
    "preferred_factor",
    "devices",
    "passkeys",
    "identities",
    "signed_out_at_ms",
    "temporary_until_ms",
)


def identity_alias(provider: str, subject: str) -> tuple[str, str]:
    """Give what a user of another identity provider is found by: in hex, as subjects differ by case."""
    return f"identity {provider}", subject.encode("utf-8", "surrogatepass").hex()


def aliases_of(pool: UserPool, user: User) -> dict[str, str]:
    """Give what a user may be found by besides the name, each with a value that is unique in the pool."""
    found = {"sub": user.sub}
    found |= dict(identity_alias(one["providerName"], one["userId"]) for one in user.identities)
    for name in pool.username_attributes:
        if value := user.attributes.get(name):
            found[name] = pool.canonical(value)
    for name in pool.alias_attributes:
        value = user.attributes.get(name)
        if value and (name == "preferred_username" or user.is_verified(name)):
            found[name] = pool.canonical(value)
    return found


def attribute_list(attributes: Mapping[str, str]) -> list[dict[str, str]]:
    """Give attributes as AWS lists them, `sub` first."""
    ordered = sorted(attributes.items(), key=lambda item: item[0] != "sub")
    return [{"Name": name, "Value": value} for name, value in ordered]


def user_to_aws(user: User, *, wanted: Sequence[str] | None = None) -> dict[str, Any]:
    """Give a user as ListUsers and AdminCreateUser do."""
    attributes = user.attributes
    if wanted is not None:
        attributes = {name: value for name, value in attributes.items() if name in wanted}
    return {
        "Username": user.name,
        "Attributes": attribute_list(attributes),
        "UserCreateDate": user.created_at_ms,
        "UserLastModifiedDate": user.changed_at_ms,
        "Enabled": user.is_enabled,
        "UserStatus": user.status,
    }
