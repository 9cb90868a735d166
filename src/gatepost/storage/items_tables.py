"""What the item store knows of a table: its keys, its indexes, its SQLite tables and their statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson

from gatepost.languages.item_values import Item, item_bytes
from gatepost.storage.items_changes import Journal, StreamLog, journal_of, stream_log
from gatepost.storage.items_keys import KeySchema

SECONDS_DIGITS_MAX: Final = 15  # of a time of expiry: far beyond any date, and an integer of SQLite's


class Stored:
    """An item as it lies in a row: its size, its JSON, and its tree, which is built when first asked for."""

    __slots__ = ("_item", "blob", "size")

    def __init__(self, size: int, blob: bytes, item: Item | None = None) -> None:
        self.size = size
        self.blob = blob
        self._item = item

    @property
    def item(self) -> Item:
        """The item's attributes in wire form. Not to be changed."""
        if self._item is None:
            self._item = orjson.loads(self.blob)
        return self._item


def stored(item: Item, size: int) -> Stored:
    """Make a canonical item of `size` bytes ready for its row."""
    return Stored(size, orjson.dumps(item), item)


class Statements(NamedTuple):
    """The SQL of one SQLite table `(key, size, item)`. Its name is made of numbers of ours, so it needs no quoting."""

    get: str
    put: str
    put_if_absent: str
    delete: str
    forward: str
    backward: str


def _statements(relation: str) -> Statements:
    page = f"SELECT size, item FROM {relation} WHERE key>=? AND key<? ORDER BY key"  # noqa: S608
    return Statements(
        f"SELECT size, item FROM {relation} WHERE key=?",  # noqa: S608
        f"REPLACE INTO {relation} VALUES (?,?,?)",  # noqa: S608
        f"INSERT OR IGNORE INTO {relation} VALUES (?,?,?)",  # noqa: S608
        f"DELETE FROM {relation} WHERE key=?",  # noqa: S608
        f"{page} LIMIT ?",
        f"{page} DESC LIMIT ?",
    )


@dataclass(frozen=True, slots=True)
class ItemIndex:
    """A secondary index. `projected` None holds all attributes, else these and every key attribute."""

    id: int  # 1 and up; never used again in the same table
    name: str
    keys: KeySchema
    is_local: bool
    projected: frozenset[str] | None
    relation: str
    sql: Statements

    def project(self, row: Stored) -> Stored:
        """Give what the index keeps of an item."""
        projected = self.projected
        if projected is None:
            return row
        kept = {name: value for name, value in row.item.items() if name in projected}
        return stored(kept, item_bytes(kept))


@dataclass(frozen=True, slots=True)
class Expiry:
    """Time to live: which attribute says when an item expires (in seconds since 1970), and the list by that time."""

    attribute: str
    relation: str
    put: str
    delete: str
    due: str

    def of(self, row: Stored | None) -> int | None:
        """Give when an item expires, in whole seconds; None when it does not say so by a number that a time can be."""
        value = None if row is None else row.item.get(self.attribute)
        if value is None or "N" not in value:
            return None
        seconds = value["N"].partition(".")[0]
        return int(seconds) if len(seconds) <= SECONDS_DIGITS_MAX else None


@dataclass(frozen=True, slots=True)
class ItemTable:
    """A table with its indexes."""

    id: int
    keys: KeySchema
    indexes: tuple[ItemIndex, ...]
    relation: str
    sql: Statements
    expiry: Expiry | None = None
    stream: StreamLog | None = None
    journal: Journal | None = None
    is_logged: bool = False  # whether there is a stream or a journal


class StreamLayout(NamedTuple):
    """What a definition says of an enabled stream: see `StreamLog`."""

    number: int
    label: str
    view: str


class IndexLayout(NamedTuple):
    """What a definition says of an index: see `ItemIndex`."""

    id: int
    name: str
    keys: KeySchema
    is_local: bool
    projected: frozenset[str] | None


def item_table(
    table_id: int,
    keys: KeySchema,
    layouts: Sequence[IndexLayout] = (),
    *,
    expiry_attribute: str = "",
    stream: StreamLayout | None = None,
    has_journal: bool = False,
) -> ItemTable:
    """Describe a table to the store: it is `t<id>`, an index `t<id>_<index id>`, the list of expiries `t<id>_x`."""
    relation = f"t{table_id}"
    indexes = []
    for layout in layouts:
        projected = None if layout.projected is None else layout.projected | {*keys.names, *layout.keys.names}
        name = f"{relation}_{layout.id}"
        indexes.append(
            ItemIndex(layout.id, layout.name, layout.keys, layout.is_local, projected, name, _statements(name))
        )
    expiry = _expiry(expiry_attribute, f"{relation}_x") if expiry_attribute else None
    log = None if stream is None else stream_log(relation, *stream)
    journal = journal_of(relation) if has_journal else None
    is_logged = log is not None or journal is not None
    return ItemTable(table_id, keys, tuple(indexes), relation, _statements(relation), expiry, log, journal, is_logged)


def bare_table(table_id: int, keys: KeySchema, relation: str) -> ItemTable:
    """Describe rows that have nothing beside them."""
    return ItemTable(table_id, keys, (), relation, _statements(relation))


def _expiry(attribute: str, relation: str) -> Expiry:
    return Expiry(
        attribute,
        relation,
        f"REPLACE INTO {relation} VALUES (?,?)",  # noqa: S608
        f"DELETE FROM {relation} WHERE expires_at=? AND key=?",  # noqa: S608
        f"SELECT key FROM {relation} WHERE expires_at>? AND expires_at<=? ORDER BY expires_at LIMIT ?",  # noqa: S608
    )
