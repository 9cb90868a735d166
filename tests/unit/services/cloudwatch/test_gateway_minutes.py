"""What gateways count, in CloudWatch's words."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.services.cloudwatch.gateway_minutes import api_name, points_of
from gatepost.services.cloudwatch.model import UNITS
from gatepost.telemetry.figures import Figures
from gatepost.telemetry.metrics import Dimensions, Minute
from tests.support.metrics import HOUR_MS, MINUTE_MS, CountingGateway, MetricsControl, with_metrics

ROUTE = {"ApiName": "shop", "Stage": "prod", "Resource": "/orders", "Method": "GET"}
STAGE = {"ApiName": "shop", "Stage": "prod"}
API = {"ApiName": "shop"}


def asked(metrics: MetricsControl, name: str, dimensions: dict[str, str]) -> dict[str, Any]:
    return {
        "Namespace": "AWS/ApiGateway",
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        "StartTime": metrics.clock.now_ms() - HOUR_MS,
    }


async def total(metrics: MetricsControl, name: str, dimensions: dict[str, str] = API) -> float:
    points = await metrics.statistics("Sum", **asked(metrics, name, dimensions))
    return sum(point["Sum"] for point in points)


def test_requests_are_counted_by_api_stage_and_method(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        gateway = CountingGateway(metrics)
        await gateway.connect()
        for status in (200, 200, 404, 500):
            gateway.serve(status)
        gateway.serve(method="POST")
        await gateway.send()
        names = ("Count", "4XXError", "5XXError")
        return [[await total(metrics, name, dimensions) for name in names] for dimensions in (ROUTE, STAGE, API)]

    assert with_metrics(tmp_path, scenario) == [[4, 1, 1], [5, 1, 1], [5, 1, 1]]


def test_the_average_of_errors_is_their_rate(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        gateway = CountingGateway(metrics)
        await gateway.connect()
        for status in (200, 200, 404, 200):
            gateway.serve(status)
        await gateway.send()
        return await metrics.statistics("Average", "SampleCount", **asked(metrics, "4XXError", API))

    (point,) = with_metrics(tmp_path, scenario)
    assert (point["Average"], point["SampleCount"], point["Unit"]) == (0.25, 4, "Count")


def test_latencies_are_milliseconds_with_percentiles(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        gateway = CountingGateway(metrics)
        await gateway.connect()
        for ms in range(1, 101):
            gateway.serve(ms=ms)
        await gateway.send()
        plain = await metrics.statistics("Average", "Minimum", "Maximum", **asked(metrics, "Latency", STAGE))
        percentiles = await metrics.statistics("p50", "p99", "p100", **asked(metrics, "Latency", STAGE))
        return plain, percentiles, await total(metrics, "IntegrationLatency")

    (plain,), (percentiles,), integration = with_metrics(tmp_path, scenario)
    assert (plain["Average"], plain["Minimum"], plain["Maximum"], plain["Unit"]) == (50.5, 1, 100, "Milliseconds")
    found = percentiles["ExtendedStatistics"]
    assert found["p50"] == pytest.approx(50, rel=0.07)
    assert found["p99"] == pytest.approx(99, rel=0.07)
    assert found["p100"] <= 100
    assert integration == 2525


def test_a_running_minute_told_many_times_counts_once(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        gateway = CountingGateway(metrics)
        await gateway.connect()
        seen = []
        for _ in range(4):
            metrics.clock.advance(ms=20_000)
            gateway.serve()
            await gateway.send()
            gateway.outbox.reconnected()
            await gateway.send()
            seen.append(await total(metrics, "Count"))
        return seen

    assert with_metrics(tmp_path, scenario) == [1, 2, 3, 4]


def test_a_word_that_comes_late_takes_nothing_back(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        gateway = CountingGateway(metrics)
        await gateway.connect()
        gateway.serve()
        gateway.outbox.collect(metrics.clock.now_ms())
        early = gateway.outbox.take()
        gateway.serve()
        await gateway.send()
        await metrics.provider.ingest(early)
        return await total(metrics, "Count")

    assert with_metrics(tmp_path, scenario) == 2


def test_a_restarted_gateway_and_a_second_api_of_the_same_name_add_up(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        for source, api_id in (("g1", "api1"), ("g2", "api1"), ("g2", "api2")):
            gateway = CountingGateway(metrics, source=source)
            await gateway.connect()
            gateway.serve(api_id=api_id, ms=7)
            await gateway.send()
        percentiles = await metrics.statistics("p50", **asked(metrics, "Latency", API))
        return await total(metrics, "Count"), percentiles

    count, percentiles = with_metrics(tmp_path, scenario)
    assert count == 3
    assert percentiles[0]["ExtendedStatistics"]["p50"] == 7


def test_what_was_counted_for_another_store_is_ignored(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        gateway = CountingGateway(metrics)
        gateway.outbox.follow("store", {"epoch": "another"})
        gateway.serve()
        await gateway.send()
        return await total(metrics, "Count")

    assert with_metrics(tmp_path, scenario) == 0


def test_a_store_that_is_closed_loses_and_counts(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        gateway = CountingGateway(metrics)
        await gateway.connect()
        gateway.serve()
        await metrics.store._database.close()
        await gateway.send()
        return metrics.provider.lost_points

    assert with_metrics(tmp_path, scenario) == 15


def test_over_the_bound_of_metrics_points_are_lost_and_counted(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        gateway = CountingGateway(metrics)
        await gateway.connect()
        gateway.serve()
        await gateway.send()
        return metrics.provider.lost_points

    assert with_metrics(tmp_path, scenario, metrics_max=10) == 5


def test_minutes_are_kept_apart(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        gateway = CountingGateway(metrics)
        await gateway.connect()
        for _ in range(3):
            gateway.serve()
            metrics.clock.advance(ms=MINUTE_MS)
            await gateway.send()
        return await metrics.statistics("Sum", **asked(metrics, "Count", API))

    points = with_metrics(tmp_path, scenario)
    assert [point["Sum"] for point in points] == [1, 1, 1]
    assert len({point["Timestamp"] for point in points}) == 3


def test_requests_of_no_api_are_nobodys() -> None:
    minute = Minute(0, Dimensions("", ""), Figures()).to_json()
    assert list(points_of(minute, account_id="1", region="r", source="g")) == []


def test_a_request_that_never_reached_its_integration_has_no_integration_latency() -> None:
    figures = Figures()
    figures.count = 1
    figures.latency.observe(1_000)
    minute = Minute(60_000, Dimensions("api1", "shop"), figures).to_json()
    points = list(points_of(minute, account_id="1", region="r", source="g"))
    assert [point.metric.name for point in points] == ["Count", "4XXError", "5XXError", "Latency"]
    assert {point.at_s for point in points} == {60}
    assert [UNITS[point.unit] for point in points] == ["Count", "Count", "Count", "Milliseconds"]


@pytest.mark.parametrize(("name", "expected"), [("shop", "shop"), ("kávé", "kv"), ("咖啡", "api1"), ("", "api1")])
def test_an_api_is_called_by_its_ascii_characters_or_its_id(name, expected) -> None:
    assert api_name({"ApiName": name, "ApiId": "api1"}) == expected
