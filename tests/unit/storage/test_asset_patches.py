"""Patches make what their author had, and nothing that is not there."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.storage.asset_patches import BadPatch, Piece, old_digest, patched, write_patch

SHA = "ab" * 32
STEP = struct.Struct("<BQQ")
PIECES = st.lists(st.one_of(st.tuples(st.integers(0, 50), st.integers(0, 50)), st.binary(max_size=20)), max_size=10)


def reader_of(content: bytes) -> Callable[[int, int], bytes]:
    return lambda count, offset: content[offset : offset + count]


@given(st.binary(min_size=100, max_size=100), PIECES)
def test_a_patch_makes_what_its_pieces_say(old: bytes, chosen: list[tuple[int, int] | bytes]) -> None:
    pieces = [
        Piece(0, len(one), one) if isinstance(one, bytes) else Piece(one[0], one[1])
        for one in chosen
    ]  # fmt: skip
    expected = b"".join(one if isinstance(one, bytes) else old[one[0] : one[0] + one[1]] for one in chosen)
    patch = write_patch(SHA, pieces)
    assert old_digest(patch) == SHA
    assert patched(reader_of(old), patch, bytes_max=len(expected)) == expected


def test_pieces_that_follow_one_another_are_one_step() -> None:
    patch = write_patch(SHA, [Piece(0, 10), Piece(10, 5), Piece(0, 1, b"x"), Piece(15, 5), Piece(21, 1)])
    assert len(patch) == 32 + 4 * STEP.size + 1


@pytest.mark.parametrize(
    "steps",
    [
        STEP.pack(0, 95, 6),  # beyond the end
        STEP.pack(0, 2**63, 1),
        STEP.pack(1, 0, 2) + b"x",
        STEP.pack(2, 0, 1),
        STEP.pack(0, 0, 1)[:-1],
        STEP.pack(0, 0, 100) * 3,  # more than is allowed
        STEP.pack(0, 0, 2**63),
    ],
)
def test_a_patch_that_means_nothing_is_refused(steps: bytes) -> None:
    with pytest.raises(BadPatch):
        patched(reader_of(bytes(100)), bytes.fromhex(SHA) + steps, bytes_max=250)


@pytest.mark.parametrize("patch", [b"", bytes(31)])
def test_a_patch_names_what_it_changes(patch: bytes) -> None:
    with pytest.raises(BadPatch):
        old_digest(patch)


def test_steps_are_bounded() -> None:
    with pytest.raises(BadPatch, match="too many"):
        patched(reader_of(bytes(1)), bytes.fromhex(SHA) + STEP.pack(0, 0, 0) * 200_001, bytes_max=1)
