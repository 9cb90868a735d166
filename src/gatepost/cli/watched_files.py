"""Which folders and files `--watch` looks at, and what a set of changed paths means for them.

Every folder is watched for itself, not with all below it: what installers fill (`node_modules`, `.venv`, …) is left
out, so that an installation neither redeploys a hundred times nor uses up the system's watches.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gatepost.storage.data_directory import is_data_directory
from gatepost.templates.code_packages import IGNORED, IGNORED_SUFFIXES

DEPENDENCIES: Final = frozenset({"node_modules", "bower_components", "site-packages", ".yarn", ".pnpm-store"})
FOLDERS_MAX: Final = 5_000  # watched for one platform; an unprivileged user has about 8,000 watches
# What editors write beside the file that is saved.
SCRATCH_SUFFIXES: Final = ("~", ".swp", ".swx", ".swo", ".tmp", "___jb_tmp___", "___jb_old___")


def is_ignored(name: str) -> bool:
    """Say whether a file or folder of this name, below a code folder, changes nothing."""
    if name in IGNORED or name in DEPENDENCIES:
        return True
    return name.endswith((*IGNORED_SUFFIXES, *SCRATCH_SUFFIXES)) or name.startswith(".#") or name == "4913"


def folders_below(folder: Path) -> Iterator[Path]:
    """Give a code folder and those below it that matter, at most `FOLDERS_MAX`."""
    todo = [folder]
    count = 0
    while todo and count < FOLDERS_MAX:
        current = todo.pop()
        count += 1
        yield current
        try:
            with os.scandir(current) as entries:
                todo += [
                    Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)
                    and not is_ignored(entry.name) and not is_data_directory(entry.path)
                ]  # fmt: skip
        except OSError:
            continue


def stamp_of(path: Path) -> int:
    """Give a number that is another one when a file, or a file below a folder, was saved; 0 when it is not there."""
    found: list[tuple[str, int, int]] = []
    for folder in folders_below(path) if path.is_dir() else [path.parent]:
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if (path.is_dir() and not is_ignored(entry.name)) or entry.path == str(path):
                        details = entry.stat()
                        found.append((entry.path, details.st_size, details.st_mtime_ns if entry.is_file() else 0))
        except OSError:
            continue
    return hash(tuple(sorted(found))) if found else 0


@dataclass(frozen=True, slots=True)
class Meaning:
    """What changed paths mean."""

    files: frozenset[Path]  # that were named: templates, documents, zips
    code: dict[Path, list[Path]]  # changed files by the code folder that they lie in
    has_new_folders: bool


class WatchedFiles:
    """What templates were made of: single files, and folders of code."""

    def __init__(self, files: Iterable[Path], folders: Iterable[Path]) -> None:
        named = {path.resolve() for path in files}
        resolved = {folder.resolve() for folder in folders}
        self._folders = {folder for folder in resolved if folder.is_dir()}
        self._files = named | (resolved - self._folders)

    def places(self) -> list[Path]:
        """Give the folders to watch, each without those below it."""
        found = {file.parent for file in self._files}
        for folder in self._folders:
            found.update(folders_below(folder))
        return sorted(path for path in found if path.is_dir())

    def meaning(self, paths: Iterable[Path]) -> Meaning:
        """Say what changed paths mean. Those that mean nothing are in none of it."""
        files: set[Path] = set()
        code: dict[Path, list[Path]] = {}
        has_new_folders = False
        for path in paths:
            if path in self._files:
                files.add(path)
            for folder in self._folders:
                if path == folder or not path.is_relative_to(folder):
                    continue
                if any(is_ignored(part) for part in path.relative_to(folder).parts):
                    continue
                code.setdefault(folder, []).append(path)
                has_new_folders = has_new_folders or path.is_dir()
        return Meaning(frozenset(files), code, has_new_folders)
