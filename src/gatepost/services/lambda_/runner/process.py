"""One worker process, as the gateway holds it: at most one invocation at a time.

States: starting (until READY or INIT_ERROR), idle, busy, gone. A worker leaves by `retire` (killed, nobody waits), by
a timeout or the memory limit (killed, the invocation is answered at once), or by its own end. Its own end is known
when both its socket is at its end, so that no output is lost, and the zygote has told the exit status.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Final, Protocol

from gatepost.kernel.clock import Clock, iso_8601
from gatepost.kernel.ports import Invocation, InvocationResult
from gatepost.services.lambda_.model import Function
from gatepost.services.lambda_.runner import frames, memory
from gatepost.services.lambda_.runner.debugging import debug_port, has_client
from gatepost.services.lambda_.runner.faults import PlatformFault, exited, timed_out
from gatepost.services.lambda_.runner.platform_lines import Ending, lines_of
from gatepost.services.lambda_.runner.programs import ADDRESSES_MB, is_program
from gatepost.services.lambda_.runner.settings import RunnerSettings
from gatepost.services.lambda_.runner.streams import UNHANDLED, Collected, Sink
from gatepost.services.lambda_.runner.transcript import Transcript
from gatepost.services.lambda_.runner.zygote import SpawnRequest, Zygote

MB: Final = 1024 * 1024
DEBUGGED_AGAIN_NS: Final = 1_000_000_000  # how often a debugged program's clients are looked for
LAST_WORDS_S: Final = 0.2  # how long output may lag behind the news of a worker's end
NATIVE_READ_BYTES: Final = 65536


class Owner(Protocol):
    """The pool that a worker belongs to."""

    def ready(self, worker: Worker) -> None:
        """Take an initialised worker."""
        ...

    def free(self, worker: Worker) -> None:
        """Take back a worker that has answered."""
        ...

    def failed(self, worker: Worker, error: bytes) -> None:
        """Hear that a worker did not get ready. `error` is the runtime's JSON; empty: the process just ended."""
        ...

    def spoke(self, worker: Worker) -> None:
        """Hear that an idle worker wrote to its log: a thread or a child process of it lives on."""
        ...

    def gone(self, worker: Worker) -> None:
        """Forget a worker: it takes no more invocations."""
        ...

    def closed(self, worker: Worker) -> None:
        """Hear that the worker's process is over and its user and files are free."""
        ...


class Running:
    """One invocation in a worker. `sink` takes an answer that is streamed; without one it is collected."""

    __slots__ = ("answer", "deadline_ns", "invocation", "sink", "started_ns")

    def __init__(
        self, invocation: Invocation, answer: asyncio.Future[InvocationResult], sink: Sink | None = None
    ) -> None:
        self.invocation = invocation
        self.answer = answer
        self.sink = sink
        self.started_ns = 0
        self.deadline_ns = 0


