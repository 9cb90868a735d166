"""How IAM's records change: one at a time, compare-and-set, then memory, then the gateways.

All changes of a process go through one lock, so that what is checked (a policy is attached to nobody) still holds when
it is written; the versions guard against other processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.operations import Change, RecordKey
from gatepost.kernel.ports import Publisher
from gatepost.services.iam.directory import TOPIC, AnEntity, Directory, Stored, change_key
from gatepost.services.iam.errors import (
    ConcurrentModificationException,
    EntityAlreadyExistsException,
    NoSuchEntityException,
)
from gatepost.services.iam.model import KINDS, USER, Entity, Group, User, kind_of, to_json
from gatepost.storage.base import Record, Records, Write


class Entities:
    """The only writer of IAM's records."""

    def __init__(self, records: Records, directory: Directory, publisher: Publisher) -> None:
        self._records = records
        self._directory = directory
        self._publisher = publisher
        self._changing = asyncio.Lock()

    async def load(self) -> None:
        """Feed every record to the directory, at start. Raises: StoreUnavailable."""
        for kind in KINDS:
            for record in await self._records.scan(kind):
                self._take_over(record)

    async def create(self, entity: Entity, *, exists: str, check: Callable[[], None] = lambda: None) -> None:
        """Write a new entity after `check` (which may raise).

        Raises: EntityAlreadyExistsException with the message `exists`, StoreUnavailable.
        """
        async with self._changing:
            if self._directory.stored(kind_of(entity), entity.account_id, entity.name) is not None:
                raise EntityAlreadyExistsException(exists)
            check()
            try:
                await self._write(entity, 0)
            except VersionConflict as conflict:
                raise EntityAlreadyExistsException(exists) from conflict

    async def change(
        self,
        entity_class: type[AnEntity],
        kind: str,
        account_id: str,
        name: str,
        *,
        missing: str,
        change: Callable[[AnEntity], AnEntity],
    ) -> AnEntity:
        """Replace an entity by what `change` makes of it; it may also raise, or give the entity itself for no change.

        Raises: NoSuchEntityException with the message `missing`, ConcurrentModificationException, StoreUnavailable.
        """
        async with self._changing:
            entity, version = self._found(entity_class, kind, account_id, name, missing=missing)
            changed = change(entity)
            if changed is entity:
                return changed
            try:
                if changed.name.lower() == entity.name.lower():
                    await self._write(changed, version)
                else:
                    await self._rename(entity, changed, version)
            except VersionConflict as conflict:
                raise ConcurrentModificationException("The entity was changed at the same time") from conflict
            return changed

    async def delete(
        self,
        entity_class: type[AnEntity],
        kind: str,
        account_id: str,
        name: str,
        *,
        missing: str,
        check: Callable[[AnEntity], None],
    ) -> None:
        """Delete an entity after `check` (which raises what is in the way).

        Raises: NoSuchEntityException with the message `missing`, ConcurrentModificationException, StoreUnavailable.
        """
        async with self._changing:
            entity, version = self._found(entity_class, kind, account_id, name, missing=missing)
            check(entity)
            await self._remove(entity, version)

    def _found(
        self, entity_class: type[AnEntity], kind: str, account_id: str, name: str, *, missing: str
    ) -> tuple[AnEntity, int]:
        """Give an entity and its version. Raises: NoSuchEntityException with the message `missing`."""
        stored = self._directory.stored(kind, account_id, name)
        if stored is None or not isinstance(stored.entity, entity_class):
            raise NoSuchEntityException(missing)
        return stored.entity, stored.version

    async def _write(self, entity: Entity, expected_version: int) -> None:
        record = await self._records.put(_key(entity), to_json(entity), expected_version=expected_version)
        self._take_over(record)
        await self._publish(entity.account_id, record.key, record)

    async def _rename(self, before: AnEntity, after: AnEntity, version: int) -> None:
        """Write an entity under its new name; who is in a group goes with it, in the same commit."""
        if self._directory.stored(kind_of(after), after.account_id, after.name) is not None:
            raise EntityAlreadyExistsException(f"{type(after).__name__} with name {after.name} already exists.")
        old, new = _key(before), _key(after)
        members: list[Stored] = self._members(before, after.name) if isinstance(before, Group) else []
        _, *records = await self._records.commit(
            (
                Write(old, None, version),
                Write(new, to_json(after), 0),
                *(Write(_key(one.entity), to_json(one.entity), one.version) for one in members),
            )
        )
        self._directory.apply(old.kind, old.account_id, old.id, None, 0)
        for record in records:
            assert record is not None
            self._take_over(record)
        await self._publish(after.account_id, old, None)
        for record in records:
            assert record is not None
            await self._publish(after.account_id, record.key, record)

    def _members(self, before: Group, new_name: str) -> list[Stored]:
        """Give who is in a group, as they are once it has its new name, with the versions of their records."""
        found = []
        for user in self._directory.every(USER, before.account_id, User):
            if before.name.lower() in user.groups:
                groups = tuple(new_name.lower() if name == before.name.lower() else name for name in user.groups)
                stored = self._directory.stored(USER, user.account_id, user.name)
                assert stored is not None
                found.append(Stored(replace(user, groups=groups), stored.version))
        return found

    async def _remove(self, entity: Entity, version: int) -> None:
        key = _key(entity)
        try:
            await self._records.delete(key, expected_version=version)
        except VersionConflict as conflict:
            raise ConcurrentModificationException("The entity was changed at the same time") from conflict
        self._directory.apply(key.kind, key.account_id, key.id, None, 0)
        await self._publish(entity.account_id, key, None)

    def _take_over(self, record: Record) -> None:
        key = record.key
        self._directory.apply(key.kind, key.account_id, key.id, record.value, record.version)

    async def _publish(self, account_id: str, key: RecordKey, record: Record | None) -> None:
        value = None if record is None else record.value
        await self._publisher.publish(Change(TOPIC, change_key(key.kind, account_id, key.id), value))


def _key(entity: Entity) -> RecordKey:
    return RecordKey(kind_of(entity), entity.account_id, "", entity.name.lower())
