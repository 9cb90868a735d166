"""Packages: from the request or from among the assets, unpacked, and refused with what would work."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.limits import LAMBDA_ZIP_BYTES_MAX
from gatepost.services.lambda_.uploads import ASSETS_BUCKET, Upload, Uploads, folder_bytes
from gatepost.storage.assets import FileAssets
from tests.support.functions import a_zip

ZIP = a_zip({"app.py": "x = 1\n", "data/a.txt": "abc"})


def some_uploads(folder: Path) -> tuple[Uploads, FileAssets]:
    for name in ("assets", "functions"):
        (folder / name).mkdir()
    assets = FileAssets(folder / "assets")
    return Uploads(assets, folder / "functions"), assets


def test_the_same_package_is_one_whether_it_comes_as_bytes_or_as_an_asset(tmp_path: Path) -> None:
    uploads, assets = some_uploads(tmp_path)

    async def scenario() -> tuple[Upload, Upload, int]:
        sha256 = await assets.put(ZIP)
        by_name = await uploads.take({"S3Bucket": ASSETS_BUCKET, "S3Key": sha256})
        return by_name, await uploads.take({"ZipFile": ZIP}), await uploads.unzipped_bytes(sha256)

    by_name, by_bytes, unzipped = asyncio.run(scenario())
    assert by_name == by_bytes
    assert (by_name.zip_bytes, unzipped) == (len(ZIP), len("x = 1\n") + len("abc"))
    assert (tmp_path / "functions" / by_name.sha256 / "app.py").read_text() == "x = 1\n"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ({}, "Please provide a source for function code."),
        ({"ImageUri": "x"}, "container images are not run here; use ZipFile"),
        ({"ZipFile": ZIP, "SourceKMSKeyArn": "arn"}, "SourceKMSKeyArn is not supported by Gatepost: leave it out"),
        ({"S3Bucket": ASSETS_BUCKET, "S3Key": "k", "S3ObjectVersion": "1"}, "S3ObjectVersion is not supported"),
        ({"ZipFile": ZIP, "S3ObjectStorageMode": "REFERENCE"}, "code is always copied; leave it out"),
        ({"S3Bucket": "mine", "S3Key": "k"}, "there is no S3 here; use ZipFile"),
        ({"S3Bucket": ASSETS_BUCKET, "S3Key": "0" * 64}, "There is no asset 0000"),
        ({"S3Bucket": ASSETS_BUCKET, "S3Key": "../seal.key"}, "There is no asset ../seal.key"),
        ({"ZipFile": b"no zip"}, ""),
    ],
)
def test_what_cannot_be_taken_is_refused_and_leaves_nothing_behind(
    tmp_path: Path, code: dict[str, Any], said: str
) -> None:
    uploads, _ = some_uploads(tmp_path)
    with pytest.raises(ServiceError) as refused:
        asyncio.run(uploads.take(code))
    assert said in refused.value.message
    assert refused.value.code == "InvalidParameterValueException"
    assert list((tmp_path / "functions").iterdir()) == []


def test_a_package_of_one_byte_too_many_is_refused_before_it_is_kept(tmp_path: Path) -> None:
    uploads, _ = some_uploads(tmp_path)
    with pytest.raises(ServiceError) as refused:
        asyncio.run(uploads.take({"ZipFile": bytes(LAMBDA_ZIP_BYTES_MAX + 1)}))
    assert refused.value.code == "RequestTooLargeException"
    assert list((tmp_path / "assets").iterdir()) == []


def test_bytecode_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_bytes(bytes(1000))
    (tmp_path / "a.py").write_bytes(bytes(10))
    assert folder_bytes(tmp_path) == 10
