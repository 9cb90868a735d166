"""Whose tokens are verified here: user pools by their URL, or by AWS's for the same pool, and identity pools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Document = Callable[[str], Mapping[str, Any] | None]
IDENTITY_POOLS_URL: Final = "https://cognito-identity.amazonaws.com"
_WELL_KNOWN: Final = "/.well-known"


class PoolIssuers:
    """Implements `kernel.ports.TokenIssuers` by the documents that pools publish."""

    def __init__(
        self, document: Document, identity_pools: Callable[[], Mapping[str, Any] | None] = lambda: None
    ) -> None:
        """Take what gives the document at `/{userPoolId}/.well-known/…`, or None, and the identity pools' keys."""
        self._document = document
        self._identity_pools = identity_pools

    def keys(self, url: str) -> Mapping[str, Any] | None:
        """Give the keys of the pool that `url` names, or None. AWS's own URL of a pool is an alias."""
        if url == IDENTITY_POOLS_URL:
            return self._identity_pools()
        pool_id = url.rstrip("/").rpartition("/")[2]
        told = self._document(f"/{pool_id}{_WELL_KNOWN}/openid-configuration")
        if told is None:
            return None
        issuer = str(told["issuer"])
        alias = f"https://cognito-idp.{pool_id.partition('_')[0]}.amazonaws.com/{pool_id}"
        if url.rstrip("/") not in (issuer, alias):
            return None
        jwks = self._document(f"/{pool_id}{_WELL_KNOWN}/jwks.json")
        return {**jwks, "issuer": issuer} if jwks is not None else None
