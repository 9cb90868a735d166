"""What a gateway asks of services while a client waits: operations of integrations, functions' events, sign-in pages.

The gateway sends a CALL frame and gets one ANSWER frame with its number. A lost connection fails what waits, at once.
At most `CALLS_MAX` wait at one time: more are refused, so that a slow services role cannot fill the gateway's memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from gatepost.kernel.errors import ServiceUnavailable, remote_error
from gatepost.kernel.ports import (
    FunctionTriggers,
    PageRequest,
    PoolPages,
    ServiceAnswer,
    ServiceRequest,
    ServiceRequests,
)

CALLS_MAX: Final = 2_000
PAGES_MAX: Final = 500  # of them at most: who floods the sign-in pages keeps no integration from its service

Send = Callable[[dict[str, Any], bytes], bool]


class OutgoingCalls:
    """The gateway's end. `send` puts a CALL frame on the wire and says whether there was one."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[int, asyncio.Future[ServiceAnswer]] = {}
        self._last = 0
        self._pages = 0

    async def send(self, request: ServiceRequest) -> ServiceAnswer:
        """Have services answer a request. See `kernel.ports.ServiceRequests`."""
        head = {
            "service": request.service,
            "region": request.region,
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "action": request.action,
            "headers": _as_text(request.headers),
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

    async def page(self, request: PageRequest) -> ServiceAnswer:
        """Have services answer a request to a user pool's domain. See `kernel.ports.PoolPages`."""
        if self._pages >= PAGES_MAX:
            raise ServiceUnavailable(f"More than {PAGES_MAX} pages wait for the services role")
        page = {
            "method": request.method,
            "target": request.target,
            "headers": _as_text(request.headers),
            "client_ip": request.client_ip,
            "is_tls": request.is_tls,
            "request_id": request.request_id,
        }
        self._pages += 1
        try:
            return await self._begin({"page": page}, request.body)
        finally:
            self._pages -= 1

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
        headers = _as_bytes(head.get("headers", ()))
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
    head: Mapping[str, Any],
    body: bytes,
    requests: ServiceRequests | None,
    triggers: FunctionTriggers | None,
    pages: PoolPages | None = None,
) -> tuple[dict[str, Any], bytes]:
    """Answer a CALL frame in services: gives head and body of the ANSWER. Raises: ServiceError."""
    number = head["number"]
    if "event" in head:
        if triggers is None:
            raise ServiceUnavailable("The services role takes no events yet")
        await triggers.trigger(payload=body, **head["event"])
        return {"number": number, "status": 202}, b""
    if "page" in head:
        if pages is None:
            raise ServiceUnavailable("The services role shows no pages yet")
        page = head["page"]
        shown = await pages.page(PageRequest(**{**page, "headers": _as_bytes(page["headers"])}, body=body))
        return {"number": number, "status": shown.status, "headers": _as_text(shown.headers)}, shown.body
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
            headers=tuple(_as_bytes(head["headers"])),
            body=body,
            access_key_id=head["access_key_id"],
            session_token=head["session_token"],
        )
    )
    return {"number": number, "status": answered.status, "headers": _as_text(answered.headers)}, answered.body


def _as_text(headers: Sequence[tuple[bytes, bytes]]) -> list[list[str]]:
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]


def _as_bytes(headers: Sequence[Sequence[str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
