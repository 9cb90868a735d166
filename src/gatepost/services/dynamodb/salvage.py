"""A new item store of what a damaged one still holds: items as they can be read, everything derived made anew.

Indexes, counts and lists of expiries are made from the items; an item that the table has lost is taken from an index
that holds whole items. A row that can be read but is not right (its JSON, its key or its size do not fit) goes to a
file of its own, and so do the items of a table whose definition is lost: nothing is dropped without a word.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import apsw
import orjson

from gatepost.languages.item_values import ItemValueError, item_bytes, measure_item
from gatepost.services.dynamodb.model import Table, open_table, table_from_json
from gatepost.storage.damaged import DamagedFile, Gap
from gatepost.storage.items_keys import index_key, table_key
from gatepost.storage.items_tables import Stored

BATCH: Final = 2_000
_DERIVED: Final = frozenset({"counts", "sqlite_sequence"})


@dataclass(slots=True)
class SalvagedTable:
    """What became of one table. `expected` is how many items the damaged store counted; -1: that is lost too."""

    name: str
    expected: int = -1
    kept: int = 0
    from_indexes: int = 0
    set_aside: int = 0

    @property
    def missing(self) -> int:
        """Give how many items are not in the new store."""
        return max(0, self.expected - self.kept)


@dataclass(slots=True)
class Salvage:
    """What came of it."""

    tables: list[SalvagedTable] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    lost_tables: list[str] = field(default_factory=list)  # relations whose definition is gone
    set_aside: int = 0

    @property
    def is_whole(self) -> bool:
        """Say whether everything was there."""
        return not (self.gaps or self.lost_tables or self.set_aside or any(table.missing for table in self.tables))


def salvage(damaged: Path, target: Path, set_aside: Path, *, progress: Callable[[str, int], None]) -> Salvage:
    """Make the new store `target`, which must not exist, and the file `set_aside` if there is something for it.

    `progress` hears of each table's rows. Raises: SettingsError when nothing can be read, apsw.Error when the new
    store cannot be written.
    """
    source = DamagedFile(damaged)
    connection = apsw.Connection(str(target))
    try:
        return _Salvager(source, connection, set_aside, progress).run()
    finally:
        connection.close()
        source.close()


class _Salvager:
    def __init__(
        self, source: DamagedFile, target: apsw.Connection, set_aside: Path, progress: Callable[[str, int], None]
    ) -> None:
        self._source = source
        self._target = target
        self._aside = _Aside(set_aside)
        self._progress = progress
        self._found = Salvage()

    def run(self) -> Salvage:
        """Do it all."""
        self._target.pragma("journal_mode", "off")  # until it is whole nobody uses it
        for kind, name, sql in self._source.schema:
            if kind == "table" and name != "sqlite_sequence":
                self._target.execute(sql)
        self._target.pragma("user_version", self._source.version)
        self._copy("catalogue")
        tables = self._tables()
        counts = {(row[0], row[1]): row for row in self._rows("counts")}
        for table in tables:
            self._items(table, counts.get((table.items.id, 0)))
        for row in counts.values():
            if row[0] < 0:  # of a backup
                self._target.execute("INSERT OR IGNORE INTO counts VALUES (?,?,?,?)", row)
        self._others(tables)
        for kind, _, sql in self._source.schema:
            if kind == "index":
                self._target.execute(sql)
        self._keep_ids()
        self._target.pragma("journal_mode", "wal")
        self._found.gaps = list(self._source.gaps)
        self._found.set_aside = self._aside.close()
        return self._found

    def _tables(self) -> list[Table]:
        rows: Any = self._target.execute("SELECT id, account_id, region, name, definition FROM catalogue").fetchall()
        tables = []
        for table_id, account_id, region, name, definition in rows:
            try:
                stored = table_from_json(account_id, region, name, orjson.loads(definition))
                tables.append(open_table(table_id, stored))
            except (ValueError, KeyError, TypeError) as error:
                self._aside.put("catalogue", str(table_id).encode(), definition, f"{name}: {error!r}")
                self._target.execute("DELETE FROM catalogue WHERE id=?", (table_id,))
        return tables

    def _items(self, table: Table, counted: tuple[Any, ...] | None) -> None:
        told = SalvagedTable(table.definition.name, -1 if counted is None else counted[2])
        self._found.tables.append(told)
        items = table.items
        with self._target:
            for key, size, blob in self._read(items.relation):
                if self._keep(table, key, size, blob, "INSERT OR IGNORE", told):
                    told.kept += 1
                    if told.kept % BATCH == 0:
                        self._progress(told.name, told.kept)
            for index in items.indexes:
                if index.projected is None and self._has(index.relation) and told.kept != told.expected:
                    self._from_index(table, index.relation, told)
        with self._target:
            self._derive(table)
        self._progress(told.name, told.kept)

    def _keep(self, table: Table, key: bytes, size: int, blob: bytes, verb: str, told: SalvagedTable) -> bool:
        """Put one row into the new store if it is right, else aside; say whether it went in."""
        fault = _fault(table, key, size, blob)
        if fault:
            self._aside.put(table.definition.name, key, blob, fault)
            told.set_aside += 1
            return False
        self._target.execute(f"{verb} INTO {table.items.relation} VALUES (?,?,?)", (key, size, blob))
        return self._target.changes() > 0

    def _from_index(self, table: Table, relation: str, told: SalvagedTable) -> None:
        for _, _, blob in self._read(relation):
            try:
                item = orjson.loads(blob)
                key, size = table_key(table.items.keys, item), item_bytes(item)
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # the table has told of it, or still has it
            if self._keep(table, key, size, blob, "INSERT OR IGNORE", told):
                told.kept += 1
                told.from_indexes += 1

    def _derive(self, table: Table) -> None:
        """Make the indexes, the list of expiries and the counts from the items."""
        items = table.items
        rows: Any = self._target.execute(f"SELECT key, size, item FROM {items.relation}")  # noqa: S608
        for key, size, blob in rows:
            row = Stored(size, blob)
            for index in items.indexes:
                entry_key = index_key(index.keys, row.item, key)
                if entry_key is not None and self._has(index.relation):
                    entry = index.project(row)
                    self._target.execute(index.sql.put, (entry_key, entry.size, entry.blob))
            if (
                items.expiry is not None
                and (at := items.expiry.of(row)) is not None
                and self._has(items.expiry.relation)
            ):
                self._target.execute(items.expiry.put, (at, key))
        for number, relation in [(0, items.relation), *((index.id, index.relation) for index in items.indexes)]:
            self._target.execute(
                f"REPLACE INTO counts SELECT ?, ?, count(*), coalesce(sum(size), 0) FROM {relation}",  # noqa: S608
                (items.id, number),
            )

    def _others(self, tables: list[Table]) -> None:
        """Copy what belongs to no table that is known: streams, journals, backups; set lost tables' items aside."""
        known = {"catalogue", *_DERIVED}
        for table in tables:
            items = table.items
            known |= {items.relation, *(index.relation for index in items.indexes)}
            known |= {items.expiry.relation} if items.expiry is not None else set()
        for relation in self._source.relations():
            if relation in known:
                continue
            if relation[0] == "t" and relation[1:].isdigit():
                self._found.lost_tables.append(relation)
                for key, _, blob in self._source.items(relation):
                    self._aside.put(relation, key, blob, "its table's definition is lost")
            elif relation[0] == "b" and relation[1:].isdigit():
                with self._target:
                    for row in self._source.items(relation):
                        self._target.execute(f"INSERT OR IGNORE INTO {relation} VALUES (?,?,?)", row)  # noqa: S608
            else:
                self._copy(relation)

    def _copy(self, relation: str) -> None:
        with self._target:
            for row in self._rows(relation):
                marks = ",".join("?" * len(row))
                self._target.execute(f"INSERT OR IGNORE INTO {relation} VALUES ({marks})", row)  # noqa: S608

    def _keep_ids(self) -> None:
        """See to it that no new table gets the number of one of which something is left."""
        numbers = [int("".join(filter(str.isdigit, name.partition("_")[0])) or 0) for name in self._source.relations()]
        for name in ("catalogue", "backups"):
            if self._has(name):
                self._target.execute("DELETE FROM sqlite_sequence WHERE name=?", (name,))
                self._target.execute("INSERT INTO sqlite_sequence VALUES (?,?)", (name, max(numbers, default=0) + 1))

    def _rows(self, relation: str) -> Iterator[tuple[Any, ...]]:
        return self._source.rows(relation) if self._has(relation) else iter(())

    def _read(self, relation: str) -> Iterator[tuple[bytes, int, bytes]]:
        return self._source.items(relation) if self._has(relation) else iter(())

    def _has(self, relation: str) -> bool:
        return relation in self._source.relations()


def _fault(table: Table, key: bytes, size: int, blob: bytes) -> str:
    """Say what is wrong with a row; empty: nothing."""
    try:
        item = orjson.loads(blob)
        measured = measure_item(item)
        if table_key(table.items.keys, item) != key:
            return "its key is not that of the item"
    except (ValueError, KeyError, TypeError, AttributeError, ItemValueError) as error:
        return f"it is no item: {error!r}"
    return "" if measured == size else f"its size is {measured}, not {size}"


class _Aside:
    """The file of what can be read but not used: one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None
        self._count = 0

    def put(self, place: str, key: bytes, content: bytes, reason: str) -> None:
        """Write one row down, with its bytes in base64."""
        if self._file is None:
            self._file = self._path.open("wb")
        line = {
            "table": place,
            "key": key.hex(),
            "reason": reason,
            "content": base64.b64encode(content if isinstance(content, bytes) else str(content).encode()).decode(),
        }
        self._file.write(orjson.dumps(line) + b"\n")
        self._count += 1

    def close(self) -> int:
        """Finish the file; give how many rows it has."""
        if self._file is not None:
            self._file.close()
        return self._count
