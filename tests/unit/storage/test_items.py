import asyncio
from pathlib import Path
from typing import Any

import apsw
import orjson
import pytest

from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import StoreUnavailable
from gatepost.storage.items import MIGRATIONS, ItemStore, TableExists, TableGone
from gatepost.storage.items_keys import HIGHEST, LOWEST, table_key
from gatepost.storage.items_tables import ItemTable, item_table
from gatepost.storage.sqlite import Database
from tests.support.items import BY_COLOR, KEYS, KEYS_ONLY, an_item, an_item_table, delete, on_items, put


def rows_of(store, place, **options):
    given = {"is_forward": True, "count_max": 1000, "bytes_max": 10**9, **options}
    rows, more = store.rows(place, LOWEST, HIGHEST, **given)
    return [orjson.loads(blob) for _, blob in rows], more


def test_what_was_put_is_read_back_with_its_size() -> None:
    async def scenario(store):
        table = await an_item_table(store)
        await put(store, table, an_item("a", n=1))
        assert store.get(table, table_key(KEYS, {"pk": {"S": "b"}})) is None
        return store.get(table, table_key(KEYS, {"pk": {"S": "a"}}))

    assert on_items(scenario) == (6, b'{"pk":{"S":"a"},"n":{"N":"1"}}')


def test_counts_follow_every_write_exactly() -> None:
    async def scenario(store):
        table = await an_item_table(store, BY_COLOR, KEYS_ONLY)
        await put(store, table, an_item("a", color="red", n=1))
        await put(store, table, an_item("b", color="red"))  # not in by_color: it has no n
        await put(store, table, an_item("c"))
        counts = [store.counts(table.id)]
        await put(store, table, an_item("a", color="blue", n=1, more="x" * 10))
        counts.append(store.counts(table.id))
        for pk in "abc":
            await delete(store, table, pk)
        counts.append(store.counts(table.id))
        return counts

    first, second, third = on_items(scenario)
    assert first == {0: (3, 14 + 11 + 3), 1: (1, 14), 2: (2, 22)}
    assert second == {0: (3, 29 + 11 + 3), 1: (1, 29), 2: (2, 12 + 11)}
    assert third == {0: (0, 0), 1: (0, 0), 2: (0, 0)}


def test_indexes_are_sparse_sorted_and_projected() -> None:
    async def scenario(store):
        table = await an_item_table(store, BY_COLOR, KEYS_ONLY)
        for pk, n in (("a", 10), ("b", 9), ("c", -1)):
            await put(store, table, an_item(pk, color="red", n=n))
        await put(store, table, an_item("d"))
        await put(store, table, an_item("b", n=9))  # leaves both indexes
        return [rows_of(store, index)[0] for index in table.indexes]

    by_color, keys_only = on_items(scenario)
    assert [item["pk"]["S"] for item in by_color] == ["c", "a"]
    assert sorted(map(repr, keys_only)) == [repr({"pk": {"S": pk}, "color": {"S": "red"}}) for pk in ("a", "c")]


def test_a_write_tells_which_entries_it_wrote() -> None:
    async def scenario(store):
        table = await an_item_table(store, BY_COLOR, KEYS_ONLY)
        key = table_key(KEYS, {"pk": {"S": "a"}})

        def work(item):
            def put_it(writer):
                return writer.put(table, key, item, writer.get(table, key))

            return put_it

        items = (
            an_item("a", color="red", n=1),  # a new entry in each
            an_item("a", color="red", n=1),  # nothing changes
            an_item("a", color="red", n=2),  # the sort key of one changes: out and in again
            an_item("a", color="red", n=2, other="x"),  # an attribute that one projects
            an_item("a"),  # out of both
        )
        return [[write.target.name for write in await store.write(work(item))] for item in items]

    assert on_items(scenario) == [
        ["by_color", "keys_only"],
        [],
        ["by_color", "by_color"],
        ["by_color"],
        ["by_color", "keys_only"],
    ]


