"""The operations on alarms.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html; where a sentence is
not AWS's known one it is unverified.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.arn import parse_arn
from gatepost.kernel.clock import Clock
from gatepost.kernel.operations import Call, operation
from gatepost.kernel.paging import page_token, place_of
from gatepost.services.cloudwatch.alarm_model import (
    ACTIONS_OF,
    INSUFFICIENT,
    Alarm,
    InvalidFormatFault,
    ResourceNotFound,
    ResourceNotFoundException,
    Standing,
)
from gatepost.services.cloudwatch.alarm_rules import BadRule, Rule, parse_rule
from gatepost.services.cloudwatch.alarm_states import COMPARISONS
from gatepost.services.cloudwatch.alarms import Alarms, watched
from gatepost.services.cloudwatch.model import (
    InvalidNextToken,
    InvalidParameterCombinationException,
    InvalidParameterValueException,
    LimitExceededFault,
    MissingRequiredParameterException,
    ValidationError,
    dimensions_of,
)
from gatepost.services.cloudwatch.queries import stat_of

Params = Mapping[str, Any]
Answer = dict[str, Any]

ALARMS_MAX: Final = 5_000
TAGS_MAX: Final = 50
PAGE_MAX: Final = 100
RANGE_S_MAX: Final = 7 * 86_400
_REFUSED: Final[Mapping[str, str]] = {
    "ThresholdMetricId": "there is no anomaly detection",
    "EvaluationWindow": "alarms look at sliding windows",
    "WarmUpConfiguration": "alarms begin at once",
    "EvaluationCriteria": "there are no PromQL alarms",
    "EvaluationInterval": "there are no PromQL alarms",
    "ActionConfiguration": "actions have no settings",
    "ActionsSuppressor": "no alarm suppresses the actions of another",
    "ActionsSuppressorWaitPeriod": "no alarm suppresses the actions of another",
    "ActionsSuppressorExtensionPeriod": "no alarm suppresses the actions of another",
}
_MISSING: Final = ("breaching", "notBreaching", "ignore", "missing")
_OF_ONE_METRIC: Final = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit")
_KEPT: Final = (
    "AlarmDescription",
    *ACTIONS_OF.values(),
    *_OF_ONE_METRIC,
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
    "Metrics",
    "AlarmRule",
)


class AlarmOperations:
    """Mixed into the provider, which sets these."""

    alarms: Alarms
    _clock: Clock

    @operation("PutMetricAlarm")
    async def put_metric_alarm(self, call: Call, params: Params) -> Answer:
        """Make or change an alarm on a metric or on metric math. It keeps its state until it is looked at again.

        Raises: ValidationError, InvalidParameterValueException, LimitExceededFault.
        """
        _refuse(params)
        _check_metric_alarm(params)
        async with self.alarms.changing:
            await self._put(call, params)
        return {}

    @operation("PutCompositeAlarm")
    async def put_composite_alarm(self, call: Call, params: Params) -> Answer:
        """Make or change an alarm on other alarms. Raises: ValidationError, LimitExceededFault."""
        _refuse(params)
        try:
            rule = parse_rule(params["AlarmRule"])
        except BadRule as error:
            raise ValidationError(f"AlarmRule is not valid: {error}") from error
        async with self.alarms.changing:
            self._check_children(call, params["AlarmName"], rule)
            await self._put(call, params)
        return {}

    def _check_children(self, call: Call, alarm_name: str, rule: Rule) -> None:
        arn = _arn(call, alarm_name)
        for name in dict.fromkeys(rule.children()):
            child = self.alarms.find(name if name.startswith("arn:") else _arn(call, name))
            if child is None:
                raise ValidationError(
                    f"Could not save the composite alarm as alarms [{name}] in the alarm rule do not exist"
                )
            if child.arn == arn or (child.is_composite and self._reaches(child, arn)):
                raise ValidationError("Could not save the composite alarm as its rule leads back to itself")

    def _reaches(self, alarm: Alarm, arn: str) -> bool:
        seen, waiting = set(), [alarm]
        while waiting:
            one = waiting.pop()
            if one.arn == arn:
                return True
            if one.arn not in seen:
                seen.add(one.arn)
                waiting.extend(self.alarms.children_of(one))
        return False

    async def _put(self, call: Call, params: Params) -> None:
        _check_actions(params)
        now_ms = self._clock.now_ms()
        old = self.alarms.find(_arn(call, params["AlarmName"]))
        if old is None and len(self.alarms.of_region(call.account_id, call.region)) >= ALARMS_MAX:
            raise LimitExceededFault("The maximum limit of alarms has been exceeded")
        settings = {name: params[name] for name in _KEPT if name in params}
        first = Standing(INSUFFICIENT, "Unchecked: Initial alarm creation", now_ms)
        alarm = Alarm(
            params["AlarmName"],
            call.account_id,
            call.region,
            settings,
            now_ms,
            old.standing if old else {"value": first.value, "reason": first.reason, "at_ms": now_ms, "data": ""},
            old.transitioned_at_ms if old else now_ms,
            params.get("ActionsEnabled", True),
            old.tags if old else _tags(params, {}),
        )
        if not alarm.is_composite:
            watched(alarm, now_ms)  # Raises what is wrong with its queries
        kind = "updated" if old else "created"
        data = {"version": "1.0", "type": "Update" if old else "Create"}
        await self.alarms.keep(alarm, kind="ConfigurationUpdate", summary=f'Alarm "{alarm.name}" {kind}', data=data)

    @operation("DescribeAlarms")
    def describe_alarms(self, call: Call, params: Params) -> Answer:
        """Give alarms by name, prefix, state or kin; without `AlarmTypes` those on metrics only.

        Raises: ValidationError, InvalidNextToken.
        """
        names, prefix = params.get("AlarmNames"), params.get("AlarmNamePrefix")
        if names and prefix:
            raise ValidationError("AlarmNamePrefix cannot be specified with AlarmNames")
        kinds = set(params.get("AlarmTypes") or ["MetricAlarm"])
        found = self._kin(call, params)
        if names:
            found = [one for one in found if one.name in set(names)]
            kinds = kinds if params.get("AlarmTypes") else {"MetricAlarm"}
        state, action = params.get("StateValue"), params.get("ActionPrefix") or ""
        chosen = [
            one
            for one in found
            if _kind(one) in kinds
            and one.name.startswith(prefix or "")
            and state in (None, one.state.value)
            and (not action or any(arn.startswith(action) for arn in _actions(one.settings)))
        ]
        page, token = _page(chosen, params)
        answer: Answer = {
            "MetricAlarms": [one.to_aws() for one in page if not one.is_composite],
            "CompositeAlarms": [one.to_aws() for one in page if one.is_composite],
        }
        return {**answer, **token}

    def _kin(self, call: Call, params: Params) -> list[Alarm]:
        every = self.alarms.of_region(call.account_id, call.region)
        for member in ("ChildrenOfAlarmName", "ParentsOfAlarmName"):
            if not params.get(member):
                continue
            alarm = self.alarms.find(_arn(call, params[member]))
            if alarm is None:
                raise ResourceNotFound(f"The alarm {params[member]} does not exist")
            if member == "ChildrenOfAlarmName":
                return self.alarms.children_of(alarm)
            return [one for one in every if alarm in self.alarms.children_of(one)]
        return every

    @operation("DescribeAlarmsForMetric")
    def describe_alarms_for_metric(self, call: Call, params: Params) -> Answer:
        """Give the alarms on one metric."""
        dimensions = dimensions_of(params.get("Dimensions") or ())
        found = [
            one.to_aws()
            for one in self.alarms.of_region(call.account_id, call.region)
            if (one.settings.get("Namespace"), one.settings.get("MetricName"))
            == (params["Namespace"], params["MetricName"])
            and dimensions_of(one.settings.get("Dimensions") or ()) == dimensions
            and all(
                params.get(name) in (None, one.settings.get(name))
                for name in ("Statistic", "ExtendedStatistic", "Period", "Unit")
            )
        ]
        return {"MetricAlarms": found}

    @operation("DescribeAlarmHistory")
    async def describe_alarm_history(self, call: Call, params: Params) -> Answer:
        """Give what happened to an alarm, or to all: the last hundred items of each. Raises: InvalidNextToken."""
        if params.get("AlarmContributorId"):
            return {"AlarmHistoryItems": []}  # no alarm here has contributors
        items = await self.alarms.history(call.account_id, call.region, params.get("AlarmName"))
        kinds = params.get("AlarmTypes") or ["MetricAlarm"]
        chosen = [
            item
            for item in items
            if item["AlarmType"] in kinds
            and params.get("HistoryItemType") in (None, item["HistoryItemType"])
            and (params.get("StartDate") or 0) <= item["Timestamp"] <= (params.get("EndDate") or item["Timestamp"])
        ]
        chosen.sort(key=lambda item: item["Timestamp"])
        if params.get("ScanBy") != "TimestampAscending":
            chosen.reverse()
        page, token = _page(chosen, params)
        return {"AlarmHistoryItems": page, **token}

    @operation("DeleteAlarms")
    async def delete_alarms(self, call: Call, params: Params) -> Answer:
        """Delete alarms; those that are not there are gone. Raises: ValidationError."""
        async with self.alarms.changing:
            await self._delete(call, params)
        return {}

    async def _delete(self, call: Call, params: Params) -> None:
        for name in params["AlarmNames"]:
            alarm = self.alarms.find(_arn(call, name))
            if alarm is None:
                continue
            parents = [
                one
                for one in self.alarms.of_region(call.account_id, call.region)
                if one.name not in params["AlarmNames"] and alarm in self.alarms.children_of(one)
            ]
            if parents:
                raise ValidationError(f"Cannot delete {name} as there are composite alarm(s) depending on it.")
            await self.alarms.drop(alarm)

    @operation("SetAlarmState")
    async def set_alarm_state(self, call: Call, params: Params) -> Answer:
        """Put an alarm into a state until it is looked at again. Raises: ResourceNotFound, InvalidFormatFault."""
        alarm = self.alarms.find(_arn(call, params["AlarmName"]))
        if alarm is None:
            raise ResourceNotFound(f"The alarm {params['AlarmName']} does not exist")
        data = params.get("StateReasonData") or ""
        if data:
            try:
                json.loads(data)
            except (ValueError, RecursionError) as error:
                raise InvalidFormatFault("StateReasonData was not valid JSON") from error
        standing = Standing(params["StateValue"], params["StateReason"], self._clock.now_ms(), data)
        await self.alarms.change(alarm, standing)
        return {}

    @operation("EnableAlarmActions")
    async def enable_alarm_actions(self, call: Call, params: Params) -> Answer:
        """Have alarms act when their state changes."""
        return await self._switch(call, params, is_enabled=True)

    @operation("DisableAlarmActions")
    async def disable_alarm_actions(self, call: Call, params: Params) -> Answer:
        """Have alarms not act."""
        return await self._switch(call, params, is_enabled=False)

    async def _switch(self, call: Call, params: Params, *, is_enabled: bool) -> Answer:
        async with self.alarms.changing:
            for name in params["AlarmNames"]:
                alarm = self.alarms.find(_arn(call, name))
                if alarm is not None and alarm.are_actions_enabled != is_enabled:
                    await self.alarms.keep(
                        replace(alarm, are_actions_enabled=is_enabled),
                        kind="ConfigurationUpdate",
                        summary=f'Alarm "{alarm.name}" updated',
                        data={"type": "Update", "actionsEnabled": is_enabled},
                    )
        return {}

    # --- tags --------------------------------------------------------------------------------------------------

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: Params) -> Answer:
        """Add tags to an alarm. Raises: ResourceNotFoundException."""
        async with self.alarms.changing:
            alarm = self._tagged(call, params)
            await self.alarms.keep(replace(alarm, tags=_tags(params, alarm.tags)))
        return {}

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: Params) -> Answer:
        """Take tags away. Raises: ResourceNotFoundException."""
        async with self.alarms.changing:
            alarm = self._tagged(call, params)
            tags = {key: value for key, value in alarm.tags.items() if key not in params["TagKeys"]}
            await self.alarms.keep(replace(alarm, tags=tags))
        return {}

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, call: Call, params: Params) -> Answer:
        """Give an alarm's tags. Raises: ResourceNotFoundException."""
        return {"Tags": [{"Key": key, "Value": value} for key, value in self._tagged(call, params).tags.items()]}

    def _tagged(self, call: Call, params: Params) -> Alarm:
        alarm = self.alarms.find(params["ResourceARN"])
        if alarm is None or alarm.account_id != call.account_id:
            raise ResourceNotFoundException(
                "Unknown", members={"ResourceType": "cloudwatch:alarm", "ResourceId": params["ResourceARN"]}
            )
        return alarm


