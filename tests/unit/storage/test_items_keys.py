import base64
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.storage.items_keys import (
    HIGHEST,
    KeyAttribute,
    KeySchema,
    SortCondition,
    after,
    index_key,
    key_range,
    partition_prefix,
    segment_range,
    table_key,
)

STRINGS = KeySchema(KeyAttribute("pk", "S"), KeyAttribute("sk", "S"))
BINARIES = KeySchema(KeyAttribute("pk", "S"), KeyAttribute("sk", "B"))
NUMBERS = KeySchema(KeyAttribute("pk", "S"), KeyAttribute("sk", "N"))

short_bytes = st.binary(min_size=1, max_size=4) | st.lists(st.sampled_from([0, 1, 255]), min_size=1, max_size=4).map(
    bytes
)
short_texts = st.text(st.sampled_from("\0\x01ab\x7fé\U0001f600"), min_size=1, max_size=4)


def binary(content: bytes) -> str:
    return base64.b64encode(content).decode()


def table_row(schema: KeySchema, partition: str, sort: str) -> bytes:
    assert schema.sort is not None
    return table_key(schema, {"pk": {"S": partition}, "sk": {schema.sort.type: sort}})


def index_row(schema: KeySchema, partition: str, sort: str, base: bytes) -> bytes:
    assert schema.sort is not None
    key = index_key(schema, {"pk": {"S": partition}, "sk": {schema.sort.type: sort}}, base)
    assert key is not None
    return key


@given(short_texts, short_texts)
def test_rows_of_a_partition_lie_in_the_order_of_their_utf_8_bytes(one: str, two: str) -> None:
    assert (table_row(STRINGS, "p", one) < table_row(STRINGS, "p", two)) == (one.encode() < two.encode())


@given(short_bytes, short_bytes, st.binary(min_size=1, max_size=6), st.binary(min_size=1, max_size=6))
def test_index_rows_lie_in_the_order_of_their_sort_keys_then_of_the_tables(a, b, base_a, base_b) -> None:
    first = index_row(BINARIES, "p", binary(a), base_a)
    second = index_row(BINARIES, "p", binary(b), base_b)
    assert (first < second) == ((a, base_a) < (b, base_b))


OPERATORS = {
    "=": lambda sort, first, _: sort == first,
    "<": lambda sort, first, _: sort < first,
    "<=": lambda sort, first, _: sort <= first,
    ">": lambda sort, first, _: sort > first,
    ">=": lambda sort, first, _: sort >= first,
    "between": lambda sort, first, second: first <= sort <= second,
    "begins_with": lambda sort, first, _: sort.startswith(first),
}


@given(short_bytes, short_bytes, short_bytes, st.sampled_from(sorted(OPERATORS)), st.booleans(), st.booleans())
def test_a_key_condition_is_one_range_of_keys(sort, first, second, operator, in_index, is_other) -> None:
    partition = "q" if is_other else "p"
    if in_index:
        key = index_row(BINARIES, partition, binary(sort), b"\xff\x00base")
    else:
        key = table_row(BINARIES, partition, binary(sort))
    condition = SortCondition(operator, (binary(first), binary(second)))
    low, high = key_range(BINARIES, "p", condition, in_index=in_index)
    expected = not is_other and OPERATORS[operator](sort, first, second)
    assert (low <= key < high) == expected


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.sampled_from(["<", "<=", ">", ">=", "="]))
def test_numbers_are_ranges_too(sort: int, bound: int, operator: str) -> None:
    number = format(Decimal(sort) / 1000, "f")
    limit = format(Decimal(bound) / 1000, "f")
    for in_index in (False, True):
        key = index_row(NUMBERS, "p", number, b"b") if in_index else table_row(NUMBERS, "p", number)
        low, high = key_range(NUMBERS, "p", SortCondition(operator, (limit,)), in_index=in_index)
        assert (low <= key < high) == OPERATORS[operator](Decimal(number), Decimal(limit), None)


@given(short_texts, short_texts)
def test_no_partition_is_the_start_of_another(one: str, two: str) -> None:
    prefix, other = partition_prefix("S", one), partition_prefix("S", two)
    assert other.startswith(prefix) == (one == two)


@given(st.text(max_size=8), st.integers(1, 50))
def test_every_key_lies_in_exactly_one_segment(partition: str, total: int) -> None:
    key = partition_prefix("S", partition)
    found = [
        segment
        for segment in range(total)
        if segment_range(segment, total)[0] <= key < segment_range(segment, total)[1]
    ]
    assert len(found) == 1


def test_segments_are_about_equal() -> None:
    keys = [partition_prefix("S", f"user-{i}") for i in range(4000)]
    for segment in range(4):
        low, high = segment_range(segment, 4)
        assert 800 < sum(low <= key < high for key in keys) < 1200


@pytest.mark.parametrize(
    ("prefix", "expected"), [(b"a", b"b"), (b"a\xff", b"b"), (b"\xff\xff", HIGHEST), (b"", HIGHEST)]
)
def test_after_is_above_everything_with_the_prefix(prefix: bytes, expected: bytes) -> None:
    assert after(prefix) == expected


def test_an_item_without_the_keys_of_an_index_is_not_in_it() -> None:
    assert index_key(STRINGS, {"pk": {"S": "a"}}, b"k") is None
    assert index_key(STRINGS, {"sk": {"S": "a"}}, b"k") is None
    assert index_key(STRINGS, {"pk": {"N": "1"}, "sk": {"S": "a"}}, b"k") is None
