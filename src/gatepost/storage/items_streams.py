"""What is read of streams: which there are, their shards, their records; and what keeps them bounded.

A stream has one open shard. A shard that is four hours old or holds a million records is closed and the next opened, as
its child. Records live for 24 hours, and so do a stream that was disabled and the stream of a table that was deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import apsw
import orjson

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import StoreUnavailable
from gatepost.storage.items_changes import close_shard, stream_relation, trim
from gatepost.storage.sqlite import Database

RETENTION_MS: Final = 24 * 3_600_000
SHARD_AGE_MS: Final = 4 * 3_600_000
SHARD_RECORDS_MAX: Final = 1_000_000
STEP_RECORDS: Final = 1_000  # trimmed in one write
_COLUMNS: Final = "table_id, number, account_id, region, table_name, label, view, keys, created_at_ms, ended_at_ms"


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream as it stands in the store."""

    table_id: int
    number: int
    account_id: str
    region: str
    table_name: str
    label: str
    view: str
    keys: list[list[str]]
    created_at_ms: int
    ended_at_ms: int  # 0: it is enabled

    @property
    def arn(self) -> str:
        """The stream's ARN."""
        return f"arn:aws:dynamodb:{self.region}:{self.account_id}:table/{self.table_name}/stream/{self.label}"

    @property
    def relation(self) -> str:
        """The SQLite table that holds it."""
        return stream_relation(f"t{self.table_id}", self.number)


class Shard(NamedTuple):
    """A part of a stream: the records from `first` to `last`; `ended_at_ms` 0: it is open and has no last one yet."""

    shard: int
    first: int
    started_at_ms: int
    last: int
    ended_at_ms: int


class StreamRecord(NamedTuple):
    """One change, with the JSON of what the view type shows."""

    sequence: int
    at_ms: int
    kind: int
    keys: bytes | None
    old: bytes | None
    new: bytes | None


class StreamStore:
    """The streams of one platform, in the database of its items."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def streams(self, account_id: str = "", region: str = "", table_name: str = "") -> list[StreamRow]:
        """Give the streams of an account and region, in the order of their making; without arguments all."""
        where = " WHERE account_id=? AND region=?" if account_id else ""
        values: tuple[str, ...] = (account_id, region) if account_id else ()
        if table_name:
            where, values = f"{where} AND table_name=?", (*values, table_name)
        sql = f"SELECT {_COLUMNS} FROM streams{where} ORDER BY table_id, number"  # noqa: S608
        rows: Any = self._read(sql, values)
        return [
            StreamRow(table_id, number, account, where, name, label, view, orjson.loads(keys), made_ms, ended_ms)
            for table_id, number, account, where, name, label, view, keys, made_ms, ended_ms in rows
        ]

    def shards(self, stream: StreamRow) -> list[Shard]:
        """Give a stream's shards, the oldest first."""
        sql = (
            "SELECT shard, first, started_at_ms, last, ended_at_ms FROM shards WHERE table_id=? AND number=? "
            "ORDER BY shard"
        )
        return [Shard(*row) for row in self._read(sql, (stream.table_id, stream.number))]

    def last_sequence(self, stream: StreamRow) -> int:
        """Give the number of the newest record, 0 when there was none."""
        rows = self._read(f"SELECT coalesce(max(sequence), 0) FROM {stream.relation}", ())  # noqa: S608
        last: int = rows[0][0]
        return last

    def first_since(self, stream: StreamRow, at_ms: int) -> int | None:
        """Give the number of the oldest record that is not older than `at_ms`."""
        sql = f"SELECT sequence FROM {stream.relation} WHERE at_ms>=? ORDER BY sequence LIMIT 1"  # noqa: S608
        rows = self._read(sql, (at_ms,))
        return rows[0][0] if rows else None

    def records(
        self, stream: StreamRow, first: int, last: int, *, since_ms: int, count_max: int, bytes_max: int
    ) -> list[StreamRecord]:
        """Give records from `first` to `last`: at most `count_max`, and what `bytes_max` holds but at least one."""
        sql = (
            f"SELECT sequence, at_ms, kind, keys, old, new FROM {stream.relation} "  # noqa: S608
            "WHERE sequence BETWEEN ? AND ? AND at_ms>=? ORDER BY sequence LIMIT ?"
        )
        found: list[StreamRecord] = []
        total = 0
        for row in self._read(sql, (first, last, since_ms, count_max)):
            record = StreamRecord(*row)
            total += sum(len(image) for image in record[3:] if image is not None)
            if total > bytes_max and found:
                break
            found.append(record)
        return found

    def _read(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
        try:
            rows: list[Any] = self._database.reader.execute(sql, values).fetchall()
        except apsw.Error as error:
            raise StoreUnavailable(str(error)) from error
        return rows

    async def maintain(self) -> None:
        """Rotate shards, forget what is a day old. Raises: StoreUnavailable."""
        now_ms = self._clock.now_ms()
        for stream in self.streams():
            if stream.ended_at_ms and stream.ended_at_ms < now_ms - RETENTION_MS:
                await self._database.write(partial(_forget, stream))
                continue
            (*_, newest) = self.shards(stream)
            is_old = newest.started_at_ms <= now_ms - SHARD_AGE_MS
            is_full = self.last_sequence(stream) - newest.first >= SHARD_RECORDS_MAX
            if not newest.ended_at_ms and (is_old or is_full):
                await self._database.write(partial(_rotate, stream, now_ms))
            await self._trim(stream, now_ms - RETENTION_MS)

    async def _trim(self, stream: StreamRow, before_ms: int) -> None:
        def work(cursor: apsw.Cursor) -> int:
            cursor.execute(
                "DELETE FROM shards WHERE table_id=? AND number=? AND ended_at_ms>0 AND ended_at_ms<?",
                (stream.table_id, stream.number, before_ms),
            )
            return trim(cursor, stream.relation, before_ms=before_ms, count_max=STEP_RECORDS)

        while await self._database.write(work) == STEP_RECORDS:
            pass


def _rotate(stream: StreamRow, now_ms: int, cursor: apsw.Cursor) -> None:
    place = (stream.table_id, stream.number)
    last = close_shard(cursor, stream.relation, *place, now_ms=now_ms)
    cursor.execute(
        "INSERT INTO shards SELECT table_id, number, max(shard) + 1, max(?, max(first)), ?, 0, 0 FROM shards "
        "WHERE table_id=? AND number=? AND EXISTS (SELECT 1 FROM streams s WHERE s.table_id=shards.table_id "
        "AND s.number=shards.number AND s.ended_at_ms=0)",
        (last + 1, now_ms, *place),
    )


def _forget(stream: StreamRow, cursor: apsw.Cursor) -> None:
    cursor.execute(f"DROP TABLE IF EXISTS {stream.relation}")
    for name in ("streams", "shards"):
        cursor.execute(f"DELETE FROM {name} WHERE table_id=? AND number=?", (stream.table_id, stream.number))  # noqa: S608
