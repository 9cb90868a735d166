"""A function's code: from the zip that was uploaded to a read-only directory, once for each digest.

A zip is a stranger's: names that leave the directory, links that point out of it, and more bytes than Lambda allows
are refused, counted while unpacking and not by what the zip says of itself.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import IO, Final

from gatepost.kernel.limits import LAMBDA_UNZIPPED_BYTES_MAX

ENTRIES_MAX: Final = 100_000
CHUNK_BYTES: Final = 1024 * 1024
LINK_BYTES_MAX: Final = 4096
_SCRATCH: Final = re.compile(r"\.[0-9a-f]{64}\.(\d+)\.[0-9a-f]{8}")
SYNCED_ONE_BY_ONE_MAX: Final = 200
_LENGTHS_AT: Final = 26  # in an entry's own header: of its name and of its extra field, which its bytes follow


class BadCode(Exception):
    """A zip that is not unpacked. `is_too_large` when only its size is wrong."""

    def __init__(self, message: str, *, is_too_large: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.is_too_large = is_too_large


def extract(archive: Path, sha256: str, functions: Path, like: Twin | None = None) -> Path:
    """Unpack `archive` to `functions/sha256` unless it is there, and give that directory. Blocks: call it in a thread.

    Files that `like` has, too, are linked and not written again, with their bytecode. The directory appears whole or
    not at all, and what it holds is on the disk before. Raises: BadCode, OSError.
    """
    target = functions / sha256
    if target.is_dir():
        return target
    scratch = functions / f".{sha256}.{os.getpid()}.{os.urandom(4).hex()}"
    try:
        scratch.mkdir(mode=0o755)
        scratch.chmod(0o755)
        try:
            with zipfile.ZipFile(archive) as content, Unchanged(archive, like, functions) as unchanged:
                _unpack(content, scratch, unchanged)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            # NotImplementedError: a compression we lack; RuntimeError: an encrypted zip.
            raise BadCode("Could not unzip uploaded file. Please check your file, then try to upload again.") from error
        _sync(scratch)
        try:
            scratch.rename(target)
        except OSError:
            if not target.is_dir():  # not a race with another process that unpacked the same
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def remove_leftovers(functions: Path) -> None:
    """Remove what a process that was killed while unpacking left behind. Blocks: call it in a thread."""
    for path in functions.glob(".*"):
        found = _SCRATCH.fullmatch(path.name)
        if found and not Path(f"/proc/{found[1]}").exists():
            shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Twin:
    """Code of the same function that is unpacked already: its package and its digest."""

    archive: Path
    sha256: str


class Unchanged:
    """Finds the files of a package in the directory of one that was unpacked before: same name, mode and packed bytes.

    Unpacked files are never written again, so that two directories may share them. CRC and size alone would not do:
    whoever may upload one package could have his file taken for another's of the same checksum. Use it as a context
    manager.
    """

    def __init__(self, archive: Path, like: Twin | None, functions: Path) -> None:
        self._folder = functions / like.sha256 if like is not None else functions
        self._archive = archive
        self._before = like.archive if like is not None else archive
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self._caches: dict[Path, list[str]] = {}
        self._files = contextlib.ExitStack()
        if like is not None and self._folder.is_dir():
            try:
                with zipfile.ZipFile(like.archive) as content:
                    self._entries = {entry.filename: entry for entry in content.infolist()}
            except (OSError, zipfile.BadZipFile):
                self._entries = {}

    def __enter__(self) -> Unchanged:
        """Open the two packages, if there are two."""
        if self._entries:
            self._now_file = self._files.enter_context(self._archive.open("rb"))
            self._before_file = self._files.enter_context(self._before.open("rb"))
        return self

    def __exit__(self, *error: object) -> None:
        """Close them."""
        self._files.close()

    def link(self, entry: zipfile.ZipInfo, path: Path) -> bool:
        """Make `path` the unpacked file of `entry`, and say whether there was one. Raises: BadCode."""
        twin = self._entries.get(entry.filename)
        if twin is None or _identity(twin) != _identity(entry):
            return False
        source = self._folder / entry.filename
        try:
            found = source.lstat()
            if not stat.S_ISREG(found.st_mode) or found.st_size != entry.file_size:
                return False
            if not _is_same(_packed(self._now_file, entry), _packed(self._before_file, twin)):
                return False
            path.hardlink_to(source)
        except FileExistsError as error:
            raise BadCode(f"The zip has an entry named {path.name!r} twice") from error
        except OSError:
            return False  # another file system, too many links
        if path.suffix == ".py":
            self._link_bytecode(source, path)
        return True

    def _link_bytecode(self, source: Path, path: Path) -> None:
        """Take over what was compiled here of an unchanged module; never bytecode that came in the other package."""
        cache = source.parent / "__pycache__"
        names = self._caches.get(cache)
        if names is None:
            is_ours = cache.is_dir() and not cache.is_symlink()
            names = self._caches[cache] = [one.name for one in cache.iterdir()] if is_ours else []
        for name in names:
            if name.startswith(f"{path.stem}.") and name.endswith(".pyc"):
                if str((cache / name).relative_to(self._folder)) in self._entries:
                    continue
                folder = path.parent / "__pycache__"
                with contextlib.suppress(OSError):
                    folder.mkdir(mode=0o755, exist_ok=True)
                    folder.chmod(0o755)
                    (folder / name).hardlink_to(cache / name)


def _identity(entry: zipfile.ZipInfo) -> tuple[int, ...]:
    """Give what must be equal of two entries, beside their names and packed bytes."""
    return (
        entry.CRC, entry.file_size, entry.compress_size, entry.compress_type, entry.flag_bits, entry.external_attr
    )  # fmt: skip


def _packed(file: IO[bytes], entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Give an entry's bytes as they stand in the zip, compressed, in pieces; less than it should have when it lies."""
    file.seek(entry.header_offset + _LENGTHS_AT)
    lengths = file.read(4)
    file.seek(int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little"), os.SEEK_CUR)
    left = entry.compress_size
    while left and (piece := file.read(min(CHUNK_BYTES, left))):
        left -= len(piece)
        yield piece


def _is_same(one: Iterator[bytes], other: Iterator[bytes]) -> bool:
    return all(mine == theirs for mine, theirs in zip_longest(one, other))


def _unpack(content: zipfile.ZipFile, folder: Path, unchanged: Unchanged) -> None:
    entries = content.infolist()
    if len(entries) > ENTRIES_MAX:
        raise BadCode(f"The zip has {len(entries)} entries: at most {ENTRIES_MAX} are unpacked", is_too_large=True)
    if sum(entry.file_size for entry in entries) > LAMBDA_UNZIPPED_BYTES_MAX:
        raise _too_large()
    left = LAMBDA_UNZIPPED_BYTES_MAX
    links: list[tuple[Path, str]] = []
    made: set[Path] = set()
    for entry in entries:
        path = folder / _safe_name(entry.filename)
        mode = entry.external_attr >> 16
        if entry.is_dir():
            _make_folders(path, folder, made)
            continue
        _make_folders(path.parent, folder, made)
        if not stat.S_ISLNK(mode) and unchanged.link(entry, path):
            left -= entry.file_size
            continue
        with content.open(entry) as source:
            if stat.S_ISLNK(mode):
                links.append((path, source.read(LINK_BYTES_MAX).decode("utf-8", "surrogateescape")))
            else:
                left -= _copy(source, path, left, is_executable=bool(mode & 0o111))
    # Links come last, so that nothing is ever written through one.
    for path, destination in links:
        _link(path, destination, folder)
    # A link's text says where it leads only as long as nothing on its way is a link, too.
    inside = folder.resolve()
    for path, destination in links:
        if not path.resolve().is_relative_to(inside):
            raise _leads_out(path, destination)


def _too_large() -> BadCode:
    return BadCode(f"Unzipped size must be smaller than {LAMBDA_UNZIPPED_BYTES_MAX} bytes", is_too_large=True)


def _safe_name(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\x00" in name or not path.parts:
        raise BadCode(f"The zip has an entry named {name!r}, which would be outside of the function's directory")
    return str(path)


def _make_folders(path: Path, folder: Path, made_before: set[Path]) -> None:
    if path in made_before:
        return
    for parent in [*reversed(path.relative_to(folder).parents), path.relative_to(folder)]:
        made = folder / parent
        if made in made_before:
            continue
        made_before.add(made)
        if len(made_before) > ENTRIES_MAX:  # an entry needs few bytes and can ask for hundreds of folders
            raise BadCode(f"The zip has more than {ENTRIES_MAX} folders", is_too_large=True)
        if not made.is_dir():
            try:
                made.mkdir(mode=0o755)
            except FileExistsError as error:
                raise BadCode(f"The zip has {str(parent)!r} as a file and as a directory") from error
            made.chmod(0o755)


def _copy(source: IO[bytes], path: Path, left: int, *, is_executable: bool) -> int:
    written = 0
    try:
        with path.open("xb") as file:
            while chunk := source.read(CHUNK_BYTES):
                written += len(chunk)
                if written > left:
                    raise _too_large()
                file.write(chunk)
            os.fchmod(file.fileno(), 0o755 if is_executable else 0o644)
    except (FileExistsError, IsADirectoryError) as error:
        raise BadCode(f"The zip has an entry named {path.name!r} twice") from error
    return written


def _link(path: Path, destination: str, folder: Path) -> None:
    where = os.path.normpath(path.parent.relative_to(folder) / destination)
    if not destination or "\x00" in destination or destination.startswith("/") or where.split("/")[0] == "..":
        raise _leads_out(path, destination)
    try:
        path.symlink_to(destination)
    except OSError as error:
        raise BadCode(f"The zip has an entry named {path.name!r} twice") from error


def _leads_out(path: Path, destination: str) -> BadCode:
    return BadCode(f"The zip has a link {path.name!r} to {destination!r}, outside of the function's directory")


def _sync(folder: Path) -> None:
    paths = list(_files(folder))
    if len(paths) > SYNCED_ONE_BY_ONE_MAX:
        os.sync()
        return
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield Path(parent)
        for name in names:
            path = Path(parent, name)
            if not path.is_symlink():
                yield path
