"""Page tokens and time ranges of CloudWatch Logs."""

from __future__ import annotations

import pytest

from gatepost.services.logs.events import END, START, Place
from gatepost.services.logs.model import InvalidParameterException
from gatepost.services.logs.paging import FOREVER_MS, decode_token, encode_token, start_of, time_range


@pytest.mark.parametrize("place", [START, END, Place(1_760_000_000_000, 3, 0)])
def test_a_token_gives_its_place_back(place: Place) -> None:
    assert decode_token(encode_token("b", place)) == ("b", place)


@pytest.mark.parametrize(
    "token", ["", "f", "f/1.2", "f/1.2.3.4", "g/1.2.3", "f/a.2.3", "f/-2.0.0", f"b/0.{(1 << 62) + 1}.0"]
)
def test_a_token_that_nobody_gave_is_refused(token: str) -> None:
    with pytest.raises(InvalidParameterException, match="nextToken is invalid"):
        decode_token(token)


def test_a_list_starts_where_its_first_page_does() -> None:
    assert start_of(None, "") == ""
    assert start_of(None, 0) == 0


@pytest.mark.parametrize(
    ("params", "is_end_inclusive", "expected"),
    [
        ({}, False, (0, FOREVER_MS)),
        ({"startTime": 5}, True, (5, FOREVER_MS)),
        ({"startTime": 5, "endTime": 5}, False, (5, 5)),
        ({"startTime": 5, "endTime": 5}, True, (5, 6)),
        ({"endTime": (1 << 63) - 1}, True, (0, FOREVER_MS)),
        ({"startTime": 1 << 70}, False, (FOREVER_MS, FOREVER_MS)),
    ],
)
def test_a_range_stays_within_what_a_store_can_ask_for(params, is_end_inclusive, expected) -> None:
    assert time_range(params, is_end_inclusive=is_end_inclusive) == expected
