from __future__ import annotations

from gatepost.telemetry.figures import Counter, Figures, Gauge


def test_a_gauge_counts_requests_errors_and_the_two_latencies():
    gauge = Gauge()
    for status, integration_us in ((200, 3), (399, 5), (400, -1), (499, -1), (500, 7)):
        gauge.observe(status, 10, integration_us)
    figures = gauge.figures
    assert (figures.count, figures.client_errors, figures.server_errors) == (5, 2, 1)
    assert (figures.latency.count, figures.latency.sum_us) == (5, 50)
    assert (figures.integration_latency.count, figures.integration_latency.sum_us) == (3, 15)


def test_figures_add_up_and_are_told_under_aws_names():
    one, other = Gauge(), Gauge()
    one.observe(200, 10, 4)
    other.observe(503, 30, -1)
    other.figures.cache_hits = 2
    other.figures.cache_misses = 3
    total = Figures()
    total.add(one.figures)
    total.add(other.figures)
    told = total.to_json()
    assert (told["Latency"]["sum_us"], told["IntegrationLatency"]["sum_us"]) == (40, 4)
    assert {name: value for name, value in told.items() if isinstance(value, int)} == {
        "Count": 2,
        "4XXError": 0,
        "5XXError": 1,
        "CacheHitCount": 2,
        "CacheMissCount": 3,
    }


def test_a_counter_counts_one_by_one():
    counter = Counter()
    counter.add_one()
    counter.add_one()
    assert counter.pending == 2
