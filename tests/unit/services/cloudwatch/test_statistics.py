"""What is kept of values, and how near percentiles come."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.services.cloudwatch.statistics import bucket_of, of_set, of_values, pack, unpack, value_of

VALUES = st.floats(0, 1e100, allow_subnormal=True)


def the_values(values: list[float]):
    found: dict[float, float] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return of_values(found)


@given(VALUES)
def test_a_bucket_stands_for_its_values_within_a_128th(value: float) -> None:
    assert math.isclose(value_of(bucket_of(value)), value, rel_tol=1 / 128, abs_tol=1e-300)


@pytest.mark.parametrize("value", [0, 1, 2, 100, 128])
def test_small_whole_numbers_are_exact(value: int) -> None:
    assert value_of(bucket_of(value)) == value


@given(VALUES, VALUES)
def test_buckets_are_in_the_order_of_values(one: float, two: float) -> None:
    assert (bucket_of(one) <= bucket_of(two)) or one > two


@given(st.lists(st.floats(0.001, 1e9), min_size=1, max_size=100), st.sampled_from([0, 1, 50, 90, 99, 99.9, 100]))
def test_percentiles_are_within_a_128th(values: list[float], percent: float) -> None:
    exact = sorted(values)[max(1, math.ceil(len(values) * percent / 100 * (1 - 1e-12))) - 1]
    found = the_values(values).percentile(percent)
    assert found is not None
    assert math.isclose(found, exact, rel_tol=1 / 100)


@given(st.lists(VALUES, min_size=1, max_size=30), st.lists(VALUES, min_size=1, max_size=30))
def test_two_add_up_to_what_all_values_give(one: list[float], two: list[float]) -> None:
    added, whole = the_values(one), the_values(one + two)
    added.add(the_values(two))
    assert (added.samples, added.lowest, added.highest) == (whole.samples, whole.lowest, whole.highest)
    assert added.buckets == whole.buckets
    assert math.isclose(added.total, whole.total)


def test_buckets_survive_packing() -> None:
    buckets = of_values({0.0: 3, 0.25: 1, 1e90: 2.5}).buckets
    assert unpack(pack(buckets)) == buckets
    assert unpack(pack(None)) is None


def test_there_are_no_percentiles_of_negative_values() -> None:
    assert of_values({-1.0: 1, 2.0: 1}).percentile(50) is None


def test_there_are_no_percentiles_of_a_set_unless_its_values_are_known() -> None:
    assert of_set(3, 6, 1, 3).percentile(50) is None
    assert of_set(3, 6, 2, 2).percentile(50) == 2
    assert of_set(1, 6, 6, 6).percentile(99) == 6
    mixed = of_values({1.0: 1})
    mixed.add(of_set(3, 6, 1, 3))
    assert mixed.percentile(50) is None
    assert (mixed.samples, mixed.total) == (4, 7)
