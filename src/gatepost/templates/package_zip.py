"""Zip files of code: the same bytes for the same files, and files that have not changed are not compressed again.

Python's `zipfile` compresses everything anew each time; with `--watch` that would be a second or more for a function
with its dependencies, for one changed line.

Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT; without ZIP64, which code within Lambda's bounds
does not need.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from gatepost.storage.asset_patches import Piece, write_patch

DATE: Final = (0 << 9) | (1 << 5) | 1  # 1 January 1980, the first day that the format knows
VERSION: Final = 20
UNIX: Final = 3
UTF_8: Final = 0x800
DEFLATED: Final = 8
REGULAR: Final = 0o100000
KEPT_BYTES_MAX: Final = 256 * 1024 * 1024
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s2B5H3L5HL")  # without its last member
_OFFSET: Final = struct.Struct("<L")
_END: Final = struct.Struct("<4s4H2LH")


class ZippedFile(NamedTuple):
    """One file for a package: where it lies, its name there, and what tells whether it has changed."""

    path: str
    name: str
    size: int
    modified_ns: int
    is_executable: bool


class _Packed(NamedTuple):
    """A file as it stands in a package: its own head and bytes, and its line in the directory up to the offset."""

    file: ZippedFile
    content: bytes
    listing: bytes
    name: bytes


class Package:
    """A zip file, in the pieces that it was made of."""

    def __init__(self, files: Sequence[_Packed]) -> None:
        self._offsets: dict[str, tuple[int, _Packed]] = {}
        self._pieces = [packed.content for packed in files]
        at = 0
        listing: list[bytes] = []
        for packed in files:
            self._offsets[packed.file.name] = (at, packed)
            listing += (packed.listing, _OFFSET.pack(at), packed.name)
            at += len(packed.content)
        end = b"".join(listing)
        count = len(files)
        self._pieces.append(end + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(end), at, 0))
        digest = hashlib.sha256()
        for piece in self._pieces:
            digest.update(piece)
        self.sha256 = digest.hexdigest()

    def content(self) -> bytes:
        """Give the whole zip file."""
        return b"".join(self._pieces)

    def patch_of(self, old: Package) -> bytes:
        """Give the patch that makes this package of an older one; see `storage.asset_patches`."""
        pieces = []
        for name, (_, packed) in self._offsets.items():
            offset, before = old._offsets.get(name, (0, None))
            is_same = before is packed
            pieces.append(Piece(offset, len(packed.content), None if is_same else packed.content))
        pieces.append(Piece(0, len(self._pieces[-1]), self._pieces[-1]))
        return write_patch(old.sha256, pieces)


class PackageZip:
    """Makes packages; remembers what it has compressed, up to 256 MiB."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        self._kept: dict[tuple[str, str], _Packed] = {}
        self._kept_bytes = 0

    def make(self, files: Sequence[ZippedFile]) -> Package:
        """Give the package of `files`, in the order of their names. Raises: what reading a file raises."""
        return Package([self._packed(file) for file in sorted(files, key=lambda each: each.name)])

    def _packed(self, file: ZippedFile) -> _Packed:
        kept = self._kept.get((file.path, file.name))
        if kept is not None and kept.file == file:
            return kept
        content = self._read(file.path)
        packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        compressed = packer.compress(content) + packer.flush()
        name = file.name.encode("utf-8", "surrogateescape")
        flags = 0 if name.isascii() else UTF_8
        sizes = (zlib.crc32(content), len(compressed), len(content))
        head = _LOCAL.pack(b"PK\x03\x04", VERSION, flags, DEFLATED, 0, DATE, *sizes, len(name), 0)
        mode = (REGULAR | (0o755 if file.is_executable else 0o644)) << 16
        listing = _CENTRAL.pack(
            *(b"PK\x01\x02", VERSION, UNIX, VERSION, flags, DEFLATED, 0, DATE, *sizes), *(len(name), 0, 0, 0, 0, mode)
        )
        made = _Packed(file, b"".join((head, name, compressed)), listing, name)
        self._keep(kept, made, size=len(content))
        return made

    def _keep(self, old: _Packed | None, new: _Packed, *, size: int) -> None:
        key = (new.file.path, new.file.name)
        self._kept_bytes -= len(old.content) if old is not None else 0
        self._kept.pop(key, None)
        # What was saved while it was read is read again next time.
        if size == new.file.size and self._kept_bytes + len(new.content) <= KEPT_BYTES_MAX:
            self._kept[key] = new
            self._kept_bytes += len(new.content)
