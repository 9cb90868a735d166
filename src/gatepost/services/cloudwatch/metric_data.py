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
from gatepost.services.cloudwatch.math_syntax import BadExpression, Node, names_in, parse
from gatepost.services.cloudwatch.math_values import check_functions
from gatepost.services.cloudwatch.model import (
    MINUTE_S,
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


@dataclass(frozen=True, slots=True)
class MathQuery:
    """Metric math over other queries. `label` empty: the id, or for an array each series' own."""

    id: str
    label: str
    expression: Node
    text: str
    span: Span
    is_returned: bool


Query = MetricQuery | MathQuery


def result(query: Query, label: str, values: Sequence[tuple[int, float]], *, is_complete: bool) -> dict[str, Any]:
    """Give AWS's `MetricDataResult` of (time in seconds, value)."""
    return {
        "Id": query.id,
        "Label": label,
        "Timestamps": [at_s * 1000 for at_s, _ in values],
        "Values": [value for _, value in values],
        "StatusCode": "Complete" if is_complete else "PartialData",
    }


def queries_of(params: Mapping[str, Any], call: Call, *, now_ms: int) -> list[Query]:
    """Read the queries. Raises: ValidationError."""
    if params.get("LabelOptions"):
        raise ValidationError("LabelOptions are for dynamic labels, which Gatepost does not support: leave them out")
    given = params["MetricDataQueries"]
    if not 1 <= len(given) <= QUERIES_MAX:
        raise ValidationError(f"The collection MetricDataQueries must have a size from 1 to {QUERIES_MAX}.")
    metrics = [_query(query, params, call, now_ms=now_ms) for query in given if query.get("Expression") is None]
    by_id: dict[str, Query] = {query.id: query for query in metrics}
    period_s = max((query.span.period_s for query in metrics), default=MINUTE_S)
    for query in given:
        if query.get("Expression") is not None:
            by_id[query["Id"]] = _math(query, params, call, period_s=period_s, now_ms=now_ms)
    if len(by_id) < len(given):
        raise ValidationError("The values for parameter id in MetricDataQueries are not unique.")
    queries = [by_id[query["Id"]] for query in given]
    _check_names(queries)
    if not any(query.is_returned for query in queries):
        raise ValidationError("At least one query must have ReturnData of true.")
    return queries


def _math(query: Mapping[str, Any], params: Mapping[str, Any], call: Call, *, period_s: int, now_ms: int) -> MathQuery:
    _check_query(query, call)
    if query.get("MetricStat") is not None:
        raise ValidationError(f"Query {query['Id']} has both Expression and MetricStat.")
    text = query["Expression"]
    try:
        node = parse(text)
        check_functions(node)
    except BadExpression as error:
        raise ValidationError(f"Error in expression '{query['Id']}': {error}") from error
    span = span_of(
        params["StartTime"],
        params["EndTime"],
        query.get("Period") or period_s,
        now_ms=now_ms,
        refuse=ValidationError,
    )
    return MathQuery(query["Id"], query.get("Label") or "", node, text, span, query.get("ReturnData", True))


def _check_names(queries: Sequence[Query]) -> None:
    """Refuse names of no query, and circles."""
    uses = {query.id: set(names_in(query.expression)) for query in queries if isinstance(query, MathQuery)}
    known = {query.id for query in queries}
    for query_id, names in uses.items():
        if missing := sorted(name for name in names - known if name.upper() not in ("REPEAT", "LINEAR")):
            raise ValidationError(f"Error in expression '{query_id}': {missing[0]} is no id of a query")
    settled = known - set(uses)
    while uses:
        ready = {query_id for query_id, names in uses.items() if not (names & known) - settled}
        if not ready:
            raise ValidationError(f"Error in expression '{min(uses)}': it refers to itself")
        settled |= ready
        uses = {query_id: names for query_id, names in uses.items() if query_id not in ready}


def _query(query: Mapping[str, Any], params: Mapping[str, Any], call: Call, *, now_ms: int) -> MetricQuery:
    query_id, label = query["Id"], query.get("Label")
    _check_query(query, call)
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


def _check_query(query: Mapping[str, Any], call: Call) -> None:
    name = query["Id"]
    if not _ID.fullmatch(name):
        raise ValidationError(
            f"The value {name} for parameter Id is invalid: it begins with a lower-case letter and goes on with "
            "letters, digits and underscores."
        )
    if query.get("Expression") is None:
        if query.get("MetricStat") is None:
            raise ValidationError(f"Query {name} needs MetricStat or Expression.")
        if query.get("Period") is not None:
            raise ValidationError(f"Query {name} has Period beside MetricStat: it belongs into MetricStat.")
    if query.get("AccountId", call.account_id) != call.account_id:
        raise ValidationError(f"Query {name} is for another account: there are no linked accounts")
    if "${" in (query.get("Label") or ""):
        raise ValidationError(f"The label of query {name} is dynamic, which Gatepost does not support")
