"""Records in SQLite: one table, values as JSON, versions for compare-and-set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import apsw
import orjson

from gatepost.kernel.errors import StoreUnavailable, VersionConflict
from gatepost.kernel.operations import RecordKey
from gatepost.storage.base import Record, Write
from gatepost.storage.sqlite import Database, Migration

MIGRATIONS: Final = (
    Migration(
        1,
        (
            "CREATE TABLE records (kind TEXT NOT NULL, account_id TEXT NOT NULL, region TEXT NOT NULL,"
            " id TEXT NOT NULL, version INTEGER NOT NULL, value BLOB NOT NULL,"
            " PRIMARY KEY (kind, account_id, region, id)) WITHOUT ROWID",
        ),
    ),
)

_GET: Final = "SELECT version, value FROM records WHERE kind=? AND account_id=? AND region=? AND id=?"
_PUT: Final = (
    "INSERT INTO records VALUES (?,?,?,?,?,?) ON CONFLICT DO UPDATE SET version=excluded.version, value=excluded.value"
)
_DELETE: Final = "DELETE FROM records WHERE kind=? AND account_id=? AND region=? AND id=?"
_PAGE: Final = (
    "SELECT id, version, value FROM records WHERE kind=? AND account_id=? AND region=? AND id>? AND id>=? AND id<?"
    " ORDER BY id LIMIT ?"
)
_SCAN: Final = "SELECT account_id, region, id, version, value FROM records WHERE kind=? ORDER BY account_id, region, id"
_AFTER_EVERY_CHARACTER: Final = "\U0010ffff"


class SqliteRecords:
    """`storage.base.Records` on one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: RecordKey) -> Record | None:
        """Give the record as last committed, or None. Raises: StoreUnavailable."""
        for version, value in self._read(_GET, key):
            return Record(key, version, orjson.loads(value))
        return None

    async def put(self, key: RecordKey, value: dict[str, Any], *, expected_version: int | None) -> Record:
        """Write one record; `expected_version` None overwrites, 0 creates.

        Raises: VersionConflict, StoreUnavailable.
        """
        (record,) = await self.commit((Write(key, value, expected_version),))
        assert record is not None
        return record

    async def delete(self, key: RecordKey, *, expected_version: int | None = None) -> bool:
        """Delete one record and say whether it was there. Raises: VersionConflict, StoreUnavailable."""

        def work(cursor: apsw.Cursor) -> bool:
            found = cursor.execute(_GET, key).fetchone()
            _check_version(key, found, expected_version)
            cursor.execute(_DELETE, key)
            return found is not None

        return await self._database.write(work)

    async def page(
        self, kind: str, account_id: str, region: str, *, prefix: str = "", after: str = "", count_max: int = 1000
    ) -> list[Record]:
        """Give at most `count_max` records in the order of their ids, from the first id greater than `after`."""
        bound = prefix + _AFTER_EVERY_CHARACTER
        rows = self._read(_PAGE, (kind, account_id, region, after, prefix, bound, count_max))
        return [
            Record(RecordKey(kind, account_id, region, record_id), version, orjson.loads(value))
            for record_id, version, value in rows
        ]

    async def scan(self, kind: str) -> list[Record]:
        """Give all records of a kind, of every account and region, in key order."""
        return [
            Record(RecordKey(kind, account_id, region, record_id), version, orjson.loads(value))
            for account_id, region, record_id, version, value in self._read(_SCAN, (kind,))
        ]

    async def commit(self, writes: Sequence[Write]) -> list[Record | None]:
        """Do all of `writes` or none, in order; give what now stands for each.

        Raises: VersionConflict, StoreUnavailable.
        """
        encoded = [None if write.value is None else orjson.dumps(write.value) for write in writes]

        def work(cursor: apsw.Cursor) -> list[int]:
            return [_write(cursor, write, value) for write, value in zip(writes, encoded, strict=True)]

        versions = await self._database.write(work)
        return [
            None if write.value is None else Record(write.key, version, write.value)
            for write, version in zip(writes, versions, strict=True)
        ]

    def _read(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            return self._database.reader.execute(statement, tuple(values)).fetchall()
        except apsw.Error as error:
            raise StoreUnavailable(f"{self._database.path.name} cannot be read: {error}") from error


def _check_version(key: RecordKey, found: tuple[Any, ...] | None, expected_version: int | None) -> None:
    stands = 0 if found is None else found[0]
    if expected_version is not None and stands != expected_version:
        raise VersionConflict(f"{key.kind} {key.id} is at version {stands}, not {expected_version}")


def _write(cursor: apsw.Cursor, write: Write, value: bytes | None) -> int:
    found = cursor.execute(_GET, write.key).fetchone()
    _check_version(write.key, found, write.expected_version)
    if value is None:
        cursor.execute(_DELETE, write.key)
        return 0
    version = 1 if found is None else int(found[0]) + 1
    cursor.execute(_PUT, (*write.key, version, value))
    return version
