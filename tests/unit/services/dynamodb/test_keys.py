import pytest

from gatepost.kernel.errors import ValidationException
from gatepost.services.dynamodb.keys import key_bytes, pick_keys, start_key_bytes
from gatepost.services.dynamodb.model import IndexDefinition, ItemRejected, TableDefinition, open_table
from gatepost.storage.items_keys import KeyAttribute, KeySchema, index_key, table_key

KEYS = KeySchema(KeyAttribute("pk", "S"), KeyAttribute("sk", "N"))
BY_COLOR = IndexDefinition(1, "by_color", KeySchema(KeyAttribute("color", "S")), False, "ALL")
TABLE = open_table(1, TableDefinition("0", "r", "things", "id", (), KEYS, "PAY_PER_REQUEST", 0, indexes=(BY_COLOR,)))
KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}
START = {**KEY, "color": {"S": "red"}}


def copied(item):
    return {name: dict(value) for name, value in item.items()}


def test_equal_numbers_are_one_key() -> None:
    assert key_bytes(TABLE, {**KEY, "sk": {"N": "1.00"}}) == key_bytes(TABLE, copied(KEY))


@pytest.mark.parametrize(
    "key", [{}, {"pk": {"S": "a"}}, {**KEY, "x": {"S": "y"}}, {"pk": {"S": "a"}, "sk": {"S": "1"}}]
)
def test_a_key_that_does_not_fit_is_the_items_fault(key) -> None:
    with pytest.raises(ItemRejected):
        key_bytes(TABLE, copied(key))


def test_a_start_key_names_the_row_of_the_table_or_index() -> None:
    assert start_key_bytes(TABLE, KEYS, copied(KEY), in_index=False) == table_key(KEYS, KEY)
    base = table_key(KEYS, KEY)
    assert start_key_bytes(TABLE, BY_COLOR.keys, copied(START), in_index=True) == index_key(BY_COLOR.keys, START, base)


@pytest.mark.parametrize(
    "start",
    [
        KEY,
        {**START, "x": {"S": "y"}},
        {**START, "color": {"N": "1"}},
        {**START, "color": {"S": ""}},
        {**START, "color": {"S": "x" * 2049}},
        {**START, "pk": {"S": "x" * 70_000}},
        {**START, "sk": {"N": "x"}},
        {**START, "sk": {}},
    ],
)
def test_a_start_key_that_no_row_can_have_is_refused(start) -> None:
    with pytest.raises(ValidationException, match="The provided starting key is invalid"):
        start_key_bytes(TABLE, BY_COLOR.keys, copied(start), in_index=True)


def test_the_keys_of_an_item_are_picked_without_the_rest() -> None:
    assert pick_keys({**START, "more": {"S": "x"}}, BY_COLOR.keys, KEYS) == START
