from gatepost.services.dynamodb.item_collections import GIB, collection_metrics
from gatepost.services.dynamodb.model import IndexDefinition, TableDefinition, open_table
from gatepost.storage.items_keys import KeyAttribute, KeySchema

KEYS = KeySchema(KeyAttribute("pk", "S"), KeyAttribute("sk", "S"))
LOCAL = IndexDefinition(1, "local", KeySchema(KeyAttribute("pk", "S"), KeyAttribute("n", "N")), True, "ALL")
GLOBAL = IndexDefinition(1, "global", KeySchema(KeyAttribute("n", "N")), False, "ALL")


class Sizes:
    """A store whose ranges are so many bytes."""

    def __init__(self, size: int) -> None:
        self.size = size

    def size_of_range(self, place, low, high):
        return self.size


def metrics(size, *indexes):
    definition = TableDefinition("0", "r", "t", "id", (), KEYS, "PAY_PER_REQUEST", 0, indexes=indexes)
    return collection_metrics(Sizes(size), open_table(1, definition), {"pk": {"S": "a"}, "sk": {"S": "b"}})


def test_a_collection_is_the_table_and_its_local_indexes() -> None:
    key = {"pk": {"S": "a"}}
    assert metrics(GIB - 1, LOCAL) == {"ItemCollectionKey": key, "SizeEstimateRangeGB": [1.0, 2.0]}
    assert metrics(0, LOCAL) == {"ItemCollectionKey": key, "SizeEstimateRangeGB": [0.0, 1.0]}


def test_a_table_without_local_indexes_has_no_collections() -> None:
    assert metrics(5, GLOBAL) is None
