"""A backup's rows are counted like a table's, and go with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gatepost.storage.items_backups import backup_table
from gatepost.storage.items_changes import journal_of
from tests.support.items import KEYS, an_item, an_item_table, delete, on_items, put


def test_copying_and_undoing_gives_the_table_as_it_was() -> None:
    async def scenario(store: Any) -> None:
        plain = await an_item_table(store)
        table = replace(plain, journal=journal_of(plain.relation), is_logged=True)
        await store.redefine(plain, table, {})
        for pk in "abc":
            await put(store, table, an_item(pk))
        row = await store.backups.begin(table, "arn", "000000000000", "us-east-1", {"is": "opaque"})
        await delete(store, table, "a")
        await put(store, table, an_item("d"))
        await put(store, table, an_item("b", v="new"))
        target = backup_table(row.id, KEYS)
        for _ in range(2):  # twice is as good as once
            after: bytes | None = b""
            while after is not None:
                after = await store.backups.copy(table.relation, target, after=after, count_max=2)
            below = await store.backups.undo(
                table.journal.relation, target, below=0, above=row.above, until_ms=-1, count_max=2
            )
            while below:
                below = await store.backups.undo(
                    table.journal.relation, target, below=below, above=row.above, until_ms=-1, count_max=2
                )
        rows, _ = store.rows(target, b"", b"\xff" * 9, is_forward=True, count_max=9, bytes_max=9999)
        assert sorted(blob for _, blob in rows) == sorted(an_item(pk).blob for pk in "abc")
        assert store.counts(-row.id) == {0: (3, 9)}
        await store.backups.delete(row)
        assert store.backups.all() == []
        assert store.counts(-row.id) == {}

    on_items(scenario)
