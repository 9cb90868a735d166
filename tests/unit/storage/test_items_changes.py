"""Logs keep what their readers want, and their last record for its number."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.storage.items_changes import stream_log, trim
from gatepost.storage.items_tables import ItemTable, StreamLayout, item_table
from tests.support.items import KEYS, an_item, on_items, put


def _streamed(table_id: int) -> ItemTable:
    return item_table(table_id, KEYS, stream=StreamLayout(1, "now", "NEW_IMAGE"))


def test_a_view_type_says_which_images_are_kept() -> None:
    views = {view: stream_log("t1", 1, "l", view) for view in ("KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE")}
    assert [(log.has_old, log.has_new) for log in views.values()] == [(False, False), (False, True), (True, False)]


@pytest.mark.parametrize(
    ("second", "count"),
    [
        ({"a": "one", "b": "two"}, 1),
        ({"b": "two", "a": "one"}, 1),  # the same in another order
        ({"a": "eno", "b": "two"}, 2),  # as long, and of the same letters
        ({"a": "one", "b": "tvp"}, 2),
        ({"a": "one", "b": "twx"}, 2),
        ({"a": "one", "b": "twoo"}, 2),
    ],
)
def test_a_write_is_recorded_when_it_changes_an_attribute(second: dict[str, str], count: int) -> None:
    async def scenario(store: Any) -> None:
        table = await store.create_table("0" * 12, "us-east-1", "things", {}, _streamed)
        await put(store, table, an_item("x", a="one", b="two"))
        await put(store, table, an_item("x", **second))
        (stream,) = store.streams.streams()
        assert len(store.streams.records(stream, 1, 9, since_ms=0, count_max=9, bytes_max=1_000_000)) == count

    on_items(scenario)


def test_trimming_leaves_the_last_record() -> None:
    async def scenario(store: Any) -> None:
        table = await store.create_table("0" * 12, "us-east-1", "things", {}, _streamed)
        for pk in "abc":
            await put(store, table, an_item(pk))
        (stream,) = store.streams.streams()

        async def trimmed_of(count: int) -> int:
            return await store.write(
                lambda writer: trim(writer.cursor, stream.relation, before_ms=1 << 60, count_max=count)
            )

        trimmed = [await trimmed_of(count) for count in (1, 5, 5)]
        assert trimmed == [1, 1, 0]
        records = store.streams.records(stream, 1, 9, since_ms=0, count_max=9, bytes_max=1)
        assert [record.sequence for record in records] == [3]

    on_items(scenario)
