"""Whether a closed item store agrees with itself: what is derived from items is compared with what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw

from gatepost.services.dynamodb.salvage import salvage


def disagreements(store: Path, scratch: Path) -> list[str]:
    """Give every index, list of expiries and count of `store` that is not what its items say."""
    fresh = scratch / "derived.db"
    fresh.unlink(missing_ok=True)
    found = salvage(store, fresh, scratch / "aside.jsonl", progress=lambda *_: None)
    told = [] if found.is_whole else [repr(found)]
    derived = [
        name for name in _relations(fresh) if name.startswith("t") and not name.partition("_")[2].startswith(("s", "j"))
    ]
    relations = [*(name for name in derived if name != "transaction_tokens"), "counts"]
    different = [name for name in relations if _rows(store, name) != _rows(fresh, name)]
    return [*told, *(f"{name} is not what the items say" for name in different)]


def _relations(path: Path) -> list[str]:
    return [name for (name,) in _read(path, "SELECT name FROM sqlite_master WHERE type='table'")]


def _rows(path: Path, relation: str) -> list[Any]:
    return sorted(_read(path, f"SELECT * FROM {relation}"))


def _read(path: Path, sql: str) -> list[Any]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()
