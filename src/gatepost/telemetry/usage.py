"""Usage counts on their way from the gateway to services: journalled, acknowledged, never dropped.

Theory. A request adds one to a counter in memory. Every `BATCH_AFTER_MS` what was counted becomes a batch with
the next number; a thread appends it to the journal and syncs; only then may it be sent. The receiver keeps, per
journal, the number up to which it has taken batches over, together with the counts, in one transaction: a batch
that arrives twice counts once. A journal has an id of its own, so that one that begins again is not taken for a
repetition. Its acknowledgement goes into the journal too, so that a restart sends again exactly what may not
have arrived. What `kill -9` can lose is what was counted since the last sync: under 1 s.

The journal is lines of JSON. The first is `{"journal": "…"}`; any other is a batch, `{"number": 7, "hour_ms":
…, "counts": {…}}`, or an acknowledgement, `{"acknowledged": 7}`. A later batch line replaces an earlier one
with the same number: while nobody fetches, a batch that was never handed out takes further counts of the same
hour in, so that memory and journal stay small however long services is away. A torn last line, which a crash
leaves behind, was never acknowledged to anyone and is cut off; any other line that cannot be read means that
the file is not ours to guess at, and the journal refuses to open. When everything is acknowledged, or the file
has grown to `JOURNAL_BYTES_MAX`, it is written anew.

Some counts must be known here as well, and must outlive their acknowledgement: what a key has used of a quota. They are
*kept*: each batch's line holds what it adds to them, they are never sent, and the file that is written anew begins
with their sums. Of each group of them (what stands before the last slash) those with the `GROUP_KEPT` last names stay:
a quota's name ends in the first day of its period.

A disk that refuses keeps the counts in memory, where further ones are added to them, and tries again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import SettingsError
from gatepost.kernel.ids import random_id
from gatepost.kernel.tasks import Tasks
from gatepost.telemetry.figures import Counter
from gatepost.telemetry.tallies import Tally, collect

log = logging.getLogger(__name__)

BATCH_AFTER_MS: Final = 500
JOURNAL_BYTES_MAX: Final = 4 * 1024 * 1024
HOUR_MS: Final = 3_600_000
RESEND_AFTER_MS: Final = 10_000
GROUP_KEPT: Final = 3
STANDING_PART: Final = 10_000  # sums in one line


@dataclass(slots=True)
class Batch:
    """Counts by key with the hour in which they were counted. Final once it was handed out."""

    number: int
    hour_ms: int
    counts: dict[str, int]
    kept: dict[str, int] = field(default_factory=dict)
    is_handed_out: bool = False
    sent_at_ms: int = 0

    def line(self) -> bytes:
        """Give the journal's line."""
        value: dict[str, Any] = {"number": self.number, "hour_ms": self.hour_ms, "counts": self.counts}
        if self.kept:
            value["kept"] = self.kept
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)

    def line_alone(self) -> bytes:
        """Give the journal's line where the kept counts stand already."""
        value = {"number": self.number, "hour_ms": self.hour_ms, "counts": self.counts}
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


@dataclass(frozen=True, slots=True)
class _Picture:
    """What a file that is written anew holds. Turned into lines by the writer, beside the loop."""

    journal_id: str
    acknowledged: int
    standing: Mapping[str, int]
    waiting: Sequence[Batch]

    def head(self) -> bytes:
        values = {"journal": self.journal_id}, {"acknowledged": self.acknowledged}
        return b"".join(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE) for value in values)

    def sums(self) -> bytes:
        names = [name for name, count in self.standing.items() if count]
        parts = (names[start : start + STANDING_PART] for start in range(0, len(names), STANDING_PART))
        lines = ({"standing": {name: self.standing[name] for name in part}} for part in parts)
        return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)

    def batches(self) -> bytes:
        return b"".join(batch.line_alone() for batch in self.waiting)