class Worker(asyncio.Protocol):
    """The gateway's end of one worker process."""

    def __init__(
        self,
        number: int,
        function: Function,
        *,
        owner: Owner,
        zygote: Zygote,
        transcript: Transcript,
        clock: Clock,
        settings: RunnerSettings,
        is_provisioned: bool = False,
    ) -> None:
        self.number = number
        self.function = function
        self.transcript = transcript
        self.uid = 0
        self.tmp_dir = ""
        self.expires_at_ms = 0
        self.idle_since_ns = 0
        self.current: Running | None = None
        self.is_gone = False
        self.is_ready = False
        self.is_stale = False  # its configuration or credentials are old: it ends after its invocation
        self.started_ns = clock.monotonic_ns()
        self._owner = owner
        self._zygote = zygote
        self.debug_port = debug_port(function, settings)  # 0: not debugged
        self._halted_ns = 0  # since when a debugger has halted the function
        self._clock = clock
        self._settings = settings
        self._lines = lines_of(function, clock, is_provisioned=is_provisioned)
        self._is_program = is_program(function.runtime)
        self._timeout_ns = function.timeout_s * 1_000_000_000
        self._pid = 0
        self._peak_bytes = 0
        self._init_ms: float | None = None
        self._buffer = bytearray()
        self._connection: socket.socket | None = None
        self._transport: asyncio.Transport | None = None
        self._output = -1
        self._is_at_end = False
        self._status: int | None = None
        self._has_exited = False
        self._is_closed = False

    # --- beginning ---------------------------------------------------------------------------------------------

    async def launch(self, request: SpawnRequest, configuration: bytes) -> bool:
        """Have the process forked and configured; False when the zygote cannot now."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        try:
            read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            ours.close()
            theirs.close()
            raise
        os.set_blocking(write_end, True)
        with theirs:
            is_spawned = self._zygote.spawn(self, request, theirs, write_end)
        os.close(write_end)
        if not is_spawned:
            ours.close()
            os.close(read_end)
            return False
        ours.setblocking(False)
        self._connection = ours
        self._output = read_end
        loop.add_reader(read_end, self._native_output)
        self._transport, _ = await loop.create_unix_connection(lambda: self, sock=ours)
        self.transcript.platform(self._lines.init_start())
        self.transcript.begin(bytes_max=self._settings.log_bytes_max, wants_tail=False)
        self._transport.write(frames.blob(configuration))
        return True

    @property
    def status(self) -> int | None:
        """How the process ended, as of `waitpid`; None: not known, or not yet."""
        return self._status

    @property
    def pid(self) -> int:
        """The process id; 0 until the zygote has told it."""
        return self._pid

    def started(self, pid: int) -> None:
        """Hear the process id from the zygote."""
        self._pid = pid

    # --- an invocation -----------------------------------------------------------------------------------------

    def run(self, running: Running) -> None:
        """Send an invocation. The worker must be ready and idle."""
        invocation = running.invocation
        transcript = self.transcript
        transcript.begin(bytes_max=self._settings.log_bytes_max, wants_tail=invocation.wants_log_tail)
        transcript.platform(self._lines.start(invocation.request_id))
        self.current = running
        now_ns = self._clock.monotonic_ns()
        running.started_ns = now_ns
        running.deadline_ns = now_ns + self._timeout_ns
        self._deliver(invocation, self._clock.now_ms() + self.function.timeout_s * 1000)

    def _deliver(self, invocation: Invocation, deadline_ms: int) -> None:
        frame = frames.request(
            invocation.payload,
            deadline_ms,
            invocation.request_id.encode(),
            invocation.trace_id.encode(),
            invocation.client_context.encode(),
            invocation.function_arn.encode(),
        )
        connection = self._connection
        assert connection is not None
        try:
            # Straight to the socket: the worker wakes while this process goes on.
            sent = connection.send(frame)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # it has just died: its end answers the invocation
        if sent < len(frame) and self._transport is not None:
            self._transport.write(frame[sent:])

    def data_received(self, data: bytes) -> None:
        """Cut frames off the stream. Part of asyncio.Protocol."""
        buffer = self._buffer
        if not buffer and len(data) >= frames.REPLY.size:
            kind, flag, length, number = frames.REPLY.unpack_from(data)
            if len(data) == frames.REPLY.size + length:  # the usual case: one whole frame
                self._received(kind, data[frames.REPLY.size :], number, flag)
                return
        buffer += data
        at = 0
        while len(buffer) - at >= frames.REPLY.size:
            kind, flag, length, number = frames.REPLY.unpack_from(buffer, at)
            if length > frames.FRAME_BYTES_MAX:
                self.kill()
                break
            end = at + frames.REPLY.size + length
            if len(buffer) < end:
                break
            body = bytes(memoryview(buffer)[at + frames.REPLY.size : end])
            at = end
            self._received(kind, body, number, flag)
        del buffer[:at]

    def _received(self, kind: int, body: bytes, number: int, flag: int) -> None:
        if kind == frames.LOG_LINES:
            self._said(body)
        elif kind == frames.LOG_EVENT:
            self.transcript.finish_line()
            self.transcript.event(body)
            self._said(b"")
        elif self.is_gone:
            return
        elif kind == frames.RESULT and self.current is not None:
            self._answered(body, number, "")
        elif kind == frames.ERROR and self.current is not None:
            self.is_stale = self.is_stale or flag == frames.LEAVES
            self._answered(body, number, UNHANDLED)
        elif kind == frames.PIECE and self.current is not None:
            if not self.streamed(body, self._read_on) and self._transport is not None:
                self._transport.pause_reading()
        elif kind == frames.STREAM and self.current is not None:
            self.begin_stream(body.decode("utf-8", "replace"))
        elif kind == frames.PAUSED and self.debug_port:
            self._halted(is_so=bool(flag))
        elif kind == frames.READY and not self.is_ready:
            self._runtime_ready(number / 1e6)
        elif kind == frames.INIT_ERROR and not self.is_ready:
            self._peak_bytes = number * 1024
            self._leave()
            self._owner.failed(self, body)
        else:
            self.kill()  # only a handler that writes to our socket says such things

    def begin_stream(self, content_type: str) -> None:
        """Hear that the answer comes in pieces."""
        running = self.current
        assert running is not None
        if running.sink is None:
            running.sink = Collected()
        running.sink.begin(content_type)

    def streamed(self, piece: bytes, resume: Callable[[], None]) -> bool:
        """Hand on a part of the answer, and say whether there is room for more; else `resume` is called then."""
        running = self.current
        assert running is not None
        if running.sink is None:
            running.sink = Collected()
        return running.sink.put(piece, resume)

    def _read_on(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def _runtime_ready(self, init_ms: float) -> None:
        self.is_ready = True
        self._init_ms = init_ms
        self._owner.ready(self)

    def _said(self, lines: bytes) -> None:
        if lines:
            self.transcript.lines(lines)
        if self.is_ready and self.current is None and not self.is_gone:
            self._owner.spoke(self)

    def _answered(self, body: bytes, peak_kib: int, function_error: str) -> None:
        running = self.current
        assert running is not None
        self.current = None
        if isinstance(running.sink, Collected) and not function_error:
            body, function_error = running.sink.whole()
        duration_ms = (self._clock.monotonic_ns() - running.started_ns) / 1e6
        if duration_ms > 2 or self._is_program:
            self._native_output()  # what child processes wrote belongs before END; starting one takes longer than this
        self._peak_bytes = max(self._peak_bytes, peak_kib * 1024)
        self._close_log(running, duration_ms)
        self._give(running, body, function_error)
        self._answer_given()

    def _answer_given(self) -> None:
        self._owner.free(self)

    def _close_log(self, running: Running, duration_ms: float, *, status: str = "", error_kind: str = "") -> None:
        request_id = running.invocation.request_id
        transcript = self.transcript
        transcript.finish_line()
        init_ms, self._init_ms = self._init_ms, None
        memory_mb = self.function.memory_mb
        used_mb = min(memory_mb, -(-self._peak_bytes // MB))
        ending = Ending(duration_ms, init_ms, memory_mb, used_mb, status, error_kind)
        transcript.platform(self._lines.end(request_id, ending))
        transcript.platform(self._lines.report(request_id, ending))

    def close_failed_start(
        self, running: Running, payload: bytes, *, error_kind: str = "", fault: PlatformFault | None = None
    ) -> None:
        """Answer, with its log lines, an invocation that this worker was started for and could not take."""
        transcript = self.transcript
        transcript.begin(bytes_max=self._settings.log_bytes_max, wants_tail=running.invocation.wants_log_tail)
        transcript.platform(self._lines.start(running.invocation.request_id))
        if fault is not None:
            transcript.platform(self._lines.fault(fault))
        duration_ms = (self._clock.monotonic_ns() - self.started_ns) / 1e6
        self._close_log(running, duration_ms, status="error", error_kind=error_kind)
        self._give(running, payload, UNHANDLED)
        transcript.flush()

    def _give(self, running: Running, body: bytes, function_error: str) -> None:
        tail = self.transcript.take_tail()
        self._hand_over(running, InvocationResult(200, body, function_error, self.function.version, tail))

    def _hand_over(self, running: Running, result: InvocationResult) -> None:
        if not running.answer.done():  # the caller may have gone away
            running.answer.set_result(result)

    # --- limits ------------------------------------------------------------------------------------------------

    def _halted(self, *, is_so: bool) -> None:
        """Let the clock stand still, or go on."""
        now_ns = self._clock.monotonic_ns()
        if self.current is not None and self._halted_ns and not is_so:
            self.current.deadline_ns += now_ns - self._halted_ns
        self._halted_ns = now_ns if is_so else 0

    def check_time(self, now_ns: int) -> None:
        """Kill the worker when its invocation has used up its time."""
        running = self.current
        if running is None or now_ns < running.deadline_ns or self._halted_ns:
            return
        if self.debug_port and self._is_program and has_client(self.debug_port):
            running.deadline_ns = now_ns + DEBUGGED_AGAIN_NS
            return
        at = iso_8601(self._clock.now_ms())
        fault = timed_out(running.invocation.request_id, self.function.timeout_s, at)
        self._stop_short(fault, duration_ms=self.function.timeout_s * 1000.0, status="timeout")

    def is_too_large(self) -> bool:
        """Say whether the worker and its children use more than MemorySize now."""
        if not self._pid or self.debug_port:  # a debugger needs memory, too
            return False
        limit_bytes = self.function.memory_mb * MB
        used = memory.used_bytes(self._pid, limit_bytes)
        self._peak_bytes = max(self._peak_bytes, used)
        return used > limit_bytes

    def check_memory(self) -> None:
        """Kill the worker when its invocation uses more than MemorySize."""
        running = self.current
        if running is not None and self.is_too_large():
            fault = exited(running.invocation.request_id, None, is_killed=True)
            duration_ms = (self._clock.monotonic_ns() - running.started_ns) / 1e6
            self._stop_short(fault, duration_ms=duration_ms, status="error")

    def _stop_short(self, fault: PlatformFault, *, duration_ms: float, status: str) -> None:
        running = self.current
        assert running is not None
        self._native_output()
        self.current = None
        self.transcript.finish_line()
        self.transcript.platform(self._lines.fault(fault))
        error_kind = fault.kind if status == "error" else ""
        self._close_log(running, duration_ms, status=status, error_kind=error_kind)
        self.transcript.flush()
        self.kill()
        self._leave()
        self._give(running, fault.payload, UNHANDLED)

    # --- end ---------------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """Have the process and its group killed."""
        self._zygote.kill(self)

    def retire(self) -> None:
        """End a worker that nobody waits for."""
        self.kill()
        self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that nothing more will come. Part of asyncio.Protocol."""
        del exc
        self._is_at_end = True
        self._transport = None
        if self._has_exited:
            self._ended()
        else:
            # It is ending, and the zygote will tell how; one that only closed its socket is of no more use.
            asyncio.get_running_loop().call_later(LAST_WORDS_S, self.kill)

    def exited(self, status: int | None) -> None:
        """Hear from the zygote how the process ended."""
        self._has_exited = True
        self._status = status
        if self._is_at_end or self._transport is None:
            self._ended()
        else:
            asyncio.get_running_loop().call_later(LAST_WORDS_S, self._ended)

    def _ended(self) -> None:
        running, self.current = self.current, None
        was_gone = self.is_gone
        if running is not None:
            fault = exited(running.invocation.request_id, self._status)
            self._native_output()
            self.transcript.finish_line()
            self.transcript.platform(self._lines.fault(fault))
            duration_ms = (self._clock.monotonic_ns() - running.started_ns) / 1e6
            self._close_log(running, duration_ms, status="error", error_kind=fault.kind)
            self.transcript.flush()
            self._leave()
            self._give(running, fault.payload, UNHANDLED)
        else:
            self._leave()
            self._native_output()
            if not was_gone and not self.is_ready:
                self._owner.failed(self, b"")
        self._close_files()

    def _leave(self) -> None:
        if not self.is_gone:
            self.is_gone = True
            self._owner.gone(self)

    def _close_files(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._native_output()
        self.transcript.finish_line()
        self.transcript.flush()
        if self._output >= 0:
            asyncio.get_running_loop().remove_reader(self._output)
            os.close(self._output)
            self._output = -1
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        self._owner.closed(self)

    def _native_output(self) -> None:
        """Read what was written to descriptors 1 and 2: by child processes, by C code."""
        if self._output < 0:
            return
        with contextlib.suppress(BlockingIOError):
            for _ in range(16):
                data = os.read(self._output, NATIVE_READ_BYTES)
                if not data:
                    asyncio.get_running_loop().remove_reader(self._output)
                    return
                self._said(data)


def spawn_limits(function: Function, settings: RunnerSettings, *, has_own_uid: bool) -> dict[str, int]:
    """Give a worker's resource limits.

    RLIMIT_AS is only a backstop: it counts reserved addresses, of which programs have far more than memory.
    RLIMIT_NPROC counts all processes of a user, so it is set only for a user of the worker's own.
    """
    is_large = is_program(function.runtime) or bool(debug_port(function, settings))
    limits = {
        "CORE": 0,
        "FSIZE": function.ephemeral_storage_mb * MB,
        "NOFILE": settings.open_files_max,
        "AS": (function.memory_mb * 2 + (ADDRESSES_MB if is_large else 2048)) * MB,
    }
    if has_own_uid:
        limits["NPROC"] = settings.processes_max
    return limits
