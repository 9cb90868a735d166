"""What anyone may read of a pool: its public keys and its OpenID Connect configuration.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from gatepost.services.cognito_idp.domains import Domains
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.pools import Pools

_PATH: Final = re.compile(
    r"/([a-z0-9-]{1,64}_[0-9A-Za-z]{1,45})/\.well-known/(jwks\.json|openid-configuration)", re.ASCII
)


def is_discovery_path(path: str) -> bool:
    """Say whether a path is `/{userPoolId}/.well-known/…`."""
    return "/.well-known/" in path and _PATH.fullmatch(path) is not None


class Discovery:
    """Answers for `/{userPoolId}/.well-known/jwks.json` and `…/openid-configuration`."""

    def __init__(self, pools: Pools, url: Callable[[], str], domains: Domains) -> None:
        self._pools = pools
        self._url = url
        self._domains = domains

    def pages_of(self, pool: UserPool) -> str:
        """Give where a pool's hosted pages are; "" when it has no domain."""
        names = self._domains.of_pool(pool)
        domain = names.get("CustomDomain") or names.get("Domain")
        return f"{self._url()}/_aws/auth/{domain}" if domain else ""

    def document(self, path: str) -> dict[str, Any] | None:
        """Give the JSON document at a path, or None: there is no such pool."""
        found = _PATH.fullmatch(path)
        pool = self._pools.find(found[1]) if found is not None else None
        if found is None or pool is None:
            return None
        if found[2] == "jwks.json":
            return {"keys": [dict(key) for key in pool.jwks]}
        issuer = self._pools.issuer(pool)
        document: dict[str, Any] = {
            "id_token_signing_alg_values_supported": ["RS256"],
            "issuer": issuer,
            "jwks_uri": f"{_reachable(issuer, self._url(), pool.id)}/.well-known/jwks.json",
            "response_types_supported": ["code", "token"],
            "scopes_supported": ["openid", "email", "phone", "profile"],
            "subject_types_supported": ["public"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
        if base := self.pages_of(pool):
            document |= {
                "authorization_endpoint": f"{base}/oauth2/authorize",
                "end_session_endpoint": f"{base}/logout",
                "revocation_endpoint": f"{base}/oauth2/revoke",
                "token_endpoint": f"{base}/oauth2/token",
                "userinfo_endpoint": f"{base}/oauth2/userInfo",
            }
        return document


def _reachable(issuer: str, url: str, pool_id: str) -> str:
    """Give where a pool's documents really are: AWS's own names are only names here."""
    return f"{url}/{pool_id}" if ".amazonaws.com/" in issuer else issuer
