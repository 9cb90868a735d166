"""The gateway's end of the link: a replica of what is published, kept on disk, and the way back for counts.

The replica applies a snapshot as the difference to what it holds, so that a reconnection that changed nothing
disturbs nothing. It is saved, sealed, soon after each change, and read at start: a gateway serves what it last
knew while services is down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from gatepost.kernel.errors import InternalFailure, ServiceError
from gatepost.kernel.ports import FunctionInvoker, Invocation, InvocationResult, MethodTests, StreamBroken
from gatepost.kernel.tasks import Tasks
from gatepost.link.calls import OutgoingCalls
from gatepost.link.explanations import Find, answer_explain
from gatepost.link.frames import FrameProtocol, Kind
from gatepost.link.method_tests import answer_test
from gatepost.link.publisher import error_head
from gatepost.link.streaming import OutgoingStream
from gatepost.security.sealing import NotSealed, Seal

log = logging.getLogger(__name__)

SAVE_AFTER_S: Final = 0.2
RECONNECT_AFTER_S: Final = 0.1
SNAPSHOT_PURPOSE: Final = "gateway-snapshot"
SAVED: Final = b"gatepost snapshot 2\n"
PART_BYTES: Final = 1024 * 1024  # sealed at once
LENGTH_BYTES: Final = 4

Watcher = Callable[[str, Mapping[str, Any] | None], None]


class LocalReplica:
    """Implements `kernel.ports.Replica`; saved in `path`, sealed, mode 0600."""

    def __init__(self, path: Path, seal: Seal, write: Callable[[Path, bytes], None]) -> None:
        self._path = path
        self._seal = seal
        self._write = write
        self._state: dict[str, dict[str, Any]] = {}
        self._watchers: dict[str, list[Watcher]] = {}
        self._incoming: dict[str, dict[str, Any]] | None = None
        self._save_timer: asyncio.TimerHandle | None = None
        self._saving: asyncio.Future[None] | None = None
        self.number = -1  # of the last change that is in effect; -1 before the first snapshot

    def load(self) -> bool:
        """Start from what was saved last and say whether there was anything."""
        try:
            saved = [orjson.loads(part) for part in self._opened(self._path.read_bytes())]
        except FileNotFoundError:
            return False
        except (OSError, ValueError, NotSealed) as error:
            log.error("the saved snapshot cannot be read; waiting for services", extra={"error": str(error)})
            return False
        for part in saved:
            for topic, key, value in part:
                self._apply(topic, key, value)
        return True

    def _opened(self, content: bytes) -> list[bytes]:
        """Give the parts of a saved snapshot, opened. Raises: NotSealed, ValueError."""
        if not content.startswith(SAVED):
            raise ValueError("this is no snapshot of a version that we know")
        sealed, at = [], len(SAVED)
        while at < len(content):
            size = int.from_bytes(content[at : at + LENGTH_BYTES], "big")
            sealed.append(content[at + LENGTH_BYTES : at + LENGTH_BYTES + size])
            at += LENGTH_BYTES + size
        count = len(sealed)
        return [self._seal.open(part, purpose=_purpose(index, count)) for index, part in enumerate(sealed)]

    def watch(self, topic: str, changed: Watcher) -> None:
        """Call `changed(key, value)` for what is there and for every later change, in order; None: gone."""
        self._watchers.setdefault(topic, []).append(changed)
        for key, value in self._state.get(topic, {}).items():
            changed(key, value)

    def take(self, head: Mapping[str, Any]) -> None:
        """Apply the changes of a frame, or keep them until the snapshot is whole."""
        if head.get("is_snapshot_part"):
            if self._incoming is None:
                self._incoming = {}
            for change in head["changes"]:
                self._incoming.setdefault(change["topic"], {})[change["key"]] = change["value"]
            return
        for change in head["changes"]:
            self._apply(change["topic"], change["key"], change["value"])
        self.number = head["number"]
        self._save_soon()

    def finish_snapshot(self, number: int) -> None:
        """Put a whole snapshot in effect: what it lacks is gone, what it has in common stays untouched."""
        incoming, self._incoming = self._incoming or {}, None
        for topic, values in list(self._state.items()):
            for key in [key for key in values if key not in incoming.get(topic, {})]:
                self._apply(topic, key, None)
        for topic, values in incoming.items():
            for key, value in values.items():
                if self._state.get(topic, {}).get(key) != value:
                    self._apply(topic, key, value)
        self.number = number
        self._save_soon()

    def abandon_snapshot(self) -> None:
        """Forget a snapshot that was cut off in the middle."""
        self._incoming = None

    def _apply(self, topic: str, key: str, value: Any) -> None:
        values = self._state.setdefault(topic, {})
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value
        for changed in self._watchers.get(topic, ()):
            changed(key, value)

    def _save_soon(self) -> None:
        if self._save_timer is None:
            self._save_timer = asyncio.get_running_loop().call_later(SAVE_AFTER_S, self._save)

    def _save(self) -> None:
        self._save_timer = None
        held = [(topic, key, value) for topic, values in self._state.items() for key, value in values.items()]
        loop = asyncio.get_running_loop()
        self._saving = loop.run_in_executor(None, self._save_now, held)

    def _save_now(self, held: list[tuple[str, str, Any]]) -> None:
        """Render and seal in a thread, a little at a time: no step holds the interpreter for long."""
        parts: list[bytes] = []
        lines: list[bytes] = []
        size = 0
        for each in held:
            lines.append(orjson.dumps(each))
            size += len(lines[-1])
            if size >= PART_BYTES:
                parts.append(b"[%b]" % b",".join(lines))
                lines, size = [], 0
        parts.append(b"[%b]" % b",".join(lines))
        content = [SAVED]
        for index, part in enumerate(parts):
            sealed = self._seal.seal(part, purpose=_purpose(index, len(parts)))
            content += (len(sealed).to_bytes(LENGTH_BYTES, "big"), sealed)
        try:
            self._write(self._path, b"".join(content))
        except (OSError, ValueError) as error:
            log.error("the snapshot was not saved", extra={"path": str(self._path), "error": str(error)})

    async def close(self) -> None:
        """Save what has not been saved yet."""
        if self._save_timer is not None:
            self._save_timer.cancel()
            self._save()
        if self._saving is not None:
            await self._saving


def _purpose(index: int, count: int) -> str:
    """Bind a part to its place: parts cannot be left out, doubled or put in another order."""
    return f"{SNAPSHOT_PURPOSE}/{index}/{count}"


class GatewayLink:
    """The connection to services: connects again whenever it is lost, runs what services asks for."""

    def __init__(
        self,
        path: str,
        *,
        gateway_id: str,
        replica: LocalReplica,
        usage_acknowledged: Callable[[str, int], None],
        connected: Callable[[], None],
    ) -> None:
        self._path = path
        self._gateway_id = gateway_id
        self._replica = replica
        self._usage_acknowledged = usage_acknowledged
        self._on_connected = connected
        self._services: FrameProtocol | None = None
        self._ended = asyncio.Event()
        self._is_closing = False
        self._is_serving = False
        self._tasks = Tasks("link")
        self._streams: dict[int, OutgoingStream] = {}  # by the number of their invocation
        self.invoker: FunctionInvoker | None = None  # set by the composition root
        self.calls = OutgoingCalls(self._send_call)
        self.tests: MethodTests | None = None  # set by the composition root
        self.explain: Find | None = None  # set by the composition root
        self.synchronised = asyncio.Event()  # the first snapshot of this connection is in effect

    def start(self) -> None:
        """Begin to connect, and go on for ever."""
        self._tasks.spawn(self._stay_connected(), name="connect")

    async def close(self) -> None:
        """Close the connection and stay closed."""
        self._is_closing = True
        if self._services is not None:
            self._services.close()
        await self._tasks.close()

    def serving(self) -> None:
        """Tell services, now and after every reconnection, that the listeners take requests."""
        self._is_serving = True
        if self._services is not None:
            self._services.send(Kind.SERVING, {})

    @property
    def is_connected(self) -> bool:
        """Whether services is there."""
        return self._services is not None

    @property
    def can_send(self) -> bool:
        """Whether droppable frames may be sent now."""
        return self._services is not None and not self._services.is_full

    def send_usage(self, gateway_id: str, number: int, counts: Mapping[str, Any]) -> bool:
        """Send a journalled batch, this gateway's own or one that another has left, and say whether it left."""
        head = {"gateway_id": gateway_id, "number": number, "counts": counts}
        return self._services is not None and self._services.send(Kind.USAGE, head)

    def send_telemetry(self, batch: dict[str, Any]) -> bool:
        """Send log lines and metrics and say whether they left."""
        return self._services is not None and self._services.send(Kind.TELEMETRY, batch)

    async def _test(self, services: FrameProtocol, head: dict[str, Any]) -> None:
        try:
            services.send(Kind.TESTED, await answer_test(head, self.tests))
        except ServiceError as error:
            services.send(Kind.TESTED, error_head(head["number"], error))

    async def _explain(self, services: FrameProtocol, head: dict[str, Any]) -> None:
        services.send(Kind.EXPLAINED, await answer_explain(head, self.explain))

    def _send_call(self, head: dict[str, Any], body: bytes) -> bool:
        return self._services is not None and self._services.send(Kind.CALL, head, body)

    async def _stay_connected(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._is_closing:
            self._ended.clear()
            try:
                await loop.create_unix_connection(self._make, self._path)
            except OSError:
                await asyncio.sleep(RECONNECT_AFTER_S)
                continue
            await self._ended.wait()

    def _make(self) -> FrameProtocol:
        return FrameProtocol(self._received, connected=self._connected, lost=self._lost)

    def _connected(self, services: FrameProtocol) -> None:
        self._services = services
        services.send(Kind.HELLO, {"gateway_id": self._gateway_id, "number": self._replica.number})

    def _lost(self, services: FrameProtocol) -> None:
        del services
        self._services = None
        self.calls.fail_all()
        for stream in self._streams.values():
            stream.leave()
        self.synchronised.clear()
        self._replica.abandon_snapshot()
        self._ended.set()

    def _received(self, services: FrameProtocol, kind: Kind, head: dict[str, Any], body: bytes) -> None:
        match kind:
            case Kind.CHANGES:
                self._take_changes(services, head)
            case Kind.SNAPSHOT_END:
                self._replica.finish_snapshot(head["number"])
                services.send(Kind.ACK, {"number": head["number"]})
                self.synchronised.set()
                if self._is_serving:
                    services.send(Kind.SERVING, {})
                self._on_connected()
            case Kind.INVOKE:
                work = self._stream if head.pop("is_streamed", False) else self._invoke
                self._tasks.spawn(work(services, head, body), name="invoke")
            case Kind.TAKEN:
                self._taken(head)
            case Kind.TEST:
                self._tasks.spawn(self._test(services, head), name="test method")
            case Kind.EXPLAIN:
                self._tasks.spawn(self._explain(services, head), name="explain")
            case Kind.ANSWER:
                self.calls.take(head, body)
            case Kind.USAGE_ACK:
                self._usage_acknowledged(head["gateway_id"], head["number"])
            case _:
                log.error("services sent what only a gateway sends", extra={"kind": kind.name})

    def _take_changes(self, services: FrameProtocol, head: dict[str, Any]) -> None:
        is_part = head.get("is_snapshot_part", False)
        if not is_part and head["number"] != self._replica.number + 1:
            log.error("a change is missing; taking a new snapshot", extra={"number": head["number"]})
            services.send(Kind.HELLO, {"gateway_id": self._gateway_id, "number": self._replica.number})
            return
        self._replica.take(head)
        if not is_part:
            services.send(Kind.ACK, {"number": head["number"]})

    async def _invoke(self, services: FrameProtocol, head: dict[str, Any], body: bytes) -> None:
        number = head.pop("number")
        try:
            if self.invoker is None:
                raise InternalFailure("This gateway runs no functions")
            result = await self.invoker.invoke(Invocation(payload=body, **head))
        except ServiceError as error:
            services.send(Kind.RESULT, error_head(number, error))
            return
        services.send(Kind.RESULT, _result_head(number, result), result.log_tail + result.payload)

    async def _stream(self, services: FrameProtocol, head: dict[str, Any], body: bytes) -> None:
        """Run a function and send its answer as it is written; a RESULT without payload ends it."""
        number = head.pop("number")
        try:
            if self.invoker is None:
                raise InternalFailure("This gateway runs no functions")
            stream = await self.invoker.stream(Invocation(payload=body, **head))
        except ServiceError as error:
            services.send(Kind.RESULT, error_head(number, error))
            return
        described = {"executed_version": stream.executed_version, "content_type": stream.content_type}
        outgoing = self._streams[number] = OutgoingStream(stream)
        failure: StreamBroken | None = None
        try:
            services.send(Kind.PIECE, {"number": number, **described})
            await outgoing.send_all(lambda piece: services.send(Kind.PIECE, {"number": number}, piece))
        except StreamBroken as broken:
            failure = broken
        finally:
            del self._streams[number]
        result = InvocationResult(
            200,
            failure.payload if failure is not None else b"",
            failure.error_code if failure is not None else "",
            stream.executed_version,
            stream.log_tail,
        )
        services.send(Kind.RESULT, _result_head(number, result), result.log_tail + result.payload)

    def _taken(self, head: Mapping[str, Any]) -> None:
        stream = self._streams.get(head["number"])
        if stream is None:
            return
        if head.get("is_gone"):
            stream.leave()
        else:
            stream.taken(head["bytes"])


def _result_head(number: int, result: InvocationResult) -> dict[str, Any]:
    return {
        "number": number,
        "status": result.status,
        "function_error": result.function_error,
        "executed_version": result.executed_version,
        "log_tail_bytes": len(result.log_tail),
    }
