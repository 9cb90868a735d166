"""Conditions: how signs bind, and what is no condition, whatever is between the signs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from gatepost.services.logs.conditions import DEPTH_MAX, Conditions, tokens_of
from gatepost.services.logs.model import InvalidParameterException

TOKEN = re.compile(r"\s*(&&|\|\||[()]|\w+)")


class Words(Conditions[str]):
    """A word is true of a text that has it."""

    def unit(self) -> Callable[[str], bool]:
        word = self.take()
        return lambda text: word in text.split()


def parsed(text: str) -> Callable[[str], bool]:
    return Words(tokens_of(text, TOKEN)).parse()


@pytest.mark.parametrize(
    ("condition", "text", "holds"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("a && b", "a", False),
        ("a || b && c", "a", True),
        ("a || b && c", "b", False),
        ("(a || b) && c", "a", False),
        ("(a || b) && c", "b c", True),
        ("(" * DEPTH_MAX + "a" + ")" * DEPTH_MAX, "a", True),
    ],
)
def test_and_binds_closer_than_or(condition: str, text: str, holds) -> None:
    assert parsed(condition)(text) is holds


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("", "ends too early"),
        ("a &&", "ends too early"),
        ("(a", "ends too early"),
        ("(a b", "parenthesis is not closed"),
        ("a b", "'b' was not expected"),
        ("a ? b", "cannot be read at ' ? b'"),
        ("(" * (DEPTH_MAX + 1) + "a" + ")" * (DEPTH_MAX + 1), f"more than {DEPTH_MAX} deep"),
    ],
)
def test_what_is_no_condition_is_refused(condition: str, words: str) -> None:
    with pytest.raises(InvalidParameterException) as refused:
        parsed(condition)
    assert words in refused.value.message
