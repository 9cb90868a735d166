"""Which role who gets: every way through a pool's mappings."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.services.cognito_identity.errors import (
    InvalidIdentityPoolConfigurationException,
    InvalidParameterException,
    NotAuthorizedException,
)
from gatepost.services.cognito_identity.logins import Login, amr_of
from gatepost.services.cognito_identity.model import IdentityPool, IdentityRecord
from gatepost.services.cognito_identity.role_choice import role_of

PROVIDER = "cognito-idp.us-east-1.amazonaws.com/us-east-1_Shop"
DENY = "Deny"
DEFAULT = "AuthenticatedRole"


def a_pool(mapping: dict[str, Any] | None = None, **roles: str) -> IdentityPool:
    mappings = {f"{PROVIDER}:web": mapping} if mapping else {}
    return IdentityPool(
        "us-east-1:p", "000000000000", "us-east-1", "shop", takes_guests=True, roles=roles, role_mappings=mappings
    )


def a_login(client: str = "web", **claims: Any) -> list[Login]:
    return [Login(PROVIDER, "ann", client, {name.replace("_", ":", 1): value for name, value in claims.items()})]


def rules(*told: tuple[str, str, str, str], otherwise: str = DENY) -> dict[str, Any]:
    names = ("Claim", "MatchType", "Value", "RoleARN")
    listed = [dict(zip(names, one, strict=True)) for one in told]
    return {"Type": "Rules", "AmbiguousRoleResolution": otherwise, "RulesConfiguration": {"Rules": listed}}


def by_token(otherwise: str = DENY) -> dict[str, Any]:
    return {"Type": "Token", "AmbiguousRoleResolution": otherwise}


def chosen(pool: IdentityPool, logins: list[Login], custom: str = "") -> str:
    return role_of(pool, logins, is_guest=not logins, custom_role=custom)


@pytest.mark.parametrize(
    ("mapping", "claims", "custom", "role"),
    [
        (None, {}, "", "default"),
        (by_token(), {"cognito_preferred_role": "a", "cognito_roles": ["b", "a"]}, "", "a"),
        (by_token(), {"cognito_roles": ["b"]}, "", "b"),
        (by_token(), {"cognito_roles": ["b", "a"]}, "b", "b"),
        (by_token(DEFAULT), {"cognito_roles": ["b", "a"]}, "", "default"),
        (by_token(DEFAULT), {}, "", "default"),
        (rules(("tier", "Equals", "gold", "a")), {"tier": "gold"}, "", "a"),
        (rules(("tier", "NotEqual", "gold", "a")), {"tier": "tin"}, "", "a"),
        (rules(("tier", "StartsWith", "go", "a")), {"tier": "gold"}, "", "a"),
        (rules(("tier", "Contains", "ol", "a")), {"tier": "gold"}, "", "a"),
        (rules(("groups", "Contains", "x", "a")), {"groups": ["y", "x"]}, "", "a"),
        (rules(("verified", "Equals", "true", "a")), {"verified": True}, "", "a"),
        (rules(("t", "Equals", "1", "a"), ("t", "Contains", "1", "b")), {"t": "1"}, "", "a"),
        (rules(("t", "Equals", "1", "a"), ("t", "Contains", "1", "b")), {"t": "1"}, "b", "b"),
        (rules(("t", "Equals", "1", "a"), otherwise=DEFAULT), {"t": "2"}, "", "default"),
    ],
)
def test_a_login_gets_the_role_that_its_mapping_says(
    mapping: dict[str, Any] | None, claims: dict[str, Any], custom: str, role: str
) -> None:
    assert chosen(a_pool(mapping, authenticated="default"), a_login(**claims), custom) == role


@pytest.mark.parametrize(
    ("mapping", "claims", "custom"),
    [
        (by_token(), {}, ""),
        (by_token(), {"cognito_roles": ["a", "b"]}, ""),
        (by_token(), {"cognito_roles": ["a"]}, "b"),
        (by_token(DEFAULT), {"cognito_preferred_role": "a"}, "b"),
        (rules(("tier", "NotEqual", "gold", "a")), {}, ""),
        (rules(("tier", "Equals", "gold", "a")), {"tier": "Gold"}, ""),
        (rules(("groups", "Contains", "admin", "a")), {"groups": ["not-admins"]}, ""),
        (rules(("groups", "NotEqual", "x", "a")), {"groups": ["x", "y"]}, ""),
        (rules(("t", "Equals", "1", "a"), ("t", "Equals", "2", "b")), {"t": "1"}, "b"),
    ],
)
def test_who_matches_nothing_gets_no_role(mapping: dict[str, Any], claims: dict[str, Any], custom: str) -> None:
    with pytest.raises(NotAuthorizedException):
        chosen(a_pool(mapping, authenticated="default"), a_login(**claims), custom)


def test_a_mapping_is_for_one_client() -> None:
    pool = a_pool(by_token(), authenticated="default")
    assert chosen(pool, a_login("other", cognito_preferred_role="a")) == "default"


def test_a_role_can_be_named_only_where_a_mapping_allows_it() -> None:
    pool = a_pool(authenticated="default", unauthenticated="guest")
    assert chosen(pool, []) == "guest"
    for logins in ([], a_login()):
        with pytest.raises(InvalidParameterException):
            chosen(pool, logins, "default")


def test_a_pool_without_a_role_hands_out_none() -> None:
    for logins in ([], a_login()):
        with pytest.raises(InvalidIdentityPoolConfigurationException):
            chosen(a_pool(), logins)


def test_a_token_says_how_somebody_signed_in() -> None:
    pool = a_pool()
    assert amr_of(pool, []) == ["unauthenticated"]
    assert amr_of(pool, a_login()) == ["authenticated", PROVIDER, f"{PROVIDER}:CognitoSignIn:ann"]


def test_records_come_back_as_they_were() -> None:
    pool = a_pool(by_token(), authenticated="default")
    assert IdentityPool.from_json(pool.to_json()) == pool
    record = IdentityRecord("us-east-1:i", pool.id, 1, 2, (("a", "b"),))
    assert IdentityRecord.from_json(record.to_json()) == record
