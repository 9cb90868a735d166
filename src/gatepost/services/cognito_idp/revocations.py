"""Tokens that are worth nothing any more though their time has not come: revoked sessions, replaced refresh tokens.

A session is all tokens that come from one sign-in; they share `origin_jti`. Each entry goes when the last token that
it could concern has expired. The gateway hears of sessions and of users who signed out everywhere under the topic
`revocations`: key `{pool ARN}/{origin_jti}` with `expires_at_ms`, and `{pool ARN}/sub/{sub}` with `before_ms` too.
"""

from __future__ import annotations

from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import StoreUnavailable
from gatepost.kernel.operations import Change, RecordKey
from gatepost.kernel.ports import Publisher
from gatepost.services.cognito_idp.pool import DAY_MS, REVOCATION, SEPARATOR, UserPool
from gatepost.storage.base import Records, Write

TOPIC: Final = "revocations"
SWEEP_EVERY: Final = 1_000  # entries
TOKEN_LIFE_MS_MAX: Final = DAY_MS  # of id and access tokens


class Revocations:
    """What was revoked, in memory and in the store."""

    def __init__(self, records: Records, publisher: Publisher, clock: Clock) -> None:
        self._records = records
        self._publisher = publisher
        self._clock = clock
        self._entries: dict[str, tuple[RecordKey, dict[str, Any]]] = {}
        self._since_sweep = 0

    async def load(self) -> None:
        """Read what was revoked; what is over is deleted."""
        for record in await self._records.scan(REVOCATION):
            self._entries[record.key.id] = (record.key, record.value)
        await self._sweep()

    def is_revoked(self, pool: UserPool, origin_jti: str) -> bool:
        """Say whether a session was revoked."""
        return self._id(pool, "session", origin_jti) in self._entries

    def replaced_at_ms(self, pool: UserPool, refresh_jti: str) -> int | None:
        """Give when a refresh token was replaced by another one, or None."""
        found = self._entries.get(self._id(pool, "refresh", refresh_jti))
        return int(found[1]["at_ms"]) if found else None

    async def revoke_session(self, pool: UserPool, origin_jti: str, *, expires_at_ms: int) -> None:
        """Revoke all tokens of a session whose refresh token ends at `expires_at_ms`."""
        await self._add(
            pool,
            self._id(pool, "session", origin_jti),
            {"expires_at_ms": expires_at_ms, "at_ms": self._clock.now_ms(), "key": f"{pool.arn}/{origin_jti}"},
        )

    async def sign_out(self, pool: UserPool, sub: str) -> None:
        """Tell the gateway of a user whose tokens until now are worth nothing; the user's record says so as well."""
        now_ms = self._clock.now_ms()
        value = {
            "expires_at_ms": now_ms + TOKEN_LIFE_MS_MAX,
            "at_ms": now_ms,
            "before_ms": now_ms,
            "key": f"{pool.arn}/sub/{sub}",
        }
        await self._add(pool, self._id(pool, "sub", sub), value)

    async def replace_refresh_token(self, pool: UserPool, refresh_jti: str, *, expires_at_ms: int) -> None:
        """Take note that a refresh token was replaced; the first time counts."""
        entry = self._id(pool, "refresh", refresh_jti)
        if entry not in self._entries:
            await self._add(pool, entry, {"expires_at_ms": expires_at_ms, "at_ms": self._clock.now_ms()})

    def published(self) -> list[Change]:
        """Give what the gateway should know."""
        now_ms = self._clock.now_ms()
        return [
            _change(value) for _, value in self._entries.values() if "key" in value and value["expires_at_ms"] > now_ms
        ]

    async def _add(self, pool: UserPool, entry: str, value: dict[str, Any]) -> None:
        key = RecordKey(REVOCATION, pool.account_id, pool.region, entry)
        before = self._entries.get(entry)
        self._entries[entry] = (key, value)  # before anything waits: of several at once one is the first
        try:
            await self._records.put(key, value, expected_version=None)
        except StoreUnavailable:
            if before is None:
                self._entries.pop(entry, None)
            else:
                self._entries[entry] = before
            raise
        if "key" in value:
            await self._publisher.publish(_change(value))
        self._since_sweep += 1
        if self._since_sweep >= SWEEP_EVERY:
            await self._sweep()

    async def _sweep(self) -> None:
        self._since_sweep = 0
        now_ms = self._clock.now_ms()
        over = [entry for entry, (_, value) in self._entries.items() if value["expires_at_ms"] <= now_ms]
        if not over:
            return
        gone = [self._entries.pop(entry) for entry in over]
        await self._records.commit([Write(key, None) for key, _ in gone])
        changes = [Change(TOPIC, value["key"], None) for _, value in gone if "key" in value]
        if changes:
            await self._publisher.publish(*changes)

    @staticmethod
    def _id(pool: UserPool, kind: str, name: str) -> str:
        return SEPARATOR.join((pool.id, kind, name))


def _change(value: dict[str, Any]) -> Change:
    told: dict[str, Any] = {name: value[name] for name in ("expires_at_ms", "before_ms") if name in value}
    return Change(TOPIC, value["key"], told)
