from __future__ import annotations

import pytest

from gatepost.telemetry.metrics import MINUTES_KEPT_MAX, Dimensions, Metrics

ROUTE = Dimensions("api1", "shop", "prod", "/orders", "GET")
OTHER = Dimensions("api1", "shop", "prod", "/orders", "POST")
STAGE = Dimensions("api1", "shop", "prod")
API = Dimensions("api1", "shop")
MINUTE = 60_000


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
