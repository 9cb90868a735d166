"""The life of a new global index: filled in the background, item by item, while writes already maintain it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from gatepost.kernel.errors import StoreUnavailable
from gatepost.kernel.tasks import Tasks
from gatepost.services.dynamodb.model import ACTIVE, CREATING, Table
from gatepost.services.dynamodb.tables import Tables
from gatepost.storage.items import ItemStore, TableGone
from gatepost.storage.items_tables import ItemIndex

RETRY_S: Final = 1.0
STEP_ITEMS: Final = 500  # in one write: short enough that other writes hardly wait


async def in_steps(step: Callable[[bytes], Awaitable[bytes | None]], *, retry_s: float = RETRY_S) -> bool:
    """Repeat `step` from the first key until it gives None; a lost store is tried again after `retry_s`.

    Returns: False when the table went away meanwhile.
    """
    after: bytes | None = b""
    while after is not None:
        try:
            after = await step(after)
        except TableGone:
            return False
        except StoreUnavailable:
            await asyncio.sleep(retry_s)
    return True


class Backfill:
    """Fills indexes that are being created. A fill that a stop interrupted starts anew with the next start."""

    def __init__(self, tables: Tables, store: ItemStore, tasks: Tasks) -> None:
        self._tables = tables
        self._store = store
        self._tasks = tasks

    def start(self, table: Table) -> None:
        """Fill what is not filled yet, in the background."""
        filling = {index.name for index in table.definition.indexes if index.status == CREATING}
        for index in table.items.indexes:
            if index.name in filling:
                self._tasks.spawn(self._fill(table, index), name=f"backfill {table.definition.name}.{index.name}")

    async def _fill(self, table: Table, index: ItemIndex) -> None:
        def step(after: bytes) -> Awaitable[bytes | None]:
            return self._store.fill_index(table.items, index, after=after, count_max=STEP_ITEMS)

        if not await in_steps(step):
            return
        now = self._tables.current(table)
        if now is None:
            return
        indexes = tuple(replace(one, status=ACTIVE) if one.id == index.id else one for one in now.definition.indexes)
        await self._tables.redefine(now, replace(now.definition, indexes=indexes))
