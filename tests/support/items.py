"""Item stores to try things on."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from gatepost.kernel.clock import FixedClock
from gatepost.languages.item_values import measure_item
from gatepost.storage.items import MIGRATIONS, ItemStore
from gatepost.storage.items_keys import KeyAttribute, KeySchema, table_key
from gatepost.storage.items_tables import IndexLayout, ItemTable, Stored, item_table, stored
from gatepost.storage.sqlite import Database

KEYS = KeySchema(KeyAttribute("pk", "S"))
BY_COLOR = IndexLayout(1, "by_color", KeySchema(KeyAttribute("color", "S"), KeyAttribute("n", "N")), False, None)
KEYS_ONLY = IndexLayout(2, "keys_only", KeySchema(KeyAttribute("color", "S")), False, frozenset())


def on_items(scenario: Callable[[ItemStore], Awaitable[Any]]) -> Any:
    """Run `scenario` on a fresh item store."""

    async def run() -> Any:
        with tempfile.TemporaryDirectory() as directory:
            database = Database(Path(directory) / "items.db", durability="process", migrations=MIGRATIONS)
            await database.open()
            try:
                return await scenario(ItemStore(database, FixedClock()))
            finally:
                await database.close()

    return asyncio.run(run())


async def an_item_table(store: ItemStore, *indexes: IndexLayout, expiry: str = "", name: str = "things") -> ItemTable:
    """Create a table in the store."""
    return await store.create_table(
        "000000000000",
        "us-east-1",
        name,
        {"is": "opaque"},
        lambda table_id: item_table(table_id, KEYS, indexes, expiry_attribute=expiry),
    )


def an_item(pk: str, **attributes: Any) -> Stored:
    """Build an item: strings and numbers as Python's own."""
    item = {"pk": {"S": pk}}
    for name, value in attributes.items():
        item[name] = {"S": value} if isinstance(value, str) else {"N": str(value)}
    return stored(item, measure_item(item))


async def put(store: ItemStore, table: ItemTable, item: Stored) -> None:
    """Write one item."""
    key = table_key(table.keys, item.item)
    await store.write(lambda writer: writer.put(table, key, item, writer.get(table, key)))


async def delete(store: ItemStore, table: ItemTable, pk: str) -> None:
    """Delete one item that is there."""
    key = table_key(table.keys, {"pk": {"S": pk}})

    def work(writer: Any) -> None:
        writer.delete(table, key, writer.get(table, key))

    await store.write(work)
