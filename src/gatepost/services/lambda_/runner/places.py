"""Places of a concurrency limit that several gateways share: each holds some in the shared state, for a while.

A gateway says how many places it needs, and says it again every `RENEW_S`; who does not loses them after `LEASE_MS`, so
that a gateway that is killed gives its places back. Of limits from 64 on a gateway holds a few more than it needs, at
most `2 * SPARE_MAX`, so that not every invocation asks; as many may be refused too early then. Never more than the
limit run at a time, except while the state is lost: each gateway's own limits decide then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import StateUnavailable
from gatepost.kernel.tasks import Tasks
from gatepost.state.base import settled
from gatepost.state.leases import LosableState

LEASE_MS: Final = 10_000
RENEW_S: Final = 3.0
SPARE_PART: Final = 64
SPARE_MAX: Final = 16
MS_NS: Final = 1_000_000


class _Line:
    """The places of one limit, as far as this gateway has to do with them."""

    __slots__ = ("expires_ns", "held", "limit", "used", "wanted")

    def __init__(self) -> None:
        self.limit = 0
        self.used = 0
        self.held = 0
        self.wanted = 0  # by invocations that wait for an answer of the state
        self.expires_ns = 0

    @property
    def spare(self) -> int:
        """How many more than it needs a gateway holds."""
        return min(SPARE_MAX, self.limit // SPARE_PART)


class SharedPlaces:
    """This gateway's places of all limits. `owner` is a name that no other gateway has."""

    def __init__(self, state: LosableState, owner: str, clock: Clock, tasks: Tasks) -> None:
        self._state = state
        self._owner = owner
        self._clock = clock
        self._tasks = tasks
        self._lines: dict[str, _Line] = {}
        self._renewing: asyncio.Task[None] | None = None

    def take(self, name: str, limit: int) -> bool | Awaitable[bool]:
        """Take a place of `name`, which has `limit`; it is used until `free`. False: there is none."""
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = _Line()
        line.limit = limit
        if self._state.is_lost or (line.used < min(line.held, limit) and self._clock.monotonic_ns() < line.expires_ns):
            line.used += 1
            return True
        return self._ask(name, line)

    def free(self, name: str) -> None:
        """Give a place up that was taken."""
        line = self._lines[name]
        line.used -= 1
        if line.held > line.used + 2 * line.spare and not self._state.is_lost:
            self._tasks.spawn(self._hold(name, line, line.spare), name="free")

    async def _ask(self, name: str, line: _Line) -> bool:
        line.wanted += 1
        try:
            is_told = await self._hold(name, line, line.spare)
        finally:
            line.wanted -= 1
        if is_told and line.used >= line.held:
            return False
        line.used += 1
        if self._renewing is None:
            self._renewing = self._tasks.spawn(self._renew(), name="renew")
        return True

    async def _hold(self, name: str, line: _Line, spare: int) -> bool:
        """Say how many places are needed, and take note of how many there are; False when the state is lost."""
        count = line.used + line.wanted
        try:
            line.held = await settled(
                self._state.hold(
                    name,
                    owner=self._owner,
                    count=count + spare if count else 0,
                    limit=line.limit,
                    expires_after_ms=LEASE_MS,
                )
            )
        except StateUnavailable:
            return False
        line.expires_ns = self._clock.monotonic_ns() + LEASE_MS * MS_NS
        return True

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            for name, line in list(self._lines.items()):
                if self._state.is_lost:
                    break
                if line.used or line.wanted or line.held:
                    await self._hold(name, line, 0)
                elif not line.wanted:
                    self._lines.pop(name, None)
