"""How values print, compare and calculate, within bounds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.languages.vtl_lists import JavaList
from gatepost.languages.vtl_tree import TemplateError
from gatepost.languages.vtl_values import (
    Limits,
    Rendering,
    calculate,
    equal,
    is_filled,
    java_double,
    json_of,
    key_of,
    same,
    text_of,
)


def a_rendering(**limits: int) -> Rendering:
    return Rendering({}, lambda _text: None, Limits(**limits))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (0.1, "0.1"),
        (1e-3, "0.001"),
        (9.99e-4, "9.99E-4"),
        (1e-4, "1.0E-4"),
        (1.5e-10, "1.5E-10"),
        (9999999.0, "9999999.0"),
        (9999999.5, "9999999.5"),
        (1e7, "1.0E7"),
        (12345678.5, "1.23456785E7"),
        (1e16, "1.0E16"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (5e-324, "5.0E-324"),
        (-1234567.125, "-1234567.125"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (float("nan"), "NaN"),
    ],
)
def test_doubles_print_as_in_java(value: float, text: str) -> None:
    assert java_double(value) == text


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_double_is_the_same_double(value: float) -> None:
    assert float(java_double(value)) == value


@pytest.mark.parametrize(
    ("value", "printed", "as_json"),
    [
        (None, "null", "null"),
        (True, "true", "true"),
        (["a", 1], '["a",1]', '["a",1]'),
        (JavaList(["a", 1]), "[a, 1]", '["a",1]'),
        ({"a": ["b/"]}, '{a=["b\\/"]}', '{"a":["b/"]}'),
        (JavaList([["x"], {"k": None}]), '[["x"], {k=null}]', '[["x"],{"k":null}]'),
        ([JavaList(["x"])], '[["x"]]', '[["x"]]'),
        ({1: {True: 2.5}}, "{1={true=2.5}}", '{"1":{"true":2.5}}'),
        ([float("inf")], "[null]", "[null]"),
    ],
)
def test_nested_values_print(value: Any, printed: str, as_json: str) -> None:
    assert text_of(a_rendering(), value) == printed
    assert json_of(a_rendering(), value) == as_json


def test_printing_is_bounded() -> None:
    with pytest.raises(TemplateError, match="more than 5 characters"):
        text_of(a_rendering(output_chars_max=5), JavaList(["abc", "def"]))
    with pytest.raises(TemplateError, match="steps"):
        text_of(a_rendering(steps_max=10), JavaList([1] * 10))
    nested: list[Any] = []
    for _ in range(200):
        nested = [nested]
    for show in (text_of, json_of):
        with pytest.raises(TemplateError, match="deeper than 100"):
            show(a_rendering(), nested)


@pytest.mark.parametrize(
    ("left", "right", "is_equal"),
    [
        (None, None, True),
        (None, "", False),
        (1, 1.0, True),
        (1, "1", True),
        (True, "true", True),
        (True, 1, False),
        ("a", "a", True),
        ([1], [1], True),
        ([1], JavaList([1]), True),
        ([1], [1.0], False),
        ([True], [1], False),
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, "{a=1}", True),
        ({}, {"a": 1}, False),
    ],
)
def test_double_equals(left: Any, right: Any, *, is_equal: bool) -> None:
    assert equal(a_rendering(), left, right) is is_equal
    assert equal(a_rendering(), right, left) is is_equal


def test_equals_is_by_type() -> None:
    assert not same(a_rendering(), 1, 1.0)
    assert not same(a_rendering(), 1, True)
    assert not same(a_rendering(), "1", 1)


@pytest.mark.parametrize(
    ("operator", "left", "right", "result"),
    [
        ("+", 1, 2, 3),
        ("+", 1, 2.0, 3.0),
        ("+", "a", None, "anull"),
        ("/", -7, 2, -3),
        ("%", -7, 2, -1),
        ("%", 7, -2, 1),
        ("/", 1.0, 0, None),
        ("%", float("inf"), 2.0, "nan"),
        ("*", True, 2, None),
        ("-", "3", 1, None),
    ],
)
def test_arithmetic(operator: str, left: Any, right: Any, result: Any) -> None:
    found = calculate(a_rendering(), operator, left, right)
    if result == "nan":
        assert found != found
    else:
        assert (found, type(found)) == (result, type(result))


@given(left=st.integers(-1000, 1000), right=st.integers(-1000, 1000).filter(bool))
def test_quotient_and_remainder_belong_together(left: int, right: int) -> None:
    rendering = a_rendering()
    quotient, remainder = calculate(rendering, "/", left, right), calculate(rendering, "%", left, right)
    assert quotient * right + remainder == left
    assert abs(remainder) < abs(right)
    assert remainder == 0 or (remainder < 0) == (left < 0)


def test_numbers_are_bounded() -> None:
    with pytest.raises(TemplateError, match="4096 bits"):
        calculate(a_rendering(), "*", 1 << 4000, 1 << 4000)
    with pytest.raises(TemplateError, match="too large for a double"):
        calculate(a_rendering(), "*", 1 << 4000, 1.5)


def test_alternate_values_stand_in_for_what_is_empty() -> None:
    assert not any(is_filled(value) for value in (None, False, "", 0, 0.0, [], {}))
    assert all(is_filled(value) for value in (True, "a", 1, [0], {"a": None}))


def test_lists_and_maps_are_no_keys() -> None:
    assert [key_of(value) for value in ("a", 1, True, None)] == ["a", 1, True, None]
    for value in ([], {}, JavaList()):
        with pytest.raises(TemplateError, match="key"):
            key_of(value)
