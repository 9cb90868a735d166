"""Pages of lists."""

from __future__ import annotations

import pytest

from gatepost.services.lambda_.paging import PAGE_MAX, page


@pytest.mark.parametrize(
    ("params", "chosen", "marker"),
    [
        ({}, ["a", "b", "c"], {}),
        ({"MaxItems": 2}, ["a", "b"], {"NextMarker": "b"}),
        ({"MaxItems": 2, "Marker": "b"}, ["c"], {}),
        ({"Marker": "z"}, [], {}),
    ],
)
def test_a_page_begins_after_its_marker(params, chosen, marker) -> None:
    assert page(["a", "b", "c"], params, str) == (chosen, marker)


def test_a_page_is_bounded_and_a_strange_marker_is_none() -> None:
    names = [str(number) for number in range(60)]
    chosen, marker = page(names, {"MaxItems": 10_000, "Marker": "x"}, str, key=int)
    assert (len(chosen), marker) == (PAGE_MAX, {"NextMarker": "49"})
