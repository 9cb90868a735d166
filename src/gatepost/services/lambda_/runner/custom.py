"""A worker whose program asks for its invocations over the Runtime API, instead of getting them by its socket.

It is ready when its runtime, and every extension that it has registered, asks for the first time; it is free again when
all of them ask for more. What of it runs on after its answer may do so until the invocation's time is up.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import orjson

from gatepost.kernel.ports import Invocation
from gatepost.services.lambda_.runner import memory
from gatepost.services.lambda_.runner.extensions import SHUTDOWN_MS, Extension, Extensions
from gatepost.services.lambda_.runner.process import UNHANDLED, Worker
from gatepost.services.lambda_.runner.worker.bootstrap import RESPONSE_BYTES_MAX

KIB: Final = 1024


class InvalidState(Exception):
    """A program asks for what cannot be now."""


class UnknownInvocation(Exception):
    """A program speaks of an invocation that it does not have."""


class CustomWorker(Worker):
    """The gateway's end of a program that speaks the Runtime API."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.extensions = Extensions()
        self.extensions_expected = 0  # that layers bring: the worker is not ready before they have registered
        self._is_asking = False  # the runtime has done what it was given
        self._is_with_runtime = False  # it was given `current`
        self._deadline_ms = 0
        self._free_until_ns = 0  # the time by which runtime and extensions must ask for more; 0: they have
        self._poll: asyncio.Future[None] | None = None

    # --- what the runtime asks ---------------------------------------------------------------------------------

    async def next_invocation(self) -> tuple[Invocation, int]:
        """Wait for the next invocation, and give it with its deadline (epoch ms). Raises: InvalidState."""
        if self._is_with_runtime or self.is_gone:
            raise InvalidState("the invocation under way is not answered yet")
        self._is_asking = True
        self.look_around()
        if self._poll is not None:
            self._poll.cancel()  # the one who asked before is gone, or asks twice
        while self.current is None:
            self._poll = asyncio.get_running_loop().create_future()
            await self._poll
        self._poll = None
        self._is_asking = False
        self._is_with_runtime = True
        return self.current.invocation, self._deadline_ms

    def answer(self, request_id: str, body: bytes) -> bool:
        """Take the runtime's answer; False when it is too large. Raises: UnknownInvocation."""
        self._check_invocation(request_id)
        if len(body) > RESPONSE_BYTES_MAX:
            self.answer_too_large()
            return False
        self._answered(body, self._peak_kib(), "")
        return True

    def answer_too_large(self) -> None:
        """End the invocation whose answer is too large."""
        words = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes)."
        body = {"errorMessage": words, "errorType": "Function.ResponseSizeTooLarge"}
        if self.current is not None and self._is_with_runtime:
            self._answered(orjson.dumps(body), self._peak_kib(), UNHANDLED)

    def fail(self, request_id: str, body: bytes) -> None:
        """Take the runtime's report of an error. Raises: UnknownInvocation."""
        self._check_invocation(request_id)
        self._answered(body[:RESPONSE_BYTES_MAX], self._peak_kib(), UNHANDLED)

    def fail_start(self, body: bytes) -> None:
        """Take the report that runtime or extension cannot start. Raises: InvalidState."""
        if self.is_ready or self.is_gone:
            raise InvalidState("the worker has started")
        self._native_output()
        self._leave()
        self._owner.failed(self, body[:RESPONSE_BYTES_MAX])
        self.kill()

    def _check_invocation(self, request_id: str) -> None:
        running = self.current
        if running is None or not self._is_with_runtime or running.invocation.request_id != request_id:
            raise UnknownInvocation(request_id)

    def _peak_kib(self) -> int:
        return memory.used_bytes(self.pid, self.function.memory_mb << 20) // KIB if self.pid else 0

    # --- what extensions ask -----------------------------------------------------------------------------------

    def register(self, name: str, events: frozenset[str]) -> Extension | None:
        """Add an extension; None when it cannot be. Raises: InvalidState after the start."""
        if self.is_ready:
            raise InvalidState("extensions register before the first invocation")
        return self.extensions.register(name, events)

    async def next_event(self, extension: Extension) -> dict[str, Any]:
        """Wait for an extension's next event."""
        waiting = extension.next_event()
        if not extension.untold:
            extension.is_waiting = True
            self.look_around()
        return await waiting

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
            self.is_ready = True
            self._init_ms = (self._clock.monotonic_ns() - self.started_ns) / 1e6
            self._native_output()
            self._owner.ready(self)
        elif self._free_until_ns:
            self._free_until_ns = 0
            self._owner.free(self)

    def _deliver(self, invocation: Invocation, deadline_ms: int) -> None:
        self._deadline_ms = deadline_ms
        self.extensions.invoked(invocation, deadline_ms)
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    def _answer_given(self) -> None:
        self._is_with_runtime = False
        self._free_until_ns = self._clock.monotonic_ns() + self._timeout_ns

    def check_time(self, now_ns: int) -> None:
        """Kill the worker when its invocation, or what follows it, has used up its time."""
        super().check_time(now_ns)
        if self._free_until_ns and now_ns >= self._free_until_ns:
            self._free_until_ns = 0
            self.transcript.platform("[gatepost] stopped: it did not ask for its next invocation after its answer\n")
            self.retire()

    # --- end ---------------------------------------------------------------------------------------------------

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the program has begun: it does not have the socket."""
        del exc
        self._is_at_end = True
        self._transport = None
        if self._has_exited:
            self._ended()

    def retire(self) -> None:
        """End a worker that nobody waits for; extensions that want to know have two seconds."""
        if self.is_ready and not self.is_gone and self.extensions.shut_down("spindown", self._shutdown_ms()):
            asyncio.get_running_loop().call_later(SHUTDOWN_MS / 1000, self.kill)
            self._leave()
        else:
            super().retire()

    def _shutdown_ms(self) -> int:
        return self._clock.now_ms() + SHUTDOWN_MS
