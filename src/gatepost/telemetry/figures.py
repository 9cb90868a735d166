"""What is counted of each request: small, because every request pays for it, and so that it may be compiled."""

from __future__ import annotations

from typing import Any

from gatepost.telemetry.histograms import Histogram


class Figures:
    """What happened to one route, stage or API in some span of time."""

    __slots__ = (
        "cache_hits", "cache_misses", "client_errors", "count", "integration_latency", "latency", "server_errors",
    )  # fmt: skip

    def __init__(self) -> None:
        self.count = 0
        self.client_errors = 0  # AWS: 4XXError
        self.server_errors = 0  # AWS: 5XXError
        self.cache_hits = 0  # AWS: CacheHitCount
        self.cache_misses = 0
        self.latency = Histogram()
        self.integration_latency = Histogram()

    def add(self, other: Figures) -> None:
        """Take `other`'s figures too."""
        self.count += other.count
        self.client_errors += other.client_errors
        self.server_errors += other.server_errors
        self.cache_hits += other.cache_hits
        self.cache_misses += other.cache_misses
        self.latency.add(other.latency)
        self.integration_latency.add(other.integration_latency)

    def to_json(self) -> dict[str, Any]:
        """Give the figures under AWS's metric names."""
        return {
            "Count": self.count,
            "4XXError": self.client_errors,
            "5XXError": self.server_errors,
            "CacheHitCount": self.cache_hits,
            "CacheMissCount": self.cache_misses,
            "Latency": self.latency.to_json(),
            "IntegrationLatency": self.integration_latency.to_json(),
        }


class Gauge:
    """The figures of a minute that is running, which ends at `ends_ms`; 0: none is."""

    __slots__ = ("ends_ms", "figures")

    def __init__(self) -> None:
        self.figures = Figures()
        self.ends_ms = 0

    def observe(self, status: int, latency_us: int, integration_us: int) -> None:
        """Count one request; `integration_us` below 0: it never reached the integration."""
        figures = self.figures
        figures.count += 1
        if status >= 400:
            if status < 500:
                figures.client_errors += 1
            else:
                figures.server_errors += 1
        figures.latency.observe(latency_us)
        if integration_us >= 0:
            figures.integration_latency.observe(integration_us)


class Counter:
    """One key's count since the last batch. Kept by whoever counts, so that counting is one addition."""

    __slots__ = ("pending",)

    def __init__(self) -> None:
        self.pending = 0

    def add_one(self) -> None:
        """Count one."""
        self.pending += 1
