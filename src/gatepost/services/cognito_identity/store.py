"""Where identity pools and identities are kept. Pools are in memory as well, identities only in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.operations import Call, RecordKey
from gatepost.services.cognito_identity.errors import (
    ConcurrentModificationException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from gatepost.services.cognito_identity.model import (
    IDENTITY,
    LOGIN,
    POOL,
    SEPARATOR,
    IdentityPool,
    IdentityRecord,
)
from gatepost.storage.base import Record, Records, Write

PAGE: Final = 500
CONFLICT: Final = "Concurrent modification: try again."


class IdentityStore:
    """Every pool and identity of the platform."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._pools: dict[str, tuple[IdentityPool, int]] = {}

    async def load(self) -> None:
        """Read the pools. Raises: StoreUnavailable."""
        for record in await self._records.scan(POOL):
            self._pools[record.key.id] = (IdentityPool.from_json(record.value), record.version)

    # --- pools -------------------------------------------------------------------------------------------------

    def find(self, pool_id: str) -> IdentityPool | None:
        """Give a pool of whatever account and region, or None."""
        found = self._pools.get(pool_id)
        return found[0] if found else None

    def pool(self, pool_id: str) -> IdentityPool:
        """Give a pool of whatever account and region. Raises: ResourceNotFoundException."""
        found = self.find(pool_id)
        if found is None:
            raise ResourceNotFoundException(f"IdentityPool '{pool_id}' not found.")
        return found

    def own(self, call: Call, pool_id: str) -> IdentityPool:
        """Give a pool of the caller's account and region. Raises: ResourceNotFoundException."""
        pool = self.pool(pool_id)
        if (pool.account_id, pool.region) != (call.account_id, call.region):
            raise ResourceNotFoundException(f"IdentityPool '{pool_id}' not found.")
        return pool

    def every(self, call: Call) -> list[IdentityPool]:
        """Give the pools of the caller's account and region by their ids."""
        found = (pool for pool, _ in self._pools.values())
        own = (pool for pool in found if (pool.account_id, pool.region) == (call.account_id, call.region))
        return sorted(own, key=lambda pool: pool.id)

    async def keep(self, pool: IdentityPool, old: IdentityPool | None) -> None:
        """Store a new pool, or `old` as it is changed. Raises: ConcurrentModificationException."""
        held = self._pools.get(pool.id)
        if (held[0] if held else None) is not old:
            raise ConcurrentModificationException(CONFLICT)
        key = RecordKey(POOL, pool.account_id, pool.region, pool.id)
        try:
            record = await self._records.put(key, pool.to_json(), expected_version=held[1] if held else 0)
        except VersionConflict as conflict:
            raise ConcurrentModificationException(CONFLICT) from conflict
        self._pools[pool.id] = (pool, record.version)

    async def delete(self, pool: IdentityPool) -> None:
        """Delete a pool; its identities go with it."""
        await self._records.delete(RecordKey(POOL, pool.account_id, pool.region, pool.id))
        self._pools.pop(pool.id, None)
        for kind in (LOGIN, IDENTITY):
            while found := await self._records.page(
                kind, pool.account_id, pool.region, prefix=f"{pool.id}{SEPARATOR}", count_max=PAGE
            ):
                await self._records.commit([Write(record.key, None) for record in found])

    # --- identities --------------------------------------------------------------------------------------------

    async def identity(self, pool: IdentityPool, identity_id: str) -> tuple[IdentityRecord, int] | None:
        """Give an identity of a pool with its version, or None."""
        record = await self._records.get(_identity_key(pool, identity_id))
        return (IdentityRecord.from_json(record.value), record.version) if record else None

    async def anywhere(self, identity_id: str, call: Call | None = None) -> tuple[IdentityPool, IdentityRecord, int]:
        """Find an identity by its id alone; with `call` only in the caller's pools. Raises: ResourceNotFound…."""
        pools = self.every(call) if call is not None else [pool for pool, _ in self._pools.values()]
        region = identity_id.partition(":")[0]
        for pool in pools:
            found = await self.identity(pool, identity_id) if pool.region == region else None
            if found is not None:
                return pool, *found
        raise ResourceNotFoundException(f"Identity '{identity_id}' not found.")

    async def by_login(self, pool: IdentityPool, login: tuple[str, str]) -> str:
        """Give the id of the identity that a login belongs to, empty when none."""
        record = await self._records.get(_login_key(pool, login))
        return str(record.value["identity_id"]) if record else ""

    async def page(self, pool: IdentityPool, *, after: str, count_max: int) -> list[IdentityRecord]:
        """Give identities after an id."""
        prefix = f"{pool.id}{SEPARATOR}"
        found: Sequence[Record] = await self._records.page(
            IDENTITY,
            pool.account_id,
            pool.region,
            prefix=prefix,
            after=f"{prefix}{after}" if after else "",
            count_max=count_max,
        )
        return [IdentityRecord.from_json(record.value) for record in found]

    async def change(
        self, pool: IdentityPool, new: IdentityRecord, old: tuple[IdentityRecord, int] | None
    ) -> IdentityRecord:
        """Write an identity with its logins, all or nothing.

        Raises: ResourceConflictException when a login belongs to another identity or the identity has changed.
        """
        held, version = old or (None, 0)
        before = set(held.logins) if held else set()
        writes = [Write(_identity_key(pool, new.id), new.to_json(), version)]
        writes += [
            Write(_login_key(pool, login), {"identity_id": new.id}, 0) for login in new.logins if login not in before
        ]
        writes += [Write(_login_key(pool, login), None) for login in before - set(new.logins)]
        try:
            await self._records.commit(writes)
        except VersionConflict as conflict:
            raise ResourceConflictException("Login is already linked to another account.") from conflict
        return new

    async def merge(
        self,
        pool: IdentityPool,
        kept: tuple[IdentityRecord, int],
        new: IdentityRecord,
        gone: tuple[IdentityRecord, int],
    ) -> None:
        """Hand all logins of an identity to another one and delete it. Raises: ResourceConflictException."""
        writes = [
            Write(_identity_key(pool, new.id), new.to_json(), kept[1]),
            Write(_identity_key(pool, gone[0].id), None, gone[1]),
            *(Write(_login_key(pool, login), {"identity_id": new.id}) for login in gone[0].logins),
        ]
        try:
            await self._records.commit(writes)
        except VersionConflict as conflict:
            raise ResourceConflictException(CONFLICT) from conflict

    async def delete_identity(self, pool: IdentityPool, identity: IdentityRecord) -> None:
        """Delete an identity with its logins."""
        writes = [Write(_identity_key(pool, identity.id), None)]
        writes += [Write(_login_key(pool, login), None) for login in identity.logins]
        await self._records.commit(writes)


def _identity_key(pool: IdentityPool, identity_id: str) -> RecordKey:
    return RecordKey(IDENTITY, pool.account_id, pool.region, f"{pool.id}{SEPARATOR}{identity_id}")


def _login_key(pool: IdentityPool, login: tuple[str, str]) -> RecordKey:
    return RecordKey(LOGIN, pool.account_id, pool.region, SEPARATOR.join((pool.id, *login)))
