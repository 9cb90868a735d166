from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.telemetry.metrics import (
    LATENCY_US_MAX,
    MINUTES_KEPT_MAX,
    Dimensions,
    Histogram,
    Metrics,
    bucket_middle_us,
)

ROUTE = Dimensions("api1", "shop", "prod", "/orders", "GET")
OTHER = Dimensions("api1", "shop", "prod", "/orders", "POST")
STAGE = Dimensions("api1", "shop", "prod")
API = Dimensions("api1", "shop")
MINUTE = 60_000


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


def of(minutes, dimensions):
    return [minute for minute in minutes if minute.dimensions == dimensions]


def test_a_minute_is_fetched_once_when_it_is_over():
    metrics = Metrics()
    meter = metrics.meter(ROUTE)
    meter.observe(MINUTE * 10 + 59_999, 200, 1_000, 500)
    assert metrics.drain(MINUTE * 10 + 59_999) == []
    meter.observe(MINUTE * 11, 500, 2_000, -1)
    (minute,) = [one.to_json() for one in of(metrics.drain(MINUTE * 11 + 1), ROUTE)]
    assert minute["minute_ms"] == MINUTE * 10
    assert minute["dimensions"] == {
        "ApiId": "api1",
        "ApiName": "shop",
        "Stage": "prod",
        "Resource": "/orders",
        "Method": "GET",
    }
    figures = minute["figures"]
    assert (figures["Count"], figures["4XXError"], figures["5XXError"]) == (1, 0, 0)
    assert figures["Latency"]["sum_us"] == 1_000
    assert figures["IntegrationLatency"]["sum_us"] == 500
    (last,) = of(metrics.drain(MINUTE * 12), ROUTE)
    assert (last.minute_ms, last.figures.server_errors, last.figures.integration_latency.count) == (MINUTE * 11, 1, 0)
    assert metrics.drain(MINUTE * 13) == []


def test_minutes_have_routes_stages_and_apis():
    metrics = Metrics()
    route, other = metrics.meter(ROUTE), metrics.meter(OTHER)
    route.observe(0, 200, 10, 1)
    other.observe(0, 404, 30, 1)
    found = {minute.dimensions: minute.figures for minute in metrics.drain(MINUTE)}
    assert {dimensions: figures.count for dimensions, figures in found.items()} == {
        ROUTE: 1,
        OTHER: 1,
        STAGE: 2,
        API: 2,
    }
    assert found[API].latency.sum_us == 40


def test_the_running_minute_is_told_when_something_was_added():
    metrics = Metrics()
    route, other = metrics.meter(ROUTE), metrics.meter(OTHER)
    route.observe(0, 200, 10, 1)
    other.observe(0, 200, 10, 1)
    assert {minute.dimensions for minute in metrics.running()} == {ROUTE, OTHER, STAGE, API}
    assert metrics.running() == []
    route.observe(1, 200, 10, 1)
    found = {minute.dimensions: minute.figures.count for minute in metrics.running()}
    assert found == {ROUTE: 2, STAGE: 3, API: 3}, "each level as a whole, those without news not at all"


def test_a_slow_request_never_opens_a_minute_that_was_fetched():
    metrics = Metrics()
    quick, slow = metrics.meter(ROUTE), metrics.meter(OTHER)
    quick.observe(MINUTE, 200, 1, 1)
    assert {minute.minute_ms for minute in metrics.drain(2 * MINUTE + 500)} == {MINUTE}
    slow.observe(2 * MINUTE - 1, 200, 20_000_000, 1)
    (minute,) = of(metrics.running(), API)
    assert (minute.minute_ms, minute.figures.count) == (2 * MINUTE, 1)


def test_a_deleted_route_keeps_its_last_minute_until_it_is_fetched():
    metrics = Metrics()
    metrics.meter(ROUTE).observe(0, 200, 1, 1)
    metrics.meter(ROUTE).observe(1, 200, 1, 1)
    (minute,) = of(metrics.drain(MINUTE), ROUTE)
    assert minute.figures.count == 2
    assert metrics.snapshot() == {}


def test_what_is_forgotten_is_never_fetched_and_stays_in_the_totals():
    metrics = Metrics()
    meter = metrics.meter(ROUTE)
    meter.observe(0, 200, 1, 1)
    meter.observe(MINUTE, 200, 1, 1)
    metrics.forget()
    assert metrics.running() == []
    meter.observe(MINUTE + 1, 200, 1, 1)
    assert [minute.figures.count for minute in of(metrics.drain(2 * MINUTE), ROUTE)] == [1]
    assert meter.so_far().count == 3


@pytest.mark.parametrize(
    ("status", "expected"), [(200, (0, 0)), (399, (0, 0)), (400, (1, 0)), (499, (1, 0)), (500, (0, 1)), (504, (0, 1))]
)
def test_statuses_are_errors_of_the_client_or_of_the_server(status, expected):
    meter = Metrics().meter(ROUTE)
    meter.observe(0, status, 0, 0)
    figures = meter.so_far()
    assert (figures.client_errors, figures.server_errors) == expected


def test_minutes_that_nobody_fetches_are_kept_within_a_bound_and_stay_in_the_totals():
    metrics = Metrics()
    meter = metrics.meter(ROUTE)
    for minute in range(MINUTES_KEPT_MAX + 5):
        meter.observe(minute * MINUTE, 200, 1, 1)
    assert len(of(metrics.drain((MINUTES_KEPT_MAX + 6) * MINUTE), ROUTE)) == MINUTES_KEPT_MAX
    assert meter.so_far().count == MINUTES_KEPT_MAX + 5


def test_a_snapshot_has_routes_stages_and_apis():
    metrics = Metrics()
    route, other = metrics.meter(ROUTE), metrics.meter(OTHER)
    route.observe(0, 200, 10, 1)
    other.observe(0, 404, 30, 1)
    found = metrics.snapshot()
    assert found[ROUTE].count == found[OTHER].count == 1
    for whole in (Dimensions("api1", "shop", "prod"), Dimensions("api1", "shop")):
        assert (found[whole].count, found[whole].client_errors, found[whole].latency.sum_us) == (2, 1, 40)


def test_a_route_keeps_its_meter_as_long_as_a_plan_has_it():
    metrics = Metrics()
    meter = metrics.meter(ROUTE)
    assert metrics.meter(Dimensions("api1", "shop", "prod", "/orders", "GET")) is meter
    del meter
    assert metrics.snapshot() == {}
