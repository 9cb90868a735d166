"""What the gateway knows of user pools: their public keys, and the tokens that were revoked before their time.

Services publishes a pool's keys under the topic `jwks` (key: the pool's ARN; `issuer`, `keys`), and what was revoked
under `revocations`: `{pool ARN}/{origin_jti}` for one sign-in's tokens, `{pool ARN}/sub/{sub}` with `before_ms` for a
user who signed out everywhere. When services is down, what was published last counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.ports import Replica
from gatepost.security.jwt import BadKey, BadToken, Token, Verifier, header_of, segments, verifying_keys

JWKS: Final = "jwks"
REVOCATIONS: Final = "revocations"


class PoolMissing(Exception):
    """None of the pools exists that an authorizer names."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool's verifier. It is made anew with each change of its keys."""

    arn: str
    verifier: Verifier


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token with the pool that it comes from."""

    pool: Pool
    token: Token


class UserPools:
    """Follows keys and revocations; verifies tokens of any of some pools."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pools: dict[str, Pool] = {}
        self._revoked: dict[str, Mapping[str, Any]] = {}

    def watch(self, replica: Replica) -> None:
        """Follow what is published."""
        replica.watch(JWKS, self.take_keys)
        replica.watch(REVOCATIONS, self.take_revocation)

    def take_keys(self, arn: str, value: Mapping[str, Any] | None) -> None:
        """Take a pool's keys as they are from now on; keys that cannot be read leave a pool without any."""
        if value is None:
            self._pools.pop(arn, None)
            return
        try:
            keys = verifying_keys(value)
        except BadKey:
            keys = []
        self._pools[arn] = Pool(arn, Verifier(value["issuer"], keys, self._clock))

    def take_revocation(self, key: str, value: Mapping[str, Any] | None) -> None:
        """Take note of what was revoked, or that it does not matter any more."""
        if value is None:
            self._revoked.pop(key, None)
        else:
            self._revoked[key] = value

    def verify(self, arns: tuple[str, ...], token: str) -> VerifiedToken:
        """Verify a token that one of these pools issued; revocation is `is_current`'s question.

        Raises: BadToken; PoolMissing.
        """
        pools = [pool for arn in arns if (pool := self._pools.get(arn)) is not None]
        if not pools:
            raise PoolMissing(f"of {', '.join(arns)} no pool exists")
        kid = header_of(segments(token)[0])["kid"]
        for pool in pools:
            if pool.verifier.knows(kid):
                return VerifiedToken(pool, pool.verifier.verify(token))
        raise BadToken("key", "none of the authorizer's pools has a key of the token's kid")

    def is_current(self, verified: VerifiedToken) -> bool:
        """Say whether the pool still has the keys that verified a token, and nobody has revoked it since."""
        pool, claims = verified.pool, verified.token.claims
        if self._pools.get(pool.arn) is not pool:
            return False
        if not self._revoked:
            return True
        if f"{pool.arn}/{claims.get('origin_jti')}" in self._revoked:
            return False
        signed_out = self._revoked.get(f"{pool.arn}/sub/{claims.get('sub')}")
        return signed_out is None or made_at_ms(claims) > signed_out["before_ms"]


def made_at_ms(claims: Mapping[str, Any]) -> int:
    """Give when a pool made a token: its `jti` ends in the millisecond; without that, the second of `iat` begins."""
    second_ms = int(claims.get("iat", 0)) * 1000
    try:
        at_ms = int(str(claims.get("jti"))[-12:], 16)
    except ValueError:
        return second_ms
    return at_ms if 0 <= at_ms - second_ms < 1000 else second_ms
