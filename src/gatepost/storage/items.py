"""The item store: DynamoDB's tables and indexes as SQLite tables, and the catalogue of what exists.

One file holds all: each table is `t<id>`, each of its indexes `t<id>_<index id>`, both WITHOUT ROWID under
the key bytes of `items_keys`. A row holds the item's size as DynamoDB counts it and the item as JSON in wire
form, ready to be spliced into an answer. The catalogue keeps each table's definition (its meaning is the
service's) and the number and bytes of items, changed in the transaction that changes the items.

Reads run on the event loop by the database's reader and see what is committed. Writes are functions over an
`ItemWriter`, each atomic, run in the writer thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

import apsw
import orjson

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import StoreUnavailable
from gatepost.storage.items_backups import AVAILABLE, BackupStore, insert_backup, keep_rows
from gatepost.storage.items_changes import create_journal, create_stream, end_stream, trim
from gatepost.storage.items_keys import index_key
from gatepost.storage.items_streams import StreamStore
from gatepost.storage.items_tables import Expiry, ItemIndex, ItemTable, Stored
from gatepost.storage.items_writer import ItemWriter
from gatepost.storage.sqlite import LOST, Database, Migration

Result = TypeVar("Result")
Row = tuple[int, bytes]

MIGRATIONS: Final = (
    Migration(
        1,
        (
            "CREATE TABLE catalogue (id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL,"
            " region TEXT NOT NULL, name TEXT NOT NULL, definition BLOB NOT NULL,"
            " UNIQUE (account_id, region, name))",
            "CREATE TABLE counts (table_id INTEGER NOT NULL, index_id INTEGER NOT NULL, items INTEGER NOT NULL,"
            " bytes INTEGER NOT NULL, PRIMARY KEY (table_id, index_id)) WITHOUT ROWID",
            "CREATE TABLE transaction_tokens (account_id TEXT NOT NULL, region TEXT NOT NULL, token TEXT NOT NULL,"
            " fingerprint BLOB NOT NULL, expires_at_ms INTEGER NOT NULL,"
            " PRIMARY KEY (account_id, region, token)) WITHOUT ROWID",
            "CREATE INDEX transaction_tokens_by_age ON transaction_tokens (expires_at_ms)",
        ),
    ),
    Migration(
        2,
        (
            "CREATE TABLE streams (table_id INTEGER NOT NULL, number INTEGER NOT NULL, account_id TEXT NOT NULL,"
            " region TEXT NOT NULL, table_name TEXT NOT NULL, label TEXT NOT NULL, view TEXT NOT NULL,"
            " keys BLOB NOT NULL, created_at_ms INTEGER NOT NULL, ended_at_ms INTEGER NOT NULL,"
            " PRIMARY KEY (table_id, number)) WITHOUT ROWID",
            "CREATE TABLE shards (table_id INTEGER NOT NULL, number INTEGER NOT NULL, shard INTEGER NOT NULL,"
            " first INTEGER NOT NULL, started_at_ms INTEGER NOT NULL, last INTEGER NOT NULL,"
            " ended_at_ms INTEGER NOT NULL, PRIMARY KEY (table_id, number, shard)) WITHOUT ROWID",
        ),
    ),
    Migration(
        3,
        (
            "CREATE TABLE backups (id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL,"
            " region TEXT NOT NULL, arn TEXT NOT NULL UNIQUE, status TEXT NOT NULL, table_id INTEGER NOT NULL,"
            " above INTEGER NOT NULL, detail BLOB NOT NULL)",
        ),
    ),
)


class TableGone(Exception):
    """The table or index was deleted while an operation on it was under way."""


class TableExists(Exception):
    """A table of this name exists already."""


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """A table in the catalogue."""

    id: int
    account_id: str
    region: str
    name: str
    definition: dict[str, Any]


class KeptTable(NamedTuple):
    """What a backup of a deleted table is called, and what the service wants to know of it."""

    arn: str
    account_id: str
    region: str
    detail: dict[str, Any]


class ItemStore:
    """All items of one platform, on a database opened with this module's `MIGRATIONS`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.streams = StreamStore(database, clock)
        self.backups = BackupStore(database, clock)

    def catalogue(self) -> list[CatalogueRow]:
        """Give every table that exists. Raises: StoreUnavailable."""
        rows: Any = self._database.reader.execute("SELECT id, account_id, region, name, definition FROM catalogue")
        return [
            CatalogueRow(table_id, account_id, region, name, orjson.loads(definition))
            for table_id, account_id, region, name, definition in rows
        ]

    def get(self, table: ItemTable, key: bytes) -> Row | None:
        """Give size and JSON of the item under `key`, or None. Raises: TableGone, StoreUnavailable."""
        try:
            rows: Any = self._database.turn_reader.execute(table.sql.get, (key,)).fetchall()
        except apsw.Error as error:
            raise _lost(error) from error
        return rows[0] if rows else None

    def rows(
        self, place: ItemTable | ItemIndex, low: bytes, high: bytes, *, is_forward: bool, count_max: int, bytes_max: int
    ) -> tuple[list[Row], bool]:
        """Give size and JSON of the rows of a table or index under keys in `[low, high)`, in order.

        At most `count_max` rows, and as many as `bytes_max` holds but at least one. Also says whether one of
        the two ended it, so that more rows may follow. Raises: TableGone, StoreUnavailable.
        """
        sql = place.sql.forward if is_forward else place.sql.backward
        found: list[Row] = []
        total = 0
        try:
            cursor: Any = self._database.turn_reader.execute(sql, (low, high, count_max))
            for row in cursor:
                total += row[0]
                if total > bytes_max and found:
                    cursor.close()
                    return found, True
                found.append(row)
        except apsw.Error as error:
            raise _lost(error) from error
        return found, len(found) >= count_max

    def size_of_range(self, place: ItemTable | ItemIndex, low: bytes, high: bytes) -> int:
        """Give the bytes of all items under keys in `[low, high)`. It reads them all."""
        sql = f"SELECT coalesce(sum(size), 0) FROM {place.relation} WHERE key>=? AND key<?"  # noqa: S608
        try:
            total: int = self._database.reader.execute(sql, (low, high)).get
        except apsw.Error as error:
            raise _lost(error) from error
        return total

    def snapshot(self, read: Callable[[], Result]) -> Result:
        """Run several reads on one state of the store."""
        self._database.turn_reader  # noqa: B018 begins the turn's transaction, and no read waits within it
        return read()

    def counts(self, table_id: int) -> dict[int, tuple[int, int]]:
        """Give items and bytes by index id; 0 is the table itself."""
        sql = "SELECT index_id, items, bytes FROM counts WHERE table_id=?"
        rows: Any = self._database.reader.execute(sql, (table_id,))
        return {index_id: (items, size) for index_id, items, size in rows}

    def write(self, work: Callable[[ItemWriter], Result]) -> Awaitable[Result]:
        """Queue `work` as one atomic write, behind all that was queued before; durable when the awaited one returns.

        Raises: what `work` raises, TableGone, StoreUnavailable.
        """
        clock = self._clock

        def attempt(cursor: apsw.Cursor) -> Result:
            try:
                return work(ItemWriter(cursor, clock))
            except LOST:
                raise  # the database's own affair: it concerns the whole group
            except apsw.Error as error:
                raise _lost(error) from error

        return self._database.write(attempt)

    async def create_table(
        self, account_id: str, region: str, name: str, definition: dict[str, Any], describe: Callable[[int], ItemTable]
    ) -> ItemTable:
        """Create a table with its indexes. `describe` gets its new id. Raises: TableExists, StoreUnavailable."""

        def work(writer: ItemWriter) -> ItemTable:
            cursor = writer.cursor
            try:
                cursor.execute(
                    "INSERT INTO catalogue (account_id, region, name, definition) VALUES (?,?,?,?)",
                    (account_id, region, name, orjson.dumps(definition)),
                )
            except apsw.ConstraintError as error:
                raise TableExists(name) from error
            table = describe(cursor.connection.last_insert_rowid())
            _create(cursor, table.relation, table.id, 0)
            for index in table.indexes:
                _create(cursor, index.relation, table.id, index.id)
            if table.expiry is not None:
                _create_expiry(cursor, table.expiry)
            if table.stream is not None:
                create_stream(cursor, table.stream, table.id, _pairs(table), now_ms=self._clock.now_ms())
            if table.journal is not None:
                create_journal(cursor, table.journal)
            return table

        return await self.write(work)

    def redefine(self, table: ItemTable, changed: ItemTable, definition: dict[str, Any]) -> Awaitable[None]:
        """Queue a table's new definition: what `changed` has more is made (empty), what it lacks is dropped."""
        before = {index.id: index for index in table.indexes}
        after = {index.id: index for index in changed.indexes}
        added = [index for index_id, index in after.items() if index_id not in before]
        removed = [index for index_id, index in before.items() if index_id not in after]
        has_new_expiry = changed.expiry is not None and changed.expiry != table.expiry

        def work(writer: ItemWriter) -> None:
            cursor = writer.cursor
            cursor.execute("UPDATE catalogue SET definition=? WHERE id=?", (orjson.dumps(definition), table.id))
            for index in added:
                _create(cursor, index.relation, table.id, index.id)
            for index in removed:
                cursor.execute(f"DROP TABLE IF EXISTS {index.relation}")
                cursor.execute("DELETE FROM counts WHERE table_id=? AND index_id=?", (table.id, index.id))
            if table.expiry is not None and changed.expiry != table.expiry:
                cursor.execute(f"DROP TABLE IF EXISTS {table.expiry.relation}")
            if changed.expiry is not None and has_new_expiry:
                _create_expiry(cursor, changed.expiry)
            self._change_logs(cursor, table, changed)

        return self.write(work)

    def _change_logs(self, cursor: apsw.Cursor, table: ItemTable, changed: ItemTable) -> None:
        now_ms = self._clock.now_ms()
        if table.stream is not None and table.stream != changed.stream:
            end_stream(cursor, table.relation, table.id, table.stream.number, now_ms=now_ms)
        if changed.stream is not None and table.stream != changed.stream:
            create_stream(cursor, changed.stream, table.id, _pairs(table), now_ms=now_ms)
        if table.journal is not None and changed.journal is None:
            cursor.execute(f"DROP TABLE IF EXISTS {table.journal.relation}")
        if changed.journal is not None and table.journal is None:
            create_journal(cursor, changed.journal)

    async def drop_table(self, table: ItemTable, *, kept: KeptTable | None = None) -> None:
        """Delete a table with its indexes and items; its stream can be read for a day. Raises: StoreUnavailable.

        With `kept` its items become those of a backup.
        """

        def work(writer: ItemWriter) -> None:
            cursor = writer.cursor
            cursor.execute("DELETE FROM catalogue WHERE id=?", (table.id,))
            if kept is not None:
                backup_id = insert_backup(cursor, *kept[:3], AVAILABLE, table.id, 0, kept.detail)
                keep_rows(cursor, table, backup_id)
            cursor.execute("DELETE FROM counts WHERE table_id=?", (table.id,))
            relations = [table.relation, *(index.relation for index in table.indexes)]
            if table.expiry is not None:
                relations.append(table.expiry.relation)
            if table.journal is not None:
                relations.append(table.journal.relation)
            if table.stream is not None:
                end_stream(cursor, table.relation, table.id, table.stream.number, now_ms=self._clock.now_ms())
            for relation in relations:
                cursor.execute(f"DROP TABLE IF EXISTS {relation}")

        await self.write(work)

    async def trim_journal(self, table: ItemTable, *, before_ms: int, count_max: int) -> int:
        """Forget at most `count_max` entries of a table's journal that are older than `before_ms`; give how many."""
        journal = table.journal
        assert journal is not None
        return await self.write(
            lambda writer: trim(writer.cursor, journal.relation, before_ms=before_ms, count_max=count_max)
        )

    async def fill_index(self, table: ItemTable, index: ItemIndex, *, after: bytes, count_max: int) -> bytes | None:
        """Add the next `count_max` items of a table to a new index; give where to go on, None at the end.

        Writes that come between keep their own entries right, so an entry that is there already is left alone.
        The last step counts the index anew.
        """

        def work(writer: ItemWriter) -> bytes | None:
            cursor = writer.cursor
            last = b""
            for key, row in _next_items(cursor, table, after, count_max):
                last = key
                entry_key = index_key(index.keys, row.item, key)
                if entry_key is not None:
                    entry = index.project(row)
                    cursor.execute(index.sql.put_if_absent, (entry_key, entry.size, entry.blob))
            if last:
                return last
            cursor.execute(
                f"REPLACE INTO counts SELECT ?, ?, count(*), coalesce(sum(size), 0) FROM {index.relation}",  # noqa: S608
                (table.id, index.id),
            )
            return None

        return await self.write(work)

    async def fill_expiry(self, table: ItemTable, *, after: bytes, count_max: int) -> bytes | None:
        """Add the next `count_max` items to a new list of expiries; give where to go on, None at the end."""
        expiry = table.expiry
        assert expiry is not None

        def work(writer: ItemWriter) -> bytes | None:
            last = b""
            for key, row in _next_items(writer.cursor, table, after, count_max):
                last = key
                expires_at = expiry.of(row)
                if expires_at is not None:
                    writer.cursor.execute(expiry.put, (expires_at, key))
            return last or None

        return await self.write(work)

    async def expire(self, table: ItemTable, *, after_s: int, until_s: int, count_max: int) -> int:
        """Delete at most `count_max` items that expired after `after_s` and not after `until_s`; give how many."""
        expiry = table.expiry
        assert expiry is not None

        def work(writer: ItemWriter) -> int:
            keys: Any = writer.cursor.execute(expiry.due, (after_s, until_s, count_max)).fetchall()
            for (key,) in keys:
                old = writer.get(table, key)
                if old is not None:
                    writer.delete(table, key, old, is_expiry=True)
            return len(keys)

        return await self.write(work)


