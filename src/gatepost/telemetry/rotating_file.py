"""A log file that grows to a bound and is then set aside, written by a thread of its own.

Whoever logs hands in bytes and goes on: the event loop never waits for a disk. When the thread cannot keep up,
the oldest batches are dropped and counted; when the disk refuses, that is logged once and batches are counted
until it works again.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
FILES_KEPT: Final = 4
BATCHES_WAITING_MAX: Final = 256


class RotatingFile:
    """Appends batches of lines to `path`; at `file_bytes_max` it becomes `path.1`, that `path.2`, and so on."""

    def __init__(self, path: Path, *, file_bytes_max: int = FILE_BYTES_MAX, files_kept: int = FILES_KEPT) -> None:
        self._path = path
        self._file_bytes_max = file_bytes_max
        self._files_kept = files_kept
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._is_closing = False
        self._is_failing = False
        self.batches_dropped = 0
        self._file = -1
        self._bytes = 0
        self._thread = threading.Thread(target=self._write_on, name=f"write {path.name}", daemon=True)
        self._thread.start()

    def put(self, batch: bytes) -> None:
        """Hand over whole lines. Never waits for the disk."""
        with self._changed:
            if len(self._waiting) >= BATCHES_WAITING_MAX:
                self._waiting.popleft()
                self.batches_dropped += 1
            self._waiting.append(batch)
            self._changed.notify()

    def close(self) -> None:
        """Write what waits and end the thread; waits at most 5 s for a disk that hangs."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(timeout=5)

    def _write_on(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._is_closing:
                    self._changed.wait()
                if not self._waiting:
                    break
                batches, self._waiting = self._waiting, deque()
            self._write(b"".join(batches), len(batches))
        if self._file >= 0:
            os.close(self._file)

    def _write(self, content: bytes, batches: int) -> None:
        try:
            if self._file < 0:
                self._open()
            if self._bytes and self._bytes + len(content) > self._file_bytes_max:
                self._rotate()
            written = 0
            while written < len(content):
                written += os.write(self._file, content[written:])
            self._bytes += len(content)
            self._is_failing = False
        except OSError as error:
            self.batches_dropped += batches
            if not self._is_failing:
                self._is_failing = True
                log.error("cannot write a log file", extra={"path": str(self._path), "error": str(error)})

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._bytes = os.fstat(self._file).st_size

    def _rotate(self) -> None:
        os.close(self._file)
        self._file = -1
        for number in range(self._files_kept - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))
        self._numbered(self._files_kept).unlink(missing_ok=True)
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
