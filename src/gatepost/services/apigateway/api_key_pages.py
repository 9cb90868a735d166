"""How the gateway is told of API keys: in pages, one for all keys whose digests begin alike.

A page is built from the store after the commit, in the page's turn, so that what is published last is what stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

from gatepost.kernel.operations import Call, Change, RecordKey
from gatepost.kernel.ports import Publisher
from gatepost.services.apigateway.usage_model import (
    API_KEY_DIGEST,
    API_KEY_PAGE,
    API_KEY_PLACE,
    PAGE_CHARACTERS,
)
from gatepost.storage.base import Record, Records

_READ: Final = 1_000
_CHANGES_MAX: Final = 64  # pages in one announcement


class KeyPages:
    """Publishes pages of keys."""

    def __init__(self, records: Records, publisher: Publisher) -> None:
        self._records = records
        self._publisher = publisher
        self._turns: WeakValueDictionary[RecordKey, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, call: Call, digest: str) -> AsyncIterator[None]:
        """Keep other changes of the page away."""
        place = call.key(API_KEY_PAGE, digest[:PAGE_CHARACTERS])
        lock = self._turns.get(place)
        if lock is None:
            lock = self._turns[place] = asyncio.Lock()
        async with lock:
            yield

    async def publish(self, call: Call, digests: Iterable[str]) -> None:
        """Tell the gateway what now stands in the pages of `digests`."""
        prefixes = sorted({digest[:PAGE_CHARACTERS] for digest in digests})
        changes = [await self._page(call.account_id, call.region, prefix) for prefix in prefixes]
        for start in range(0, len(changes), _CHANGES_MAX):
            await self._publisher.publish(*changes[start : start + _CHANGES_MAX])

    async def publish_all(self, call: Call, digests: Iterable[str]) -> None:
        """Tell the gateway what now stands in many pages, so many at once, each in its turn."""
        pages = sorted({digest[:PAGE_CHARACTERS] for digest in digests})
        for start in range(0, len(pages), _CHANGES_MAX):
            some = pages[start : start + _CHANGES_MAX]
            async with AsyncExitStack() as turns:
                for page in some:  # in one order, so that nobody waits in a circle
                    await turns.enter_async_context(self.turn(call, page))
                await self.publish(call, some)

    async def _page(self, account_id: str, region: str, prefix: str) -> Change:
        lines: list[str] = []
        after = ""
        while True:
            found = await self._records.page(
                API_KEY_DIGEST, account_id, region, prefix=prefix, after=after, count_max=_READ
            )
            lines.extend(record.value["line"] for record in found if record.value["line"])
            if len(found) < _READ:
                return _change(account_id, region, prefix, lines)
            after = found[-1].key.id


async def all_key_pages(records: Records) -> list[Change]:
    """Give every page of every account and region."""
    changes: list[Change] = []
    for place in await records.scan(API_KEY_PLACE):
        account_id, region = place.key.account_id, place.key.region
        lines: dict[str, list[str]] = {}
        after = ""
        while True:
            found: list[Record] = await records.page(API_KEY_DIGEST, account_id, region, after=after, count_max=_READ)
            for record in found:
                if record.value["line"]:
                    lines.setdefault(record.key.id[:PAGE_CHARACTERS], []).append(record.value["line"])
            if len(found) < _READ:
                break
            after = found[-1].key.id
        changes.extend(_change(account_id, region, prefix, each) for prefix, each in lines.items())
    return changes


def _change(account_id: str, region: str, prefix: str, lines: list[str]) -> Change:
    """Give the change for a page; a page without keys is gone."""
    key = f"{account_id}/{region}/{prefix}"
    return Change(API_KEY_PAGE, key, {"lines": "\n".join(lines)} if lines else None)
