"""Logs of changes beside a table: its stream, which clients read, and its journal, which restores read.

Both are SQLite tables that only grow at their end, in the transaction that changes the item. A stream's record holds
the images that its view type wants, as the rows hold them. A journal's entry holds what was there *before*: undoing a
journal from its end back to a moment gives the table as it was then, with no base copy to keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from zlib import adler32

import orjson

if TYPE_CHECKING:
    import apsw

    from gatepost.storage.items_keys import KeySchema
    from gatepost.storage.items_tables import Stored

INSERT: Final = 0
MODIFY: Final = 1
REMOVE: Final = 2
EXPIRE: Final = 3  # a REMOVE by time to live
_WITH_NEW: Final = frozenset({"NEW_IMAGE", "NEW_AND_OLD_IMAGES"})
_WITH_OLD: Final = frozenset({"OLD_IMAGE", "NEW_AND_OLD_IMAGES"})


@dataclass(frozen=True, slots=True)
class StreamLog:
    """A table's enabled stream. `number` counts the streams that the table has had."""

    number: int
    label: str
    view: str
    relation: str
    append: str
    has_new: bool
    has_old: bool

    def record(
        self,
        cursor: apsw.Cursor,
        keys: KeySchema,
        old: Stored | None,
        new: Stored | None,
        *,
        now_ms: int,
        is_expiry: bool,
    ) -> None:
        """Append what a write did; a write that changed nothing leaves no record, as on AWS."""
        if new is None:
            kind = EXPIRE if is_expiry else REMOVE
        elif old is None:
            kind = INSERT
        else:
            if _may_be_equal(old.blob, new.blob) and (old.blob == new.blob or old.item == new.item):
                return
            kind = MODIFY
        new_blob = new.blob if new is not None and self.has_new else None
        old_blob = old.blob if old is not None and self.has_old else None
        key_blob = None
        if new_blob is None and old_blob is None:
            there = new if new is not None else old
            assert there is not None
            key_blob = orjson.dumps({name: there.item[name] for name in keys.names})
        cursor.execute(self.append, (now_ms, kind, key_blob, old_blob, new_blob))


@dataclass(frozen=True, slots=True)
class Journal:
    """What a table's items were before each write, while something may have to be restored from it."""

    relation: str
    append: str

    def record(self, cursor: apsw.Cursor, key: bytes, old: Stored | None, *, now_ms: int) -> None:
        """Append what was under `key` before this write."""
        if old is None:
            cursor.execute(self.append, (now_ms, key, None, None))
        else:
            cursor.execute(self.append, (now_ms, key, old.size, old.blob))


def _may_be_equal(one: bytes, other: bytes) -> bool:
    """Say whether two items can have the same attributes in any order, without building their trees.

    The same members in another order are as long and have the same sum of bytes, which is Adler-32's low half.
    """
    return len(one) == len(other) and (adler32(one) ^ adler32(other)) & 0xFFFF == 0


def stream_log(table_relation: str, number: int, label: str, view: str) -> StreamLog:
    """Describe a table's stream: it is `t<id>_s<number>`."""
    relation = stream_relation(table_relation, number)
    append = f"INSERT INTO {relation} (at_ms, kind, keys, old, new) VALUES (?,?,?,?,?)"  # noqa: S608
    return StreamLog(number, label, view, relation, append, view in _WITH_NEW, view in _WITH_OLD)


def stream_relation(table_relation: str, number: int) -> str:
    """Give the name of the SQLite table that holds a stream."""
    return f"{table_relation}_s{number}"


def journal_of(table_relation: str) -> Journal:
    """Describe a table's journal: it is `t<id>_j`."""
    relation = f"{table_relation}_j"
    return Journal(relation, f"INSERT INTO {relation} (at_ms, key, size, item) VALUES (?,?,?,?)")  # noqa: S608


def create_stream(cursor: apsw.Cursor, log: StreamLog, table_id: int, keys: list[list[str]], *, now_ms: int) -> None:
    """Make a stream of a table that is in the catalogue, with its first shard."""
    cursor.execute(
        f"CREATE TABLE {log.relation} (sequence INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind INTEGER NOT NULL,"
        " keys BLOB, old BLOB, new BLOB)"
    )
    cursor.execute(
        "INSERT INTO streams SELECT id, ?, account_id, region, name, ?, ?, ?, ?, 0 FROM catalogue WHERE id=?",
        (log.number, log.label, log.view, orjson.dumps(keys), now_ms, table_id),
    )
    cursor.execute("INSERT INTO shards VALUES (?,?,1,1,?,0,0)", (table_id, log.number, now_ms))


def end_stream(cursor: apsw.Cursor, table_relation: str, table_id: int, number: int, *, now_ms: int) -> None:
    """Close a stream: what is in it can be read for another day."""
    cursor.execute("UPDATE streams SET ended_at_ms=? WHERE table_id=? AND number=?", (now_ms, table_id, number))
    close_shard(cursor, stream_relation(table_relation, number), table_id, number, now_ms=now_ms)


def close_shard(cursor: apsw.Cursor, relation: str, table_id: int, number: int, *, now_ms: int) -> int:
    """Close the open shard of a stream; give the last sequence number in the stream so far."""
    rows: Any = cursor.execute(f"SELECT coalesce(max(sequence), 0) FROM {relation}").fetchall()  # noqa: S608
    last: int = rows[0][0]
    cursor.execute(
        "UPDATE shards SET last=max(?, first - 1), ended_at_ms=? WHERE table_id=? AND number=? AND ended_at_ms=0",
        (last, now_ms, table_id, number),
    )
    return last


def create_journal(cursor: apsw.Cursor, journal: Journal) -> None:
    """Make an empty journal."""
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {journal.relation} (sequence INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL,"
        " key BLOB NOT NULL, size INTEGER, item BLOB)"
    )


def trim(cursor: apsw.Cursor, relation: str, *, before_ms: int, count_max: int) -> int:
    """Delete at most `count_max` of the oldest records that are older than `before_ms`; give how many.

    The last record stays, so that no sequence number is given twice; readers leave out what is too old.
    """
    cursor.execute(
        f"DELETE FROM {relation} WHERE sequence < (SELECT max(sequence) FROM {relation}) AND sequence <= "  # noqa: S608
        f"(SELECT max(sequence) FROM (SELECT sequence, at_ms FROM {relation} ORDER BY sequence LIMIT ?)"
        " WHERE at_ms < ?)",
        (count_max, before_ms),
    )
    return cursor.connection.changes()
