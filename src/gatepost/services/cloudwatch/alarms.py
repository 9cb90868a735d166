"""The alarms of an account: kept, looked at every ten seconds, and acted on when their state changes.

An alarm looks at whole minutes only: at what was measured until the running minute began. What it does is told in its
history, failures too. Functions are invoked asynchronously, topics are at the endpoint that the operator named; every
change of state is an event of the default bus.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import orjson

from gatepost.kernel.clock import Clock, iso_8601
from gatepost.kernel.errors import ServiceError, StoreUnavailable
from gatepost.kernel.operations import Call, Principal, RecordKey
from gatepost.kernel.ports import CheckedTriggers, Deliveries, EventSink, Message
from gatepost.kernel.tasks import Tasks
from gatepost.services.cloudwatch.alarm_model import (
    ACTIONS_OF,
    ALARM,
    HISTORY,
    IN_ALARM,
    OK,
    Alarm,
    Standing,
    aws_time,
)
from gatepost.services.cloudwatch.alarm_rules import Rule, parse_rule
from gatepost.services.cloudwatch.alarm_states import Watch, standing_of, watch_of
from gatepost.services.cloudwatch.metric_data import MathQuery, Query, queries_of
from gatepost.services.cloudwatch.readings import Readings
from gatepost.services.cloudwatch.store import MetricStore
from gatepost.storage.base import Records, Write

log = logging.getLogger(__name__)

LOOK_PAUSE_S: Final = 10.0
HISTORY_ITEMS_MAX: Final = 100  # of one alarm
HISTORIES_MAX: Final = 500  # that are read for a history of all alarms
ACTION_SERVICE: Final = "lambda.alarms.cloudwatch.amazonaws.com"
_NOBODY: Final = Principal("service", "", "", "", name="cloudwatch.amazonaws.com")


@dataclass(frozen=True, slots=True)
class AlarmReach:
    """What alarms need besides metrics."""

    records: Records
    triggers: CheckedTriggers
    new_id: Callable[[], str]
    deliveries: Deliveries | None = None


class Alarms:
    """Alarms on records. Call `start` once the stores are open, `close` before they are closed.

    Whoever changes an alarm holds `changing` from where it is read to where it is kept: an alarm's state changes by
    itself, and of two changes neither may undo the other.
    """

    def __init__(self, store: MetricStore, reach: AlarmReach, clock: Clock) -> None:
        self.changing = asyncio.Lock()
        self._store = store
        self._reach = reach
        self._clock = clock
        self._tasks = Tasks("alarms")
        self._held: dict[str, Alarm] = {}  # by ARN
        self._rules: dict[str, Rule] = {}  # of composite ones, by ARN
        self.events: EventSink | None = None  # set once there is one

    async def start(self) -> None:
        """Read the alarms and look at them from now on."""
        for record in await self._reach.records.scan(ALARM):
            self._hold(Alarm(**record.value))
        self._tasks.spawn(self._look_for_ever(), name="look")

    async def close(self) -> None:
        """End the background work."""
        await self._tasks.close()

    def _hold(self, alarm: Alarm) -> None:
        self._held[alarm.arn] = alarm
        if alarm.is_composite:
            self._rules[alarm.arn] = parse_rule(alarm.settings["AlarmRule"])

    def find(self, arn: str) -> Alarm | None:
        """Give an alarm by its ARN."""
        return self._held.get(arn)

    def of_region(self, account_id: str, region: str) -> list[Alarm]:
        """Give an account's alarms by name."""
        found = (one for one in self._held.values() if (one.account_id, one.region) == (account_id, region))
        return sorted(found, key=lambda one: one.name)

    def children_of(self, alarm: Alarm) -> list[Alarm]:
        """Give the alarms that a composite one watches."""
        rule = self._rules.get(alarm.arn)
        names = dict.fromkeys(rule.children()) if rule else {}
        found = [self._held.get(_arn_of(alarm, name)) for name in names]
        return [one for one in found if one is not None]

    async def keep(self, alarm: Alarm, *, kind: str = "", summary: str = "", data: Any = None) -> None:
        """Store an alarm, with a history item where `kind` is given; hold `changing`. Raises: StoreUnavailable."""
        writes = [Write(alarm.key, alarm.to_json())]
        if kind:
            writes.append(await self._noted(alarm, kind, summary, data))
        await self._reach.records.commit(writes)
        self._hold(alarm)

    async def drop(self, alarm: Alarm) -> None:
        """Delete an alarm; its history stays. Hold `changing`. Raises: StoreUnavailable."""
        item = await self._noted(alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" deleted', {"type": "Delete"})
        await self._reach.records.commit([Write(alarm.key, None), item])
        self._held.pop(alarm.arn, None)
        self._rules.pop(alarm.arn, None)

    async def history(self, account_id: str, region: str, name: str | None) -> list[dict[str, Any]]:
        """Give the items of an alarm's history, or of all, in no order."""
        if name is not None:
            record = await self._reach.records.get(RecordKey(HISTORY, account_id, region, name))
            return list(record.value["items"]) if record else []
        records = await self._reach.records.page(HISTORY, account_id, region, count_max=HISTORIES_MAX)
        return [item for record in records for item in record.value["items"]]

    async def _noted(self, alarm: Alarm, kind: str, summary: str, data: Any) -> Write:
        item = {
            "AlarmName": alarm.name,
            "AlarmType": "CompositeAlarm" if alarm.is_composite else "MetricAlarm",
            "Timestamp": self._clock.now_ms(),
            "HistoryItemType": kind,
            "HistorySummary": summary,
            "HistoryData": json.dumps(data),
        }
        items = await self.history(alarm.account_id, alarm.region, alarm.name)
        key = RecordKey(HISTORY, alarm.account_id, alarm.region, alarm.name)
        return Write(key, {"items": [*items, item][-HISTORY_ITEMS_MAX:]})

    # --- looking -----------------------------------------------------------------------------------------------

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_PAUSE_S)
            await self.look()

    async def look(self) -> None:
        """Look at every alarm once. Never raises: it goes on at the next turn."""
        for is_composite in (False, True):
            for alarm in [one for one in self._held.values() if one.is_composite is is_composite]:
                await asyncio.sleep(0)  # there can be thousands
                try:
                    await self._look_at(alarm)
                except (ServiceError, StoreUnavailable) as error:
                    log.warning("alarm not looked at", extra={"alarm": alarm.arn, "error": str(error)})

    async def _look_at(self, alarm: Alarm) -> None:
        if alarm.is_composite:
            rule = self._rules.get(alarm.arn)
            found = self._composite_standing(alarm, rule) if rule is not None else None  # None: deleted meanwhile
        else:
            queries, watch = watched(alarm, self._clock.now_ms())
            query = next(each for each in queries if each.is_returned)
            series = await Readings(self._store, queries).series(query)
            end_s = query.span.to_s
            values = {at_s: value for at_s, value in (series[0].values if series else {}).items() if at_s < end_s}
            found = standing_of(watch, values, self._clock.now_ms())
        current = self._held.get(alarm.arn)
        if found is not None and current is not None and current.state.value != found.value:
            await self.change(current, found)

    def _composite_standing(self, alarm: Alarm, rule: Rule) -> Standing:
        def state_of(name: str) -> str:
            child = self._held.get(_arn_of(alarm, name))
            return child.state.value if child is not None else ""

        value = IN_ALARM if rule.holds(state_of) else OK
        told = [
            {"arn": child.arn, "state": {"value": child.state.value, "timestamp": child.state.at_ms}}
            for child in self.children_of(alarm)
        ]
        reason = f"{alarm.arn} transitioned to {value} by its rule {alarm.settings['AlarmRule']}"
        return Standing(value, reason[:1023], self._clock.now_ms(), json.dumps({"triggeringAlarms": told}))

    async def change(self, alarm: Alarm, standing: Standing) -> None:
        """Put an alarm into a state; if it is another one, act, and look at the alarms above, one after the other.

        What is gone stays so. Raises: StoreUnavailable.
        """
        waiting = deque(await self._put_into(alarm, standing))
        while waiting:
            above = self._held.get(waiting.popleft().arn)
            rule = self._rules.get(above.arn) if above is not None else None
            if above is None or rule is None:
                continue
            found = self._composite_standing(above, rule)
            if found.value != above.state.value:
                waiting.extend(await self._put_into(above, found))

    async def _put_into(self, alarm: Alarm, standing: Standing) -> list[Alarm]:
        """Put one alarm into a state, and give those that watch it if it is another one."""
        async with self.changing:
            held = self._held.get(alarm.arn)
            if held is None:
                return []
            before = held.state
            is_new = before.value != standing.value
            transitioned_at_ms = standing.at_ms if is_new else held.transitioned_at_ms
            changed = replace(held, standing=asdict(standing), transitioned_at_ms=transitioned_at_ms)
            if not is_new:
                await self.keep(changed)
                return []
            data = {"version": "1.0", "oldState": _told(before), "newState": _told(standing)}
            summary = f"Alarm updated from {before.value} to {standing.value}"
            await self.keep(changed, kind="StateUpdate", summary=summary, data=data)
        await self._announce(changed, before, standing)
        if changed.are_actions_enabled:
            for arn in changed.settings.get(ACTIONS_OF[standing.value]) or ():
                await self._act(changed, before, arn)
        return [
            one
            for one in self._held.values()
            if one.is_composite and any(child.arn == changed.arn for child in self.children_of(one))
        ]

    # --- acting ------------------------------------------------------------------------------------------------

    async def _act(self, alarm: Alarm, before: Standing, arn: str) -> None:
        failure = ""
        try:
            if arn.split(":")[2] == "lambda":
                payload = orjson.dumps(
                    {
                        "source": "aws.cloudwatch",
                        "alarmArn": alarm.arn,
                        "accountId": alarm.account_id,
                        "time": aws_time(iso_8601(alarm.state.at_ms)),
                        "region": alarm.region,
                        "alarmData": _alarm_data(alarm, before),
                    }
                )
                await self._reach.triggers.trigger(
                    arn, payload, service=ACTION_SERVICE, source_arn=alarm.arn, request_id=self._reach.new_id()
                )
            elif self._reach.deliveries is not None and "sns" in self._reach.deliveries.services:
                await self._reach.deliveries.send(arn, Message(json.dumps(_notification(alarm, before))))
            else:
                failure = "There is no such topic"
        except ServiceError as error:
            failure = error.message or error.code
        summary = f"Successfully executed action {arn}" if not failure else f"Failed to execute action {arn}"
        told = {
            "actionState": "Failed" if failure else "Succeeded",
            "notificationResource": arn,
            "error": failure or None,
        }
        if failure:
            log.warning("alarm's action failed", extra={"alarm": alarm.arn, "action": arn, "error": failure})
        async with self.changing:
            write = await self._noted(alarm, "Action", summary, told)
            await self._reach.records.commit([write])

    async def _announce(self, alarm: Alarm, before: Standing, after: Standing) -> None:
        if self.events is not None:
            await self.events.announce(
                alarm.account_id,
                alarm.region,
                source="aws.cloudwatch",
                detail_type="CloudWatch Alarm State Change",
                resources=[alarm.arn],
                detail={**_alarm_data(alarm, before), "state": after.to_event()},
            )


