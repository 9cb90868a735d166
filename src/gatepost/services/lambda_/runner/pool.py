"""The warm workers of one function: which is used next, when there are more, when there are fewer.

An invocation takes the worker that was used last (its caches are warm, and the others may grow old and be stopped).
When none is idle it waits in line, and a worker is started for it; whichever is free first takes the first in line.
At most `starting_max` start at once: a burst of short invocations is served by few workers, one of long invocations
gets as many as it needs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import Any, Protocol

import orjson

from gatepost.kernel.clock import Clock, iso_8601
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import Invocation, InvocationResult
from gatepost.services.lambda_.model import Function, ResourceNotFoundException, TooManyRequestsException
from gatepost.services.lambda_.runner.debugging import LONG_MS, debug_port
from gatepost.services.lambda_.runner.faults import exited, timed_out
from gatepost.services.lambda_.runner.process import Running, Worker
from gatepost.services.lambda_.runner.scaling import ScalingPace
from gatepost.services.lambda_.runner.settings import RunnerSettings
from gatepost.services.lambda_.runner.streams import FunctionStream
from gatepost.services.lambda_.runner.tracing import ACTIVE, actively_traced

NS_PER_MS = 1_000_000
ERROR_KIND_LENGTH_MAX = 256  # it stands in REPORT, and a function chooses it
# Fields of a function that its workers do not depend on.
_NOT_RUN = (
    "policy",
    "policy_revision_id",
    "tags",
    "description",
    "revision_id",
    "modified_at_ms",
    "last_version",
    "last_version_digest",
    "reserved_concurrency",
    "dead_letter_arn",
)


class Supply(Protocol):
    """Where a pool's workers come from and go to."""

    def has_room(self, pool: FunctionPool) -> bool:
        """Say whether one more worker may be started, after stopping an idle one elsewhere if need be."""
        ...

    def is_exhausted(self, pool: FunctionPool) -> bool:
        """Say whether the account's concurrency leaves nothing for one more invocation of `pool`."""
        ...

    def start(self, pool: FunctionPool, *, is_provisioned: bool = False) -> None:
        """Start a worker in the background; it ends in `ready`, `failed` or `not_started`."""
        ...

    def awake(self) -> None:
        """See to timeouts from now on."""
        ...

    def closed(self, worker: Worker) -> None:
        """Take back what a worker had."""
        ...


def too_many_requests(reason: str = "ConcurrentInvocationLimitExceeded") -> TooManyRequestsException:
    """Say that there is no place, as Lambda does."""
    return TooManyRequestsException("Rate Exceeded.", members={"Reason": reason, "Type": "User"})


