from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.telemetry.histograms import LATENCY_US_MAX, Histogram, bucket_middle_us


@pytest.mark.parametrize("value", [0, 1, 7, 8, 15, 16, 17, 255, 1_000, 29_000_000, LATENCY_US_MAX])
def test_one_value_is_its_own_percentile_within_its_bucket(value):
    histogram = Histogram()
    histogram.observe(value)
    assert histogram.percentile_us(50) == value
    assert (histogram.lowest_us, histogram.highest_us, histogram.sum_us, histogram.count) == (value, value, value, 1)


@given(st.lists(st.integers(0, 60_000_000), min_size=1, max_size=200), st.sampled_from([1, 50, 90, 99, 100]))
def test_percentiles_are_within_an_eighth(values, percent):
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    exact = sorted(values)[max(1, -(-len(values) * percent // 100)) - 1]
    assert exact <= histogram.percentile_us(percent) <= exact * 1.125 + 1


def test_values_beyond_the_bounds_count_as_the_bounds():
    histogram = Histogram()
    histogram.observe(-5)
    histogram.observe(LATENCY_US_MAX + 1)
    assert histogram.count == 2
    assert histogram.highest_us == LATENCY_US_MAX


def test_an_empty_histogram_has_zeroes():
    assert Histogram().percentile_us(99) == 0
    nothing = {"count": 0, "sum_us": 0, "min_us": 0, "max_us": 0, "first_bucket": 0, "buckets": []}
    assert Histogram().to_json() == nothing


@given(st.lists(st.integers(0, 60_000_000), min_size=1, max_size=50))
def test_told_buckets_hold_every_value_near_their_middle(values):
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    told = histogram.to_json()
    middles = [
        bucket_middle_us(index)
        for index, count in enumerate(told["buckets"], told["first_bucket"])
        for _ in range(count)
    ]
    assert all(abs(middle - value) <= value / 16 for middle, value in zip(middles, sorted(values), strict=True))


@given(st.lists(st.integers(0, 1 << 20)), st.lists(st.integers(0, 1 << 36)))
def test_sums_of_histograms_are_histograms_of_all_values(one, two):
    first, second, both = Histogram(), Histogram(), Histogram()
    for value in one:
        first.observe(value)
        both.observe(value)
    for value in two:
        second.observe(value)
        both.observe(value)
    first.add(second)
    assert first.to_json() == both.to_json()


def test_histograms_add_up():
    one, two = Histogram(), Histogram()
    one.observe(10)
    two.observe(1_000)
    one.add(two)
    assert (one.count, one.sum_us, one.lowest_us, one.highest_us) == (2, 1_010, 10, 1_000)
