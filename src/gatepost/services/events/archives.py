"""Archives of a bus's events, and their replays.

An event that matches an archive is stored before its PutEvents is answered. At most 100,000 events are kept of an
archive (then the oldest go), each as long as the archive says. A replay gives them to the rules of the same bus again,
oldest first; it is not archived again. One that a restart interrupts has failed; ninety days after it ended it is
forgotten (unverified: AWS's time).

What is in memory is changed before the store is waited for, never after: others look at it meanwhile.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-archive.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import orjson

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import StoreUnavailable
from gatepost.kernel.operations import Call, RecordKey
from gatepost.kernel.tasks import Tasks
from gatepost.services.events.model import (
    ARCHIVE,
    ARCHIVED_EVENT,
    REPLAY,
    EventsValidationException,
    IllegalStatusException,
    LimitExceededException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)
from gatepost.services.events.publishing import Matcher, compiled
from gatepost.storage.base import Records, Write

log = logging.getLogger(__name__)

EVENTS_MAX: Final = 100_000  # of one archive
ARCHIVES_MAX: Final = 100  # of an account in a region
REPLAYS_MAX: Final = 10  # at once
AT_ONCE: Final = 500  # events of one read or write
SWEEP_PAUSE_S: Final = 3_600.0
DAY_MS: Final = 86_400_000
REPLAY_DAYS: Final = 90  # that an ended replay is told of
_ACTIVE: Final = ("STARTING", "RUNNING")

Params = Mapping[str, Any]
Answer = dict[str, Any]
Dispatch = Callable[[str, Mapping[str, Any], frozenset[str]], Awaitable[None]]  # bus ARN, event, rules (empty: all)


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive. `pattern` and `description` may be empty; `retention_days` 0: for ever."""

    arn: str
    bus_arn: str
    created_at_ms: int
    description: str = ""
    pattern: str = ""
    retention_days: int = 0
    events: int = 0
    size_bytes: int = 0

    @property
    def name(self) -> str:
        """What it is called."""
        return self.arn.rpartition("/")[2]

    def key(self, kind: str, record_id: str) -> RecordKey:
        """Give the key of a record of its account and region."""
        parts = self.arn.split(":")
        return RecordKey(kind, parts[4], parts[3], record_id)

    def to_aws(self) -> Answer:
        """Give it as ListArchives does."""
        return {
            "ArchiveName": self.name,
            "EventSourceArn": self.bus_arn,
            "State": "ENABLED",
            "RetentionDays": self.retention_days,
            "SizeBytes": self.size_bytes,
            "EventCount": self.events,
            "CreationTime": self.created_at_ms,
        }


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay. Times in ms; 0: not yet."""

    arn: str
    archive_arn: str
    bus_arn: str
    rules: tuple[str, ...]
    from_ms: int
    to_ms: int
    state: str
    started_at_ms: int
    description: str = ""
    reason: str = ""
    last_ms: int = 0
    ended_at_ms: int = 0

    @property
    def name(self) -> str:
        """What it is called."""
        return self.arn.rpartition("/")[2]

    @property
    def key(self) -> RecordKey:
        """Where its record lies."""
        parts = self.arn.split(":")
        return RecordKey(REPLAY, parts[4], parts[3], self.name)

    def to_aws(self) -> Answer:
        """Give it as ListReplays does."""
        answer: Answer = {
            "ReplayName": self.name,
            "EventSourceArn": self.archive_arn,
            "State": self.state,
            "EventStartTime": self.from_ms,
            "EventEndTime": self.to_ms,
            "ReplayStartTime": self.started_at_ms,
        }
        optional = {
            "StateReason": self.reason,
            "EventLastReplayedTime": self.last_ms,
            "ReplayEndTime": self.ended_at_ms,
        }
        return {**answer, **{name: value for name, value in optional.items() if value}}


class Archives:
    """The archives and replays on records. `dispatch` gives a replayed event to a bus's rules."""

    def __init__(self, records: Records, clock: Clock, matcher: Matcher, dispatch: Dispatch) -> None:
        self._records = records
        self._clock = clock
        self._matcher = matcher
        self._dispatch = dispatch
        self._held: dict[str, Archive] = {}  # by ARN
        self._replays: dict[str, Replay] = {}
        self._tasks = Tasks("event archives")
        self._dropping = asyncio.Lock()  # two that read the same page would count its events twice

    async def start(self) -> None:
        """Read what there is, and begin to delete what is too old."""
        for record in await self._records.scan(ARCHIVE):
            archive = Archive(**record.value)
            self._held[archive.arn] = archive
        for record in await self._records.scan(REPLAY):
            replay = Replay(**{**record.value, "rules": tuple(record.value["rules"])})
            self._replays[replay.arn] = replay
            if replay.state in _ACTIVE:
                ended_at_ms = self._clock.now_ms()
                reason = "The platform was stopped."
                await self._keep(replace(replay, state="FAILED", reason=reason, ended_at_ms=ended_at_ms))
        self._tasks.spawn(self._sweep_for_ever(), name="sweep")

    async def close(self) -> None:
        """Stop replays and sweeps."""
        await self._tasks.close()

    # --- archiving ---------------------------------------------------------------------------------------------

    async def take(self, bus_arn: str, event: Mapping[str, Any]) -> None:
        """Store an event in every archive that matches it. Raises: StoreUnavailable."""
        for arn in [arn for arn, one in self._held.items() if one.bus_arn == bus_arn]:
            archive = self._held.get(arn)  # as it is now: others were let in while the last one was written
            if archive is None or (archive.pattern and not self._matcher.matches(archive.pattern, event)):
                continue
            at_ms = self._clock.now_ms()
            size = len(orjson.dumps(event))
            grown = replace(archive, events=archive.events + 1, size_bytes=archive.size_bytes + size)
            self._held[archive.arn] = grown
            record_id = f"{archive.name}/{at_ms:015d}-{event['id']}"
            value = {"event": dict(event), "at_ms": at_ms, "size": size}
            await self._records.commit([Write(grown.key(ARCHIVED_EVENT, record_id), value), self._write(grown)])
            if grown.events > EVENTS_MAX:
                await self._drop_oldest(grown, before_ms=None)

    def _write(self, archive: Archive) -> Write:
        return Write(archive.key(ARCHIVE, archive.name), asdict(archive))

    async def _page(self, archive: Archive, after: str = "") -> list[Any]:
        key = archive.key(ARCHIVED_EVENT, "")
        return await self._records.page(
            ARCHIVED_EVENT, key.account_id, key.region, prefix=f"{archive.name}/", after=after, count_max=AT_ONCE
        )

    async def _drop_oldest(self, archive: Archive, *, before_ms: int | None) -> bool:
        """Delete the oldest events, or those before a time; say whether there may be more."""
        async with self._dropping:
            return await self._drop_page(archive, before_ms=before_ms)

    async def _drop_page(self, archive: Archive, *, before_ms: int | None) -> bool:
        page = await self._page(archive)
        doomed = [record for record in page if before_ms is None or record.value["at_ms"] < before_ms]
        if not doomed:
            return False
        held = self._held.get(archive.arn, archive)
        size = sum(record.value["size"] for record in doomed)
        smaller = replace(held, events=held.events - len(doomed), size_bytes=held.size_bytes - size)
        writes = [Write(record.key, None) for record in doomed]
        if archive.arn in self._held:
            self._held[archive.arn] = smaller
            writes.append(self._write(smaller))
        await self._records.commit(writes)
        return len(doomed) == AT_ONCE

    async def _sweep_for_ever(self) -> None:
        while True:
            await self.sweep()
            await asyncio.sleep(SWEEP_PAUSE_S)

    async def sweep(self) -> None:
        """Delete the events that are older than their archives keep them."""
        for archive in [one for one in self._held.values() if one.retention_days]:
            before_ms = self._clock.now_ms() - archive.retention_days * DAY_MS
            try:
                while await self._drop_oldest(archive, before_ms=before_ms):
                    pass
            except StoreUnavailable as error:
                log.warning("archive not swept", extra={"archive": archive.arn, "error": str(error)})
        await self._forget_replays(self._clock.now_ms() - REPLAY_DAYS * DAY_MS)

    async def _forget_replays(self, before_ms: int) -> None:
        old = [one for one in self._replays.values() if one.state not in _ACTIVE and one.ended_at_ms <= before_ms]
        try:
            for start in range(0, len(old), AT_ONCE):
                doomed = old[start : start + AT_ONCE]
                await self._records.commit([Write(one.key, None) for one in doomed])
                for one in doomed:
                    self._replays.pop(one.arn, None)
        except StoreUnavailable as error:
            log.warning("replays not swept", extra={"error": str(error)})

    # --- archives ----------------------------------------------------------------------------------------------

    def find(self, call: Call, name: str) -> Archive:
        """Give an archive. Raises: ResourceNotFoundException."""
        archive = self._held.get(call.arn(f"archive/{name}"))
        if archive is None:
            raise ResourceNotFoundException(f"Archive {name} does not exist.")
        return archive

    def of_region(self, call: Call) -> list[Archive]:
        """Give the account's archives by name."""
        prefix = call.arn("archive/")
        return sorted((one for arn, one in self._held.items() if arn.startswith(prefix)), key=lambda one: one.name)

    async def create(self, call: Call, params: Params, bus_arn: str) -> Archive:
        """Make an archive. Raises: ResourceAlreadyExistsException, InvalidEventPatternException, LimitExceeded."""
        arn = call.arn(f"archive/{params['ArchiveName']}")
        if arn in self._held:
            raise ResourceAlreadyExistsException(f"Archive {params['ArchiveName']} already exists.")
        if len(self.of_region(call)) >= ARCHIVES_MAX:
            raise LimitExceededException("The requested resource exceeds the maximum number allowed.")
        return await self._settle(Archive(arn, bus_arn, self._clock.now_ms()), params)

    async def update(self, call: Call, params: Params) -> Archive:
        """Change an archive. Raises: ResourceNotFoundException, InvalidEventPatternException."""
        return await self._settle(self.find(call, params["ArchiveName"]), params)

    async def _settle(self, archive: Archive, params: Params) -> Archive:
        if params.get("KmsKeyIdentifier"):
            raise EventsValidationException("KmsKeyIdentifier is not supported by Gatepost: leave it out")
        if params.get("EventPattern"):
            compiled(params["EventPattern"])
        changed = replace(
            archive,
            description=params.get("Description", archive.description),
            pattern=params.get("EventPattern", archive.pattern),
            retention_days=params.get("RetentionDays", archive.retention_days),
        )
        before = self._held.get(changed.arn)
        self._held[changed.arn] = changed
        try:
            await self._records.commit([self._write(changed)])
        except StoreUnavailable:
            self._restore(changed.arn, before)
            raise
        return changed

    def _restore(self, arn: str, before: Archive | None) -> None:
        """Take back what could not be stored; events that were archived since count."""
        now = self._held.get(arn, before)
        if before is None or now is None:
            self._held.pop(arn, None)
        else:
            self._held[arn] = replace(before, events=now.events, size_bytes=now.size_bytes)

    async def delete(self, call: Call, name: str) -> None:
        """Delete an archive with its events. Raises: ResourceNotFoundException."""
        archive = self.find(call, name)
        del self._held[archive.arn]
        try:
            await self._records.commit([Write(archive.key(ARCHIVE, archive.name), None)])
        except StoreUnavailable:
            self._restore(archive.arn, archive)
            raise
        while await self._drop_oldest(archive, before_ms=None):
            pass

    # --- replays -----------------------------------------------------------------------------------------------

    def find_replay(self, call: Call, name: str) -> Replay:
        """Give a replay. Raises: ResourceNotFoundException."""
        replay = self._replays.get(call.arn(f"replay/{name}"))
        if replay is None:
            raise ResourceNotFoundException(f"Replay {name} does not exist.")
        return replay

    def replays_of_region(self, call: Call) -> list[Replay]:
        """Give the account's replays by name."""
        prefix = call.arn("replay/")
        return sorted((one for arn, one in self._replays.items() if arn.startswith(prefix)), key=lambda one: one.name)

    async def replay(self, call: Call, params: Params) -> Replay:
        """Begin a replay. Raises: ResourceAlreadyExistsException, ValidationException, LimitExceededException."""
        arn = call.arn(f"replay/{params['ReplayName']}")
        archive = self._source(params)
        if params["EventStartTime"] >= params["EventEndTime"]:
            raise _not_valid("EventEndTime", "EventStartTime must be before EventEndTime.")
        if arn in self._replays:
            raise ResourceAlreadyExistsException(f"Replay {params['ReplayName']} already exists.")
        if sum(one.state in _ACTIVE for one in self._replays.values()) >= REPLAYS_MAX:
            raise LimitExceededException("The requested resource exceeds the maximum number allowed.")
        destination = params["Destination"]
        replay = Replay(
            arn,
            archive.arn,
            destination["Arn"],
            tuple(destination.get("FilterArns") or ()),
            int(params["EventStartTime"]),
            int(params["EventEndTime"]),
            "STARTING",
            self._clock.now_ms(),
            params.get("Description", ""),
        )
        self._replays[arn] = replay
        try:
            await self._keep(replay)
        except StoreUnavailable:
            del self._replays[arn]
            raise
        self._tasks.spawn(self._run(replay, archive), name=replay.name)
        return replay

    def _source(self, params: Params) -> Archive:
        source, destination = params["EventSourceArn"], params["Destination"]["Arn"]
        if ":archive/" not in source:
            raise _not_valid("EventSourceArn", "Must contain an archive ARN.")
        archive = self._held.get(source)
        if archive is None:
            raise _not_valid("EventSourceArn", f"Archive {source.rpartition('/')[2]} does not exist.")
        if ":event-bus/" not in destination:
            raise _not_valid("Destination.Arn", "Must contain an event bus ARN.")
        if destination != archive.bus_arn:
            raise _not_valid("Destination.Arn", "Cross event bus replay is not permitted.")
        return archive

    async def cancel(self, call: Call, name: str) -> Replay:
        """Stop a replay. Raises: ResourceNotFoundException, IllegalStatusException."""
        replay = self.find_replay(call, name)
        if replay.state not in _ACTIVE:
            raise IllegalStatusException(f"Replay {name} is not in a valid state for this operation.")
        cancelled = replace(replay, state="CANCELLED", ended_at_ms=self._clock.now_ms())
        await self._keep(cancelled)
        return cancelled

    async def _keep(self, replay: Replay) -> None:
        self._replays[replay.arn] = replay
        await self._records.put(replay.key, asdict(replay), expected_version=None)

    async def _run(self, replay: Replay, archive: Archive) -> None:
        if self._replays[replay.arn].state != "STARTING":
            return  # cancelled before it began
        replay = replace(replay, state="RUNNING")
        self._replays[replay.arn] = replay
        after = f"{archive.name}/{replay.from_ms:015d}"
        last_ms = 0
        try:
            while page := await self._page(archive, after):
                for record in page:
                    if self._replays[replay.arn].state != "RUNNING":
                        return
                    after = record.key.id
                    if record.value["at_ms"] >= replay.to_ms:
                        page = []
                        break
                    last_ms = record.value["at_ms"]
                    event = {**record.value["event"], "replay-name": replay.name}
                    await self._dispatch(replay.bus_arn, event, frozenset(replay.rules))
                if not page:
                    break
            if self._replays[replay.arn].state != "RUNNING":
                return  # cancelled at its last event
            ended = replace(replay, state="COMPLETED", last_ms=last_ms, ended_at_ms=self._clock.now_ms())
            await self._keep(ended)
        except StoreUnavailable as error:
            log.warning("replay failed", extra={"replay": replay.arn, "error": str(error)})
            self._replays[replay.arn] = replace(
                replay, state="FAILED", reason="The store does not answer.", ended_at_ms=self._clock.now_ms()
            )


def _not_valid(name: str, reason: str) -> EventsValidationException:
    return EventsValidationException(f"Parameter {name} is not valid. Reason: {reason}")


def one_filter(operation: str, params: Params) -> None:
    """Refuse more than one filter of a list. Raises: ValidationException."""
    if sum(bool(params.get(name)) for name in ("NamePrefix", "EventSourceArn", "State")) > 1:
        raise EventsValidationException(
            f"At most one filter is allowed for {operation}. Use either : State, EventSourceArn, or NamePrefix."
        )


def chosen(items: Sequence[Answer], name: str, params: Params) -> list[Answer]:
    """Give the items that a list's filter means; `name` is the member that holds their names."""
    prefix, source, state = params.get("NamePrefix") or "", params.get("EventSourceArn"), params.get("State")
    return [
        item
        for item in items
        if item[name].startswith(prefix) and source in (None, item["EventSourceArn"]) and state in (None, item["State"])
    ]