class FunctionPool:
    """One function's workers and its line of waiting invocations."""

    def __init__(self, function: Function, *, supply: Supply, clock: Clock, settings: RunnerSettings) -> None:
        self.function = function
        self.base_arn = function.base_arn
        self.generation = 0
        self.provisioned = 0  # workers that stand ready whether there are invocations or not
        self.failure = ""  # why the last start came to nothing
        self.starting = 0  # asked for and not yet ready
        self.workers: set[Worker] = set()  # launched and not gone
        self.busy: set[Worker] = set()
        self.unflushed: set[Worker] = set()
        self._idle: list[Worker] = []
        self._waiting: deque[Running] = deque()
        self.is_debugged = bool(debug_port(function, settings))
        self._supply = supply
        self._clock = clock
        self._pace = ScalingPace(settings.scaling_per_10_s, clock.monotonic_ns())
        self._settings = settings
        self._loop = asyncio.get_running_loop()

    def invoke(self, invocation: Invocation) -> asyncio.Future[InvocationResult]:
        """Run `invocation` on the next free worker. Raises: TooManyRequestsException."""
        answer: asyncio.Future[InvocationResult] = self._loop.create_future()
        self._run(Running(self._traced(invocation), answer))
        return answer

    def stream(self, invocation: Invocation) -> FunctionStream:
        """Run `invocation`, its answer as it is written. Raises: TooManyRequestsException."""
        answer: asyncio.Future[InvocationResult] = self._loop.create_future()
        stream = FunctionStream(answer, self.function.version)
        self._run(Running(self._traced(invocation), answer, stream))
        return stream

    def _traced(self, invocation: Invocation) -> Invocation:
        if self.function.tracing_mode != ACTIVE:
            return invocation
        now_s = self._clock.now_ms() // 1000
        return replace(invocation, trace_id=actively_traced(invocation.trace_id, invocation.request_id, now_s))

    def _run(self, running: Running) -> None:
        self._supply.awake()
        if self._idle:
            worker = self._idle.pop()
            self.busy.add(worker)
            worker.run(running)
            return
        if len(self._waiting) >= self._settings.waiting_max or self._supply.is_exhausted(self) or self._is_too_fast():
            raise too_many_requests()
        wait_ms = LONG_MS if self.is_debugged else self._settings.waiting_ms_max
        running.deadline_ns = self._clock.monotonic_ns() + wait_ms * NS_PER_MS
        self._waiting.append(running)
        self.grow()

    def _is_too_fast(self) -> bool:
        """Say whether one more invocation would need a worker that AWS's pace does not give yet."""
        needed = len(self._waiting) + 1 - self.starting
        return needed > max(0, self._pace.left(self._clock.monotonic_ns()))

    @property
    def is_quiet(self) -> bool:
        """Say whether nothing is under way."""
        return not (self.busy or self._waiting or self.starting or self.unflushed)

    @property
    def in_flight(self) -> int:
        """How many invocations run or wait."""
        return len(self.busy) + len(self._waiting)

    @property
    def ready_count(self) -> int:
        """How many workers have loaded the function as it is now."""
        return sum(worker.is_ready and not worker.is_stale for worker in self.workers)

    @property
    def size(self) -> int:
        """How many workers there are, with those that start."""
        return sum(worker.is_ready for worker in self.workers) + self.starting

    @property
    def idle_count(self) -> int:
        """How many workers have nothing to do."""
        return len(self._idle)

    def grow(self) -> None:
        """Start workers for those who wait, within the bounds."""
        wanted = min(len(self._waiting), self._settings.starting_max)
        now_ns = self._clock.monotonic_ns()
        while self.starting < wanted and self._may_grow and self._pace.left(now_ns) and self._supply.has_room(self):
            self.starting += 1
            self._pace.started()
            self._supply.start(self)

    @property
    def _may_grow(self) -> bool:
        """Say whether one more worker may be: a debugged function has one, which has the debugger's port."""
        return not (self.is_debugged and (self.starting or self.workers))

    def provision(self) -> None:
        """Start workers until those that are provisioned stand ready, within the bounds."""
        while (
            self.ready_count + self.starting < self.provisioned
            and self.starting < self._settings.starting_max
            and self._may_grow
            and self._supply.has_room(self)
        ):
            self.starting += 1
            self._supply.awake()
            self._supply.start(self, is_provisioned=True)

    # --- what becomes of a start -------------------------------------------------------------------------------

    def not_started(self, error: ServiceError | None) -> None:
        """Hear that a start came to nothing: `error` is what one who waits is told, None to try again."""
        self.starting -= 1
        self._pace.ended()
        self.failure = error.message if error is not None else self.failure
        if error is None:
            self.grow()
        elif self._waiting:
            running = self._waiting.popleft()
            if not running.answer.done():
                running.answer.set_exception(error)

    def ready(self, worker: Worker) -> None:
        """Take an initialised worker."""
        self.starting -= 1
        self.failure = ""
        self._employ(worker)
        self.grow()
        if self.provisioned:
            self.provision()

    def failed(self, worker: Worker, error: bytes) -> None:
        """Tell one who waits that his worker could not load the function."""
        self.starting -= 1
        self.failure = "FUNCTION_ERROR_INIT_FAILURE"  # the next round of housekeeping tries again
        if worker.is_stale or not self._waiting:
            self.grow()
            return
        running = self._waiting.popleft()
        if error:
            worker.close_failed_start(running, error, error_kind=_error_kind(error))
        else:
            fault = exited(running.invocation.request_id, worker.status)
            worker.close_failed_start(running, fault.payload, error_kind=fault.kind, fault=fault)
        self.grow()

    def free(self, worker: Worker) -> None:
        """Take back a worker that has answered."""
        self.busy.discard(worker)
        self.unflushed.add(worker)
        self._employ(worker)

    def _employ(self, worker: Worker) -> None:
        if worker.is_stale:
            worker.retire()
            self.grow()
        elif self._waiting:
            self.busy.add(worker)
            worker.run(self._waiting.popleft())
        else:
            worker.idle_since_ns = self._clock.monotonic_ns()
            self._idle.append(worker)

    def spoke(self, worker: Worker) -> None:
        """Hear that an idle worker wrote to its log."""
        self.unflushed.add(worker)
        self._supply.awake()

    def gone(self, worker: Worker) -> None:
        """Forget a worker."""
        self._pace.ended()
        self.workers.discard(worker)
        self.busy.discard(worker)
        self.unflushed.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        if self._waiting:
            self.grow()

    def closed(self, worker: Worker) -> None:
        """Pass on that a worker's process is over."""
        self._supply.closed(worker)

    # --- from time to time -------------------------------------------------------------------------------------

    def check_times(self, now_ns: int) -> None:
        """Enforce Timeout on what runs, the init limit on what starts, and the wait of those in line."""
        for worker in list(self.busy):
            worker.check_time(now_ns)
        start_ns = (self._settings.init_ms + self.function.timeout_s * 1000) * NS_PER_MS
        if not self.is_debugged:
            for worker in [one for one in self.workers if not one.is_ready and now_ns - one.started_ns > start_ns]:
                self._start_timed_out(worker)
        while self._waiting and self._waiting[0].deadline_ns < now_ns and not self.starting:
            running = self._waiting.popleft()
            if not running.answer.done():
                running.answer.set_exception(too_many_requests())
        if self._waiting and not self.starting:
            self.grow()  # another function's workers may have made room

    def _start_timed_out(self, worker: Worker) -> None:
        worker.retire()
        self.starting -= 1
        if self._waiting:
            running = self._waiting.popleft()
            request_id = running.invocation.request_id
            fault = timed_out(request_id, self.function.timeout_s, iso_8601(self._clock.now_ms()))
            worker.close_failed_start(running, fault.payload, error_kind=fault.kind, fault=fault)
        self.grow()

    def check_memory(self, now_ns: int) -> None:
        """Enforce MemorySize on invocations and starts that have run for a while."""
        since_ns = now_ns - self._settings.memory_poll_ms * NS_PER_MS
        for worker in [one for one in self.workers if not one.is_ready and one.started_ns < since_ns]:
            if worker.is_too_large():
                worker.kill()  # its end is told as that of any start
        for worker in [one for one in self.busy if one.current is not None and one.current.started_ns < since_ns]:
            worker.check_memory()

    def flush(self) -> None:
        """Hand over log events."""
        for worker in self.unflushed | self.busy:
            worker.transcript.flush()
        self.unflushed.clear()

    def stop_idle(self, now_ns: int, now_ms: int) -> None:
        """Stop workers that were idle for long, and those whose credentials run out soon."""
        since_ns = now_ns - self._settings.idle_ms * NS_PER_MS
        until_ms = now_ms + 60_000 + self.function.timeout_s * 1000
        for worker in list(self.workers):
            if 0 < worker.expires_at_ms < until_ms:
                worker.is_stale = True
            elif worker.is_ready and worker.current is None and worker.is_too_large():
                worker.is_stale = True  # a thread of it lives on and collects
        spare = self.ready_count - self.provisioned
        for worker in list(self._idle):
            if worker.is_stale:
                worker.retire()
            elif worker.idle_since_ns <= since_ns and spare > 0:
                spare -= 1
                worker.retire()
        self.provision()

    def stop_oldest_idle(self) -> bool:
        """Make room for another function; False when no worker is idle that is not provisioned."""
        if not self._idle or self.ready_count <= self.provisioned:
            return False
        self._idle[0].retire()
        return True

    def change(self, function: Function) -> None:
        """Go over to a new configuration or to new code: running invocations end on the old."""
        if _what_runs(function) == _what_runs(self.function):
            self.function = function
            return
        self.function = function
        self.is_debugged = bool(debug_port(function, self._settings))
        self.generation += 1
        self._make_stale()
        self.provision()

    def _make_stale(self) -> None:
        for worker in list(self.workers):
            worker.is_stale = True
        for worker in list(self._idle):
            worker.retire()

    def delete(self) -> None:
        """End the function: running invocations end, those in line are told that it is gone."""
        self.provisioned = 0
        self._make_stale()
        waiting, self._waiting = self._waiting, deque()
        for running in waiting:
            if not running.answer.done():
                running.answer.set_exception(
                    ResourceNotFoundException(f"Function not found: {self.function.arn}", members={"Type": "User"})
                )


def _what_runs(function: Function) -> dict[str, Any]:
    """Give a function's fields without those that a worker does not depend on."""
    fields = function.to_json()
    for name in _NOT_RUN:
        del fields[name]
    return fields


def _error_kind(error: bytes) -> str:
    try:
        return str(orjson.loads(error).get("errorType", ""))[:ERROR_KIND_LENGTH_MAX]
    except (orjson.JSONDecodeError, AttributeError):
        return ""