def watched(alarm: Alarm, now_ms: int) -> tuple[Sequence[Query], Watch]:
    """Give the queries of a metric alarm until the running minute began, and what it looks for in them.

    Raises: ValidationError.
    """
    settings = alarm.settings
    given = queries_given(settings)
    call = Call("cloudwatch", "GetMetricData", alarm.account_id, alarm.region, _NOBODY, "", now_ms)
    end_ms = now_ms - now_ms % 60_000
    period_s = max((one["MetricStat"]["Period"] for one in given if "MetricStat" in one), default=60)
    params = {"MetricDataQueries": given, "EndTime": end_ms, "StartTime": end_ms - 1000 * 60}
    queries = queries_of(params, call, now_ms=now_ms)
    query = next(each for each in queries if each.is_returned)
    watch = watch_of(settings, query.span.period_s if isinstance(query, MathQuery) else period_s)
    params["StartTime"] = end_ms - watch.range_s * 1000
    return queries_of(params, call, now_ms=now_ms), watch


def queries_given(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give a metric alarm's queries as AWS's MetricDataQueries."""
    if settings.get("Metrics"):
        return [dict(one) for one in settings["Metrics"]]
    metric = {name: settings[name] for name in ("Namespace", "MetricName", "Dimensions") if name in settings}
    stat: dict[str, Any] = {
        "Metric": metric,
        "Period": settings["Period"],
        "Stat": settings.get("Statistic") or settings.get("ExtendedStatistic"),
    }
    if settings.get("Unit"):
        stat["Unit"] = settings["Unit"]
    return [{"Id": "m1", "MetricStat": stat, "ReturnData": True}]


def _arn_of(alarm: Alarm, name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:cloudwatch:{alarm.region}:{alarm.account_id}:alarm:{name}"


def _told(standing: Standing) -> dict[str, Any]:
    told: dict[str, Any] = {"stateValue": standing.value, "stateReason": standing.reason}
    if standing.data:
        told["stateReasonData"] = json.loads(standing.data)
    return told


def _alarm_data(alarm: Alarm, before: Standing) -> dict[str, Any]:
    settings = alarm.settings
    configuration: dict[str, Any] = {"description": settings.get("AlarmDescription", "")}
    if alarm.is_composite:
        configuration["alarmRule"] = settings["AlarmRule"]
    else:
        configuration["metrics"] = [_query_told(one) for one in queries_given(settings)]
    return {
        "alarmName": alarm.name,
        "state": alarm.state.to_event(),
        "previousState": before.to_event(),
        "configuration": configuration,
    }


def _query_told(query: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
    if query.get("Expression"):
        return {**told, "expression": query["Expression"], "label": query.get("Label", "")}
    stat = query["MetricStat"]
    metric = stat["Metric"]
    dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions") or ()}
    named = {"namespace": metric["Namespace"], "name": metric["MetricName"], "dimensions": dimensions}
    return {**told, "metricStat": {"metric": named, "period": stat["Period"], "stat": stat["Stat"]}}


def _notification(alarm: Alarm, before: Standing) -> dict[str, Any]:
    """Give the message of a topic."""
    settings = alarm.settings
    told: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmDescription": settings.get("AlarmDescription"),
        "AWSAccountId": alarm.account_id,
        "AlarmConfigurationUpdatedTimestamp": aws_time(iso_8601(alarm.configured_at_ms)),
        "NewStateValue": alarm.state.value,
        "NewStateReason": alarm.state.reason,
        "StateChangeTime": aws_time(iso_8601(alarm.state.at_ms)),
        "Region": alarm.region,
        "AlarmArn": alarm.arn,
        "OldStateValue": before.value,
        "OKActions": settings.get("OKActions", []),
        "AlarmActions": settings.get("AlarmActions", []),
        "InsufficientDataActions": settings.get("InsufficientDataActions", []),
    }
    if alarm.is_composite:
        return {**told, "AlarmRule": settings["AlarmRule"]}
    trigger = {
        name: settings[name]
        for name in ("MetricName", "Namespace", "Statistic", "Unit", "Period", "EvaluationPeriods", "Threshold")
        if name in settings
    }
    trigger["Dimensions"] = [{"name": one["Name"], "value": one["Value"]} for one in settings.get("Dimensions") or ()]
    return {**told, "Trigger": {**trigger, "ComparisonOperator": settings["ComparisonOperator"]}}
