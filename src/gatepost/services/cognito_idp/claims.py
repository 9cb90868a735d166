"""What is in a token, and how the pre-token-generation trigger changes it. Pure but for the names it is handed.

Sources: https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-id-token.html ,
…-using-the-access-token.html, user-pool-lambda-pre-token-generation.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gatepost.services.cognito_idp.errors import InvalidLambdaResponseException
from gatepost.services.cognito_idp.groups_store import Group, preferred_role, roles_of
from gatepost.services.cognito_idp.pool import AppClient
from gatepost.services.cognito_idp.schema import VERIFIED, may_read
from gatepost.services.cognito_idp.user import User

SELF_SERVICE_SCOPE: Final = "aws.cognito.signin.user.admin"
CLAIMS_MAX: Final = 5_000
# "You can't modify the following claims" of the trigger's page.
ID_RESERVED: Final = frozenset(
    {
        "acr",
        "amr",
        "at_hash",
        "auth_time",
        "azp",
        "c_hash",
        "cognito:username",
        "event_id",
        "exp",
        "iat",
        "identities",
        "iss",
        "jti",
        "nbf",
        "nonce",
        "origin_jti",
        "sub",
        "token_use",
    }
)
ACCESS_RESERVED: Final = frozenset(
    {
        "acr",
        "amr",
        "at_hash",
        "auth_time",
        "azp",
        "client_id",
        "device_key",
        "event_id",
        "exp",
        "iat",
        "iss",
        "jti",
        "nbf",
        "nonce",
        "origin_jti",
        "scope",
        "sub",
        "token_use",
        "username",
        "version",
    }
)
_GROUPS: Final = ("cognito:groups", "cognito:roles", "cognito:preferred_role")


def group_claims(groups: Sequence[Group]) -> dict[str, Any]:
    """Give the claims that an id token has for groups."""
    found: dict[str, Any] = {}
    if groups:
        found["cognito:groups"] = [group.name for group in groups]
    if roles := roles_of(groups):
        found["cognito:roles"] = roles
    if role := preferred_role(groups):
        found["cognito:preferred_role"] = role
    return found


def profile_claims(client: AppClient, user: User, scopes: Sequence[str] | None = None) -> dict[str, Any]:
    """Give the attributes that an id token shows: those that the client may read.

    `scopes` narrow them where OpenID Connect's were asked for: `email`, `phone` and `profile` stand for theirs.
    """
    found: dict[str, Any] = {}
    for name, value in user.attributes.items():
        if not may_read(client, name) or (scopes is not None and not _is_in_scope(name, scopes)):
            continue
        if name in VERIFIED:
            found[name] = value == "true"
        elif name == "address":
            found[name] = {"formatted": value}
        elif name == "updated_at" and value.isdigit():
            found[name] = int(value)
        else:
            found[name] = value
    return found


def _is_in_scope(name: str, scopes: Sequence[str]) -> bool:
    if name == "sub":
        return True
    if name.startswith("email"):
        return "email" in scopes or "profile" in scopes
    if name.startswith("phone_number"):
        return "phone" in scopes or "profile" in scopes
    return "profile" in scopes


def with_group_override(claims: dict[str, Any], told: Mapping[str, Any] | None) -> dict[str, Any]:
    """Apply groupOverrideDetails."""
    if not isinstance(told, Mapping):
        return claims
    changed = dict(claims)
    for member, claim in (
        ("groupsToOverride", "cognito:groups"),
        ("iamRolesToOverride", "cognito:roles"),
        ("preferredRole", "cognito:preferred_role"),
    ):
        if member not in told or claim not in (*claims, *_GROUPS):
            continue
        if told[member]:
            changed[claim] = told[member]
        else:
            changed.pop(claim, None)
    return changed


def with_claims(
    claims: dict[str, Any], told: Mapping[str, Any] | None, *, reserved: frozenset[str], texts_only: bool
) -> dict[str, Any]:
    """Apply claimsToAddOrOverride and claimsToSuppress; what is reserved stays. Raises: InvalidLambdaResponse…."""
    if not isinstance(told, Mapping):
        return claims
    changed = dict(claims)
    added = told.get("claimsToAddOrOverride") or {}
    suppressed = told.get("claimsToSuppress") or []
    if not isinstance(added, Mapping) or not isinstance(suppressed, list) or len(added) > CLAIMS_MAX:
        raise InvalidLambdaResponseException("Unrecognizable lambda output")
    for name, value in added.items():
        if name in reserved or name.startswith(("cognito:", "aws:")):
            continue
        changed[name] = value if isinstance(value, str) or not texts_only else _text(value)
    for name in suppressed:
        if isinstance(name, str) and name not in reserved:
            changed.pop(name, None)
    return changed


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidLambdaResponseException("Unrecognizable lambda output")
    return json.dumps(value)


def with_scopes(scopes: Sequence[str], told: Mapping[str, Any] | None) -> list[str]:
    """Apply scopesToAdd and scopesToSuppress."""
    if not isinstance(told, Mapping):
        return list(scopes)
    suppressed = [scope for scope in told.get("scopesToSuppress") or () if isinstance(scope, str)]
    added = [
        scope for scope in told.get("scopesToAdd") or () if isinstance(scope, str) and scope and not scope.isspace()
    ]
    kept = [scope for scope in scopes if scope not in suppressed]
    return list(dict.fromkeys([*kept, *(scope for scope in added if " " not in scope)]))
