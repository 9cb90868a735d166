"""Time to live: items whose attribute says that they have expired are deleted in the background.

A list of expiries beside the table is kept right by every write, so that finding what has expired reads nothing
else. AWS deletes "within a few days" of expiry; here it is within a minute. Until then reads still give the item.
An item has expired when its time is less than now, in whole seconds. Items that expired more than five
years ago are left alone, as on AWS.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import StoreUnavailable, ValidationException
from gatepost.kernel.operations import Call
from gatepost.kernel.tasks import Tasks
from gatepost.services.dynamodb.backfill import in_steps
from gatepost.services.dynamodb.model import Table
from gatepost.services.dynamodb.tables import Tables
from gatepost.storage.items import ItemStore, TableGone

SWEEP_EVERY_S: Final = 30
STEP_ITEMS: Final = 500  # in one write
FIVE_YEARS_S: Final = 5 * 365 * 86_400
_OTHER: Final = "TimeToLive is active on a different AttributeName: current AttributeName is "


class TimeToLive:
    """Answers the two operations and deletes what has expired."""

    def __init__(self, tables: Tables, store: ItemStore, clock: Clock, tasks: Tasks) -> None:
        self._tables = tables
        self._store = store
        self._clock = clock
        self._tasks = tasks

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer UpdateTimeToLive."""
        table = self._tables.described(call, params["TableName"])
        specification = params["TimeToLiveSpecification"]
        name, now = specification["AttributeName"], table.definition.ttl_attribute
        if specification["Enabled"]:
            if now:
                raise ValidationException("TimeToLive is already enabled" if now == name else _OTHER + now)
            changed = await self._tables.redefine(
                table, replace(table.definition, ttl_attribute=name, is_ttl_filled=False)
            )
            self.resume(changed)
        else:
            if not now:
                raise ValidationException("TimeToLive is already disabled")
            if now != name:
                raise ValidationException(_OTHER + now)
            await self._tables.redefine(table, replace(table.definition, ttl_attribute="", is_ttl_filled=False))
        return {"TimeToLiveSpecification": {"Enabled": specification["Enabled"], "AttributeName": name}}

    def describe(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer DescribeTimeToLive."""
        definition = self._tables.described(call, params["TableName"]).definition
        if not definition.ttl_attribute:
            return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
        status = "ENABLED" if definition.is_ttl_filled else "ENABLING"
        return {"TimeToLiveDescription": {"TimeToLiveStatus": status, "AttributeName": definition.ttl_attribute}}

    def resume(self, table: Table) -> None:
        """List the expiries of the items that are there already, in the background, unless that is done."""
        if table.definition.ttl_attribute and not table.definition.is_ttl_filled:
            self._tasks.spawn(self._fill(table), name=f"time to live {table.definition.name}")

    async def _fill(self, table: Table) -> None:
        def step(after: bytes) -> Awaitable[bytes | None]:
            return self._store.fill_expiry(table.items, after=after, count_max=STEP_ITEMS)

        if not await in_steps(step):
            return
        now = self._tables.current(table)
        if now is not None and now.definition.ttl_attribute == table.definition.ttl_attribute:
            await self._tables.redefine(now, replace(now.definition, is_ttl_filled=True))

    async def sweep_for_ever(self) -> None:
        """Delete what has expired, every 30 seconds. A store that is lost is tried again."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            try:
                await self.sweep()
            except StoreUnavailable:
                continue

    async def sweep(self) -> int:
        """Delete everything that has expired by now; give how many items."""
        now_s = self._clock.now_ms() // 1000
        deleted = 0
        for table in self._tables.all():
            step = STEP_ITEMS
            while step == STEP_ITEMS and (current := self._tables.current(table)) and current.items.expiry:
                try:
                    step = await self._store.expire(
                        current.items, after_s=now_s - FIVE_YEARS_S, until_s=now_s - 1, count_max=STEP_ITEMS
                    )
                except TableGone:
                    break
                deleted += step
        return deleted