def _next_items(cursor: apsw.Cursor, table: ItemTable, after: bytes, count_max: int) -> list[tuple[bytes, Stored]]:
    sql = f"SELECT key, size, item FROM {table.relation} WHERE key>? ORDER BY key LIMIT ?"  # noqa: S608
    rows: Any = cursor.execute(sql, (after, count_max)).fetchall()
    return [(key, Stored(size, blob)) for key, size, blob in rows]


def _pairs(table: ItemTable) -> list[list[str]]:
    keys = table.keys
    return [[one.name, one.type] for one in (keys.partition, keys.sort) if one is not None]


def _create(cursor: apsw.Cursor, relation: str, table_id: int, index_id: int) -> None:
    cursor.execute(
        f"CREATE TABLE {relation} (key BLOB PRIMARY KEY, size INTEGER NOT NULL, item BLOB NOT NULL) WITHOUT ROWID"
    )
    cursor.execute("INSERT INTO counts VALUES (?,?,0,0)", (table_id, index_id))


def _create_expiry(cursor: apsw.Cursor, expiry: Expiry) -> None:
    cursor.execute(
        f"CREATE TABLE {expiry.relation} (expires_at INTEGER NOT NULL, key BLOB NOT NULL,"
        " PRIMARY KEY (expires_at, key)) WITHOUT ROWID"
    )


def _lost(error: apsw.Error) -> Exception:
    if isinstance(error, apsw.SQLError) and "no such table" in str(error):
        return TableGone(str(error))
    return StoreUnavailable(str(error))
