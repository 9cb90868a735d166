"""The words of filter patterns."""

from __future__ import annotations

import pytest

from gatepost.services.logs.filter_words import regex, wildcards
from gatepost.services.logs.model import InvalidParameterException


def test_stars_stand_for_anything_and_dots_for_themselves() -> None:
    matches = wildcards("a.*z")
    assert [matches(text) for text in ("a.z", "a.bcz", "abz")] == [True, True, False]


def test_a_regular_expression_is_searched_for() -> None:
    assert regex("%b+%")("abbc")
    with pytest.raises(InvalidParameterException):
        regex("%(%")
