from __future__ import annotations

from gatepost.telemetry.metric_outbox import BATCH_MINUTES, MetricOutbox
from gatepost.telemetry.metrics import MINUTE_MS, Dimensions, Metrics

ROUTE = Dimensions("api1", "shop", "prod", "/orders", "GET")


def an_outbox(**options) -> tuple[Metrics, MetricOutbox]:
    metrics = Metrics()
    outbox = MetricOutbox(metrics, source="g1", **options)
    outbox.follow("store", {"epoch": "first"})
    return metrics, outbox


def taken(outbox: MetricOutbox) -> dict[tuple[int, str], int]:
    """Take everything away; give the counts of routes and others by minute."""
    found = {}
    while batch := outbox.take():
        for minute in batch["minutes"]:
            level = "route" if "Method" in minute["dimensions"] else minute["dimensions"].get("Stage", "api")
            found[minute["minute_ms"] // MINUTE_MS, level] = minute["figures"]["Count"]
    return found


def test_a_running_minute_is_sent_as_a_whole_each_time_and_once_more_when_it_is_over():
    metrics, outbox = an_outbox()
    meter = metrics.meter(ROUTE)
    meter.observe(0, 200, 1, 1)
    outbox.collect(1_000)
    assert taken(outbox) == {(0, "route"): 1, (0, "prod"): 1, (0, "api"): 1}
    outbox.collect(2_000)
    assert taken(outbox) == {}
    meter.observe(2_500, 200, 1, 1)
    outbox.collect(3_000)
    assert taken(outbox) == {(0, "route"): 2, (0, "prod"): 2, (0, "api"): 2}
    outbox.collect(MINUTE_MS)
    assert taken(outbox) == {(0, "route"): 2, (0, "prod"): 2, (0, "api"): 2}
    outbox.collect(2 * MINUTE_MS)
    assert taken(outbox) == {}


def test_a_batch_says_for_which_store_and_by_whom_it_was_counted():
    metrics, outbox = an_outbox()
    metrics.meter(ROUTE).observe(0, 200, 1, 1)
    outbox.collect(1_000)
    batch = outbox.take()
    assert (batch["epoch"], batch["source"]) == ("first", "g1")


def test_nothing_is_sent_before_the_store_is_known():
    metrics = Metrics()
    outbox = MetricOutbox(metrics, source="g1")
    metrics.meter(ROUTE).observe(0, 200, 1, 1)
    outbox.collect(1_000)
    assert outbox.take() is None
    outbox.follow("store", {"epoch": "first"})
    assert len(taken(outbox)) == 3


def test_what_was_counted_for_another_store_is_forgotten():
    metrics, outbox = an_outbox()
    meter = metrics.meter(ROUTE)
    meter.observe(0, 200, 1, 1)
    outbox.collect(1_000)
    outbox.follow("store", {"epoch": "second"})
    outbox.collect(2_000)
    assert outbox.take() is None
    meter.observe(3_000, 200, 1, 1)
    outbox.collect(4_000)
    assert taken(outbox)[0, "route"] == 1


def test_while_nobody_takes_there_is_one_word_for_each_minute():
    metrics, outbox = an_outbox()
    meter = metrics.meter(ROUTE)
    for second in range(120):
        meter.observe(second * 1_000, 200, 1, 1)
        outbox.collect(second * 1_000 + 500)
    outbox.collect(2 * MINUTE_MS)
    found = taken(outbox)
    assert len(found) == 6
    assert (found[0, "route"], found[1, "route"]) == (60, 60)


def test_what_was_given_back_comes_before_what_is_newer_and_never_over_it():
    metrics, outbox = an_outbox()
    meter = metrics.meter(ROUTE)
    meter.observe(0, 200, 1, 1)
    outbox.collect(1_000)
    batch = outbox.take()
    meter.observe(1_500, 200, 1, 1)
    outbox.collect(2_000)
    outbox.give_back(batch)
    assert taken(outbox) == {(0, "route"): 2, (0, "prod"): 2, (0, "api"): 2}
    outbox.collect(MINUTE_MS)
    batch = outbox.take()
    meter.observe(MINUTE_MS, 200, 1, 1)
    outbox.collect(MINUTE_MS + 1)
    outbox.give_back(batch)
    assert [key[0] for key in taken(outbox)] == [0, 0, 0, 1, 1, 1]


def test_over_the_bound_the_oldest_minutes_go_and_are_counted():
    metrics, outbox = an_outbox(minutes_max=5)
    meter = metrics.meter(ROUTE)
    for minute in range(4):
        meter.observe(minute * MINUTE_MS, 200, 1, 1)
        outbox.collect((minute + 1) * MINUTE_MS)
    found = taken(outbox)
    assert len(found) == 5
    assert outbox.dropped == 7
    assert {minute for minute, _ in found} == {2, 3}


def test_a_finished_minute_is_sent_again_when_the_connection_was_lost_soon_after():
    metrics, outbox = an_outbox()
    metrics.meter(ROUTE).observe(0, 200, 1, 1)
    outbox.collect(MINUTE_MS)
    assert len(taken(outbox)) == 3
    outbox.reconnected()
    assert len(taken(outbox)) == 3
    outbox.collect(5 * MINUTE_MS)
    outbox.reconnected()
    assert outbox.take() is None


def test_batches_are_bounded():
    metrics, outbox = an_outbox()
    meters = [metrics.meter(Dimensions("api1", "shop", "prod", f"/{number}", "GET")) for number in range(120)]
    for meter in meters:
        meter.observe(0, 200, 1, 1)
    outbox.collect(1_000)
    assert [len(batch["minutes"]) for batch in iter(outbox.take, None)] == [BATCH_MINUTES, 22]
