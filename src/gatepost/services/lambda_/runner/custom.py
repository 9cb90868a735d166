"""A worker whose program asks for its invocations over the Runtime API, instead of getting them by its socket."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from gatepost.kernel.ports import Invocation, InvocationResult
from gatepost.services.lambda_.runner import memory
from gatepost.services.lambda_.runner.extended import ExtendedWorker, InvalidState
from gatepost.services.lambda_.runner.process import Running
from gatepost.services.lambda_.runner.streams import BINARY, UNHANDLED, too_large
from gatepost.services.lambda_.runner.worker.bootstrap import RESPONSE_BYTES_MAX

KIB: Final = 1024
# How long an answer waits for its runtime to ask for more, so that a caller's next invocation finds a free worker.
HELD_BACK_S: Final = 0.02


class UnknownInvocation(Exception):
    """A program speaks of an invocation that it does not have."""


class CustomWorker(ExtendedWorker):
    """The gateway's end of a program that speaks the Runtime API."""

    _asks_at_once = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._is_with_runtime = False  # it was given `current`
        self._deadline_ms = 0
        self._poll: asyncio.Future[None] | None = None
        self._held_back: tuple[Running, InvocationResult] | None = None

    async def next_invocation(self) -> tuple[Invocation, int]:
        """Wait for the next invocation, and give it with its deadline (epoch ms). Raises: InvalidState."""
        if self._is_with_runtime or self.is_gone:
            raise InvalidState("the invocation under way is not answered yet")
        self._is_asking = True
        self._let_go()
        self.look_around()
        if self._poll is not None:
            self._poll.cancel()  # the one who asked before is gone, or asks twice
        while self.current is None:
            self._poll = asyncio.get_running_loop().create_future()
            await self._poll
        self._poll = None
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

    def begin_answer(self, request_id: str, content_type: str) -> None:
        """Hear that the runtime's answer comes in pieces. Raises: UnknownInvocation."""
        self._check_invocation(request_id)
        self.begin_stream(content_type or BINARY)

    def answer_too_large(self) -> None:
        """End the invocation whose answer is too large."""
        if self.current is not None and self._is_with_runtime:
            self._answered(too_large(RESPONSE_BYTES_MAX), self._peak_kib(), UNHANDLED)

    def fail(self, request_id: str, body: bytes) -> None:
        """Take the runtime's report of an error. Raises: UnknownInvocation."""
        self._check_invocation(request_id)
        self._answered(body[:RESPONSE_BYTES_MAX], self._peak_kib(), UNHANDLED)

    def _check_invocation(self, request_id: str) -> None:
        running = self.current
        if running is None or not self._is_with_runtime or running.invocation.request_id != request_id:
            raise UnknownInvocation(request_id)

    def _peak_kib(self) -> int:
        return memory.used_bytes(self.pid, self.function.memory_mb << 20) // KIB if self.pid else 0

    def _deliver(self, invocation: Invocation, deadline_ms: int) -> None:
        self._is_asking = False
        self._deadline_ms = deadline_ms
        self.extensions.invoked(invocation, deadline_ms)
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    def _answer_given(self) -> None:
        self._is_with_runtime = False
        super()._answer_given()

    def _hand_over(self, running: Running, result: InvocationResult) -> None:
        self._let_go()
        if self.is_gone:
            super()._hand_over(running, result)
        else:
            self._held_back = (running, result)
            asyncio.get_running_loop().call_later(HELD_BACK_S, self._let_go)

    def _let_go(self) -> None:
        if self._held_back is not None:
            running, result = self._held_back
            self._held_back = None
            super()._hand_over(running, result)

    def _leave(self) -> None:
        self._let_go()
        super()._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the program has begun: it does not have the socket."""
        del exc
        self._is_at_end = True
        self._transport = None
        if self._has_exited:
            self._ended()
