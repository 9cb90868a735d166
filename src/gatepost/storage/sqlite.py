"""One SQLite file: a writer thread with group commit, and a reader beside it.

The idea: every write is a function over a cursor. What one turn of the event loop writes is handed to the writer
thread at its end (one by one, the two threads would fight for the interpreter). The writer thread takes all
functions that wait, runs them in one transaction, each in a savepoint of its own, and commits once; only then does
anyone get an answer. So a hundred clients that write at the same time pay for one sync. A function that raises
undoes its own work and nobody else's. A commit that fails fails everyone in the group: nothing is acknowledged that
is not durable.

Invariants:
- the writer thread alone writes; the event loop reads through `reader`, which sees only what is committed;
- the reads of one turn of the event loop may share a transaction (`turn_reader`), but it ends with the turn, and
  before anybody hears that a later write is done: no read is older than an acknowledged write, and the WAL is
  held back by a turn at most;
- with durability "full" a commit returns after the sync of the WAL (`synchronous=FULL`): it survives power
  loss; with "process" it survives `kill -9` only (`synchronous=NORMAL`);
- after a failed commit the connection is opened anew, because what the kernel still holds of a failed sync is
  unknown.

Tried and rejected: one transaction for each write (0.9 ms each, and a ceiling of about 1,000 writes a
second); `synchronous=NORMAL` (lost acknowledged writes in 18 of 25 simulated power cuts); the standard
library's sqlite3 (its SQLite may lie in the range with the WAL-reset corruption, 3.7.0 to 3.51.2); mapping the file
into memory (2 µs less for a read by its key from a large table, nothing for a range, and a page that the disk cannot
read is SIGBUS for the whole process instead of an error for whoever asked for it).

Source: https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, Literal, TypeVar

import apsw

from gatepost.kernel.errors import SettingsError, StoreFull, StoreUnavailable

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Work = Callable[[apsw.Cursor], Result]

GROUP_MAX: Final = 512  # writes in one transaction
QUEUED_MAX: Final = 20_000  # writes that may wait; more are refused
BUSY_TIMEOUT_MS: Final = 5_000
CACHE_KIB: Final = 8_192
STATEMENTS_CACHED: Final = 200
# A failure of the store itself, which concerns every write of a group.
LOST: Final = (apsw.IOError, apsw.FullError, apsw.CorruptError, apsw.NoMemError, apsw.ReadOnlyError)
SQLITE_SAFE_FROM: Final = (3, 51, 3)  # https://www.sqlite.org/wal.html: the WAL-reset bug is fixed there


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema. Steps are numbered from 1 without gaps and never change once released."""

    version: int
    statements: tuple[str, ...]