def test_pages_end_by_count_and_by_bytes_but_hold_at_least_one() -> None:
    async def scenario(store):
        table = await an_item_table(store)
        for i in range(5):
            await put(store, table, an_item(f"{i}", x="y" * 96))  # 100 bytes each
        return [
            (len(items), more)
            for items, more in (
                rows_of(store, table),
                rows_of(store, table, count_max=5),
                rows_of(store, table, count_max=2),
                rows_of(store, table, bytes_max=300),
                rows_of(store, table, bytes_max=299),
                rows_of(store, table, bytes_max=1),
            )
        ]

    assert on_items(scenario) == [(5, False), (5, True), (2, True), (3, True), (2, True), (1, True)]


def test_a_write_that_raises_leaves_nothing_behind() -> None:
    async def scenario(store):
        table = await an_item_table(store, BY_COLOR)
        item = an_item("a", color="red", n=1)
        key = table_key(KEYS, item.item)

        def work(writer):
            writer.put(table, key, item, None)
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await store.write(work)
        return store.get(table, key), store.counts(table.id), rows_of(store, table.indexes[0])

    assert on_items(scenario) == (None, {0: (0, 0), 1: (0, 0)}, ([], False))


def test_a_name_is_taken_once_and_a_dropped_table_is_gone() -> None:
    async def scenario(store):
        table = await an_item_table(store, BY_COLOR, expiry="n")
        with pytest.raises(TableExists):
            await an_item_table(store)
        assert [(row.name, row.definition) for row in store.catalogue()] == [("things", {"is": "opaque"})]
        await store.drop_table(table)
        assert store.catalogue() == []
        with pytest.raises(TableGone):
            store.get(table, b"x")
        with pytest.raises(TableGone):
            await put(store, table, an_item("a"))
        again = await an_item_table(store)
        assert again.id != table.id

    on_items(scenario)


def test_an_index_fills_in_steps_while_writes_go_on() -> None:
    async def scenario(store):
        table = await an_item_table(store)
        for i in range(7):
            await put(store, table, an_item(f"{i}", color="red", n=i))
        changed = item_table(table.id, KEYS, [BY_COLOR])
        await store.redefine(table, changed, {"now": "indexed"})
        (index,) = changed.indexes
        after, steps = b"", 0
        while after is not None:
            after = await store.fill_index(changed, index, after=after, count_max=3)
            steps += 1
            if steps == 1:
                await put(store, changed, an_item("0", color="blue", n=0))
                await put(store, changed, an_item("6", color="red", n=60))
                await delete(store, changed, "3")
                await put(store, changed, an_item("9", color="red", n=9))
        items, _ = rows_of(store, index)
        assert store.counts(table.id)[1] == (
            7,
            sum(
                size
                for size, _ in store.rows(index, LOWEST, HIGHEST, is_forward=True, count_max=100, bytes_max=10**6)[0]
            ),
        )
        await store.redefine(changed, table, {"now": "plain"})
        assert 1 not in store.counts(table.id)
        return sorted((item["pk"]["S"], item["color"]["S"], item["n"]["N"]) for item in items)

    assert on_items(scenario) == [
        ("0", "blue", "0"),
        ("1", "red", "1"),
        ("2", "red", "2"),
        ("4", "red", "4"),
        ("5", "red", "5"),
        ("6", "red", "60"),
        ("9", "red", "9"),
    ]


def test_expired_items_are_found_without_reading_the_table() -> None:
    async def scenario(store):
        table = await an_item_table(store, BY_COLOR, expiry="n")
        await put(store, table, an_item("old", n=100, color="red"))
        await put(store, table, an_item("older", n=50))
        await put(store, table, an_item("ancient", n=1))
        await put(store, table, an_item("later", n=101))
        await put(store, table, an_item("moved", n=99))
        await put(store, table, an_item("moved", n=200))
        await put(store, table, an_item("never", n="soon"))
        await put(store, table, an_item("huge", n=10**30))
        deleted = await store.expire(table, after_s=1, until_s=100, count_max=10)
        assert await store.expire(table, after_s=1, until_s=100, count_max=10) == 0
        assert store.counts(table.id)[1] == (0, 0)
        return deleted, sorted(item["pk"]["S"] for item in rows_of(store, table)[0])

    assert on_items(scenario) == (2, ["ancient", "huge", "later", "moved", "never"])


