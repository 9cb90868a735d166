"""Asynchronous invocations: recorded before they are acknowledged, run after, retried as Lambda does.

An event that fails in the function is tried twice more, after one and two minutes; one that finds no place or no
gateway is tried again for six hours, with growing pauses. A function can have other bounds (`EventRules`), and
destinations for what came of it. A restart goes on with what is recorded: an event may run more than once, as on AWS.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Protocol

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError, StoreUnavailable
from gatepost.kernel.operations import RecordKey
from gatepost.kernel.ports import FunctionInvoker, Invocation, InvocationResult
from gatepost.kernel.tasks import Tasks
from gatepost.services.lambda_.model import ResourceNotFoundException, TooManyRequestsException
from gatepost.storage.base import Records

log = logging.getLogger(__name__)

EVENT: Final = "function_event"
PENDING_MAX: Final = 10_000
RUNNING_MAX: Final = 50
RETRY_PAUSES_S: Final = (60, 120)  # after an error of the function
RETRIES_MAX: Final = len(RETRY_PAUSES_S)
AGE_MS_MAX: Final = 6 * 3600 * 1000
BUSY_PAUSE_S_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class FunctionEvent:
    """One accepted asynchronous invocation."""

    request_id: str
    function_arn: str
    payload_base64: str
    accepted_at_ms: int
    client_context: str = ""
    failures: int = 0

    def invocation(self) -> Invocation:
        """Give the call that the invoker makes of it."""
        payload = base64.b64decode(self.payload_base64)
        return Invocation(self.function_arn, payload, self.request_id, client_context=self.client_context)


@dataclass(frozen=True, slots=True)
class Rules:
    """How one event is tried. `is_off`: the function may not run at all (it has nothing reserved)."""

    retries_max: int = RETRIES_MAX
    age_ms_max: int = AGE_MS_MAX
    is_off: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of an event. `condition` is AWS's word for it; `result` is that of the last run, if there was one."""

    condition: str  # Success, RetriesExhausted, EventAgeExceeded, ZeroReservedConcurrency
    invocations: int
    result: InvocationResult | None = None


class EventRules(Protocol):
    """What functions say of their events."""

    def rules(self, function_arn: str) -> Rules:
        """Say how an event for this ARN is tried."""
        ...

    async def ended(self, event: FunctionEvent, ending: Ending) -> FunctionEvent | None:
        """Hear that an event has ended, and give one that follows from it. Never raises."""
        ...


class DefaultRules:
    """AWS's defaults, and no destinations."""

    def rules(self, function_arn: str) -> Rules:
        """Give the defaults."""
        del function_arn
        return Rules()

    async def ended(self, event: FunctionEvent, ending: Ending) -> FunctionEvent | None:
        """Send nothing."""
        del event, ending
        return None


class FunctionEvents:
    """Accepts events durably and sees them through. Call `start` once, `close` before the store closes."""

    def __init__(
        self,
        records: Records,
        invoker: FunctionInvoker,
        clock: Clock,
        *,
        rules: EventRules | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._records = records
        self._invoker = invoker
        self._clock = clock
        self._rules: EventRules = rules or DefaultRules()
        self._pause = pause
        self._tasks = Tasks("function events")
        self._running = asyncio.Semaphore(RUNNING_MAX)

    async def start(self) -> None:
        """Go on with what an earlier process accepted."""
        for record in await self._records.scan(EVENT):
            self._see_through(record.key, FunctionEvent(**record.value))

    async def accept(self, event: FunctionEvent) -> None:
        """Record an event and run it later. Raises: TooManyRequestsException, StoreUnavailable."""
        if len(self._tasks) >= PENDING_MAX:
            raise TooManyRequestsException("Rate Exceeded.", members={"Type": "User"})
        parts = event.function_arn.split(":")
        key = RecordKey(EVENT, parts[4], parts[3], event.request_id)
        await self._records.put(key, asdict(event), expected_version=None)
        self._see_through(key, event)

    def _see_through(self, key: RecordKey, event: FunctionEvent) -> None:
        self._tasks.spawn(self._deliver(key, event), name=event.request_id)

    async def _deliver(self, key: RecordKey, event: FunctionEvent) -> None:
        event, ending = await self._tried(key, event)
        if ending is not None:
            if ending.condition != "Success":
                log.warning(
                    "function event given up", extra={"function": event.function_arn, "condition": ending.condition}
                )
            await self._follow(await self._rules.ended(event, ending))
        await self._forget(key)

    async def _follow(self, follower: FunctionEvent | None) -> None:
        if follower is None:
            return
        try:
            await self.accept(follower)
        except ServiceError as error:
            log.warning("record not sent", extra={"destination": follower.function_arn, "error": error.message})

    async def _tried(self, key: RecordKey, event: FunctionEvent) -> tuple[FunctionEvent, Ending | None]:
        """Try an event until it has ended; no ending: its function is gone."""
        busy_pause_s = 1.0
        result: InvocationResult | None = None
        while True:
            rules = self._rules.rules(event.function_arn)
            age_ms = self._clock.now_ms() - event.accepted_at_ms
            if rules.is_off:
                return event, Ending("ZeroReservedConcurrency", event.failures, result)
            if age_ms >= rules.age_ms_max:
                return event, Ending("EventAgeExceeded", event.failures, result)
            try:
                result = await self._run(event)
            except ServiceError as error:
                if error.code == ResourceNotFoundException.code:  # over the link the class is another
                    return event, None  # the function was deleted: nobody is left to run it
                log.info("function event waits", extra={"function": event.function_arn, "code": error.code})
                pause_s, busy_pause_s = busy_pause_s, min(busy_pause_s * 2, BUSY_PAUSE_S_MAX)
            else:
                if not result.function_error:
                    return event, Ending("Success", event.failures + 1, result)
                if event.failures >= rules.retries_max:
                    return event, Ending("RetriesExhausted", event.failures + 1, result)
                pause_s = RETRY_PAUSES_S[min(event.failures, RETRIES_MAX - 1)]
                event = replace(event, failures=event.failures + 1)
                await self._keep(key, asdict(event))
            left_ms = rules.age_ms_max - (self._clock.now_ms() - event.accepted_at_ms)
            await self._pause(max(0.0, min(pause_s, left_ms / 1000)))

    async def _run(self, event: FunctionEvent) -> InvocationResult:
        async with self._running:
            return await self._invoker.invoke(event.invocation())

    async def _keep(self, key: RecordKey, value: dict[str, Any]) -> None:
        try:
            await self._records.put(key, value, expected_version=None)
        except StoreUnavailable as error:
            log.warning("function event not updated", extra={"error": str(error)})

    async def _forget(self, key: RecordKey) -> None:
        try:
            await self._records.delete(key)
        except StoreUnavailable as error:  # it will run once more after the next start
            log.warning("function event not deleted", extra={"error": str(error)})

    def __len__(self) -> int:
        return len(self._tasks)

    async def close(self) -> None:
        """Stop; what is recorded is taken up at the next start."""
        await self._tasks.close()
