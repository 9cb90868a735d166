"""Removes assets that nothing names any more: packages, templates and documents of what was deleted or replaced.

An asset is named by its SHA-256. It is in use when those 64 digits stand in any record, whatever its kind, or in a
template that is in use itself: a stack's last template, to which it may roll back, is in its record. What nothing has
named at two sweeps in a row, and nobody has uploaded or asked for within a day, goes. When a record cannot be read,
nothing goes.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

import apsw

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import StoreUnavailable
from gatepost.kernel.tasks import Tasks
from gatepost.security.sealing import Seal
from gatepost.storage.sealed import opened_value

log = logging.getLogger(__name__)

SWEEP_S: Final = 60 * 60.0
FIRST_SWEEP_S: Final = 5 * 60.0  # not while a start has more to do
UNUSED_MS: Final = 24 * 60 * 60 * 1000
TEMPLATE_BYTES_MAX: Final = 2 * 1024 * 1024  # larger files are packages, and packages name nothing
ZIP: Final = b"PK\x03\x04"
_NAME: Final = re.compile(rb"[0-9a-f]{64}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_ALL: Final = "SELECT kind, account_id, region, id, value FROM records"


class AssetSweep:
    """Sweeps the folder of assets. `records` is the database's file; it is read beside whoever writes it."""

    def __init__(
        self,
        folder: Path,
        records: Path,
        seal: Seal,
        clock: Clock,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._folder = folder
        self._records = records
        self._seal = seal
        self._clock = clock
        self._pause = pause
        self._unnamed: set[str] = set()  # at the last sweep
        self._tasks = Tasks("assets")

    def start(self) -> None:
        """Sweep now and then from now on."""
        self._tasks.spawn(self._run(), name="sweep")

    async def close(self) -> None:
        """Stop sweeping."""
        await self._tasks.close()

    async def _run(self) -> None:
        await self._pause(FIRST_SWEEP_S)
        while True:
            await self.sweep()
            await self._pause(SWEEP_S)

    async def sweep(self) -> int:
        """Remove what has been unnamed at two sweeps, and give how many assets that were."""
        return await asyncio.get_running_loop().run_in_executor(None, self._sweep, self._clock.now_ms())

    def _sweep(self, now_ms: int) -> int:
        try:
            return self._remove(now_ms)
        except (apsw.Error, StoreUnavailable, OSError) as error:
            log.warning("assets not swept", extra={"error": str(error)})
            return 0

    def _remove(self, now_ms: int) -> int:
        there = {path.name: path for path in self._folder.iterdir() if _DIGEST.fullmatch(path.name)}
        named = self._named(there)
        unnamed = {name for name, path in there.items() if name not in named and _is_old(path, now_ms)}
        gone = unnamed & self._unnamed
        self._unnamed = unnamed - gone
        for name in gone:
            there[name].unlink(missing_ok=True)
        if gone:
            log.info("unused assets removed", extra={"count": len(gone)})
        return len(gone)

    def _named(self, there: dict[str, Path]) -> set[str]:
        """Give the assets that records name, and those that named templates name. Raises: apsw.Error, OSError."""
        named: set[str] = set()
        todo = self._in_records() & there.keys()
        while todo:
            named |= todo
            todo = {name for known in todo for name in _names_in(there[known])} & there.keys() - named
        return named

    def _in_records(self) -> set[str]:
        connection = apsw.Connection(str(self._records), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            connection.set_busy_timeout(5_000)
            found: set[str] = set()
            for *key, value in connection.execute(_ALL):
                found.update(_texts(_NAME.findall(opened_value(self._seal, key, value))))
            return found
        finally:
            connection.close()


def _is_old(path: Path, now_ms: int) -> bool:
    try:
        return now_ms - path.stat().st_mtime * 1000 > UNUSED_MS
    except OSError:
        return False


def _names_in(path: Path) -> set[str]:
    if path.stat().st_size > TEMPLATE_BYTES_MAX:
        return set()
    content = path.read_bytes()
    return set() if content.startswith(ZIP) else _texts(_NAME.findall(content))


def _texts(found: Iterable[bytes]) -> set[str]:
    return {name.decode("ascii") for name in found}
