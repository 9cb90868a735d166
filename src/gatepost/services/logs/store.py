"""Log groups, streams and events in SQLite.

Function output comes in batches (`ingest`) and is written as chunks, one row for what a stream brought at once: a
thousand lines a second cost a few rows. All of it has a bound: the oldest chunks go when it is reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import apsw
import orjson

from gatepost.services.logs.events import CHUNK_SPAN_MS, Chunk, pack
from gatepost.services.logs.model import (
    DAY_MS,
    EVENT_OVERHEAD_BYTES,
    GroupName,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)
from gatepost.storage.sqlite import Database, Migration

MIGRATIONS: Final = (
    Migration(
        1,
        (
            "CREATE TABLE log_groups (id INTEGER PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL,"
            " name TEXT NOT NULL, created_at_ms INTEGER NOT NULL, retention_days INTEGER, tags BLOB NOT NULL,"
            " stored_bytes INTEGER NOT NULL DEFAULT 0, UNIQUE (account_id, region, name))",
            "CREATE TABLE log_streams (id INTEGER PRIMARY KEY, group_id INTEGER NOT NULL, name TEXT NOT NULL,"
            " created_at_ms INTEGER NOT NULL, first_ms INTEGER, last_ms INTEGER, ingested_at_ms INTEGER,"
            " UNIQUE (group_id, name))",
            "CREATE TABLE log_chunks (id INTEGER PRIMARY KEY AUTOINCREMENT, group_id INTEGER NOT NULL,"
            " stream_id INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,"
            " ingested_at_ms INTEGER NOT NULL, billed_bytes INTEGER NOT NULL, content BLOB NOT NULL)",
            "CREATE INDEX log_chunks_of_stream ON log_chunks (stream_id, first_ms)",
            "CREATE INDEX log_chunks_of_group ON log_chunks (group_id, first_ms)",
        ),
    ),
)
STORED_BYTES_MAX: Final = 2 * 1024**3
STREAMS_OF_GROUP_MAX: Final = 100_000
STREAMS_MAX: Final = 200_000  # each worker has one; over the bound the oldest go with their events
DELETED_AT_ONCE: Final = 200  # chunks of one write, so that ingest is not held up

_GROUP_COLUMNS: Final = "id, account_id, region, name, created_at_ms, retention_days, tags, stored_bytes"
_STREAM_COLUMNS: Final = "id, group_id, name, created_at_ms, first_ms, last_ms, ingested_at_ms"


@dataclass(frozen=True, slots=True)
class Group:
    """One log group."""

    id: int
    account_id: str
    region: str
    name: str
    created_at_ms: int
    retention_days: int | None
    tags: dict[str, str]
    stored_bytes: int

    @property
    def key(self) -> GroupName:
        """Its name with its owner."""
        return GroupName(self.account_id, self.region, self.name)


@dataclass(frozen=True, slots=True)
class Stream:
    """One log stream; times are None until the first event."""

    id: int
    group_id: int
    name: str
    created_at_ms: int
    first_ms: int | None
    last_ms: int | None
    ingested_at_ms: int | None


def _group(row: Sequence[Any]) -> Group:
    return Group(row[0], row[1], row[2], row[3], row[4], row[5], orjson.loads(row[6]), row[7])


class LogStore:
    """What is logged. Reads come from the event loop's connection, writes go through the writer's groups."""

    def __init__(
        self, database: Database, *, stored_bytes_max: int = STORED_BYTES_MAX, streams_max: int = STREAMS_MAX
    ) -> None:
        self._database = database
        self._streams_max = streams_max
        self._stored_bytes_max = stored_bytes_max

    # --- groups ------------------------------------------------------------------------------------------------

    def group(self, key: GroupName) -> Group | None:
        """Give a group, or None."""
        return _find_group(self._database.reader.cursor(), key)

    def groups(self, account_id: str, region: str, *, after: str, count: int, prefix: str, infix: str) -> list[Group]:
        """Give groups by name. `infix` is matched without regard to case, as DescribeLogGroups does."""
        rows = self._database.reader.execute(
            f"SELECT {_GROUP_COLUMNS} FROM log_groups WHERE account_id=? AND region=? AND name>?"  # noqa: S608
            " AND substr(name,1,length(?))=? AND instr(lower(name),lower(?))>0 ORDER BY name LIMIT ?",
            (account_id, region, after, prefix, prefix, infix, count),
        )
        return [_group(row) for row in rows]

    async def create_group(self, key: GroupName, *, now_ms: int, tags: Mapping[str, str]) -> None:
        """Make a group. Raises: ResourceAlreadyExistsException, StoreUnavailable."""

        def work(cursor: apsw.Cursor) -> None:
            if _find_group(cursor, key) is not None:
                raise ResourceAlreadyExistsException("The specified log group already exists")
            _insert_group(cursor, key, now_ms, tags)

        await self._database.write(work)

    async def delete_group(self, key: GroupName) -> None:
        """Delete a group with all its events. Raises: ResourceNotFoundException, StoreUnavailable."""

        def work(cursor: apsw.Cursor) -> None:
            group = _known_group(cursor, key)
            for table, column in (("log_chunks", "group_id"), ("log_streams", "group_id"), ("log_groups", "id")):
                cursor.execute(f"DELETE FROM {table} WHERE {column}=?", (group.id,))  # noqa: S608 - our own names

        await self._database.write(work)

    async def set_retention(self, key: GroupName, days: int | None) -> None:
        """Set how long events are kept; None: for ever. Raises: ResourceNotFoundException, StoreUnavailable."""

        def work(cursor: apsw.Cursor) -> None:
            group = _known_group(cursor, key)
            cursor.execute("UPDATE log_groups SET retention_days=? WHERE id=?", (days, group.id))

        await self._database.write(work)

    async def set_tags(self, key: GroupName, tags: Mapping[str, str]) -> None:
        """Replace a group's tags. Raises: ResourceNotFoundException, StoreUnavailable."""

        def work(cursor: apsw.Cursor) -> None:
            group = _known_group(cursor, key)
            cursor.execute("UPDATE log_groups SET tags=? WHERE id=?", (orjson.dumps(dict(tags)), group.id))

        await self._database.write(work)

    # --- streams -----------------------------------------------------------------------------------------------

    def stream(self, group: Group, name: str) -> Stream | None:
        """Give a stream, or None."""
        return _find_stream(self._database.reader.cursor(), group.id, name)

    def streams(self, group: Group, *, prefix: str = "") -> list[Stream]:
        """Give all streams of a group by name, at most 100,000."""
        rows = self._database.reader.execute(
            f"SELECT {_STREAM_COLUMNS} FROM log_streams WHERE group_id=? AND substr(name,1,length(?))=?"  # noqa: S608
            " ORDER BY name LIMIT ?",
            (group.id, prefix, prefix, STREAMS_OF_GROUP_MAX),
        )
        return [Stream(*row) for row in rows]

    async def create_stream(self, key: GroupName, name: str, *, now_ms: int) -> None:
        """Make a stream. Raises: ResourceNotFoundException, ResourceAlreadyExistsException, StoreUnavailable."""

        def work(cursor: apsw.Cursor) -> None:
            group = _known_group(cursor, key)
            if _find_stream(cursor, group.id, name) is not None:
                raise ResourceAlreadyExistsException("The specified log stream already exists")
            _insert_stream(cursor, group.id, name, now_ms)

        await self._database.write(work)

    async def delete_stream(self, key: GroupName, name: str) -> None:
        """Delete a stream with its events. Raises: ResourceNotFoundException, StoreUnavailable."""

        def work(cursor: apsw.Cursor) -> None:
            group = _known_group(cursor, key)
            stream = _known_stream(cursor, group, name)
            total = cursor.execute(
                "SELECT coalesce(sum(billed_bytes),0) FROM log_chunks WHERE stream_id=?", (stream.id,)
            ).fetchone()
            assert total is not None
            cursor.execute("UPDATE log_groups SET stored_bytes=stored_bytes-? WHERE id=?", (total[0], group.id))
            cursor.execute("DELETE FROM log_chunks WHERE stream_id=?", (stream.id,))
            cursor.execute("DELETE FROM log_streams WHERE id=?", (stream.id,))

        await self._database.write(work)

    # --- events ------------------------------------------------------------------------------------------------

    async def put(self, key: GroupName, stream_name: str, events: list[tuple[int, str]], *, now_ms: int) -> None:
        """Write events to a stream that exists. Raises: ResourceNotFoundException, StoreUnavailable."""
        chunks = pack(events)
        billed_bytes = _billed(events)

        def work(cursor: apsw.Cursor) -> None:
            group = _known_group(cursor, key)
            stream = _known_stream(cursor, group, stream_name)
            _insert_chunks(cursor, group.id, stream.id, chunks, billed_bytes, now_ms)

        await self._database.write(work)

    async def ingest(self, entries: Sequence[tuple[GroupName, str, list[tuple[int, str]]]], *, now_ms: int) -> None:
        """Write what functions said; groups and streams are made as needed. Raises: StoreUnavailable."""
        packed = [(key, stream, pack(events), _billed(events)) for key, stream, events in entries if events]

        def work(cursor: apsw.Cursor) -> None:
            for key, stream_name, chunks, billed_bytes in packed:
                group = _find_group(cursor, key)
                group_id = group.id if group else _insert_group(cursor, key, now_ms, {})
                stream = _find_stream(cursor, group_id, stream_name)
                stream_id = stream.id if stream else _insert_stream(cursor, group_id, stream_name, now_ms)
                _insert_chunks(cursor, group_id, stream_id, chunks, billed_bytes, now_ms)

        if packed:
            await self._database.write(work)

    def chunks_forward(self, *, group: Group, stream: Stream | None, from_ms: int, to_ms: int) -> Iterator[Chunk]:
        """Give the chunks that may hold events of [from, to), by their first event."""
        column, value = ("stream_id", stream.id) if stream else ("group_id", group.id)
        rows = self._database.reader.execute(
            "SELECT c.id, s.name, c.first_ms, c.last_ms, c.ingested_at_ms, c.content FROM log_chunks c"  # noqa: S608
            f" JOIN log_streams s ON s.id=c.stream_id WHERE c.{column}=? AND c.first_ms>=? AND c.first_ms<?"
            " AND c.last_ms>=? ORDER BY c.first_ms",
            (value, from_ms - CHUNK_SPAN_MS, to_ms, from_ms),
        )
        return (Chunk(*row) for row in rows)

    def chunks_backward(self, *, group: Group, stream: Stream, from_ms: int, to_ms: int) -> Iterator[Chunk]:
        """Give the chunks that may hold events of [from, to), the latest first.

        They come by their first event; a reader must look `CHUNK_SPAN_MS` further, so `last_ms` is given as at most
        that much later than what is still to come.
        """
        del group
        rows = self._database.reader.execute(
            "SELECT c.id, ?, c.first_ms, c.first_ms+?, c.ingested_at_ms, c.content FROM log_chunks c"
            " WHERE c.stream_id=? AND c.first_ms>=? AND c.first_ms<? AND c.last_ms>=? ORDER BY c.first_ms DESC",
            (stream.name, CHUNK_SPAN_MS, stream.id, from_ms - CHUNK_SPAN_MS, to_ms, from_ms),
        )
        return (Chunk(*row) for row in rows)

    # --- what goes ---------------------------------------------------------------------------------------------

    async def delete_expired(self, now_ms: int) -> int:
        """Delete some chunks that outlived their group's retention, and the oldest ones over the bound.

        Call again at once when the answer is not 0. Raises: StoreUnavailable.
        """

        def work(cursor: apsw.Cursor) -> int:
            rows = cursor.execute(
                "SELECT c.id, c.group_id, c.billed_bytes FROM log_groups g JOIN log_chunks c ON c.group_id=g.id"
                " WHERE g.retention_days IS NOT NULL AND c.first_ms < ?-g.retention_days*?"
                " AND c.last_ms < ?-g.retention_days*? LIMIT ?",
                (now_ms, DAY_MS, now_ms, DAY_MS, DELETED_AT_ONCE),
            ).fetchall()
            total = cursor.execute("SELECT coalesce(sum(stored_bytes),0) FROM log_groups").fetchone()
            assert total is not None
            if not rows and total[0] > self._stored_bytes_max:
                rows = cursor.execute(
                    "SELECT id, group_id, billed_bytes FROM log_chunks ORDER BY id LIMIT ?", (DELETED_AT_ONCE,)
                ).fetchall()
            if not rows:
                rows = _chunks_of_old_streams(cursor, self._streams_max)
            for chunk_id, group_id, billed_bytes in rows:
                cursor.execute("DELETE FROM log_chunks WHERE id=?", (chunk_id,))
                cursor.execute("UPDATE log_groups SET stored_bytes=stored_bytes-? WHERE id=?", (billed_bytes, group_id))
            return len(rows)

        return await self._database.write(work)


