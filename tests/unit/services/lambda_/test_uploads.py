"""What operators upload: kept, unpacked, measured, refused."""

from __future__ import annotations

import asyncio

import pytest

from gatepost.services.lambda_.model import InvalidParameterValueException
from gatepost.services.lambda_.uploads import Uploads, folder_bytes
from gatepost.storage.assets import FileAssets
from tests.support.functions import a_zip


def uploads_in(folder) -> Uploads:
    for name in ("assets", "functions"):
        (folder / name).mkdir()
    return Uploads(FileAssets(folder / "assets"), folder / "functions")


def test_a_package_is_unpacked_under_its_digest_and_measured(tmp_path) -> None:
    uploads = uploads_in(tmp_path)
    content = a_zip({"a.py": "x" * 10, "b/c.py": "y" * 5})

    async def scenario():
        first = await uploads.take({"ZipFile": content})
        second = await uploads.take({"S3Bucket": "gatepost-assets", "S3Key": first.sha256})
        (tmp_path / "functions" / first.sha256 / "__pycache__").mkdir()
        (tmp_path / "functions" / first.sha256 / "__pycache__" / "a.pyc").write_bytes(b"z" * 100)
        return first, second, await uploads.unzipped_bytes(first.sha256)

    first, second, size = asyncio.run(scenario())
    assert first == second
    assert (first.zip_bytes, size) == (len(content), 15)
    assert folder_bytes(tmp_path / "nothing") == 0


@pytest.mark.parametrize("code", [{}, {"ImageUri": "x"}, {"S3Bucket": "b", "S3Key": "k"}, {"ZipFile": b"no zip"}])
def test_what_cannot_be_taken_is_refused(tmp_path, code) -> None:
    with pytest.raises(InvalidParameterValueException):
        asyncio.run(uploads_in(tmp_path).take(code))