def _arn(call: Call, name: str) -> str:
    return call.arn(f"alarm:{name}", service="cloudwatch")


def _kind(alarm: Alarm) -> str:
    return "CompositeAlarm" if alarm.is_composite else "MetricAlarm"


def _actions(settings: Params) -> list[str]:
    return [arn for member in ACTIONS_OF.values() for arn in settings.get(member) or ()]


def _refuse(params: Params) -> None:
    for name, why in _REFUSED.items():
        if params.get(name):
            raise ValidationError(f"{name} is not supported by Gatepost: {why}; leave it out")


def _check_actions(params: Params) -> None:
    for text in _actions(params):
        arn = parse_arn(text)
        if arn is None:
            raise ValidationError(f"Invalid arn syntax: {text}")
        if arn.service not in ("lambda", "sns"):
            raise ValidationError(f"The action {text} is not supported by Gatepost: actions are functions and topics")


def _check_metric_alarm(params: Params) -> None:
    _check_words(params)
    if params.get("EvaluationPeriods") is None:
        raise MissingRequiredParameterException("The parameter EvaluationPeriods is required.")
    if params.get("Threshold") is None:
        raise ValidationError("The parameter Threshold is required.")
    if params["ComparisonOperator"] not in COMPARISONS:
        raise ValidationError(
            f"ComparisonOperator {params['ComparisonOperator']} is not supported by Gatepost: there is no anomaly "
            "detection"
        )
    if params.get("DatapointsToAlarm", 1) > params["EvaluationPeriods"]:
        raise ValidationError("DatapointsToAlarm must not be greater than EvaluationPeriods")
    if params.get("Metrics"):
        if any(params.get(name) for name in _OF_ONE_METRIC):
            raise InvalidParameterCombinationException(
                "The parameters Metrics and MetricName, Namespace, Statistic, Dimensions, Period or Unit are mutually "
                "exclusive."
            )
        if sum(one.get("ReturnData", True) for one in params["Metrics"]) != 1:
            raise ValidationError("Exactly one element of the metrics list should return data.")
        return
    for name in ("MetricName", "Namespace", "Period"):
        if not params.get(name):
            raise MissingRequiredParameterException(f"The parameter {name} is required.")
    if bool(params.get("Statistic")) == bool(params.get("ExtendedStatistic")):
        raise ValidationError("Exactly one of Statistic and ExtendedStatistic must be specified.")
    if params["Period"] * params["EvaluationPeriods"] > RANGE_S_MAX:
        raise ValidationError("Metrics cannot be checked across more than seven days (EvaluationPeriods * Period)")


