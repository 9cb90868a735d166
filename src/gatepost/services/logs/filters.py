"""What becomes of a group's events when they arrive: metrics (metric filters) and invocations (subscription filters).

Both are observers: what they cannot pass on is counted and logged, and the events are kept all the same. An event with
a value or a dimension that no metric can have makes no metric, as one without them: metrics are sent together, and
whoever writes one line must not keep the others from being counted.

Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/MonitoringLogData.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import orjson

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError, StoreUnavailable
from gatepost.kernel.operations import RecordKey
from gatepost.kernel.ports import Authorization, CheckedTriggers
from gatepost.kernel.sinks import MetricSink
from gatepost.services.logs.filter_pattern import Extract, Test, compile_pattern, extractor_of, json_value
from gatepost.services.logs.model import GroupName
from gatepost.storage.base import Records, Write

log = logging.getLogger(__name__)

METRIC_FILTER: Final = "logs_metric_filter"  # kinds of records
SUBSCRIPTION: Final = "logs_subscription_filter"
SERVICE: Final = "logs.amazonaws.com"
DATA_MAX: Final = 1_000  # of one call of the metric sink
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html and API_Dimension.html
VALUE_MAX: Final = 2.0**360
DIMENSION_CHARACTERS_MAX: Final = 1_024

Event = tuple[int, str]  # when, message


@dataclass(frozen=True, slots=True)
class LogReach:
    """What the logs service needs besides its own store."""

    records: Records
    triggers: CheckedTriggers
    metrics: MetricSink
    authorization: Authorization
    new_id: Callable[[], str]


@dataclass(frozen=True, slots=True)
class MetricFilter:
    """One metric filter. `transformation` is as AWS shows it."""

    account_id: str
    region: str
    group: str
    name: str
    pattern: str
    created_at_ms: int
    transformation: Mapping[str, Any] = field(default_factory=dict)

    kind = METRIC_FILTER


@dataclass(frozen=True, slots=True)
class SubscriptionFilter:
    """One subscription of a function."""

    account_id: str
    region: str
    group: str
    name: str
    pattern: str
    created_at_ms: int
    destination_arn: str = ""
    distribution: str = "ByLogStream"

    kind = SUBSCRIPTION


AnyFilter = MetricFilter | SubscriptionFilter


@dataclass(frozen=True, slots=True)
class _Running:
    filter: AnyFilter
    version: int
    matches: Test
    extract: Extract


class LogFilters:
    """The filters of all groups, kept as records and applied to what arrives."""

    def __init__(self, reach: LogReach, clock: Clock) -> None:
        self._reach = reach
        self._clock = clock
        self._running: dict[GroupName, dict[tuple[str, str], _Running]] = {}
        self.changing = asyncio.Lock()  # or a group has more than it may, and a deleted one leaves a filter behind
        self.lost_events = 0  # that were not passed on

    async def load(self) -> None:
        """Read the filters."""
        for kind, make in ((METRIC_FILTER, MetricFilter), (SUBSCRIPTION, SubscriptionFilter)):
            for record in await self._reach.records.scan(kind):
                self._run(make(**record.value), record.version)

    def _run(self, one: AnyFilter, version: int) -> None:
        running = _Running(one, version, compile_pattern(one.pattern), extractor_of(one.pattern))
        self._running.setdefault(_group(one), {})[(one.kind, one.name)] = running

    def of(self, key: GroupName, kind: str) -> list[AnyFilter]:
        """Give a group's filters of a kind by name."""
        found = [each.filter for (of, _), each in self._running.get(key, {}).items() if of == kind]
        return sorted(found, key=lambda one: one.name)

    def every(self, account_id: str, region: str, kind: str) -> list[AnyFilter]:
        """Give an account's filters of a kind by group and name."""
        names = sorted(key.name for key in self._running if (key.account_id, key.region) == (account_id, region))
        return [one for name in names for one in self.of(GroupName(account_id, region, name), kind)]

    async def keep(self, one: AnyFilter) -> None:
        """Add a filter, or replace that of its name. Raises: StoreUnavailable."""
        record = await self._reach.records.put(_key(one), asdict(one), expected_version=None)
        self._run(one, record.version)

    async def drop(self, key: GroupName, kind: str, name: str) -> bool:
        """Delete a filter and say whether it was there. Raises: StoreUnavailable."""
        running = self._running.get(key, {}).get((kind, name))
        if running is None:
            return False
        await self._reach.records.delete(_key(running.filter))
        self._forget(key, kind, name)
        return True

    async def drop_group(self, key: GroupName) -> None:
        """Delete the filters of a group that is gone. Raises: StoreUnavailable."""
        running = list(self._running.get(key, {}).values())
        if running:
            await self._reach.records.commit([Write(_key(each.filter), None) for each in running])
            self._running.pop(key, None)

    def _forget(self, key: GroupName, kind: str, name: str) -> None:
        held = self._running.get(key, {})
        held.pop((kind, name), None)
        if not held:
            self._running.pop(key, None)

    async def apply(self, key: GroupName, stream: str, events: Sequence[Event]) -> None:
        """Pass events on that have just been stored. Never raises: observers fail open."""
        for running in list(self._running.get(key, {}).values()):
            one = running.filter
            matching = [event for event in events if running.matches(event[1])]
            try:
                if isinstance(one, MetricFilter):
                    await self._measure(one, running.extract, matching, events)
                elif matching:
                    await self._send(one, stream, matching)
            except (ServiceError, StoreUnavailable) as error:
                self.lost_events += len(matching)
                log.warning("log filter failed", extra={"group": key.name, "filter": one.name, "error": str(error)})

    async def _measure(
        self, one: MetricFilter, extract: Extract, matching: Sequence[Event], events: Sequence[Event]
    ) -> None:
        data = [datum for event in matching if (datum := _datum(one, extract, event)) is not None]
        default = one.transformation.get("defaultValue")
        if not matching and default is not None and events:
            data = [_of(one, events[-1][0], float(default), {})]
        for start in range(0, len(data), DATA_MAX):
            await self._reach.metrics.record(
                one.account_id,
                one.region,
                str(one.transformation["metricNamespace"]),
                data[start : start + DATA_MAX],
            )

    async def _send(self, one: SubscriptionFilter, stream: str, events: Sequence[Event]) -> None:
        now_ms = self._clock.now_ms()
        content = {
            "messageType": "DATA_MESSAGE",
            "owner": one.account_id,
            "logGroup": one.group,
            "logStream": stream,
            "subscriptionFilters": [one.name],
            "logEvents": [
                {"id": f"{at_ms:020d}{now_ms:024d}{number:012d}", "timestamp": at_ms, "message": message}
                for number, (at_ms, message) in enumerate(events)
            ],
        }
        data = base64.b64encode(gzip.compress(orjson.dumps(content), 6)).decode()
        await self._reach.triggers.trigger(
            one.destination_arn,
            orjson.dumps({"awslogs": {"data": data}}),
            service=self.admitted(one.destination_arn, _group(one)) or SERVICE,
            source_arn=f"{_group(one).arn}:*",
            request_id=self._reach.new_id(),
        )

    def admitted(self, function_arn: str, key: GroupName) -> str | None:
        """Give the name by which a function lets this service in for a group: the global or the regional one."""
        for service in (SERVICE, f"logs.{key.region}.amazonaws.com"):
            if self._reach.triggers.admits(function_arn, service=service, source_arn=f"{key.arn}:*"):
                return service
        return None


