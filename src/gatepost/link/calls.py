"""What a gateway asks of services while a client waits: operations that integrations name, and functions' events.

The gateway sends a CALL frame and gets one ANSWER frame with its number. A lost connection fails what waits, at once.
At most `CALLS_MAX` wait at one time: more are refused, so that a slow services role cannot fill the gateway's memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from gatepost.kernel.errors import ServiceUnavailable, remote_error
from gatepost.kernel.ports import FunctionTriggers, ServiceAnswer, ServiceRequest, ServiceRequests

CALLS_MAX: Final = 2_000

Send = Callable[[dict[str, Any], bytes], bool]


class OutgoingCalls:
    """The gateway's end. `send` puts a CALL frame on the wire and says whether there was one."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[int, asyncio.Future[ServiceAnswer]] = {}
        self._last = 0

    async def send(self, request: ServiceRequest) -> ServiceAnswer:
        """Have services answer a request. See `kernel.ports.ServiceRequests`."""
        head = {
            "service": request.service,
            "region": request.region,
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "action": request.action,
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers],
            "access_key_id": request.access_key_id,
            "session_token": request.session_token,
        }
        return await self._begin(head, request.body)

    async def trigger(
        self, function_arn: str, payload: bytes, *, service: str, source_arn: str, request_id: str
    ) -> None:
        """Have services record an event for a function. See `kernel.ports.FunctionTriggers`."""
        event = {
            "function_arn": function_arn,
            "service": service,
            "source_arn": source_arn,
            "request_id": request_id,
        }
        await self._begin({"event": event}, payload)

    def take(self, head: Mapping[str, Any], body: bytes) -> None:
        """Take an ANSWER frame."""
        answer = self._waiting.get(head["number"])
        if answer is None or answer.done():
            return
        if "error_code" in head:
            answer.set_exception(
                remote_error(
                    head["error_code"], head["error_status"], head["error_message"], members=head.get("error_members")
                )
            )
            return
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head.get("headers", ())]
        answer.set_result(ServiceAnswer(head.get("status", 200), headers, body))

    def fail_all(self) -> None:
        """Fail whatever waits: the connection is lost."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ServiceUnavailable("The services role is gone"))

    async def _begin(self, head: dict[str, Any], body: bytes) -> ServiceAnswer:
        if len(self._waiting) >= CALLS_MAX:
            raise ServiceUnavailable(f"More than {CALLS_MAX} calls wait for the services role")
        self._last += 1
        number = self._last
        answer: asyncio.Future[ServiceAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            if not self._send({"number": number, **head}, body):
                raise ServiceUnavailable("The services role is not connected")
            return await answer
        finally:
            del self._waiting[number]


async def answer_call(
    head: Mapping[str, Any], body: bytes, requests: ServiceRequests | None, triggers: FunctionTriggers | None
) -> tuple[dict[str, Any], bytes]:
    """Answer a CALL frame in services: gives head and body of the ANSWER. Raises: ServiceError."""
    number = head["number"]
    if "event" in head:
        if triggers is None:
            raise ServiceUnavailable("The services role takes no events yet")
        await triggers.trigger(payload=body, **head["event"])
        return {"number": number, "status": 202}, b""
    if requests is None:
        raise ServiceUnavailable("The services role answers no calls yet")
    answered = await requests.send(
        ServiceRequest(
            service=head["service"],
            region=head["region"],
            method=head["method"],
            path=head["path"],
            query=head["query"],
            action=head["action"],
            headers=tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in head["headers"]),
            body=body,
            access_key_id=head["access_key_id"],
            session_token=head["session_token"],
        )
    )
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in answered.headers]
    return {"number": number, "status": answered.status, "headers": headers}, answered.body
