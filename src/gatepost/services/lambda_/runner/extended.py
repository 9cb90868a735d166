"""A worker with extensions beside its runtime: processes that register, hear of each invocation, and take their time.

It is ready when its runtime, and every extension, asks for the first time; it is free again when all of them ask for
more. What runs on after the answer may do so until as much time has passed as the invocation had.
"""

from __future__ import annotations

import asyncio
from typing import Any

from gatepost.kernel.ports import Invocation
from gatepost.services.lambda_.runner.extensions import SHUTDOWN_MS, Extension, Extensions
from gatepost.services.lambda_.runner.process import Worker


class InvalidState(Exception):
    """A program asks for what cannot be now."""


class ExtendedWorker(Worker):
    """The gateway's end of a worker that may have extensions."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.extensions = Extensions()
        self.extensions_expected = 0  # that layers bring: the worker is not ready before they have registered
        self._is_asking = False  # the runtime has done what it was given
        self._free_until_ns = 0  # the time by which runtime and extensions must ask for more; 0: they have

    # --- what extensions ask -----------------------------------------------------------------------------------

    def register(self, name: str, events: frozenset[str]) -> Extension | None:
        """Add an extension; None when it cannot be. Raises: InvalidState after the start."""
        if self.is_ready or self.is_gone:
            raise InvalidState("extensions register before the first invocation")
        return self.extensions.register(name, events)

    async def next_event(self, extension: Extension) -> dict[str, Any]:
        """Wait for an extension's next event."""
        if not extension.untold:
            extension.is_waiting = True
            self.look_around()
        return await extension.next_event()

    def fail_start(self, body: bytes) -> None:
        """Take the report that runtime or extension cannot start. Raises: InvalidState."""
        if self.is_ready or self.is_gone:
            raise InvalidState("the worker has started")
        self._native_output()
        self._leave()
        self._owner.failed(self, body)
        self.kill()

    def give_up(self) -> None:
        """End the worker because an extension has."""
        self.is_stale = True
        self.kill()

    # --- states ------------------------------------------------------------------------------------------------

    def look_around(self) -> None:
        """Become ready, or free again, when runtime and extensions ask for more."""
        if self.is_gone or not self._is_asking or not self.extensions.are_waiting:
            return
        if len(self.extensions) < self.extensions_expected:
            return
        if not self.is_ready:
            self._native_output()
            super()._runtime_ready((self._clock.monotonic_ns() - self.started_ns) / 1e6)
        elif self._free_until_ns:
            self._free_until_ns = 0
            self._owner.free(self)

    def _runtime_ready(self, init_ms: float) -> None:
        del init_ms  # the extensions' start counts, too
        self._is_asking = True
        self.look_around()

    def _deliver(self, invocation: Invocation, deadline_ms: int) -> None:
        self._is_asking = False
        self.extensions.invoked(invocation, deadline_ms)
        super()._deliver(invocation, deadline_ms)

    def _answer_given(self) -> None:
        self._free_until_ns = self._clock.monotonic_ns() + self._timeout_ns
        self._is_asking = self._asks_at_once
        self.look_around()

    # A runtime that gets its invocations by the worker's socket asks for more with its answer.
    _asks_at_once = True

    def check_time(self, now_ns: int) -> None:
        """Kill the worker when its invocation, or what follows it, has used up its time."""
        super().check_time(now_ns)
        if self._free_until_ns and now_ns >= self._free_until_ns:
            self._free_until_ns = 0
            self.transcript.platform("[gatepost] stopped: it did not ask for its next invocation after its answer\n")
            self.retire()

    # --- end ---------------------------------------------------------------------------------------------------

    def retire(self) -> None:
        """End a worker that nobody waits for; extensions that want to know have two seconds."""
        deadline_ms = self._clock.now_ms() + SHUTDOWN_MS
        if self.is_ready and not self.is_gone and self.extensions.shut_down("spindown", deadline_ms):
            asyncio.get_running_loop().call_later(SHUTDOWN_MS / 1000, self.kill)
            self._leave()
        else:
            super().retire()