def test_the_list_of_expiries_fills_in_steps() -> None:
    async def scenario(store):
        table = await an_item_table(store)
        for i in range(5):
            await put(store, table, an_item(f"{i}", n=i))
        changed = item_table(table.id, KEYS, expiry_attribute="n")
        await store.redefine(table, changed, {})
        after, steps = b"", 0
        while after is not None:
            after = await store.fill_expiry(changed, after=after, count_max=2)
            steps += 1
        return steps, await store.expire(changed, after_s=-1, until_s=2, count_max=10)

    assert on_items(scenario) == (4, 3)


def test_a_transactions_token_is_remembered_for_its_life() -> None:
    async def scenario(store):
        def claim(fingerprint, now_ms):
            return lambda writer: writer.claim_token("1", "r", "t", fingerprint, now_ms=now_ms, life_ms=1000)

        return [
            await store.write(claim(b"one", 0)),
            await store.write(claim(b"two", 999)),
            await store.write(claim(b"two", 1000)),
            await store.write(claim(b"one", 1001)),
        ]

    assert on_items(scenario) == [None, b"one", None, b"two"]


def test_a_snapshot_ends_even_when_the_read_fails() -> None:
    async def scenario(store):
        table = await an_item_table(store)

        def fails():
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            store.snapshot(fails)
        await put(store, table, an_item("a"))
        return store.snapshot(lambda: rows_of(store, table)[0])

    assert on_items(scenario) == [{"pk": {"S": "a"}}]


def test_the_size_of_a_range_is_the_sum_of_its_items() -> None:
    async def scenario(store):
        table = await an_item_table(store)
        await put(store, table, an_item("a", x="y" * 96))
        await put(store, table, an_item("b", x="y" * 96))
        return store.size_of_range(table, LOWEST, HIGHEST), store.size_of_range(table, b"", b"")

    assert on_items(scenario) == (200, 0)


class BadDisk(apsw.VFS):
    """A file system whose files cannot be read from `bad_from` on."""

    def __init__(self) -> None:
        self.bad_from = 1 << 60
        super().__init__("bad-disk", "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return BadFile(self, name, flags)


class BadFile(apsw.VFSFile):
    """A file of it."""

    def __init__(self, disk: BadDisk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:
        if offset >= self._disk.bad_from:
            raise apsw.IOError("the disk cannot read")
        return super().xRead(amount, offset)


class OnBadDisk(Database):
    """A database on it."""

    def _make_connection(self) -> apsw.Connection:
        return apsw.Connection(str(self.path), vfs="bad-disk")


def test_a_page_that_cannot_be_read_fails_who_asks_for_it_and_nobody_else(tmp_path: Path) -> None:
    """Were the file mapped into memory, the whole process would end by SIGBUS."""
    disk = BadDisk()

    async def filled() -> ItemTable:
        database = Database(tmp_path / "items.db", durability="process", migrations=MIGRATIONS)
        await database.open()
        store = ItemStore(database, FixedClock())
        table = await an_item_table(store)
        for number in range(1000):
            await put(store, table, an_item(f"{number:04d}", text="x" * 100))
        await database.close()
        return table

    async def read(table: ItemTable) -> tuple[list[str], bool]:
        database = OnBadDisk(tmp_path / "items.db", durability="process", migrations=MIGRATIONS)
        await database.open()
        store = ItemStore(database, FixedClock())
        store.counts(table.id)  # the reader knows the schema
        assert database.reader.pragma("mmap_size") == 0
        disk.bad_from = database.path.stat().st_size * 3 // 4
        told = []
        for number in range(1000):
            key = table_key(table.keys, {"pk": {"S": f"{number:04d}"}})
            try:
                told.append("there" if store.get(table, key) else "gone")
            except StoreUnavailable:
                told.append("unreadable")
            await asyncio.sleep(0)
        disk.bad_from = 1 << 60
        await put(store, table, an_item("1000"))
        is_written = store.get(table, table_key(table.keys, {"pk": {"S": "1000"}})) is not None
        await database.close()
        return told, is_written

    told, is_written = asyncio.run(read(asyncio.run(filled())))
    assert set(told) == {"there", "unreadable"}
    assert is_written
