"""Items come back from plain JSON as they went, with every digit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.cli.item_text import cell, item_json, parse_item

texts = st.text(max_size=5)
numbers = st.sampled_from(["0", "-1.50", "1e100", "12345678901234567890123456789012345678"])
values: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.one_of(
        texts.map(lambda text: {"S": text}),
        numbers.map(lambda number: {"N": number}),
        st.just({"B": "AAE="}),
        st.booleans().map(lambda value: {"BOOL": value}),
        st.just({"NULL": True}),
        st.lists(texts, min_size=1, max_size=3).map(lambda members: {"SS": members}),
        st.lists(numbers, min_size=1, max_size=3).map(lambda members: {"NS": members}),
        st.just({"BS": ["AAE="]}),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda elements: {"L": elements}),
        st.dictionaries(texts, inner, max_size=3).map(lambda members: {"M": members}),
    ),
    max_leaves=5,
)


@pytest.mark.parametrize("name", ["$B", "$SS", "$NS", "$BS", "$M"])
@pytest.mark.parametrize("value", [{"B": "AAE="}, {"M": {"$B": {"S": "x"}}}, {"L": []}, {"S": "x"}])
def test_a_map_that_looks_like_another_type_stays_a_map(name: str, value: dict[str, Any]) -> None:
    item = {"a": {"M": {name: value}}, name: value}
    assert parse_item(item_json(item)) == item


@given(st.dictionaries(texts, values, max_size=4))
def test_an_item_comes_back_as_it_went(item: dict[str, Any]) -> None:
    assert parse_item(item_json(item)) == item


def test_cells_show_strings_without_quotes() -> None:
    assert [cell(value) for value in ({"S": "a b"}, {"N": "1"}, {"L": [{"S": "x"}]}, None)] == ["a b", "1", '["x"]', ""]


def test_what_is_no_object_is_no_item() -> None:
    with pytest.raises(ValueError, match="JSON object"):
        parse_item("[1]")
