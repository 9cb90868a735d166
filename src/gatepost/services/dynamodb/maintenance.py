"""What is done every minute so that logs of changes stay bounded: shards rotated, old records forgotten."""

from __future__ import annotations

import asyncio
from typing import Final

from gatepost.kernel.errors import StoreUnavailable
from gatepost.storage.items import ItemStore

EVERY_S: Final = 60


class Maintenance:
    """Keeps streams bounded."""

    def __init__(self, store: ItemStore) -> None:
        self._store = store

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
