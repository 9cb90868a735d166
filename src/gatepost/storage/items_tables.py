"""What the item store knows of a table: its keys, its indexes, its SQLite tables and their statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from gatepost.languages.item_values import Item, item_bytes
from gatepost.storage.items_keys import KeySchema


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
class ItemTable:
    """A table with its indexes."""

    id: int
    keys: KeySchema
    indexes: tuple[ItemIndex, ...]
    relation: str
    sql: Statements


class IndexLayout(NamedTuple):
    """What a definition says of an index: see `ItemIndex`."""

    id: int
    name: str
    keys: KeySchema
    is_local: bool
    projected: frozenset[str] | None


def item_table(table_id: int, keys: KeySchema, layouts: Sequence[IndexLayout]) -> ItemTable:
    """Describe a table to the store: the table is `t<id>`, an index `t<id>_<index id>`."""
    relation = f"t{table_id}"
    indexes = []
    for layout in layouts:
        projected = None if layout.projected is None else layout.projected | {*keys.names, *layout.keys.names}
        name = f"{relation}_{layout.id}"
        indexes.append(
            ItemIndex(layout.id, layout.name, layout.keys, layout.is_local, projected, name, _statements(name))
        )
    return ItemTable(table_id, keys, tuple(indexes), relation, _statements(relation))
