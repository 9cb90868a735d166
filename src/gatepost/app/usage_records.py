"""Where services keep what gateways counted: one record for each gateway, exactly once for each batch."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.operations import RecordKey
from gatepost.storage.base import Records
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
            if totals.take(number, batch):
                key = RecordKey(USAGE, self._account_id, self._region, gateway_id)
                await self._records.put(key, totals.to_json(), expected_version=None)
                self._totals[gateway_id] = totals

    def counts(self) -> dict[str, int]:
        """Give all counts of all gateways and hours by their key."""
        found: dict[str, int] = {}
        for totals in self._totals.values():
            for counts in totals.hours.values():
                for key, count in counts.items():
                    found[key] = found.get(key, 0) + count
        return found