def _key(one: AnyFilter) -> RecordKey:
    return RecordKey(one.kind, one.account_id, one.region, f"{one.group}:{one.name}")


def _group(one: AnyFilter) -> GroupName:
    return GroupName(one.account_id, one.region, one.group)


def _datum(one: MetricFilter, extract: Extract, event: Event) -> dict[str, Any] | None:
    at_ms, message = event
    values = extract(message)
    transformation = one.transformation
    value = _value(str(transformation["metricValue"]), message, values)
    dimensions = {}
    for name, selector in (transformation.get("dimensions") or {}).items():
        found = _text(selector, message, values)
        if found is None or not _is_dimension(found):
            return None  # "if the value is not in the log event, no metric is published"
        dimensions[name] = found
    return _of(one, at_ms, value, dimensions) if value is not None else None


def _of(one: MetricFilter, at_ms: int, value: float, dimensions: Mapping[str, str]) -> dict[str, Any]:
    return {
        "MetricName": one.transformation["metricName"],
        "Timestamp": at_ms,
        "Value": value,
        "Unit": one.transformation.get("unit") or "None",
        "Dimensions": [{"Name": name, "Value": text} for name, text in dimensions.items()],
    }


def _text(selector: str, message: str, values: Mapping[str, str]) -> str | None:
    if selector in values:
        return values[selector]
    return json_value(message, selector) if selector.startswith("$.") else None


def _value(text: str, message: str, values: Mapping[str, str]) -> float | None:
    found = _text(text, message, values) if text.startswith("$") else text
    try:
        number = float(found) if found is not None else math.nan
    except ValueError:
        return None
    return number if abs(number) <= VALUE_MAX else None


def _is_dimension(text: str) -> bool:
    """Say whether a dimension of a metric can have a value."""
    return len(text) <= DIMENSION_CHARACTERS_MAX and text.isascii() and text.isprintable() and bool(text.strip())
