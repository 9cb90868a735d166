"""How an asset differs from one that is kept: pieces of the old one and bytes that are new, in order.

A patch begins with the old asset's SHA-256. Each of its steps is a kind, an offset and a length; a step of new bytes
(whose offset is 0) is followed by them. The result is known by its own SHA-256, so a patch can make nothing that its
author could not have uploaded.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

OLD: Final = 0
NEW: Final = 1
DIGEST_BYTES: Final = 32
STEPS_MAX: Final = 200_000
OFFSET_MAX: Final = 1 << 40
_STEP: Final = struct.Struct("<BQQ")


class BadPatch(Exception):
    """A patch that says nothing or names what is not there."""


class Piece(NamedTuple):
    """Bytes of the new asset: `content`, or as many as `length` from `offset` of the old one."""

    offset: int
    length: int
    content: bytes | None = None


def write_patch(old_sha256: str, pieces: Iterable[Piece]) -> bytes:
    """Give a patch. Pieces that follow one another in the old asset become one step."""
    parts = [bytes.fromhex(old_sha256)]
    start = end = 0
    for piece in pieces:
        if piece.content is None and piece.offset == end and end > start:
            end += piece.length
            continue
        if end > start:
            parts.append(_STEP.pack(OLD, start, end - start))
        start = end = 0
        if piece.content is None:
            start, end = piece.offset, piece.offset + piece.length
        else:
            parts += (_STEP.pack(NEW, 0, len(piece.content)), piece.content)
    if end > start:
        parts.append(_STEP.pack(OLD, start, end - start))
    return b"".join(parts)


def old_digest(patch: bytes) -> str:
    """Give the SHA-256 of the asset that a patch is for. Raises: BadPatch."""
    if len(patch) < DIGEST_BYTES:
        raise BadPatch("a patch begins with the SHA-256 of what it changes")
    return patch[:DIGEST_BYTES].hex()


def patched(read: Callable[[int, int], bytes], patch: bytes, *, bytes_max: int) -> bytes:
    """Give what a patch makes; `read` gives as many bytes of the old asset as the first number, from the second on.

    Raises: BadPatch.
    """
    pieces: list[bytes] = []
    at, total = DIGEST_BYTES, 0
    while at < len(patch):
        if at + _STEP.size > len(patch) or len(pieces) >= STEPS_MAX:
            raise BadPatch("a step of the patch is cut off, or there are too many")
        kind, offset, length = _STEP.unpack_from(patch, at)
        at += _STEP.size
        total += length
        if total > bytes_max:
            raise BadPatch(f"the patch makes more than {bytes_max} bytes")
        if kind == NEW:
            piece = patch[at : at + length]
            at += length
        elif kind == OLD:
            piece = read(length, offset) if offset <= OFFSET_MAX else b""
        else:
            raise BadPatch(f"the patch has a step of kind {kind}")
        if len(piece) != length:
            raise BadPatch("a step of the patch goes beyond what there is")
        pieces.append(piece)
    return b"".join(pieces)
