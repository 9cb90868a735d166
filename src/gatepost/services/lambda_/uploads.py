"""What operators upload, code and layers: kept as an asset, unpacked, and measured."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gatepost.kernel.limits import LAMBDA_ZIP_BYTES_MAX
from gatepost.kernel.ports import Assets
from gatepost.services.lambda_.code import BadCode, extract
from gatepost.services.lambda_.configuration import bad
from gatepost.services.lambda_.model import RequestTooLargeException, ServiceException
from gatepost.services.lambda_.unchanged_code import Twin
from gatepost.services.lambda_.unsynced_code import settle

ASSETS_BUCKET: Final = "gatepost-assets"
_REFUSED: Final = ("SourceKMSKeyArn", "S3ObjectVersion")


@dataclass(frozen=True, slots=True)
class Upload:
    """A package that is unpacked: its digest in hex and its size as a zip."""

    sha256: str
    zip_bytes: int


class Uploads:
    """Takes packages: as bytes in the request, or as an asset that a deployment has put here before."""

    def __init__(self, assets: Assets, functions_dir: Path) -> None:
        self._assets = assets
        self._functions_dir = functions_dir

    async def take(self, code: Mapping[str, Any], *, what: str = "function code", like: str = "") -> Upload:
        """Keep and unpack a package; `like` is the digest of the code that it replaces, which it may share files with.

        Raises: InvalidParameterValueException, RequestTooLargeException.
        """
        if code.get("ImageUri"):
            raise bad("ImageUri is not supported by Gatepost: container images are not run here; use ZipFile")
        for name in _REFUSED:
            if code.get(name):
                raise bad(f"{name} is not supported by Gatepost: leave it out")
        if code.get("S3ObjectStorageMode", "COPY") != "COPY":
            raise bad("S3ObjectStorageMode REFERENCE is not supported by Gatepost: code is always copied; leave it out")
        if "ZipFile" in code:
            content: bytes = code["ZipFile"]
            if len(content) > LAMBDA_ZIP_BYTES_MAX:
                raise RequestTooLargeException(f"Zip file of {len(content)} bytes: at most {LAMBDA_ZIP_BYTES_MAX}")
            sha256 = await self._assets.put(content)
        elif code.get("S3Bucket"):
            sha256 = _asset_of(code)
        else:
            raise bad(f"Please provide a source for {what}.")
        archive = self._assets.path(sha256)
        if archive is None:
            raise bad(f"There is no asset {sha256}: upload it first")
        replaced = self._assets.path(like) if like else None
        await self._unpack(archive, sha256, Twin(replaced, like) if replaced is not None else None)
        return Upload(sha256, archive.stat().st_size)

    async def _unpack(self, archive: Path, sha256: str, like: Twin | None) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, extract, archive, sha256, self._functions_dir, like)
        except BadCode as error:
            raise bad(error.message) from error
        except OSError as error:
            raise ServiceException("The code could not be unpacked", detail=str(error)) from error
        loop.run_in_executor(None, settle, self._functions_dir, sha256)  # nobody waits for it

    async def unzipped_bytes(self, sha256: str) -> int:
        """Give how many bytes an unpacked package has, what was compiled beside it left out."""
        folder = self._functions_dir / sha256
        return await asyncio.get_running_loop().run_in_executor(None, folder_bytes, folder)


def folder_bytes(folder: Path) -> int:
    """Add up the sizes of the files below `folder` without bytecode. Blocks: call it in a thread."""
    total = 0
    for parent, folders, names in os.walk(folder):
        if "__pycache__" in folders:
            folders.remove("__pycache__")
        total += sum(os.lstat(f"{parent}/{name}").st_size for name in names)
    return total


def _asset_of(code: Mapping[str, Any]) -> str:
    if code["S3Bucket"] != ASSETS_BUCKET:
        raise bad(
            f"Code in S3 bucket {code['S3Bucket']!r} cannot be read: there is no S3 here; use ZipFile, or deploy a "
            f"template, whose local code goes to {ASSETS_BUCKET}"
        )
    return str(code.get("S3Key", ""))
