"""A folder of code as a zip file: the same bytes for the same files, and no work at all when nothing has changed."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gatepost.kernel.errors import SettingsError
from gatepost.kernel.ids import random_id
from gatepost.kernel.limits import LAMBDA_UNZIPPED_BYTES_MAX
from gatepost.templates.package_zip import PackageZip, ZippedFile
from gatepost.templates.requirements import Requirements

CACHE_FORMAT: Final = "2"
FILES_MAX: Final = 50_000
IGNORED: Final = frozenset(
    {
        ".DS_Store",
        ".aws-sam",
        ".gatepost",
        ".git",
        ".hypothesis",
        ".idea",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
        ".venv",
        ".vscode",
        "__pycache__",
        "venv",
    }
)
IGNORED_SUFFIXES: Final = (".pyc", ".pyo")
REQUIREMENTS: Final = "requirements.txt"


@dataclass(frozen=True, slots=True)
class Uploads:
    """The platform's assets as a client sees them."""

    has: Callable[[str], bool]  # by SHA-256
    put: Callable[[bytes], str]  # gives the SHA-256


class CodePackages:
    """Packs and uploads code folders and files; remembers what it did by size and time of every file."""

    def __init__(self, cache_dir: Path, uploads: Uploads, requirements: Requirements) -> None:
        self._cache_dir = cache_dir / "packages"
        self._uploads = uploads
        self._requirements = requirements
        self._zip = PackageZip(_read)

    def upload_file(self, path: Path) -> str:
        """Upload one file as it is (a zip, an OpenAPI document) and give its SHA-256. Raises: SettingsError."""
        content = _read(path)
        sha256 = hashlib.sha256(content).hexdigest()
        return sha256 if self._uploads.has(sha256) else self._uploads.put(content)

    def upload_code(self, path: Path, *, runtime: str, installs_requirements: bool) -> str:
        """Upload a code folder as a zip, with its requirements, or a zip file as it is; give its SHA-256.

        Raises: SettingsError.
        """
        if path.is_file():
            if not zipfile.is_zipfile(path):
                raise SettingsError(f"{path} is no zip file: name a folder or a zip file")
            return self.upload_file(path)
        if not path.is_dir():
            raise SettingsError(f"there is no folder {path}")
        files = list(_walk(path))
        if not files:
            raise SettingsError(f"{path} holds no files to deploy")
        requirements = path / REQUIREMENTS
        has_requirements = installs_requirements and runtime.startswith("python") and requirements.is_file()
        key = self._requirements.key(requirements, runtime) if has_requirements else ""
        fingerprint = _fingerprint(files, key)
        known = self._cache_dir / f"{hashlib.sha256(str(path).encode()).hexdigest()[:32]}.json"
        sha256 = _remembered(known, fingerprint)
        if sha256 and self._uploads.has(sha256):
            return sha256
        if has_requirements:
            installed = self._requirements.install(requirements, runtime)
            own = {file.name for file in files}
            files = [*files, *(file for file in _walk(installed) if file.name not in own and file.name[0] != ".")]
        _check_size(files, path)
        content = self._zip.make(files)
        sha256 = hashlib.sha256(content).hexdigest()
        if not self._uploads.has(sha256):
            self._uploads.put(content)
        _remember(known, fingerprint, sha256)
        return sha256


def _walk(folder: Path) -> Iterator[ZippedFile]:
    """Give a folder's files in the order of their names. Raises: SettingsError for links that lead out of it."""
    root = folder.resolve()
    start = len(os.path.join(folder, ""))  # noqa: PTH118 - with its separator
    count = 0
    todo = [folder]
    found: list[ZippedFile] = []
    while todo:
        current = todo.pop()
        with os.scandir(current) as scan:
            entries = list(scan)
        for entry in entries:
            if entry.name in IGNORED or entry.name.endswith(IGNORED_SUFFIXES):
                continue
            path = Path(entry.path)
            if entry.is_symlink() and not path.resolve().is_relative_to(root):
                raise SettingsError(f"{path} is a link that leads out of {folder}: copy what it points to")
            if entry.is_dir():
                if entry.is_symlink() and current.resolve().is_relative_to(path.resolve()):
                    raise SettingsError(f"{path} is a link to a folder that contains it: remove it")
                todo.append(path)
                continue
            details = entry.stat()
            if not stat.S_ISREG(details.st_mode):
                raise SettingsError(f"{path} is neither a file nor a folder: remove it")
            count += 1
            if count > FILES_MAX:
                raise SettingsError(f"{folder} has more than {FILES_MAX} files")
            name = entry.path[start:].replace(os.sep, "/")
            found.append(
                ZippedFile(path, name, details.st_size, details.st_mtime_ns, bool(details.st_mode & stat.S_IXUSR))
            )
    yield from sorted(found, key=lambda file: file.name)


def _fingerprint(files: list[ZippedFile], requirements_key: str) -> str:
    digest = hashlib.sha256(f"{CACHE_FORMAT}\0{requirements_key}".encode())
    for file in files:
        digest.update(f"\0{file.name}\0{file.size}\0{file.modified_ns}\0{file.is_executable}".encode())
    return digest.hexdigest()


def _check_size(files: list[ZippedFile], folder: Path) -> None:
    total = sum(file.size for file in files)
    if total > LAMBDA_UNZIPPED_BYTES_MAX:
        raise SettingsError(f"{folder} has {total} bytes: a function's code may have {LAMBDA_UNZIPPED_BYTES_MAX}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise SettingsError(f"{path}: {fault.strerror or fault}") from fault


def _remembered(known: Path, fingerprint: str) -> str:
    try:
        value = json.loads(known.read_bytes())
    except (OSError, ValueError):
        return ""
    return str(value.get("sha256", "")) if value.get("fingerprint") == fingerprint else ""


def _remember(known: Path, fingerprint: str, sha256: str) -> None:
    """Note what a folder packs to. A cache that cannot be written is only slower."""
    try:
        known.parent.mkdir(parents=True, exist_ok=True)
        fresh = known.with_name(f".{known.name}.{random_id(8)}")
        fresh.write_text(json.dumps({"fingerprint": fingerprint, "sha256": sha256}))
        fresh.replace(known)
    except OSError:
        return