def _check_words(params: Params) -> None:
    extended = params.get("ExtendedStatistic")
    if extended:
        stat_of(extended, InvalidParameterValueException, "ExtendedStatistic")
    missing = params.get("TreatMissingData")
    if missing and missing not in _MISSING:
        raise ValidationError(
            f"Option {missing} is not supported. Supported options for parameter TreatMissingData are breaching, "
            "notBreaching, ignore and missing."
        )
    low = params.get("EvaluateLowSampleCountPercentile")
    if low and low not in ("evaluate", "ignore"):
        raise ValidationError(
            f"Option {low} is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are "
            "evaluate and ignore."
        )
    if low == "ignore":
        raise ValidationError(
            "EvaluateLowSampleCountPercentile ignore is not supported by Gatepost: percentiles of few values count"
        )


def _tags(params: Params, held: Mapping[str, str]) -> dict[str, str]:
    tags = {**held, **{tag["Key"]: tag["Value"] for tag in params.get("Tags") or ()}}
    if len(tags) > TAGS_MAX:
        raise InvalidParameterValueException(f"An alarm has at most {TAGS_MAX} tags.")
    return tags


def _page(items: Sequence[Any], params: Params) -> tuple[Sequence[Any], dict[str, str]]:
    bad = InvalidNextToken("The value for parameter NextToken is invalid.")
    (start,) = place_of(params.get("NextToken"), bad, 0)
    end = start + params.get("MaxRecords", PAGE_MAX)
    return items[start:end], {"NextToken": page_token(end)} if len(items) > end else {}
