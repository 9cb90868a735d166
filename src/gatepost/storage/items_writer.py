"""What a write may do to items: rows, indexes and counts, all of it or nothing, in the writer thread."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import apsw

from gatepost.kernel.clock import Clock
from gatepost.storage.items_keys import index_key
from gatepost.storage.items_tables import Expiry, ItemIndex, ItemTable, Stored

_SEEN: Final = "SELECT fingerprint FROM transaction_tokens WHERE account_id=? AND region=? AND token=?"
_REMEMBER: Final = "INSERT INTO transaction_tokens VALUES (?,?,?,?,?)"
COUNT: Final = "UPDATE counts SET items=items+?, bytes=bytes+? WHERE table_id=? AND index_id=?"


class IndexWrite(NamedTuple):
    """An entry that a write put into an index or took out of it, with its size in bytes."""

    target: ItemIndex
    size: int


class ItemWriter:
    """One atomic write: made by `ItemStore.write`, used in the writer thread, gone when the write ends."""

    __slots__ = ("_clock", "cursor")

    def __init__(self, cursor: apsw.Cursor, clock: Clock) -> None:
        self.cursor = cursor
        self._clock = clock

    def get(self, table: ItemTable, key: bytes) -> Stored | None:
        """Give the item under `key` as it stands in this transaction."""
        rows: Any = self.cursor.execute(table.sql.get, (key,)).fetchall()
        for size, blob in rows:
            return Stored(size, blob)
        return None

    def put(self, table: ItemTable, key: bytes, new: Stored, old: Stored | None) -> list[IndexWrite]:
        """Write `new` over `old`, which is what `get` gave, and keep indexes and counts right.

        Returns: what was written to indexes: an entry whose key changes is taken out and put in again.
        """
        self.cursor.execute(table.sql.put, (key, new.size, new.blob))
        if old is None:
            self._count(table.id, 0, 1, new.size)
        elif new.size != old.size:
            self._count(table.id, 0, 0, new.size - old.size)
        written: list[IndexWrite] = []
        for index in table.indexes:
            self._reindex(table, index, key, old, new, written)
        if table.expiry is not None:
            self._set_expiry(table.expiry, key, old, new)
        if table.is_logged:
            self._log(table, key, old, new)
        return written

    def delete(self, table: ItemTable, key: bytes, old: Stored, *, is_expiry: bool = False) -> list[IndexWrite]:
        """Take `old`, which is what `get` gave, away; give what was taken out of indexes."""
        self.cursor.execute(table.sql.delete, (key,))
        self._count(table.id, 0, -1, -old.size)
        written: list[IndexWrite] = []
        for index in table.indexes:
            self._reindex(table, index, key, old, None, written)
        if table.expiry is not None:
            self._set_expiry(table.expiry, key, old, None)
        if table.is_logged:
            self._log(table, key, old, None, is_expiry=is_expiry)
        return written

    def claim_token(
        self, account_id: str, region: str, token: str, fingerprint: bytes, *, now_ms: int, life_ms: int
    ) -> bytes | None:
        """Remember a transaction's token for `life_ms`; give the fingerprint it came with before, or None."""
        self.cursor.execute("DELETE FROM transaction_tokens WHERE expires_at_ms<=?", (now_ms,))
        place = (account_id, region, token)
        rows: Any = self.cursor.execute(_SEEN, place).fetchall()
        for (seen,) in rows:
            found: bytes = seen
            return found
        self.cursor.execute(_REMEMBER, (*place, fingerprint, now_ms + life_ms))
        return None

    def _set_expiry(self, expiry: Expiry, key: bytes, old: Stored | None, new: Stored | None) -> None:
        before, after = expiry.of(old), expiry.of(new)
        if before == after:
            return
        if before is not None:
            self.cursor.execute(expiry.delete, (before, key))
        if after is not None:
            self.cursor.execute(expiry.put, (after, key))

    def _log(
        self, table: ItemTable, key: bytes, old: Stored | None, new: Stored | None, *, is_expiry: bool = False
    ) -> None:
        now_ms = self._clock.now_ms()
        if table.stream is not None:
            table.stream.record(self.cursor, table.keys, old, new, now_ms=now_ms, is_expiry=is_expiry)
        if table.journal is not None:
            table.journal.record(self.cursor, key, old, now_ms=now_ms)

    def _count(self, table_id: int, index_id: int, items: int, grown: int) -> None:
        self.cursor.execute(COUNT, (items, grown, table_id, index_id))

    def _reindex(
        self,
        table: ItemTable,
        index: ItemIndex,
        key: bytes,
        old: Stored | None,
        new: Stored | None,
        written: list[IndexWrite],
    ) -> None:
        old_key = None if old is None else index_key(index.keys, old.item, key)
        new_key = None if new is None else index_key(index.keys, new.item, key)
        before = None if old is None or old_key is None else index.project(old)
        after = None if new is None or new_key is None else index.project(new)
        if before is not None and old_key != new_key:
            self.cursor.execute(index.sql.delete, (old_key,))
            written.append(IndexWrite(index, before.size))
        if after is not None and (before is None or old_key != new_key or before.blob != after.blob):
            self.cursor.execute(index.sql.put, (new_key, after.size, after.blob))
            is_same_entry = before is not None and old_key == new_key
            written.append(IndexWrite(index, max(after.size, before.size if is_same_entry and before else 0)))
        items = (after is not None) - (before is not None)
        grown = (0 if after is None else after.size) - (0 if before is None else before.size)
        if items or grown:
            self._count(table.id, index.id, items, grown)