class UsageJournal:
    """Counts, and batches that wait to be acknowledged.

    `send(number, batch)` hands a batch to the link and says whether it left; `batch` holds `journal`, `hour_ms`
    and `counts`, and goes to `UsageTotals.take`. Call `connected()` when the link has come up and
    `acknowledge(number)` when a batch has arrived.
    """

    def __init__(self, path: Path, *, clock: Clock, send: Callable[[int, Mapping[str, Any]], bool]) -> None:
        self._path = path
        self._clock = clock
        self._send = send
        self._counters: dict[str, Counter] = {}
        self._noted: list[Tally] = []
        self._kept: dict[str, int] = {}  # since the last batch
        self._noted_kept: list[Tally] = []
        self._standing: dict[str, int] = {}
        self._replayed: dict[int, dict[str, int]] = {}  # kept counts of batches, until the file has been read
        self._standing_bytes = 0
        self._waiting: dict[int, Batch] = {}  # in the order of their numbers
        self._unsynced: dict[int, Batch] = {}  # journal lines that are not on the disk yet
        self._next_number = 1
        self._acknowledged = 0
        self._file = -1
        self._bytes = 0
        self._is_failing = False
        self._journal_id = random_id(16)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="usage")
        self._tasks = Tasks("usage")

    def counter(self, key: str) -> Counter:
        """Give the counter of `key`; the same one every time."""
        found = self._counters.get(key)
        if found is None:
            found = self._counters[key] = Counter()
        return found

    def counted(self, name: str) -> Tally:
        """Give what counts `name`. For names that come and go, such as a key's day."""
        return Tally(name, self._noted)

    def kept(self, name: str) -> Tally:
        """Give what counts `name`, which is not sent, and stands here for good."""
        return Tally(name, self._noted_kept)

    def standing(self, name: str) -> int:
        """Give what a kept count stands at."""
        self._collect_kept()
        return self._standing.get(name, 0)

    def _collect_kept(self) -> None:
        for name, count in collect(self._noted_kept, self._kept).items():
            self._standing[name] = self._standing.get(name, 0) + count

    # -- life

    def open(self) -> None:
        """Read what an earlier process left behind. Raises: SettingsError, OSError."""
        self._read()
        self._rewrite(self._picture())

    def _read(self) -> None:
        content = self._path.read_bytes() if self._path.exists() else b""
        self._replay(content)
        for kept in self._replayed.values():
            for name, count in kept.items():
                self._standing[name] = self._standing.get(name, 0) + count
        self._replayed = {}
        self._standing = _last_of_groups(self._standing)

    @staticmethod
    def standing_in(path: Path, *, clock: Clock) -> Mapping[str, int]:
        """Give the kept counts of another process's journal as they are on the disk. Raises: SettingsError, OSError."""
        journal = UsageJournal(path, clock=clock, send=lambda _number, _batch: False)
        journal._read()
        return journal._standing

    def start(self) -> None:
        """Begin to make batches."""
        self._tasks.spawn(self._flush_on(), name="flush")

    async def close(self) -> None:
        """Journal what was counted and stop."""
        await self._tasks.close()
        await self.flush()
        self._writer.shutdown(wait=True)
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _replay(self, content: bytes) -> None:
        lines = content.split(b"\n")
        torn = lines.pop()  # empty when the last line is whole
        if torn:
            log.warning("the usage journal ends in a torn line", extra={"path": str(self._path), "bytes": len(torn)})
        for position, line in enumerate(lines):
            try:
                self._replay_line(orjson.loads(line))
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
                raise SettingsError(
                    f"{self._path} line {position + 1} is not a usage journal's: {error}. "
                    "Move the file away to start without it; the counts in it are lost then"
                ) from error

    def _replay_line(self, value: dict[str, Any]) -> None:
        if "journal" in value:
            self._journal_id = str(value["journal"])
            return
        if "acknowledged" in value:
            self._forget(int(value["acknowledged"]))
            self._next_number = max(self._next_number, self._acknowledged + 1)
            return
        if "standing" in value:
            self._standing.update({str(name): int(count) for name, count in value["standing"].items()})
            return
        counts = {str(key): int(count) for key, count in value["counts"].items()}
        if "kept" in value:  # a later line of a batch replaces an earlier one
            self._replayed[int(value["number"])] = {str(name): int(count) for name, count in value["kept"].items()}
        batch = Batch(int(value["number"]), int(value["hour_ms"]), counts, is_handed_out=True)
        if batch.number > self._acknowledged:
            self._waiting[batch.number] = batch
        self._next_number = max(self._next_number, batch.number + 1)

    # -- batches

    async def _flush_on(self) -> None:
        while True:
            await asyncio.sleep(BATCH_AFTER_MS / 1000)
            await self.flush()
            self.send_waiting()

    async def flush(self) -> None:
        """Make a batch of what was counted, put it on the disk, and let it be sent."""
        self._collect()
        if not self._unsynced:
            return
        batches = list(self._unsynced.values())
        lines = b"".join(batch.line() for batch in batches)
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._writer, self._append, lines)
        except OSError as error:
            self._failed(error)
            return
        self._is_failing = False
        for batch in batches:
            self._unsynced.pop(batch.number, None)
            self._waiting[batch.number] = batch
        if self._bytes > JOURNAL_BYTES_MAX + 2 * self._standing_bytes:
            self._compact()

    def _collect(self) -> None:
        counts = {key: counter.pending for key, counter in self._counters.items() if counter.pending}
        for key in counts:
            self._counters[key].pending = 0
        collect(self._noted, counts)
        self._collect_kept()
        kept, self._kept = self._kept, {}
        if not counts and not kept:
            return
        hour_ms = self._clock.now_ms() // HOUR_MS * HOUR_MS
        batch = self._open_batch(hour_ms)
        for key, count in counts.items():
            batch.counts[key] = batch.counts.get(key, 0) + count
        for name, count in kept.items():
            batch.kept[name] = batch.kept.get(name, 0) + count

    def _open_batch(self, hour_ms: int) -> Batch:
        """Give the batch that further counts go to: the last one, while it is nobody else's; else a new one."""
        last = next(reversed(self._unsynced.values()), None) or next(reversed(self._waiting.values()), None)
        if last is None or last.is_handed_out or last.hour_ms != hour_ms:
            last = Batch(self._next_number, hour_ms, {})
            self._next_number += 1
        self._unsynced[last.number] = last
        self._waiting.pop(last.number, None)
        return last

    def _append(self, lines: bytes) -> None:
        if self._file < 0:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        start = os.fstat(self._file).st_size
        try:
            _write_all(self._file, lines)
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, start)  # half a line must not stay in front of the next
            raise
        self._bytes = start + len(lines)

    def _failed(self, error: OSError) -> None:
        if not self._is_failing:
            log.error("usage counts stay in memory", extra={"path": str(self._path), "error": str(error)})
        self._is_failing = True

    # -- sending

    def connected(self) -> None:
        """Send everything that is not acknowledged, again if need be."""
        for batch in self._waiting.values():
            batch.sent_at_ms = 0
        self.send_waiting()

    def send_waiting(self) -> None:
        """Send what is on the disk and was not sent, or has got no acknowledgement for `RESEND_AFTER_MS`."""
        now_ms = self._clock.now_ms()
        for batch in self._waiting.values():
            if batch.sent_at_ms and now_ms - batch.sent_at_ms < RESEND_AFTER_MS:
                continue
            if not self._send(batch.number, self._as_sent(batch)):
                return
            batch.is_handed_out = True
            batch.sent_at_ms = now_ms

    def _as_sent(self, batch: Batch) -> dict[str, Any]:
        return {"journal": self._journal_id, "hour_ms": batch.hour_ms, "counts": batch.counts}

    def acknowledge(self, number: int) -> None:
        """Forget the batch `number` and those before it: they are durable elsewhere."""
        before = self._acknowledged
        self._forget(number)
        if self._acknowledged == before or self._file < 0:
            return
        line = orjson.dumps({"acknowledged": self._acknowledged}, option=orjson.OPT_APPEND_NEWLINE)
        self._writer.submit(self._append_quietly, line)
        grown = self._bytes - 2 * self._standing_bytes
        if not self._waiting and not self._unsynced and grown > JOURNAL_BYTES_MAX // 16:
            self._compact()

    def _append_quietly(self, line: bytes) -> None:
        try:
            self._append(line)
        except OSError as error:
            self._failed(error)  # a batch may be sent twice after a restart: the receiver knows its number

    def _forget(self, number: int) -> None:
        self._acknowledged = max(self._acknowledged, number)
        for each in [known for known in self._waiting if known <= number]:
            del self._waiting[each]

    # -- writing anew

    def _compact(self) -> None:
        self._writer.submit(self._rewrite_quietly, self._picture())

    def _picture(self) -> _Picture:
        """Give what the file should hold. Batches in it take no more in: their kept counts are in the sums."""
        self._collect_kept()
        standing = dict(self._standing)
        for kept in (self._kept, *(batch.kept for batch in self._unsynced.values())):  # their lines will add it
            for name, count in kept.items():
                standing[name] = standing.get(name, 0) - count
        for batch in self._waiting.values():
            batch.is_handed_out = True
        return _Picture(self._journal_id, self._acknowledged, standing, list(self._waiting.values()))

    def _rewrite_quietly(self, picture: _Picture) -> None:
        try:
            self._rewrite(picture)
        except OSError as error:
            self._failed(error)

    def _rewrite(self, picture: _Picture) -> None:
        sums = picture.sums()
        self._standing_bytes = len(sums)
        whole = picture.head() + sums + picture.batches()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            _write_all(handle, whole)
            os.fsync(handle)
        finally:
            os.close(handle)
        Path(name).replace(self._path)
        _sync_directory(self._path.parent)
        if self._file >= 0:
            os.close(self._file)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._bytes = len(whole)

    @property
    def waiting(self) -> int:
        """Give the number of batches that are not acknowledged."""
        return len(self._waiting) + len(self._unsynced)


