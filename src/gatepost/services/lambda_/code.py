"""A function's code: from the zip that was uploaded to a read-only directory, once for each digest.

A zip is a stranger's: names that leave the directory, links that point out of it, and more bytes than Lambda allows
are refused, counted while unpacking and not by what the zip says of itself.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path
from typing import IO, Final

from gatepost.kernel.limits import LAMBDA_UNZIPPED_BYTES_MAX
from gatepost.services.lambda_ import unsynced_code
from gatepost.services.lambda_.unchanged_code import Twin, Unchanged, plain_path

ENTRIES_MAX: Final = 100_000
CHUNK_BYTES: Final = 1024 * 1024
LINK_BYTES_MAX: Final = 4096
_SCRATCH: Final = re.compile(r"\.[0-9a-f]{64}\.(\d+)\.[0-9a-f]{8}")


class BadCode(Exception):
    """A zip that is not unpacked. `is_too_large` when only its size is wrong."""

    def __init__(self, message: str, *, is_too_large: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.is_too_large = is_too_large


def extract(archive: Path, sha256: str, functions: Path, like: Twin | None = None) -> Path:
    """Unpack `archive` to `functions/sha256` unless it is there, and give that directory. Blocks: call it in a thread.

    Files that `like` has, too, are linked and not written again, with their bytecode. The directory appears whole or
    not at all; call `unsynced_code.settle` for it when nobody waits. Raises: BadCode, OSError.
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
        if not unsynced_code.mark(functions, sha256):
            unsynced_code.sync_file_system(functions)
        try:
            scratch.rename(target)
        except OSError:
            if not target.is_dir():  # not a race with another process that unpacked the same
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def remove_leftovers(functions: Path) -> None:
    """Remove what a power cut, or a process that was killed while unpacking, left behind. Blocks."""
    unsynced_code.remove_unsettled(functions)
    for path in functions.glob(".*"):
        found = _SCRATCH.fullmatch(path.name)
        if found and not Path(f"/proc/{found[1]}").exists():
            shutil.rmtree(path, ignore_errors=True)


def _unpack(content: zipfile.ZipFile, folder: Path, unchanged: Unchanged) -> None:
    entries = content.infolist()
    if len(entries) > ENTRIES_MAX:
        raise BadCode(f"The zip has {len(entries)} entries: at most {ENTRIES_MAX} are unpacked", is_too_large=True)
    if sum(entry.file_size for entry in entries) > LAMBDA_UNZIPPED_BYTES_MAX:
        raise _too_large()
    left = LAMBDA_UNZIPPED_BYTES_MAX
    links: list[tuple[Path, str]] = []
    made: set[str] = set()
    for entry in entries:
        name = _safe_name(entry.filename)
        mode = entry.external_attr >> 16
        if entry.is_dir():
            _make_folders(name, folder, made)
            continue
        _make_folders(name.rpartition("/")[0], folder, made)
        path = f"{folder}/{name}"
        try:
            if not stat.S_ISLNK(mode) and unchanged.link(entry, path):
                left -= entry.file_size
                continue
            with content.open(entry) as source:
                if stat.S_ISLNK(mode):
                    links.append((Path(path), source.read(LINK_BYTES_MAX).decode("utf-8", "surrogateescape")))
                else:
                    left -= _copy(source, Path(path), left, is_executable=bool(mode & 0o111))
        except (FileExistsError, IsADirectoryError) as error:
            raise BadCode(f"The zip has an entry named {path.rpartition('/')[2]!r} twice") from error
    # Links come last, so that nothing is ever written through one.
    for place, destination in links:
        _link(place, destination, folder)
    # A link's text says where it leads only as long as nothing on its way is a link, too.
    inside = folder.resolve()
    for place, destination in links:
        if not place.resolve().is_relative_to(inside):
            raise _leads_out(place, destination)


def _too_large() -> BadCode:
    return BadCode(f"Unzipped size must be smaller than {LAMBDA_UNZIPPED_BYTES_MAX} bytes", is_too_large=True)


def _safe_name(name: str) -> str:
    """Give an entry's path in its directory. Raises: BadCode."""
    path = plain_path(name)
    if name.startswith("/") or ".." in path.split("/") or "\\" in name or "\x00" in name or not path:
        raise BadCode(f"The zip has an entry named {name!r}, which would be outside of the function's directory")
    return path


def _make_folders(name: str, folder: Path, made_before: set[str]) -> None:
    """Make the folder `name` below `folder`, and those above it."""
    if not name or name in made_before:
        return
    _make_folders(name.rpartition("/")[0], folder, made_before)
    made_before.add(name)
    if len(made_before) > ENTRIES_MAX:  # an entry needs few bytes and can ask for hundreds of folders
        raise BadCode(f"The zip has more than {ENTRIES_MAX} folders", is_too_large=True)
    made = folder / name
    if not made.is_dir():
        try:
            made.mkdir(mode=0o755)
        except FileExistsError as error:
            raise BadCode(f"The zip has {name!r} as a file and as a directory") from error
        made.chmod(0o755)


def _copy(source: IO[bytes], path: Path, left: int, *, is_executable: bool) -> int:
    written = 0
    with path.open("xb") as file:
        while chunk := source.read(CHUNK_BYTES):
            written += len(chunk)
            if written > left:
                raise _too_large()
            file.write(chunk)
        os.fchmod(file.fileno(), 0o755 if is_executable else 0o644)
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
