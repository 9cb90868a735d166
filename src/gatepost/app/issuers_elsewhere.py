"""Keys of OpenID Connect issuers elsewhere (a forge's builds, a cluster's service accounts): fetched, bounded, kept.

An issuer is asked for `/.well-known/openid-configuration` and then for its JWKS, over TLS verified by the authorities
that this machine trusts (plain http on this machine only), at addresses that are not link-local, without following
redirects. Keys are kept for an hour; a token by a key that is not among them has them fetched again, once a minute at
most, so that an issuer may change its keys, and nobody can make us ask in a loop.

AWS falls back on a provider's thumbprints where no authority vouches for it; here it cannot be used then.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from gatepost.gateway.upstreams import AddressPolicy
from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceUnavailable
from gatepost.wire.client import Client
from gatepost.wire.outgoing import OutgoingRequest, UpstreamError

KEPT_MS: Final = 3_600_000
AGAIN_MS: Final = 60_000
ISSUERS_MAX: Final = 200
READ_MS: Final = 5_000
ANSWER_BYTES_MAX: Final = 256 * 1024
_JSON: Final = (b"accept", b"application/json")
_HERE: Final = frozenset({"localhost", "127.0.0.1"})


@dataclass(frozen=True, slots=True)
class _Kept:
    keys: Mapping[str, Any]
    fetched_at_ms: int


class IssuersElsewhere:
    """Implements `kernel.ports.IssuersElsewhere`. Call `close` at the end."""

    def __init__(self, clock: Clock, client: Client | None = None) -> None:
        """Ask by `client`, or by one that keeps away from addresses that hold a machine's credentials."""
        self._client = client or Client(clock=clock, allow_address=AddressPolicy())
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._asked: dict[str, asyncio.Lock] = {}
        self._failed_at_ms: OrderedDict[str, int] = OrderedDict()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def keys(self, issuer: str, kid: str) -> Mapping[str, Any]:
        """Give the JWKS of an issuer. See `kernel.ports.IssuersElsewhere`."""
        if (found := self._usable(issuer, kid)) is not None:
            return found
        if len(self._asked) >= ISSUERS_MAX:
            self._asked = {name: lock for name, lock in self._asked.items() if lock.locked()}
        async with self._asked.setdefault(issuer, asyncio.Lock()):
            if (found := self._usable(issuer, kid)) is not None:  # somebody else has asked meanwhile
                return found
            self._check_pace(issuer)
            return await self._fetched(issuer)

    def _usable(self, issuer: str, kid: str) -> Mapping[str, Any] | None:
        kept = self._kept.get(issuer)
        if kept is None:
            return None
        age_ms = self._clock.now_ms() - kept.fetched_at_ms
        known = any(isinstance(key, Mapping) and key.get("kid") == kid for key in kept.keys["keys"])
        return kept.keys if age_ms < (KEPT_MS if known else AGAIN_MS) else None

    def _check_pace(self, issuer: str) -> None:
        failed_at_ms = self._failed_at_ms.get(issuer)
        if failed_at_ms is not None and self._clock.now_ms() - failed_at_ms < AGAIN_MS:
            raise ServiceUnavailable(f"{issuer} did not answer a moment ago")

    async def _fetched(self, issuer: str) -> Mapping[str, Any]:
        try:
            document = await self._json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if str(document.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
                raise ServiceUnavailable(f"{issuer} publishes another issuer")
            keys = await self._json(str(document.get("jwks_uri", "")))
            if not isinstance(keys.get("keys"), list):
                raise ServiceUnavailable(f"{issuer} publishes no keys")
        except ServiceUnavailable:
            self._failed_at_ms[issuer] = self._clock.now_ms()
            while len(self._failed_at_ms) > ISSUERS_MAX:
                self._failed_at_ms.popitem(last=False)
            raise
        self._failed_at_ms.pop(issuer, None)
        self._kept.pop(issuer, None)
        self._kept[issuer] = _Kept(keys, self._clock.now_ms())
        while len(self._kept) > ISSUERS_MAX:
            self._kept.popitem(last=False)
        return keys

    async def _json(self, url: str) -> dict[str, Any]:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise ServiceUnavailable(f"{url[:256]} is no URL") from error
        is_tls = parts.scheme == "https"
        if not is_tls and not (parts.scheme == "http" and parts.hostname in _HERE):
            raise ServiceUnavailable(f"{url[:256]} is not https")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            answer = await self._client.send(
                OutgoingRequest(
                    "GET",
                    parts.hostname or "",
                    parts.port or (443 if is_tls else 80),
                    target,
                    [_JSON],
                    is_tls=is_tls,
                    read_ms=READ_MS,
                    body_bytes_max=ANSWER_BYTES_MAX,
                )
            )
            found = orjson.loads(answer.body) if answer.status == 200 else None
        except (UpstreamError, ValueError) as error:
            raise ServiceUnavailable(f"{url[:256]} does not answer: {error}") from error
        if not isinstance(found, dict):
            raise ServiceUnavailable(f"{url[:256]} answers {answer.status} and no JSON object")
        return found
