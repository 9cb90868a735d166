"""A disk that can lose power: records what SQLite writes and syncs, and gives the files as a cut would leave them.

What was synced is there. Of what was written after the last sync of a file, each 512-byte sector may have reached
the disk or not, independently and in any order, and a file may have any length between the two.
"""

from __future__ import annotations

import random
import threading
from pathlib import Path

import apsw

from gatepost.storage.sqlite import Database

SECTOR = 512


class Disk:
    """What has been written to each file, and how much of it is certain."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.synced: dict[str, bytearray] = {}
        self.pending: dict[str, list[tuple[str, int, bytes]]] = {}

    def write(self, name: str, offset: int, data: bytes) -> None:
        with self.lock:
            self.pending.setdefault(name, []).append(("write", offset, data))

    def truncate(self, name: str, size: int) -> None:
        with self.lock:
            self.pending.setdefault(name, []).append(("truncate", size, b""))

    def sync(self, name: str) -> None:
        with self.lock:
            content = self.synced.setdefault(name, bytearray())
            for step in self.pending.pop(name, []):
                _apply(content, step)

    def delete(self, name: str) -> None:
        with self.lock:
            self.synced.pop(name, None)
            self.pending.pop(name, None)

    def after_power_cut(self, folder: Path, chance: random.Random) -> None:
        """Write the files into `folder` as they may be found after a cut at this moment."""
        with self.lock:
            for name in self.synced.keys() | self.pending.keys():
                content = bytearray(self.synced.get(name, b""))
                for step in self.pending.get(name, []):
                    for part in _sectors(step):
                        if chance.random() < 0.5:
                            _apply(content, part)
                (folder / Path(name).name).write_bytes(content)


def _apply(content: bytearray, step: tuple[str, int, bytes]) -> None:
    kind, at, data = step
    if kind == "truncate":
        del content[at:]
        return
    if len(content) < at + len(data):
        content.extend(bytes(at + len(data) - len(content)))
    content[at : at + len(data)] = data


def _sectors(step: tuple[str, int, bytes]):
    kind, at, data = step
    if kind == "truncate":
        yield step
        return
    start = 0
    while start < len(data):
        end = min(len(data), start + SECTOR - (at + start) % SECTOR)
        yield kind, at + start, data[start:end]
        start = end


class RecordingVfs(apsw.VFS):
    """SQLite's own file system, with a record of what passes."""

    def __init__(self, name: str, disk: Disk) -> None:
        self.disk = disk
        super().__init__(name, "")

    def xOpen(self, name, flags):
        return RecordingFile(self.disk, name, flags)

    def xDelete(self, filename, syncdir):
        super().xDelete(filename, syncdir)
        self.disk.delete(filename)


class RecordingFile(apsw.VFSFile):
    """One file of it."""

    def __init__(self, disk: Disk, name, flags) -> None:
        super().__init__("", name, flags)
        self.disk = disk
        self.name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)

    def xWrite(self, data, offset):
        super().xWrite(data, offset)
        self.disk.write(self.name, offset, bytes(data))

    def xTruncate(self, newsize):
        super().xTruncate(newsize)
        self.disk.truncate(self.name, newsize)

    def xSync(self, flags):
        super().xSync(flags)
        self.disk.sync(self.name)


class DatabaseOnDisk(Database):
    """A `Database` whose writer uses the recording file system. It is exclusive: nothing may read beside it."""

    def __init__(self, *arguments, vfs: str, **options) -> None:
        super().__init__(*arguments, **options)
        self._vfs = vfs
        self._has_writer = False

    def _make_connection(self) -> apsw.Connection:
        if self._has_writer:
            return apsw.Connection(":memory:")
        self._has_writer = True
        connection = apsw.Connection(str(self.path), vfs=self._vfs)
        connection.pragma("locking_mode", "exclusive")
        return connection
