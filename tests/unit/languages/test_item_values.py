import base64

import pytest

from gatepost.languages.item_values import (
    ItemValueError,
    compare,
    item_bytes,
    measure,
    measure_item,
    native_item,
    value_bytes,
)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": ""}, 0),
        ({"S": "é"}, 2),
        ({"N": "12"}, 2),
        ({"B": "aGk="}, 2),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["a", "bc"]}, 3),
        ({"NS": ["1", "22"]}, 4),
        ({"BS": ["aGk=", "aA=="]}, 3),
        ({"L": []}, 3),
        ({"L": [{"S": "a"}, {"N": "1"}]}, 3 + 2 + 3),
        ({"M": {}}, 3),
        ({"M": {"key": {"S": "v"}}}, 3 + 3 + 1 + 1),
    ],
)
def test_sizes_are_as_documented(value, size) -> None:
    assert measure(value) == size
    assert value_bytes(value) == size


def test_an_items_size_counts_its_attribute_names() -> None:
    item = {"né": {"S": "ab"}, "n": {"N": "1"}}
    assert measure_item(item) == 3 + 2 + 1 + 2 == item_bytes(item)


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        ({"N": "1.0"}, {"N": "1"}),
        ({"SS": ["b", "a"]}, {"SS": ["a", "b"]}),
        ({"NS": ["10", "9.0"]}, {"NS": ["9", "10"]}),
        ({"BS": ["/w==", "AA=="]}, {"BS": ["AA==", "/w=="]}),
        ({"L": [{"M": {"a": {"N": "01"}}}]}, {"L": [{"M": {"a": {"N": "1"}}}]}),
    ],
)
def test_equal_values_become_equal_texts(value, canonical) -> None:
    measure(value)
    assert value == canonical


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "Supplied AttributeValue is empty"),
        ({"X": "a"}, "Supplied AttributeValue is empty"),
        ({"S": "a", "N": "1"}, "more than one datatypes set"),
        ({"NULL": False}, "must have the value of true"),
        ({"SS": []}, "An string set  may not be empty"),
        ({"NS": []}, "An number set  may not be empty"),
        ({"BS": []}, "Binary sets should not be empty"),
        ({"SS": ["a", "a"]}, r"Input collection \[a, a\] contains duplicates"),
        ({"NS": ["1", "1.0"]}, "contains duplicates"),
        ({"N": "x"}, "cannot be converted to a numeric value: x"),
        ({"B": "*"}, "not valid base64"),
        ({"S": 5}, "empty"),
        ({"L": {}}, "empty"),
        ({"M": []}, "empty"),
        ({"SS": [1]}, "empty"),
        ({"BOOL": "true"}, "empty"),
    ],
)
def test_bad_values_are_refused_in_awss_words(value, words) -> None:
    with pytest.raises(ItemValueError, match=words):
        measure(value)


def _nested(depth: int):
    value = {"S": "leaf"}
    for _ in range(depth):
        value = {"L": [value]}
    return value


def test_values_nest_31_lists_deep_and_no_deeper() -> None:
    measure(_nested(31))
    with pytest.raises(ItemValueError, match="Nesting Levels have exceeded supported limits"):
        measure(_nested(32))
    with pytest.raises(ItemValueError, match="Nesting Levels"):
        measure(_nested(500))


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ({"N": "9"}, {"N": "10"}, -1),
        ({"S": "9"}, {"S": "10"}, 1),
        ({"S": "Z"}, {"S": "a"}, -1),
        ({"S": "\U0001f600"}, {"S": "\uffff"}, 1),
        ({"B": "/w=="}, {"B": "AA=="}, 1),
        ({"N": "1"}, {"N": "1"}, 0),
        ({"N": "1"}, {"S": "1"}, None),
        ({"BOOL": True}, {"BOOL": False}, None),
    ],
)
def test_only_values_of_one_ordered_type_have_an_order(left, right, order) -> None:
    assert compare(left, right) == order


def test_a_native_item_has_its_binaries_as_bytes() -> None:
    text = base64.b64encode(b"hi").decode()
    item = {"a": {"M": {"b": {"B": text}, "l": {"L": [{"BS": [text]}]}}}, "s": {"S": text}}
    native = native_item(item)
    assert native == {"a": {"M": {"b": {"B": b"hi"}, "l": {"L": [{"BS": [b"hi"]}]}}}, "s": {"S": text}}
    assert item["a"]["M"]["b"] == {"B": text}
