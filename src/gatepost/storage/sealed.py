"""Records whose values nobody reads in the file: some kinds are sealed on their way in and opened on their way out.

What is sealed is the value as a whole, bound to the record's key: it opens neither as another record nor as one of
another kind. Keys stay readable, they are names. `seal_plain` seals what an older Gatepost has left.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Final

import apsw
import orjson

from gatepost.kernel.errors import StoreUnavailable
from gatepost.kernel.operations import RecordKey
from gatepost.security.sealing import NotSealed, Seal
from gatepost.storage.base import Record, Records, Write
from gatepost.storage.sqlite import Database

SEALED: Final = "sealed"  # the one member of a sealed value
_PLAIN: Final = "SELECT account_id, region, id, value FROM records WHERE kind=?"
_REPLACE: Final = "UPDATE records SET value=? WHERE kind=? AND account_id=? AND region=? AND id=?"


class SealedRecords:
    """`storage.base.Records` on others, with `kinds` sealed."""

    def __init__(self, records: Records, seal: Seal, kinds: Collection[str]) -> None:
        self._records = records
        self._seal = seal
        self._kinds = frozenset(kinds)

    async def get(self, key: RecordKey) -> Record | None:
        """Give the record as last committed, or None. Raises: StoreUnavailable."""
        record = await self._records.get(key)
        return None if record is None else self._opened(record)

    async def put(self, key: RecordKey, value: dict[str, Any], *, expected_version: int | None) -> Record:
        """Write one record. Raises: VersionConflict, StoreUnavailable."""
        (record,) = await self.commit((Write(key, value, expected_version),))
        assert record is not None
        return record

    async def delete(self, key: RecordKey, *, expected_version: int | None = None) -> bool:
        """Delete one record and say whether it was there. Raises: VersionConflict, StoreUnavailable."""
        return await self._records.delete(key, expected_version=expected_version)

    async def page(
        self, kind: str, account_id: str, region: str, *, prefix: str = "", after: str = "", count_max: int = 1000
    ) -> list[Record]:
        """Give records in the order of their ids, from the first id that is greater than `after`."""
        found = await self._records.page(kind, account_id, region, prefix=prefix, after=after, count_max=count_max)
        return [self._opened(record) for record in found]

    async def scan(self, kind: str) -> list[Record]:
        """Give all records of a kind, of every account and region, in key order."""
        return [self._opened(record) for record in await self._records.scan(kind)]

    async def commit(self, writes: Sequence[Write]) -> list[Record | None]:
        """Do all of `writes` or none, in order. Raises: VersionConflict, StoreUnavailable."""
        written = await self._records.commit([self._sealed(write) for write in writes])
        return [
            None if record is None or write.value is None else replace(record, value=write.value)
            for write, record in zip(writes, written, strict=True)
        ]

    def _sealed(self, write: Write) -> Write:
        if write.value is None or write.key.kind not in self._kinds:
            return write
        return replace(write, value=_close(self._seal, write.key, orjson.dumps(write.value)))

    def _opened(self, record: Record) -> Record:
        if record.key.kind not in self._kinds or SEALED not in record.value:
            return record
        return replace(record, value=orjson.loads(_open(self._seal, record.key, record.value[SEALED])))


async def seal_plain(database: Database, seal: Seal, kinds: Collection[str]) -> int:
    """Seal the records of `kinds` that are readable, and give how many there were; versions stay.

    Raises: StoreUnavailable.

    What they said is overwritten in the file, too. The write-ahead log forgets it at its next checkpoint.
    """

    def work(cursor: apsw.Cursor) -> int:
        cursor.execute("PRAGMA secure_delete=ON").fetchall()
        count = 0
        for kind in sorted(kinds):
            rows: list[tuple[Any, ...]] = cursor.execute(_PLAIN, (kind,)).fetchall()
            for account_id, region, record_id, value in rows:
                if SEALED in orjson.loads(value):
                    continue
                key = RecordKey(kind, account_id, region, record_id)
                cursor.execute(_REPLACE, (orjson.dumps(_close(seal, key, value)), *key))
                count += 1
        return count

    return await database.write(work)


def opened_value(seal: Seal, key: Sequence[str], value: bytes) -> bytes:
    """Give the JSON of a record as it lies in the file, opened if it is sealed. Raises: StoreUnavailable."""
    if not value.startswith(b'{"sealed":'):
        return value
    return _open(seal, RecordKey(*key), orjson.loads(value)[SEALED])


def _open(seal: Seal, key: RecordKey, text: str) -> bytes:
    try:
        return seal.open(base64.b64decode(text), purpose=_purpose(key))
    except (NotSealed, ValueError) as error:
        raise StoreUnavailable(
            f"the record {key.kind} {key.id} cannot be opened with this platform's seal.key: {error}"
        ) from error


def _close(seal: Seal, key: RecordKey, content: bytes) -> dict[str, Any]:
    return {SEALED: base64.b64encode(seal.seal(content, purpose=_purpose(key))).decode("ascii")}


def _purpose(key: RecordKey) -> str:
    return "record " + "\0".join(key)