def _last_of_groups(standing: dict[str, int]) -> dict[str, int]:
    """Give the last `GROUP_KEPT` names of each group, by what follows the last slash."""
    groups: dict[str, list[str]] = {}
    for name in standing:
        groups.setdefault(name.rpartition("/")[0], []).append(name)
    return {name: standing[name] for names in groups.values() for name in sorted(names)[-GROUP_KEPT:]}


def _write_all(file: int, content: bytes) -> None:
    written = 0
    while written < len(content):
        written += os.write(file, content[written:])


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


HOURS_KEPT: Final = 35 * 24


class UsageTotals:
    """What a receiver keeps of gateways' usage: counts per hour, and which batches of each journal are in them.

    Batches may arrive twice and, because their takers run side by side, in any order; each counts once.
    """

    def __init__(self, value: Mapping[str, Any] | None = None) -> None:
        """Start from what `to_json` gave, or from nothing."""
        value = value or {}
        self._taken: dict[str, tuple[int, set[int]]] = {
            journal: (int(taken[0]), set(taken[1:])) for journal, taken in value.get("taken", {}).items()
        }
        self.hours: dict[str, dict[str, int]] = {
            hour: {key: int(count) for key, count in counts.items()} for hour, counts in value.get("hours", {}).items()
        }

    def take(self, number: int, batch: Mapping[str, Any]) -> bool:
        """Add a batch once; say whether it was new. Make the result durable before acknowledging it."""
        journal = str(batch["journal"])
        up_to, ahead = self._taken.get(journal, (0, set()))
        if number <= up_to or number in ahead:
            return False
        ahead = ahead | {number}
        while up_to + 1 in ahead:
            up_to += 1
            ahead.remove(up_to)
        self._taken[journal] = (up_to, ahead)
        hour = self.hours.setdefault(str(batch["hour_ms"]), {})
        for key, count in batch["counts"].items():
            hour[key] = hour.get(key, 0) + int(count)
        for oldest in sorted(self.hours, key=int)[:-HOURS_KEPT]:
            del self.hours[oldest]
        return True

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for a record."""
        taken = {journal: [up_to, *sorted(ahead)] for journal, (up_to, ahead) in self._taken.items()}
        return {"taken": taken, "hours": self.hours}