def _chunks_of_old_streams(cursor: apsw.Cursor, streams_max: int) -> list[Any]:
    """Delete the oldest streams over the bound that are empty; give some chunks of the oldest that is not."""
    count = cursor.execute("SELECT count(*) FROM log_streams").fetchone()
    assert count is not None
    if count[0] <= streams_max:
        return []
    oldest = cursor.execute("SELECT id FROM log_streams ORDER BY id LIMIT ?", (count[0] - streams_max,)).fetchall()
    for (stream_id,) in oldest:
        chunks = cursor.execute(
            "SELECT id, group_id, billed_bytes FROM log_chunks WHERE stream_id=? LIMIT ?", (stream_id, DELETED_AT_ONCE)
        ).fetchall()
        if chunks:
            return chunks
        cursor.execute("DELETE FROM log_streams WHERE id=?", (stream_id,))
    return []


def _billed(events: list[tuple[int, str]]) -> int:
    size = sum(len(message) if message.isascii() else len(message.encode()) for _, message in events)
    return size + len(events) * EVENT_OVERHEAD_BYTES


def _find_group(cursor: apsw.Cursor, key: GroupName) -> Group | None:
    row = cursor.execute(
        f"SELECT {_GROUP_COLUMNS} FROM log_groups WHERE account_id=? AND region=? AND name=?",  # noqa: S608
        (key.account_id, key.region, key.name),
    ).fetchone()
    return _group(row) if row else None


