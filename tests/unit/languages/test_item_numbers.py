from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.languages.item_numbers import (
    NumberError,
    add_numbers,
    canonical_number,
    number_bytes,
    sortable_number,
    subtract_numbers,
)

numbers = st.builds(
    lambda digits, exponent, sign: f"{sign}{digits}E{exponent}",
    st.integers(0, 10**38 - 1),
    st.integers(-130, 87),
    st.sampled_from(["", "-", "+"]),
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("0.000", "0"),
        ("0E-999", "0"),
        ("1.0", "1"),
        ("001", "1"),
        ("+7", "7"),
        ("1.50E1", "15"),
        ("1e2", "100"),
        (".5", "0.5"),
        ("5.", "5"),
        ("12e-3", "0.012"),
        ("-00.1200", "-0.12"),
        ("9" * 38, "9" * 38),
        ("1" + "0" * 100, "1" + "0" * 100),
        ("1E125", "1" + "0" * 125),
        ("1E-130", "0." + "0" * 129 + "1"),
    ],
)
def test_a_number_has_one_text(text: str, canonical: str) -> None:
    assert canonical_number(text) == canonical


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be converted to a numeric value"),
        ("abc", "The parameter cannot be converted to a numeric value: abc"),
        ("1 ", "cannot be converted"),
        ("NaN", "cannot be converted"),
        ("Infinity", "cannot be converted"),
        ("0x10", "cannot be converted"),
        ("\u0661", "cannot be converted"),
        ("\u00b2", "cannot be converted"),
        (".", "cannot be converted"),
        ("1_000", "cannot be converted"),
        ("1E126", "Number overflow"),
        ("-1E126", "Number overflow"),
        ("1E-131", "Number underflow"),
        ("1E99999999999999999999", "Number overflow"),
        ("1E-99999999999999999999", "Number underflow"),
        ("1" * 39, "more than 38 significant digits"),
        ("1." + "1" * 38, "more than 38 significant digits"),
    ],
)
def test_what_is_no_number_is_refused_in_awss_words(text: str, words: str) -> None:
    with pytest.raises(NumberError, match=words):
        canonical_number(text)


@given(numbers)
def test_the_canonical_text_means_the_same_number_and_stays(text: str) -> None:
    try:
        canonical = canonical_number(text)
    except NumberError:
        return
    assert Decimal(canonical) == Decimal(text)
    assert canonical_number(canonical) == canonical
    assert "E" not in canonical


@given(numbers, numbers)
def test_the_order_of_the_bytes_is_the_order_of_the_numbers(one: str, two: str) -> None:
    try:
        first, second = sortable_number(one), sortable_number(two)
    except NumberError:
        return
    assert (first < second) == (Decimal(one) < Decimal(two))
    assert (first == second) == (Decimal(one) == Decimal(two))


@given(st.lists(st.sampled_from(["-1.05", "-1", "-10", "0", "1", "1.05", "1.5", "10", "1E125", "-1E125", "1E-130"])))
def test_close_numbers_sort_right(texts: list[str]) -> None:
    assert sorted(texts, key=sortable_number) == sorted(texts, key=Decimal)


@pytest.mark.parametrize(
    ("text", "size"), [("0", 1), ("1", 2), ("12", 2), ("123", 3), ("100", 2), ("-1.5", 2), ("0.01", 2)]
)
def test_a_number_counts_a_byte_for_two_digits_and_one_more(text: str, size: int) -> None:
    assert number_bytes(text) == size


def test_sums_are_exact() -> None:
    assert add_numbers("0.1", "0.2") == "0.3"
    assert subtract_numbers("1", "1") == "0"
    assert add_numbers("99999999999999999999999999999999999999", "-1") == "99999999999999999999999999999999999998"


def test_a_sum_that_does_not_fit_is_refused() -> None:
    with pytest.raises(NumberError, match="38 significant digits"):
        add_numbers("1" + "0" * 50, "1")
    with pytest.raises(NumberError, match="overflow"):
        add_numbers("9" + "0" * 125, "9" + "0" * 125)
