"""Removes unpacked code that no function names any more. The packages stay among the assets, to be unpacked again.

A directory goes an hour after it was first seen unnamed: by then no invocation runs on it, which takes 15 minutes at
most, and no deployment that has just unpacked it is still under way.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.tasks import Tasks
from gatepost.services.lambda_.layer_files import merged_digest
from gatepost.services.lambda_.layers import LayerVersion
from gatepost.services.lambda_.model import Function
from gatepost.services.lambda_.unsynced_code import mark_path

log = logging.getLogger(__name__)

UNNAMED_MS: Final = 60 * 60 * 1000
SWEEP_S: Final = 10 * 60.0
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MARK: Final = re.compile(r"\.([0-9a-f]{64})\.python\d+\.\d+", re.ASCII)


class CodeSweep:
    """Sweeps a directory of unpacked code. `named` gives the digests that are in use."""

    def __init__(
        self,
        folder: Path,
        named: Callable[[], set[str]],
        clock: Clock,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._folder = folder
        self._named = named
        self._clock = clock
        self._pause = pause
        self._unnamed_since_ms: dict[str, int] = {}
        self._tasks = Tasks("code")

    def start(self) -> None:
        """Sweep now and then from now on."""
        self._tasks.spawn(self._run(), name="sweep")

    async def close(self) -> None:
        """Stop sweeping."""
        await self._tasks.close()

    async def _run(self) -> None:
        while True:
            await self.sweep()
            await self._pause(SWEEP_S)

    async def sweep(self) -> int:
        """Remove what has been unnamed for an hour, and give how many directories that were."""
        loop = asyncio.get_running_loop()
        there = await loop.run_in_executor(None, _digests, self._folder)
        named, now_ms = self._named(), self._clock.now_ms()
        since = {name: self._unnamed_since_ms.get(name, now_ms) for name in there if name not in named}
        old = [name for name, at_ms in since.items() if now_ms - at_ms >= UNNAMED_MS]
        self._unnamed_since_ms = {name: at_ms for name, at_ms in since.items() if name not in old}
        for name in old:
            if name not in self._named():  # a deployment may have come meanwhile
                await loop.run_in_executor(None, _remove, self._folder, name)
        return len(old)


def digests_of(functions: Iterable[Function], layers: Iterable[LayerVersion]) -> set[str]:
    """Give the digests of everything that functions and layers need unpacked."""
    found = {layer.sha256 for layer in layers}
    for function in functions:
        shas = [str(layer["sha256"]) for layer in function.layers]
        found.update((function.code_sha256, merged_digest(shas), *shas))
    return found


def _digests(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir() if _DIGEST.fullmatch(path.name)]
    except OSError as error:
        log.warning("code not swept", extra={"error": str(error)})
        return []


def _remove(folder: Path, name: str) -> None:
    gone = folder / f".{name}.0.00000000"  # a name that the sweep of leftovers knows, should this be interrupted
    try:
        (folder / name).rename(gone)
    except OSError as error:
        log.warning("code not removed", extra={"error": str(error)})
        return
    shutil.rmtree(gone, ignore_errors=True)
    mark_path(folder, name).unlink(missing_ok=True)
    for mark in folder.glob(f".{name}.python*"):
        if _MARK.fullmatch(mark.name):
            mark.unlink(missing_ok=True)
