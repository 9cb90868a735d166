"""API Gateway's metrics, as gateways tell them: a minute of one API, stage or method becomes points.

Names, units, meanings and dimensions are AWS's: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
Figures of single methods (ApiName, Method, Resource, Stage) come where a stage enables detailed metrics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from gatepost.services.cloudwatch.model import MINUTE_S, UNIT_NUMBERS, Metric, Point, dimensions_of
from gatepost.services.cloudwatch.statistics import Buckets, Statistics, bucket_of, of_values
from gatepost.telemetry.histograms import bucket_middle_us

NAMESPACE: Final = "AWS/ApiGateway"
_COUNT: Final = UNIT_NUMBERS["Count"]
_MILLISECONDS: Final = UNIT_NUMBERS["Milliseconds"]
_US_PER_MS: Final = 1000


def points_of(minute: Mapping[str, Any], *, account_id: str, region: str, source: str) -> Iterator[Point]:
    """Give the points of one minute; none when it is of no API."""
    told = minute["dimensions"]
    if not told.get("ApiId"):
        return
    dimensions = dimensions_of(
        [{"Name": "ApiName", "Value": api_name(told)}]
        + [{"Name": name, "Value": told[name]} for name in ("Method", "Resource", "Stage") if told.get(name)]
    )
    at_s = minute["minute_ms"] // 1000
    at_s -= at_s % MINUTE_S
    for name, unit, statistics in _statistics(minute["figures"]):
        metric = Metric(account_id, region, NAMESPACE, name, dimensions)
        # Two APIs may have one name: each is a source of its own.
        yield Point(metric, at_s, unit, statistics, f"{source}/{told['ApiId']}")


def api_name(told: Mapping[str, str]) -> str:
    """Give the ApiName as a dimension: its ASCII characters, or the API's id when it has none, as AWS does."""
    return "".join(character for character in told.get("ApiName", "") if character.isascii()) or told["ApiId"]


def _statistics(figures: Mapping[str, Any]) -> Iterator[tuple[str, int, Statistics]]:
    count = figures["Count"]
    yield "Count", _COUNT, of_values({1.0: count})
    for name in ("4XXError", "5XXError"):  # each request counts, so that the average is the rate
        errors = figures[name]
        yield (
            name,
            _COUNT,
            of_values({value: times for value, times in ((0.0, count - errors), (1.0, errors)) if times}),
        )
    yield from _cache_counts(figures.get("CacheHitCount", 0), figures.get("CacheMissCount", 0))
    for name in ("Latency", "IntegrationLatency"):
        if figures[name]["count"]:
            yield name, _MILLISECONDS, _latency(figures[name])


def _cache_counts(hits: int, misses: int) -> Iterator[tuple[str, int, Statistics]]:
    """Give both counts of the cache: what met it are the samples, so that the average of the hits is their rate."""
    if hits or misses:
        yield "CacheHitCount", _COUNT, of_values({value: each for value, each in ((1.0, hits), (0.0, misses)) if each})
        yield "CacheMissCount", _COUNT, of_values({value: each for value, each in ((0.0, hits), (1.0, misses)) if each})


def _latency(told: Mapping[str, Any]) -> Statistics:
    """Read a histogram of `telemetry.metrics`: each bucket goes where its middle belongs."""
    buckets: Buckets = {}
    for index, times in enumerate(told["buckets"], told["first_bucket"]):
        if times:
            bucket = _bucket_of(index)
            buckets[bucket] = buckets.get(bucket, 0) + times
    return Statistics(
        told["count"], told["sum_us"] / _US_PER_MS, told["min_us"] / _US_PER_MS, told["max_us"] / _US_PER_MS, buckets
    )


@lru_cache(maxsize=512)  # there are 288
def _bucket_of(index: int) -> int:
    return bucket_of(bucket_middle_us(index) / _US_PER_MS)
