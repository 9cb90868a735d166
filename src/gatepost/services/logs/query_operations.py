"""The operations of CloudWatch Logs Insights.

Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.operations import Call, operation
from gatepost.kernel.paging import page_token
from gatepost.services.logs import events as reading
from gatepost.services.logs.filters import LogReach
from gatepost.services.logs.insights.fields import row_of
from gatepost.services.logs.insights.run import SHOWN_MAX, QueryRun
from gatepost.services.logs.insights.syntax import parse_query
from gatepost.services.logs.model import GroupName, InvalidParameterException, ResourceNotFoundException
from gatepost.services.logs.names import group_key
from gatepost.services.logs.paging import start_of
from gatepost.services.logs.queries import ENDED, Queries, Query, shown
from gatepost.services.logs.store import Group, LogStore

Params = Mapping[str, Any]
Answer = dict[str, Any]

GROUPS_MAX: Final = 50
LIMIT_DEFAULT: Final = 10_000
SECONDS_MAX: Final = 100_000_000_000  # a greater time is one in milliseconds
PAGE_MAX: Final = 1_000
SAMPLE_EVENTS: Final = 1_000
SAMPLE_BEFORE_MS: Final = 8 * 60_000
SAMPLE_MS: Final = 15 * 60_000


class QueryOperations:
    """Mixed into the provider, which sets these."""

    queries: Queries
    _store: LogStore
    _clock: Clock
    _reach: LogReach

    @operation("StartQuery")
    async def start_query(self, call: Call, params: Params) -> Answer:
        """Begin a query over up to 50 groups.

        Raises: InvalidParameterException, MalformedQueryException, ResourceNotFoundException, LimitExceededException.
        """
        if params.get("queryLanguage", "CWLI") != "CWLI":
            raise InvalidParameterException("queryLanguage is not supported by Gatepost but for CWLI")
        groups = self._groups_of(call, params)
        from_ms, to_ms = _ms(params["startTime"]), _ms(params["endTime"])
        if from_ms > to_ms:
            raise InvalidParameterException("Query's start time must not be after its end time")
        commands = parse_query(params.get("queryString") or "")
        query = Query(
            self._reach.new_id(),
            params.get("queryString") or "",
            groups,
            from_ms,
            to_ms + 1_000,  # the end is a whole second, and belongs to it
            self._clock.now_ms(),
            QueryRun(commands, min(params.get("limit") or LIMIT_DEFAULT, SHOWN_MAX)),
        )
        self.queries.start(query)
        return {"queryId": query.id}

    def _groups_of(self, call: Call, params: Params) -> list[GroupName]:
        given = [params.get(name) for name in ("logGroupName", "logGroupNames", "logGroupIdentifiers")]
        if sum(bool(one) for one in given) != 1:
            raise InvalidParameterException(
                "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be given"
            )
        names = [given[0]] if given[0] else list(given[1] or given[2] or ())
        if len(names) > GROUPS_MAX:
            raise InvalidParameterException(f"A query looks at {GROUPS_MAX} log groups at most")
        keys = [group_key(call, {"logGroupIdentifier": name}) for name in names]
        for key in keys:
            if self._store.group(key) is None:
                raise ResourceNotFoundException("The specified log group does not exist.")
        return keys

    @operation("GetQueryResults")
    def get_query_results(self, call: Call, params: Params) -> Answer:
        """Give what a query has found, all or in pages; nothing until it is complete.

        Raises: ResourceNotFoundException, InvalidParameterException.
        """
        query = self._query(call, params)
        start = start_of(params.get("nextToken"), 0)
        end = start + (params.get("maxItems") or SHOWN_MAX)
        answer: Answer = {
            "queryLanguage": "CWLI",
            "results": query.results[start:end],
            "statistics": query.statistics(),
            "status": query.status,
        }
        return {**answer, "nextToken": page_token(end)} if len(query.results) > end else answer

    @operation("StopQuery")
    def stop_query(self, call: Call, params: Params) -> Answer:
        """Stop a query that runs. Raises: ResourceNotFoundException, InvalidParameterException."""
        query = self._query(call, params)
        if query.status in ENDED:
            raise InvalidParameterException(f"Query with id [{query.id}] has already ended.")
        query.status = "Cancelled"
        return {"success": True}

    def _query(self, call: Call, params: Params) -> Query:
        query = self.queries.find(params["queryId"])
        if query is None or not _is_of(query, call):
            raise ResourceNotFoundException(f"Query with id [{params['queryId']}] does not exist.")
        return query

    @operation("DescribeQueries")
    def describe_queries(self, call: Call, params: Params) -> Answer:
        """Give the queries that are known, the newest first: all, or by group and status."""
        if params.get("queryLanguage", "CWLI") != "CWLI":
            return {"queries": []}
        name, status = params.get("logGroupName"), params.get("status")
        found = [
            shown(query)
            for query in self.queries.every()
            if _is_of(query, call)
            and (not name or name in {group.name for group in query.groups})
            and status in (None, query.status)
        ]
        start = start_of(params.get("nextToken"), 0)
        end = start + min(params.get("maxResults") or PAGE_MAX, PAGE_MAX)
        answer: Answer = {"queries": found[start:end]}
        return {**answer, "nextToken": page_token(end)} if len(found) > end else answer

    @operation("GetLogGroupFields")
    def get_log_group_fields(self, call: Call, params: Params) -> Answer:
        """Give the fields of a sample of a group's events around a time, with their share of the events.

        Raises: ResourceNotFoundException.
        """
        group: Group | None = self._store.group(group_key(call, params))
        if group is None:
            raise ResourceNotFoundException("The specified log group does not exist.")
        at = params.get("time")
        to_ms = _ms(at) + SAMPLE_BEFORE_MS if at is not None else self._clock.now_ms() + 1_000
        from_ms = to_ms - (2 * SAMPLE_BEFORE_MS if at is not None else SAMPLE_MS)
        chunks = self._store.chunks_forward(group=group, stream=None, from_ms=from_ms, to_ms=to_ms)
        counts: Counter[str] = Counter()
        seen = 0
        for event in reading.forward(chunks, reading.START):
            if from_ms <= event.place.timestamp_ms < to_ms:
                row = row_of(event, account_id=group.account_id, group=group.name)
                counts.update(name for name in row if name != "@ptr")
                seen += 1
            if seen >= SAMPLE_EVENTS:
                break
        fields = [{"name": name, "percent": count * 100 // seen} for name, count in counts.most_common()]
        return {"logGroupFields": fields}


def _ms(time: int) -> int:
    return time * 1000 if time < SECONDS_MAX else time


def _is_of(query: Query, call: Call) -> bool:
    group = query.groups[0]
    return (group.account_id, group.region) == (call.account_id, call.region)
