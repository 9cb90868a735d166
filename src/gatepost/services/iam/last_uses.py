"""When access keys, users and roles were last used, and for which service: noted in memory, written now and then.

An observer: what is lost when the process is killed is a minute's notes, and a store that fails is tried again. Roles
are noted by who used their sessions. What is older than the entity of that name is not the entity's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from gatepost.kernel.errors import StoreUnavailable
from gatepost.kernel.operations import Principal, RecordKey
from gatepost.kernel.tasks import Tasks
from gatepost.security.access_keys import LONG_TERM
from gatepost.storage.base import Records

log = logging.getLogger(__name__)

LAST_USES: Final = "iam.last_uses"
WRITTEN_EVERY_S: Final = 60.0
SAME_MS: Final = 1_000  # what is told has whole seconds
NOTES_MAX: Final = 5_000  # of keys, and of services that somebody used; the oldest of more give way


class Use(NamedTuple):
    """One use: of which service, where and when."""

    service: str
    region: str
    at_ms: int


class LastUses:
    """Notes the last uses of all accounts. Call `start` once the store is open, `close` before it closes."""

    def __init__(
        self,
        records: Records,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        notes_max: int = NOTES_MAX,
    ) -> None:
        self._records = records
        self._notes_max = notes_max
        self._pause = pause
        self._tasks = Tasks("last-uses")
        self._keys: dict[str, Use] = {}
        self._services: dict[tuple[str, str], Use] = {}  # by the ARN of a user or role, and the service
        self._last: tuple[Principal, str, str, int] | None = None
        self._is_written = True

    async def start(self) -> None:
        """Read what was noted, and write from now on. Raises: StoreUnavailable."""
        for record in await self._records.scan(LAST_USES):
            self._keys.update({key: Use(*use) for key, use in record.value["keys"].items()})
            self._services.update({(arn, use[0]): Use(*use) for arn, *use in record.value["services"]})
        self._tasks.spawn(self._run(), name="write")

    async def close(self) -> None:
        """Stop, and write what is left."""
        await self._tasks.close()
        await self.write()

    async def _run(self) -> None:
        while True:
            await self._pause(WRITTEN_EVERY_S)
            await self.write()

    def note(self, principal: Principal, service: str, region: str, now_ms: int) -> None:
        """Note that somebody called a service, for one who calls it again and again once a second.

        On every request's way: it usually compares and does nothing.
        """
        last = self._last
        if last is not None and last[0] is principal and last[1:3] == (service, region):
            is_same = 0 <= now_ms - last[3] < SAME_MS
            if is_same:
                return
        self._last = (principal, service, region, now_ms)
        use = Use(service, region, now_ms)
        key = principal.access_key_id
        if key.startswith(LONG_TERM):
            if key not in self._keys and len(self._keys) >= self._notes_max:
                del self._keys[next(iter(self._keys))]
            self._keys[key] = use
        who = (principal.role_arn or principal.arn, service)
        if who not in self._services and len(self._services) >= self._notes_max:
            del self._services[next(iter(self._services))]
        self._services[who] = use
        self._is_written = False

    def of_key(self, access_key_id: str) -> Use | None:
        """Give the last use of an access key, or None."""
        return self._keys.get(access_key_id)

    def of_entity(self, arn: str, since_ms: int) -> Mapping[str, Use]:
        """Give the last uses by a user or role that was made at `since_ms`, by service."""
        found = {name: use for (who, name), use in self._services.items() if who == arn and use.at_ms >= since_ms}
        return dict(sorted(found.items()))

    def last_of_entity(self, arn: str, since_ms: int) -> Use | None:
        """Give the very last of them, or None."""
        return max(self.of_entity(arn, since_ms).values(), key=lambda use: use.at_ms, default=None)

    async def write(self) -> None:
        """Write what was noted since the last time."""
        if self._is_written:
            return
        self._is_written = True
        value: dict[str, Any] = {
            "keys": {key: list(use) for key, use in self._keys.items()},
            "services": [[arn, *use] for (arn, _), use in self._services.items()],
        }
        try:
            await self._records.put(RecordKey(LAST_USES, "", "", "all"), value, expected_version=None)
        except StoreUnavailable as error:
            self._is_written = False
            log.warning("last uses not written", extra={"error": str(error)})
