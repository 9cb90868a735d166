"""Item collections: all items of one partition in a table with local secondary indexes, and how large they are."""

from __future__ import annotations

from typing import Any, Final

from gatepost.languages.item_values import Item
from gatepost.services.dynamodb.model import Table
from gatepost.storage.items import ItemStore
from gatepost.storage.items_keys import after, partition_prefix
from gatepost.storage.items_tables import ItemIndex, ItemTable

GIB: Final = 1024**3


def collection_metrics(store: ItemStore, table: Table, key: Item) -> dict[str, Any] | None:
    """Give ItemCollectionMetrics of the partition that holds `key`; None for a table without local indexes.

    The size is exact and reads the partition once, so it is worked out only when asked for. AWS tells a range.
    """
    local = [index for index in table.items.indexes if index.is_local]
    if not local:
        return None
    partition = table.items.keys.partition
    prefix = partition_prefix(partition.type, key[partition.name][partition.type])
    places: list[ItemTable | ItemIndex] = [table.items, *local]
    size = sum(store.size_of_range(place, prefix, after(prefix)) for place in places)
    low = float(size // GIB)
    return {"ItemCollectionKey": {partition.name: key[partition.name]}, "SizeEstimateRangeGB": [low, low + 1.0]}
