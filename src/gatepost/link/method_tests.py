"""Having a gateway run a method of an API with a made-up request (TestInvokeMethod): both ends of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from gatepost.kernel.errors import ServiceUnavailable, remote_error
from gatepost.kernel.ports import MethodTest, MethodTestResult, MethodTests

TESTS_MAX: Final = 100

Send = Callable[[dict[str, Any]], bool]


class OutgoingTests:
    """The end in services. Implements `kernel.ports.MethodTests`; a lost connection fails what waits."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[int, asyncio.Future[MethodTestResult]] = {}
        self._last = 0

    async def test(self, test: MethodTest) -> MethodTestResult:
        """Have a gateway run a method. Raises: ServiceError; ServiceUnavailable without a gateway."""
        if len(self._waiting) >= TESTS_MAX:
            raise ServiceUnavailable(f"More than {TESTS_MAX} methods are tested at this moment")
        self._last += 1
        number = self._last
        result: asyncio.Future[MethodTestResult] = asyncio.get_running_loop().create_future()
        self._waiting[number] = result
        try:
            if not self._send({"number": number, **asdict(test)}):
                raise ServiceUnavailable("No gateway is connected that could run the method")
            return await result
        finally:
            del self._waiting[number]

    def take(self, head: Mapping[str, Any]) -> None:
        """Take a TESTED frame."""
        waiting = self._waiting.get(head["number"])
        if waiting is None or waiting.done():
            return
        if "error_code" in head:
            error = remote_error(
                head["error_code"], head["error_status"], head["error_message"], members=head.get("error_members")
            )
            waiting.set_exception(error)
            return
        headers = tuple((name, value) for name, value in head["headers"])
        waiting.set_result(MethodTestResult(head["status"], headers, head["body"], head["log"], head["latency_ms"]))

    def fail_all(self) -> None:
        """Fail whatever waits: the gateway is gone."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ServiceUnavailable("The gateway that ran the method is gone"))


async def answer_test(head: Mapping[str, Any], tests: MethodTests | None) -> dict[str, Any]:
    """Answer a TEST frame in the gateway: gives the head of the TESTED frame. Raises: ServiceError."""
    if tests is None:
        raise ServiceUnavailable("This gateway tests no methods")
    known = {name: head[name] for name in MethodTest.__dataclass_fields__}
    known["headers"] = tuple((name, value) for name, value in known["headers"])
    return {"number": head["number"], **asdict(await tests.test(MethodTest(**known)))}
