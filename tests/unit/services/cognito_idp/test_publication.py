"""How the gateway knows a user pool's domain."""

from __future__ import annotations

import pytest

from gatepost.security.tls_contexts import POLICIES
from gatepost.services.cognito_idp.publication import (
    TLS_POLICIES,
    PublishedPoolDomain,
    is_prefix_host,
    name_of_host,
)


@pytest.mark.parametrize(
    ("host", "name", "is_prefix"),
    [
        ("shop.auth.us-east-1.localhost:8080", "shop.auth.us-east-1.localhost", True),
        ("SHOP.Auth.eu-west-1.amazoncognito.com", "shop.auth.eu-west-1.amazoncognito.com", True),
        ("auth.us-east-1.localhost", "auth.us-east-1.localhost", False),
        ("shop.auth.localhost", "shop.auth.localhost", True),
        ("shop.auth", "shop.auth", False),
        ("shop.auth.us-east-1.localhost.example", "shop.auth.us-east-1.localhost.example", False),
        ("login.shop.example:x", "login.shop.example:x", False),
        ("", "", False),
    ],
)
def test_a_prefix_is_known_by_its_host(host: str, name: str, is_prefix: bool) -> None:
    assert (name_of_host(host), is_prefix_host(name_of_host(host))) == (name, is_prefix)


def test_a_domain_comes_out_as_it_was_published_under_a_policy_that_listeners_know() -> None:
    domain = PublishedPoolDomain("login.shop.example", "arn", TLS_POLICIES["TLS_V1_2_2021"])
    change = domain.change()
    assert change.value is not None
    assert PublishedPoolDomain.from_json(change.key, change.value) == domain
    assert set(TLS_POLICIES.values()) <= set(POLICIES)
