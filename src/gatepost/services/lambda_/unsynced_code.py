"""Directories of unpacked code that a power cut might leave half written, until the kernel has written them.

Whoever saves a file with `--watch` waits for new code, and code can be unpacked again from its package: so it is
used at once and written to the disk a little later. A mark beside the directory, durable before the directory has its
name, says in which run of the machine that was. A mark of an earlier run means: nobody knows, unpack it again.
"""

from __future__ import annotations

import ctypes
import logging
import os
import re
import shutil
from pathlib import Path
from typing import Final

from gatepost.storage.data_directory import run_of_the_machine, sync_folder

log = logging.getLogger(__name__)

_MARK: Final = re.compile(r"\.([0-9a-f]{64})\.unsynced", re.ASCII)


def mark_path(functions: Path, sha256: str) -> Path:
    """Give where the mark of a directory of code is."""
    return functions / f".{sha256}.unsynced"


def mark(functions: Path, sha256: str) -> bool:
    """Mark the directory of `sha256`, which is not there yet; False when no mark would help here. Raises: OSError."""
    run = run_of_the_machine()
    if not run:
        return False
    mark_path(functions, sha256).write_text(run)
    sync_folder(functions)
    return True


def settle(functions: Path, sha256: str) -> None:
    """Write a marked directory to the disk and take its mark away. Blocks: call it in a thread."""
    path = mark_path(functions, sha256)
    if not path.exists():
        return
    try:
        sync_file_system(functions)
        path.unlink(missing_ok=True)
    except OSError as error:  # the mark stays: the code is unpacked again after the next start
        log.warning("code not synced", extra={"error": str(error)})


def remove_unsettled(functions: Path) -> None:
    """Remove code that the machine may have stopped in the middle of, and settle what it has not. Blocks."""
    run = run_of_the_machine()
    for path in functions.glob(".*.unsynced"):
        found = _MARK.fullmatch(path.name)
        if not found:
            continue
        try:
            if path.read_text() == run:
                settle(functions, found[1])
                continue
            shutil.rmtree(functions / found[1], ignore_errors=True)
            for compiled in functions.glob(f".{found[1]}.python*"):
                compiled.unlink(missing_ok=True)
            sync_folder(functions)
            path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("code not removed", extra={"error": str(error)})


def sync_file_system(folder: Path) -> None:
    """Write all that waits in a folder's file system to the disk. Raises: OSError."""
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)
