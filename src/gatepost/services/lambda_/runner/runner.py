"""The function runner of a gateway process: `kernel.ports.FunctionInvoker` over warm worker processes.

One timer sees to timeouts, memory, logs and idle workers; it runs only while something is under way, so that an
idle gateway does nothing. An invocation costs one future, one write and one read: no task, no thread.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import dataclasses
import sys
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final

from gatepost.kernel.errors import ServiceError, UnsupportedOperation
from gatepost.kernel.limits import LAMBDA_PAYLOAD_BYTES_MAX
from gatepost.kernel.ports import Invocation, InvocationResult, Replica
from gatepost.kernel.tasks import Tasks
from gatepost.services.lambda_.model import (
    ALIAS,
    FUNCTION,
    LATEST,
    PROVISIONED,
    Alias,
    Function,
    InvalidRequestContentException,
    RequestTooLargeException,
    ResourceNotFoundException,
)
from gatepost.services.lambda_.runner.interpreters import Interpreter
from gatepost.services.lambda_.runner.places import SharedPlaces
from gatepost.services.lambda_.runner.pool import NS_PER_MS, FunctionPool, too_many_requests
from gatepost.services.lambda_.runner.process import Worker
from gatepost.services.lambda_.runner.shares import RESERVED, Shares
from gatepost.services.lambda_.runner.starter import RunnerParts, WorkerStarter
from gatepost.services.lambda_.runner.streams import FunctionStream
from gatepost.state.base import settled

OWN_RUNTIME: Final = f"python3.{sys.version_info.minor}"
HOUSEKEEPING_MS: Final = 5_000
CLOSE_MS: Final = 2_000  # how long `close` waits for workers to end


class FunctionRunner:
    """Runs functions on this machine. Build it inside the running event loop; `close` ends every worker."""

    def __init__(self, parts: RunnerParts, *, interpreters: Sequence[Interpreter] | None = None) -> None:
        self._settings = parts.settings
        self._clock = parts.clock
        self._starter = WorkerStarter(parts, interpreters)
        self._pools: dict[str, FunctionPool] = {}
        self._aliases: dict[str, Alias] = {}
        self._chance = parts.chance
        self._provisioned: dict[str, int] = {}  # by the ARN of version or alias
        self._is_provisioning = bool(parts.settings.debug_function)
        self._shares = Shares()
        self.places: SharedPlaces | None = None  # set by the composition root where gateways share the limits
        self._retired: list[FunctionPool] = []  # of deleted functions whose last invocations still run
        self._tasks = Tasks("runner")
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._next_memory_ns = 0
        self._next_flush_ns = 0
        self._is_closed = False
        self._is_warmed = False
        self._emptied: asyncio.Future[None] | None = None
        self._workers = 0  # processes that are not over, starts included
        self._housekeeper = self._loop.call_later(HOUSEKEEPING_MS / 1000, self._keep_house)

    def watch(self, replica: Replica) -> None:
        """Follow the functions, versions and aliases that are published."""
        replica.watch(FUNCTION, self.changed)
        replica.watch(ALIAS, self.alias_changed)
        replica.watch(PROVISIONED, self.provisioned_changed)

    def changed(self, arn: str, value: Mapping[str, Any] | None) -> None:
        """Take a function as it is from now on; None: it was deleted."""
        pool = self._pools.get(arn)
        if value is None:
            if pool is not None:
                del self._pools[arn]
                pool.delete()
                self._retired.append(pool)
                self._shares.remove(pool)
            return
        function = Function.from_json(value)
        if arn == function.base_arn:
            self._shares.reserve(arn, function.reserved_concurrency)
        if pool is None:
            pool = FunctionPool(function, supply=self, clock=self._clock, settings=self._settings)
            self._pools[arn] = pool
            self._shares.add(pool)
        else:
            pool.change(function)
        self._prepare(function)
        self._provision()

    def alias_changed(self, arn: str, value: Mapping[str, Any] | None) -> None:
        """Take an alias as it is from now on; None: it was deleted."""
        if value is None:
            self._aliases.pop(arn, None)
        else:
            self._aliases[arn] = Alias.from_json(value)
        self._provision()

    def provisioned_changed(self, arn: str, value: Mapping[str, Any] | None) -> None:
        """Have so many workers stand ready for a version or an alias from now on; None: no more."""
        if value is None:
            self._provisioned.pop(arn, None)
        else:
            self._provisioned[arn] = value["count"]
        self._is_provisioning = True
        self._provision()

    def _provision(self) -> None:
        if not self._is_provisioning:
            return
        wanted: dict[str, int] = {}
        for arn, count in self._provisioned.items():
            place = self._place_of(arn)
            wanted[place] = wanted.get(place, 0) + self._part_of(count)
        for arn, pool in self._pools.items():
            # A debugged function's worker stands ready, so that there is something to attach to.
            pool.provisioned = max(wanted.get(arn, 0), int(pool.is_debugged))
            pool.provision()
        self._is_provisioning = bool(self._provisioned or self._settings.debug_function)

    def _part_of(self, count: int) -> int:
        """Give how many of `count` provisioned workers this runner has ready, where there are others."""
        index, runners = self._settings.share
        return count // runners + (index < count % runners)

    def _place_of(self, arn: str) -> str:
        """Give the pool's ARN of what workers are provisioned for: an alias's are those of its main version."""
        alias = self._aliases.get(arn)
        return arn if alias is None else f"{alias.base_arn}:{alias.function_version}"

    def readiness(self) -> dict[str, dict[str, Any]]:
        """Give how many provisioned workers stand ready, by the ARN that they are provisioned for."""
        found: dict[str, dict[str, Any]] = {}
        for arn in self._provisioned:
            pool = self._pools.get(self._place_of(arn))
            if pool is not None:
                found[arn] = {"ready": pool.ready_count, "failure": pool.failure}
        return found

    def _prepare(self, function: Function) -> None:
        """Unpack the code and start the zygote now, so that the first invocation need not wait for them."""

        async def work() -> None:
            with contextlib.suppress(ServiceError, OSError):  # the invocation reports it
                await self._starter.unpack(function)
                await self._starter.warm(function.runtime)
                await self._starter.compile(function)

        if not self._is_closed:
            self._tasks.spawn(work(), name=f"prepare {function.name}")

    def warm(self, runtime: str = OWN_RUNTIME) -> None:
        """Start a zygote in the background, our own Python's by default: call it once the listeners are open."""
        if not self._is_closed:
            self._tasks.spawn(self._starter.warm(runtime), name="warm")

    def invoke(self, invocation: Invocation) -> asyncio.Future[InvocationResult]:
        """Run a function to its end; it goes on when the caller goes away.

        Raises: ResourceNotFoundException, RequestTooLargeException, TooManyRequestsException and, in the future,
        what starting a worker raises.
        """
        pool, invocation = self._admit(invocation)
        if self.places is None:
            return pool.invoke(invocation)
        return self._invoke_in_a_place(self.places, pool, invocation)

    def _invoke_in_a_place(
        self, places: SharedPlaces, pool: FunctionPool, invocation: Invocation
    ) -> asyncio.Future[InvocationResult]:
        """Invoke within a limit that other gateways count in, too."""
        name, limit = self._shares.limit_of(pool, concurrency_max=self._settings.concurrency_max)
        taken = places.take(name, limit)
        if isinstance(taken, bool):
            return asyncio.shield(self._placed(places, name, pool, invocation))
        return asyncio.shield(self._tasks.spawn(self._wait(taken, places, name, pool, invocation), name="place"))

    async def _wait(
        self, taken: Awaitable[bool], places: SharedPlaces, name: str, pool: FunctionPool, invocation: Invocation
    ) -> InvocationResult:
        if not await taken:
            raise too_many_requests(*((RESERVED,) if self._shares.is_reserved(pool) else ()))
        return await self._placed(places, name, pool, invocation)

    def _placed(
        self, places: SharedPlaces, name: str, pool: FunctionPool, invocation: Invocation
    ) -> asyncio.Future[InvocationResult]:
        """Invoke in a place that was taken, and free it at the end."""
        try:
            answer = pool.invoke(invocation)
        except ServiceError:
            places.free(name)
            raise
        answer.add_done_callback(lambda _: places.free(name))
        return answer

    async def stream(self, invocation: Invocation) -> FunctionStream:
        """Run a function and give its answer as it is written. See `kernel.ports.FunctionInvoker`."""
        pool, invocation = self._admit(invocation)
        places = self.places
        if places is None:
            return await pool.stream(invocation).started()
        name, limit = self._shares.limit_of(pool, concurrency_max=self._settings.concurrency_max)
        if not await settled(places.take(name, limit)):
            raise too_many_requests(*((RESERVED,) if self._shares.is_reserved(pool) else ()))
        try:
            stream = pool.stream(invocation)
        except ServiceError:
            places.free(name)
            raise
        stream.answer.add_done_callback(lambda _: places.free(name))
        return await stream.started()

    def _admit(self, invocation: Invocation) -> tuple[FunctionPool, Invocation]:
        pool = self._pools.get(invocation.function_arn)
        if pool is None:
            pool = self._find(invocation.function_arn)
        if self._shares:
            self._shares.check(pool)
        if len(invocation.payload) > LAMBDA_PAYLOAD_BYTES_MAX:
            raise RequestTooLargeException(
                f"Request must be smaller than {LAMBDA_PAYLOAD_BYTES_MAX} bytes for the InvokeFunction operation"
            )
        if invocation.is_event:
            raise UnsupportedOperation("An asynchronous invocation is recorded by the Lambda service before it runs")
        if invocation.client_context:
            invocation = dataclasses.replace(invocation, client_context=_decode(invocation.client_context))
        return pool, invocation

    def _find(self, arn: str) -> FunctionPool:
        """Give the pool of a version that is named by an alias, or as $LATEST."""
        alias = self._aliases.get(arn)
        unqualified, _, version = arn.rpartition(":")
        if alias is not None:
            version = alias.version_for(self._chance()) if alias.weights else alias.function_version
        pool = self._pools.get(unqualified if version == LATEST else f"{unqualified}:{version}")
        if pool is None or (alias is None and version != LATEST):
            raise ResourceNotFoundException(f"Function not found: {arn}", members={"Type": "User"})
        return pool

    # --- what pools ask for ------------------------------------------------------------------------------------

    def has_room(self, pool: FunctionPool) -> bool:
        """Say whether a worker may be started, after stopping another function's idle one if need be."""
        if self._is_closed:
            return False
        settings = self._settings
        workers_max = min(settings.workers_max, settings.uid_count, settings.concurrency_max)
        rivals = list(self._pools.values())
        if self._workers < workers_max and self._shares.has_room(pool, rivals, workers_max=workers_max):
            return True
        if self._workers < workers_max:
            rivals = [one for one in rivals if not self._shares.is_reserved(one)]  # only they can make room
        most_idle_first = sorted(rivals, key=lambda one: -one.idle_count)
        return any(one.stop_oldest_idle() for one in most_idle_first)

    def is_exhausted(self, pool: FunctionPool) -> bool:
        """Say whether the account's concurrency leaves nothing for one more invocation of `pool`."""
        pools = [*self._pools.values(), *self._retired]
        return self._shares.is_exhausted(pool, pools, concurrency_max=self._settings.concurrency_max)

    def start(self, pool: FunctionPool, *, is_provisioned: bool = False) -> None:
        """Start a worker for `pool` in the background."""
        self._workers += 1
        self._tasks.spawn(self._start(pool, is_provisioned=is_provisioned), name=f"start {pool.function.name}")

    async def _start(self, pool: FunctionPool, *, is_provisioned: bool) -> None:
        generation = pool.generation
        worker: Worker | None = None
        try:
            worker = await self._starter.start(pool.function, pool, is_provisioned=is_provisioned)
        except ServiceError as error:
            pool.not_started(error)
            return
        finally:
            if worker is None:
                self._workers -= 1
        if worker is None:
            pool.not_started(None)
        elif not worker.is_gone:
            pool.workers.add(worker)
            worker.is_stale = worker.is_stale or generation != pool.generation

    def closed(self, worker: Worker) -> None:
        """Take back an ended worker's user and directory."""
        self._workers -= 1
        self._starter.take_back(worker)
        if self._emptied is not None and not self._workers and not self._emptied.done():
            self._emptied.set_result(None)

    # --- time --------------------------------------------------------------------------------------------------

    def awake(self) -> None:
        """See to it that the timer runs."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._settings.tick_ms / 1000, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now_ns = self._clock.monotonic_ns()
        pools = [*self._pools.values(), *self._retired]
        for pool in pools:
            if not pool.is_quiet:
                pool.check_times(now_ns)
        if now_ns >= self._next_memory_ns:
            self._next_memory_ns = now_ns + self._settings.memory_poll_ms * NS_PER_MS
            for pool in pools:
                pool.check_memory(now_ns)
        if now_ns >= self._next_flush_ns:
            self._next_flush_ns = now_ns + self._settings.log_flush_ms * NS_PER_MS
            for pool in pools:
                pool.flush()
        if not all(pool.is_quiet for pool in pools):
            self.awake()

    def _keep_house(self) -> None:
        now_ns, now_ms = self._clock.monotonic_ns(), self._clock.now_ms()
        for pool in self._pools.values():
            pool.stop_idle(now_ns, now_ms)
        self._retired = [pool for pool in self._retired if pool.workers or pool.starting]
        self._housekeeper = self._loop.call_later(HOUSEKEEPING_MS / 1000, self._keep_house)

    async def close(self) -> None:
        """Kill every worker and wait until they are gone; running invocations are answered as killed."""
        self._is_closed = True
        self._housekeeper.cancel()
        await self._tasks.close()
        if self._workers:
            self._emptied = self._loop.create_future()
            self._loop.call_later(CLOSE_MS / 1000, _finish, self._emptied)
        await self._starter.close()
        if self._emptied is not None:
            await self._emptied
        for pool in [*self._pools.values(), *self._retired]:
            pool.flush()
        if self._timer is not None:
            self._timer.cancel()


def _finish(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _decode(client_context: str) -> str:
    try:
        return base64.b64decode(client_context, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InvalidRequestContentException("Client context must be a valid Base64-encoded JSON object.") from error
