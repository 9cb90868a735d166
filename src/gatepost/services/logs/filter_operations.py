"""The operations on metric filters and subscription filters.

Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html,
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.operations import Call, operation
from gatepost.kernel.paging import page_token
from gatepost.services.logs.filter_pattern import compile_pattern, extractor_of
from gatepost.services.logs.filters import (
    METRIC_FILTER,
    SUBSCRIPTION,
    AnyFilter,
    LogFilters,
    MetricFilter,
    SubscriptionFilter,
)
from gatepost.services.logs.model import (
    GroupName,
    InvalidParameterException,
    LimitExceededException,
    ResourceNotFoundException,
)
from gatepost.services.logs.names import group_key
from gatepost.services.logs.paging import start_of
from gatepost.services.logs.store import Group, LogStore

Params = Mapping[str, Any]
Answer = dict[str, Any]

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
METRIC_FILTERS_MAX: Final = 100
SUBSCRIPTIONS_MAX: Final = 2
PAGE_MAX: Final = 50
LIMIT: Final = "Resource limit exceeded."
_REFUSED: Final[Mapping[str, str]] = {
    "applyOnTransformedLogs": "there are no transformers",
    "fieldSelectionCriteria": "there are no centralized log groups",
    "emitSystemFieldDimensions": "there are no centralized log groups",
    "emitSystemFields": "there are no centralized log groups",
}


class FilterOperations:
    """Mixed into the provider, which sets these."""

    filters: LogFilters
    _store: LogStore
    _clock: Clock

    @operation("PutMetricFilter")
    async def put_metric_filter(self, call: Call, params: Params) -> Answer:
        """Have events that match become values of a metric.

        Raises: InvalidParameterException, ResourceNotFoundException, LimitExceededException.
        """
        _refuse(params)
        group = self._known(call, params)
        (transformation,) = params["metricTransformations"]
        _check_transformation(transformation)
        compile_pattern(params["filterPattern"])
        await self._keep(
            call,
            params,
            MetricFilter(
                group.account_id,
                group.region,
                group.name,
                params["filterName"],
                params["filterPattern"],
                self._clock.now_ms(),
                dict(transformation),
            ),
            METRIC_FILTERS_MAX,
        )
        return {}

    @operation("DescribeMetricFilters")
    def describe_metric_filters(self, call: Call, params: Params) -> Answer:
        """Give the metric filters of a group, or of a metric, by name. Raises: InvalidParameterException."""
        metric, namespace = params.get("metricName"), params.get("metricNamespace")
        if bool(metric) != bool(namespace):
            raise InvalidParameterException("metricName and metricNamespace must be given together")
        prefix = params.get("filterNamePrefix") or ""
        if params.get("logGroupName"):
            found = self.filters.of(self._known(call, params), METRIC_FILTER)
        else:
            found = self.filters.every(call.account_id, call.region, METRIC_FILTER)
        wanted = [
            one
            for one in found
            if isinstance(one, MetricFilter)
            and one.name.startswith(prefix)
            and metric in (None, one.transformation["metricName"])
            and namespace in (None, one.transformation["metricNamespace"])
        ]
        return _page("metricFilters", [_metric_to_aws(one) for one in wanted], params)

    @operation("DeleteMetricFilter")
    async def delete_metric_filter(self, call: Call, params: Params) -> Answer:
        """Delete a metric filter; its metric stays. Raises: ResourceNotFoundException."""
        if not await self.filters.drop(self._known(call, params), METRIC_FILTER, params["filterName"]):
            raise ResourceNotFoundException("The specified metric filter does not exist.")
        return {}

    @operation("TestMetricFilter")
    def test_metric_filter(self, call: Call, params: Params) -> Answer:
        """Say which of some messages match a pattern, with the values it names. Raises: InvalidParameterException."""
        del call
        matches, extract = compile_pattern(params["filterPattern"]), extractor_of(params["filterPattern"])
        return {
            "matches": [
                {"eventNumber": number, "eventMessage": message, "extractedValues": extract(message)}
                for number, message in enumerate(params["logEventMessages"], 1)
                if matches(message)
            ]
        }

    @operation("PutSubscriptionFilter")
    async def put_subscription_filter(self, call: Call, params: Params) -> Answer:
        """Have a function invoked with the events that match, as they arrive.

        Raises: InvalidParameterException, ResourceNotFoundException, LimitExceededException.
        """
        _refuse(params)
        group = self._known(call, params)
        compile_pattern(params["filterPattern"])
        if params.get("distribution", "ByLogStream") != "ByLogStream":
            raise InvalidParameterException("distribution Random is for Kinesis streams, which are not here")
        self._check_destination(group, params["destinationArn"], params.get("roleArn"))
        await self._keep(
            call,
            params,
            SubscriptionFilter(
                group.account_id,
                group.region,
                group.name,
                params["filterName"],
                params["filterPattern"],
                self._clock.now_ms(),
                params["destinationArn"],
            ),
            SUBSCRIPTIONS_MAX,
        )
        return {}

    def _check_destination(self, group: GroupName, arn: str, role_arn: str | None) -> None:
        service = [*arn.split(":"), "", "", ""][2]
        if service in ("kinesis", "firehose"):
            kind = "Kinesis" if service == "kinesis" else "Firehose"
            raise InvalidParameterException(
                f"Could not deliver test message to specified {kind} stream. Check if the given {kind} stream is in "
                "ACTIVE state."
            )
        if service != "lambda":
            raise InvalidParameterException(f"destinationArn {arn} is not supported by Gatepost: use a function's ARN")
        if role_arn:
            raise InvalidParameterException("destinationArn for vendor lambda cannot be used with roleArn")
        if self.filters.admitted(arn, group) is None:
            raise InvalidParameterException(
                "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute "
                "your function."
            )

    @operation("DescribeSubscriptionFilters")
    def describe_subscription_filters(self, call: Call, params: Params) -> Answer:
        """Give a group's subscription filters by name. Raises: ResourceNotFoundException."""
        prefix = params.get("filterNamePrefix") or ""
        found = self.filters.of(self._known(call, params), SUBSCRIPTION)
        shown = [_subscription_to_aws(one) for one in found if one.name.startswith(prefix)]
        return _page("subscriptionFilters", shown, params)

    @operation("DeleteSubscriptionFilter")
    async def delete_subscription_filter(self, call: Call, params: Params) -> Answer:
        """Delete a subscription filter. Raises: ResourceNotFoundException."""
        if not await self.filters.drop(self._known(call, params), SUBSCRIPTION, params["filterName"]):
            raise ResourceNotFoundException("The specified subscription filter does not exist.")
        return {}

    async def _keep(self, call: Call, params: Params, one: AnyFilter, at_most: int) -> None:
        async with self.filters.changing:
            held = self.filters.of(self._known(call, params), one.kind)
            if len(held) >= at_most and one.name not in {each.name for each in held}:
                raise LimitExceededException(LIMIT)
            await self.filters.keep(one)

    def _known(self, call: Call, params: Params) -> GroupName:
        found: Group | None = self._store.group(group_key(call, params))
        if found is None:
            raise ResourceNotFoundException("The specified log group does not exist.")
        return found.key


