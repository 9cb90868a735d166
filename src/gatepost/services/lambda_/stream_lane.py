"""Reads a stream for one mapping and invokes its function with batches: in order, at least once.

A mapping has as many lanes as its ParallelizationFactor. A lane takes the changes of its share of the partition keys,
so the changes of one key are always in one lane, one after the other. It reads the whole stream, over shards, and
keeps its own position, which is stored when a batch is done: after a restart it goes on there, so that a batch that was
under way comes again.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from gatepost.kernel.clock import Clock, iso_8601
from gatepost.kernel.errors import ServiceError, StoreUnavailable
from gatepost.kernel.ports import ChangeStreams, FunctionInvoker, Invocation, InvocationResult, StreamChange
from gatepost.services.lambda_.stream_mapping import StreamMapping

log = logging.getLogger(__name__)

POLL_S: Final = 0.25  # AWS polls each shard four times a second
BATCH_BYTES_MAX: Final = 5_900_000  # of records in an event: Lambda takes 6 MB
READ_MAX: Final = 1_000  # records that one read gives
BUSY_PAUSE_S_MAX: Final = 60.0
RETRY_PAUSES_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # unverified: AWS's pauses after an error of the function


class LaneKeeper(Protocol):
    """What a lane needs from its mapping."""

    def may_read(self) -> str:
        """Give why the function's role may not read the stream; empty when it may."""
        ...

    async def keep(self, lane: int, position: int) -> None:
        """Store where a lane is. Raises: StoreUnavailable."""
        ...

    def tell(self, result: str) -> None:
        """Hear what came of the last step: AWS's LastProcessingResult."""
        ...

    async def discard(self, batch: Sequence[StreamChange], condition: str, tries: int, result: Any, shard: str) -> None:
        """Send what is given up to the mapping's destination. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class LaneParts:
    """What a lane works with."""

    streams: ChangeStreams
    invoker: FunctionInvoker
    clock: Clock
    pause: Callable[[float], Awaitable[None]]
    new_id: Callable[[], str]


class Lane:
    """One lane of a mapping. `run` goes on until it is cancelled."""

    def __init__(
        self,
        mapping: StreamMapping,
        number: int,
        position: int,
        *,
        parts: LaneParts,
        keeper: LaneKeeper,
        fits: Callable[[Mapping[str, Any]], bool],
    ) -> None:
        self._mapping = mapping
        self._number = number
        self._position = position
        self._parts = parts
        self._keeper = keeper
        self._fits = fits
        self._shard = ""

    async def run(self) -> None:
        """Deliver batches for ever."""
        while True:
            try:
                is_idle = not await self.step()
            except StoreUnavailable as error:
                self._keeper.tell(f"PROBLEM: {error}")
                is_idle = True
            if is_idle:
                await self._parts.pause(POLL_S)

    async def step(self) -> bool:
        """Deliver one batch, and say whether there was anything. Raises: StoreUnavailable."""
        if problem := self._keeper.may_read():
            self._keeper.tell(f"PROBLEM: {problem}")
            return False
        batch, position = await self._gather()
        if batch:
            await self._deliver(batch)
        is_moved = position > self._position
        if is_moved:
            self._position = position
            await self._keeper.keep(self._number, position)
        return bool(batch) or is_moved

    async def _gather(self) -> tuple[list[StreamChange], int]:
        """Collect a batch: until it is full, large, or the window is over. Gives where the next one begins."""
        batch: list[StreamChange] = []
        batch_bytes, position = 0, self._position
        ends_ms: int | None = None
        while True:
            now_ms = self._parts.clock.now_ms()
            page = self._parts.streams.read(
                self._mapping.source_arn, position, now_ms=now_ms, count_max=READ_MAX, bytes_max=BATCH_BYTES_MAX
            )
            if page is None:
                self._keeper.tell("PROBLEM: The stream does not exist any more")
                return [], self._position
            if not batch:
                self._shard = page.shard_id
            for change in page.changes:
                if self._is_mine(change):
                    size = len(orjson.dumps(change.record)) + 2
                    if batch and batch_bytes + size > BATCH_BYTES_MAX:
                        return batch, change.sequence
                    batch.append(change)
                    batch_bytes += size
                position = change.sequence + 1
                if len(batch) == self._mapping.batch_size:
                    return batch, position
            position = max(position, page.position)
            if not page.changes:
                if batch and ends_ms is None:
                    ends_ms = now_ms + self._mapping.window_s * 1000
                if not batch or ends_ms is None or now_ms >= ends_ms:
                    return batch, position
                await self._parts.pause(min(POLL_S, (ends_ms - now_ms) / 1000))

    def _is_mine(self, change: StreamChange) -> bool:
        lanes = self._mapping.lanes
        if lanes > 1:
            digest = hashlib.blake2b(change.key.encode(), digest_size=4).digest()
            if int.from_bytes(digest, "big") % lanes != self._number:
                return False
        return self._fits(change.record)

    async def _deliver(self, batch: list[StreamChange]) -> None:
        """See one batch through: retried, bisected, or given up. Its position is stored as parts of it are done."""
        tries, busy_s = 0, 1.0
        result: InvocationResult | None = None
        while batch:
            batch = await self._without_old(batch, tries, result)
            if not batch:
                return
            try:
                result = await self._invoke(batch)
            except ServiceError as error:  # throttled, deleted, no gateway: it is not the function's fault
                self._keeper.tell(f"PROBLEM: {error.message or error.code}")
                await self._parts.pause(busy_s)
                busy_s = min(busy_s * 2, BUSY_PAUSE_S_MAX)
                continue
            failed_at = self._failed_at(batch, result)
            if failed_at is None:
                self._keeper.tell("OK")
                return
            tries += 1
            self._keeper.tell("PROBLEM: Function call failed")
            if failed_at > 0:  # what comes before is done
                batch = batch[failed_at:]
                self._position = batch[0].sequence
                await self._keeper.keep(self._number, self._position)
            if 0 <= self._mapping.retries_max < tries and not (self._mapping.does_bisect and len(batch) > 1):
                await self._keeper.discard(batch, "RetryAttemptsExhausted", tries, result, self._shard)
                return
            if self._mapping.does_bisect and len(batch) > 1:  # a bisection is no retry
                middle = len(batch) // 2
                await self._deliver(batch[:middle])
                self._position = batch[middle].sequence
                await self._keeper.keep(self._number, self._position)
                batch, tries = batch[middle:], 0
                continue
            await self._parts.pause(RETRY_PAUSES_S[min(tries, len(RETRY_PAUSES_S)) - 1])

    async def _without_old(
        self, batch: list[StreamChange], tries: int, result: InvocationResult | None
    ) -> list[StreamChange]:
        """Give up what is older than the mapping allows, or than the stream keeps."""
        day_s = 24 * 3600
        age_s = day_s if self._mapping.age_s_max < 0 else min(day_s, self._mapping.age_s_max)
        oldest_ms = self._parts.clock.now_ms() - age_s * 1000
        old = [change for change in batch if change.at_ms < oldest_ms]
        if old:
            await self._keeper.discard(old, "RecordAgeExceeded", tries, result, self._shard)
        return batch[len(old) :]

    async def _invoke(self, batch: Sequence[StreamChange]) -> InvocationResult:
        records = [{**change.record, "eventSourceARN": self._mapping.source_arn} for change in batch]
        payload = orjson.dumps({"Records": records})
        return await self._parts.invoker.invoke(Invocation(self._mapping.function_arn, payload, self._parts.new_id()))

    def _failed_at(self, batch: Sequence[StreamChange], result: InvocationResult) -> int | None:
        """Give the index of the first record that failed; None: all went well."""
        if result.function_error:
            return 0
        if not self._mapping.reports_failures:
            return None
        try:
            returned = orjson.loads(result.payload)
        except orjson.JSONDecodeError:
            return 0
        failures = returned.get("batchItemFailures") if isinstance(returned, dict) else None
        if not failures:
            return None if returned is None or isinstance(returned, dict) else 0
        places = {change.sequence_number: index for index, change in enumerate(batch)}
        named = [str(failure.get("itemIdentifier")) if isinstance(failure, dict) else "" for failure in failures]
        if any(name not in places for name in named):
            return 0  # a name that is none makes the whole batch fail
        return min(places[name] for name in named)


def record_of(
    mapping: StreamMapping,
    batch: Sequence[StreamChange],
    *,
    condition: str,
    tries: int,
    result: InvocationResult | None,
    shard: str,
    request_id: str,
    now_ms: int,
) -> dict[str, Any]:
    """Write what a destination gets of a batch that is given up: where it is, not what it holds."""
    record: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": mapping.function_arn,
            "condition": condition,
            "approximateInvokeCount": tries,
        },
        "version": "1.0",
        "timestamp": iso_8601(now_ms),
        "DDBStreamBatchInfo": {
            "shardId": shard,
            "startSequenceNumber": batch[0].sequence_number,
            "endSequenceNumber": batch[-1].sequence_number,
            "approximateArrivalOfFirstRecord": iso_8601(batch[0].at_ms),
            "approximateArrivalOfLastRecord": iso_8601(batch[-1].at_ms),
            "batchSize": len(batch),
            "streamArn": mapping.source_arn,
        },
    }
    if result is not None:
        record["responseContext"] = {
            "statusCode": result.status,
            "executedVersion": result.executed_version,
            "functionError": result.function_error,
        }
    return record