@dataclass(slots=True)
class _Waiting:
    work: Callable[[apsw.Cursor], Any]
    answer: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Database:
    """One SQLite file with its writer thread. Open it once, inside the event loop that will use it."""

    def __init__(
        self,
        path: Path,
        *,
        durability: Literal["full", "process"],
        migrations: Sequence[Migration],
        repair: str = "restore it from a backup",
    ) -> None:
        """Take the file's path. `repair` says what to do when it is damaged."""
        if [step.version for step in migrations] != list(range(1, len(migrations) + 1)):
            raise ValueError("migrations are numbered from 1 without gaps")
        self.path = path
        self._durability = durability
        self._migrations = tuple(migrations)
        self._repair = repair
        self._of_this_turn: list[_Waiting] = []
        self._queue: SimpleQueue[list[_Waiting] | None] = SimpleQueue()
        self._queued = 0
        self._writer_thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reader: apsw.Connection | None = None
        self._writer: apsw.Connection | None = None
        self._is_turn_open = False
        self.commits = 0  # transactions since the start
        self.writes = 0  # writes in them

    @property
    def reader(self) -> apsw.Connection:
        """The event loop's own connection: it sees what is committed and cannot write."""
        if self._reader is None:
            raise StoreUnavailable(f"{self.path} is not open")
        return self._reader

    @property
    def turn_reader(self) -> apsw.Connection:
        """The event loop's connection in a transaction that all reads until the end of this turn of the loop share.

        Taking SQLite's shared lock and giving it back are two system calls, more than a read by its key costs.
        Whoever uses it has taken all its rows before it waits for anything. Raises: StoreUnavailable, apsw.Error.
        """
        reader = self.reader
        if not self._is_turn_open:
            assert self._loop is not None
            self._loop.call_soon(self._end_turn)  # first: what a writer answers from now on comes behind it
            reader.execute("BEGIN")
            self._is_turn_open = True
        return reader

    def _end_turn(self) -> None:
        if self._is_turn_open:
            self._is_turn_open = False
            if self._reader is not None and self._reader.in_transaction:
                try:
                    self._reader.execute("COMMIT")
                except apsw.Error as error:  # of a page that it could not read: whoever asked for it has been told
                    log.warning("a read did not end well", extra={"store": str(self.path), "error": str(error)})
                    with contextlib.suppress(apsw.Error):
                        self._reader.execute("ROLLBACK")

    async def open(self) -> None:
        """Open or create the file, bring its schema up to date and start the writer.

        Raises: SettingsError when the file is from a newer version, is no database or cannot be written.
        """
        if tuple(int(part) for part in apsw.sqlite_lib_version().split(".")) < SQLITE_SAFE_FROM:
            raise SettingsError(f"SQLite {apsw.sqlite_lib_version()} can lose data: install apsw 3.51.3 or later")
        self._loop = asyncio.get_running_loop()
        try:
            self._writer = self._connect()
            self._migrate(self._writer)
            self._reader = self._connect()
            self._reader.pragma("query_only", True)
        except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError) as error:
            raise SettingsError(
                f"{self.path} cannot be written ({error}): give its directory to this user or choose another --data"
            ) from error
        except (apsw.NotADBError, apsw.CorruptError) as error:
            raise SettingsError(
                f"{self.path} is damaged or is not a Gatepost store ({error}): {self._repair}"
            ) from error
        except (apsw.FullError, apsw.IOError) as error:
            raise SettingsError(f"{self.path} cannot be opened ({error}): is the disk full?") from error
        self._writer_thread = threading.Thread(target=self._write_groups, name=f"writer {self.path.name}", daemon=True)
        self._writer_thread.start()

    async def close(self) -> None:
        """Finish what was queued and close the file."""
        thread, self._writer_thread = self._writer_thread, None
        if thread is not None:
            self._hand_over()
            self._queue.put(None)
            await asyncio.get_running_loop().run_in_executor(None, thread.join)
        self._end_turn()
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None

    def write(self, work: Work[Result]) -> asyncio.Future[Result]:
        """Run `work` in the next group; the future is done when the group is durable.

        `work` runs in the writer thread: it may touch its cursor and values it was given, nothing else. What it
        raises undoes its own work and is raised to the caller. Raises: StoreUnavailable (disk full, a failed
        sync, more than 20,000 writes waiting, a store that is closed).
        """
        if self._writer_thread is None or self._loop is None:
            raise StoreUnavailable(f"{self.path} is not open")
        if self._queued >= QUEUED_MAX:
            raise StoreUnavailable(f"{self._queued} writes to {self.path.name} are waiting")
        answer: asyncio.Future[Result] = self._loop.create_future()
        self._queued += 1
        if not self._of_this_turn:
            self._loop.call_soon(self._hand_over)
        self._of_this_turn.append(_Waiting(work, answer))
        return answer

    def _hand_over(self) -> None:
        if self._of_this_turn:
            self._queue.put(self._of_this_turn)
            self._of_this_turn = []

    def _make_connection(self) -> apsw.Connection:
        return apsw.Connection(
            str(self.path),
            flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_NOMUTEX,
            statementcachesize=STATEMENTS_CACHED,
        )

    def _connect(self) -> apsw.Connection:
        connection = self._make_connection()
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full" if self._durability == "full" else "normal")
        connection.pragma("cache_size", -CACHE_KIB)
        connection.pragma("foreign_keys", False)
        connection.pragma("temp_store", "memory")
        return connection

    def _migrate(self, connection: apsw.Connection) -> None:
        found = int(connection.pragma("user_version"))
        newest = len(self._migrations)
        if found > newest:
            raise SettingsError(
                f"{self.path} has schema version {found} and this Gatepost knows {newest}: "
                "use the newer Gatepost that wrote it, or another --data"
            )
        for step in self._migrations[found:]:
            with connection:
                for statement in step.statements:
                    connection.execute(statement)
                connection.pragma("user_version", step.version)

    def _write_groups(self) -> None:
        """Be the writer thread: take what waits, run it, commit, answer; until None comes."""
        while True:
            first = self._queue.get()
            if first is None:
                return
            all_waiting = first
            is_last = False
            with contextlib.suppress(Empty):
                while len(all_waiting) < GROUP_MAX:
                    more = self._queue.get_nowait()
                    if more is None:
                        is_last = True
                        break
                    all_waiting += more
            for start in range(0, len(all_waiting), GROUP_MAX):
                group = all_waiting[start : start + GROUP_MAX]
                self._commit(group)
                assert self._loop is not None
                with contextlib.suppress(RuntimeError):  # the loop was closed: nobody is left to tell
                    self._loop.call_soon_threadsafe(self._answer, group)
            if is_last:
                return

    def _commit(self, group: list[_Waiting]) -> None:
        try:
            if self._writer is None:
                self._writer = self._connect()
            cursor = self._writer.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            if len(group) == 1:
                self._run_alone(cursor, group[0])
            else:
                for waiting in group:
                    self._run(cursor, waiting)
                cursor.execute("COMMIT")
        except apsw.Error as error:
            self._fail(group, error)
        else:
            self.commits += 1
            self.writes += len(group)

    @staticmethod
    def _run_alone(cursor: apsw.Cursor, waiting: _Waiting) -> None:
        """Run the only write of a group: the transaction is its own, so it needs no savepoint."""
        try:
            waiting.result = waiting.work(cursor)
        except LOST:
            raise
        except BaseException as error:  # noqa: BLE001 - handed to the caller, who knows it
            waiting.error = error
            cursor.execute("ROLLBACK")
        else:
            cursor.execute("COMMIT")

    @staticmethod
    def _run(cursor: apsw.Cursor, waiting: _Waiting) -> None:
        """Run one write in its savepoint. An I/O error is the whole group's; anything else is its own."""
        cursor.execute("SAVEPOINT own")
        try:
            waiting.result = waiting.work(cursor)
        except LOST:
            raise
        except BaseException as error:  # noqa: BLE001 - handed to the caller, who knows it
            waiting.error = error
            cursor.execute("ROLLBACK TO own")
        cursor.execute("RELEASE own")

    def _fail(self, group: list[_Waiting], error: apsw.Error) -> None:
        log.error("commit failed", extra={"store": str(self.path), "error": str(error), "writes": len(group)})
        is_full = isinstance(error, apsw.FullError)
        kind, reason = (StoreFull, "the disk is full") if is_full else (StoreUnavailable, f"SQLite says: {error}")
        for waiting in group:
            waiting.error = kind(f"{self.path.name} took no write, nothing was changed: {reason}")
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(apsw.Error):
                writer.close(True)

    def _answer(self, group: list[_Waiting]) -> None:
        self._end_turn()  # who is told of a write must not read what was there before it
        self._queued -= len(group)
        for waiting in group:
            if waiting.answer.done():  # the caller went away; the write stands
                continue
            if waiting.error is not None:
                waiting.answer.set_exception(waiting.error)
            else:
                waiting.answer.set_result(waiting.result)
