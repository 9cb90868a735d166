"""Which files of a package are those of one that was unpacked before: they are linked, not written again."""

from __future__ import annotations

import contextlib
import os
import stat
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LENGTHS_AT: Final = 26  # in an entry's own header: of its name and of its extra field, which its bytes follow
_LENGTHS: Final = struct.Struct("<HH")


@dataclass(frozen=True, slots=True)
class Twin:
    """Code of the same function that is unpacked already: its package and its digest."""

    archive: Path
    sha256: str


class Unchanged:
    """Finds the files of a package in the directory of one that was unpacked before: same name, mode and packed bytes.

    Unpacked files are never written again, so that two directories may share them. CRC and size alone would not do:
    whoever may upload one package could have his file taken for another's of the same checksum. Use it as a context
    manager. Paths are texts: there may be thousands, and somebody who has saved a file waits.
    """

    def __init__(self, archive: Path, like: Twin | None, functions: Path) -> None:
        self._folder = str(functions / like.sha256 if like is not None else functions)
        self._archive = archive
        self._before = like.archive if like is not None else archive
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self._brought: set[str] = set()  # paths of the files of the package before, however it spells them
        self._caches: dict[str, list[str]] = {}
        self._folders_made: set[str] = set()
        self._files = contextlib.ExitStack()
        if like is not None and os.path.isdir(self._folder):  # noqa: PTH112 - a text, see above
            try:
                with zipfile.ZipFile(like.archive) as content:
                    self._entries = {entry.filename: entry for entry in content.infolist()}
                    self._brought = {plain_path(name) for name in self._entries}
            except (OSError, zipfile.BadZipFile):
                self._entries = {}

    def __enter__(self) -> Unchanged:
        """Open the two packages, if there are two."""
        if self._entries:
            self._now_file = self._files.enter_context(self._archive.open("rb")).fileno()
            self._before_file = self._files.enter_context(self._before.open("rb")).fileno()
        return self

    def __exit__(self, *error: object) -> None:
        """Close them."""
        self._files.close()

    def link(self, entry: zipfile.ZipInfo, path: str) -> bool:
        """Make `path` the unpacked file of `entry`, and say whether there was one.

        Raises: FileExistsError when the package has had a file of this name before.
        """
        twin = self._entries.get(entry.filename)
        if twin is None or not _is_alike(twin, entry):
            return False
        source = f"{self._folder}/{entry.filename}"
        try:
            found = os.lstat(source)
            if not stat.S_ISREG(found.st_mode) or found.st_size != entry.file_size:
                return False
            if _packed(self._now_file, entry) != _packed(self._before_file, twin):
                return False
            os.link(source, path)
        except FileExistsError:
            raise
        except OSError:
            return False  # another file system, too many links
        if path.endswith(".py"):
            self._link_bytecode(source, path)
        return True

    def _link_bytecode(self, source: str, path: str) -> None:
        """Take over what was compiled here of an unchanged module; never bytecode that came in the other package."""
        parent, _, module = source.rpartition("/")
        cache = f"{parent}/__pycache__"
        names = self._caches.get(cache)
        if names is None:
            names = self._caches[cache] = self._own_bytecode(cache)
        stem = module[: -len("py")]
        for name in names:
            if name.startswith(stem):
                folder = f"{path.rpartition('/')[0]}/__pycache__"
                with contextlib.suppress(OSError):
                    self._make_folder(folder)
                    os.link(f"{cache}/{name}", f"{folder}/{name}")

    def _own_bytecode(self, cache: str) -> list[str]:
        """Give the names of bytecode in a folder of it, without what the package brought."""
        if not os.path.isdir(cache) or os.path.islink(cache):  # noqa: PTH112, PTH114
            return []
        start = len(self._folder) + 1
        names = [name for name in os.listdir(cache) if name.endswith(".pyc")]  # noqa: PTH208
        return [name for name in names if f"{cache[start:]}/{name}" not in self._brought]

    def _make_folder(self, folder: str) -> None:
        if folder not in self._folders_made:
            os.makedirs(folder, mode=0o755, exist_ok=True)  # noqa: PTH103
            os.chmod(folder, 0o755)  # noqa: PTH101, S103
            self._folders_made.add(folder)


def plain_path(name: str) -> str:
    """Give an entry's path as it is unpacked: without empty parts and dots."""
    return "/".join(part for part in name.split("/") if part not in {"", "."})


def _is_alike(one: zipfile.ZipInfo, other: zipfile.ZipInfo) -> bool:
    """Say whether all is equal of two entries but their names, places and packed bytes."""
    return (
        one.CRC == other.CRC
        and one.file_size == other.file_size
        and one.compress_size == other.compress_size
        and one.compress_type == other.compress_type
        and one.flag_bits == other.flag_bits
        and one.external_attr == other.external_attr
    )


def _packed(file: int, entry: zipfile.ZipInfo) -> bytes:
    """Give an entry's bytes as they stand in the zip, compressed; less than it should have when it lies."""
    at = entry.header_offset + _LENGTHS_AT
    head = os.pread(file, _LENGTHS.size, at)
    if len(head) < _LENGTHS.size:
        return head
    name, extra = _LENGTHS.unpack(head)
    return os.pread(file, entry.compress_size, at + _LENGTHS.size + name + extra)
