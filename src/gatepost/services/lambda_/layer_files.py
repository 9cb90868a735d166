"""What workers see at /opt: a function's layers laid over one another, a later one over an earlier.

The merged directory is made once for each list of layers, of hard links to their files. A single layer is its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path


def merged_digest(layers: Sequence[str]) -> str:
    """Give the name of the directory that holds the layers with these digests; empty when there are none."""
    if len(layers) < 2:
        return layers[0] if layers else ""
    return hashlib.sha256(b"layers:" + b",".join(layer.encode() for layer in layers)).hexdigest()


def merge(functions: Path, layers: Sequence[str]) -> None:
    """Make the merged directory unless it is there. Every layer is unpacked. Blocks: call it in a thread.

    Raises: OSError.
    """
    digest = merged_digest(layers)
    target = functions / digest
    if len(layers) < 2 or target.is_dir():
        return
    scratch = functions / f".{digest}.{os.getpid()}.{os.urandom(4).hex()}"
    scratch.mkdir(mode=0o755)
    try:
        scratch.chmod(0o755)
        for layer in layers:
            _lay(functions / layer, scratch)
        try:
            scratch.rename(target)
        except OSError:
            if not target.is_dir():  # not a race with another process that merged the same
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _lay(source: Path, target: Path) -> None:
    """Lay one directory over another. What was there gives way; directories grow together."""
    for entry in sorted(os.scandir(source), key=lambda one: one.name):
        place = target / entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if entry.name == "__pycache__" and is_folder:
            continue  # compiled for the layer's own directory; the merged one is compiled anew
        if place.is_symlink() or (place.exists() and not (is_folder and place.is_dir())):
            _remove(place)
        if is_folder:
            place.mkdir(mode=0o755, exist_ok=True)
            place.chmod(0o755)
            _lay(Path(entry.path), place)
        elif entry.is_symlink():
            place.symlink_to(Path(entry.path).readlink())
        else:
            os.link(entry.path, place)


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink()
