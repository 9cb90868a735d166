"""CloudWatch's metric operations, and the gateways' minutes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import StoreUnavailable
from gatepost.kernel.operations import Access, Call, Change, operation, tag_context
from gatepost.kernel.paging import page_token, place_of
from gatepost.kernel.tasks import Tasks
from gatepost.services.cloudwatch import gateway_minutes, submissions
from gatepost.services.cloudwatch.absent import AbsentOperations
from gatepost.services.cloudwatch.alarm_operations import AlarmOperations
from gatepost.services.cloudwatch.alarms import AlarmReach, Alarms
from gatepost.services.cloudwatch.dashboards import DashboardOperations
from gatepost.services.cloudwatch.metric_data import queries_of, result
from gatepost.services.cloudwatch.model import (
    TOPIC,
    UNIT_NUMBERS,
    UNITS,
    InvalidNextToken,
    InvalidParameterCombinationException,
    InvalidParameterValueException,
    Metric,
    ValidationError,
    dimensions_of,
)
from gatepost.services.cloudwatch.queries import Stat, count_of, span_of, stat_of
from gatepost.services.cloudwatch.readings import Readings, read_slots
from gatepost.services.cloudwatch.statistics import Statistics
from gatepost.services.cloudwatch.store import LISTED_S, MetricStore

log = logging.getLogger(__name__)

Params = Mapping[str, Any]
Answer = dict[str, Any]

DATAPOINTS_MAX: Final = 1_440  # of one GetMetricStatistics
PAGE_DATAPOINTS_MAX: Final = 100_800  # of one GetMetricData
PAGE_METRICS: Final = 500
SCANNED_METRICS: Final = 1_000  # of one read
RECENTLY_S: Final = 3 * 3_600
AGING_PAUSE_S: Final = 60.0
_OF_ALARMS: Final = frozenset(
    {
        "PutMetricAlarm",
        "PutCompositeAlarm",
        "DeleteAlarms",
        "SetAlarmState",
        "EnableAlarmActions",
        "DisableAlarmActions",
    }
)
_OF_DASHBOARDS: Final = frozenset({"PutDashboard", "GetDashboard", "DeleteDashboards"})
BAD_TOKEN: Final = "The value for parameter NextToken is invalid."  # noqa: S105 - a message


class CloudWatchProvider(AlarmOperations, DashboardOperations, AbsentOperations):
    """CloudWatch metrics. Call `start` once the store is open, `close` before it is closed."""

    service = "cloudwatch"

    def __init__(self, store: MetricStore, clock: Clock, reach: AlarmReach, *, account_id: str, region: str) -> None:
        self._store = store
        self._clock = clock
        self._reach = reach
        self.alarms = Alarms(store, reach, clock)
        self._account_id = account_id
        self._region = region
        self._tasks = Tasks("cloudwatch")
        self.lost_points = 0  # of gateways, that the store did not take

    async def start(self) -> None:
        """Learn which store this is and begin to roll up what gets old. Raises: StoreUnavailable."""
        await self._store.start()
        await self.alarms.start()
        self._tasks.spawn(self._age_for_ever(), name="retention")

    async def close(self) -> None:
        """End the background work."""
        await self.alarms.close()
        await self._tasks.close()

    async def published(self) -> Sequence[Change]:
        """Give what gateways should hold: which store there is."""
        return [Change(TOPIC, "store", {"epoch": self._store.epoch})]

    async def _age_for_ever(self) -> None:
        while True:
            await self.age()
            await asyncio.sleep(AGING_PAUSE_S)

    async def age(self) -> None:
        """Roll up and delete everything that is too old."""
        try:
            while await self._store.age(self._clock.now_ms() // 1000):
                pass
        except StoreUnavailable as error:
            log.warning("old metrics not rolled up", extra={"error": str(error)})

    async def ingest(self, batch: Mapping[str, Any]) -> None:
        """Take what a gateway counted: `telemetry.metric_outbox`'s batch.

        Each minute stands for all that this source said of it before. Minutes that were counted for another store
        are none of this one's. What cannot be kept is counted, never raised: observers fail open.
        """
        if batch["epoch"] != self._store.epoch:
            return
        points = [
            point
            for minute in batch["minutes"]
            for point in gateway_minutes.points_of(
                minute, account_id=self._account_id, region=self._region, source=batch["source"]
            )
        ]
        try:
            self.lost_points += await self._store.replace(points)
        except StoreUnavailable as error:
            self.lost_points += len(points)
            log.warning("metrics lost", extra={"error": str(error)})

    async def record(self, account_id: str, region: str, namespace: str, data: Sequence[Mapping[str, Any]]) -> None:
        """Add values for another service. See `kernel.sinks.MetricSink`."""
        params = {"Namespace": namespace, "MetricData": data}
        now_ms = self._clock.now_ms()
        await self._store.add(submissions.points_of(params, account_id=account_id, region=region, now_ms=now_ms))

    def access(self, call: Call, params: Params) -> Sequence[Access]:
        """Say what a call touches: no metric has an ARN.

        Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
        """
        if call.operation == "PutMetricData":
            return (Access("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": params["Namespace"]}),)
        action = f"cloudwatch:{call.operation}"
        names = params.get("AlarmNames") or [params.get("AlarmName")]
        if call.operation in _OF_ALARMS:
            tags = tag_context((tag["Key"], tag["Value"]) for tag in params.get("Tags") or ())
            return tuple(Access(action, call.arn(f"alarm:{name}"), tags) for name in names)
        if call.operation in _OF_DASHBOARDS:
            dashboards = params.get("DashboardNames") or [params.get("DashboardName")]
            return tuple(
                Access(action, f"arn:aws:cloudwatch::{call.account_id}:dashboard/{name}") for name in dashboards
            )
        if "ResourceARN" in params:
            tags = tag_context(
                ((tag["Key"], tag["Value"]) for tag in params.get("Tags") or ()), params.get("TagKeys") or ()
            )
            return (Access(action, params["ResourceARN"], tags),)
        return (Access(action),)

    @operation("PutMetricData")
    async def put_metric_data(self, call: Call, params: Params) -> Answer:
        """Add values to metrics, which come to be by that.

        Raises: InvalidParameterValueException, InvalidParameterCombinationException,
        MissingRequiredParameterException, LimitExceededFault.
        """
        points = submissions.points_of(
            params, account_id=call.account_id, region=call.region, now_ms=self._clock.now_ms()
        )
        await self._store.add(points)
        return {}

    @operation("GetMetricStatistics")
    async def get_metric_statistics(self, call: Call, params: Params) -> Answer:
        """Give statistics of one metric, slot by slot, for each of its units.

        Raises: InvalidParameterValueException, InvalidParameterCombinationException.
        """
        stats = _stats_of(params)
        start_ms, end_ms, period_s = params["StartTime"], params["EndTime"], params["Period"]
        span = span_of(start_ms, end_ms, period_s, now_ms=self._clock.now_ms(), refuse=InvalidParameterValueException)
        if (count := count_of(start_ms, end_ms, period_s)) > DATAPOINTS_MAX:
            raise InvalidParameterCombinationException(
                f"You have requested up to {count:,} datapoints, which exceeds the limit of {DATAPOINTS_MAX:,}. You "
                "may reduce the datapoints requested by increasing Period, or decreasing the time range."
            )
        metric = _metric_of(call, params)
        found = await read_slots(
            self._store, metric, span, has_percentiles=any(stat.percent is not None for stat in stats)
        )
        unit = UNIT_NUMBERS[params["Unit"]] if params.get("Unit") else None
        points = [
            point
            for (at_s, unit_number), statistics in sorted(found.items())
            if unit in {None, unit_number} and (point := _datapoint(at_s, unit_number, statistics, stats))
        ]
        return {"Label": metric.name, "Datapoints": points}

    @operation("GetMetricData")
    async def get_metric_data(self, call: Call, params: Params) -> Answer:
        """Give one statistic of each of up to 500 metrics, a page at a time.

        A page holds what is left of the query at which the last one ended, and those after it. Raises:
        ValidationError, InvalidNextToken.
        """
        queries = queries_of(params, call, now_ms=self._clock.now_ms())
        left = params.get("MaxDatapoints", PAGE_DATAPOINTS_MAX)
        if not 1 <= left <= PAGE_DATAPOINTS_MAX:
            raise ValidationError(f"The parameter MaxDatapoints must be from 1 to {PAGE_DATAPOINTS_MAX}.")
        first, skipped = place_of(params.get("NextToken"), InvalidNextToken(BAD_TOKEN), 0, 0)
        is_ascending = params.get("ScanBy") == "TimestampAscending"
        results: list[Answer] = []
        next_page: tuple[int, int] | None = None
        readings = Readings(self._store, queries)
        returned = [query for query in queries if query.is_returned]
        for number, query in enumerate(returned[first:], first):
            if next_page is not None:
                results.append(result(query, query.label or query.id, [], is_complete=False))
                continue
            series, before = await readings.series(query), 0
            for one in series:
                values = sorted(one.values.items(), reverse=not is_ascending)
                start = min(len(values), max(0, skipped - before))
                is_complete = len(values) - start <= left
                label = query.label or (query.id if len(series) == 1 else one.label)
                results.append(result(query, label, values[start : start + left], is_complete=is_complete))
                if not is_complete and next_page is None:
                    next_page = (number, before + start + left)
                left -= min(left, len(values) - start)
                before += len(values)
            skipped = 0
        answer: Answer = {"MetricDataResults": results, "Messages": []}
        if next_page is not None:
            answer["NextToken"] = page_token(*next_page)
        return answer

    @operation("ListMetrics")
    async def list_metrics(self, call: Call, params: Params) -> Answer:
        """Give metrics that had points in the last two weeks (or three hours), 500 at a time.

        Raises: InvalidParameterValueException.
        """
        if params.get("IncludeLinkedAccounts"):
            raise InvalidParameterValueException("There are no linked accounts: leave IncludeLinkedAccounts out")
        if params.get("OwningAccount", call.account_id) != call.account_id:
            raise InvalidParameterValueException("There are no linked accounts: leave OwningAccount out")
        wanted = [(one["Name"], one.get("Value")) for one in params.get("Dimensions", ())]
        since_s = self._clock.now_ms() // 1000 - (RECENTLY_S if params.get("RecentlyActive") else LISTED_S)
        (after,) = place_of(params.get("NextToken"), InvalidParameterValueException(BAD_TOKEN), 0)
        found: list[Metric] = []
        while True:
            read = self._store.metrics(
                call.account_id,
                call.region,
                namespace=params.get("Namespace"),
                name=params.get("MetricName"),
                active_since_s=since_s,
                after=after,
                count=SCANNED_METRICS,
            )
            for metric_id, metric in read:
                if not _has(metric, wanted):
                    continue
                if len(found) == PAGE_METRICS:
                    return {"Metrics": [one.to_aws() for one in found], "NextToken": page_token(after)}
                found.append(metric)
                after = metric_id
            if len(read) < SCANNED_METRICS:
                return {"Metrics": [one.to_aws() for one in found]}
            after = read[-1][0]
            await asyncio.sleep(0)


def _stats_of(params: Params) -> list[Stat]:
    plain, extended = params.get("Statistics"), params.get("ExtendedStatistics")
    if plain and extended:
        raise InvalidParameterCombinationException(
            "The parameters Statistics and ExtendedStatistics are mutually exclusive and you have specified both."
        )
    if not plain and not extended:
        raise InvalidParameterCombinationException(
            "At least one of the parameters Statistics and ExtendedStatistics must be specified."
        )
    if plain:
        return [Stat(name) for name in plain]
    found = [stat_of(name, InvalidParameterValueException, "ExtendedStatistics") for name in extended or ()]
    for stat in found:
        if stat.percent is None:
            raise InvalidParameterValueException(f"{stat.name} belongs to Statistics, not to ExtendedStatistics")
    return found


def _metric_of(call: Call, params: Params) -> Metric:
    dimensions = dimensions_of(params.get("Dimensions", ()))
    return Metric(call.account_id, call.region, params["Namespace"], params["MetricName"], dimensions)


def _datapoint(at_s: int, unit: int, statistics: Statistics, stats: Sequence[Stat]) -> Answer | None:
    """Give AWS's `Datapoint`; None when nothing that was asked for is known of it."""
    point: Answer = {"Timestamp": at_s * 1000, "Unit": UNITS[unit]}
    extended: dict[str, float] = {}
    for stat in stats:
        value = stat.of(statistics)
        if value is not None:
            (point if stat.percent is None else extended)[stat.name] = value
    if stats[0].percent is not None:
        if not extended:
            return None
        point["ExtendedStatistics"] = extended
    return point


def _has(metric: Metric, wanted: Sequence[tuple[str, str | None]]) -> bool:
    dimensions = dict(metric.dimensions)
    return all(name in dimensions and value in {None, dimensions[name]} for name, value in wanted)
