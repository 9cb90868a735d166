from gatepost.storage.items_keys import table_key
from gatepost.storage.items_writer import ItemWriter
from tests.support.items import BY_COLOR, KEYS, an_item, an_item_table, on_items


def test_a_write_sees_what_came_before_it_in_the_same_transaction() -> None:
    async def scenario(store):
        table = await an_item_table(store, BY_COLOR)
        key = table_key(KEYS, {"pk": {"S": "a"}})

        def work(writer: ItemWriter):
            seen = [writer.get(table, key)]
            writer.put(table, key, an_item("a", color="red", n=1), None)
            seen.append(writer.get(table, key))
            writer.put(table, key, an_item("a", color="red", n=2), seen[-1])
            seen.append(writer.get(table, key))
            writer.delete(table, key, seen[-1])
            seen.append(writer.get(table, key))
            return [None if one is None else one.item.get("n") for one in seen]

        return await store.write(work), store.counts(table.id)

    assert on_items(scenario) == ([None, {"N": "1"}, {"N": "2"}, None], {0: (0, 0), 1: (0, 0)})


def test_an_index_holds_nothing_with_keys_that_are_too_long() -> None:
    async def scenario(store):
        table = await an_item_table(store, BY_COLOR)
        for pk, color in (("a", "x" * 2048), ("b", "x" * 2049), ("c", "x" * 70_000), ("d", "")):
            item = an_item(pk, color=color, n=1)
            key = table_key(KEYS, item.item)
            await store.write(lambda writer, key=key, item=item: writer.put(table, key, item, None))
        return store.counts(table.id)[1][0], store.counts(table.id)[0][0]

    assert on_items(scenario) == (1, 4)
