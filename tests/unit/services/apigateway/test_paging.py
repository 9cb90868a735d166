from __future__ import annotations

import pytest

from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.paging import limit_of, paged, position_of

ITEMS = {f"id{index:03d}": index for index in range(60)}


def test_pages_follow_each_other_until_the_end() -> None:
    seen, params = [], {}
    while True:
        page, position = paged(ITEMS, params)
        seen.append(page)
        if not position:
            break
        params = position
    assert [len(page) for page in seen] == [25, 25, 10]
    assert [item for page in seen for item in page] == list(range(60))


@pytest.mark.parametrize(("limit", "count"), [(None, 25), (1, 1), (59, 59), (60, 60), (500, 60), (501, 60)])
def test_a_page_holds_what_is_asked_for(limit: int | None, count: int) -> None:
    page, position = paged(ITEMS, {} if limit is None else {"limit": limit})
    assert len(page) == count
    assert bool(position) == (count < 60)


def test_a_limit_above_500_gives_500() -> None:
    assert limit_of({"limit": 501}) == 500


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_1_is_refused(limit: int) -> None:
    with pytest.raises(BadRequestException):
        limit_of({"limit": limit})


@pytest.mark.parametrize("position", ["x", "====", "/w==", "ä"])
def test_a_position_that_nobody_gave_is_refused(position: str) -> None:
    with pytest.raises(BadRequestException, match="Invalid position parameter"):
        position_of({"position": position})


def test_a_position_holds_when_its_item_is_gone() -> None:
    _, position = paged(ITEMS, {"limit": 3})
    fewer = {name: item for name, item in ITEMS.items() if name != "id002"}
    assert paged(fewer, position)[0][0] == 3
