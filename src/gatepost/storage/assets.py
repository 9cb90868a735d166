"""Blobs by content: one file each, named by its SHA-256."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
from pathlib import Path
from typing import Final

from gatepost.kernel.errors import StoreUnavailable
from gatepost.storage.data_directory import write_durably

ASSET_BYTES_MAX: Final = 256 * 1024 * 1024
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class FileAssets:
    """`kernel.ports.Assets` in a folder. The same content is kept once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, content: bytes) -> str:
        """Keep `content` (at most 256 MiB) durably and give its SHA-256 in hex. Raises: StoreUnavailable."""
        if len(content) > ASSET_BYTES_MAX:
            raise StoreUnavailable(f"an asset of {len(content)} bytes: at most {ASSET_BYTES_MAX} are kept")
        return await asyncio.get_running_loop().run_in_executor(None, self.put_now, content)

    def put_now(self, content: bytes) -> str:
        """Do what `put` does, in the caller's thread."""
        sha256 = hashlib.sha256(content).hexdigest()
        path = self._folder / sha256
        if not self.ask(sha256):
            try:
                write_durably(path, content)
            except OSError as error:
                raise StoreUnavailable(f"asset {sha256[:12]} was not kept: {error.strerror}") from error
        return sha256

    def ask(self, sha256: str) -> bool:
        """Say whether an asset is there, for one who is going to name it: it is kept for a day from now."""
        path = self.path(sha256)
        if path is None:
            return False
        with contextlib.suppress(OSError):
            os.utime(path)
        return True

    def path(self, sha256: str) -> Path | None:
        """Give the file that holds it, or None when there is none or `sha256` is no SHA-256."""
        if not _SHA256.fullmatch(sha256):
            return None
        path = self._folder / sha256
        return path if path.exists() else None
