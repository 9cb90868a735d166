"""Page tokens: what was given comes back, everything else is refused."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.kernel.paging import PLACE_MAX, page_token, place_of


class Refused(Exception):
    """What the caller says no with."""


@given(st.text(), st.integers(0, PLACE_MAX - 1))
def test_a_place_comes_back_as_it_was(name: str, number: int) -> None:
    assert place_of(page_token(name, number), Refused(), "", 0) == (name, number)


def test_without_a_token_a_list_starts_at_its_beginning() -> None:
    assert place_of(None, Refused(), "", 0) == ("", 0)


def a_text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "é",
        "====",
        page_token(3)[:-1],
        page_token(),
        page_token("3"),
        page_token(3, 4),
        page_token(-1),
        page_token(PLACE_MAX),
        a_text(b"[true]"),
        a_text(b"[3.0]"),
        a_text(b"[null]"),
        a_text(b"3"),
        a_text(b"{}"),
        a_text(b"\xff"),
        a_text(b"[" * 100_000),
    ],
)
def test_a_token_that_nobody_gave_is_refused(token: str) -> None:
    with pytest.raises(Refused):
        place_of(token, Refused(), 0)