def _known_group(cursor: apsw.Cursor, key: GroupName) -> Group:
    group = _find_group(cursor, key)
    if group is None:
        raise ResourceNotFoundException("The specified log group does not exist.")
    return group


def _find_stream(cursor: apsw.Cursor, group_id: int, name: str) -> Stream | None:
    row = cursor.execute(
        f"SELECT {_STREAM_COLUMNS} FROM log_streams WHERE group_id=? AND name=?",  # noqa: S608
        (group_id, name),
    ).fetchone()
    return Stream(*row) if row else None


def _known_stream(cursor: apsw.Cursor, group: Group, name: str) -> Stream:
    stream = _find_stream(cursor, group.id, name)
    if stream is None:
        raise ResourceNotFoundException("The specified log stream does not exist.")
    return stream


def _insert_group(cursor: apsw.Cursor, key: GroupName, now_ms: int, tags: Mapping[str, str]) -> int:
    row = cursor.execute(
        "INSERT INTO log_groups (account_id, region, name, created_at_ms, tags) VALUES (?,?,?,?,?) RETURNING id",
        (key.account_id, key.region, key.name, now_ms, orjson.dumps(dict(tags))),
    ).fetchone()
    assert row is not None
    return int(row[0])


def _insert_stream(cursor: apsw.Cursor, group_id: int, name: str, now_ms: int) -> int:
    row = cursor.execute(
        "INSERT INTO log_streams (group_id, name, created_at_ms) VALUES (?,?,?) RETURNING id", (group_id, name, now_ms)
    ).fetchone()
    assert row is not None
    return int(row[0])


def _insert_chunks(
    cursor: apsw.Cursor,
    group_id: int,
    stream_id: int,
    chunks: list[tuple[int, int, bytes]],
    billed_bytes: int,
    now_ms: int,
) -> None:
    for number, (first_ms, last_ms, content) in enumerate(chunks):
        billed = billed_bytes if number == 0 else 0
        cursor.execute(
            "INSERT INTO log_chunks (group_id, stream_id, first_ms, last_ms, ingested_at_ms, billed_bytes, content)"
            " VALUES (?,?,?,?,?,?,?)",
            (group_id, stream_id, first_ms, last_ms, now_ms, billed, content),
        )
    cursor.execute("UPDATE log_groups SET stored_bytes=stored_bytes+? WHERE id=?", (billed_bytes, group_id))
    cursor.execute(
        "UPDATE log_streams SET first_ms=min(coalesce(first_ms,?1),?1), last_ms=max(coalesce(last_ms,?2),?2),"
        " ingested_at_ms=?3 WHERE id=?4",
        (chunks[0][0], chunks[-1][1], now_ms, stream_id),
    )
