"""The services' end of the link: tells gateways what stands, hears what they count, has them run functions.

Everything published is held here by (topic, key), so that a gateway that connects gets a snapshot from memory,
and then numbered changes. A change is in effect once every connected gateway has acknowledged its number.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

from gatepost.kernel.errors import ServiceError, ServiceUnavailable, remote_error
from gatepost.kernel.operations import Change
from gatepost.kernel.ports import (
    FunctionTriggers,
    Invocation,
    InvocationResult,
    InvocationStream,
    PoolPages,
    ServiceRequests,
    StreamBroken,
)
from gatepost.kernel.tasks import Tasks
from gatepost.link.calls import answer_call
from gatepost.link.explanations import Explanations
from gatepost.link.frames import FrameProtocol, Kind
from gatepost.link.method_tests import OutgoingTests
from gatepost.link.streaming import IncomingStream

log = logging.getLogger(__name__)

ACKNOWLEDGE_WITHIN_S: Final = 2.0
SNAPSHOT_PART: Final = 200  # changes in one frame of a snapshot
INVOCATIONS_MAX: Final = 10_000


class ServicesLink:
    """Implements `kernel.ports.Publisher` and `kernel.ports.FunctionInvoker` for the services role."""

    def __init__(
        self,
        *,
        take_usage: Callable[[str, int, Mapping[str, Any]], Coroutine[Any, Any, None]],
        take_telemetry: Callable[[Mapping[str, Any]], Coroutine[Any, Any, None]],
    ) -> None:
        self._take_usage = take_usage
        self._take_telemetry = take_telemetry
        self._state: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._number = 0
        self._acknowledged: dict[FrameProtocol, int] = {}
        self._serving: set[FrameProtocol] = set()
        self._names: dict[FrameProtocol, str] = {}
        self._running: dict[FrameProtocol, int] = {}  # how many invocations each gateway has from here
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._invocations: dict[int, tuple[FrameProtocol, asyncio.Future[InvocationResult]]] = {}
        self._streams: dict[int, IncomingStream] = {}  # by the number of their invocation
        self._last_invocation = 0
        self._server: asyncio.AbstractServer | None = None
        self._tasks = Tasks("link")
        self.tests = OutgoingTests(self._send_test)
        self.explanations = Explanations(self._send_explain)
        self.requests: ServiceRequests | None = None  # these are set by the composition root
        self.triggers: FunctionTriggers | None = None
        self.pages: PoolPages | None = None

    def load(self, changes: Sequence[Change]) -> None:
        """Take what providers say stands, before any gateway connects."""
        for change in changes:
            self._hold(change)

    async def replace(self, changes: Sequence[Change]) -> None:
        """Have `changes` stand instead of everything that stood; return as `publish` does."""
        kept = {(change.topic, change.key) for change in changes}
        gone = [Change(topic, key, None) for topic, key in self._state if (topic, key) not in kept]
        await self.publish(*gone, *changes)

    async def serve(self, path: str) -> None:
        """Listen on the Unix socket `path`; a stale one is replaced."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._accept, path)

    async def close(self) -> None:
        """Stop listening and close every connection."""
        if self._server is not None:
            self._server.close()
        for gateway in list(self._acknowledged):
            gateway.close()
        await self._tasks.close()

    @property
    def gateways(self) -> int:
        """How many gateways are connected and take requests."""
        return len(self._serving)

    @property
    def serving(self) -> set[str]:
        """Give the ids of gateways that are connected and take requests."""
        return {self._names.get(gateway, "") for gateway in self._serving}

    async def publish(self, *changes: Change) -> None:
        """Return once every connected gateway has acknowledged `changes`, or after 2 s. Never raises."""
        if not changes:
            return
        for change in changes:
            self._hold(change)
        self._number += 1
        head = {"number": self._number, "changes": [_encode(change) for change in changes]}
        for gateway in list(self._acknowledged):
            gateway.send(Kind.CHANGES, head)
        if not self._acknowledged:
            return
        loop = asyncio.get_running_loop()
        in_effect: asyncio.Future[None] = loop.create_future()
        self._waiting.append((self._number, in_effect))
        deadline = loop.call_later(ACKNOWLEDGE_WITHIN_S, _finish, in_effect)
        try:
            await in_effect
        finally:
            deadline.cancel()

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Have a connected gateway run a function. Raises: ServiceError; ServiceUnavailable without a gateway."""
        number, gateway, answer = self._begin()
        gateway.send(Kind.INVOKE, _head(number, invocation), invocation.payload)
        try:
            return await answer
        finally:
            self._end(number)

    async def stream(self, invocation: Invocation) -> InvocationStream:
        """Have a connected gateway run a function, and give its answer as it comes. Raises: as `invoke`."""
        number, gateway, answer = self._begin()
        stream = self._streams[number] = IncomingStream(
            report=lambda count: _send(gateway, {"number": number, "bytes": count}),
            leave=lambda: _send(gateway, {"number": number, "is_gone": True}),
        )

        def ended(answer: asyncio.Future[InvocationResult]) -> None:
            self._end(number)
            self._streams.pop(number, None)
            error = answer.exception()
            if error is None:
                result = answer.result()
                stream.log_tail = result.log_tail
                failed = StreamBroken(result.function_error, result.payload) if result.function_error else None
                stream.end(failed)
            else:
                stream.end(error if isinstance(error, Exception) else None)

        answer.add_done_callback(ended)
        gateway.send(Kind.INVOKE, {**_head(number, invocation), "is_streamed": True}, invocation.payload)
        try:
            await stream.begun()
        except asyncio.CancelledError:
            await stream.aclose()
            raise
        if answer.done() and isinstance(error := answer.exception(), ServiceError):
            raise error
        return stream

    def _begin(self) -> tuple[int, FrameProtocol, asyncio.Future[InvocationResult]]:
        gateway = min(self._acknowledged, key=lambda each: self._running.get(each, 0), default=None)
        if gateway is None:
            raise ServiceUnavailable("No gateway is connected that could run the function")
        if len(self._invocations) >= INVOCATIONS_MAX:
            raise ServiceUnavailable(f"{INVOCATIONS_MAX} invocations are under way")
        self._last_invocation += 1
        number = self._last_invocation
        answer: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        self._invocations[number] = (gateway, answer)
        self._running[gateway] = self._running.get(gateway, 0) + 1
        return number, gateway, answer

    def _end(self, number: int) -> None:
        gateway, _ = self._invocations.pop(number, (None, None))
        if gateway in self._running:
            self._running[gateway] -= 1

    def _hold(self, change: Change) -> None:
        if change.value is None:
            self._state.pop((change.topic, change.key), None)
        else:
            self._state[change.topic, change.key] = change.value

    def _accept(self) -> FrameProtocol:
        return FrameProtocol(self._received, connected=self._connected, lost=self._lost)

    def _connected(self, gateway: FrameProtocol) -> None:
        if not gateway.is_same_user(os.geteuid()):
            log.error("refused a link from another user")
            gateway.close()

    def _lost(self, gateway: FrameProtocol) -> None:
        self._acknowledged.pop(gateway, None)
        self._serving.discard(gateway)
        self._names.pop(gateway, None)
        self._running.pop(gateway, None)
        self.tests.lost(gateway)
        self.explanations.lost(gateway)
        self._settle()
        for owner, answer in list(self._invocations.values()):
            if owner is gateway and not answer.done():
                answer.set_exception(ServiceUnavailable("The gateway that ran the function is gone"))

    def _received(self, gateway: FrameProtocol, kind: Kind, head: dict[str, Any], body: bytes) -> None:
        match kind:
            case Kind.HELLO:
                self._names[gateway] = head["gateway_id"]
                self._send_snapshot(gateway)
            case Kind.ACK:
                if gateway in self._acknowledged:
                    self._acknowledged[gateway] = max(self._acknowledged[gateway], head["number"])
                    self._settle()
            case Kind.SERVING:
                self._serving.add(gateway)
            case Kind.PIECE:
                self._take_piece(head, body)
            case Kind.RESULT:
                self._take_result(head, body)
            case Kind.TESTED:
                self.tests.take(head)
            case Kind.EXPLAINED:
                self.explanations.take(gateway, head)
            case Kind.CALL:
                self._tasks.spawn(self._answer(gateway, head, body), name="call")
            case Kind.USAGE:
                self._tasks.spawn(self._acknowledge_usage(gateway, head), name="usage")
            case Kind.TELEMETRY:
                self._tasks.spawn(self._take_telemetry(head), name="telemetry")
            case _:
                log.error("a gateway sent what only services send", extra={"kind": kind.name})

    def _send_snapshot(self, gateway: FrameProtocol) -> None:
        standing = [{"topic": topic, "key": key, "value": value} for (topic, key), value in sorted(self._state.items())]
        for start in range(0, len(standing), SNAPSHOT_PART):
            _send_part(gateway, standing[start : start + SNAPSHOT_PART])
        gateway.send(Kind.SNAPSHOT_END, {"number": self._number})
        self._acknowledged[gateway] = 0

    def _send_test(self, head: dict[str, Any]) -> FrameProtocol | None:
        gateway = next(iter(self._acknowledged), None)
        return gateway if gateway is not None and gateway.send(Kind.TEST, head) else None

    def _send_explain(self, head: dict[str, Any]) -> list[FrameProtocol]:
        return [gateway for gateway in self._acknowledged if gateway.send(Kind.EXPLAIN, head)]

    async def _answer(self, gateway: FrameProtocol, head: dict[str, Any], body: bytes) -> None:
        try:
            gateway.send(Kind.ANSWER, *await answer_call(head, body, self.requests, self.triggers, self.pages))
        except ServiceError as error:
            gateway.send(Kind.ANSWER, error_head(head["number"], error))

    async def _acknowledge_usage(self, gateway: FrameProtocol, head: dict[str, Any]) -> None:
        await self._take_usage(head["gateway_id"], head["number"], head["counts"])
        gateway.send(Kind.USAGE_ACK, {"gateway_id": head["gateway_id"], "number": head["number"]})

    def _take_piece(self, head: Mapping[str, Any], piece: bytes) -> None:
        stream = self._streams.get(head["number"])
        if stream is None:
            return
        if "content_type" in head:
            stream.executed_version, stream.content_type = head["executed_version"], head["content_type"]
        stream.put(piece)

    def _take_result(self, head: dict[str, Any], body: bytes) -> None:
        _, answer = self._invocations.get(head["number"], (None, None))
        if answer is None or answer.done():
            return
        if "error_code" in head:
            answer.set_exception(
                remote_error(
                    head["error_code"],
                    head["error_status"],
                    head["error_message"],
                    members=head.get("error_members"),
                )
            )
            return
        answer.set_result(
            InvocationResult(
                status=head["status"],
                payload=body[head["log_tail_bytes"] :],
                function_error=head["function_error"],
                executed_version=head["executed_version"],
                log_tail=body[: head["log_tail_bytes"]],
            )
        )

    def _settle(self) -> None:
        """Wake those whose change every connected gateway has acknowledged."""
        in_effect_number = min(self._acknowledged.values(), default=self._number)
        still = []
        for number, in_effect in self._waiting:
            if number <= in_effect_number:
                _finish(in_effect)
            elif not in_effect.done():
                still.append((number, in_effect))
        self._waiting = still


def _send_part(gateway: FrameProtocol, part: Sequence[Mapping[str, Any]]) -> None:
    """Send a part of a snapshot, in halves when a frame cannot hold it. What alone is too large is left out."""
    try:
        gateway.send(Kind.CHANGES, {"number": 0, "changes": part, "is_snapshot_part": True})
    except ValueError as error:
        if len(part) == 1:
            log.error("too large for a gateway", extra={"key": part[0]["key"], "error": str(error)})
            return
        middle = len(part) // 2
        _send_part(gateway, part[:middle])
        _send_part(gateway, part[middle:])


def _head(number: int, invocation: Invocation) -> dict[str, Any]:
    """Give the head of an INVOKE frame."""
    return {
        "number": number,
        "function_arn": invocation.function_arn,
        "request_id": invocation.request_id,
        "is_event": invocation.is_event,
        "client_context": invocation.client_context,
        "wants_log_tail": invocation.wants_log_tail,
        "trace_id": invocation.trace_id,
    }


def _send(gateway: FrameProtocol, head: dict[str, Any]) -> None:
    gateway.send(Kind.TAKEN, head)


def _encode(change: Change) -> dict[str, Any]:
    return {"topic": change.topic, "key": change.key, "value": change.value}


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def error_head(number: int, error: ServiceError) -> dict[str, Any]:
    """Render an operation's error for a RESULT frame."""
    return {
        "number": number,
        "error_code": error.code,
        "error_status": error.status,
        "error_message": error.message,
        "error_members": error.members,
    }
