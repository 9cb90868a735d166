"""Real stores in a temporary directory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gatepost.storage.records import MIGRATIONS, SqliteRecords
from gatepost.storage.sqlite import Database


@asynccontextmanager
async def a_database(folder: Path, migrations=MIGRATIONS, *, durability="process") -> AsyncIterator[Database]:
    """An open SQLite store that lasts as long as the block."""
    database = Database(folder / "store.db", durability=durability, migrations=migrations)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def some_records(folder: Path) -> AsyncIterator[SqliteRecords]:
    """Empty records on SQLite."""
    async with a_database(folder) as database:
        yield SqliteRecords(database)
