"""CloudWatch Logs on a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gatepost.awsapi.dispatch import Dispatcher
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.ids import request_id
from gatepost.services.logs.filters import LogReach
from gatepost.services.logs.provider import LogPermission, LogsProvider
from gatepost.services.logs.store import MIGRATIONS, STORED_BYTES_MAX, STREAMS_MAX, LogStore
from tests.support.rest_apis import GrantsAllBut
from tests.support.stores import a_database, some_records
from tests.support.toys import ACCOUNT, ADMINISTRATOR

GROUP = "/aws/lambda/orders"


class KeptTriggers:
    """Functions that keep what they are given; those in `refusing` do not let anyone in."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bytes, str]] = []
        self.refusing: set[str] = set()

    def admits(self, function_arn: str, *, service: str, source_arn: str) -> bool:
        return function_arn not in self.refusing

    async def trigger(self, function_arn: str, payload: bytes, *, service: str, source_arn: str, request_id: str):
        self.told.append((function_arn, payload, source_arn))


class KeptMetrics:
    """A metric sink that keeps what it is told."""

    def __init__(self) -> None:
        self.data: list[tuple[str, dict[str, Any]]] = []

    async def record(self, account_id: str, region: str, namespace: str, data: Any) -> None:
        self.data.extend((namespace, dict(datum)) for datum in data)


class LogsControl:
    """Logs as an operator uses it: `await logs("GetLogEvents", logGroupName=…)`."""

    def __init__(self, provider: LogsProvider, clock: FixedClock, reach: LogReach, authorization: GrantsAllBut) -> None:
        self.provider = provider
        self.clock = clock
        self.triggers: Any = reach.triggers
        self.metrics: Any = reach.metrics
        self.authorization = authorization
        self._dispatcher = Dispatcher(
            [provider], authorization=self.authorization, clock=clock, account_id=ACCOUNT, region="us-east-1"
        )

    async def __call__(self, operation: str, **params: Any) -> dict[str, Any]:
        return await self._dispatcher.invoke(ADMINISTRATOR, "logs", operation, params)

    async def said(self, *messages: str, stream: str = "s", group: str = GROUP, apart_ms: int = 1) -> None:
        """Let a function say `messages`, from now on, `apart_ms` apart."""
        now_ms = self.clock.now_ms()
        events = [(now_ms + index * apart_ms, message) for index, message in enumerate(messages)]
        await self.provider.ingest([{"group": group, "stream": stream, "events": events}])


@asynccontextmanager
async def some_logs(
    folder: Path,
    *,
    permission: LogPermission | None = None,
    stored_bytes_max: int = STORED_BYTES_MAX,
    streams_max: int = STREAMS_MAX,
) -> AsyncIterator[LogsControl]:
    """An empty log store."""
    (folder / "records").mkdir(exist_ok=True)
    async with a_database(folder, MIGRATIONS) as database, some_records(folder / "records") as records:
        clock, triggers, metrics, authorization = FixedClock(), KeptTriggers(), KeptMetrics(), GrantsAllBut()
        store = LogStore(database, stored_bytes_max=stored_bytes_max, streams_max=streams_max)
        reach = LogReach(records, triggers, metrics, authorization, request_id)
        provider = LogsProvider(store, clock, reach, account_id=ACCOUNT, region="us-east-1", permission=permission)
        yield LogsControl(provider, clock, reach, authorization)


def with_logs(folder: Path, scenario: Callable[[LogsControl], Coroutine[Any, Any, Any]], **options: Any) -> Any:
    """Run `scenario` with an empty log store."""

    async def run() -> Any:
        async with some_logs(folder, **options) as logs:
            return await scenario(logs)

    return asyncio.run(run())
