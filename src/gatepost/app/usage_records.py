"""Where services keep what gateways counted: exactly once for each batch.

Counts of stages are one record for each gateway. Counts of API keys are a record for each key of a plan, with a number
for each day; they are written in the same commit as the gateway's record, which knows the batches that are in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.operations import RecordKey
from gatepost.services.apigateway.usage import DAYS_KEPT
from gatepost.services.apigateway.usage_model import DAY_COUNT_PREFIX
from gatepost.services.apigateway.usage_model import USAGE as KEY_USAGE
from gatepost.storage.base import Records, Write
from gatepost.telemetry.usage import UsageTotals

USAGE: Final = "usage"


class UsageRecords:
    """Takes batches over durably; a batch that comes twice counts once."""

    def __init__(self, records: Records, *, account_id: str, region: str) -> None:
        self._records = records
        self._account_id = account_id
        self._region = region
        self._totals: dict[str, UsageTotals] = {}
        self._turn = asyncio.Lock()

    async def load(self) -> None:
        """Read what was counted so far. Raises: StoreUnavailable."""
        for record in await self._records.scan(USAGE):
            self._totals[record.key.id] = UsageTotals(record.value)

    async def take(self, gateway_id: str, number: int, batch: Mapping[str, Any]) -> None:
        """Count a batch; it is durable when this returns. Raises: StoreUnavailable; then nothing was counted."""
        async with self._turn:
            totals = UsageTotals(self._totals[gateway_id].to_json()) if gateway_id in self._totals else UsageTotals()
            of_keys = {name: count for name, count in batch["counts"].items() if name.startswith(DAY_COUNT_PREFIX)}
            of_stages = {name: count for name, count in batch["counts"].items() if name not in of_keys}
            if totals.take(number, {**batch, "counts": of_stages}):
                key = RecordKey(USAGE, self._account_id, self._region, gateway_id)
                await self._records.commit([Write(key, totals.to_json()), *await self._of_keys(of_keys)])
                self._totals[gateway_id] = totals

    async def _of_keys(self, counts: Mapping[str, int]) -> list[Write]:
        """Give the writes that add counts by `key:{account}/{region}/{plan}/{key}/{day}`."""
        changed: dict[RecordKey, dict[str, Any]] = {}
        for name, count in counts.items():
            account_id, region, plan_id, key_id, day = name.removeprefix(DAY_COUNT_PREFIX).split("/")
            place = RecordKey(KEY_USAGE, account_id, region, f"{plan_id}/{key_id}")
            if place not in changed:
                record = await self._records.get(place)
                changed[place] = dict(record.value) if record else {}
            changed[place][day] = changed[place].get(day, 0) + int(count)
        return [Write(place, dict(sorted(days.items())[-DAYS_KEPT:])) for place, days in changed.items()]

    def counts(self) -> dict[str, int]:
        """Give all counts of all gateways and hours by their key."""
        found: dict[str, int] = {}
        for totals in self._totals.values():
            for counts in totals.hours.values():
                for key, count in counts.items():
                    found[key] = found.get(key, 0) + count
        return found
