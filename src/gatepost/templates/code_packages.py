"""A folder of code as a zip file: the same bytes for the same files, and no work at all when nothing has changed."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from gatepost.kernel.errors import SettingsError
from gatepost.kernel.ids import random_id
from gatepost.kernel.limits import LAMBDA_UNZIPPED_BYTES_MAX
from gatepost.storage.data_directory import is_data_directory
from gatepost.templates.package_zip import Package, PackageZip, ZippedFile
from gatepost.templates.requirements import Requirements

CACHE_FORMAT: Final = "2"
FILES_MAX: Final = 50_000
PACKAGES_MAX: Final = 20
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
    patch: Callable[[str, bytes], bool] = lambda _sha256, _patch: False  # False: it has to be put


class CodePackages:
    """Packs and uploads code folders and files; remembers what it did by size and time of every file."""

    def __init__(self, cache_dir: Path, uploads: Uploads, requirements: Requirements) -> None:
        self._cache_dir = cache_dir / "packages"
        self._uploads = uploads
        self._requirements = requirements
        self._zip = PackageZip(_read)
        self._packages: dict[Path, Package] = {}  # the last of each folder, and of at most `PACKAGES_MAX`

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
        folder = self._folder(path, runtime=runtime, installs_requirements=installs_requirements)
        known = self._cache_dir / f"{hashlib.sha256(str(path).encode()).hexdigest()[:32]}.json"
        sha256 = _remembered(known, folder.fingerprint)
        if sha256 and self._uploads.has(sha256):
            return sha256
        before = self._packages.pop(path, None)
        package = self._packed(folder)
        if not self._uploads.has(package.sha256):
            is_there = before is not None and self._uploads.patch(package.sha256, package.patch_of(before))
            if not is_there:
                self._uploads.put(package.content())
        _remember(known, folder.fingerprint, package.sha256)
        return package.sha256

    def prepare(self, path: Path, *, runtime: str, installs_requirements: bool) -> None:
        """Compress a code folder's files now, so that its next upload need not. Raises: SettingsError."""
        if path.is_dir() and path not in self._packages:
            self._packed(self._folder(path, runtime=runtime, installs_requirements=installs_requirements))

    def _folder(self, path: Path, *, runtime: str, installs_requirements: bool) -> _Folder:
        if not path.is_dir():
            raise SettingsError(f"there is no folder {path}")
        files = _walk(path)
        if not files:
            raise SettingsError(f"{path} holds no files to deploy")
        requirements = path / REQUIREMENTS
        has_requirements = installs_requirements and runtime.startswith("python") and requirements.is_file()
        key = self._requirements.key(requirements, runtime) if has_requirements else ""
        return _Folder(path, files, runtime if has_requirements else "", _fingerprint(files, key))

    def _packed(self, folder: _Folder) -> Package:
        files = folder.files
        if folder.required_by:
            installed = self._requirements.install(folder.path / REQUIREMENTS, folder.required_by)
            own = {file.name for file in files}
            files = [*files, *(file for file in _walk(installed) if file.name not in own and file.name[0] != ".")]
        _check_size(files, folder.path)
        package = self._packages[folder.path] = self._zip.make(files)
        if len(self._packages) > PACKAGES_MAX:
            del self._packages[next(iter(self._packages))]
        return package


class _Folder(NamedTuple):
    """A code folder as it is now. `required_by` is the runtime that its requirements are installed for, or empty."""

    path: Path
    files: list[ZippedFile]
    required_by: str
    fingerprint: str


def _walk(folder: Path) -> list[ZippedFile]:
    """Give a folder's files in the order of their names. Raises: SettingsError for links that lead out of it.

    Paths are texts: with `--watch` somebody waits who may have thousands of files.
    """
    start = len(os.path.join(folder, ""))  # noqa: PTH118 - with its separator
    todo = [str(folder)]
    found: list[ZippedFile] = []
    while todo:
        current = todo.pop()
        with os.scandir(current) as entries:
            for entry in entries:
                if entry.name in IGNORED or entry.name.endswith(IGNORED_SUFFIXES):
                    continue
                if entry.is_symlink():
                    _check_link(entry, folder, Path(current))
                if entry.is_dir():
                    if not is_data_directory(entry.path):  # ours: its keys and tables are nobody's code
                        todo.append(entry.path)
                    continue
                details = entry.stat()
                if not stat.S_ISREG(details.st_mode):
                    raise SettingsError(f"{entry.path} is neither a file nor a folder: remove it")
                if len(found) >= FILES_MAX:
                    raise SettingsError(f"{folder} has more than {FILES_MAX} files")
                name = entry.path[start:].replace(os.sep, "/")
                is_executable = bool(details.st_mode & stat.S_IXUSR)
                found.append(ZippedFile(entry.path, name, details.st_size, details.st_mtime_ns, is_executable))
    return sorted(found, key=lambda file: file.name)


def _check_link(link: os.DirEntry[str], folder: Path, current: Path) -> None:
    target = Path(link.path).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise SettingsError(f"{link.path} is a link that leads out of {folder}: copy what it points to")
    if link.is_dir() and current.resolve().is_relative_to(target):
        raise SettingsError(f"{link.path} is a link to a folder that contains it: remove it")


def _fingerprint(files: list[ZippedFile], requirements_key: str) -> str:
    lines = [f"\0{name}\0{size}\0{modified_ns}\0{is_executable}" for _, name, size, modified_ns, is_executable in files]
    text = "".join((CACHE_FORMAT, "\0", requirements_key, *lines))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _check_size(files: list[ZippedFile], folder: Path) -> None:
    total = sum(file.size for file in files)
    if total > LAMBDA_UNZIPPED_BYTES_MAX:
        raise SettingsError(f"{folder} has {total} bytes: a function's code may have {LAMBDA_UNZIPPED_BYTES_MAX}")


def _read(path: Path | str) -> bytes:
    try:
        return Path(path).read_bytes()
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
