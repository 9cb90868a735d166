"""Having a gateway test a method or an authorizer with a made-up request (TestInvokeMethod, TestInvokeAuthorizer).

Both ends of it. What is tested stands in the TEST frame: an authorizer where it has `authorizer`, else a method.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from gatepost.kernel.errors import ServiceUnavailable, remote_error
from gatepost.kernel.ports import AuthorizerTest, AuthorizerTestResult, MethodTest, MethodTestResult, MethodTests

TESTS_MAX: Final = 100

Send = Callable[[dict[str, Any]], object | None]
"""Asks a gateway, and says which; None when there is none."""


class OutgoingTests:
    """The end in services. Implements `kernel.ports.MethodTests`; a lost connection fails what waits."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[int, tuple[object, asyncio.Future[Mapping[str, Any]]]] = {}
        self._last = 0

    async def test(self, test: MethodTest) -> MethodTestResult:
        """Have a gateway run a method. Raises: ServiceError; ServiceUnavailable without a gateway."""
        head = await self._ask(asdict(test))
        headers = tuple((name, value) for name, value in head["headers"])
        return MethodTestResult(head["status"], headers, head["body"], head["log"], head["latency_ms"])

    async def test_authorizer(self, test: AuthorizerTest) -> AuthorizerTestResult:
        """Have a gateway ask an authorizer. Raises: ServiceError; ServiceUnavailable without a gateway."""
        head = await self._ask(asdict(test))
        return AuthorizerTestResult(**{name: head[name] for name in AuthorizerTestResult.__dataclass_fields__})

    async def _ask(self, test: Mapping[str, Any]) -> Mapping[str, Any]:
        if len(self._waiting) >= TESTS_MAX:
            raise ServiceUnavailable(f"More than {TESTS_MAX} methods are tested at this moment")
        self._last += 1
        number = self._last
        result: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        gateway = self._send({"number": number, **test})
        if gateway is None:
            raise ServiceUnavailable("No gateway is connected that could run the method")
        self._waiting[number] = (gateway, result)
        try:
            return await result
        finally:
            del self._waiting[number]

    def take(self, head: Mapping[str, Any]) -> None:
        """Take a TESTED frame."""
        _, waiting = self._waiting.get(head["number"], (None, None))
        if waiting is None or waiting.done():
            return
        if "error_code" in head:
            error = remote_error(
                head["error_code"], head["error_status"], head["error_message"], members=head.get("error_members")
            )
            waiting.set_exception(error)
            return
        waiting.set_result(head)

    def lost(self, gateway: object) -> None:
        """Fail what waits for this gateway: it is gone."""
        for owner, waiting in self._waiting.values():
            if owner is gateway and not waiting.done():
                waiting.set_exception(ServiceUnavailable("The gateway that ran the method is gone"))


async def answer_test(head: Mapping[str, Any], tests: MethodTests | None) -> dict[str, Any]:
    """Answer a TEST frame in the gateway: gives the head of the TESTED frame. Raises: ServiceError."""
    if tests is None:
        raise ServiceUnavailable("This gateway tests no methods")
    kind = AuthorizerTest if "authorizer" in head else MethodTest
    known = {name: head[name] for name in kind.__dataclass_fields__}
    known["headers"] = tuple((name, value) for name, value in known["headers"])
    result = await (
        tests.test_authorizer(AuthorizerTest(**known)) if kind is AuthorizerTest else tests.test(MethodTest(**known))
    )
    return {"number": head["number"], **asdict(result)}
