"""CloudWatch metrics on a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gatepost.awsapi.dispatch import Dispatcher
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.ids import request_id
from gatepost.services.cloudwatch.alarms import AlarmReach
from gatepost.services.cloudwatch.provider import CloudWatchProvider
from gatepost.services.cloudwatch.store import BYTES_MAX, METRICS_MAX, MIGRATIONS, MetricStore
from gatepost.telemetry.metric_outbox import MetricOutbox
from gatepost.telemetry.metrics import Dimensions, Metrics
from tests.support.logs import KeptTriggers
from tests.support.rest_apis import GrantsAllBut
from tests.support.stores import a_database, some_records
from tests.support.toys import ACCOUNT, ADMINISTRATOR

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
NOW_MS = 20_000 * DAY_MS + 12 * HOUR_MS  # noon


class MetricsControl:
    """Metrics as an operator uses them: `await metrics("PutMetricData", Namespace=…)`."""

    def __init__(
        self, provider: CloudWatchProvider, store: MetricStore, clock: FixedClock, triggers: KeptTriggers
    ) -> None:
        self.provider = provider
        self.triggers = triggers
        self.store = store
        self.clock = clock
        self.authorization = GrantsAllBut()
        self._dispatcher = Dispatcher(
            [provider], authorization=self.authorization, clock=clock, account_id=ACCOUNT, region="us-east-1"
        )

    async def __call__(self, operation: str, **params: Any) -> dict[str, Any]:
        return await self._dispatcher.invoke(ADMINISTRATOR, "cloudwatch", operation, params)

    async def put(self, *values: float, name: str = "Orders", **members: Any) -> None:
        """Put values of a metric of namespace Shop, now unless told otherwise."""
        data = [{"MetricName": name, "Value": value, **members} for value in values]
        await self("PutMetricData", Namespace="Shop", MetricData=data)

    async def statistics(self, *names: str, period_s: int = 60, **params: Any) -> list[dict[str, Any]]:
        """Give the datapoints of Shop's Orders within the last hour, unless told otherwise."""
        now_ms = self.clock.now_ms()
        percentiles = names[0].startswith("p")
        asked = {
            "Namespace": "Shop",
            "MetricName": "Orders",
            "StartTime": now_ms - HOUR_MS,
            "EndTime": now_ms + MINUTE_MS,
            "Period": period_s,
            "ExtendedStatistics" if percentiles else "Statistics": list(names),
        }
        answer = await self("GetMetricStatistics", **(asked | params))
        return answer["Datapoints"]  # type: ignore[no-any-return]


class CountingGateway:
    """A gateway's meters and outbox, before any link."""

    def __init__(self, metrics: MetricsControl, *, source: str = "g1") -> None:
        self.metrics = Metrics()
        self.outbox = MetricOutbox(self.metrics, source=source)
        self._control = metrics

    async def connect(self) -> None:
        """Learn which store there is."""
        for change in await self._control.provider.published():
            self.outbox.follow(change.key, change.value)

    def serve(self, status: int = 200, *, ms: float = 10, api_id: str = "api1", method: str = "GET") -> None:
        """Answer one request of the API shop."""
        meter = self.metrics.meter(Dimensions(api_id, "shop", "prod", "/orders", method))
        meter.observe(self._control.clock.now_ms(), status, int(ms * 1000), int(ms * 500))

    async def send(self) -> None:
        """Send what is new."""
        self.outbox.collect(self._control.clock.now_ms())
        while (batch := self.outbox.take()) is not None:
            await self._control.provider.ingest(batch)


@asynccontextmanager
async def some_metrics(
    folder: Path, *, metrics_max: int = METRICS_MAX, bytes_max: int = BYTES_MAX, now_ms: int = NOW_MS
) -> AsyncIterator[MetricsControl]:
    """A metric store, empty if the folder is."""
    (folder / "records").mkdir(exist_ok=True)
    async with a_database(folder, MIGRATIONS) as database, some_records(folder / "records") as records:
        clock = FixedClock(now_ms)
        store = MetricStore(database, metrics_max=metrics_max, bytes_max=bytes_max)
        await store.start()
        triggers = KeptTriggers()
        reach = AlarmReach(records, triggers, request_id)
        provider = CloudWatchProvider(store, clock, reach, account_id=ACCOUNT, region="us-east-1")
        yield MetricsControl(provider, store, clock, triggers)


def with_metrics(folder: Path, scenario: Callable[[MetricsControl], Coroutine[Any, Any, Any]], **options: Any) -> Any:
    """Run `scenario` with a metric store."""

    async def run() -> Any:
        async with some_metrics(folder, **options) as metrics:
            return await scenario(metrics)

    return asyncio.run(run())
