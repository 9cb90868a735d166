"""The values of queries: of metrics from the store, of expressions from other queries.

GetMetricData and alarms read with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from gatepost.services.cloudwatch.math_syntax import BadExpression, names_in, size_of
from gatepost.services.cloudwatch.math_values import Series, Setting, Value, work_out
from gatepost.services.cloudwatch.metric_data import MathQuery, MetricQuery, Query
from gatepost.services.cloudwatch.model import Metric, ValidationError
from gatepost.services.cloudwatch.statistics import Statistics
from gatepost.services.cloudwatch.store import MetricStore, Slot, Span

STEPS_MAX: Final = 2_000_000  # points of an expression times its parts: what is worked out without a pause


class Readings:
    """Reads queries; what several expressions use is read once."""

    def __init__(self, store: MetricStore, queries: Sequence[Query]) -> None:
        self._store = store
        self._queries: Mapping[str, Query] = {query.id: query for query in queries}
        self._known: dict[str, Value] = {}

    async def series(self, query: Query) -> list[Series]:
        """Give a query's series: one, or those of an array. Raises: ValidationError."""
        value = await self._value(query)
        if isinstance(value, float):
            raise ValidationError(f"Error in expression '{query.id}': the result is a number and no time series")
        return value if isinstance(value, list) else [value]

    async def _value(self, query: Query) -> Value:
        if query.id not in self._known:
            if isinstance(query, MetricQuery):
                values = await values_of(self._store, query)
                self._known[query.id] = Series(query.label, values, query.span.period_s)
            else:
                self._known[query.id] = await self._worked_out(query)
        return self._known[query.id]

    async def _worked_out(self, query: MathQuery) -> Value:
        needed = set(names_in(query.expression))
        metrics = [each.id for each in self._queries.values() if isinstance(each, MetricQuery)]
        if "METRICS" in query.text.upper():
            needed.update(metrics)
        series = {name: await self._value(self._queries[name]) for name in needed if name in self._queries}
        span = query.span
        times = range(span.start_s, span.to_s, span.period_s)
        if len(times) * size_of(query.expression) > STEPS_MAX:
            raise ValidationError(
                f"Error in expression '{query.id}': it has too many points to be worked out; ask for less time at once"
            )
        await asyncio.sleep(0)
        try:
            return work_out(query.expression, Setting(series, metrics, times))
        except BadExpression as error:
            raise ValidationError(f"Error in expression '{query.id}': {error}") from error


async def values_of(store: MetricStore, query: MetricQuery) -> dict[int, float]:
    """Give a metric query's values by time; without a unit, those of all units together."""
    found = await read_slots(store, query.metric, query.span, has_percentiles=query.stat.percent is not None)
    slots: dict[int, Statistics] = {}
    for (at_s, unit), statistics in found.items():
        if query.unit is not None and unit != query.unit:
            continue
        if at_s in slots:
            slots[at_s].add(statistics)
        else:
            slots[at_s] = statistics
    values = {at_s: query.stat.of(statistics) for at_s, statistics in slots.items()}
    return {at_s: value for at_s, value in values.items() if value is not None}


async def read_slots(
    store: MetricStore, metric: Metric, span: Span, *, has_percentiles: bool
) -> dict[Slot, Statistics]:
    """Read a metric's slots; others may run in between, because there can be many points."""
    metric_id = store.find(metric)
    if metric_id is None:
        return {}
    found: dict[Slot, Statistics] = {}
    for found in store.slots(metric_id, span, has_histograms=has_percentiles):  # noqa: B007 - it grows
        await asyncio.sleep(0)
    return found
