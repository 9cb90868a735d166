"""Reading what can be read of a damaged SQLite file: around pages that cannot, and with a list of what is missing.

SQLite stops at the first damaged page of a scan. Items are read from both ends, and where these do not meet from keys
between them, until nothing more is found: one bad page costs a page of rows. Rows of other relations are read from both
ends only. The file itself is never written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw

from gatepost.kernel.errors import SettingsError

HIGHEST: Final = b"\xff" * 5  # above every key of an item
PROBES: Final = 64  # keys that are tried between two readable ones


@dataclass(frozen=True, slots=True)
class Gap:
    """A range of keys in which rows cannot be read; there may have been none in it."""

    relation: str
    low: str
    high: str
    reason: str


class DamagedFile:
    """One damaged file, open for reading only. `gaps` grows while relations are read."""

    def __init__(self, path: Path) -> None:
        """Open it. Raises: SettingsError when not even its list of relations can be read."""
        self.gaps: list[Gap] = []
        try:
            self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
            self._connection.pragma("writable_schema", True)  # else a file that was cut short is refused as a whole
            rows: Any = self._connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY rowid").fetchall()
            self.version = int(self._connection.pragma("user_version"))
        except apsw.Error as error:
            raise SettingsError(
                f"{path}: the page that lists the tables cannot be read ({error}): only a backup of the file helps"
            ) from error
        self.schema: list[tuple[str, str, str]] = [(kind, name, sql) for kind, name, sql in rows if sql]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def relations(self) -> list[str]:
        """Give the names of all relations."""
        return [name for kind, name, _ in self.schema if kind == "table"]

    def items(self, relation: str) -> Iterator[tuple[bytes, int, bytes]]:
        """Give the rows (key, size, item) that can be read, in any order; what cannot is added to `gaps`."""
        select = f"SELECT key, size, item FROM {relation} WHERE key>? AND key<? ORDER BY key"  # noqa: S608
        unread: list[tuple[bytes, bytes]] = [(b"", HIGHEST)]  # between these keys, both left out
        while unread:
            low, high = unread.pop()
            try:
                for row in self._scan(select, low, high):
                    low = row[0]
                    yield row
                continue
            except apsw.Error as error:
                reason = str(error)
            try:
                for row in self._scan(select + " DESC", low, high):
                    high = row[0]
                    yield row
                continue
            except apsw.Error:
                found = self._between(select, low, high)
            if found is None:
                self.gaps.append(Gap(relation, low.hex(), high.hex(), reason))
                continue
            yield found
            unread += [(low, found[0]), (found[0], high)]

    def _between(self, select: str, low: bytes, high: bytes) -> tuple[bytes, int, bytes] | None:
        """Give a row that can be read between two keys, tried at even distances."""
        length = max(len(low), len(high)) + 8
        begin, end = (int.from_bytes(key.ljust(length, b"\0"), "big") for key in (low, high))
        for step in range(PROBES):
            point = begin + (end - begin) * step // PROBES
            try:
                for row in self._scan(select + " LIMIT 1", point.to_bytes(length, "big"), high):
                    return row  # type: ignore[no-any-return]
            except apsw.Error:
                continue
        return None

    def rows(self, relation: str) -> Iterator[tuple[Any, ...]]:
        """Give the rows of any relation from both ends of its primary key; what lies between is added to `gaps`."""
        keys = [name for _, name, *_, place in self._columns(relation) if place] or ["rowid"]
        order = ", ".join(keys)
        count = len(keys)
        seen: tuple[Any, ...] | None = None
        select = f"SELECT {order}, * FROM {relation} ORDER BY "  # noqa: S608 - names of our own schema
        try:
            for row in self._scan(select + order):
                seen = row[:count]
                yield row[count:]
            return
        except apsw.Error as error:
            reason = str(error)
        first: tuple[Any, ...] | None = None
        try:
            for row in self._scan(select + ", ".join(f"{key} DESC" for key in keys)):
                if seen is not None and row[:count] <= seen:
                    return
                first = row[:count]
                yield row[count:]
        except apsw.Error as error:
            reason = str(error)
        self.gaps.append(Gap(relation, _shown(seen), _shown(first), reason))

    def _columns(self, relation: str) -> list[tuple[Any, ...]]:
        rows: Any = self._connection.execute(f"SELECT cid, name, type, pk FROM pragma_table_info('{relation}')")  # noqa: S608
        return sorted(rows, key=lambda column: int(column[3]))

    def _scan(self, sql: str, *bindings: Any) -> Iterator[Any]:
        cursor: Any = self._connection.execute(sql, bindings)
        yield from cursor


def _shown(key: tuple[Any, ...] | None) -> str:
    return "" if key is None else ", ".join(part.hex() if isinstance(part, bytes) else str(part) for part in key)
