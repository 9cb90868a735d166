import pytest

from gatepost.languages.item_expressions_conditions import begins_with, contains, size_of


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "héllo"}, "5"),
        ({"B": "aGVsbG8="}, "5"),
        ({"SS": ["a", "b"]}, "2"),
        ({"L": []}, "0"),
        ({"M": {"a": {"S": "b"}}}, "1"),
        ({"N": "100"}, None),
        ({"BOOL": True}, None),
        ({"NULL": True}, None),
    ],
)
def test_size_is_of_texts_binaries_and_collections(value, size) -> None:
    assert size_of(value) == (None if size is None else {"N": size})


@pytest.mark.parametrize(
    ("value", "prefix", "expected"),
    [
        ({"S": "abc"}, {"S": "ab"}, True),
        ({"S": "abc"}, {"S": ""}, True),
        ({"S": "abc"}, {"S": "bc"}, False),
        ({"B": "AAH/"}, {"B": "AAE="}, True),  # by bytes, not by base64 text
        ({"B": "AAH/"}, {"B": "AQ=="}, False),
        ({"S": "AAH/"}, {"B": "AAE="}, False),
        ({"SS": ["a"]}, {"S": "a"}, False),
    ],
)
def test_begins_with_is_for_two_of_one_type(value, prefix, expected) -> None:
    assert begins_with(value, prefix) is expected


@pytest.mark.parametrize(
    ("value", "operand", "expected"),
    [
        ({"S": "abc"}, {"S": "b"}, True),
        ({"S": "abc"}, {"N": "1"}, False),
        ({"SS": ["abc"]}, {"S": "abc"}, True),
        ({"SS": ["abc"]}, {"S": "b"}, False),
        ({"NS": ["1", "2"]}, {"N": "2"}, True),
        ({"NS": ["1", "2"]}, {"S": "2"}, False),
        ({"BS": ["aGk="]}, {"B": "aGk="}, True),
        ({"B": "AAH/"}, {"B": "Af8="}, True),
        ({"L": [{"M": {"a": {"N": "1"}}}]}, {"M": {"a": {"N": "1"}}}, True),
        ({"L": [{"N": "1"}]}, {"S": "1"}, False),
        ({"M": {"a": {"N": "1"}}}, {"S": "a"}, False),
        ({"N": "123"}, {"N": "2"}, False),
    ],
)
def test_contains_looks_for_parts_members_and_elements(value, operand, expected) -> None:
    assert contains(value, operand) is expected
