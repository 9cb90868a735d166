"""Which role an identity gets. Pure.

A guest gets the pool's `unauthenticated` role. Who signed in by a user pool gets what the mapping of provider and
client says: of type Token the preferred role of the token (or the only one, or the one that the caller names of those
in the token), of type Rules the role of the first rule that matches (or of the one that the caller names); where that
leaves it open, AmbiguousRoleResolution decides: the `authenticated` role, or nobody's.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/role-based-access-control.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gatepost.services.cognito_identity.errors import (
    InvalidIdentityPoolConfigurationException,
    InvalidParameterException,
    NotAuthorizedException,
)
from gatepost.services.cognito_identity.logins import Login
from gatepost.services.cognito_identity.model import IdentityPool

UNCONFIGURED: Final = "Invalid identity pool configuration. Check assigned IAM roles for this pool."
AUTHENTICATED: Final = "authenticated"
GUEST: Final = "unauthenticated"


def role_of(pool: IdentityPool, logins: Sequence[Login], *, is_guest: bool, custom_role: str = "") -> str:
    """Give the ARN of the role. Raises: InvalidIdentityPoolConfiguration…, NotAuthorized…, InvalidParameter…."""
    if is_guest:
        if custom_role:
            raise InvalidParameterException("CustomRoleArn needs a login of a provider with a role mapping.")
        return _default(pool, GUEST)
    for login in logins:
        mapping = pool.role_mappings.get(f"{login.provider}:{login.client_id}")
        if mapping is not None:
            return _mapped(pool, mapping, login.claims, custom_role)
    if custom_role:
        raise InvalidParameterException("CustomRoleArn needs a login of a provider with a role mapping.")
    return _default(pool, AUTHENTICATED)


def _default(pool: IdentityPool, kind: str) -> str:
    role = pool.roles.get(kind)
    if not role:
        raise InvalidIdentityPoolConfigurationException(UNCONFIGURED)
    return role


def _mapped(pool: IdentityPool, mapping: Mapping[str, Any], claims: Mapping[str, Any], custom_role: str) -> str:
    if mapping["Type"] == "Token":
        allowed = _texts(claims.get("cognito:roles"))
        first = str(claims.get("cognito:preferred_role", "")) or (allowed[0] if len(allowed) == 1 else "")
    else:
        allowed = [rule["RoleARN"] for rule in mapping["RulesConfiguration"]["Rules"] if _matches(rule, claims)]
        first = allowed[0] if allowed else ""
    if custom_role:
        if custom_role not in allowed:
            raise NotAuthorizedException("The custom role is not one that the login's token or the rules allow.")
        return custom_role
    if first:
        return first
    if mapping.get("AmbiguousRoleResolution") != "AuthenticatedRole":
        raise NotAuthorizedException("The login matches no role, and the role mapping says to deny it.")
    return _default(pool, AUTHENTICATED)


def _matches(rule: Mapping[str, str], claims: Mapping[str, Any]) -> bool:
    claim, wanted, how = claims.get(rule["Claim"]), rule["Value"], rule["MatchType"]
    if claim is None:
        return False  # a claim that is not there matches nothing, NotEqual neither
    values = _texts(claim)
    if how == "NotEqual":
        return wanted not in values
    if how == "Equals":
        return wanted in values
    if how == "StartsWith":
        return any(value.startswith(wanted) for value in values)
    return wanted in values if isinstance(claim, list) else wanted in values[0]  # Contains: a member, or a part


def _texts(claim: Any) -> list[str]:
    """Give a claim's values as texts: booleans as JSON spells them."""
    values = claim if isinstance(claim, list) else [] if claim is None else [claim]
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
