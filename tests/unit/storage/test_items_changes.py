"""Logs keep what their readers want, and their last record for its number."""

from __future__ import annotations

from typing import Any

from gatepost.storage.items_changes import stream_log, trim
from gatepost.storage.items_tables import StreamLayout, item_table
from tests.support.items import KEYS, an_item, on_items, put


def test_a_view_type_says_which_images_are_kept() -> None:
    views = {view: stream_log("t1", 1, "l", view) for view in ("KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE")}
    assert [(log.has_old, log.has_new) for log in views.values()] == [(False, False), (False, True), (True, False)]


def test_trimming_leaves_the_last_record() -> None:
    async def scenario(store: Any) -> None:
        table = await store.create_table(
            "000000000000",
            "us-east-1",
            "things",
            {},
            lambda table_id: item_table(table_id, KEYS, stream=StreamLayout(1, "now", "NEW_IMAGE")),
        )
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
