"""Which packages of the AWS SDK for JavaScript a function's code names and does not bring: read from its archives.

Archives are strangers': what is read of them is bounded, and what cannot be read names nothing. Only names of AWS's own
two scopes are ever found, so that nothing else is fetched on the word of a function's text.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

SCOPES: Final = ("@aws-sdk", "@smithy")
PACKAGES_MAX: Final = 50  # that one function may lack
FILES_MAX: Final = 2_000
FILE_BYTES_MAX: Final = 4 * 1024 * 1024
TEXT_BYTES_MAX: Final = 16 * 1024 * 1024  # of all files together
MANIFEST_BYTES_MAX: Final = 64 * 1024
_SUFFIXES: Final = (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts")
_MODULES: Final = "node_modules"
_NAME: Final = re.compile(r"@(?:aws-sdk|smithy)/[a-z0-9][a-z0-9-]{0,99}", re.ASCII)
# `require("…")`, `from "…"`, `import "…"`, `import("…")`: a name in a comment of a bundler's or in a message is none.
_NAMED: Final = re.compile(
    rb"""(?:\brequire(?:\.resolve)?\s{0,9}\(|\bfrom\b|\bimport\b)\s{0,9}\(?\s{0,9}["'`]"""
    rb"""(@(?:aws-sdk|smithy)/[a-z0-9][a-z0-9-]{0,99})["'`/]"""
)


class _Archive(NamedTuple):
    named: set[str]
    brought: set[str]


def lacking_packages(archives: Sequence[Path]) -> tuple[str, ...]:
    """Give the packages that the archives of code and layers name and none of them brings, in order.

    Named are those that files outside of `node_modules` load, and those that packages in there expect of their user
    (`peerDependencies`). At most `PACKAGES_MAX` are given. Blocks: call it in a thread.
    """
    found = [_read(archive) for archive in archives]
    named: set[str] = set().union(*(one.named for one in found))
    brought: set[str] = set().union(*(one.brought for one in found))
    return tuple(sorted(named - brought)[:PACKAGES_MAX])


def _read(archive: Path) -> _Archive:
    named: set[str] = set()
    brought: set[str] = set()
    files, left = 0, TEXT_BYTES_MAX
    try:
        with zipfile.ZipFile(archive) as content:
            for entry in content.infolist():
                package, rest = _split(entry.filename)
                if package.startswith(SCOPES):
                    brought.add(package)
                    continue
                is_manifest = bool(package) and rest == "package.json"
                if not (is_manifest or (not package and rest.endswith(_SUFFIXES))):
                    continue
                most = min(left, MANIFEST_BYTES_MAX if is_manifest else FILE_BYTES_MAX)
                files += 1
                if files > FILES_MAX or most <= 0:
                    continue
                with content.open(entry) as file:
                    text = file.read(most)
                left -= len(text)
                named |= _expected(text) if is_manifest else _loaded(text)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        pass  # who unpacks it says what is wrong with it
    return _Archive(named, brought)


def _split(name: str) -> tuple[str, str]:
    """Give the package that a file belongs to, empty for the function's own, and the file's path in it."""
    parts = name.split("/")
    if _MODULES not in parts:
        return "", name
    below = parts[parts.index(_MODULES) + 1 :]
    length = 2 if below and below[0].startswith("@") else 1
    return "/".join(below[:length]) or _MODULES, "/".join(below[length:])


def _loaded(text: bytes) -> set[str]:
    if not any(f"{scope}/".encode() in text for scope in SCOPES):  # a fast search: most files name none
        return set()
    return {name.decode() for name in _NAMED.findall(text)}


def _expected(text: bytes) -> set[str]:
    if b"peerDependencies" not in text:
        return set()
    try:
        peers = json.loads(text)["peerDependencies"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return set()
    return {name for name in peers if _NAME.fullmatch(name)} if isinstance(peers, dict) else set()
