"""Backups: copies of tables, and the steps by which a copy is made while its source is written.

A copy is a table of rows (`b<id>`) without indexes. Rows are copied in the order of keys, some in each write, so that
other writes hardly wait; what was written meanwhile is in the source's journal and is undone at the end. Every step may
be done twice, so a copy that a stop interrupted begins anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import apsw
import orjson

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import StoreUnavailable
from gatepost.storage.items_keys import KeySchema
from gatepost.storage.items_tables import ItemTable, Stored, bare_table
from gatepost.storage.items_writer import ItemWriter
from gatepost.storage.sqlite import Database

Result = TypeVar("Result")

CREATING: Final = "CREATING"
AVAILABLE: Final = "AVAILABLE"


@dataclass(frozen=True, slots=True)
class BackupRow:
    """A backup in the catalogue. `detail` holds what the service wants to know later."""

    id: int
    account_id: str
    region: str
    arn: str
    status: str
    table_id: int  # of the source, in the store
    above: int  # the journal's last entry when the backup began: what is above is undone
    detail: dict[str, Any]


def backup_table(backup_id: int, keys: KeySchema) -> ItemTable:
    """Describe a backup's rows to the store. Its counts lie under the negative id."""
    return bare_table(-backup_id, keys, f"b{backup_id}")


class BackupStore:
    """The backups of one platform, in the database of its items."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def all(self) -> list[BackupRow]:
        """Give every backup, the oldest first. Raises: StoreUnavailable."""
        sql = "SELECT id, account_id, region, arn, status, table_id, above, detail FROM backups ORDER BY id"
        try:
            rows: Any = self._database.reader.execute(sql).fetchall()
        except apsw.Error as error:
            raise StoreUnavailable(str(error)) from error
        return [
            BackupRow(backup_id, account_id, region, arn, status, table_id, above, orjson.loads(detail))
            for backup_id, account_id, region, arn, status, table_id, above, detail in rows
        ]

    async def _write(self, work: Callable[[ItemWriter], Result]) -> Result:
        try:
            return await self._database.write(lambda cursor: work(ItemWriter(cursor, self._clock)))
        except apsw.Error as error:
            raise StoreUnavailable(str(error)) from error

    async def begin(
        self, table: ItemTable, arn: str, account_id: str, region: str, detail: dict[str, Any]
    ) -> BackupRow:
        """Begin a backup of a table whose journal is on: it will hold the table as it is in this write."""

        def work(writer: ItemWriter) -> BackupRow:
            cursor = writer.cursor
            assert table.journal is not None
            rows: Any = cursor.execute(
                f"SELECT coalesce(max(sequence), 0) FROM {table.journal.relation}"  # noqa: S608
            ).fetchall()
            above: int = rows[0][0]
            backup_id = insert_backup(cursor, arn, account_id, region, CREATING, table.id, above, detail)
            cursor.execute(
                f"CREATE TABLE b{backup_id} (key BLOB PRIMARY KEY, size INTEGER NOT NULL, item BLOB NOT NULL)"
                " WITHOUT ROWID"
            )
            cursor.execute("INSERT INTO counts VALUES (?,0,0,0)", (-backup_id,))
            return BackupRow(backup_id, account_id, region, arn, CREATING, table.id, above, detail)

        return await self._write(work)

    async def copy(self, source: str, target: ItemTable, *, after: bytes, count_max: int) -> bytes | None:
        """Copy the next `count_max` rows of the SQLite table `source`; give where to go on, None at the end."""

        def work(writer: ItemWriter) -> bytes | None:
            sql = f"SELECT key, size, item FROM {source} WHERE key>? ORDER BY key LIMIT ?"  # noqa: S608
            last = b""
            rows: Any = writer.cursor.execute(sql, (after, count_max)).fetchall()
            for key, size, blob in rows:
                last = key
                writer.put(target, key, Stored(size, blob), writer.get(target, key))
            return last or None

        return await self._write(work)

    async def undo(
        self, journal: str, target: ItemTable, *, below: int, above: int, until_ms: int, count_max: int
    ) -> int:
        """Undo the newest `count_max` entries of a journal below `below` (0: all) in a copy; give where to go on.

        It ends, with 0, at an entry whose number is not greater than `above` or whose time is not after `until_ms`.
        """

        def work(writer: ItemWriter) -> int:
            sql = (
                f"SELECT sequence, at_ms, key, size, item FROM {journal} WHERE sequence<? AND sequence>? "  # noqa: S608
                "ORDER BY sequence DESC LIMIT ?"
            )
            rows: Any = writer.cursor.execute(sql, (below or 1 << 62, above, count_max)).fetchall()
            for _, at_ms, key, size, blob in rows:
                if at_ms <= until_ms:
                    return 0
                standing = writer.get(target, key)
                if blob is not None:
                    writer.put(target, key, Stored(size, blob), standing)
                elif standing is not None:
                    writer.delete(target, key, standing)
            return rows[-1][0] if rows else 0

        return await self._write(work)

    async def finish(self, backup: BackupRow) -> None:
        """Make a backup available."""

        def work(writer: ItemWriter) -> None:
            writer.cursor.execute("UPDATE backups SET status=? WHERE id=?", (AVAILABLE, backup.id))

        await self._write(work)

    async def delete(self, backup: BackupRow) -> None:
        """Delete a backup with its rows."""
        await self._write(lambda writer: _delete(writer.cursor, backup.id))


def insert_backup(
    cursor: apsw.Cursor,
    arn: str,
    account_id: str,
    region: str,
    status: str,
    table_id: int,
    above: int,
    detail: dict[str, Any],
) -> int:
    """Put a backup into the catalogue and give its id."""
    cursor.execute(
        "INSERT INTO backups (account_id, region, arn, status, table_id, above, detail) VALUES (?,?,?,?,?,?,?)",
        (account_id, region, arn, status, table_id, above, orjson.dumps(detail)),
    )
    return cursor.connection.last_insert_rowid()


def keep_rows(cursor: apsw.Cursor, table: ItemTable, backup_id: int) -> None:
    """Make the rows of a table that goes away those of a backup, without copying them."""
    cursor.execute(f"ALTER TABLE {table.relation} RENAME TO b{backup_id}")
    cursor.execute("UPDATE counts SET table_id=? WHERE table_id=? AND index_id=0", (-backup_id, table.id))


def _delete(cursor: apsw.Cursor, backup_id: int) -> None:
    cursor.execute("DELETE FROM backups WHERE id=?", (backup_id,))
    cursor.execute("DELETE FROM counts WHERE table_id=?", (-backup_id,))
    cursor.execute(f"DROP TABLE IF EXISTS b{backup_id}")
