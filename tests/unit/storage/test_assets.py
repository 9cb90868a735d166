import asyncio
import hashlib

from gatepost.storage.assets import FileAssets


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
