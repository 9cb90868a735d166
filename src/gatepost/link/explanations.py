"""Asking gateways what they remember of a request (`gatepost explain`): both ends of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatepost.kernel.errors import ServiceUnavailable

ASKED_MAX: Final = 100
ANSWER_WITHIN_S: Final = 10.0

Send = Callable[[dict[str, Any]], Collection[object]]
"""Asks every gateway that is there, and says which these are."""
Find = Callable[[str], Awaitable[dict[str, Any] | None]]
"""Gives what is remembered of a request by its id, as JSON values."""


@dataclass(slots=True)
class _Question:
    """What was asked, and who has not answered yet."""

    answer: asyncio.Future[dict[str, Any] | None]
    asked: set[object]


class Explanations:
    """The end in services. The first gateway that remembers the request answers for all."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[int, _Question] = {}
        self._last = 0

    async def find(self, request_id: str) -> dict[str, Any] | None:
        """Give what a gateway remembers of a request, or None. Raises: ServiceUnavailable without a gateway."""
        if len(self._waiting) >= ASKED_MAX:
            raise ServiceUnavailable(f"More than {ASKED_MAX} explanations are asked for at this moment")
        self._last += 1
        number = self._last
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[dict[str, Any] | None] = loop.create_future()
        asked = self._send({"number": number, "request_id": request_id})
        if not asked:
            raise ServiceUnavailable("No gateway is connected that could explain a request")
        self._waiting[number] = _Question(answer, set(asked))
        deadline = loop.call_later(ANSWER_WITHIN_S, self._fail, answer)
        try:
            return await answer
        finally:
            deadline.cancel()
            del self._waiting[number]

    def take(self, gateway: object, head: Mapping[str, Any]) -> None:
        """Take a gateway's EXPLAINED frame. That nothing is remembered is believed when all have said so."""
        question = self._waiting.get(head["number"])
        if question is None or question.answer.done():
            return
        question.asked.discard(gateway)
        if head["found"] is not None or not question.asked:
            question.answer.set_result(head["found"])

    def lost(self, gateway: object) -> None:
        """Fail what waits for this gateway: it is gone, and may have been the one that remembered."""
        for question in self._waiting.values():
            if gateway in question.asked:
                self._fail(question.answer)

    @staticmethod
    def _fail(waiting: asyncio.Future[dict[str, Any] | None]) -> None:
        if not waiting.done():
            waiting.set_exception(ServiceUnavailable("The gateway did not answer"))


async def answer_explain(head: Mapping[str, Any], find: Find | None) -> dict[str, Any]:
    """Answer an EXPLAIN frame in the gateway: gives the head of the EXPLAINED frame."""
    found = await find(str(head["request_id"])) if find is not None else None
    return {"number": head["number"], "found": found}
