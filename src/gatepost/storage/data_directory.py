"""The data directory: its layout, its owner and its version.

One platform owns a directory at a time: the supervisor holds a lock on `lock` and its children inherit it, so
that the directory stays owned until the last of them is gone, however the first one died.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gatepost.kernel.errors import SettingsError
from gatepost.kernel.ids import random_id

LAYOUT_VERSION: Final = 1
MARKER: Final = "layout.json"
PRIVATE_FOLDERS: Final = ("store", "assets", "gateway", "cache", "run", "logs")
LEFTOVER_PAUSE_S: Final = 0.05
LEFTOVER_TRIES: Final = 60
LASTING: Final = ("store", "assets", "functions", "gateway", "run", "tls", "administrator.json", "ca.key", "seal.key")
OPEN_FOLDERS: Final = (
    "functions",
    "runtimes",
    "tls",
)  # function workers run as another user and read code and roots here


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """Where everything that lasts lies."""

    path: Path

    @property
    def store(self) -> Path:
        """SQLite files."""
        return self.path / "store"

    @property
    def assets(self) -> Path:
        """Blobs by SHA-256."""
        return self.path / "assets"

    @property
    def functions(self) -> Path:
        """Extracted code by SHA-256."""
        return self.path / "functions"

    @property
    def runtimes(self) -> Path:
        """Packages that Lambda's runtimes bring and functions lack: can be installed again."""
        return self.path / "runtimes"

    @property
    def gateway(self) -> Path:
        """What the gateway role keeps for itself: snapshot, usage journal, access log."""
        return self.path / "gateway"

    @property
    def tls(self) -> Path:
        """The local certificate authority's certificate, for everyone to read."""
        return self.path / "tls"

    @property
    def authority_key(self) -> Path:
        """The local certificate authority's key."""
        return self.path / "ca.key"

    @property
    def cache(self) -> Path:
        """What can be made again."""
        return self.path / "cache"

    @property
    def run(self) -> Path:
        """Sockets and process ids of the running platform."""
        return self.path / "run"

    @property
    def endpoints(self) -> Path:
        """The real addresses of the running platform, as JSON."""
        return self.path / "endpoints.json"

    def prepare(self) -> None:
        """Make the folders and check the layout's version. Raises: SettingsError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o711)
            for name in PRIVATE_FOLDERS:
                (self.path / name).mkdir(exist_ok=True)
                (self.path / name).chmod(0o700)
            for name in OPEN_FOLDERS:
                (self.path / name).mkdir(exist_ok=True)
                (self.path / name).chmod(0o711)  # whoever does not know the SHA-256 of code does not find it
            self._check_version()
        except OSError as error:
            raise self.unusable(error) from error

    def unusable(self, error: OSError) -> SettingsError:
        """Say what is wrong with the directory when the system refuses a file in it."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return SettingsError(f"--data {self.path}: the disk is full: make room, or choose another --data")
        return SettingsError(f"--data {self.path}: {error.strerror}: choose a directory that you own")

    def _check_version(self) -> None:
        marker = self.path / MARKER
        if not marker.exists():
            write_durably(marker, json.dumps({"layout": LAYOUT_VERSION}).encode(), mode=0o600)
            return
        try:
            found = json.loads(marker.read_bytes())["layout"]
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(f'{marker} is damaged: restore it, or write {{"layout": {LAYOUT_VERSION}}}') from error
        if found != LAYOUT_VERSION:
            raise SettingsError(
                f"--data {self.path} has layout {found} and this Gatepost knows {LAYOUT_VERSION}: "
                "use the Gatepost that wrote it, or another directory"
            )

    def own(self) -> int:
        """Take the directory for this platform and give the file descriptor that holds it.

        The descriptor may be inherited. What a supervisor that was killed has left behind gets 3 s to end: its roles do
        so by themselves. Blocks. Raises: SettingsError when another platform owns the directory.
        """
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self.unusable(error) from error
        tries = 0
        while not _is_locked(descriptor):
            owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            tries += 1
            if tries > LEFTOVER_TRIES or _is_alive(owner):
                os.close(descriptor)
                raise SettingsError(
                    f"--data {self.path} is in use by another platform (process {owner}): "
                    "stop it with `gatepost stop`, or choose another --data"
                )
            time.sleep(LEFTOVER_PAUSE_S)
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        except OSError as error:
            os.close(descriptor)
            raise self.unusable(error) from error
        return descriptor

    def begin_ephemeral(self) -> None:
        """Mark what is written from now on as not kept. Only for the owner.

        Raises: SettingsError when there is something that a platform has kept: a reset would take it away.
        """
        if not self._ephemeral.exists() and any(self.store.iterdir()):
            raise SettingsError(
                f"--ephemeral: --data {self.path} holds what an earlier platform has kept: choose another --data, "
                "or leave --ephemeral out"
            )
        self.forget_ephemeral()
        write_durably(self._ephemeral, b"Nothing here is kept: an ephemeral platform runs, or was killed.\n")

    def forget_ephemeral(self) -> None:
        """Remove what an ephemeral platform has left, if one has; caches and logs stay. Only for the owner."""
        if not self._ephemeral.exists():
            return
        for name in LASTING:
            path = self.path / name
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        self.prepare()
        self._ephemeral.unlink(missing_ok=True)

    @property
    def _ephemeral(self) -> Path:
        return self.path / "ephemeral"

    def owner(self) -> int | None:
        """Give the process that owns the directory, or None when nobody does."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            return int(text) if text.isdigit() else None
        else:
            return None
        finally:
            os.close(descriptor)


def write_durably(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace `path` by `content` so that after a power cut there is the old or the new, never a mixture.

    Raises: OSError.
    """
    scratch = path.with_name(f".{path.name}.{random_id(8)}")  # another thread may write the same file
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    scratch.replace(path)
    sync_folder(path.parent)


def is_data_directory(path: str | Path) -> bool:
    """Say whether a folder is some platform's data directory."""
    return (Path(path) / MARKER).is_file() and (Path(path) / "store").is_dir()


def run_of_the_machine() -> str:
    """Give a text that is another one after each start of the machine; empty when it does not tell.

    What was written and not synced is whole in the same run, and may not be in a later one.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object, or give None when there is no such file or it holds something else."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _is_locked(descriptor: int) -> bool:
    """Take the lock, and say whether that worked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_alive(owner: str) -> bool:
    """Say whether the process that owns a directory lives; one that nobody can name is taken to."""
    try:
        os.kill(int(owner), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError):
        return True
    return True
