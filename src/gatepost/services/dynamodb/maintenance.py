"""What is done every minute so that what tables leave behind stays bounded.

Shards are rotated, stream records forgotten after a day, journals after their days of recovery, and the backups of
deleted tables after 35 days.
"""

from __future__ import annotations

import asyncio
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import StoreUnavailable
from gatepost.services.dynamodb.backups import Backups
from gatepost.services.dynamodb.model import Table
from gatepost.services.dynamodb.restores import DAY_MS
from gatepost.services.dynamodb.tables import Tables
from gatepost.storage.items import ItemStore, TableGone

EVERY_S: Final = 60
STEP_ENTRIES: Final = 1_000  # trimmed in one write


class Maintenance:
    """Keeps streams, journals and backups bounded."""

    def __init__(self, tables: Tables, store: ItemStore, backups: Backups, clock: Clock) -> None:
        self._tables = tables
        self._store = store
        self._backups = backups
        self._clock = clock

    async def for_ever(self) -> None:
        """Do it every minute. A store that is lost is tried again."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.once()
            except StoreUnavailable:
                continue

    async def once(self) -> None:
        """Do it now. Raises: StoreUnavailable."""
        await self._store.streams.maintain()
        await self._backups.forget_expired(self._clock.now_ms())
        for table in self._tables.all():
            if table.definition.recovery_since_ms:
                await self._trim(table)

    async def _trim(self, table: Table) -> None:
        before_ms = self._clock.now_ms() - table.definition.recovery_days * DAY_MS
        trimmed = STEP_ENTRIES
        while trimmed == STEP_ENTRIES:
            try:
                trimmed = await self._store.trim_journal(table.items, before_ms=before_ms, count_max=STEP_ENTRIES)
            except TableGone:
                return
