"""Zip files of code: the same bytes for the same files, and files that have not changed are not compressed again.

Python's `zipfile` compresses everything anew each time; with `--watch` that would be a second or more for a function
with its dependencies, for one changed line.

Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT; without ZIP64, which code within Lambda's bounds
does not need.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DATE: Final = (0 << 9) | (1 << 5) | 1  # 1 January 1980, the first day that the format knows
VERSION: Final = 20
UNIX: Final = 3
UTF_8: Final = 0x800
DEFLATED: Final = 8
REGULAR: Final = 0o100000
KEPT_BYTES_MAX: Final = 256 * 1024 * 1024
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s2B5H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")


@dataclass(frozen=True, slots=True)
class ZippedFile:
    """One file for a package: where it lies, its name there, and what tells whether it has changed."""

    path: Path
    name: str
    size: int
    modified_ns: int
    is_executable: bool


@dataclass(frozen=True, slots=True)
class _Compressed:
    size: int
    modified_ns: int
    crc: int
    content: bytes


class PackageZip:
    """Makes packages; remembers what it has compressed, up to 256 MiB."""

    def __init__(self, read: Callable[[Path], bytes]) -> None:
        self._read = read
        self._kept: dict[Path, _Compressed] = {}
        self._kept_bytes = 0

    def make(self, files: Sequence[ZippedFile]) -> bytes:
        """Give the package of `files`, in the order of their names. Raises: what reading a file raises."""
        parts: list[bytes] = []
        directory: list[bytes] = []
        at = 0
        for file in sorted(files, key=lambda each: each.name):
            compressed = self._compressed(file)
            name = file.name.encode("utf-8", "surrogateescape")
            flags = 0 if name.isascii() else UTF_8
            sizes = (compressed.crc, len(compressed.content), compressed.size)
            head = _LOCAL.pack(b"PK\x03\x04", VERSION, flags, DEFLATED, 0, DATE, *sizes, len(name), 0)
            mode = (REGULAR | (0o755 if file.is_executable else 0o644)) << 16
            directory.append(
                _CENTRAL.pack(
                    *(b"PK\x01\x02", VERSION, UNIX, VERSION, flags, DEFLATED, 0, DATE, *sizes),
                    *(len(name), 0, 0, 0, 0, mode, at),
                )
                + name
            )
            parts += (head, name, compressed.content)
            at += len(head) + len(name) + len(compressed.content)
        listing = b"".join(directory)
        count = len(directory)
        return b"".join((*parts, listing, _END.pack(b"PK\x05\x06", 0, 0, count, count, len(listing), at, 0)))

    def _compressed(self, file: ZippedFile) -> _Compressed:
        kept = self._kept.get(file.path)
        if kept is not None and (kept.size, kept.modified_ns) == (file.size, file.modified_ns):
            return kept
        content = self._read(file.path)
        packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = packer.compress(content) + packer.flush()
        made = _Compressed(len(content), file.modified_ns, zlib.crc32(content), packed)
        self._keep(file, kept, made)
        return made

    def _keep(self, file: ZippedFile, old: _Compressed | None, new: _Compressed) -> None:
        self._kept_bytes -= len(old.content) if old is not None else 0
        self._kept.pop(file.path, None)
        # What was saved while it was read is read again next time.
        if new.size == file.size and self._kept_bytes + len(new.content) <= KEPT_BYTES_MAX:
            self._kept[file.path] = new
            self._kept_bytes += len(new.content)
