import asyncio
import hashlib
from pathlib import Path

import pytest

from gatepost.storage.asset_patches import BadPatch, Piece, write_patch
from gatepost.storage.assets import FileAssets


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_an_asset_is_found_by_its_content(tmp_path):
    assets = FileAssets(tmp_path)
    sha256 = asyncio.run(assets.put(b"code"))
    assert sha256 == hashlib.sha256(b"code").hexdigest()
    assert assets.path(sha256).read_bytes() == b"code"
    assert asyncio.run(assets.put(b"code")) == sha256
    assert len(list(tmp_path.iterdir())) == 1


def test_a_name_that_is_no_digest_finds_nothing(tmp_path):
    (tmp_path / "secret").write_text("x")
    assert FileAssets(tmp_path / "assets").path("../secret") is None
    assert FileAssets(tmp_path).path("0" * 64) is None


OLD, NEW = b"old" * 1000, b"old" * 999 + b"new"


def a_patch(old: bytes = OLD) -> bytes:
    pieces = [Piece(0, len(OLD) - 3), Piece(0, 3, b"new")]
    return write_patch(digest_of(old), pieces)


def test_an_asset_can_be_made_of_another_one(tmp_path: Path) -> None:
    async def scenario() -> bool:
        assets = FileAssets(tmp_path)
        await assets.put(OLD)
        return await assets.patch(digest_of(NEW), a_patch())

    assert asyncio.run(scenario())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {digest_of(OLD): OLD, digest_of(NEW): NEW}


def test_a_patch_that_makes_something_else_keeps_nothing(tmp_path: Path) -> None:
    assets = FileAssets(tmp_path)
    assets.put_now(OLD)
    with pytest.raises(BadPatch, match="does not make"):
        assets.patch_now(digest_of(b"another"), a_patch())
    assert [path.name for path in tmp_path.iterdir()] == [digest_of(OLD)]


def test_a_patch_of_an_asset_that_is_not_there_is_not_taken(tmp_path: Path) -> None:
    assert not FileAssets(tmp_path).patch_now(digest_of(NEW), a_patch())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_another_run", [False, True])
@pytest.mark.parametrize("left", [NEW, NEW[:-1] + b"?", b"", None])
def test_what_a_patch_made_outlasts_a_power_cut(tmp_path: Path, left: bytes | None, is_another_run: bool) -> None:
    assets = FileAssets(tmp_path)
    assets.put_now(OLD)
    assert assets.patch_now(digest_of(NEW), a_patch())
    pending = tmp_path / f".{digest_of(NEW)}.patch"
    if is_another_run:  # of the machine: what it had not written to the disk may be anything
        pending.write_bytes(b"another run\n" + pending.read_bytes().partition(b"\n")[2])
        (tmp_path / digest_of(NEW)).unlink()
        if left is not None:
            (tmp_path / digest_of(NEW)).write_bytes(left)
    assets.recover()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {digest_of(OLD): OLD, digest_of(NEW): NEW}


def test_an_asset_that_cannot_be_made_again_is_not_left_half(tmp_path: Path) -> None:
    (tmp_path / f".{digest_of(NEW)}.patch").write_bytes(b"another run\n" + a_patch())
    (tmp_path / digest_of(NEW)).write_bytes(b"half")
    FileAssets(tmp_path).recover()
    assert list(tmp_path.iterdir()) == []


def test_a_patch_of_what_was_just_patched_can_be_made_again(tmp_path: Path) -> None:
    assets = FileAssets(tmp_path)
    assets.put_now(OLD)
    assets.patch_now(digest_of(NEW), a_patch())
    assets.patch_now(digest_of(OLD + b"x"), write_patch(digest_of(NEW), [Piece(0, len(OLD) + 1, OLD + b"x")]))
    assert [path.name for path in tmp_path.glob(".*.patch")] == [f".{digest_of(OLD + b'x')}.patch"]
