"""User pools as issuers: by their own URL, by AWS's for the same pool, and by no other."""

from __future__ import annotations

import pytest

from gatepost.app.pool_issuers import PoolIssuers

ISSUER = "http://localhost:4566/us-east-1_Shop"
DOCUMENTS = {
    "/us-east-1_Shop/.well-known/openid-configuration": {"issuer": ISSUER},
    "/us-east-1_Shop/.well-known/jwks.json": {"keys": [{"kid": "k"}]},
}


@pytest.mark.parametrize(
    ("url", "is_ours"),
    [
        (ISSUER, True),
        (f"{ISSUER}/", True),
        ("https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Shop", True),
        ("https://cognito-idp.eu-west-1.amazonaws.com/us-east-1_Shop", False),
        ("https://evil.example/us-east-1_Shop", False),
        ("http://localhost:4566/us-east-1_None", False),
        ("", False),
    ],
)
def test_a_pool_is_found_by_its_urls_only(url, is_ours):
    expected = {"issuer": ISSUER, "keys": [{"kid": "k"}]} if is_ours else None
    assert PoolIssuers(DOCUMENTS.get).keys(url) == expected
