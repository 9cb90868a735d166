"""Blobs by content: one file each, named by its SHA-256."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import re
from functools import partial
from pathlib import Path
from typing import Final

from gatepost.kernel.errors import StoreUnavailable
from gatepost.storage.asset_patches import BadPatch, old_digest, patched
from gatepost.storage.data_directory import run_of_the_machine, sync_folder, write_durably

log = logging.getLogger(__name__)

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
        self._keep(sha256, content)
        return sha256

    async def patch(self, sha256: str, patch: bytes) -> bool:
        """Keep the asset `sha256`, made of another one by `patch`, durably; False when that one is not there.

        Raises: BadPatch when the patch makes something else, StoreUnavailable.
        """
        loop = asyncio.get_running_loop()
        is_made = await loop.run_in_executor(None, self.patch_now, sha256, patch)
        loop.run_in_executor(None, self.settle, sha256)  # nobody waits for it
        return is_made

    def patch_now(self, sha256: str, patch: bytes) -> bool:
        """Do what `patch` does, in the caller's thread; `settle` is to follow.

        A package is large and a patch is small. So the patch is made durable, and what it makes is not: after a power
        cut it is made again.
        """
        try:
            content = self._patched(patch)
            if content is None:
                return False
            if hashlib.sha256(content).hexdigest() != sha256:
                raise BadPatch(f"the patch does not make {sha256[:64]}")
            if not self.ask(sha256):
                run = run_of_the_machine().encode()
                if not run:
                    write_durably(self._folder / sha256, content)
                    return True
                self.settle(old_digest(patch))  # what this one would be made of again
                write_durably(self._pending(sha256), run + b"\n" + patch)
                scratch = self._folder / f".{sha256}.{os.getpid()}"
                scratch.write_bytes(content)
                scratch.chmod(0o600)
                scratch.replace(self._folder / sha256)
        except OSError as error:
            raise StoreUnavailable(f"asset {sha256[:12]} was not kept: {error.strerror}") from error
        return True

    def settle(self, sha256: str) -> None:
        """Make durable what a patch has made. Blocks."""
        pending = self._pending(sha256)
        if not pending.exists():
            return
        try:
            descriptor = os.open(self._folder / sha256, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            sync_folder(self._folder)
            pending.unlink(missing_ok=True)
        except OSError as error:
            log.warning("asset not synced", extra={"asset": sha256[:12], "error": str(error)})

    def recover(self) -> None:
        """Make again what patches had made when the machine stopped. Call it before assets are used. Blocks."""
        run = run_of_the_machine().encode()
        for pending in self._folder.glob(".*.patch"):
            sha256 = pending.name[1 : -len(".patch")]
            made_in, _, patch = pending.read_bytes().partition(b"\n")
            if made_in == run and self.path(sha256) is not None:
                self.settle(sha256)
                continue
            try:
                content = self._patched(patch)
                if content is None or hashlib.sha256(content).hexdigest() != sha256:
                    raise BadPatch("what it was made of is gone")
                write_durably(self._folder / sha256, content)
            except (OSError, BadPatch) as error:
                log.error("asset lost", extra={"asset": sha256[:12], "error": str(error)})
                (self._folder / sha256).unlink(missing_ok=True)
            pending.unlink(missing_ok=True)

    def _pending(self, sha256: str) -> Path:
        return self._folder / f".{sha256}.patch"

    def _patched(self, patch: bytes) -> bytes | None:
        """Give what a patch makes; None: the asset that it changes is not there. Raises: BadPatch, OSError."""
        old = self.path(old_digest(patch))
        if old is None:
            return None
        with old.open("rb") as file:
            return patched(partial(os.pread, file.fileno()), patch, bytes_max=ASSET_BYTES_MAX)

    def _keep(self, sha256: str, content: bytes) -> None:
        if not self.ask(sha256):
            try:
                write_durably(self._folder / sha256, content)
            except OSError as error:
                raise StoreUnavailable(f"asset {sha256[:12]} was not kept: {error.strerror}") from error

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
