"""Queries that run: each in a task of its own, over pages of events, with other work in between.

Results are kept in memory: of the last 100 queries, fewer when they are large, until the platform stops.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gatepost.kernel.errors import StoreUnavailable
from gatepost.kernel.tasks import Tasks
from gatepost.services.logs import events as reading
from gatepost.services.logs.insights.fields import row_of
from gatepost.services.logs.insights.run import QueryRun, TooMuch
from gatepost.services.logs.model import GroupName, LimitExceededException
from gatepost.services.logs.store import Group, LogStore

log = logging.getLogger(__name__)

KEPT_MAX: Final = 100
RUNNING_MAX: Final = 30  # AWS: concurrent queries of an account
SCANNED_MAX: Final = 1_000_000  # events of one query
ROWS_CHARACTERS_MAX: Final = 256 * 1024 * 1024  # of the rows of all queries that run
RESULTS_CHARACTERS_MAX: Final = 64 * 1024 * 1024  # of all results together
PAGE_EVENTS: Final = 250  # between two turns of others
ENDED: Final = ("Complete", "Failed", "Cancelled")


@dataclass(slots=True)
class Query:
    """One query with what it has found."""

    id: str
    text: str
    groups: Sequence[GroupName]
    from_ms: int
    to_ms: int
    created_at_ms: int
    run: QueryRun | None  # None once it has begun
    status: str = "Scheduled"
    scanned: int = 0
    matched: int = 0
    scanned_bytes: int = 0
    results: list[list[dict[str, str]]] = field(default_factory=list)
    results_characters: int = 0

    def statistics(self) -> dict[str, float]:
        """Give AWS's QueryStatistics."""
        return {
            "recordsMatched": float(self.matched),
            "recordsScanned": float(self.scanned),
            "estimatedRecordsSkipped": 0.0,
            "bytesScanned": float(self.scanned_bytes),
            "estimatedBytesSkipped": 0.0,
            "logGroupsScanned": float(len(self.groups)),
        }


class Queries:
    """The queries of the platform, running and ended."""

    def __init__(self, store: LogStore, kept_since: Callable[[Group], int]) -> None:
        self._store = store
        self._kept_since = kept_since
        self._tasks = Tasks("log queries")
        self._held: dict[str, Query] = {}
        self._runs: dict[str, QueryRun] = {}  # of those that run

    def find(self, query_id: str) -> Query | None:
        """Give a query."""
        return self._held.get(query_id)

    def every(self) -> list[Query]:
        """Give all queries, the newest first."""
        return list(self._held.values())[::-1]

    def start(self, query: Query) -> None:
        """Run a query. Raises: LimitExceededException."""
        if len(self._tasks) >= RUNNING_MAX:
            raise LimitExceededException(f"Account maximum query concurrency limit of [{RUNNING_MAX}] reached.")
        self._held[query.id] = query
        for old in [each for each in self._held.values() if each.status in ENDED][: max(0, len(self._held) - KEPT_MAX)]:
            del self._held[old.id]
        self._tasks.spawn(self._run(query), name=query.id)

    async def _run(self, query: Query) -> None:
        run = query.run
        assert run is not None
        query.run = None
        self._runs[query.id] = run
        if query.status == "Scheduled":  # and not stopped before it began
            query.status = "Running"
        try:
            for key in query.groups:
                group = self._store.group(key)
                if group is not None:
                    await self._scan(query, run, group)
            if query.status == "Running":
                # Sorting a hundred thousand rows takes a second: others go on meanwhile.
                results = await asyncio.get_running_loop().run_in_executor(None, run.results)
                if query.status == "Running":  # and was not stopped while they were sorted
                    query.results, query.status = results, "Complete"
                    query.results_characters = sum(len(cell["value"]) for row in results for cell in row)
                    self._forget_large(query)
        except (TooMuch, StoreUnavailable) as error:
            log.warning("log query failed", extra={"query": query.id, "error": str(error)})
        finally:
            del self._runs[query.id]
            if query.status not in ENDED:  # whatever happened: clients ask until it has ended
                query.status = "Failed"

    def _forget_large(self, last: Query) -> None:
        """Forget the oldest queries that have ended while results are too large together, but not the last to end."""
        ended = [each for each in self._held.values() if each.status in ENDED and each is not last]
        left = last.results_characters + sum(each.results_characters for each in ended)
        for old in ended:
            if left <= RESULTS_CHARACTERS_MAX:
                return
            left -= old.results_characters
            del self._held[old.id]

    async def _scan(self, query: Query, run: QueryRun, group: Group) -> None:
        from_ms = max(query.from_ms, self._kept_since(group))
        place = reading.START
        while query.status == "Running":
            page = self._page(group, from_ms, query.to_ms, place)
            for event in page:
                query.scanned += 1
                query.scanned_bytes += len(event.message)
                if query.scanned > SCANNED_MAX:
                    raise TooMuch(f"more than {SCANNED_MAX} events were looked at")
                query.matched += run.take(row_of(event, account_id=group.account_id, group=group.name))
            if sum(each.text_characters for each in self._runs.values()) > ROWS_CHARACTERS_MAX:
                raise TooMuch("the queries that run keep too much together")
            if len(page) < PAGE_EVENTS:
                return
            place = page[-1].place
            await asyncio.sleep(0)

    def _page(self, group: Group, from_ms: int, to_ms: int, place: reading.Place) -> list[reading.StoredEvent]:
        lowest = max(from_ms, place.timestamp_ms)
        chunks = self._store.chunks_forward(group=group, stream=None, from_ms=lowest, to_ms=to_ms)
        page: list[reading.StoredEvent] = []
        for event in reading.forward(chunks, place):
            if from_ms <= event.place.timestamp_ms < to_ms:
                page.append(event)
                if len(page) == PAGE_EVENTS:
                    break
        return page

    async def close(self) -> None:
        """Stop what runs."""
        await self._tasks.close()


def shown(query: Query) -> dict[str, Any]:
    """Give a query as DescribeQueries does."""
    return {
        "queryLanguage": "CWLI",
        "queryId": query.id,
        "queryString": query.text,
        "status": query.status,
        "createTime": query.created_at_ms,
        "logGroupName": query.groups[0].name,
    }
