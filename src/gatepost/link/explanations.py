"""Asking a gateway what it remembers of a request (`gatepost explain`): both ends of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from gatepost.kernel.errors import ServiceUnavailable

ASKED_MAX: Final = 100
ANSWER_WITHIN_S: Final = 10.0

Send = Callable[[dict[str, Any]], bool]
Find = Callable[[str], Awaitable[dict[str, Any] | None]]
"""Gives what is remembered of a request by its id, as JSON values."""


class Explanations:
    """The end in services."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[int, asyncio.Future[dict[str, Any] | None]] = {}
        self._last = 0

    async def find(self, request_id: str) -> dict[str, Any] | None:
        """Give what the gateway remembers of a request, or None. Raises: ServiceUnavailable without a gateway."""
        if len(self._waiting) >= ASKED_MAX:
            raise ServiceUnavailable(f"More than {ASKED_MAX} explanations are asked for at this moment")
        self._last += 1
        number = self._last
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[dict[str, Any] | None] = loop.create_future()
        self._waiting[number] = answer
        deadline = loop.call_later(ANSWER_WITHIN_S, self._fail, answer)
        try:
            if not self._send({"number": number, "request_id": request_id}):
                raise ServiceUnavailable("No gateway is connected that could explain a request")
            return await answer
        finally:
            deadline.cancel()
            del self._waiting[number]

    def take(self, head: Mapping[str, Any]) -> None:
        """Take an EXPLAINED frame."""
        waiting = self._waiting.get(head["number"])
        if waiting is not None and not waiting.done():
            waiting.set_result(head["found"])

    def fail_all(self) -> None:
        """Fail whatever waits: the gateway is gone."""
        for waiting in self._waiting.values():
            self._fail(waiting)

    @staticmethod
    def _fail(waiting: asyncio.Future[dict[str, Any] | None]) -> None:
        if not waiting.done():
            waiting.set_exception(ServiceUnavailable("The gateway did not answer"))


async def answer_explain(head: Mapping[str, Any], find: Find | None) -> dict[str, Any]:
    """Answer an EXPLAIN frame in the gateway: gives the head of the EXPLAINED frame."""
    found = await find(str(head["request_id"])) if find is not None else None
    return {"number": head["number"], "found": found}
