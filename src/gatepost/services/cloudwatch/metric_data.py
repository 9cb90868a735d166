"""The queries of GetMetricData, checked.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html ; where no time or period is
concerned, the sentences are unverified.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gatepost.kernel.operations import Call
from gatepost.services.cloudwatch.model import (
    UNIT_NUMBERS,
    InvalidParameterValueException,
    Metric,
    ValidationError,
    dimensions_of,
)
from gatepost.services.cloudwatch.queries import Stat, span_of, stat_of
from gatepost.services.cloudwatch.store import Span

QUERIES_MAX: Final = 500
_ID: Final = re.compile(r"[a-z][a-zA-Z0-9_]{0,254}", re.ASCII)


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """One metric's statistic over time. `unit` None: whatever the unit."""

    id: str
    label: str
    metric: Metric
    stat: Stat
    span: Span
    unit: int | None
    is_returned: bool

    def result(self, values: Sequence[tuple[int, float]], *, is_complete: bool) -> dict[str, Any]:
        """Give AWS's `MetricDataResult` of (time in seconds, value)."""
        return {
            "Id": self.id,
            "Label": self.label,
            "Timestamps": [at_s * 1000 for at_s, _ in values],
            "Values": [value for _, value in values],
            "StatusCode": "Complete" if is_complete else "PartialData",
        }


def queries_of(params: Mapping[str, Any], call: Call, *, now_ms: int) -> list[MetricQuery]:
    """Read the queries that return data. Raises: ValidationError."""
    if params.get("LabelOptions"):
        raise ValidationError("LabelOptions are for dynamic labels, which Gatepost does not support: leave them out")
    given = params["MetricDataQueries"]
    if not 1 <= len(given) <= QUERIES_MAX:
        raise ValidationError(f"The collection MetricDataQueries must have a size from 1 to {QUERIES_MAX}.")
    queries = [_query(query, params, call, now_ms=now_ms) for query in given]
    ids = {query.id for query in queries}
    if len(ids) < len(queries):
        raise ValidationError("The values for parameter id in MetricDataQueries are not unique.")
    returned = [query for query in queries if query.is_returned]
    if not returned:
        raise ValidationError("At least one query must have ReturnData of true.")
    return returned


def _query(query: Mapping[str, Any], params: Mapping[str, Any], call: Call, *, now_ms: int) -> MetricQuery:
    query_id, label = query["Id"], query.get("Label")
    if not _ID.fullmatch(query_id):
        raise ValidationError(
            f"The value {query_id} for parameter Id is invalid: it begins with a lower-case letter and goes on with "
            "letters, digits and underscores."
        )
    _refuse_what_is_not_done(query, call)
    told = query["MetricStat"]
    metric = told["Metric"]
    if not metric.get("Namespace") or not metric.get("MetricName"):
        raise ValidationError(f"The metric of query {query_id} needs Namespace and MetricName.")
    try:
        dimensions = dimensions_of(metric.get("Dimensions", ()))
    except InvalidParameterValueException as error:
        raise ValidationError(error.message) from error
    return MetricQuery(
        query_id,
        label or metric["MetricName"],
        Metric(call.account_id, call.region, metric["Namespace"], metric["MetricName"], dimensions),
        stat_of(told["Stat"], ValidationError, "Stat"),
        span_of(params["StartTime"], params["EndTime"], told["Period"], now_ms=now_ms, refuse=ValidationError),
        UNIT_NUMBERS[told["Unit"]] if told.get("Unit") else None,
        query.get("ReturnData", True),
    )


def _refuse_what_is_not_done(query: Mapping[str, Any], call: Call) -> None:
    name = query["Id"]
    if query.get("Expression") is not None:
        raise ValidationError(
            f"Query {name} has an Expression: Gatepost does no metric math and no SQL; ask for metrics by MetricStat"
        )
    if query.get("MetricStat") is None:
        raise ValidationError(f"Query {name} needs MetricStat.")
    if query.get("Period") is not None:
        raise ValidationError(f"Query {name} has Period beside MetricStat: it belongs into MetricStat.")
    if query.get("AccountId", call.account_id) != call.account_id:
        raise ValidationError(f"Query {name} is for another account: there are no linked accounts")
    if "${" in (query.get("Label") or ""):
        raise ValidationError(f"The label of query {name} is dynamic, which Gatepost does not support")
