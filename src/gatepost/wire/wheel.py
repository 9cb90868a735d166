"""Deadlines of many connections with one timer.

A timer per request would cost more than the request. A connection only writes the tick at which it ends
into `deadline`; the wheel looks at each connection at least once in every `step` ticks, which is no longer
than the shortest limit, so that no deadline can be set that lies before the next look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

GONE: Final = -1


class Timed(Protocol):
    """What has a deadline. `deadline` is a tick, 0 when nothing is awaited; `slot` belongs to the wheel."""

    deadline: int
    slot: int

    def expired(self) -> None:
        """Take note that the deadline has passed."""
        ...


class Wheel:
    """Calls `expired()` of what is on it, within a tick of its deadline."""

    def __init__(self, *, tick_ms: int, shortest_ms: int) -> None:
        self.tick_ms = tick_ms
        self.now = 1
        self._step = max(1, shortest_ms // tick_ms)
        self._slots: dict[int, set[Timed]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._each_tick: Callable[[], None] | None = None

    def ticks(self, ms: int) -> int:
        """Give how many ticks `ms` last, rounded up."""
        return -(-ms // self.tick_ms) + 1  # the current tick is partly over

    def start(self, each_tick: Callable[[], None]) -> None:
        """Turn the wheel, calling `each_tick` every time, until `stop()`."""
        self._each_tick = each_tick
        if self._timer is None:
            self._wind()

    def stop(self) -> None:
        """Stand still."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wind(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self.tick_ms / 1000, self._tick)

    def _tick(self) -> None:
        self._wind()
        if self._each_tick is not None:
            self._each_tick()
        self.turn()

    def add(self, timed: Timed) -> None:
        """Put `timed` on the wheel."""
        next_look = self.now + self._step
        timed.slot = min(timed.deadline, next_look) if timed.deadline > self.now else next_look
        self._slots.setdefault(timed.slot, set()).add(timed)

    def remove(self, timed: Timed) -> None:
        """Take `timed` off the wheel for good."""
        timed.deadline = GONE
        slot = self._slots.get(timed.slot)
        if slot is not None:
            slot.discard(timed)

    def turn(self) -> None:
        """Move on by one tick."""
        self.now += 1
        for timed in self._slots.pop(self.now, ()):
            if 0 < timed.deadline <= self.now:
                timed.deadline = 0
                timed.expired()
            if timed.deadline != GONE:
                self.add(timed)
