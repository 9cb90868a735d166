"""API Gateway's metrics, counted per route in memory and handed on minute by minute.

Each route has one meter; stage and API figures are sums of meters, made when someone asks, so that a request
pays for one. Latencies are held in microseconds (`figures.py`, `histograms.py`); AWS's unit is the millisecond.

Metric names, dimensions and meanings: API Gateway developer guide, "Amazon API Gateway dimensions and metrics"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

from gatepost.telemetry.figures import Figures, Gauge

MINUTE_MS: Final = 60_000
MINUTES_KEPT_MAX: Final = 15
"""How many finished minutes of a meter wait to be fetched; the oldest goes first."""


@dataclass(frozen=True, slots=True)
class Dimensions:
    """Whose figures they are, in AWS's dimensions: ApiName, Stage, Resource, Method (and the API's id)."""

    api_id: str
    api_name: str
    stage: str = ""
    resource: str = ""
    method: str = ""

    def to_json(self) -> dict[str, str]:
        """Give AWS's dimension names, empty ones left out."""
        named = {
            "ApiId": self.api_id,
            "ApiName": self.api_name,
            "Stage": self.stage,
            "Resource": self.resource,
            "Method": self.method,
        }
        return {name: value for name, value in named.items() if value}


class Minute(NamedTuple):
    """What happened in one minute at one of AWS's levels."""

    minute_ms: int
    dimensions: Dimensions
    figures: Figures

    def to_json(self) -> dict[str, Any]:
        """Give it as it goes over the link."""
        return {
            "minute_ms": self.minute_ms,
            "dimensions": self.dimensions.to_json(),
            "figures": self.figures.to_json(),
        }


class Meter:
    """One route's figures: of the running minute, of finished minutes, and of all time.

    Whoever counts adds to `gauge`, and calls `close_minute` first when the gauge's minute is over.
    """

    __slots__ = ("__weakref__", "_metrics", "dimensions", "finished", "gauge", "reported", "total")

    def __init__(self, dimensions: Dimensions, metrics: Metrics) -> None:
        self._metrics = metrics
        self.dimensions = dimensions
        self.reported = 0  # requests of the running minute that `Metrics.running` has told of
        self.gauge = Gauge()
        self.total = Figures()
        self.finished: deque[tuple[int, Figures]] = deque(maxlen=MINUTES_KEPT_MAX)

    @property
    def current(self) -> Figures:
        """Give the running minute's figures."""
        return self.gauge.figures

    def observe(self, at_ms: int, status: int, latency_us: int, integration_us: int) -> None:
        """Count one request that began at `at_ms`; `integration_us` below 0: it never reached the integration."""
        self.close_minute(at_ms)
        self.gauge.observe(status, latency_us, integration_us)

    def close_minute(self, now_ms: int) -> None:
        """Put the running minute with the finished ones when `now_ms` is past it."""
        gauge = self.gauge
        if now_ms < gauge.ends_ms:
            return
        if gauge.figures.count:
            self.finished.append((self.minute_ms, gauge.figures))
            self._begin()
        gauge.ends_ms = self._metrics.open_minute(self, now_ms) + MINUTE_MS

    @property
    def minute_ms(self) -> int:
        """When the running minute began."""
        return self.gauge.ends_ms - MINUTE_MS

    def rest(self) -> None:
        """Have no running minute until the next request."""
        self.gauge.ends_ms = 0

    def forget(self) -> None:
        """Drop what has not been fetched; all of time keeps it."""
        self._begin()
        self.finished.clear()
        self.rest()

    def _begin(self) -> None:
        self.total.add(self.gauge.figures)
        self.gauge.figures = Figures()
        self.reported = 0

    def so_far(self) -> Figures:
        """Give everything since the process began."""
        figures = Figures()
        figures.add(self.total)
        figures.add(self.current)
        return figures


class Metrics:
    """All meters of this process: as many as there are routes in effect.

    Plans hold their meters; a route that is deployed again finds its own, and a meter goes when no plan has it and
    its last minute has been fetched. A minute that has been fetched is never opened again: whoever keeps minutes may
    replace one by a later word about it.
    """

    def __init__(self) -> None:
        self._meters: WeakValueDictionary[Dimensions, Meter] = WeakValueDictionary()
        self._busy: dict[Meter, None] = {}  # those with something to fetch, kept although no plan may have them
        self._open_from_ms = 0

    def meter(self, dimensions: Dimensions) -> Meter:
        """Give the meter of `dimensions`, a new one when there is none. The caller keeps it."""
        found = self._meters.get(dimensions)
        if found is None:
            found = self._meters[dimensions] = Meter(dimensions, self)
        return found

    def open_minute(self, meter: Meter, at_ms: int) -> int:
        """Note that `meter` has a running minute and say when that began: that of `at_ms`, unless it was fetched.

        Requests count when they end but by the time at which they began, so a slow one can come late.
        """
        self._busy[meter] = None
        return max(at_ms - at_ms % MINUTE_MS, self._open_from_ms)

    def drain(self, now_ms: int) -> list[Minute]:
        """Take the finished minutes away: per route, per stage and per API."""
        self._open_from_ms = max(self._open_from_ms, now_ms - now_ms % MINUTE_MS)
        minutes: list[tuple[int, Dimensions, Figures]] = []
        for meter in list(self._busy):
            meter.close_minute(now_ms)
            while meter.finished:
                minute_ms, figures = meter.finished.popleft()
                minutes.append((minute_ms, meter.dimensions, figures))
            if not meter.current.count:
                meter.rest()
                del self._busy[meter]
        return _with_levels(minutes)

    def running(self) -> list[Minute]:
        """Give what is new of the running minute: each level's figures so far, when they changed since last time."""
        changed = {
            (meter.minute_ms, level)
            for meter in self._busy
            if meter.current.count != meter.reported
            for level in _levels(meter.dimensions)
        }
        minutes: list[tuple[int, Dimensions, Figures]] = []
        for meter in self._busy:
            meter.reported = meter.current.count
            minutes.append((meter.minute_ms, meter.dimensions, meter.current))
        return [minute for minute in _with_levels(minutes) if (minute.minute_ms, minute.dimensions) in changed]

    def forget(self) -> None:
        """Drop every minute that has not been fetched."""
        for meter in self._busy:
            meter.forget()
        self._busy.clear()

    def snapshot(self) -> Mapping[Dimensions, Figures]:
        """Give all figures since the process began: per route, per stage and per API."""
        found: dict[Dimensions, Figures] = {}
        for dimensions, meter in list(self._meters.items()):
            figures = meter.so_far()
            for level in _levels(dimensions):
                found.setdefault(level, Figures()).add(figures)
        return found


def _with_levels(minutes: Iterable[tuple[int, Dimensions, Figures]]) -> list[Minute]:
    """Add the sums of stages and APIs to the minutes of routes."""
    found: dict[tuple[int, Dimensions], Figures] = {}
    for minute_ms, dimensions, figures in minutes:
        for level in _levels(dimensions):
            known = found.get((minute_ms, level))
            if known is None:
                known = found[minute_ms, level] = Figures()
            known.add(figures)
    return [Minute(minute_ms, level, figures) for (minute_ms, level), figures in found.items()]


def _levels(dimensions: Dimensions) -> Iterable[Dimensions]:
    """Give AWS's aggregation levels: ApiName; ApiName and Stage; ApiName, Method, Resource and Stage."""
    levels = {
        Dimensions(dimensions.api_id, dimensions.api_name),
        Dimensions(dimensions.api_id, dimensions.api_name, dimensions.stage),
        dimensions,
    }
    return levels