def _refuse(params: Params) -> None:
    for name, why in _REFUSED.items():
        if params.get(name):
            raise InvalidParameterException(f"{name} is not supported by Gatepost: {why}; leave it out")


def _check_transformation(transformation: Params) -> None:
    if transformation.get("dimensions") and transformation.get("defaultValue") is not None:
        raise InvalidParameterException(
            "Invalid metric transformation: dimensions and default value are mutually exclusive properties."
        )
    value = str(transformation["metricValue"])
    if not value.startswith("$"):
        try:
            float(value)
        except ValueError:
            raise InvalidParameterException(
                f"Invalid metric transformation: {value} is neither a number nor a field of the pattern."
            ) from None


def _page(member: str, items: Sequence[Answer], params: Params) -> Answer:
    start = start_of(params.get("nextToken"), 0)
    end = start + min(params.get("limit") or PAGE_MAX, PAGE_MAX)
    answer: Answer = {member: list(items[start:end])}
    return {**answer, "nextToken": page_token(end)} if len(items) > end else answer


def _metric_to_aws(one: MetricFilter) -> Answer:
    return {
        "filterName": one.name,
        "filterPattern": one.pattern,
        "metricTransformations": [dict(one.transformation)],
        "creationTime": one.created_at_ms,
        "logGroupName": one.group,
        "applyOnTransformedLogs": False,
    }


def _subscription_to_aws(one: AnyFilter) -> Answer:
    assert isinstance(one, SubscriptionFilter)
    return {
        "filterName": one.name,
        "logGroupName": one.group,
        "filterPattern": one.pattern,
        "destinationArn": one.destination_arn,
        "distribution": one.distribution,
        "applyOnTransformedLogs": False,
        "creationTime": one.created_at_ms,
    }
